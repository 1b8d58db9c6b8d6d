"""Which brokers are away, by whose doing: a broker that comes or goes without us makes a run invalid."""

from typing import NamedTuple

STARTING = "starting"
AWAY_LIMIT_S = 1.0
"""A broker whose port nobody listens on for this long, without a fault of ours, was ended by somebody else."""
SILENT_LIMIT_S = 10.0
"""A broker that takes connections or requests but does not answer is slow before it is lost."""
_AFTER_GONE_NS = 1_000_000_000
"""Samples of so long after a broker was found gone are of one that has come back, not late news."""


class Unexpected(NamedTuple):
    """What happened without us, and what to do about it."""

    what: str
    next_step: str


class Absences:
    """Times are ``time.monotonic_ns``. ``down`` names brokers that a fault of ours holds down, with the fault, or ``STARTING``."""

    def __init__(self) -> None:
        self.down: dict[int, str] = {}
        self._gone_ns: dict[int, int] = {}
        self._started_ns: dict[int, int] = {}
        self._away_since_ns: dict[int, int] = {}

    def fault_begins(self, broker: int, fault: str) -> None:
        """A fault of ours begins. It may take a while to act, on a busy machine seconds: until then the broker may answer."""
        self.down[broker] = fault
        self._gone_ns.pop(broker, None)

    def is_gone(self, broker: int, now_ns: int) -> None:
        """The fault was seen to act. Until it is undone nobody else's help is expected."""
        self._gone_ns[broker] = now_ns

    def is_undone(self, broker: int, now_ns: int) -> None:
        """The broker may come back, and take its time."""
        self.down[broker] = STARTING
        self._started_ns[broker] = now_ns

    def answered(self, broker: int, sampled_ns: int) -> Unexpected | None:
        """The newest sample of a broker is an answer. A broker that was starting is back, and no longer in ``down``."""
        self._away_since_ns.pop(broker, None)
        state = self.down.get(broker)
        if state == STARTING:
            if sampled_ns > self._started_ns[broker]:
                del self.down[broker]
        elif state is not None and sampled_ns - self._gone_ns.get(broker, sampled_ns) > _AFTER_GONE_NS:
            return Unexpected(f"broker {broker} came back though nobody here started it", "keep a supervisor from restarting it")
        return None

    def silent(self, broker: int, now_ns: int, *, refused: bool) -> Unexpected | None:
        """The newest sample of a broker is none; ``refused``: its machine said that nobody listens."""
        if broker in self.down:
            return None
        since_ns = self._away_since_ns.setdefault(broker, now_ns)
        limit_s = AWAY_LIMIT_S if refused else SILENT_LIMIT_S
        if now_ns - since_ns <= limit_s * 1e9:
            return None
        return Unexpected(f"broker {broker} did not answer for {limit_s:g} s though nobody here stopped it", "see its log")
