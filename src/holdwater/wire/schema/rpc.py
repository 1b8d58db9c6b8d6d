"""Requests, responses and their headers.

Facts of Apache Kafka 4.4.0, written by tools/import_messages.py. Checksum b8e22a7c66b9e0f7.
"""

TABLE = """\
ProduceRequest request 0 3-13 9+ broker
 TransactionalId string 3+ ?3+ =null @transactionalId
 Acks int16 0+
 TimeoutMs int32 0+
 TopicData []TopicProduceData 0+
  Name string 0-12 ~ * @topicName
  TopicId uuid 13+ ~ *
  PartitionData []PartitionProduceData 0+
   Index int32 0+
   Records records 0+ ?0+

ProduceResponse response 0 3-13 9+
 Responses []TopicProduceResponse 0+
  Name string 0-12 ~ * @topicName
  TopicId uuid 13+ ~ *
  PartitionResponses []PartitionProduceResponse 0+
   Index int32 0+
   ErrorCode int16 0+
   BaseOffset int64 0+
   LogAppendTimeMs int64 2+ =-1 ~
   LogStartOffset int64 5+ =-1 ~
   RecordErrors []BatchIndexAndErrorMessage 8+ ~
    BatchIndex int32 8+
    BatchIndexErrorMessage string 8+ ?8+ =null
   ErrorMessage string 8+ ?8+ =null ~
   CurrentLeader LeaderIdAndEpoch 10+ #0:10+
    LeaderId int32 10+ =-1 @brokerId
    LeaderEpoch int32 10+ =-1
 ThrottleTimeMs int32 1+ ~
 NodeEndpoints []NodeEndpoint 10+ #0:10+
  NodeId int32 10+ * @brokerId
  Host string 10+
  Port int32 10+
  Rack string 10+ ?10+ =null

FetchRequest request 1 4-18 12+ broker,controller
 ClusterId string 12+ ?12+ #0:12+ =null ~
 ReplicaId int32 0-14 =-1 @brokerId
 ReplicaState ReplicaState 15+ #1:15+
  ReplicaId int32 15+ =-1 @brokerId
  ReplicaEpoch int64 15+ =-1
 MaxWaitMs int32 0+
 MinBytes int32 0+
 MaxBytes int32 3+ =2147483647 ~
 IsolationLevel int8 4+ ~
 SessionId int32 7+ ~
 SessionEpoch int32 7+ =-1 ~
 Topics []FetchTopic 0+
  Topic string 0-12 ~ @topicName
  TopicId uuid 13+ ~
  Partitions []FetchPartition 0+
   Partition int32 0+
   CurrentLeaderEpoch int32 9+ =-1 ~
   FetchOffset int64 0+
   LastFetchedEpoch int32 12+ =-1
   LogStartOffset int64 5+ =-1 ~
   PartitionMaxBytes int32 0+
   ReplicaDirectoryId uuid 17+ #0:17+ ~
   HighWatermark int64 18+ #1:18+ =9223372036854775807 ~
 ForgottenTopicsData []ForgottenTopic 7+
  Topic string 7-12 ~ @topicName
  TopicId uuid 13+ ~
  Partitions []int32 7+
 RackId string 11+ ~

FetchResponse response 1 4-18 12+
 ThrottleTimeMs int32 1+ ~
 ErrorCode int16 7+ ~
 SessionId int32 7+
 Responses []FetchableTopicResponse 0+
  Topic string 0-12 ~ @topicName
  TopicId uuid 13+ ~
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   HighWatermark int64 0+
   LastStableOffset int64 4+ =-1 ~
   LogStartOffset int64 5+ =-1 ~
   DivergingEpoch EpochEndOffset 12+ #0:12+
    Epoch int32 12+ =-1
    EndOffset int64 12+ =-1
   CurrentLeader LeaderIdAndEpoch 12+ #1:12+
    LeaderId int32 12+ =-1 @brokerId
    LeaderEpoch int32 12+ =-1
   SnapshotId SnapshotId 12+ #2:12+
    EndOffset int64 0+ =-1
    Epoch int32 0+ =-1
   AbortedTransactions []AbortedTransaction 4+ ?4+ ~
    ProducerId int64 4+ @producerId
    FirstOffset int64 4+
   PreferredReadReplica int32 11+ =-1 @brokerId
   Records records 0+ ?0+
 NodeEndpoints []NodeEndpoint 16+ #0:16+
  NodeId int32 16+ * @brokerId
  Host string 16+
  Port int32 16+
  Rack string 16+ ?16+ =null

ListOffsetsRequest request 2 1-11 6+ broker
 ReplicaId int32 0+ @brokerId
 IsolationLevel int8 2+
 Topics []ListOffsetsTopic 0+
  Name string 0+ @topicName
  Partitions []ListOffsetsPartition 0+
   PartitionIndex int32 0+
   CurrentLeaderEpoch int32 4+ =-1 ~
   Timestamp int64 0+
 TimeoutMs int32 10+ ~

ListOffsetsResponse response 2 1-11 6+
 ThrottleTimeMs int32 2+ ~
 Topics []ListOffsetsTopicResponse 0+
  Name string 0+ @topicName
  Partitions []ListOffsetsPartitionResponse 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   Timestamp int64 1+ =-1
   Offset int64 1+ =-1
   LeaderEpoch int32 4+ =-1

MetadataRequest request 3 0-13 9+ broker
 Topics []MetadataRequestTopic 0+ ?1+
  TopicId uuid 10+ ~
  Name string 0+ ?10+ @topicName
 AllowAutoTopicCreation bool 4+ =true
 IncludeClusterAuthorizedOperations bool 8-10
 IncludeTopicAuthorizedOperations bool 8+

MetadataResponse response 3 0-13 9+
 ThrottleTimeMs int32 3+ ~
 Brokers []MetadataResponseBroker 0+
  NodeId int32 0+ * @brokerId
  Host string 0+
  Port int32 0+
  Rack string 1+ ?1+ =null ~
 ClusterId string 2+ ?2+ =null ~
 ControllerId int32 1+ =-1 ~ @brokerId
 Topics []MetadataResponseTopic 0+
  ErrorCode int16 0+
  Name string 0+ ?12+ * @topicName
  TopicId uuid 10+ ~
  IsInternal bool 1+ ~
  Partitions []MetadataResponsePartition 0+
   ErrorCode int16 0+
   PartitionIndex int32 0+
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 7+ =-1 ~
   ReplicaNodes []int32 0+ @brokerId
   IsrNodes []int32 0+ @brokerId
   OfflineReplicas []int32 5+ ~ @brokerId
  TopicAuthorizedOperations int32 8+ =-2147483648
 ClusterAuthorizedOperations int32 8-10 =-2147483648
 ErrorCode int16 13+ ~

OffsetCommitRequest request 8 2-10 8+ broker
 GroupId string 0+ @groupId
 GenerationIdOrMemberEpoch int32 1+ =-1 ~
 MemberId string 1+ ~
 GroupInstanceId string 7+ ?7+ =null
 RetentionTimeMs int64 2-4 =-1 ~
 Topics []OffsetCommitRequestTopic 0+
  Name string 0-9 ~ @topicName
  TopicId uuid 10+ ~
  Partitions []OffsetCommitRequestPartition 0+
   PartitionIndex int32 0+
   CommittedOffset int64 0+
   CommittedLeaderEpoch int32 6+ =-1 ~
   CommittedMetadata string 0+ ?0+

OffsetCommitResponse response 8 2-10 8+
 ThrottleTimeMs int32 3+ ~
 Topics []OffsetCommitResponseTopic 0+
  Name string 0-9 ~ @topicName
  TopicId uuid 10+ ~
  Partitions []OffsetCommitResponsePartition 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+

OffsetFetchRequest request 9 1-10 6+ broker
 GroupId string 0-7 @groupId
 Topics []OffsetFetchRequestTopic 0-7 ?2-7
  Name string 0-7 @topicName
  PartitionIndexes []int32 0-7
 Groups []OffsetFetchRequestGroup 8+
  GroupId string 8+ @groupId
  MemberId string 9+ ?9+ =null ~
  MemberEpoch int32 9+ =-1 ~
  Topics []OffsetFetchRequestTopics 8+ ?8+
   Name string 8-9 ~ @topicName
   TopicId uuid 10+ ~
   PartitionIndexes []int32 8+
 RequireStable bool 7+

OffsetFetchResponse response 9 1-10 6+
 ThrottleTimeMs int32 3+ ~
 Topics []OffsetFetchResponseTopic 0-7
  Name string 0-7 @topicName
  Partitions []OffsetFetchResponsePartition 0-7
   PartitionIndex int32 0-7
   CommittedOffset int64 0-7
   CommittedLeaderEpoch int32 5-7 =-1 ~
   Metadata string 0-7 ?0-7
   ErrorCode int16 0-7
 ErrorCode int16 2-7 ~
 Groups []OffsetFetchResponseGroup 8+
  GroupId string 8+ @groupId
  Topics []OffsetFetchResponseTopics 8+
   Name string 8-9 ~ @topicName
   TopicId uuid 10+ ~
   Partitions []OffsetFetchResponsePartitions 8+
    PartitionIndex int32 8+
    CommittedOffset int64 8+
    CommittedLeaderEpoch int32 8+ =-1 ~
    Metadata string 8+ ?8+
    ErrorCode int16 8+
  ErrorCode int16 8+

FindCoordinatorRequest request 10 0-6 3+ broker
 Key string 0-3
 KeyType int8 1+
 CoordinatorKeys []string 4+

FindCoordinatorResponse response 10 0-6 3+
 ThrottleTimeMs int32 1+ ~
 ErrorCode int16 0-3
 ErrorMessage string 1-3 ?1-3 ~
 NodeId int32 0-3 @brokerId
 Host string 0-3
 Port int32 0-3
 Coordinators []Coordinator 4+
  Key string 4+
  NodeId int32 4+ @brokerId
  Host string 4+
  Port int32 4+
  ErrorCode int16 4+
  ErrorMessage string 4+ ?4+ ~

JoinGroupRequest request 11 0-9 6+ broker
 GroupId string 0+ @groupId
 SessionTimeoutMs int32 0+
 RebalanceTimeoutMs int32 1+ =-1 ~
 MemberId string 0+
 GroupInstanceId string 5+ ?5+ =null
 ProtocolType string 0+
 Protocols []JoinGroupRequestProtocol 0+
  Name string 0+ *
  Metadata bytes 0+
 Reason string 8+ ?8+ =null ~

JoinGroupResponse response 11 0-9 6+
 ThrottleTimeMs int32 2+ ~
 ErrorCode int16 0+
 GenerationId int32 0+ =-1
 ProtocolType string 7+ ?7+ =null ~
 ProtocolName string 0+ ?7+
 Leader string 0+
 SkipAssignment bool 9+
 MemberId string 0+
 Members []JoinGroupResponseMember 0+
  MemberId string 0+
  GroupInstanceId string 5+ ?5+ =null ~
  Metadata bytes 0+

HeartbeatRequest request 12 0-4 4+ broker
 GroupId string 0+ @groupId
 GenerationId int32 0+
 MemberId string 0+
 GroupInstanceId string 3+ ?3+ =null

HeartbeatResponse response 12 0-4 4+
 ThrottleTimeMs int32 1+ ~
 ErrorCode int16 0+

LeaveGroupRequest request 13 0-5 4+ broker
 GroupId string 0+ @groupId
 MemberId string 0-2
 Members []MemberIdentity 3+
  MemberId string 3+
  GroupInstanceId string 3+ ?3+ =null
  Reason string 5+ ?5+ =null ~

LeaveGroupResponse response 13 0-5 4+
 ThrottleTimeMs int32 1+ ~
 ErrorCode int16 0+
 Members []MemberResponse 3+
  MemberId string 3+
  GroupInstanceId string 3+ ?3+
  ErrorCode int16 3+

SyncGroupRequest request 14 0-5 4+ broker
 GroupId string 0+ @groupId
 GenerationId int32 0+
 MemberId string 0+
 GroupInstanceId string 3+ ?3+ =null
 ProtocolType string 5+ ?5+ =null ~
 ProtocolName string 5+ ?5+ =null ~
 Assignments []SyncGroupRequestAssignment 0+
  MemberId string 0+
  Assignment bytes 0+

SyncGroupResponse response 14 0-5 4+
 ThrottleTimeMs int32 1+ ~
 ErrorCode int16 0+
 ProtocolType string 5+ ?5+ =null ~
 ProtocolName string 5+ ?5+ =null ~
 Assignment bytes 0+

DescribeGroupsRequest request 15 0-6 5+ broker
 Groups []string 0+ @groupId
 IncludeAuthorizedOperations bool 3+

DescribeGroupsResponse response 15 0-6 5+
 ThrottleTimeMs int32 1+ ~
 Groups []DescribedGroup 0+
  ErrorCode int16 0+
  ErrorMessage string 6+ ?6+ =null
  GroupId string 0+ @groupId
  GroupState string 0+
  ProtocolType string 0+
  ProtocolData string 0+
  Members []DescribedGroupMember 0+
   MemberId string 0+
   GroupInstanceId string 4+ ?4+ =null ~
   ClientId string 0+
   ClientHost string 0+
   MemberMetadata bytes 0+
   MemberAssignment bytes 0+
  AuthorizedOperations int32 3+ =-2147483648

ListGroupsRequest request 16 0-5 3+ broker
 StatesFilter []string 4+
 TypesFilter []string 5+

ListGroupsResponse response 16 0-5 3+
 ThrottleTimeMs int32 1+ ~
 ErrorCode int16 0+
 Groups []ListedGroup 0+
  GroupId string 0+ @groupId
  ProtocolType string 0+
  GroupState string 4+ ~
  GroupType string 5+ ~

SaslHandshakeRequest request 17 0-1 none broker,controller
 Mechanism string 0+

SaslHandshakeResponse response 17 0-1 none
 ErrorCode int16 0+
 Mechanisms []string 0+

ApiVersionsRequest request 18 0-5 3+ broker,controller
 ClientSoftwareName string 3+ ~
 ClientSoftwareVersion string 3+ ~
 ClusterId string 5+ ?5+ =null ~
 NodeId int32 5+ =-1 ~

ApiVersionsResponse response 18 0-5 3+
 ErrorCode int16 0+
 ApiKeys []ApiVersion 0+
  ApiKey int16 0+ *
  MinVersion int16 0+
  MaxVersion int16 0+
 ThrottleTimeMs int32 1+ ~
 SupportedFeatures []SupportedFeatureKey 3+ #0:3+ ~
  Name string 3+ *
  MinVersion int16 3+
  MaxVersion int16 3+
 FinalizedFeaturesEpoch int64 3+ #1:3+ =-1 ~
 FinalizedFeatures []FinalizedFeatureKey 3+ #2:3+ ~
  Name string 3+ *
  MaxVersionLevel int16 3+
  MinVersionLevel int16 3+
 ZkMigrationReady bool 3+ #3:3+ ~

CreateTopicsRequest request 19 2-7 5+ broker,controller
 Topics []CreatableTopic 0+
  Name string 0+ * @topicName
  NumPartitions int32 0+
  ReplicationFactor int16 0+
  Assignments []CreatableReplicaAssignment 0+
   PartitionIndex int32 0+ *
   BrokerIds []int32 0+ @brokerId
  Configs []CreatableTopicConfig 0+
   Name string 0+ *
   Value string 0+ ?0+
 timeoutMs int32 0+ =60000
 validateOnly bool 1+

CreateTopicsResponse response 19 2-7 5+
 ThrottleTimeMs int32 2+ ~
 Topics []CreatableTopicResult 0+
  Name string 0+ * @topicName
  TopicId uuid 7+ ~
  ErrorCode int16 0+
  ErrorMessage string 1+ ?0+ ~
  TopicConfigErrorCode int16 5+ #0:5+ ~
  NumPartitions int32 5+ =-1 ~
  ReplicationFactor int16 5+ =-1 ~
  Configs []CreatableTopicConfigs 5+ ?5+ ~
   Name string 5+
   Value string 5+ ?5+
   ReadOnly bool 5+
   ConfigSource int8 5+ =-1 ~
   IsSensitive bool 5+

DeleteTopicsRequest request 20 1-6 4+ broker,controller
 Topics []DeleteTopicState 6+
  Name string 6+ ?6+ =null @topicName
  TopicId uuid 6+
 TopicNames []string 0-5 ~ @topicName
 TimeoutMs int32 0+

DeleteTopicsResponse response 20 1-6 4+
 ThrottleTimeMs int32 1+ ~
 Responses []DeletableTopicResult 0+
  Name string 0+ ?6+ * @topicName
  TopicId uuid 6+ ~
  ErrorCode int16 0+
  ErrorMessage string 5+ ?5+ =null ~

DeleteRecordsRequest request 21 0-2 2+ broker
 Topics []DeleteRecordsTopic 0+
  Name string 0+ @topicName
  Partitions []DeleteRecordsPartition 0+
   PartitionIndex int32 0+
   Offset int64 0+
 TimeoutMs int32 0+

DeleteRecordsResponse response 21 0-2 2+
 ThrottleTimeMs int32 0+
 Topics []DeleteRecordsTopicResult 0+
  Name string 0+ * @topicName
  Partitions []DeleteRecordsPartitionResult 0+
   PartitionIndex int32 0+ *
   LowWatermark int64 0+
   ErrorCode int16 0+

InitProducerIdRequest request 22 0-6 2+ broker unstable
 TransactionalId string 0+ ?0+ @transactionalId
 TransactionTimeoutMs int32 0+
 ProducerId int64 3+ =-1 @producerId
 ProducerEpoch int16 3+ =-1
 Enable2Pc bool 6+
 KeepPreparedTxn bool 6+

InitProducerIdResponse response 22 0-6 2+
 ThrottleTimeMs int32 0+ ~
 ErrorCode int16 0+
 ProducerId int64 0+ =-1 @producerId
 ProducerEpoch int16 0+
 OngoingTxnProducerId int64 6+ =-1 @producerId
 OngoingTxnProducerEpoch int16 6+ =-1

OffsetForLeaderEpochRequest request 23 2-4 4+ broker
 ReplicaId int32 3+ =-2 ~ @brokerId
 Topics []OffsetForLeaderTopic 0+
  Topic string 0+ * @topicName
  Partitions []OffsetForLeaderPartition 0+
   Partition int32 0+
   CurrentLeaderEpoch int32 2+ =-1 ~
   LeaderEpoch int32 0+

OffsetForLeaderEpochResponse response 23 2-4 4+
 ThrottleTimeMs int32 2+ ~
 Topics []OffsetForLeaderTopicResult 0+
  Topic string 0+ * @topicName
  Partitions []EpochEndOffset 0+
   ErrorCode int16 0+
   Partition int32 0+
   LeaderEpoch int32 1+ =-1 ~
   EndOffset int64 0+ =-1

AddPartitionsToTxnRequest request 24 0-5 3+ broker
 +AddPartitionsToTxnTopic 0+
  Name string 0+ * @topicName
  Partitions []int32 0+
 Transactions []AddPartitionsToTxnTransaction 4+
  TransactionalId string 4+ * @transactionalId
  ProducerId int64 4+ @producerId
  ProducerEpoch int16 4+
  VerifyOnly bool 4+
  Topics []AddPartitionsToTxnTopic 4+
 V3AndBelowTransactionalId string 0-3 @transactionalId
 V3AndBelowProducerId int64 0-3 @producerId
 V3AndBelowProducerEpoch int16 0-3
 V3AndBelowTopics []AddPartitionsToTxnTopic 0-3

AddPartitionsToTxnResponse response 24 0-5 3+
 +AddPartitionsToTxnTopicResult 0+
  Name string 0+ * @topicName
  ResultsByPartition []AddPartitionsToTxnPartitionResult 0+
 +AddPartitionsToTxnPartitionResult 0+
  PartitionIndex int32 0+ *
  PartitionErrorCode int16 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 4+ ~
 ResultsByTransaction []AddPartitionsToTxnResult 4+
  TransactionalId string 4+ * @transactionalId
  TopicResults []AddPartitionsToTxnTopicResult 4+
 ResultsByTopicV3AndBelow []AddPartitionsToTxnTopicResult 0-3

AddOffsetsToTxnRequest request 25 0-4 3+ broker
 TransactionalId string 0+ @transactionalId
 ProducerId int64 0+ @producerId
 ProducerEpoch int16 0+
 GroupId string 0+ @groupId

AddOffsetsToTxnResponse response 25 0-4 3+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+

EndTxnRequest request 26 0-5 3+ broker
 TransactionalId string 0+ @transactionalId
 ProducerId int64 0+ @producerId
 ProducerEpoch int16 0+
 Committed bool 0+

EndTxnResponse response 26 0-5 3+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ProducerId int64 5+ =-1 ~ @producerId
 ProducerEpoch int16 5+ =-1 ~

WriteTxnMarkersRequest request 27 1-2 1+ broker
 Markers []WritableTxnMarker 0+
  ProducerId int64 0+ @producerId
  ProducerEpoch int16 0+
  TransactionResult bool 0+
  Topics []WritableTxnMarkerTopic 0+
   Name string 0+ @topicName
   PartitionIndexes []int32 0+
  CoordinatorEpoch int32 0+
  TransactionVersion int8 2+ ~

WriteTxnMarkersResponse response 27 1-2 1+
 Markers []WritableTxnMarkerResult 0+
  ProducerId int64 0+ @producerId
  Topics []WritableTxnMarkerTopicResult 0+
   Name string 0+ @topicName
   Partitions []WritableTxnMarkerPartitionResult 0+
    PartitionIndex int32 0+
    ErrorCode int16 0+

TxnOffsetCommitRequest request 28 0-6 3+ broker
 TransactionalId string 0+ @transactionalId
 GroupId string 0+ @groupId
 ProducerId int64 0+ @producerId
 ProducerEpoch int16 0+
 GenerationIdOrMemberEpoch int32 3+ =-1
 MemberId string 3+
 GroupInstanceId string 3+ ?3+ =null
 Topics []TxnOffsetCommitRequestTopic 0+
  Name string 0-5 ~ @topicName
  TopicId uuid 6+ ~
  Partitions []TxnOffsetCommitRequestPartition 0+
   PartitionIndex int32 0+
   CommittedOffset int64 0+
   CommittedLeaderEpoch int32 2+ =-1 ~
   CommittedMetadata string 0+ ?0+

TxnOffsetCommitResponse response 28 0-6 3+
 ThrottleTimeMs int32 0+
 Topics []TxnOffsetCommitResponseTopic 0+
  Name string 0-5 ~ @topicName
  TopicId uuid 6+ ~
  Partitions []TxnOffsetCommitResponsePartition 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+

DescribeAclsRequest request 29 1-3 2+ broker,controller
 ResourceTypeFilter int8 0+
 ResourceNameFilter string 0+ ?0+
 PatternTypeFilter int8 1+ =3
 PrincipalFilter string 0+ ?0+
 HostFilter string 0+ ?0+
 Operation int8 0+
 PermissionType int8 0+

DescribeAclsResponse response 29 1-3 2+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+
 Resources []DescribeAclsResource 0+
  ResourceType int8 0+
  ResourceName string 0+
  PatternType int8 1+ =3
  Acls []AclDescription 0+
   Principal string 0+
   Host string 0+
   Operation int8 0+
   PermissionType int8 0+

CreateAclsRequest request 30 1-3 2+ broker,controller
 Creations []AclCreation 0+
  ResourceType int8 0+
  ResourceName string 0+
  ResourcePatternType int8 1+ =3
  Principal string 0+
  Host string 0+
  Operation int8 0+
  PermissionType int8 0+

CreateAclsResponse response 30 1-3 2+
 ThrottleTimeMs int32 0+
 Results []AclCreationResult 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+

DeleteAclsRequest request 31 1-3 2+ broker,controller
 Filters []DeleteAclsFilter 0+
  ResourceTypeFilter int8 0+
  ResourceNameFilter string 0+ ?0+
  PatternTypeFilter int8 1+ =3
  PrincipalFilter string 0+ ?0+
  HostFilter string 0+ ?0+
  Operation int8 0+
  PermissionType int8 0+

DeleteAclsResponse response 31 1-3 2+
 ThrottleTimeMs int32 0+
 FilterResults []DeleteAclsFilterResult 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+
  MatchingAcls []DeleteAclsMatchingAcl 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+
   ResourceType int8 0+
   ResourceName string 0+
   PatternType int8 1+ =3
   Principal string 0+
   Host string 0+
   Operation int8 0+
   PermissionType int8 0+

DescribeConfigsRequest request 32 1-4 4+ broker,controller
 Resources []DescribeConfigsResource 0+
  ResourceType int8 0+
  ResourceName string 0+
  ConfigurationKeys []string 0+ ?0+
 IncludeSynonyms bool 1+
 IncludeDocumentation bool 3+

DescribeConfigsResponse response 32 1-4 4+
 ThrottleTimeMs int32 0+
 Results []DescribeConfigsResult 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+
  ResourceType int8 0+
  ResourceName string 0+
  Configs []DescribeConfigsResourceResult 0+
   Name string 0+
   Value string 0+ ?0+
   ReadOnly bool 0+
   ConfigSource int8 1+ =-1 ~
   IsSensitive bool 0+
   Synonyms []DescribeConfigsSynonym 1+ ~
    Name string 1+
    Value string 1+ ?0+
    Source int8 1+
   ConfigType int8 3+ ~
   Documentation string 3+ ?0+ ~

AlterConfigsRequest request 33 0-2 2+ broker,controller
 Resources []AlterConfigsResource 0+
  ResourceType int8 0+ *
  ResourceName string 0+ *
  Configs []AlterableConfig 0+
   Name string 0+ *
   Value string 0+ ?0+
 ValidateOnly bool 0+

AlterConfigsResponse response 33 0-2 2+
 ThrottleTimeMs int32 0+
 Responses []AlterConfigsResourceResponse 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+
  ResourceType int8 0+
  ResourceName string 0+

AlterReplicaLogDirsRequest request 34 1-2 2+ broker
 Dirs []AlterReplicaLogDir 0+
  Path string 0+ *
  Topics []AlterReplicaLogDirTopic 0+
   Name string 0+ * @topicName
   Partitions []int32 0+

AlterReplicaLogDirsResponse response 34 1-2 2+
 ThrottleTimeMs int32 0+
 Results []AlterReplicaLogDirTopicResult 0+
  TopicName string 0+ @topicName
  Partitions []AlterReplicaLogDirPartitionResult 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+

DescribeLogDirsRequest request 35 1-5 2+ broker
 Topics []DescribableLogDirTopic 0+ ?0+
  Topic string 0+ * @topicName
  Partitions []int32 0+

DescribeLogDirsResponse response 35 1-5 2+
 ThrottleTimeMs int32 0+
 ErrorCode int16 3+ ~
 Results []DescribeLogDirsResult 0+
  ErrorCode int16 0+
  LogDir string 0+
  Topics []DescribeLogDirsTopic 0+
   Name string 0+ @topicName
   Partitions []DescribeLogDirsPartition 0+
    PartitionIndex int32 0+
    PartitionSize int64 0+
    OffsetLag int64 0+
    IsFutureKey bool 0+
  TotalBytes int64 4+ =-1 ~
  UsableBytes int64 4+ =-1 ~
  IsCordoned bool 5+ ~

SaslAuthenticateRequest request 36 0-2 2+ broker,controller
 AuthBytes bytes 0+

SaslAuthenticateResponse response 36 0-2 2+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+
 AuthBytes bytes 0+
 SessionLifetimeMs int64 1+ ~

CreatePartitionsRequest request 37 0-3 2+ broker,controller
 Topics []CreatePartitionsTopic 0+
  Name string 0+ * @topicName
  Count int32 0+
  Assignments []CreatePartitionsAssignment 0+ ?0+
   BrokerIds []int32 0+ @brokerId
 TimeoutMs int32 0+
 ValidateOnly bool 0+

CreatePartitionsResponse response 37 0-3 2+
 ThrottleTimeMs int32 0+
 Results []CreatePartitionsTopicResult 0+
  Name string 0+ @topicName
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+ =null

CreateDelegationTokenRequest request 38 1-3 2+ broker,controller
 OwnerPrincipalType string 3+ ?3+
 OwnerPrincipalName string 3+ ?3+
 Renewers []CreatableRenewers 0+
  PrincipalType string 0+
  PrincipalName string 0+
 MaxLifetimeMs int64 0+

CreateDelegationTokenResponse response 38 1-3 2+
 ErrorCode int16 0+
 PrincipalType string 0+
 PrincipalName string 0+
 TokenRequesterPrincipalType string 3+
 TokenRequesterPrincipalName string 3+
 IssueTimestampMs int64 0+
 ExpiryTimestampMs int64 0+
 MaxTimestampMs int64 0+
 TokenId string 0+
 Hmac bytes 0+
 ThrottleTimeMs int32 0+

RenewDelegationTokenRequest request 39 1-2 2+ broker,controller
 Hmac bytes 0+
 RenewPeriodMs int64 0+

RenewDelegationTokenResponse response 39 1-2 2+
 ErrorCode int16 0+
 ExpiryTimestampMs int64 0+
 ThrottleTimeMs int32 0+

ExpireDelegationTokenRequest request 40 1-2 2+ broker,controller
 Hmac bytes 0+
 ExpiryTimePeriodMs int64 0+

ExpireDelegationTokenResponse response 40 1-2 2+
 ErrorCode int16 0+
 ExpiryTimestampMs int64 0+
 ThrottleTimeMs int32 0+

DescribeDelegationTokenRequest request 41 1-3 2+ broker,controller
 Owners []DescribeDelegationTokenOwner 0+ ?0+
  PrincipalType string 0+
  PrincipalName string 0+

DescribeDelegationTokenResponse response 41 1-3 2+
 ErrorCode int16 0+
 Tokens []DescribedDelegationToken 0+
  PrincipalType string 0+
  PrincipalName string 0+
  TokenRequesterPrincipalType string 3+
  TokenRequesterPrincipalName string 3+
  IssueTimestamp int64 0+
  ExpiryTimestamp int64 0+
  MaxTimestamp int64 0+
  TokenId string 0+
  Hmac bytes 0+
  Renewers []DescribedDelegationTokenRenewer 0+
   PrincipalType string 0+
   PrincipalName string 0+
 ThrottleTimeMs int32 0+

DeleteGroupsRequest request 42 0-3 2+ broker
 GroupsNames []string 0+ @groupId

DeleteGroupsResponse response 42 0-3 2+
 ThrottleTimeMs int32 0+
 Results []DeletableGroupResult 0+
  GroupId string 0+ * @groupId
  ErrorCode int16 0+
  ErrorMessage string 3+ ?3+ =null ~

ElectLeadersRequest request 43 0-2 2+ broker,controller
 ElectionType int8 1+
 TopicPartitions []TopicPartitions 0+ ?0+
  Topic string 0+ * @topicName
  Partitions []int32 0+
 TimeoutMs int32 0+ =60000

ElectLeadersResponse response 43 0-2 2+
 ThrottleTimeMs int32 0+
 ErrorCode int16 1+
 ReplicaElectionResults []ReplicaElectionResult 0+
  Topic string 0+ @topicName
  PartitionResult []PartitionResult 0+
   PartitionId int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+

IncrementalAlterConfigsRequest request 44 0-1 1+ broker,controller
 Resources []AlterConfigsResource 0+
  ResourceType int8 0+ *
  ResourceName string 0+ *
  Configs []AlterableConfig 0+
   Name string 0+ *
   ConfigOperation int8 0+ *
   Value string 0+ ?0+
 ValidateOnly bool 0+

IncrementalAlterConfigsResponse response 44 0-1 1+
 ThrottleTimeMs int32 0+
 Responses []AlterConfigsResourceResponse 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+
  ResourceType int8 0+
  ResourceName string 0+

AlterPartitionReassignmentsRequest request 45 0-1 0+ broker,controller
 TimeoutMs int32 0+ =60000
 AllowReplicationFactorChange bool 1+ =true
 Topics []ReassignableTopic 0+
  Name string 0+ @topicName
  Partitions []ReassignablePartition 0+
   PartitionIndex int32 0+
   Replicas []int32 0+ ?0+ =null @brokerId

AlterPartitionReassignmentsResponse response 45 0-1 0+
 ThrottleTimeMs int32 0+
 AllowReplicationFactorChange bool 1+ =true ~
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+
 Responses []ReassignableTopicResponse 0+
  Name string 0+ @topicName
  Partitions []ReassignablePartitionResponse 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+

ListPartitionReassignmentsRequest request 46 0 0+ broker,controller
 TimeoutMs int32 0+ =60000
 Topics []ListPartitionReassignmentsTopics 0+ ?0+ =null
  Name string 0+ @topicName
  PartitionIndexes []int32 0+

ListPartitionReassignmentsResponse response 46 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+
 Topics []OngoingTopicReassignment 0+
  Name string 0+ @topicName
  Partitions []OngoingPartitionReassignment 0+
   PartitionIndex int32 0+
   Replicas []int32 0+ @brokerId
   AddingReplicas []int32 0+ @brokerId
   RemovingReplicas []int32 0+ @brokerId

OffsetDeleteRequest request 47 0 none broker
 GroupId string 0+ @groupId
 Topics []OffsetDeleteRequestTopic 0+
  Name string 0+ * @topicName
  Partitions []OffsetDeleteRequestPartition 0+
   PartitionIndex int32 0+

OffsetDeleteResponse response 47 0 none
 ErrorCode int16 0+
 ThrottleTimeMs int32 0+ ~
 Topics []OffsetDeleteResponseTopic 0+
  Name string 0+ * @topicName
  Partitions []OffsetDeleteResponsePartition 0+
   PartitionIndex int32 0+ *
   ErrorCode int16 0+

DescribeClientQuotasRequest request 48 0-1 1+ broker
 Components []ComponentData 0+
  EntityType string 0+
  MatchType int8 0+
  Match string 0+ ?0+
 Strict bool 0+

DescribeClientQuotasResponse response 48 0-1 1+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+
 Entries []EntryData 0+ ?0+
  Entity []EntityData 0+
   EntityType string 0+
   EntityName string 0+ ?0+
  Values []ValueData 0+
   Key string 0+
   Value float64 0+

AlterClientQuotasRequest request 49 0-1 1+ broker,controller
 Entries []EntryData 0+
  Entity []EntityData 0+
   EntityType string 0+
   EntityName string 0+ ?0+
  Ops []OpData 0+
   Key string 0+
   Value float64 0+
   Remove bool 0+
 ValidateOnly bool 0+

AlterClientQuotasResponse response 49 0-1 1+
 ThrottleTimeMs int32 0+
 Entries []EntryData 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+
  Entity []EntityData 0+
   EntityType string 0+
   EntityName string 0+ ?0+

DescribeUserScramCredentialsRequest request 50 0 0+ broker,controller
 Users []UserName 0+ ?0+
  Name string 0+

DescribeUserScramCredentialsResponse response 50 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+
 Results []DescribeUserScramCredentialsResult 0+
  User string 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+
  CredentialInfos []CredentialInfo 0+
   Mechanism int8 0+
   Iterations int32 0+

AlterUserScramCredentialsRequest request 51 0 0+ broker,controller
 Deletions []ScramCredentialDeletion 0+
  Name string 0+
  Mechanism int8 0+
 Upsertions []ScramCredentialUpsertion 0+
  Name string 0+
  Mechanism int8 0+
  Iterations int32 0+
  Salt bytes 0+
  SaltedPassword bytes 0+

AlterUserScramCredentialsResponse response 51 0 0+
 ThrottleTimeMs int32 0+
 Results []AlterUserScramCredentialsResult 0+
  User string 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+

VoteRequest request 52 0-2 0+ controller
 ClusterId string 0+ ?0+ =null
 VoterId int32 1+ =-1 ~ @brokerId
 Topics []TopicData 0+
  TopicName string 0+ @topicName
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ReplicaEpoch int32 0+
   ReplicaId int32 0+ @brokerId
   ReplicaDirectoryId uuid 1+ ~
   VoterDirectoryId uuid 1+ ~
   LastOffsetEpoch int32 0+
   LastOffset int64 0+
   PreVote bool 2+

VoteResponse response 52 0-2 0+
 ErrorCode int16 0+
 Topics []TopicData 0+
  TopicName string 0+ @topicName
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 0+
   VoteGranted bool 0+
 NodeEndpoints []NodeEndpoint 1+ #0:1+
  NodeId int32 1+ * @brokerId
  Host string 1+
  Port uint16 1+

BeginQuorumEpochRequest request 53 0-1 1+ controller
 ClusterId string 0+ ?0+ =null
 VoterId int32 1+ =-1 ~ @brokerId
 Topics []TopicData 0+
  TopicName string 0+ @topicName
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   VoterDirectoryId uuid 1+ ~
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 0+
 LeaderEndpoints []LeaderEndpoint 1+ ~
  Name string 1+ *
  Host string 1+
  Port uint16 1+

BeginQuorumEpochResponse response 53 0-1 1+
 ErrorCode int16 0+
 Topics []TopicData 0+
  TopicName string 0+ @topicName
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 0+
 NodeEndpoints []NodeEndpoint 1+ #0:1+
  NodeId int32 1+ * @brokerId
  Host string 1+
  Port uint16 1+

EndQuorumEpochRequest request 54 0-1 1+ controller
 ClusterId string 0+ ?0+ =null
 Topics []TopicData 0+
  TopicName string 0+ @topicName
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 0+
   PreferredSuccessors []int32 0 ~
   PreferredCandidates []ReplicaInfo 1+ ~
    CandidateId int32 1+ @brokerId
    CandidateDirectoryId uuid 1+
 LeaderEndpoints []LeaderEndpoint 1+ ~
  Name string 1+ *
  Host string 1+
  Port uint16 1+

EndQuorumEpochResponse response 54 0-1 1+
 ErrorCode int16 0+
 Topics []TopicData 0+
  TopicName string 0+ @topicName
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 0+
 NodeEndpoints []NodeEndpoint 1+ #0:1+
  NodeId int32 1+ * @brokerId
  Host string 1+
  Port uint16 1+

DescribeQuorumRequest request 55 0-2 0+ broker,controller
 Topics []TopicData 0+
  TopicName string 0+ @topicName
  Partitions []PartitionData 0+
   PartitionIndex int32 0+

DescribeQuorumResponse response 55 0-2 0+
 +ReplicaState 0+
  ReplicaId int32 0+ @brokerId
  ReplicaDirectoryId uuid 2+
  LogEndOffset int64 0+
  LastFetchTimestamp int64 1+ =-1 ~
  LastCaughtUpTimestamp int64 1+ =-1 ~
 ErrorCode int16 0+
 ErrorMessage string 2+ ?2+ ~
 Topics []TopicData 0+
  TopicName string 0+ @topicName
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   ErrorMessage string 2+ ?2+ ~
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 0+
   HighWatermark int64 0+
   CurrentVoters []ReplicaState 0+
   Observers []ReplicaState 0+
 Nodes []Node 2+
  NodeId int32 2+ * @brokerId
  Listeners []Listener 2+
   Name string 2+ *
   Host string 2+
   Port uint16 2+

AlterPartitionRequest request 56 2-3 0+ controller
 BrokerId int32 0+ @brokerId
 BrokerEpoch int64 0+ =-1
 Topics []TopicData 0+
  TopicId uuid 2+ ~
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   LeaderEpoch int32 0+
   NewIsr []int32 0-2 @brokerId
   NewIsrWithEpochs []BrokerState 3+
    BrokerId int32 3+ @brokerId
    BrokerEpoch int64 3+ =-1
   LeaderRecoveryState int8 1+
   PartitionEpoch int32 0+

AlterPartitionResponse response 56 2-3 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 Topics []TopicData 0+
  TopicId uuid 2+ ~
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 0+
   Isr []int32 0+ @brokerId
   LeaderRecoveryState int8 1+ ~
   PartitionEpoch int32 0+

UpdateFeaturesRequest request 57 0-2 0+ broker,controller
 timeoutMs int32 0+ =60000
 FeatureUpdates []FeatureUpdateKey 0+
  Feature string 0+ *
  MaxVersionLevel int16 0+
  AllowDowngrade bool 0
  UpgradeType int8 1+ =1
 ValidateOnly bool 1+

UpdateFeaturesResponse response 57 0-2 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+
 Results []UpdatableFeatureResult 0-1 ~
  Feature string 0+ *
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+

EnvelopeRequest request 58 0 0+ controller
 RequestData bytes 0+
 RequestPrincipal bytes 0+ ?0+
 ClientHostAddress bytes 0+

EnvelopeResponse response 58 0 0+
 ResponseData bytes 0+ ?0+ =null
 ErrorCode int16 0+

FetchSnapshotRequest request 59 0-1 0+ controller
 ClusterId string 0+ ?0+ #0:0+ =null
 ReplicaId int32 0+ =-1 @brokerId
 MaxBytes int32 0+ =2147483647
 Topics []TopicSnapshot 0+
  Name string 0+ @topicName
  Partitions []PartitionSnapshot 0+
   Partition int32 0+
   CurrentLeaderEpoch int32 0+
   SnapshotId SnapshotId 0+
    EndOffset int64 0+
    Epoch int32 0+
   Position int64 0+
   ReplicaDirectoryId uuid 1+ #0:1+ ~

FetchSnapshotResponse response 59 0-1 0+
 ThrottleTimeMs int32 0+ ~
 ErrorCode int16 0+
 Topics []TopicSnapshot 0+
  Name string 0+ @topicName
  Partitions []PartitionSnapshot 0+
   Index int32 0+
   ErrorCode int16 0+
   SnapshotId SnapshotId 0+
    EndOffset int64 0+
    Epoch int32 0+
   CurrentLeader LeaderIdAndEpoch 0+ #0:0+
    LeaderId int32 0+ @brokerId
    LeaderEpoch int32 0+
   Size int64 0+
   Position int64 0+
   UnalignedRecords records 0+
 NodeEndpoints []NodeEndpoint 1+ #0:1+
  NodeId int32 1+ * @brokerId
  Host string 1+
  Port uint16 1+

DescribeClusterRequest request 60 0-2 0+ broker,controller
 IncludeClusterAuthorizedOperations bool 0+
 EndpointType int8 1+ =1
 IncludeFencedBrokers bool 2+

DescribeClusterResponse response 60 0-2 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null
 EndpointType int8 1+ =1
 ClusterId string 0+
 ControllerId int32 0+ =-1 @brokerId
 Brokers []DescribeClusterBroker 0+
  BrokerId int32 0+ * @brokerId
  Host string 0+
  Port int32 0+
  Rack string 0+ ?0+ =null
  IsFenced bool 2+
 ClusterAuthorizedOperations int32 0+ =-2147483648

DescribeProducersRequest request 61 0 0+ broker
 Topics []TopicRequest 0+
  Name string 0+ * @topicName
  PartitionIndexes []int32 0+

DescribeProducersResponse response 61 0 0+
 ThrottleTimeMs int32 0+
 Topics []TopicResponse 0+
  Name string 0+ @topicName
  Partitions []PartitionResponse 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null
   ActiveProducers []ProducerState 0+
    ProducerId int64 0+ @producerId
    ProducerEpoch int32 0+
    LastSequence int32 0+ =-1
    LastTimestamp int64 0+ =-1
    CoordinatorEpoch int32 0+
    CurrentTxnStartOffset int64 0+ =-1

BrokerRegistrationRequest request 62 0-4 0+ controller
 BrokerId int32 0+ @brokerId
 ClusterId string 0+
 IncarnationId uuid 0+
 Listeners []Listener 0+
  Name string 0+ *
  Host string 0+
  Port uint16 0+
  SecurityProtocol int16 0+
 Features []Feature 0+
  Name string 0+ *
  MinSupportedVersion int16 0+
  MaxSupportedVersion int16 0+
 Rack string 0+ ?0+
 IsMigratingZkBroker bool 1+
 LogDirs []uuid 2+ ~
 PreviousBrokerEpoch int64 3+ =-1 ~

BrokerRegistrationResponse response 62 0-4 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 BrokerEpoch int64 0+ =-1

BrokerHeartbeatRequest request 63 0-2 0+ controller
 BrokerId int32 0+ @brokerId
 BrokerEpoch int64 0+ =-1
 CurrentMetadataOffset int64 0+
 WantFence bool 0+
 WantShutDown bool 0+
 OfflineLogDirs []uuid 1+ #0:1+
 CordonedLogDirs []uuid 2+ ?2+ #1:2+ =null

BrokerHeartbeatResponse response 63 0-2 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 IsCaughtUp bool 0+
 IsFenced bool 0+ =true
 ShouldShutDown bool 0+

UnregisterBrokerRequest request 64 0 0+ broker,controller
 BrokerId int32 0+ @brokerId

UnregisterBrokerResponse response 64 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+

DescribeTransactionsRequest request 65 0 0+ broker
 TransactionalIds []string 0+ @transactionalId

DescribeTransactionsResponse response 65 0 0+
 ThrottleTimeMs int32 0+
 TransactionStates []TransactionState 0+
  ErrorCode int16 0+
  TransactionalId string 0+ @transactionalId
  TransactionState string 0+
  TransactionTimeoutMs int32 0+
  TransactionStartTimeMs int64 0+
  ProducerId int64 0+ @producerId
  ProducerEpoch int16 0+
  Topics []TopicData 0+
   Topic string 0+ * @topicName
   Partitions []int32 0+

ListTransactionsRequest request 66 0-2 0+ broker
 StateFilters []string 0+
 ProducerIdFilters []int64 0+ @producerId
 DurationFilter int64 1+ =-1
 TransactionalIdPattern string 2+ ?2+ =null

ListTransactionsResponse response 66 0-2 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 UnknownStateFilters []string 0+
 TransactionStates []TransactionState 0+
  TransactionalId string 0+ @transactionalId
  ProducerId int64 0+ @producerId
  TransactionState string 0+

AllocateProducerIdsRequest request 67 0 0+ controller
 BrokerId int32 0+ @brokerId
 BrokerEpoch int64 0+ =-1

AllocateProducerIdsResponse response 67 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ProducerIdStart int64 0+ @producerId
 ProducerIdLen int32 0+

ConsumerGroupHeartbeatRequest request 68 0-1 0+ broker
 GroupId string 0+ @groupId
 MemberId string 0+
 MemberEpoch int32 0+
 InstanceId string 0+ ?0+ =null
 RackId string 0+ ?0+ =null
 RebalanceTimeoutMs int32 0+ =-1
 SubscribedTopicNames []string 0+ ?0+ =null @topicName
 SubscribedTopicRegex string 1+ ?1+ =null
 ServerAssignor string 0+ ?0+ =null
 TopicPartitions []TopicPartitions 0+ ?0+ =null
  TopicId uuid 0+
  Partitions []int32 0+

ConsumerGroupHeartbeatResponse response 68 0-1 0+
 +TopicPartitions 0+
  TopicId uuid 0+
  Partitions []int32 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null
 MemberId string 0+ ?0+ =null
 MemberEpoch int32 0+
 HeartbeatIntervalMs int32 0+
 Assignment Assignment 0+ ?0+ =null
  TopicPartitions []TopicPartitions 0+

ConsumerGroupDescribeRequest request 69 0-1 0+ broker
 GroupIds []string 0+ @groupId
 IncludeAuthorizedOperations bool 0+

ConsumerGroupDescribeResponse response 69 0-1 0+
 +TopicPartitions 0+
  TopicId uuid 0+
  TopicName string 0+ @topicName
  Partitions []int32 0+
 +Assignment 0+
  TopicPartitions []TopicPartitions 0+
 ThrottleTimeMs int32 0+
 Groups []DescribedGroup 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+ =null
  GroupId string 0+ @groupId
  GroupState string 0+
  GroupEpoch int32 0+
  AssignmentEpoch int32 0+
  AssignorName string 0+
  Members []Member 0+
   MemberId string 0+
   InstanceId string 0+ ?0+ =null
   RackId string 0+ ?0+ =null
   MemberEpoch int32 0+
   ClientId string 0+
   ClientHost string 0+
   SubscribedTopicNames []string 0+ @topicName
   SubscribedTopicRegex string 0+ ?0+ =null
   Assignment Assignment 0+
   TargetAssignment Assignment 0+
   MemberType int8 1+ =-1 ~
  AuthorizedOperations int32 0+ =-2147483648

ControllerRegistrationRequest request 70 0 0+ controller
 ControllerId int32 0+
 IncarnationId uuid 0+
 ZkMigrationReady bool 0+
 Listeners []Listener 0+
  Name string 0+ *
  Host string 0+
  Port uint16 0+
  SecurityProtocol int16 0+
 Features []Feature 0+
  Name string 0+ *
  MinSupportedVersion int16 0+
  MaxSupportedVersion int16 0+

ControllerRegistrationResponse response 70 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+

GetTelemetrySubscriptionsRequest request 71 0 0+ broker
 ClientInstanceId uuid 0+

GetTelemetrySubscriptionsResponse response 71 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ClientInstanceId uuid 0+
 SubscriptionId int32 0+
 AcceptedCompressionTypes []int8 0+
 PushIntervalMs int32 0+
 TelemetryMaxBytes int32 0+
 DeltaTemporality bool 0+
 RequestedMetrics []string 0+

PushTelemetryRequest request 72 0 0+ broker
 ClientInstanceId uuid 0+
 SubscriptionId int32 0+
 Terminating bool 0+
 CompressionType int8 0+
 Metrics bytes 0+

PushTelemetryResponse response 72 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+

AssignReplicasToDirsRequest request 73 0 0+ controller
 BrokerId int32 0+ @brokerId
 BrokerEpoch int64 0+ =-1
 Directories []DirectoryData 0+
  Id uuid 0+
  Topics []TopicData 0+
   TopicId uuid 0+
   Partitions []PartitionData 0+
    PartitionIndex int32 0+

AssignReplicasToDirsResponse response 73 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 Directories []DirectoryData 0+
  Id uuid 0+
  Topics []TopicData 0+
   TopicId uuid 0+
   Partitions []PartitionData 0+
    PartitionIndex int32 0+
    ErrorCode int16 0+

ListConfigResourcesRequest request 74 0-1 0+ broker
 ResourceTypes []int8 1+

ListConfigResourcesResponse response 74 0-1 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ConfigResources []ConfigResource 0+
  ResourceName string 0+
  ResourceType int8 1+ =16 ~

DescribeTopicPartitionsRequest request 75 0 0+ broker
 Topics []TopicRequest 0+
  Name string 0+ @topicName
 ResponsePartitionLimit int32 0+ =2000
 Cursor Cursor 0+ ?0+ =null
  TopicName string 0+ @topicName
  PartitionIndex int32 0+

DescribeTopicPartitionsResponse response 75 0 0+
 ThrottleTimeMs int32 0+ ~
 Topics []DescribeTopicPartitionsResponseTopic 0+
  ErrorCode int16 0+
  Name string 0+ ?0+ * @topicName
  TopicId uuid 0+ ~
  IsInternal bool 0+ ~
  Partitions []DescribeTopicPartitionsResponsePartition 0+
   ErrorCode int16 0+
   PartitionIndex int32 0+
   LeaderId int32 0+ @brokerId
   LeaderEpoch int32 0+ =-1 ~
   ReplicaNodes []int32 0+ @brokerId
   IsrNodes []int32 0+ @brokerId
   EligibleLeaderReplicas []int32 0+ ?0+ =null @brokerId
   LastKnownElr []int32 0+ ?0+ =null @brokerId
   OfflineReplicas []int32 0+ ~ @brokerId
  TopicAuthorizedOperations int32 0+ =-2147483648
 NextCursor Cursor 0+ ?0+ =null
  TopicName string 0+ @topicName
  PartitionIndex int32 0+

ShareGroupHeartbeatRequest request 76 1 0+ broker
 GroupId string 0+ @groupId
 MemberId string 0+
 MemberEpoch int32 0+
 RackId string 0+ ?0+ =null
 SubscribedTopicNames []string 0+ ?0+ =null @topicName

ShareGroupHeartbeatResponse response 76 1 0+
 +TopicPartitions 0+
  TopicId uuid 0+
  Partitions []int32 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null
 MemberId string 0+ ?0+ =null
 MemberEpoch int32 0+
 HeartbeatIntervalMs int32 0+
 Assignment Assignment 0+ ?0+ =null
  TopicPartitions []TopicPartitions 0+

ShareGroupDescribeRequest request 77 1 0+ broker
 GroupIds []string 0+ @groupId
 IncludeAuthorizedOperations bool 0+

ShareGroupDescribeResponse response 77 1 0+
 +TopicPartitions 0+
  TopicId uuid 0+
  TopicName string 0+ @topicName
  Partitions []int32 0+
 +Assignment 0+
  TopicPartitions []TopicPartitions 0+
 ThrottleTimeMs int32 0+
 Groups []DescribedGroup 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+ =null
  GroupId string 0+ @groupId
  GroupState string 0+
  GroupEpoch int32 0+
  AssignmentEpoch int32 0+
  AssignorName string 0+
  Members []Member 0+
   MemberId string 0+
   RackId string 0+ ?0+ =null
   MemberEpoch int32 0+
   ClientId string 0+
   ClientHost string 0+
   SubscribedTopicNames []string 0+ @topicName
   Assignment Assignment 0+
  AuthorizedOperations int32 0+ =-2147483648

ShareFetchRequest request 78 1-2 0+ broker
 GroupId string 0+ ?0+ =null @groupId
 MemberId string 0+ ?0+
 ShareSessionEpoch int32 0+
 MaxWaitMs int32 0+
 MinBytes int32 0+
 MaxBytes int32 0+ =2147483647
 MaxRecords int32 1+
 BatchSize int32 1+
 ShareAcquireMode int8 2+ ~
 IsRenewAck bool 2+
 Topics []FetchTopic 0+
  TopicId uuid 0+ *
  Partitions []FetchPartition 0+
   PartitionIndex int32 0+ *
   PartitionMaxBytes int32 0
   AcknowledgementBatches []AcknowledgementBatch 0+
    FirstOffset int64 0+
    LastOffset int64 0+
    AcknowledgeTypes []int8 0+
 ForgottenTopicsData []ForgottenTopic 0+
  TopicId uuid 0+
  Partitions []int32 0+

ShareFetchResponse response 78 1-2 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null
 AcquisitionLockTimeoutMs int32 1+
 Responses []ShareFetchableTopicResponse 0+
  TopicId uuid 0+ *
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null
   AcknowledgeErrorCode int16 0+
   AcknowledgeErrorMessage string 0+ ?0+ =null
   CurrentLeader LeaderIdAndEpoch 0+
    LeaderId int32 0+
    LeaderEpoch int32 0+
   Records records 0+ ?0
   AcquiredRecords []AcquiredRecords 0+
    FirstOffset int64 0+
    LastOffset int64 0+
    DeliveryCount int16 0+
 NodeEndpoints []NodeEndpoint 0+
  NodeId int32 0+ * @brokerId
  Host string 0+
  Port int32 0+
  Rack string 0+ ?0+ =null

ShareAcknowledgeRequest request 79 1-2 0+ broker
 GroupId string 0+ ?0+ =null @groupId
 MemberId string 0+ ?0+
 ShareSessionEpoch int32 0+
 IsRenewAck bool 2+
 Topics []AcknowledgeTopic 0+
  TopicId uuid 0+ *
  Partitions []AcknowledgePartition 0+
   PartitionIndex int32 0+ *
   AcknowledgementBatches []AcknowledgementBatch 0+
    FirstOffset int64 0+
    LastOffset int64 0+
    AcknowledgeTypes []int8 0+

ShareAcknowledgeResponse response 79 1-2 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null
 AcquisitionLockTimeoutMs int32 2+ ~
 Responses []ShareAcknowledgeTopicResponse 0+
  TopicId uuid 0+ *
  Partitions []PartitionData 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null
   CurrentLeader LeaderIdAndEpoch 0+
    LeaderId int32 0+
    LeaderEpoch int32 0+
 NodeEndpoints []NodeEndpoint 0+
  NodeId int32 0+ * @brokerId
  Host string 0+
  Port int32 0+
  Rack string 0+ ?0+ =null

AddRaftVoterRequest request 80 0-1 0+ controller,broker
 ClusterId string 0+ ?0+
 TimeoutMs int32 0+
 VoterId int32 0+
 VoterDirectoryId uuid 0+
 Listeners []Listener 0+
  Name string 0+ *
  Host string 0+
  Port uint16 0+
 AckWhenCommitted bool 1+ =true

AddRaftVoterResponse response 80 0-1 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ ~

RemoveRaftVoterRequest request 81 0 0+ controller,broker
 ClusterId string 0+ ?0+
 VoterId int32 0+
 VoterDirectoryId uuid 0+

RemoveRaftVoterResponse response 81 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ ~

UpdateRaftVoterRequest request 82 0 0+ controller
 ClusterId string 0+ ?0+
 CurrentLeaderEpoch int32 0+
 VoterId int32 0+
 VoterDirectoryId uuid 0+
 Listeners []Listener 0+
  Name string 0+ *
  Host string 0+
  Port uint16 0+
 KRaftVersionFeature KRaftVersionFeature 0+
  MinSupportedVersion int16 0+
  MaxSupportedVersion int16 0+

UpdateRaftVoterResponse response 82 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 CurrentLeader CurrentLeader 0+ #0:0+
  LeaderId int32 0+ =-1 @brokerId
  LeaderEpoch int32 0+ =-1
  Host string 0+
  Port int32 0+

InitializeShareGroupStateRequest request 83 0 0+ broker
 GroupId string 0+
 Topics []InitializeStateData 0+
  TopicId uuid 0+
  Partitions []PartitionData 0+
   Partition int32 0+
   StateEpoch int32 0+
   StartOffset int64 0+

InitializeShareGroupStateResponse response 83 0 0+
 Results []InitializeStateResult 0+
  TopicId uuid 0+
  Partitions []PartitionResult 0+
   Partition int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null

ReadShareGroupStateRequest request 84 0 0+ broker
 GroupId string 0+
 Topics []ReadStateData 0+
  TopicId uuid 0+
  Partitions []PartitionData 0+
   Partition int32 0+
   LeaderEpoch int32 0+

ReadShareGroupStateResponse response 84 0 0+
 Results []ReadStateResult 0+
  TopicId uuid 0+
  Partitions []PartitionResult 0+
   Partition int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null
   StateEpoch int32 0+
   StartOffset int64 0+
   StateBatches []StateBatch 0+
    FirstOffset int64 0+
    LastOffset int64 0+
    DeliveryState int8 0+
    DeliveryCount int16 0+

WriteShareGroupStateRequest request 85 0-1 0+ broker
 GroupId string 0+
 Topics []WriteStateData 0+
  TopicId uuid 0+
  Partitions []PartitionData 0+
   Partition int32 0+
   StateEpoch int32 0+
   LeaderEpoch int32 0+
   StartOffset int64 0+
   DeliveryCompleteCount int32 1+ =-1 ~
   StateBatches []StateBatch 0+
    FirstOffset int64 0+
    LastOffset int64 0+
    DeliveryState int8 0+
    DeliveryCount int16 0+

WriteShareGroupStateResponse response 85 0-1 0+
 Results []WriteStateResult 0+
  TopicId uuid 0+
  Partitions []PartitionResult 0+
   Partition int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null

DeleteShareGroupStateRequest request 86 0 0+ broker
 GroupId string 0+
 Topics []DeleteStateData 0+
  TopicId uuid 0+
  Partitions []PartitionData 0+
   Partition int32 0+

DeleteShareGroupStateResponse response 86 0 0+
 Results []DeleteStateResult 0+
  TopicId uuid 0+
  Partitions []PartitionResult 0+
   Partition int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null

ReadShareGroupStateSummaryRequest request 87 0-1 0+ broker
 GroupId string 0+
 Topics []ReadStateSummaryData 0+
  TopicId uuid 0+
  Partitions []PartitionData 0+
   Partition int32 0+
   LeaderEpoch int32 0+

ReadShareGroupStateSummaryResponse response 87 0-1 0+
 Results []ReadStateSummaryResult 0+
  TopicId uuid 0+
  Partitions []PartitionResult 0+
   Partition int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null
   StateEpoch int32 0+
   LeaderEpoch int32 0+
   StartOffset int64 0+
   DeliveryCompleteCount int32 1+ =-1 ~

StreamsGroupHeartbeatRequest request 88 0-1 0+ broker
 +KeyValue 0+
  Key string 0+
  Value string 0+
 +TopicInfo 0+
  Name string 0+ @topicName
  Partitions int32 0+
  ReplicationFactor int16 0+
  TopicConfigs []KeyValue 0+
 +Endpoint 0+
  Host string 0+
  Port uint16 0+
 +TaskOffset 0+
  SubtopologyId string 0+
  Partition int32 0+
  Offset int64 0+
 +TaskIds 0+
  SubtopologyId string 0+
  Partitions []int32 0+
 GroupId string 0+ @groupId
 MemberId string 0+
 MemberEpoch int32 0+
 EndpointInformationEpoch int32 0+
 InstanceId string 0+ ?0+ =null
 RackId string 0+ ?0+ =null
 RebalanceTimeoutMs int32 0+ =-1
 Topology Topology 0+ ?0+ =null
  Epoch int32 0+
  Subtopologies []Subtopology 0+
   SubtopologyId string 0+
   SourceTopics []string 0+ @topicName
   SourceTopicRegex []string 0+
   StateChangelogTopics []TopicInfo 0+
   RepartitionSinkTopics []string 0+ @topicName
   RepartitionSourceTopics []TopicInfo 0+
   CopartitionGroups []CopartitionGroup 0+
    SourceTopics []int16 0+
    SourceTopicRegex []int16 0+
    RepartitionSourceTopics []int16 0+
 ActiveTasks []TaskIds 0+ ?0+ =null
 StandbyTasks []TaskIds 0+ ?0+ =null
 WarmupTasks []TaskIds 0+ ?0+ =null
 ProcessId string 0+ ?0+ =null
 UserEndpoint Endpoint 0+ ?0+ =null
 ClientTags []KeyValue 0+ ?0+ =null
 TaskOffsets []TaskOffset 0+ ?0+ =null
 TaskEndOffsets []TaskOffset 0+ ?0+ =null
 ShutdownApplication bool 0+

StreamsGroupHeartbeatResponse response 88 0-1 0+
 +Status 0+
  StatusCode int8 0+
  StatusDetail string 0+
 +TopicPartition 0+
  Topic string 0+ @topicName
  Partitions []int32 0+
 +TaskIds 0+
  SubtopologyId string 0+
  Partitions []int32 0+
 +Endpoint 0+
  Host string 0+
  Port uint16 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null
 MemberId string 0+
 MemberEpoch int32 0+
 HeartbeatIntervalMs int32 0+
 AcceptableRecoveryLagLegacy int32 0
 TaskOffsetIntervalMs int32 0+
 AcceptableRecoveryLag int64 1+ =-1 ~
 Status []Status 0+ ?0+
 ActiveTasks []TaskIds 0+ ?0+ =null
 StandbyTasks []TaskIds 0+ ?0+ =null
 WarmupTasks []TaskIds 0+ ?0+ =null
 TopologyDescriptionRequired bool 1+
 EndpointInformationEpoch int32 0+
 PartitionsByUserEndpoint []EndpointToPartitions 0+ ?0+ =null
  UserEndpoint Endpoint 0+
  ActivePartitions []TopicPartition 0+
  StandbyPartitions []TopicPartition 0+

StreamsGroupDescribeRequest request 89 0-1 0+ broker
 GroupIds []string 0+ @groupId
 IncludeAuthorizedOperations bool 0+
 IncludeTopologyDescription bool 1+

StreamsGroupDescribeResponse response 89 0-1 0+
 +Endpoint 0+
  Host string 0+
  Port uint16 0+
 +TaskOffset 0+
  SubtopologyId string 0+
  Partition int32 0+
  Offset int64 0+
 +Assignment 0+
  ActiveTasks []TaskIds 0+
  StandbyTasks []TaskIds 0+
  WarmupTasks []TaskIds 0+
 +TaskIds 0+
  SubtopologyId string 0+
  Partitions []int32 0+
 +KeyValue 0+
  Key string 0+
  Value string 0+
 +TopicInfo 0+
  Name string 0+ @topicName
  Partitions int32 0+
  ReplicationFactor int16 0+
  TopicConfigs []KeyValue 0+
 +TopologyDescription 1+
  Subtopologies []TopologyDescriptionSubtopology 1+
  GlobalStores []TopologyDescriptionGlobalStore 1+
 +TopologyDescriptionSubtopology 1+
  SubtopologyId string 1+
  Nodes []TopologyDescriptionNode 1+
 +TopologyDescriptionNode 1+
  Name string 1+
  NodeType int8 1+
  SourceTopics []string 1+ @topicName
  SinkTopic string 1+ ?1+ =null @topicName
  Stores []string 1+
  Successors []string 1+
 +TopologyDescriptionGlobalStore 1+
  Source TopologyDescriptionNode 1+
  Processor TopologyDescriptionNode 1+
 ThrottleTimeMs int32 0+
 Groups []DescribedGroup 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+ =null
  GroupId string 0+ @groupId
  GroupState string 0+
  GroupEpoch int32 0+
  AssignmentEpoch int32 0+
  Topology Topology 0+ ?0+ =null
   Epoch int32 0+
   Subtopologies []Subtopology 0+ ?0+ =null
    SubtopologyId string 0+
    SourceTopics []string 0+ @topicName
    RepartitionSinkTopics []string 0+ @topicName
    StateChangelogTopics []TopicInfo 0+
    RepartitionSourceTopics []TopicInfo 0+
  Members []Member 0+
   MemberId string 0+
   MemberEpoch int32 0+
   InstanceId string 0+ ?0+ =null
   RackId string 0+ ?0+ =null
   ClientId string 0+
   ClientHost string 0+
   TopologyEpoch int32 0+
   ProcessId string 0+
   UserEndpoint Endpoint 0+ ?0+ =null
   ClientTags []KeyValue 0+
   TaskOffsets []TaskOffset 0+
   TaskEndOffsets []TaskOffset 0+
   Assignment Assignment 0+
   TargetAssignment Assignment 0+
   IsClassic bool 0+
  AuthorizedOperations int32 0+ =-2147483648
  TopologyDescription TopologyDescription 1+ ?1+ =null
  TopologyDescriptionStatus int8 1+
  AssignorName string 1+ ?1+ =null ~

DescribeShareGroupOffsetsRequest request 90 0-1 0+ broker
 Groups []DescribeShareGroupOffsetsRequestGroup 0+
  GroupId string 0+ @groupId
  Topics []DescribeShareGroupOffsetsRequestTopic 0+ ?0+
   TopicName string 0+ @topicName
   Partitions []int32 0+

DescribeShareGroupOffsetsResponse response 90 0-1 0+
 ThrottleTimeMs int32 0+
 Groups []DescribeShareGroupOffsetsResponseGroup 0+
  GroupId string 0+ @groupId
  Topics []DescribeShareGroupOffsetsResponseTopic 0+
   TopicName string 0+ @topicName
   TopicId uuid 0+
   Partitions []DescribeShareGroupOffsetsResponsePartition 0+
    PartitionIndex int32 0+
    StartOffset int64 0+
    LeaderEpoch int32 0+
    Lag int64 1+ =-1 ~
    ErrorCode int16 0+
    ErrorMessage string 0+ ?0+ =null
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+ =null

AlterShareGroupOffsetsRequest request 91 0 0+ broker
 GroupId string 0+ @groupId
 Topics []AlterShareGroupOffsetsRequestTopic 0+
  TopicName string 0+ * @topicName
  Partitions []AlterShareGroupOffsetsRequestPartition 0+
   PartitionIndex int32 0+
   StartOffset int64 0+

AlterShareGroupOffsetsResponse response 91 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null
 Responses []AlterShareGroupOffsetsResponseTopic 0+
  TopicName string 0+ * @topicName
  TopicId uuid 0+
  Partitions []AlterShareGroupOffsetsResponsePartition 0+
   PartitionIndex int32 0+
   ErrorCode int16 0+
   ErrorMessage string 0+ ?0+ =null

DeleteShareGroupOffsetsRequest request 92 0 0+ broker
 GroupId string 0+ @groupId
 Topics []DeleteShareGroupOffsetsRequestTopic 0+
  TopicName string 0+ @topicName

DeleteShareGroupOffsetsResponse response 92 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null
 Responses []DeleteShareGroupOffsetsResponseTopic 0+
  TopicName string 0+ @topicName
  TopicId uuid 0+
  ErrorCode int16 0+
  ErrorMessage string 0+ ?0+ =null

StreamsGroupTopologyDescriptionUpdateRequest request 93 0 0+ broker
 +TopologyDescription 0+
  Subtopologies []TopologyDescriptionSubtopology 0+
  GlobalStores []TopologyDescriptionGlobalStore 0+
 +TopologyDescriptionSubtopology 0+
  SubtopologyId string 0+
  Nodes []TopologyDescriptionNode 0+
 +TopologyDescriptionNode 0+
  Name string 0+
  NodeType int8 0+
  SourceTopics []string 0+ @topicName
  SinkTopic string 0+ ?0+ =null @topicName
  Stores []string 0+
  Successors []string 0+
 +TopologyDescriptionGlobalStore 0+
  Source TopologyDescriptionNode 0+
  Processor TopologyDescriptionNode 0+
 GroupId string 0+ @groupId
 MemberId string 0+
 TopologyEpoch int32 0+
 TopologyDescription TopologyDescription 0+

StreamsGroupTopologyDescriptionUpdateResponse response 93 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+ =null

UnregisterControllerRequest request 94 0 0+ broker,controller
 ControllerId int32 0+

UnregisterControllerResponse response 94 0 0+
 ThrottleTimeMs int32 0+
 ErrorCode int16 0+
 ErrorMessage string 0+ ?0+

RequestHeader header - 1-2 2+
 RequestApiKey int16 0+
 RequestApiVersion int16 0+
 CorrelationId int32 0+
 ClientId string 1+ ?1+ !

ResponseHeader header - 0-1 1+
 CorrelationId int32 0+
"""
