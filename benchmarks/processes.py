"""What Linux says of processes and of the machine: CPU seconds, memory, who else is busy. Reads /proc, so it runs on Linux only."""

import contextlib
import ctypes
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_UTIME, _STIME, _CUTIME, _CSTIME, _PPID = 11, 12, 13, 14, 1
"""Fields of /proc/PID/stat, counted behind the command's closing bracket."""
BUSY_CORES = 0.10
"""Cores that other processes may use before a figure is marked as taken on a machine that was not idle."""


def die_with_parent(number: int) -> Callable[[], None]:
    """For ``preexec_fn``: the child gets this signal when its parent dies, however it dies."""
    library = ctypes.CDLL(None)

    def ask() -> None:
        library.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)

    return ask


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes together, in seconds."""
    return sum(int(stat[_UTIME]) + int(stat[_STIME]) for pid in pids if (stat := _stat(pid)) is not None) / _TICKS


def descendants(root: int) -> list[int]:
    """``root`` and every process below it."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (stat := _stat(int(name))) is not None:
            children.setdefault(int(stat[_PPID]), []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def memory_bytes(pid: int) -> tuple[int, int]:
    """Proportional and resident set size in bytes."""
    sizes: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        with contextlib.suppress(ValueError, IndexError):
            sizes[name] = int(rest.split()[0]) * 1024
    return sizes["Pss"], sizes["Rss"]


class Load(NamedTuple):
    """How busy the machine was over a stretch of time."""

    seconds: float
    other_cores: float
    """CPU that processes other than ours used, in cores."""
    steal_cores: float
    """CPU that the host did not give to this machine, in cores."""
    load_average: float

    @property
    def idle(self) -> bool:
        """Whether nobody else got in the way."""
        return self.other_cores + self.steal_cores < BUSY_CORES


class LoadWatch:
    """Measures from its creation, or the last ``read``, how busy the machine was with other things than this program and its children."""

    def __init__(self) -> None:
        self._then = _machine()

    def read(self) -> Load:
        """The stretch that ends now; the next begins."""
        before, self._then = self._then, _machine()
        now = self._then
        seconds = max(now[0] - before[0], 1e-9)
        busy, steal, own = (max(0.0, now[index] - before[index]) / seconds for index in (1, 2, 3))
        return Load(seconds, max(0.0, busy - own), steal, os.getloadavg()[0])


def _machine() -> tuple[float, float, float, float]:
    """Monotonic time; busy, stolen and our own CPU seconds so far."""
    fields = [int(field) / _TICKS for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _, _, interrupts, soft, steal = fields
    own = 0.0
    for pid in descendants(os.getpid()):
        stat = _stat(pid)
        if stat is not None:
            own += sum(int(stat[index]) for index in (_UTIME, _STIME, _CUTIME, _CSTIME)) / _TICKS
    return time.monotonic(), user + nice + system + interrupts + soft, steal, own
