"""A process that consumes in a group, writes down what it has processed, and commits afterwards (at least once).

    python -m tests.support.processing_consumer BOOTSTRAP TOPIC GROUP FILE PROTOCOL

It may be killed at any moment. What is in the file was processed; what is committed was in the file before.
"""

import sys
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from holdwater.prove.verifiable.failures import strands

_WORK_S = 0.1
"""Between what was written down and its commit, so that kills fall there too."""


def main() -> int:
    bootstrap, topic, group, file, protocol = sys.argv[1:6]
    config: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "group.protocol": protocol,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }
    if protocol == "classic":
        config |= {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000}
    while True:
        consumer = Consumer(config)
        consumer.subscribe([topic])
        _process(consumer, topic, Path(file))
        consumer.close()


def _process(consumer: Consumer, topic: str, file: Path) -> None:
    """Until only a new client helps."""
    is_stranded = False
    with file.open("a", encoding="ascii") as processed:
        while not is_stranded:
            ends: dict[int, int] = {}
            for message in consumer.consume(100, 0.2):
                partition, offset, value, error = message.partition(), message.offset(), message.value(), message.error()
                if error is not None:
                    print(f"{error.name()} {error.str()}", flush=True)
                    is_stranded = is_stranded or strands(error)
                if error is not None or partition is None or offset is None or value is None:
                    continue
                processed.write(value.decode("ascii") + "\n")
                ends[partition] = offset + 1
            processed.flush()
            if ends:
                time.sleep(_WORK_S)
                _commit(consumer, [TopicPartition(topic, partition, end) for partition, end in ends.items()])


def _commit(consumer: Consumer, ends: list[TopicPartition]) -> None:
    """Whether it succeeds or not: what is not committed is processed again."""
    try:
        consumer.commit(offsets=ends, asynchronous=False)
    except KafkaException as problem:
        print(f"not committed: {problem.args[0].name()}", flush=True)
    else:
        print(f"committed {sum(1 for _ in ends)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
