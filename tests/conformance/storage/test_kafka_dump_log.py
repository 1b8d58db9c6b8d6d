"""kafka-dump-log, Apache Kafka's own reader of log directories, judges every kind of file that storage writes."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.apache_kafka import require_apache_kafka, tool
from tests.support.logs import append, batch, marker, produced

from holdwater.core.quorum import Endpoint, Voter, VoterSet, build_bootstrap_checkpoint
from holdwater.kernel.ports import SnapshotId
from holdwater.kernel.rng import Rng
from holdwater.node.disk import RealDisk
from holdwater.storage.config import LogConfig
from holdwater.storage.log import PartitionLog
from holdwater.storage.recovery import Checkpoints, load_now
from holdwater.storage.snapshots import SnapshotFiles, snapshot_name
from holdwater.wire.messages import TopicRecord
from holdwater.wire.metadata_records import encode_record
from holdwater.wire.records import CONTROL_FLAG, TRANSACTIONAL_FLAG, Compression, Record, batches, build_batch, last_sequence, read_records

pytestmark = pytest.mark.java

SETTINGS = LogConfig(segment_bytes=2_000, index_interval_bytes=200)
BATCH = re.compile(r"(\w+): (\S+)")


def dump(files: Sequence[Path], *arguments: str) -> list[str]:
    """What the tool prints about the files, and no complaint among it."""
    require_apache_kafka()
    done = tool("org.apache.kafka.tools.DumpLogSegments", *arguments, "--files", ",".join(str(file) for file in files))
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.strip() and "SLF4J" not in line and "StatusLogger" not in line]
    # The tool takes the first offset of a later segment for a gap.
    complaints = [line for line in complaints if not re.fullmatch(r"Non-consecutive offsets in .*|\s+-1 is followed by \d+", line)]
    assert complaints == []
    return done.stdout.splitlines()


def write_log(directory: Path) -> PartitionLog:
    """A log with every codec, headers and nulls, idempotent and transactional producers, three leader epochs, two segments."""
    directory.mkdir(parents=True)
    log = PartitionLog.create(RealDisk(), str(directory), SETTINGS, 0)
    for codec in Compression:
        records = [
            Record(0, 1_000 + 10 * codec, None, b"value"),
            Record(0, 1_002 + 10 * codec, b"key", None, [("h", b"x"), ("n", None), ("h", b"")]),
            Record(0, 1_001 + 10 * codec, b"", "ä".encode() * 30),
        ]
        append(log, build_batch(records, compression=codec), epoch=1)
    for n in range(6):
        append(log, produced(7, n, "a" * 50, transactional=True, timestamp_ms=2_000 + n), epoch=2)
    append(log, produced(8, 0, "b", "c", transactional=True, timestamp_ms=3_000), epoch=2)
    append(log, marker(7, committed=False, coordinator_epoch=4, timestamp_ms=3_001), epoch=3)
    append(log, marker(8, committed=True, coordinator_epoch=4, timestamp_ms=3_002), epoch=3)
    for n in range(10):
        append(log, batch("z" * 100, timestamp_ms=4_000 + n), epoch=3)
    append(log, produced(9, 3, "open", transactional=True, timestamp_ms=5_000), epoch=3)
    log.configure(LogConfig(message_timestamp_type="LogAppendTime"))
    append(log, batch("stamped", timestamp_ms=1), epoch=3, wall_ms=6_000)
    log.close()
    return log


def our_lines(log_file: Path) -> list[str]:
    """What the tool should print of a log file, from our own reading of it."""
    data = log_file.read_bytes()
    lines: list[str] = []
    for position, header, end in batches(data):
        stamped = header.attributes & 8
        kind = "LogAppendTime" if stamped else "CreateTime"
        lines.append(
            f"baseOffset: {header.base_offset} lastOffset: {header.base_offset + header.last_offset_delta} count: {header.record_count} "
            f"baseSequence: {header.base_sequence} lastSequence: {last_sequence(header)} producerId: {header.producer_id} "
            f"producerEpoch: {header.producer_epoch} partitionLeaderEpoch: {header.partition_leader_epoch} "
            f"isTransactional: {str(bool(header.attributes & TRANSACTIONAL_FLAG)).lower()} "
            f"isControl: {str(bool(header.attributes & CONTROL_FLAG)).lower()} deleteHorizonMs: OptionalLong.empty "
            f"position: {position} {kind}: {header.max_timestamp} size: {end - position} magic: 2 "
            f"compresscodec: {Compression(header.attributes & 7).name.lower()} crc: {header.crc} isvalid: true"
        )
        for delta, record in enumerate(read_records(data, position, header)):
            sequence = header.base_sequence + delta if header.base_sequence >= 0 else -1
            line = (
                f"| offset: {record.offset} {kind}: {record.timestamp_ms} keySize: {-1 if record.key is None else len(record.key)} "
                f"valueSize: {-1 if record.value is None else len(record.value)} sequence: {sequence} "
                f"headerKeys: [{','.join(name for name, _ in record.headers)}]"
            )
            if header.attributes & CONTROL_FLAG:
                number = int.from_bytes((record.key or b"")[2:4], "big")
                line += f" endTxnMarker: {'COMMIT' if number else 'ABORT'} coordinatorEpoch: 4"
            else:
                line += f" key: {record.key.decode()}" if record.key is not None else ""
                line += f" payload: {record.value.decode()}" if record.value is not None else ""
            lines.append(line)
    return lines


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cleanly closed log."""
    require_apache_kafka()
    directory = tmp_path_factory.mktemp("logs") / "t-0"
    write_log(directory)
    return directory


