"""Control records, embedded client data, small files.

Facts of Apache Kafka 4.4.0, written by tools/import_messages.py. Checksum 5cfb52a2b42339b6.
"""

TABLE = """\
AbortedTxn data - 0 none
 ProducerId int64 0+
 FirstOffset int64 0+
 LastOffset int64 0+
 LastStableOffset int64 0+

ConsumerProtocolAssignment data - 0-3 none
 AssignedPartitions []TopicPartition 0+
  Topic string 0+ * @topicName
  Partitions []int32 0+
 UserData bytes 0+ ?0+ =null

ConsumerProtocolSubscription data - 0-3 none
 Topics []string 0+
 UserData bytes 0+ ?0+ =null
 OwnedPartitions []TopicPartition 1+ ~
  Topic string 1+ * @topicName
  Partitions []int32 1+
 GenerationId int32 2+ =-1 ~
 RackId string 3+ ?3+ =null ~

ControlRecordTypeSchema data - 0 none
 Type int16 0+

DefaultPrincipalData data - 0 0+
 Type string 0+
 Name string 0+
 TokenAuthenticated bool 0+

EndTxnMarker data - 0 none
 CoordinatorEpoch int32 0+

KRaftVersionRecord data - 0 0+
 Version int16 0+
 KRaftVersion int16 0+

LeaderChangeMessage data - 0-1 0+
 +Voter 0+
  VoterId int32 0+
  VoterDirectoryId uuid 1+
 Version int16 0+
 LeaderId int32 0+ @brokerId
 Voters []Voter 0+
 GrantingVoters []Voter 0+

ProducerSnapshot data - 1 none
 Crc uint32 1
 ProducerEntries []ProducerEntry 1
  ProducerId int64 1
  Epoch int16 1
  LastSequence int32 1
  LastOffset int64 1
  OffsetDelta int32 1
  Timestamp int64 1
  CoordinatorEpoch int32 1
  CurrentTxnFirstOffset int64 1

QuorumStateData data - 0-1 0+
 ClusterId string 0
 LeaderId int32 0+ =-1
 LeaderEpoch int32 0+ =-1
 VotedId int32 0+ =-1
 VotedDirectoryId uuid 1+
 AppliedOffset int64 0
 CurrentVoters []Voter 0 ?0
  VoterId int32 0

SnapshotFooterRecord data - 0 0+
 Version int16 0+

SnapshotHeaderRecord data - 0 0+
 Version int16 0+
 LastContainedLogTimestamp int64 0+

VotersRecord data - 0 0+
 Version int16 0+
 Voters []Voter 0+
  VoterId int32 0+ @brokerId
  VoterDirectoryId uuid 0+
  Endpoints []Endpoint 0+
   Name string 0+ *
   Host string 0+
   Port uint16 0+
  KRaftVersionFeature KRaftVersionFeature 0+
   MinSupportedVersion int16 0+
   MaxSupportedVersion int16 0+
"""
