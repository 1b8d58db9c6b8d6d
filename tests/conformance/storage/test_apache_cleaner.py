"""Apache Kafka's log cleaner beside ours: the same log, compacted by each, must be the same log; and its own tools must read ours.

The log is written by an Apache Kafka broker whose cleaner is off. Then it is copied; the broker starts again with its cleaner on and compacts
it, and we compact the copy. Twice, since deletions and markers go in the second round only.
"""

import re
import shutil
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from tests.support.apache_kafka import ApacheCluster, require_apache_kafka, tool

from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import BatchHeader
from holdwater.node.disk import RealDisk
from holdwater.storage.checkpoints import read_offsets
from holdwater.storage.compaction.cleanable import cleanable
from holdwater.storage.compaction.cleaning import Cleaning
from holdwater.storage.config import LogConfig
from holdwater.storage.directories import LogDirectories
from holdwater.storage.names import CLEANER_FILE
from holdwater.storage.properties import read_meta_properties
from holdwater.storage.txn_index import AbortedRange, TxnIndex
from holdwater.wire.records import DELETE_HORIZON_FLAG, Record, batches, read_records

pytestmark = [pytest.mark.java, pytest.mark.slow]

TOPIC = "compacted"
PARTITION = TopicPartition(TOPIC, 0)
CONFIG = LogConfig(compact=True, delete=False, delete_retention_ms=0, min_cleanable_dirty_ratio=0.0)
TEXTS = {"cleanup.policy": "compact", "segment.ms": "50", "delete.retention.ms": "0", "min.cleanable.dirty.ratio": "0.0"}
SETTINGS = {"log.cleaner.enable": "false", "log.cleaner.backoff.ms": "200", "transaction.state.log.min.isr": "1"}

Batch = tuple[BatchHeader, list[Record]]


def wall_ms() -> int:
    return int(time.time() * 1000)


class Peer:
    """The one broker of the cluster, whose cleaner is on or off."""

    def __init__(self, cluster: ApacheCluster) -> None:
        self.cluster = cluster
        self.data = cluster.folder / "1" / "data"

    def restart(self, *, cleaner: bool) -> None:
        self.stop()
        with (self.cluster.folder / "1" / "server.properties").open("a") as properties:
            properties.write(f"log.cleaner.enable={str(cleaner).lower()}\n")
        self.cluster.start(1)
        self.cluster.wait_started(1)

    def stop(self) -> None:
        self.cluster.terminate(1)
        deadline = time.monotonic() + 60
        while self.cluster.running(1):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def compact(self, at_least: int) -> None:
        """Let the cleaner work until it has come so far."""
        self.restart(cleaner=True)
        deadline = time.monotonic() + 60
        while self.cleaner_offset() < at_least:
            assert time.monotonic() < deadline, f"Apache Kafka compacted up to {self.cleaner_offset()}, not {at_least}"
            time.sleep(0.2)
        self.stop()

    def cleaner_offset(self) -> int:
        path = self.data / CLEANER_FILE
        return read_offsets(RealDisk(), str(path)).get(PARTITION, 0) if path.read_bytes() else 0


class Writer:
    """Batches of one record each unless they are many, now and then with a pause in which a segment ends."""

    def __init__(self, bootstrap: str) -> None:
        common = {"bootstrap.servers": bootstrap, "linger.ms": 0, "log_level": 0}
        self.plain = Producer(common)
        self.many = Producer({**common, "linger.ms": 50, "compression.type": "zstd"})
        self.idempotent = Producer({**common, "enable.idempotence": True})
        self.transactional = Producer({**common, "transactional.id": "t"})
        self.transactional.init_transactions(30)

    def put(self, *pairs: tuple[str, str | None], producer: Producer | None = None) -> None:
        producer = producer or self.plain
        for key, value in pairs:
            producer.produce(TOPIC, key=key, value=value, partition=0, headers=[("h", b"x")])
            if producer is not self.many:
                producer.flush(30)
        producer.flush(30)

    def transact(self, *pairs: tuple[str, str | None], commits: bool) -> None:
        self.transactional.begin_transaction()
        self.put(*pairs, producer=self.transactional)
        if commits:
            self.transactional.commit_transaction(30)
        else:
            self.transactional.abort_transaction(30)

    def end_segment(self) -> None:
        time.sleep(0.08)
        self.put(("filler", "x"))


