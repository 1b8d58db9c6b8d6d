"""The metadata of a cluster: what the metadata log adds up to (the image), and the active controller that writes it.

Read ``image`` and ``builder`` first, then ``controller``. One file per concern of the controller: ``brokers``, ``topics``,
``partitions`` with ``election``, ``config_changes``, ``features``, ``producer_ids``; they share ``context``, which holds ``state`` (hard:
changed by replay alone) and ``leases`` (soft: never in the log).
"""
