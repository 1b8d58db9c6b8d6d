"""One file per API, or family of them. ``table`` collects them."""
