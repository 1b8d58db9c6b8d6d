"""What befalls disks under a running process: full, failing, slow, or giving back other bits than were written.

A fault waits for an operation that it can hit; one that may end the process, or take a log directory from it, waits as well while another node
lacks what it had acknowledged. It ends with the process that it was made for; a process that goes on without one of its log directories is ended
and started again when the fault is over, since a directory that failed comes back with the next process only.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Fault as DiskFault
from holdwater.sim.disk import Hook, Operation
from holdwater.sim.node import SimNode
from holdwater.storage.names import LOG_SUFFIX
from holdwater.wire.records import HEADER_BYTES, LENGTH_OVERHEAD
from holdwater.wire.records.batch import MAGIC_POSITION

if TYPE_CHECKING:
    from holdwater.sim.faults import Fault, Faults, Strike

_CREATES = ("make_directories", "open")
_TAKES_SPACE = ("append", "replace_file", *_CREATES)
_WRITES = ("append", "replace_file", "truncate", "rename", "remove_file")
_READS = ("read", "read_file", "list_directory")
_SYNCS = ("sync", "sync_directory", "replace_file")
_SHORTEST_MS = 2_000
"""So that there are operations to hit."""
_SHORTEST_STALL_US = 50_000
_STALL_DOUBLINGS = 9
_SLOW_SYNC_US = (100_000, 1_000_000)
_BETWEEN_FLIPS_US = 1_000_000
_EPOCH_BYTES = range(12, 16)
"""The leader epoch of a batch: its checksum leaves it out, and nothing else in the batch tells that it is wrong."""
_LAST_OFFSET_DELTA_END = 27


def full_disk(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """One log directory is full for a while."""
    directory = _some_directory(faults, fault, node)

    def on_operation(operation: Operation) -> DiskFault | None:
        if operation.name not in _TAKES_SPACE or not _lies_in(operation.path, directory):
            return None
        if (operation.name in _CREATES and node.disk.exists(operation.path)) or faults.must_wait(node):
            return None
        acted()
        return DiskFault.FULL

    return _arm_for_a_while(faults, fault, node, on_operation)


def write_error(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A write to one log directory fails, or all of them do for a while."""
    return _error(faults, fault, node, acted, _WRITES)


