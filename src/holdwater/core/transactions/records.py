"""A transaction as a record of __transaction_state and back: the last record of a transactional id is everything that is known of it.

Value version 1 (transaction version 1 and newer) has what ``DROPPED_BY_VERSION_0`` names in addition. ``last_producer_epoch`` is in neither.
"""

from holdwater.core.coordinator import CoordinatorRecord
from holdwater.core.transactions.transaction import CLASSIC_VERSION, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Status, Transaction
from holdwater.kernel.identifiers import TopicPartition
from holdwater.wire.codec import ProtocolError
from holdwater.wire.messages import TransactionLogKey, TransactionLogValue

NEVER_STORED = {"last_producer_epoch": NO_PRODUCER_EPOCH}
DROPPED_BY_VERSION_0 = {"previous_producer_id": NO_PRODUCER_ID, "next_producer_id": NO_PRODUCER_ID, "client_version": CLASSIC_VERSION}
_KNOWN_STATUS = {int(status): status for status in Status if status not in (Status.DEAD, Status.PREPARE_EPOCH_FENCE)}


def value_version(transaction_version: int) -> int:
    """The version of the value under a finalized ``transaction.version``."""
    return 1 if transaction_version >= 1 else 0


def record_of(transactional_id: str, transaction: Transaction | None, version: int) -> CoordinatorRecord:
    """The record that says what is known of a transactional id; ``None``: nothing any more."""
    key = TransactionLogKey(transactional_id=transactional_id)
    if transaction is None:
        return CoordinatorRecord(key, None)
    stored = as_stored(transaction, version)
    value = TransactionLogValue(
        producer_id=stored.producer_id,
        previous_producer_id=stored.previous_producer_id,
        next_producer_id=stored.next_producer_id,
        producer_epoch=stored.producer_epoch,
        transaction_timeout_ms=stored.timeout_ms,
        transaction_status=int(stored.status),
        transaction_partitions=None if stored.status is Status.EMPTY else _by_topic(stored.partitions),
        transaction_last_update_timestamp_ms=stored.update_ms,
        transaction_start_timestamp_ms=stored.start_ms,
        client_transaction_version=stored.client_version,
    )
    return CoordinatorRecord(key, value, version)


def as_stored(transaction: Transaction, version: int) -> Transaction:
    """What a reader of the log knows of it."""
    return transaction._replace(**NEVER_STORED, **(DROPPED_BY_VERSION_0 if version == 0 else {}))


def transaction_of(value: TransactionLogValue) -> Transaction:
    """The transaction in a record."""
    status = _KNOWN_STATUS.get(value.transaction_status)
    if status is None:
        raise ProtocolError(f"a transaction has the status {value.transaction_status}, which there is not")
    partitions = (TopicPartition(topic.topic, each) for topic in value.transaction_partitions or () for each in topic.partition_ids)
    return Transaction(
        producer_id=value.producer_id,
        producer_epoch=value.producer_epoch,
        timeout_ms=value.transaction_timeout_ms,
        status=status,
        update_ms=value.transaction_last_update_timestamp_ms,
        start_ms=value.transaction_start_timestamp_ms,
        previous_producer_id=value.previous_producer_id,
        next_producer_id=value.next_producer_id,
        partitions=() if status is Status.EMPTY else tuple(sorted(partitions)),
        client_version=value.client_transaction_version,
    )


def _by_topic(partitions: tuple[TopicPartition, ...]) -> list[TransactionLogValue.PartitionsSchema]:
    topics: dict[str, list[int]] = {}
    for topic, partition in partitions:
        topics.setdefault(topic, []).append(partition)
    return [TransactionLogValue.PartitionsSchema(topic=topic, partition_ids=ids) for topic, ids in topics.items()]
