"""Append-only column files: one file per column, fixed-width little-endian integers, named ``<stream>.<column>.<type>``.

A writer that is killed loses at most what it had not flushed, and may leave its columns of unequal length; readers take the shortest. So
a row exists when it is in every column, and nothing after the first torn row is used.
"""

import os
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

_TYPES = {"B": "u8", "H": "u16", "h": "i16", "I": "u32", "i": "i32", "q": "i64"}


class Stream(NamedTuple):
    """A table: its name and its columns as (name, ``array`` type code)."""

    name: str
    columns: tuple[tuple[str, str], ...]


SENDS = Stream("sends", (("writer", "H"), ("sequence", "I"), ("partition", "H"), ("invoke_ns", "q")))
"""One row before each call of produce()."""
REFUSED_BY_CLIENT = -2
"""In place of an offset: produce() itself refused the record, so nothing was ever queued."""
ANSWERS = Stream("answers", (("writer", "H"), ("sequence", "I"), ("offset", "q"), ("error", "i"), ("done_ns", "q")))
"""One row per delivery report or local refusal; ``error`` is librdkafka's number, 0 for an acknowledgement.

``offset`` is -1 when not told, and ``REFUSED_BY_CLIENT`` for what produce() itself refused: only that tells it from a delivery report.
"""
READS = Stream(
    "reads",
    (
        ("session", "H"),
        ("partition", "H"),
        ("offset", "q"),
        ("writer", "H"),
        ("sequence", "I"),
        ("leader_epoch", "i"),
        ("flags", "B"),
        ("time_ns", "q"),
    ),
)
"""One row per record that a poll handed out, in that order."""
LOG_RECORDS = Stream(
    "log_records", (("partition", "H"), ("offset", "q"), ("batch", "I"), ("writer", "H"), ("sequence", "I"), ("flags", "B"))
)
"""One row per record of the final log, partition by partition; ``batch`` is the row in ``LOG_BATCHES``."""
LOG_BATCHES = Stream(
    "log_batches",
    (
        ("partition", "H"),
        ("base_offset", "q"),
        ("last_offset", "q"),
        ("leader_epoch", "i"),
        ("producer_id", "q"),
        ("producer_epoch", "h"),
        ("base_sequence", "i"),
        ("records", "i"),
        ("attributes", "H"),
        ("max_timestamp_ms", "q"),
        ("sound", "B"),
    ),
)
"""One row per batch of the final log; ``sound`` is 0 when its checksum is wrong."""


def file_name(stream: Stream, column: str) -> str:
    """The file of one column."""
    return f"{stream.name}.{column}.{_TYPES[dict(stream.columns)[column]]}"


def _paths(folder: Path, stream: Stream) -> list[Path]:
    return [folder / file_name(stream, name) for name, _ in stream.columns]


class ColumnWriter:
    """Appends rows to one stream in a folder. ``flush`` hands complete rows to the operating system, column by column."""

    def __init__(self, folder: Path, stream: Stream, *, flush_rows: int = 4096) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._arrays = [array(code) for _, code in stream.columns]
        self._files = [path.open("ab", buffering=0) for path in _paths(folder, stream)]
        self._flush_rows = flush_rows
        self.rows = 0

    def append(self, *row: int) -> None:
        """Add one row; its values are in the order of the stream's columns."""
        for column, value in zip(self._arrays, row, strict=True):
            column.append(value)
        self.rows += 1
        if len(self._arrays[0]) >= self._flush_rows:
            self.flush()

    def flush(self) -> None:
        """Write what was added since the last flush."""
        if not self._arrays[0]:
            return
        for column, file in zip(self._arrays, self._files, strict=True):
            if sys.byteorder == "big":
                column.byteswap()
            _write_all(file.fileno(), column.tobytes())
            del column[:]

    def close(self) -> None:
        """Flush and close; once."""
        self.flush()
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_columns(folders: Sequence[Path], stream: Stream) -> dict[str, "array[int]"]:
    """The stream's columns, one folder after the other, cut to whole rows. A folder without the stream adds nothing."""
    columns = {name: array(code) for name, code in stream.columns}
    for folder in folders:
        parts = {name: _read_column(path, code) for (name, code), path in zip(stream.columns, _paths(folder, stream), strict=True)}
        rows = min(len(part) for part in parts.values())
        for name, part in parts.items():
            columns[name].extend(part[:rows])
    return columns


def _read_column(path: Path, code: str) -> "array[int]":
    column = array(code)
    if path.exists():
        data = path.read_bytes()
        column.frombytes(data[: len(data) - len(data) % column.itemsize])
        if sys.byteorder == "big":
            column.byteswap()
    return column


def damages(folder: Path, stream: Stream, *, even: bool, written: int | None = None) -> dict[str, str]:
    """What is wrong with which file of a stream: it is missing or, where all must be ``even``, has fewer rows than another.

    Where it is known how many rows were ``written``, each must have just these.
    """
    paths = _paths(folder, stream)
    missing = {path.name: "is missing" for path in paths if not path.is_file()}
    if missing or not even:
        return missing
    widths = [array(code).itemsize for _, code in stream.columns]
    sizes = [path.stat().st_size for path in paths]
    rows = max(-(-size // width) for size, width in zip(sizes, widths, strict=True)) if written is None else written
    found: dict[str, str] = {}
    for path, size, width in zip(paths, sizes, widths, strict=True):
        if size < rows * width:
            found[path.name] = f"is cut short ({size // width} of {rows} rows)"
        elif size > rows * width:
            found[path.name] = f"is longer than what was written ({-(-size // width)} of {rows} rows)"
    return found
