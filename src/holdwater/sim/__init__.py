"""The laboratory: whole clusters in virtual time, from a seed (docs/simulation.md).

The brokers are those that ship; the network, the disks and the clocks are not. ``run.simulate`` plays one seed, ``cluster.SimCluster`` is
what hand-written stories are told with.

From the bottom: ``clock`` (one heap of events; each node's own clocks), ``trace`` (one line per event, and the digest of all of them),
``network``, ``disk``, ``node`` (a machine and the process on it), ``ledger`` and ``invariants`` (what must hold, looked at after each
event), ``workloads`` (clients and the history of what they saw) and ``workload`` (a seed's, put together), ``faults`` (what a seed does to it).
"""