def read_error(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A read from one log directory fails, or all of them do for a while."""
    return _error(faults, fault, node, acted, _READS)


def _error(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None], names: tuple[str, ...]) -> bool:
    directory = _some_directory(faults, fault, node)
    is_once = fault.amount % 2 == 0
    passed_over = faults.rng_of(fault).below(10)

    def on_operation(operation: Operation) -> DiskFault | None:
        nonlocal passed_over
        if operation.name not in names or not _lies_in(operation.path, directory):
            return None
        if passed_over:
            passed_over -= 1
            return None
        if faults.must_wait(node):
            return None
        acted()
        if is_once:
            node.disk.disarm(on_operation)
        return DiskFault.IO_ERROR

    return _arm_for_a_while(faults, fault, node, on_operation)


def error_in_recovery(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Kill -9, and in one log directory some operation of the next process fails before it runs; the directory is offline, or the node ends.

    A sync only where what it was to make durable may be lost: see ``sync_error``.
    """
    if node.state == "OFF":
        return False
    directory = _some_directory(faults, fault, node)
    passed_over = faults.rng_of(fault).below(40)
    may_lose = faults.may_lose_tail(node)
    if may_lose:
        faults.lost_tail(node)
    node.kill()

    def on_operation(operation: Operation) -> DiskFault | None:
        nonlocal passed_over
        if node.state != "LOADING":
            node.disk.disarm(on_operation)
        elif _lies_in(operation.path, directory):
            passed_over -= 1
            if passed_over < 0:
                if (operation.name == "sync" and not may_lose) or faults.must_wait(node):
                    return None
                acted()
                node.disk.disarm(on_operation)
                return DiskFault.IO_ERROR
        return None

    def start() -> None:
        if node.state == "OFF":
            node.disk.arm(on_operation)
            node.start()
            incarnation = node.incarnation
            faults.later(max(fault.duration_ms, _SHORTEST_MS), lambda: faults.renew(node) if node.incarnation == incarnation else None)

    faults.later(min(fault.duration_ms, 1_000), start)
    return True


def sync_error(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Syncs fail for a while, and what they were to make durable is lost with the process.

    Where acknowledgements are not durable, that is lost which was acknowledged, as at a power loss: one node at a time.
    """

    def on_operation(operation: Operation) -> DiskFault | None:
        if operation.name not in _SYNCS or faults.must_wait(node):
            return None
        if operation.name == "sync":
            if not faults.may_lose_tail(node):
                return None
            faults.lost_tail(node)
        acted()
        return DiskFault.IO_ERROR

    return _arm_for_a_while(faults, fault, node, on_operation)


def disk_stall(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """One of the next operations takes 50 ms to 15 s."""
    if node.state == "OFF" or node.paused:
        return False
    rng = faults.rng_of(fault)
    shortest_us = _SHORTEST_STALL_US << rng.below(_STALL_DOUBLINGS)
    stall_us = rng.uniform_ms(shortest_us, 2 * shortest_us)
    passed_over = fault.amount

    def on_operation(operation: Operation) -> None:
        nonlocal passed_over
        if passed_over:
            passed_over -= 1
            return
        acted()
        node.disk.disarm(on_operation)
        node.disk.stall(stall_us)

    node.disk.arm(on_operation)
    return True


def slow_sync(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """Every sync takes 100 ms to a second for a while."""
    rng = faults.rng_of(fault)

    def on_operation(operation: Operation) -> None:
        if operation.name in _SYNCS:
            acted()
            node.disk.stall(rng.uniform_ms(*_SLOW_SYNC_US))

    return _arm_for_a_while(faults, fault, node, on_operation)


def bit_flips(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """For a while reads of record batches give back a flipped bit now and then; what is on the disk stays right.

    Only what is read to answer a fetch, where whoever gets it can see that it is wrong (a search by timestamp opens no batch that it passes
    over); at most once in a second, and never a batch's leader epoch. Nothing of the internal topics: they are compacted, so that a base offset
    too high is taken for a gap.
    """
    disk = node.disk
    rng = faults.rng_of(fault)
    quiet_until_us = 0

    def on_operation(operation: Operation) -> DiskFault | None:
        serves = node.is_serving and operation.name == "read" and operation.path.endswith(LOG_SUFFIX) and "/__" not in operation.path
        return DiskFault.BIT_FLIP if serves and faults.cluster.scheduler.now_us >= quiet_until_us else None

    def flip(path: str, position: int, data: bytes) -> bytes:
        nonlocal quiet_until_us
        at = place_to_flip(data, rng)
        if at is None:
            return data
        acted()
        now_us = faults.cluster.scheduler.now_us
        quiet_until_us = now_us + _BETWEEN_FLIPS_US
        faults.cluster.trace.line(node.machine, f"reads a flipped bit at {position + at} of {path}")
        return data[:at] + bytes([data[at] ^ 1 << rng.below(8)]) + data[at + 1 :]

    disk.flip = flip
    return _arm_for_a_while(faults, fault, node, on_operation)


def place_to_flip(data: bytes, rng: Rng) -> int | None:
    """Some byte of record batches, none of a leader epoch; ``None`` when the bytes do not begin with a batch."""
    epochs: list[int] = []
    start = 0
    while start + _LAST_OFFSET_DELTA_END <= len(data):
        length = int.from_bytes(data[start + 8 : start + LENGTH_OVERHEAD], "big", signed=True)
        if data[start + MAGIC_POSITION] != 2 or length < HEADER_BYTES - LENGTH_OVERHEAD:
            return None
        epochs += [start + at for at in _EPOCH_BYTES]
        start += length + LENGTH_OVERHEAD
    if not epochs:
        return None
    at = rng.below(len(data))
    return at if at not in epochs else at - len(_EPOCH_BYTES)


def _some_directory(faults: "Faults", fault: "Fault", node: SimNode) -> str:
    directories = node.config.log_dirs
    return directories[faults.rng_of(fault).below(len(directories))]


def _lies_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + "/")


def _arm_for_a_while(faults: "Faults", fault: "Fault", node: SimNode, hook: Hook) -> bool:
    """Let a hook have its way with a process for the duration, and start the process anew if it has lost a directory by then."""
    if node.state == "OFF" or node.paused:
        return False
    incarnation = node.incarnation
    duration_ms = max(fault.duration_ms, _SHORTEST_MS)
    node.disk.arm(hook)

    def is_over() -> None:
        if node.incarnation == incarnation:
            node.disk.disarm(hook)
            faults.renew(node)

    faults.later(duration_ms, is_over)
    return True


STRIKES: "dict[str, Strike]" = {
    "full disk": full_disk,
    "write error": write_error,
    "read error": read_error,
    "error in recovery": error_in_recovery,
    "sync error": sync_error,
    "disk stall": disk_stall,
    "slow sync": slow_sync,
    "bit flips": bit_flips,
}
