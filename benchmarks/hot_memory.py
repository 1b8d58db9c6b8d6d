"""Memory for a load that fills the page cache, so that the host of a virtual machine is not what is measured.

The host hands memory over when a page is touched for the first time, and takes free memory back within seconds (free page reporting). That
costs 5 to 7 microseconds a page of 4 KiB, several times what a broker needs for the records that lie in it, and says nothing about either
system. So a process of its own touches the free memory before the load, and lets go of it as fast as the load takes it. On a machine without
a host the touching takes a second or two and changes nothing.
"""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_CHUNK_BYTES = 64 << 20
_KEPT_FREE_BYTES = 1536 << 20
"""Free memory while the load runs: enough for what else is allocated, little enough to be in use again before the host takes it."""


@contextlib.contextmanager
def hot_memory() -> Iterator[None]:
    """While it is entered, memory that is allocated has been touched shortly before."""
    holder = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        holder.stdout.readline()
        yield
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()


def _free_bytes() -> int:
    found = re.search(r"MemFree:\s*(\d+)", Path("/proc/meminfo").read_text())
    return int(found[1]) * 1024 if found else 0


def _hold() -> None:
    """Touch what is free, say so, and let go of it bit by bit."""
    import time

    held: list[bytearray] = []
    while _free_bytes() > _KEPT_FREE_BYTES + _CHUNK_BYTES:
        held.append(bytearray(b"1") * _CHUNK_BYTES)
    print("ready", flush=True)
    while held:
        if _free_bytes() < _KEPT_FREE_BYTES:
            held.pop()
        else:
            time.sleep(0.01)


if __name__ == "__main__":
    _hold()
