"""Records of the remote log metadata topic (__remote_log_metadata).

Facts of Apache Kafka 4.4.0, written by tools/import_messages.py. Checksum 18551c0f0612c370.
"""

TABLE = """\
RemoteLogSegmentMetadataRecord metadata 0 0 0+
 RemoteLogSegmentId RemoteLogSegmentIdEntry 0+
  TopicIdPartition TopicIdPartitionEntry 0+
   Name string 0+
   Id uuid 0+
   Partition int32 0+
  Id uuid 0+
 StartOffset int64 0+
 EndOffset int64 0+
 BrokerId int32 0+
 MaxTimestampMs int64 0+
 EventTimestampMs int64 0+
 SegmentLeaderEpochs []SegmentLeaderEpochEntry 0+
  LeaderEpoch int32 0+
  Offset int64 0+
 SegmentSizeInBytes int32 0+
 CustomMetadata bytes 0+ ?0+ =null
 RemoteLogSegmentState int8 0+
 TxnIndexEmpty bool 0+ #0:0+

RemoteLogSegmentMetadataUpdateRecord metadata 1 0 0+
 RemoteLogSegmentId RemoteLogSegmentIdEntry 0+
  TopicIdPartition TopicIdPartitionEntry 0+
   Name string 0+
   Id uuid 0+
   Partition int32 0+
  Id uuid 0+
 BrokerId int32 0+
 EventTimestampMs int64 0+
 CustomMetadata bytes 0+ ?0+ =null
 RemoteLogSegmentState int8 0+

RemotePartitionDeleteMetadataRecord metadata 2 0 0+
 TopicIdPartition TopicIdPartitionEntry 0+
  Name string 0+
  Id uuid 0+
  Partition int32 0+
 BrokerId int32 0+
 EventTimestampMs int64 0+
 RemotePartitionDeleteState int8 0+

RemoteLogSegmentMetadataSnapshotRecord metadata 3 0 0+
 SegmentId uuid 0+
 StartOffset int64 0+
 EndOffset int64 0+
 BrokerId int32 0+
 MaxTimestampMs int64 0+
 EventTimestampMs int64 0+
 SegmentLeaderEpochs []SegmentLeaderEpochEntry 0+
  LeaderEpoch int32 0+
  Offset int64 0+
 SegmentSizeInBytes int32 0+
 CustomMetadata bytes 0+ ?0+ =null
 RemoteLogSegmentState int8 0+
 TxnIndexEmpty bool 0+ #0:0+
"""
