"""One file per API. ``table`` collects them."""