def write_first(writer: Writer) -> None:
    writer.put(("a", "1"), ("b", "1"), ("gone", "1"))
    writer.end_segment()
    writer.put(("gone", None), ("a", "2"))
    writer.put(*[(f"m{n % 5}", str(n)) for n in range(30)], producer=writer.many)
    writer.transact(("b", "aborted"), ("only", "aborted"), commits=False)
    writer.end_segment()
    writer.transact(("b", "committed"), ("a", "3"), commits=True)
    writer.transact(("a", "aborted"), commits=False)
    writer.put(*[("i", str(n)) for n in range(4)], producer=writer.idempotent)
    writer.end_segment()
    writer.put(*[(f"m{n % 5}", None) for n in range(2)], producer=writer.many)
    writer.put(("i", "last"), ("a", "4"))
    writer.end_segment()
    writer.end_segment()


def write_second(writer: Writer) -> None:
    writer.put(("b", "2"), ("c", "1"))
    writer.end_segment()
    writer.transact(("c", "2"), commits=True)
    writer.put(("c", None))
    writer.end_segment()
    writer.end_segment()


def compact_here(data: Path) -> int:
    """Our own round, over a copy of the broker's directory; returns up to where it went."""
    disk = RealDisk()
    meta = read_meta_properties(disk, str(data))
    assert meta is not None
    directories = LogDirectories(disk, [str(data)], cluster_id=meta.cluster_id, node_id=meta.node_id)
    directories.open()
    for _ in directories.load(lambda partition: LogConfig(), wall_ms()):
        pass
    log = directories.logs[PARTITION]
    log.configure(CONFIG)
    found = cleanable(log, directories.cleaner_offset(PARTITION), log.log_end_offset, wall_ms())
    assert found.is_due
    steps = Cleaning(log, found, map_limit_count=1_000, wall_ms=wall_ms()).steps()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            end = done.value
            break
    directories.checkpoint_cleaner(PARTITION, end)
    directories.open_metadata_log(LogConfig(), wall_ms())
    directories.close(1, {})
    return end


def contents(data: Path) -> dict[str, tuple[list[Batch], list[AbortedRange]]]:
    """Batches and aborted transactions of each segment, without what depends on the moment of the compaction."""
    found: dict[str, tuple[list[Batch], list[AbortedRange]]] = {}
    for path in sorted((data / f"{TOPIC}-0").glob("*.log")):
        content = path.read_bytes()
        parsed: list[Batch] = []
        for position, header, _ in batches(content):
            records = read_records(content, position, header)
            fixed = header._replace(crc=0, batch_length=0)
            parsed.append((fixed._replace(base_timestamp=0) if header.attributes & DELETE_HORIZON_FLAG else fixed, records))
        found[path.name] = parsed, TxnIndex(RealDisk(), str(path.with_suffix(".txnindex")), fresh=False).entries()
    return found


def judge(data: Path) -> None:
    """Apache Kafka's own reader finds no fault with any file."""
    for suffix, arguments in {".log": ["--deep-iteration"], "index": ["--index-sanity-check"]}.items():
        files = sorted(str(path) for path in (data / f"{TOPIC}-0").glob(f"*{suffix}") if path.stat().st_size)
        done = tool("org.apache.kafka.tools.DumpLogSegments", *arguments, "--files", ",".join(files))
        assert done.returncode == 0, done.stderr
        said = done.stdout + done.stderr
        assert "isvalid: false" not in said
        assert not re.search(r"[Mm]ismatch|[Ii]nvalid|[Ee]xception|corrupt", said), said


def test_both_compact_a_log_to_the_same(tmp_path: Path) -> None:
    require_apache_kafka()
    with ApacheCluster(tmp_path / "cluster", nodes=1, settings=SETTINGS) as cluster:
        peer = Peer(cluster)
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap()})
        for future in admin.create_topics([NewTopic(TOPIC, 1, 1, config=TEXTS)]).values():
            future.result(30)
        write_first(Writer(cluster.bootstrap()))
        for number, write in enumerate([write_second, None]):
            peer.stop()
            ours = tmp_path / f"ours{number}"
            shutil.copytree(peer.data, ours)
            written = contents(ours)
            end = compact_here(ours)
            cluster.start(1)
            cluster.wait_started(1)
            peer.compact(end)
            assert peer.cleaner_offset() == end
            mine, theirs = contents(ours), contents(peer.data)
            assert mine != written
            assert mine.keys() == theirs.keys()
            for name in mine:
                assert mine[name] == theirs[name], name
            judge(ours)
            cluster.start(1)
            cluster.wait_started(1)
            peer.restart(cleaner=False)
            if write is not None:
                write(Writer(cluster.bootstrap()))
