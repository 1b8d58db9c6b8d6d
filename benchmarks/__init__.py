"""holdwater beside Apache Kafka: one command that measures both in the same run, alternating, and prints ratios.

``python -m benchmarks`` (``make bench``) runs everything and writes docs/performance.md. ``driver`` is the client, a program of its own that
loads both clusters; ``clusters`` starts them; ``parts`` holds one file per thing that is measured; ``report`` prints.
"""