def files(directory: Path, suffix: str) -> list[Path]:
    found = sorted(directory.glob(f"*{suffix}"))
    assert found
    return found


def sections(lines: list[str]) -> dict[str, list[str]]:
    """The tool's lines by the file they speak of."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith("Dumping "):
            current = found[Path(line.removeprefix("Dumping ")).name] = []
        elif not line.startswith("Log starting offset") and not re.fullmatch(
            r"Non-consecutive offsets in .*|\s+-1 is followed by \d+", line
        ):
            current.append(line)
    return found


def test_batches_and_records_are_read_as_we_wrote_them(written: Path) -> None:
    logs = files(written, ".log")
    assert len(logs) == 2
    found = sections(dump(logs, "--deep-iteration", "--print-data-log"))
    assert found == {log.name: our_lines(log) for log in logs}
    assert sum(line.startswith("baseOffset") for lines in found.values() for line in lines) == 26


def test_indexes_agree_with_their_logs(written: Path) -> None:
    found = sections(dump([*files(written, ".index"), *files(written, ".timeindex")]))
    assert len(found) == 4
    assert all(lines for lines in found.values())
    assert sum(len(lines) for lines in found.values()) >= 20
    assert all(re.fullmatch(r"(offset|timestamp): \d+ (position|offset): \d+", line) for lines in found.values() for line in lines)
    for name in ("--verify-index-only", "--index-sanity-check"):
        dump([*files(written, ".index"), *files(written, ".timeindex")], name)


def test_transactions_and_producers_are_read(written: Path) -> None:
    found = sections(dump([*files(written, ".txnindex"), *files(written, ".snapshot")]))
    assert found["00000000000000000000.txnindex"] == ["version: 0 producerId: 7 firstOffset: 15 lastOffset: 23 lastStableOffset: 21"]
    last = [name for name in found if name.endswith(".snapshot")][-1]
    assert [re.sub(r" timestamp: .*", "", line) for line in found[last]] == [
        (
            "producerId: 7 producerEpoch: 0 coordinatorEpoch: 4 currentTxnFirstOffset: OptionalLong.empty lastTimestamp: 3001 "
            "firstSequence: 5 lastSequence: 5 lastOffset: 20 offsetDelta: 0"
        ),
        (
            "producerId: 8 producerEpoch: 0 coordinatorEpoch: 4 currentTxnFirstOffset: OptionalLong.empty lastTimestamp: 3002 "
            "firstSequence: 0 lastSequence: 1 lastOffset: 22 offsetDelta: 1"
        ),
        (
            "producerId: 9 producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong[35] lastTimestamp: 5000 "
            "firstSequence: 3 lastSequence: 3 lastOffset: 35 offsetDelta: 0"
        ),
    ]
    assert (written / "leader-epoch-checkpoint").read_text() == "0\n3\n1 0\n2 15\n3 23\n"


def test_what_recovery_rebuilds_is_as_good(written: Path, tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    write_log(directory)
    kept = {path.name: path.read_bytes() for path in directory.glob("*.log")}
    for path in directory.iterdir():
        if path.suffix != ".log" and path.name != "leader-epoch-checkpoint":
            path.unlink()
    last = max(directory.glob("*.log"))
    last.write_bytes(last.read_bytes() + b"torn")
    log = load_now(RealDisk(), str(directory), SETTINGS, clean=False, checkpoints=Checkpoints(), wall_ms=0)
    log.close()
    assert {path.name: path.read_bytes() for path in directory.glob("*.log")} == kept
    judged = sorted([*directory.glob("0*.*index"), *directory.glob("0*.snapshot")])
    assert [path.name for path in judged] == [path.name for path in sorted([*written.glob("0*.*index"), *written.glob("0*.snapshot")])]
    for path in judged:
        assert path.read_bytes() == (written / path.name).read_bytes(), path.name
    dump(judged)


def test_metadata_logs_and_snapshots_are_read(tmp_path: Path) -> None:
    require_apache_kafka()
    directory = tmp_path / "__cluster_metadata-0"
    directory.mkdir()
    disk = RealDisk()
    topic_id = Rng(5).uuid()
    record = Record(0, 1_000, None, encode_record(TopicRecord("orders", topic_id), 0))
    log = PartitionLog.create(disk, str(directory), LogConfig(), 0)
    append(log, build_batch([record]), epoch=2)
    log.close()
    voters = VoterSet([Voter(1, Rng(6).uuid(), (Endpoint("CONTROLLER", "localhost", 9_093),))])
    snapshot = SnapshotId(0, 0)
    SnapshotFiles(disk, str(directory)).write(snapshot, build_bootstrap_checkpoint(voters, [], 1_000))
    lines = dump(
        [directory / "00000000000000000000.log", directory / snapshot_name(snapshot)], "--cluster-metadata-decoder", "--deep-iteration"
    )
    text = "\n".join(lines)
    assert re.search(r'payload: \{"type":"TOPIC_RECORD","version":0,"data":\{"name":"orders","topicId":"[\w-]{22}"\}\}', text)
    assert "Snapshot end offset: 0, epoch: 0" in text
    for name in ("SnapshotHeader", "KRaftVersion", "KRaftVoters", "SnapshotFooter"):
        assert name in text
