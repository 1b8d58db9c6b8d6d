"""Kafka's checkpoint files: small text files with a version, a count and one line for each entry, replaced as a whole."""

from collections.abc import Sequence

from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import Disk

_VERSION = 0


class DamagedFile(Exception):  # noqa: N818 - named for what the file is
    """A small file that is not what its format says; the message names the file, what stands there, and what to do."""


def format_pairs(pairs: Sequence[tuple[str, int]]) -> str:
    """Version, count, and one line of two fields for each pair."""
    return "".join([f"{_VERSION}\n{len(pairs)}\n", *[f"{key} {value}\n" for key, value in pairs]])


def parse_pairs(text: str, path: str) -> list[tuple[str, int]]:
    """The pairs of a checkpoint file. Raises ``DamagedFile``, also when the last line does not end: a power loss may have cut its number."""
    lines = text.split("\n")
    try:
        if lines[-1]:
            raise ValueError("it ends in the middle of a line")
        version, count = int(lines[0]), int(lines[1])
        if version != _VERSION:
            raise ValueError(f"version {version}, expected {_VERSION}")
        pairs: list[tuple[str, int]] = []
        for line in lines[2 : 2 + count]:
            key, value = line.rsplit(" ", 1)
            pairs.append((key, int(value)))
        if len(pairs) != count or any(lines[2 + count :]):
            raise ValueError(f"{count} entries announced, {len(lines) - 3} lines there")
    except (ValueError, IndexError) as error:
        raise DamagedFile(f"{path} is damaged ({error}): remove the file, it is rebuilt from the logs") from error
    return pairs


def write_offsets(disk: Disk, path: str, offsets: Sequence[tuple[TopicPartition, int]]) -> None:
    """Replace an offset checkpoint (recovery points, high watermarks, log starts) durably."""
    pairs = [(f"{partition.topic} {partition.partition}", offset) for partition, offset in offsets]
    disk.replace_file(path, format_pairs(pairs).encode("ascii"), durable=True)


def read_offsets(disk: Disk, path: str) -> dict[TopicPartition, int]:
    """An offset checkpoint by partition; empty when there is no file. Raises ``DamagedFile``."""
    try:
        text = disk.read_file(path).decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    offsets: dict[TopicPartition, int] = {}
    for key, offset in parse_pairs(text, path):
        topic, _, partition = key.rpartition(" ")
        if not topic or not partition.isdigit():
            raise DamagedFile(f"{path} is damaged ('{key}' is no topic and partition): remove the file, it is rebuilt from the logs")
        offsets[TopicPartition(topic, int(partition))] = offset
    return offsets
