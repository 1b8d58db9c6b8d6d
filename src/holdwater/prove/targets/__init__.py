"""Clusters that a scenario can run on: our own (``own``), and any other whose brokers commands or pid files can reach (``command``)."""
