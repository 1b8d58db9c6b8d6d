"""What a run records: every send, answer and read with its time, the final log as it was read raw, and what was seen of the cluster.

``payload`` is the value that a workload record carries, ``columns`` the files on disk, ``model`` the same in memory, ``load`` the way
from one to the other, ``parts`` what must be there for it and ``damage`` what is said when it is not. All times are
``time.monotonic_ns`` of one host: one clock for all its processes, stopped ones included.
"""
