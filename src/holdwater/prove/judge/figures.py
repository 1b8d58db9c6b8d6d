"""The numbers of a run that are no verdict: counts, latencies, rates, and what each round took."""

from collections import Counter
from dataclasses import dataclass
from itertools import compress
from typing import Any

from holdwater.prove.history.model import History, State
from holdwater.prove.judge.pauses import Pause, charged_to
from holdwater.prove.judge.rounds import Round
from holdwater.prove.judge.writes import Occurrences

_OK = int(State.OK)
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Counts:
    """How the writes ended, and what is known of the unknown ones."""

    sent: int
    ok: int
    fail: int
    unknown: int
    unknown_in_log: int
    fire_and_forget: int
    read: int
    in_log: int

    def as_json(self) -> dict[str, int]:
        """Stable names."""
        return {name: getattr(self, name) for name in self.__slots__}


def counts(history: History, occurrences: Occurrences) -> Counts:
    """Count every write by its outcome."""
    state = history.sends.state
    unknown = [identifier for identifier, one in enumerate(state) if one == State.UNKNOWN]
    return Counts(
        sent=len(state),
        ok=state.count(State.OK),
        fail=state.count(State.FAIL),
        unknown=len(unknown),
        unknown_in_log=sum(1 for identifier in unknown if occurrences.seen[identifier]),
        fire_and_forget=state.count(State.SENT),
        read=len(history.reads),
        in_log=sum(len(log.offsets) for log in history.log.values()),
    )


def ok_before_and_after(history: History, found: list[Round]) -> tuple[int, int]:
    """Acknowledgements before the first fault, and after the last one."""
    sends = history.sends
    first = found[0].start_ns if found else 2**63 - 1
    last = found[-1].start_ns if found else 0
    acknowledged = [done_ns for state, done_ns in zip(sends.state, sends.done_ns, strict=True) if state == _OK]
    return sum(done_ns < first for done_ns in acknowledged), sum(done_ns > last for done_ns in acknowledged)


def latency_ms(history: History, until_ns: int) -> dict[str, float]:
    """Time from produce() to the acknowledgement, for writes that were acknowledged before the given time (the first fault)."""
    sends = history.sends
    taken = sorted(
        done - invoke
        for state, done, invoke in zip(sends.state, sends.done_ns, sends.invoke_ns, strict=True)
        if state == _OK and done < until_ns
    )
    if not taken:
        return {}
    at = {"p50": 0.5, "p99": 0.99}
    figures = {name: round(taken[min(len(taken) - 1, int(len(taken) * share))] / 1e6, 3) for name, share in at.items()}
    return figures | {"max": round(taken[-1] / 1e6, 3)}


def per_second(history: History) -> list[dict[str, int]]:
    """Writes handed to the client, acknowledged and delivered in each second of the run."""
    sends, origin = history.sends, history.origin_ns
    acknowledged = compress(sends.done_ns, map(_OK.__eq__, sends.state))
    sent, ok, read = (Counter([(t - origin) // _SECOND for t in times]) for times in (sends.invoke_ns, acknowledged, history.reads.time_ns))
    last = max([*sent, *ok, *read], default=-1)
    return [{"second": second, "sent": sent[second], "ok": ok[second], "read": read[second]} for second in range(last + 1)]


def round_figures(history: History, found: list[Round], one: Round, writes: list[Pause], reads: list[Pause]) -> dict[str, Any]:
    """What one round took. Pauses are those on partitions that the broker led or replicated, from the fault to the next round."""

    def worst(pauses: list[Pause]) -> float:
        return max((charged.length_ms for charged in charged_to(pauses, found, one)), default=0.0)

    def since(time_ns: int) -> float | None:
        return round((time_ns - one.start_ns) / 1e6, 1) if time_ns else None

    return {
        "round": one.number,
        "fault": one.fault,
        "broker": one.broker,
        "at_s": history.seconds(one.start_ns),
        "active_controller": one.controller,
        "partitions_led": one.led,
        "write_pause_ms": worst(writes),
        "read_pause_ms": worst(reads),
        "leaders_elsewhere_after_ms": since(one.led_elsewhere_ns),
        "started_again_after_ms": since(one.started_ns),
        "whole_after_start_ms": round((one.whole_ns - one.started_ns) / 1e6, 1) if one.whole_ns and one.started_ns else None,
    }
