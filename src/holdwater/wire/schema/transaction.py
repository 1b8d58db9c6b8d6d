"""Records of the transaction coordinator (__transaction_state).

Facts of Apache Kafka 4.4.0, written by tools/import_messages.py. Checksum 30c2811e6af47e62.
"""

TABLE = """\
TransactionLogKey coordinator-key 0 0 none
 TransactionalId string 0

TransactionLogValue coordinator-value 0 0-1 1+
 ProducerId int64 0+
 PreviousProducerId int64 1+ #0:1+ =-1
 NextProducerId int64 1+ #1:1+ =-1
 ProducerEpoch int16 0+
 NextProducerEpoch int16 1+ #3:1+ =-1
 TransactionTimeoutMs int32 0+
 TransactionStatus int8 0+
 TransactionPartitions []PartitionsSchema 0+ ?0+
  Topic string 0+
  PartitionIds []int32 0+
 TransactionLastUpdateTimestampMs int64 0+
 TransactionStartTimestampMs int64 0+
 ClientTransactionVersion int16 1+ #2:1+
"""
