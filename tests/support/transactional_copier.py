"""A process that copies one topic into another, exactly once: consumed offsets and produced records are committed in one transaction.

    python -m tests.support.transactional_copier BOOTSTRAP INPUT OUTPUT GROUP TRANSACTIONAL_ID [BATCH] [PROTOCOL]

The shape of Kafka's TransactionalMessageCopier. It may be killed at any moment, and goes on until it is. It prints one line for each transaction
that it has committed or aborted, and ends with 3 when its client cannot go on (fenced, fatal, stranded, or in a call that does not return), to be
started again.
"""

import os
import sys
import time
from collections.abc import Callable
from threading import Timer
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from holdwater.prove.verifiable.failures import strands

FATAL = 3
_POLL_S = 0.2
_SOON_S = 0.2
_LIMIT_S = 10.0
"""That each call of the transactional producer is given."""


def main() -> int:
    bootstrap, source, target, group, transactional_id = sys.argv[1:6]
    batch_size = int(sys.argv[6]) if len(sys.argv) > 6 else 750
    protocol = sys.argv[7] if len(sys.argv) > 7 else "classic"
    consumer_config: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "group.protocol": protocol,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }
    if protocol == "classic":
        consumer_config |= {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000}
    producer_config: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": 20_000,
        "linger.ms": 5,
    }
    producer = Producer(producer_config)
    _patiently("init_transactions", lambda: producer.init_transactions(_LIMIT_S))
    consumer = Consumer(consumer_config)
    revoked: list[bool] = []
    consumer.subscribe([source], on_revoke=lambda *_: revoked.append(True), on_lost=lambda *_: revoked.append(True))
    print("started", flush=True)
    while True:
        revoked.clear()
        taken = _gather(consumer, batch_size, revoked)
        if taken:
            _copy(producer, consumer, taken, target)


def _gather(consumer: Consumer, batch_size: int, revoked: list[bool]) -> list[Message]:
    """Up to a batch of messages, all under one assignment."""
    taken: list[Message] = []
    deadline = time.monotonic() + 1.0
    while len(taken) < batch_size and (time.monotonic() < deadline or not taken):
        for message in consumer.consume(batch_size - len(taken), _POLL_S):
            error = message.error()
            if error is None:
                taken.append(message)
            elif error.fatal() or strands(error):
                print(f"consumer {error.name()} {error.str()}", flush=True)
                raise SystemExit(FATAL)
        if revoked:  # what was taken before may be somebody else's now
            revoked.clear()
            _rewind(consumer)
            taken = []
    return taken


def _copy(producer: Producer, consumer: Consumer, taken: list[Message], target: str) -> None:
    """One transaction. When it can't be committed it is aborted, and what it had taken will be taken again."""
    ends: dict[tuple[str, int], int] = {}
    producer.begin_transaction()
    try:
        for message in taken:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None
            assert partition is not None
            assert offset is not None
            ends[topic, partition] = offset + 1
            while True:
                try:
                    producer.produce(target, key=message.key(), value=message.value(), partition=partition)
                    break
                except BufferError:
                    producer.poll(0.1)
        positions = [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]
        _patiently(
            "send_offsets_to_transaction",
            lambda: producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), _LIMIT_S),
        )
        _patiently("commit_transaction", lambda: producer.commit_transaction(_LIMIT_S))
    except KafkaException as problem:
        error = problem.args[0]
        if not error.txn_requires_abort() or error.fatal():
            print(f"fatal {error.name()} {error.str()}", flush=True)
            raise SystemExit(FATAL) from problem
        _abort(producer)
        _rewind(consumer)
        print(f"aborted {error.name()}", flush=True)
    else:
        print(f"committed {len(taken)}", flush=True)


def _give_up(name: str) -> None:
    print(f"{name} has not returned in its time", flush=True)
    os._exit(FATAL)


def _patiently(name: str, work: Callable[[], object]) -> None:
    """Do it again while librdkafka says that that may help.

    ``send_offsets_to_transaction`` may never return, whatever timeout it has (docs/compatibility.md): only the end of the process helps then.
    """
    while True:
        watch = Timer(_LIMIT_S + 2, _give_up, [name])
        watch.start()
        try:
            work()
        except KafkaException as problem:
            error: KafkaError = problem.args[0]
            if error.fatal():
                print(f"fatal {error.name()} {error.str()}", flush=True)
                raise SystemExit(FATAL) from problem
            if not error.retriable():
                raise
            time.sleep(_SOON_S)
        else:
            return
        finally:
            watch.cancel()


def _abort(producer: Producer) -> None:
    try:
        _patiently("abort_transaction", lambda: producer.abort_transaction(_LIMIT_S))
    except KafkaException as problem:
        print(f"fatal {problem.args[0].name()} {problem.args[0].str()}", flush=True)
        raise SystemExit(FATAL) from problem


def _rewind(consumer: Consumer) -> None:
    """Go back to what is committed."""
    assigned = consumer.assignment()
    if not assigned:
        return
    while True:
        try:
            committed = consumer.committed(assigned, 10)
        except KafkaException as problem:
            if not problem.args[0].retriable() and problem.args[0].code() != KafkaError._TIMED_OUT:  # pyright: ignore[reportPrivateUsage]
                return  # no member any more: the next assignment starts from what is committed
            continue
        break
    from confluent_kafka import OFFSET_BEGINNING

    for place in committed:
        if place.offset < 0:
            place.offset = OFFSET_BEGINNING
        try:
            consumer.seek(place)
        except KafkaException:
            return


if __name__ == "__main__":
    sys.exit(main())
