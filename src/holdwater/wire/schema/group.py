"""Records of the group coordinator (__consumer_offsets).

Facts of Apache Kafka 4.4.0, written by tools/import_messages.py. Checksum 6d6aeccab02821da.
"""

TABLE = """\
LegacyOffsetCommitKey coordinator-key 0 0 none
 group string 0
 topic string 0
 partition int32 0

LegacyOffsetCommitValue coordinator-value 0 0 none
 offset int64 0
 metadata string 0
 commitTimestamp int64 0

OffsetCommitKey coordinator-key 1 0 none
 group string 0
 topic string 0
 partition int32 0

OffsetCommitValue coordinator-value 1 0-4 4+
 offset int64 0+
 leaderEpoch int32 3+ =-1 ~
 metadata string 0+
 commitTimestamp int64 0+
 expireTimestamp int64 1 =-1 ~
 topicId uuid 4+ #0:4+ ~

GroupMetadataKey coordinator-key 2 0 none
 group string 0

GroupMetadataValue coordinator-value 2 0-4 4+
 +MemberMetadata 0+
  memberId string 0+
  groupInstanceId string 3+ ?3+ =null ~
  clientId string 0+
  clientHost string 0+
  rebalanceTimeout int32 1+ =-1 ~
  sessionTimeout int32 0+
  subscription bytes 0+
  assignment bytes 0+
 protocolType string 0+
 generation int32 0+
 protocol string 0+ ?0+
 leader string 0+ ?0+
 currentStateTimestamp int64 2+ =-1 ~
 members []MemberMetadata 0+

ConsumerGroupMetadataKey coordinator-key 3 0 none
 GroupId string 0

ConsumerGroupMetadataValue coordinator-value 3 0 0+
 Epoch int32 0+
 MetadataHash int64 0+ #0:0+

ConsumerGroupPartitionMetadataKey coordinator-key 4 0 none
 GroupId string 0

ConsumerGroupPartitionMetadataValue coordinator-value 4 0 0+
 Topics []TopicMetadata 0+
  TopicId uuid 0+
  TopicName string 0+
  NumPartitions int32 0+
  PartitionMetadata []PartitionMetadata 0+
   Partition int32 0+
   Racks []string 0+

ConsumerGroupMemberMetadataKey coordinator-key 5 0 none
 GroupId string 0
 MemberId string 0

ConsumerGroupMemberMetadataValue coordinator-value 5 0 0+
 InstanceId string 0+ ?0+
 RackId string 0+ ?0+
 ClientId string 0+
 ClientHost string 0+
 SubscribedTopicNames []string 0+
 SubscribedTopicRegex string 0+ ?0+
 RebalanceTimeoutMs int32 0+ =-1
 ServerAssignor string 0+ ?0+
 ClassicMemberMetadata ClassicMemberMetadata 0+ ?0+ #0:0+
  SessionTimeoutMs int32 0+
  SupportedProtocols []ClassicProtocol 0+
   Name string 0+
   Metadata bytes 0+

ConsumerGroupTargetAssignmentMetadataKey coordinator-key 6 0 none
 GroupId string 0

ConsumerGroupTargetAssignmentMetadataValue coordinator-value 6 0 0+
 AssignmentEpoch int32 0+
 AssignmentTimestamp int64 0+ #0:0+ ~

ConsumerGroupTargetAssignmentMemberKey coordinator-key 7 0 none
 GroupId string 0
 MemberId string 0

ConsumerGroupTargetAssignmentMemberValue coordinator-value 7 0 0+
 TopicPartitions []TopicPartition 0+
  TopicId uuid 0+
  Partitions []int32 0+

ConsumerGroupCurrentMemberAssignmentKey coordinator-key 8 0 none
 GroupId string 0
 MemberId string 0

ConsumerGroupCurrentMemberAssignmentValue coordinator-value 8 0 0+
 +TopicPartitions 0+
  TopicId uuid 0+
  Partitions []int32 0+
  AssignmentEpochs []int32 0+ ?0+ #0:0+
 MemberEpoch int32 0+
 PreviousMemberEpoch int32 0+
 State int8 0+
 AssignedPartitions []TopicPartitions 0+
 PartitionsPendingRevocation []TopicPartitions 0+

ShareGroupMemberMetadataKey coordinator-key 10 0 none
 GroupId string 0
 MemberId string 0

ShareGroupMemberMetadataValue coordinator-value 10 0 0+
 RackId string 0+ ?0+
 ClientId string 0+
 ClientHost string 0+
 SubscribedTopicNames []string 0+

ShareGroupMetadataKey coordinator-key 11 0 none
 GroupId string 0

ShareGroupMetadataValue coordinator-value 11 0 0+
 Epoch int32 0+
 MetadataHash int64 0+

ShareGroupTargetAssignmentMetadataKey coordinator-key 12 0 none
 GroupId string 0

ShareGroupTargetAssignmentMetadataValue coordinator-value 12 0 0+
 AssignmentEpoch int32 0+
 AssignmentTimestamp int64 0+ #0:0+ ~

ShareGroupTargetAssignmentMemberKey coordinator-key 13 0 none
 GroupId string 0
 MemberId string 0

ShareGroupTargetAssignmentMemberValue coordinator-value 13 0 0+
 TopicPartitions []TopicPartition 0+
  TopicId uuid 0+
  Partitions []int32 0+

ShareGroupCurrentMemberAssignmentKey coordinator-key 14 0 none
 GroupId string 0
 MemberId string 0

ShareGroupCurrentMemberAssignmentValue coordinator-value 14 0 0+
 +TopicPartitions 0+
  TopicId uuid 0+
  Partitions []int32 0+
 MemberEpoch int32 0+
 PreviousMemberEpoch int32 0+
 State int8 0+
 AssignedPartitions []TopicPartitions 0+

ShareGroupStatePartitionMetadataKey coordinator-key 15 0 none
 GroupId string 0

ShareGroupStatePartitionMetadataValue coordinator-value 15 0 0+
 +TopicPartitionsInfo 0+
  TopicId uuid 0+
  TopicName string 0+
  Partitions []int32 0+
 +TopicInfo 0+
  TopicId uuid 0+
  TopicName string 0+
 InitializingTopics []TopicPartitionsInfo 0+
 InitializedTopics []TopicPartitionsInfo 0+
 DeletingTopics []TopicInfo 0+

ConsumerGroupRegularExpressionKey coordinator-key 16 0 none
 GroupId string 0
 RegularExpression string 0

ConsumerGroupRegularExpressionValue coordinator-value 16 0 0+
 Topics []string 0+
 Version int64 0+
 Timestamp int64 0+

StreamsGroupMetadataKey coordinator-key 17 0 none
 GroupId string 0

StreamsGroupMetadataValue coordinator-value 17 0 0+
 +LastAssignmentConfig 0+
  Key string 0+
  Value string 0+
 Epoch int32 0+
 MetadataHash int64 0+
 ValidatedTopologyEpoch int32 0+ #0:0+ =-1
 LastAssignmentConfigs []LastAssignmentConfig 0+ ?0+ #1:0+
 StoredDescriptionTopologyEpoch int32 0+ #2:0+ =-1
 FailedDescriptionTopologyEpoch int32 0+ #3:0+ =-1

StreamsGroupMemberMetadataKey coordinator-key 19 0 none
 GroupId string 0
 MemberId string 0

StreamsGroupMemberMetadataValue coordinator-value 19 0 0+
 +Endpoint 0+
  Host string 0+
  Port uint16 0+
 +KeyValue 0+
  Key string 0+
  Value string 0+
 InstanceId string 0+ ?0+
 RackId string 0+ ?0+
 ClientId string 0+
 ClientHost string 0+
 RebalanceTimeoutMs int32 0+ =-1
 TopologyEpoch int32 0+
 ProcessId string 0+
 UserEndpoint Endpoint 0+ ?0+ =null
 ClientTags []KeyValue 0+

StreamsGroupTargetAssignmentMetadataKey coordinator-key 20 0 none
 GroupId string 0

StreamsGroupTargetAssignmentMetadataValue coordinator-value 20 0 0+
 AssignmentEpoch int32 0+
 AssignmentTimestamp int64 0+ #0:0+ ~

StreamsGroupTargetAssignmentMemberKey coordinator-key 21 0 none
 GroupId string 0
 MemberId string 0

StreamsGroupTargetAssignmentMemberValue coordinator-value 21 0 0+
 +TaskIds 0+
  SubtopologyId string 0+
  Partitions []int32 0+
 ActiveTasks []TaskIds 0+
 StandbyTasks []TaskIds 0+
 WarmupTasks []TaskIds 0+

StreamsGroupCurrentMemberAssignmentKey coordinator-key 22 0 none
 GroupId string 0
 MemberId string 0

StreamsGroupCurrentMemberAssignmentValue coordinator-value 22 0 0+
 +TaskIds 0+
  SubtopologyId string 0+
  Partitions []int32 0+
  AssignmentEpochs []int32 0+ ?0+ #0:0+
 MemberEpoch int32 0+
 PreviousMemberEpoch int32 0+
 State int8 0+
 ActiveTasks []TaskIds 0+
 StandbyTasks []TaskIds 0+
 WarmupTasks []TaskIds 0+
 ActiveTasksPendingRevocation []TaskIds 0+
 StandbyTasksPendingRevocation []TaskIds 0+
 WarmupTasksPendingRevocation []TaskIds 0+

StreamsGroupTopologyKey coordinator-key 23 0 none
 GroupId string 0

StreamsGroupTopologyValue coordinator-value 23 0 0+
 +TopicConfig 0+
  key string 0+
  value string 0+
 +TopicInfo 0+
  Name string 0+
  Partitions int32 0+
  ReplicationFactor int16 0+
  TopicConfigs []TopicConfig 0+
 Epoch int32 0+
 Subtopologies []Subtopology 0+
  SubtopologyId string 0+
  SourceTopics []string 0+
  SourceTopicRegex []string 0+
  StateChangelogTopics []TopicInfo 0+
  RepartitionSinkTopics []string 0+
  RepartitionSourceTopics []TopicInfo 0+
  CopartitionGroups []CopartitionGroup 0+
   SourceTopics []int16 0+
   SourceTopicRegex []int16 0+
   RepartitionSourceTopics []int16 0+
"""
