"""Records of the share coordinator (__share_group_state).

Facts of Apache Kafka 4.4.0, written by tools/import_messages.py. Checksum 7ce9b31713e6ab49.
"""

TABLE = """\
ShareSnapshotKey coordinator-key 0 0 none
 GroupId string 0
 TopicId uuid 0
 Partition int32 0

ShareSnapshotValue coordinator-value 0 0 0+
 SnapshotEpoch int32 0+
 StateEpoch int32 0+
 LeaderEpoch int32 0+
 StartOffset int64 0+
 DeliveryCompleteCount int32 0+ #0:0+ =-1
 CreateTimestamp int64 0+
 WriteTimestamp int64 0+
 StateBatches []StateBatch 0+
  FirstOffset int64 0+
  LastOffset int64 0+
  DeliveryState int8 0+
  DeliveryCount int16 0+

ShareUpdateKey coordinator-key 1 0 none
 GroupId string 0
 TopicId uuid 0
 Partition int32 0

ShareUpdateValue coordinator-value 1 0 0+
 SnapshotEpoch int32 0+
 LeaderEpoch int32 0+
 StartOffset int64 0+
 DeliveryCompleteCount int32 0+ #0:0+ =-1
 StateBatches []StateBatch 0+
  FirstOffset int64 0+
  LastOffset int64 0+
  DeliveryState int8 0+
  DeliveryCount int16 0+
"""
