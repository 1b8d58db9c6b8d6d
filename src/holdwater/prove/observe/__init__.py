"""What is seen of the target during a run and at its end, through the public protocol only: samples, settings, and the raw final log."""
