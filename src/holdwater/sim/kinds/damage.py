"""What befalls the bytes on a disk while no process uses them.

A log is damaged where the next start looks at it: in the segments that recovery scans after a crash, which are those from the one with the
last record below the recovery point on. Damage below those is met by whoever reads it, and nothing repairs it: a follower refuses it for
ever, and a leader can serve it to nobody (nobody repairs it from a peer, as in Kafka).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from holdwater.kernel.rng import Rng
from holdwater.sim.invariants import Unnoticed
from holdwater.sim.node import SimNode
from holdwater.storage.checkpoints import read_offsets
from holdwater.storage.names import (
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    RECOVERY_POINT_FILE,
    TIME_INDEX_SUFFIX,
    parse_partition_directory,
    parse_segment_file,
)
from holdwater.wire.records import LENGTH_OVERHEAD, batches

if TYPE_CHECKING:
    from holdwater.sim.faults import Fault, Faults, Strike

_EPOCH_BYTES = range(12, 16)
_LOG_DAMAGE = ("flip", "flip", "zeros", "cut")
_ZEROS_BYTES = 512
_INDEX_DAMAGE = ("flip", "cut", "zeros", "gone")


class Segments(NamedTuple):
    """The segments of one partition on a disk: path of the directory, base offsets rising, and the recovery point."""

    path: str
    bases: list[int]
    recovery_point: int

    @property
    def scanned(self) -> list[int]:
        """Base offsets of those that recovery scans."""
        first = max([index for index, base in enumerate(self.bases) if base < self.recovery_point], default=0)
        return self.bases[first:]

    def file(self, base: int, suffix: str) -> str:
        """Path of a segment's file."""
        return f"{self.path}/{base:020d}{suffix}"


def damaged_log(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A process is killed, and before the next one starts a log file is damaged, on the platter and in the page cache.

    A bit of a record batch flips, or some part is filled with zeros, or the end is lost. One node at a time, while every ISR is full: the
    others have what this one can't trust any more.
    """
    if node.state != "RUNNING" or not faults.may_lose_disk():
        return False
    rng = faults.rng_of(fault)
    with Unnoticed(node):
        places = [(segments, base) for segments in _stored(node) for base in segments.scanned]
        if not places:
            return False
        segments, base = places[rng.below(len(places))]
        path = segments.file(base, LOG_SUFFIX)
        content = node.disk.read_file(path)
    position = place_of_damage(content, segments.recovery_point, rng)
    if position is None:
        return False
    acted()
    node.kill()
    faults.lost_disk(node)
    how = _LOG_DAMAGE[fault.amount % len(_LOG_DAMAGE)]
    if how == "flip":
        node.disk.damage(path, position, 1 << rng.below(8))
    elif how == "zeros":
        node.disk.zero(path, position, _ZEROS_BYTES)
    else:
        node.disk.cut(path, position)
    faults.cluster.trace.line(node.machine, f"{path}: {how} at {position}")
    faults.start_later(node, fault.duration_ms)
    return True


def place_of_damage(content: bytes, recovery_point: int, rng: Rng) -> int | None:
    """Some byte of record batches, of a leader epoch only below the recovery point: there recovery knows which one it must be."""
    spared: list[int] = []
    end = 0
    for position, header, _ in batches(content):
        if header.base_offset >= recovery_point:
            spared += [position + at for at in _EPOCH_BYTES]
        end = position + header.batch_length + LENGTH_OVERHEAD
    if end == 0:
        return None
    at = rng.below(end)
    return at if at not in spared else at - len(_EPOCH_BYTES)


def damaged_index(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A process is killed, and an index file is damaged, cut, filled with zeros or lost before the next one starts.

    The time index only of a segment that recovery scans; of others it is believed, as Apache Kafka believes it.
    """
    if node.state != "RUNNING":
        return False
    rng = faults.rng_of(fault)
    with Unnoticed(node):
        files = [path for segments in _stored(node) for path in _indexes(node, segments)]
    if not files:
        return False
    acted()
    node.kill()
    path = files[rng.below(len(files))]
    how = _INDEX_DAMAGE[fault.amount % len(_INDEX_DAMAGE)]
    size = len(node.disk.read_file(path))
    if how == "flip":
        node.disk.damage(path, rng.below(size), 1 << rng.below(8))
    elif how == "gone":
        node.disk.remove_file(path)
    else:
        kept = rng.below(size)
        node.disk.cut(path, kept)
        if how == "zeros":
            node.disk.cut(path, size)
    faults.cluster.trace.line(node.machine, f"{path}: {how}")
    faults.start_later(node, fault.duration_ms)
    return True


def _stored(node: SimNode) -> list[Segments]:
    """Every partition on the disk but those of internal topics: these are compacted, so that a base offset too high is taken for a gap."""
    disk = node.disk
    found: list[Segments] = []
    for directory in node.config.log_dirs:
        recovery_points = read_offsets(disk, f"{directory}/{RECOVERY_POINT_FILE}")
        for name in disk.list_directory(directory):
            partition = parse_partition_directory(name)
            path = f"{directory}/{name}"
            if partition is None or partition.topic.startswith("__") or not disk.is_directory(path):
                continue
            entries = [entry for entry in map(parse_segment_file, disk.list_directory(path)) if entry is not None]
            bases = sorted(base for base, suffix in entries if suffix == LOG_SUFFIX)
            found.append(Segments(path, bases, recovery_points.get(partition, 0)))
    return found


def _indexes(node: SimNode, segments: Segments) -> list[str]:
    """Index files with something in them."""
    paths = [segments.file(base, OFFSET_INDEX_SUFFIX) for base in segments.bases]
    paths += [segments.file(base, TIME_INDEX_SUFFIX) for base in segments.scanned]
    return [path for path in paths if node.disk.exists(path) and node.disk.read_file(path)]


STRIKES: "dict[str, Strike]" = {
    "damaged log": damaged_log,
    "damaged index": damaged_index,
}
