"""One replica's log on disk, in Apache Kafka's own format, over the Disk port: no clock, no randomness, no operating system in here.

``log`` is one partition (``PartitionLog``), a chain of ``segment`` files with their indexes (``offset_index``, ``time_index``, ``txn_index``),
the leader-epoch cache (``epochs``) and the producers' state (``producers``, ``producer_snapshot``). ``recovery`` opens one after a clean stop
or a crash, in slices. ``retention`` and ``compaction`` take old records out. ``directories`` is the list of log directories with its
checkpoints (``checkpoints``, ``properties``). ``snapshots`` and ``votes`` are what the metadata quorum keeps beside its log.
"""
