"""holdwater: a Kafka-wire-compatible replicated cluster, and tools that prove what is lost, duplicated or reordered when things fail."""

__version__ = "0.1.0"
