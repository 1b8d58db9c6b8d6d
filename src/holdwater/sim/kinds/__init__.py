"""The kinds of fault, by what they break: processes, power, the network, disks, what lies on disks, clocks.

Each module has a table ``STRIKES`` from a kind's name to what it does. A strike returns whether it made sense at that moment; if not, it has
changed nothing, and is tried again a little later. It calls ``acted`` when the fault acts, which may be much later (a disk error acts when
the operation comes that it hits), or never.
"""
