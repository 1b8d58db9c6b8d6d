"""Records of the metadata log (__cluster_metadata).

Facts of Apache Kafka 4.4.0, written by tools/import_messages.py. Checksum 643d9bcb24281491.
"""

TABLE = """\
RegisterBrokerRecord metadata 0 0-4 0+
 BrokerId int32 0+ @brokerId
 IsMigratingZkBroker bool 2+
 IncarnationId uuid 0+
 BrokerEpoch int64 0+
 EndPoints []BrokerEndpoint 0+
  Name string 0+ *
  Host string 0+
  Port uint16 0+
  SecurityProtocol int16 0+
 Features []BrokerFeature 0+
  Name string 0+ *
  MinSupportedVersion int16 0+
  MaxSupportedVersion int16 0+
 Rack string 0+ ?0+
 Fenced bool 0+ =true
 InControlledShutdown bool 1+
 LogDirs []uuid 3+ #0:3+
 CordonedLogDirs []uuid 4+ ?4+ #1:4+ =null

UnregisterBrokerRecord metadata 1 0 0+
 BrokerId int32 0+ @brokerId
 BrokerEpoch int64 0+

TopicRecord metadata 2 0 0+
 Name string 0+ @topicName
 TopicId uuid 0+

PartitionRecord metadata 3 0-2 0+
 PartitionId int32 0+ =-1
 TopicId uuid 0+
 Replicas []int32 0+ @brokerId
 Isr []int32 0+
 RemovingReplicas []int32 0+ @brokerId
 AddingReplicas []int32 0+ @brokerId
 Leader int32 0+ =-1 @brokerId
 LeaderRecoveryState int8 0+ #0:0+
 LeaderEpoch int32 0+ =-1
 PartitionEpoch int32 0+ =-1
 Directories []uuid 1+
 EligibleLeaderReplicas []int32 2+ ?2+ #1:2+ =null @brokerId
 LastKnownElr []int32 2+ ?2+ #2:2+ =null @brokerId

ConfigRecord metadata 4 0 0+
 ResourceType int8 0+
 ResourceName string 0+
 Name string 0+
 Value string 0+ ?0+

PartitionChangeRecord metadata 5 0-2 0+
 PartitionId int32 0+ =-1
 TopicId uuid 0+
 Isr []int32 0+ ?0+ #0:0+ =null @brokerId
 Leader int32 0+ #1:0+ =-2 @brokerId
 Replicas []int32 0+ ?0+ #2:0+ =null @brokerId
 RemovingReplicas []int32 0+ ?0+ #3:0+ =null @brokerId
 AddingReplicas []int32 0+ ?0+ #4:0+ =null @brokerId
 LeaderRecoveryState int8 0+ #5:0+ =-1
 Directories []uuid 1+ ?1+ #8:1+ =null
 EligibleLeaderReplicas []int32 2+ ?2+ #6:2+ =null @brokerId
 LastKnownElr []int32 2+ ?2+ #7:2+ =null @brokerId

FenceBrokerRecord metadata 7 0 0+
 Id int32 0+ @brokerId
 Epoch int64 0+

UnfenceBrokerRecord metadata 8 0 0+
 Id int32 0+ @brokerId
 Epoch int64 0+

RemoveTopicRecord metadata 9 0 0+
 TopicId uuid 0+

DelegationTokenRecord metadata 10 0 0+
 Owner string 0+
 Requester string 0+
 Renewers []string 0+
 IssueTimestamp int64 0+
 MaxTimestamp int64 0+
 ExpirationTimestamp int64 0+
 TokenId string 0+

UserScramCredentialRecord metadata 11 0 0+
 Name string 0+
 Mechanism int8 0+
 Salt bytes 0+
 StoredKey bytes 0+
 ServerKey bytes 0+
 Iterations int32 0+

FeatureLevelRecord metadata 12 0 0+
 Name string 0+
 FeatureLevel int16 0+

ClientQuotaRecord metadata 14 0 0+
 Entity []EntityData 0+
  EntityType string 0+
  EntityName string 0+ ?0+
 Key string 0+
 Value float64 0+
 Remove bool 0+

ProducerIdsRecord metadata 15 0 0+
 BrokerId int32 0+ @brokerId
 BrokerEpoch int64 0+ =-1
 NextProducerId int64 0+

BrokerRegistrationChangeRecord metadata 17 0-3 0+
 BrokerId int32 0+ @brokerId
 BrokerEpoch int64 0+
 Fenced int8 0+ #0:0+
 InControlledShutdown int8 1+ #1:1+
 LogDirs []uuid 2+ #2:2+
 CordonedLogDirs []uuid 3+ ?3+ #3:3+ =null

AccessControlEntryRecord metadata 18 0 0+
 Id uuid 0+
 ResourceType int8 0+
 ResourceName string 0+
 PatternType int8 0+
 Principal string 0+
 Host string 0+
 Operation int8 0+
 PermissionType int8 0+

RemoveAccessControlEntryRecord metadata 19 0 0+
 Id uuid 0+

NoOpRecord metadata 20 0 0+

ZkMigrationStateRecord metadata 21 0 0+
 ZkMigrationState int8 0+

RemoveUserScramCredentialRecord metadata 22 0 0+
 Name string 0+
 Mechanism int8 0+

BeginTransactionRecord metadata 23 0 0+
 Name string 0+ ?0+ #0:0+ =null

EndTransactionRecord metadata 24 0 0+

AbortTransactionRecord metadata 25 0 0+
 Reason string 0+ ?0+ #0:0+ =null

RemoveDelegationTokenRecord metadata 26 0 0+
 TokenId string 0+

RegisterControllerRecord metadata 27 0 0+
 ControllerId int32 0+
 IncarnationId uuid 0+
 ZkMigrationReady bool 0+
 EndPoints []ControllerEndpoint 0+
  Name string 0+ *
  Host string 0+
  Port uint16 0+
  SecurityProtocol int16 0+
 Features []ControllerFeature 0+
  Name string 0+ *
  MinSupportedVersion int16 0+
  MaxSupportedVersion int16 0+

ClearElrRecord metadata 28 0 0+
 TopicName string 0+ @topicName

UnregisterControllerRecord metadata 29 0 0+
 ControllerId int32 0+
"""
