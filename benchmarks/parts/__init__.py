"""What is measured: one module each, with ``run(session)``, which keeps its measurements in the session."""

from collections.abc import Callable

from benchmarks.parts import cold_start, delivery, durability, memory, pause, requests, throughput
from benchmarks.session import Session

PARTS: dict[str, Callable[[Session], None]] = {
    "cold-start": cold_start.run,
    "memory": memory.run,
    "throughput": throughput.run,
    "requests": requests.run,
    "delivery": delivery.run,
    "durability": durability.run,
    "pause": pause.run,
}
