"""The rounds of a run: each fault with what it hit, what followed, and when the cluster was whole again. Read from the timeline."""

from dataclasses import dataclass, field

from holdwater.prove.history.model import History

FAULTS = ("kill", "terminate", "pause")


@dataclass(slots=True)
class Round:
    """One fault and its recovery. Times are monotonic; 0 means that it was not seen."""

    number: int
    fault: str
    broker: int
    start_ns: int
    controller: bool
    """The broker was the active controller, by DescribeQuorum, when the fault came."""
    led: list[int] = field(default_factory=list[int])
    replicated: list[int] = field(default_factory=list[int])
    gone_ns: int = 0
    """When the probe saw that the fault acted."""
    led_elsewhere_ns: int = 0
    """When every live broker saw another leader for all partitions that it led."""
    started_ns: int = 0
    started_own: bool = False
    """Whether it was started or resumed on a cluster of our own, without anybody's command."""
    back_ns: int = 0
    """When the broker answered again after it was started or resumed."""
    whole_ns: int = 0
    """When every broker saw all leaders and full ISRs again."""
    end_ns: int = 0
    """Start of the next round, or the end of the record."""
    whole_limit_s: float = 0.0
    """How long the run waited for full ISRs at most; 0 for not known."""
    led_limit_s: float = 0.0
    """The same for other leaders."""

    def touches(self, partition: int) -> bool:
        """Whether the broker led or replicated the partition."""
        return partition in self.led or partition in self.replicated


def rounds(history: History) -> list[Round]:
    """All rounds, in order."""
    found: list[Round] = []
    for event in history.events:
        detail = event.detail
        if event.kind in FAULTS:
            if found:
                found[-1].end_ns = event.time_ns
            found.append(
                Round(
                    number=len(found) + 1,
                    fault=event.kind,
                    broker=detail["broker"],
                    start_ns=event.time_ns,
                    controller=bool(detail.get("controller")),
                    led=list(detail.get("led", [])),
                    replicated=list(detail.get("replicated", [])),
                )
            )
        elif found:
            _note(found[-1], event.kind, event.time_ns, detail)
    if found:
        found[-1].end_ns = history.events[-1].time_ns
    return found


def _note(current: Round, kind: str, time_ns: int, detail: dict[str, object]) -> None:
    if kind == "probe" and detail.get("ok") and detail.get("what") == current.fault:
        current.gone_ns = current.gone_ns or time_ns
    elif kind in ("start", "resume"):
        current.started_ns = current.started_ns or time_ns
        current.started_own = bool(detail.get("own"))
    elif kind == "back" and detail.get("broker") == current.broker:
        current.back_ns = current.back_ns or time_ns
    elif kind == "condition" and detail.get("name") == "leaders-elsewhere":
        current.led_limit_s = float(str(detail.get("limit_s", 0)))
        if detail.get("ok"):
            current.led_elsewhere_ns = time_ns
    elif kind == "condition" and detail.get("name") == "isr-full":
        current.whole_limit_s = float(str(detail.get("limit_s", 0)))
        if detail.get("ok"):
            current.whole_ns = time_ns


def round_of(found: list[Round], start_ns: int, end_ns: int) -> Round | None:
    """The round that a time belongs to: the one it shares most time with; ``None`` when it lies before the first."""
    best, share = None, 0
    for one in found:
        common = min(end_ns, one.end_ns) - max(start_ns, one.start_ns)
        if common > share:
            best, share = one, common
    return best
