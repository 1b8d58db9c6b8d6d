"""The clients of a run: real librdkafka producers and consumers, each in a process of its own, so that neither the interpreter lock nor a
stall in one shows in another.

A workload process gets its configuration as one JSON line, then commands as JSON lines on standard input; it answers with JSON lines on
standard output (``channel``), writes its history as column files, and ends when its standard input does. ``process`` is the parent's side.
"""
