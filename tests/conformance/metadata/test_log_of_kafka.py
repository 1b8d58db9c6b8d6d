"""The metadata log of an Apache Kafka 4.4.0 cluster, replayed here, comes to what Kafka's own tools said of that cluster.

``kafka-4.4.0-log.tsv`` is what kafka-dump-log printed (offset, record as JSON; empty records left out). Three combined nodes,
min.insync.replicas=2: topics t1 (3 partitions, 3 replicas) and t2 (2 partitions, 2 replicas) are created; broker 2 is killed and fenced;
broker 3 is killed; both return; broker 1 stops in order and returns. At the end kafka-topics described the topics as below.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdwater.core.metadata.builder import ImageBuilder
from holdwater.core.metadata.image import EMPTY_IMAGE, MetadataImage
from holdwater.core.metadata.partition import RECOVERING
from holdwater.core.metadata.records import MetadataRecord, versioned
from holdwater.kernel.identifiers import uuid_from_text
from holdwater.wire import messages

LINES = (Path(__file__).parent / "kafka-4.4.0-log.tsv").read_text().splitlines()

DESCRIBED = {
    ("t1", 0): (2, (1, 2, 3), (1, 2, 3)),
    ("t1", 1): (2, (2, 3, 1), (1, 2, 3)),
    ("t1", 2): (3, (3, 1, 2), (1, 2, 3)),
    ("t2", 0): (3, (2, 3), (2, 3)),
    ("t2", 1): (3, (3, 1), (1, 3)),
}
"""Leader, replicas, ISR; the ELR of each was empty."""

UUIDS = {"incarnationId", "topicId", "logDirs", "cordonedLogDirs", "directories"}


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: "_" + match[1].lower(), name)


def value_of(owner: Any, name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in UUIDS:
        return [uuid_from_text(entry) for entry in value] if isinstance(value, list) else uuid_from_text(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        structs = {"endPoints": "Endpoint", "features": "Feature"}
        kind = ("Broker" if "Broker" in owner.__name__ else "Controller") + structs[name]
        return [getattr(owner, kind)(**{snake(key): part for key, part in entry.items()}) for entry in value]
    return value


def records() -> Iterator[tuple[int, int, MetadataRecord]]:
    """Offset, version, record."""
    for line in LINES:
        offset, text = line.split("\t")
        entry = json.loads(text)
        name = "".join(word.capitalize() for word in entry["type"].split("_"))
        kind = getattr(messages, name)
        yield int(offset), entry["version"], kind(**{snake(key): value_of(kind, key, value) for key, value in entry["data"].items()})


def replayed() -> MetadataImage:
    builder = ImageBuilder(EMPTY_IMAGE)
    for offset, _, record in records():
        builder.apply(offset, record)
    return builder.build(1)[0]


def test_it_comes_to_what_kafka_s_tools_said() -> None:
    image = replayed()
    found = {
        (topic.name, number): (partition.leader, partition.replicas, partition.isr)
        for topic in image.topics.values()
        for number, partition in topic.partitions.items()
    }
    assert found == DESCRIBED
    assert all(partition.elr == () for _, _, partition in image.partitions())
    assert image.topic_config("t1") == {"min.insync.replicas": "2"}
    assert image.cluster_config() == {"min.insync.replicas": "2"}
    assert sorted(image.brokers) == sorted(image.controllers) == [1, 2, 3]
    assert not any(broker.fenced or broker.in_controlled_shutdown for broker in image.brokers.values())
    assert image.features["metadata.version"] == 33


def test_we_write_each_kind_of_record_at_the_version_that_kafka_does() -> None:
    for _, version, record in records():
        assert versioned(record).version == version, record


def test_the_last_known_leader_came_back_recovering() -> None:
    """Offset 121: nobody was left in ISR and ELR of t2-0, and broker 3, its last leader, returned."""
    builder = ImageBuilder(EMPTY_IMAGE)
    states: list[tuple[int, tuple[int, ...], int]] = []
    for offset, _, record in records():
        builder.apply(offset, record)
        topic = builder.topic("t2")
        if topic is not None and 0 in topic.partitions:
            partition = topic.partitions[0]
            states.append((partition.leader, partition.elr, partition.leader_recovery_state))
    distinct = list(dict.fromkeys(states))
    assert distinct == [(2, (), 0), (3, (2,), 0), (3, (), 0), (-1, (3,), 0), (-1, (), 0), (3, (), RECOVERING)]
