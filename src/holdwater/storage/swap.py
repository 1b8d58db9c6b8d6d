"""How the files of a cleaned segment take the place of those of the segments that it was made from: whole, or not at all, whatever crashes.

A segment is written under names that end with ``.cleaned``, and synced: its log, both indexes, and a transaction index, empty or not. Then,
each step durable before the next one (``prepare`` twice, ``commit``, ``complete``):

1. the indexes are renamed to ``.swap``;
2. the log is renamed to ``.swap``: from here on the swap counts as done, and a crash is no way back;
3. the later segments that were replaced are removed;
4. the log gets its own name, over the log of the first of them;
5. the indexes get theirs.

So what a crash leaves says where it came: any ``.cleaned`` file, everything is undone; a log in ``.swap``, go on with 3; only indexes in
``.swap``, go on with 5. Apache Kafka's recovery reads the same names the same way.
"""

from collections.abc import Iterator

from holdwater.kernel.ports import CorruptRecords, Disk
from holdwater.storage.names import (
    CLEANED_SUFFIX,
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    SWAP_SUFFIX,
    TIME_INDEX_SUFFIX,
    TXN_INDEX_SUFFIX,
    parse_segment_file,
    segment_file,
)
from holdwater.storage.offset_index import OffsetIndex
from holdwater.storage.scan import walk

_INDEX_SUFFIXES = (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX)
_SUFFIXES = (*_INDEX_SUFFIXES, LOG_SUFFIX)


def prepare(disk: Disk, directory: str, base_offset: int) -> Iterator[None]:
    """Step 1, with pauses: until ``commit`` all of it may be undone by ``discard``."""
    disk.sync_directory(directory)
    yield
    for suffix in _INDEX_SUFFIXES:
        path = f"{directory}/{segment_file(base_offset, suffix)}"
        disk.rename(path + CLEANED_SUFFIX, path + SWAP_SUFFIX)
    disk.sync_directory(directory)
    yield


def discard(disk: Disk, directory: str, base_offset: int) -> None:
    """Remove what is there of a cleaned segment that is not to be used. Its log stays until the indexes are gone: it says what to do with them."""
    for suffix in _INDEX_SUFFIXES:
        path = f"{directory}/{segment_file(base_offset, suffix)}"
        disk.remove_file(path + SWAP_SUFFIX)
        disk.remove_file(path + CLEANED_SUFFIX)
    disk.sync_directory(directory)
    path = f"{directory}/{segment_file(base_offset, LOG_SUFFIX)}"
    disk.remove_file(path + SWAP_SUFFIX)
    disk.remove_file(path + CLEANED_SUFFIX)


def commit(disk: Disk, directory: str, base_offset: int) -> None:
    """Step 2."""
    path = f"{directory}/{segment_file(base_offset, LOG_SUFFIX)}"
    disk.rename(path + CLEANED_SUFFIX, path + SWAP_SUFFIX)
    disk.sync_directory(directory)


def complete(disk: Disk, directory: str, base_offset: int) -> None:
    """Steps 4 and 5, after the caller has removed the later segments."""
    disk.sync_directory(directory)
    path = f"{directory}/{segment_file(base_offset, LOG_SUFFIX)}"
    disk.rename(path + SWAP_SUFFIX, path)
    disk.sync_directory(directory)
    _name_indexes(disk, directory, base_offset)


def _name_indexes(disk: Disk, directory: str, base_offset: int) -> None:
    for suffix in _INDEX_SUFFIXES:
        path = f"{directory}/{segment_file(base_offset, suffix)}"
        if disk.exists(path + SWAP_SUFFIX):
            disk.rename(path + SWAP_SUFFIX, path)
    disk.sync_directory(directory)
    path = f"{directory}/{segment_file(base_offset, TXN_INDEX_SUFFIX)}"
    if disk.exists(path) and not disk.read_file(path):
        disk.remove_file(path)


def recover(disk: Disk, directory: str, names: list[str]) -> list[str]:
    """Undo or complete what a crash has interrupted; returns the names of the directory's files afterwards."""
    cleaned = _bases(names, CLEANED_SUFFIX, _SUFFIXES)
    swaps = _bases(names, SWAP_SUFFIX, _SUFFIXES)
    if not cleaned and not swaps:
        return names
    undone_from = min(cleaned, default=2**63)
    for base_offset in sorted({*cleaned, *[base for base in swaps if base >= undone_from]}):
        discard(disk, directory, base_offset)
    committed = _bases(names, SWAP_SUFFIX, (LOG_SUFFIX,))
    for base_offset in swaps:
        if base_offset >= undone_from:
            continue
        if base_offset in committed:
            _remove_replaced(disk, directory, base_offset, names)
            complete(disk, directory, base_offset)
        else:
            _name_indexes(disk, directory, base_offset)
    return disk.list_directory(directory)


def _bases(names: list[str], ending: str, suffixes: tuple[str, ...]) -> list[int]:
    """Base offsets of the segments whose files' names end so, rising."""
    entries = [parse_segment_file(name.removesuffix(ending)) for name in names if name.endswith(ending)]
    return sorted({entry[0] for entry in entries if entry is not None and entry[1] in suffixes})


def _remove_replaced(disk: Disk, directory: str, base_offset: int, names: list[str]) -> None:
    end = _end_offset(disk, f"{directory}/{segment_file(base_offset, '')}", base_offset)
    entries = [entry for entry in map(parse_segment_file, names) if entry is not None and base_offset < entry[0] < end]
    for suffix in (LOG_SUFFIX, *_INDEX_SUFFIXES):
        for replaced, _ in [entry for entry in reversed(entries) if entry[1] == suffix]:
            disk.remove_file(f"{directory}/{segment_file(replaced, suffix)}")


def _end_offset(disk: Disk, path: str, base_offset: int) -> int:
    """Where the segment in ``.swap`` ends, as far as it is intact."""
    index = OffsetIndex(disk, f"{path}{OFFSET_INDEX_SUFFIX}{SWAP_SUFFIX}", base_offset, fresh=False)
    log = disk.open(f"{path}{LOG_SUFFIX}{SWAP_SUFFIX}")
    end = base_offset
    try:
        start = index.last_position() if index.is_sane(log.size) else 0
        for _, _, _, header in walk(log, start, log.size, path):
            end = header.base_offset + header.last_offset_delta + 1
    except CorruptRecords:
        pass  # recovery of the log will meet the same place, and knows what to make of it
    finally:
        log.close()
    return end
