"""Log directories go back and forth: an Apache Kafka broker's are opened here, after a crash and after a clean stop, appended to, and served
by Apache Kafka again.
"""

import shutil
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka import TopicPartition as Position
from confluent_kafka.admin import AdminClient, NewTopic
from tests.support.apache_kafka import ApacheCluster, require_apache_kafka
from tests.support.logs import append, batch, marker, produced, raw, values

from holdwater.kernel.identifiers import TopicPartition
from holdwater.node.disk import RealDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories
from holdwater.storage.log import PartitionLog
from holdwater.storage.properties import read_meta_properties
from holdwater.storage.recovery import Checkpoints, load_now
from holdwater.wire.records import Compression

pytestmark = [pytest.mark.java, pytest.mark.slow]

TOPIC = "back-and-forth"
PARTITION = TopicPartition(TOPIC, 0)
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def wall_ms() -> int:
    return int(time.time() * 1000)


def produce(bootstrap: str) -> list[str]:
    """Records of every codec, a committed and an aborted transaction; returns the committed values."""
    written: list[str] = []
    for codec in CODECS:
        producer = Producer(
            {"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "linger.ms": 20, "log_level": 0}
        )
        for n in range(20):
            written.append(f"{codec} {n} " + "x" * 40)
            producer.produce(TOPIC, written[-1].encode(), key=b"k" if n % 2 else None, headers=[("h", b"v")])
        assert producer.flush(30) == 0
    transactional = Producer({"bootstrap.servers": bootstrap, "transactional.id": "t", "log_level": 0})
    transactional.init_transactions(30)
    for outcome in ("committed", "aborted"):
        transactional.begin_transaction()
        transactional.produce(TOPIC, f"{outcome} by Kafka".encode())
        transactional.flush(30)
        if outcome == "committed":
            transactional.commit_transaction(30)
            written.append(f"{outcome} by Kafka")
        else:
            transactional.abort_transaction(30)
    return written


def consume(bootstrap: str) -> list[str]:
    """The values of the topic up to its end, read_committed."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "g", "isolation.level": "read_committed", "check.crcs": True, "log_level": 0}
    )
    position = Position(TOPIC, 0, 0)
    consumer.assign([position])
    deadline = time.monotonic() + 60
    found: list[str] = []
    end = -1
    while end < 0:
        try:
            end = consumer.get_watermark_offsets(position, timeout=10)[1]
        except KafkaException:
            assert time.monotonic() < deadline
    while consumer.position([position])[0].offset < end:
        assert time.monotonic() < deadline, f"read up to {consumer.position([position])[0].offset} of {end}"
        message = consumer.poll(0.5)
        if message is not None:
            assert message.error() is None, message.error()
            found.append((message.value() or b"").decode())
    consumer.close()
    return found


def open_directories(path: Path) -> LogDirectories:
    disk = RealDisk()
    meta = read_meta_properties(disk, str(path))
    assert meta is not None
    directories = LogDirectories(disk, [str(path)], cluster_id=meta.cluster_id, node_id=meta.node_id)
    directories.open()
    for _ in directories.load(lambda partition: LogConfig(), wall_ms()):
        pass
    directories.open_metadata_log(LogConfig(), wall_ms())
    assert directories.damaged == {}
    return directories


def committed(log: PartitionLog) -> list[str]:
    """The log's values without markers and aborted records."""
    aborted = {first for _, first in log.aborted_transactions(0, log.log_end_offset)}
    controls = {value for value in values(log) if value.startswith("\0\0")}
    return [value for offset, value in enumerate(values(log)) if value not in controls and offset not in aborted]


def wait_ended(cluster: ApacheCluster) -> None:
    deadline = time.monotonic() + 60
    while cluster.running(1):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_directories_go_back_and_forth(tmp_path: Path) -> None:
    require_apache_kafka()
    with ApacheCluster(tmp_path / "cluster", nodes=1) as cluster:
        bootstrap = cluster.bootstrap()
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for future in admin.create_topics([NewTopic(TOPIC, 1, 1)]).values():
            future.result(30)
        written = produce(bootstrap)
        data = cluster.folder / "1" / "data"

        assert consume(bootstrap) == written  # also waits for the markers of both transactions

        cluster.kill(1)
        wait_ended(cluster)
        crashed = tmp_path / "crashed"
        shutil.copytree(data, crashed)
        directories = open_directories(crashed)
        log = directories.logs[PARTITION]
        assert directories.clean_broker_epoch == -1
        assert committed(log) == written
        assert directories.topic_ids[PARTITION] is not None
        after_crash = raw(log), log.epoch_entries(), log.producers.states.keys()

        cluster.start(1)
        cluster.wait_started(1)
        cluster.terminate(1)
        wait_ended(cluster)
        directories = open_directories(data)
        log = directories.logs[PARTITION]
        assert directories.clean_broker_epoch > 0
        assert log.events == []
        # Restarted, Kafka may repeat the marker of a transaction whose end it had not noted itself.
        assert raw(log).startswith(after_crash[0])
        assert committed(log) == written
        assert (log.epoch_entries()[:1], log.producers.states.keys()) == (after_crash[1][:1], after_crash[2])

        epoch = log.latest_epoch + 1
        for codec in Compression:
            append(log, batch(f"ours {codec.name}", timestamp_ms=wall_ms(), compression=codec), epoch=epoch, wall_ms=wall_ms())
        for sequence, committed_here in enumerate((True, False)):
            verdict = "committed" if committed_here else "aborted"
            data_batch = produced(900, sequence, f"{verdict} by us", transactional=True, timestamp_ms=wall_ms())
            append(log, data_batch, epoch=epoch, wall_ms=wall_ms())
            append(log, marker(900, committed=committed_here, timestamp_ms=wall_ms()), epoch=epoch, wall_ms=wall_ms())
        expected = [*written, *[f"ours {codec.name}" for codec in Compression], "committed by us"]
        assert committed(log) == expected
        end = log.log_end_offset
        directories.close(directories.clean_broker_epoch, {PARTITION: end})
        assert (
            load_now(
                RealDisk(), str(data / f"{TOPIC}-0"), LogConfig(), clean=True, checkpoints=Checkpoints(end, 0, end), wall_ms=wall_ms()
            ).log_end_offset
            == end
        )

        cluster.start(1)
        cluster.wait_started(1)
        assert consume(bootstrap) == expected
        said = [line for line in (cluster.folder / "1" / "out.log").read_text().splitlines() if TOPIC in line]
        assert said
        assert not [line for line in said if "Recovering" in line or "ERROR" in line or "orrupt" in line]
