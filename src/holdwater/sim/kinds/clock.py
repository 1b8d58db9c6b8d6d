"""What befalls wall clocks. Monotonic clocks only drift, as ``Settings.drift_ppm_max`` says."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.sim.node import SimNode

if TYPE_CHECKING:
    from holdwater.sim.faults import Fault, Faults, Strike

_JUMP_MAX_MS = 50 * 60 * 1000
"""Less than ``message.timestamp.after.max.ms``, one hour: a broker whose clock is so late still takes what clients send it."""
_LARGE_JUMP_MIN_MS = 61 * 60 * 1000
LARGE_JUMP_MAX_MS = 11 * 60 * 60 * 1000
"""Less than half of ``producer.id.expiration.ms``, one day: a leader whose clock is late may stamp the batches (LogAppendTime) that a follower
whose clock is early starts with, and one to which they are a day old rightly forgets their producers, and with them which batches it has."""


def clock_jump(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A node's wall clock jumps by up to 50 minutes, forward or back, and is put right after the duration."""
    return _jump(faults, fault, node, 0, _JUMP_MAX_MS, acted)


def large_clock_jump(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A node's wall clock jumps by one to 11 hours. While it is late, its broker refuses new records: INVALID_TIMESTAMP."""
    return _jump(faults, fault, node, _LARGE_JUMP_MIN_MS, LARGE_JUMP_MAX_MS, acted)


def _jump(faults: "Faults", fault: "Fault", node: SimNode, low_ms: int, high_ms: int, acted: Callable[[], None]) -> bool:
    acted()
    by_ms = faults.rng_of(fault).uniform_ms(low_ms, high_ms)
    node.clock.set_wall(by_ms if fault.amount % 2 else -by_ms)
    faults.later(fault.duration_ms, node.clock.put_right)
    return True


def clock_freeze(faults: "Faults", fault: "Fault", node: SimNode, acted: Callable[[], None]) -> bool:
    """A node's wall clock stands still, and steps forward to the right time after the duration."""
    acted()
    node.clock.freeze_wall(faults.cluster.scheduler.now_us)
    faults.later(fault.duration_ms, node.clock.put_right)
    return True


STRIKES: "dict[str, Strike]" = {
    "clock jump": clock_jump,
    "large clock jump": large_clock_jump,
    "clock freeze": clock_freeze,
}
