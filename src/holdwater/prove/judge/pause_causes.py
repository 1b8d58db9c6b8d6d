"""Why a partition stood still: what overlaps the pause, as far as the evidence shows it, and the setting that it hangs on."""

from holdwater.prove.history.model import History, State
from holdwater.prove.judge.findings import Cause
from holdwater.prove.judge.leadership import Leadership
from holdwater.prove.judge.pauses import Pause
from holdwater.prove.judge.rounds import Round, round_of
from holdwater.prove.settings import Settings


def of_pause(history: History, pause: Pause, found: list[Round], stories: dict[int, Leadership], settings: Settings) -> Cause:
    """Rule 6: the client, the fault, the return of a broker, the change of leader or the silent broker that overlaps it, and its setting."""
    gave_up = _fatal_in(history, pause)
    if gave_up:
        text = f"{gave_up} writes in it ended with librdkafka's fatal error: the producer had given up, and takes nothing any more."
        return Cause("client-fatal", text, "certain")
    touching = [one for one in found if one.touches(pause.partition)]
    one = round_of(touching, pause.start_ns, pause.end_ns) or round_of(found, pause.start_ns, pause.end_ns)
    if one is not None and one.gone_ns and pause.start_ns <= (one.whole_ns or one.end_ns):
        if one.touches(pause.partition):
            return _of_pause_in_round(pause, one, stories.get(pause.partition, Leadership()), settings)
        text = f"It falls into round {one.number}, but broker {one.broker} neither led nor replicated the partition."
        return Cause("other-partition", text, "likely")
    story = stories.get(pause.partition, Leadership())
    if any(pause.start_ns <= time <= pause.end_ns for time in story.times[1:]):
        return Cause("leader-change", "Leader or ISR of the partition changed in it, with no fault of this run near.", "likely")
    silent = sorted({s.broker for s in history.samples if not s.reachable and pause.start_ns <= s.time_ns <= pause.end_ns})
    if silent:
        return Cause(
            "silent-broker", f"Broker {', '.join(map(str, silent))} did not answer in it, with no fault of this run near.", "likely"
        )
    if pause.end_ns in _firsts(history, pause.partition):
        return Cause("start", "The clients had just started: it ends with the partition's first records.", "likely")
    return Cause("none", "No fault, change of leader or silent broker overlaps it.", "unknown")


_FATAL = -150
"""librdkafka's ``_FATAL``."""


def _fatal_in(history: History, pause: Pause) -> int:
    """Writes to the partition that ended in the pause with the producer's fatal error."""
    sends = history.sends
    rows = zip(sends.error, sends.partition, sends.done_ns, strict=True)
    return sum(
        error == _FATAL and partition == pause.partition and pause.start_ns <= done_ns <= pause.end_ns for error, partition, done_ns in rows
    )


def _firsts(history: History, partition: int) -> tuple[int, int]:
    """When a record of the partition was first acknowledged, and when one was first delivered; 0 for never."""
    sends, reads, ok = history.sends, history.reads, int(State.OK)
    done = zip(sends.partition, sends.state, sends.done_ns, strict=True)
    delivered = zip(reads.partition, reads.time_ns, strict=True)
    return (
        min((done_ns for of, state, done_ns in done if of == partition and state == ok), default=0),
        min((time_ns for of, time_ns in delivered if of == partition), default=0),
    )


_NEAR_FAULT_NS = 1_000_000_000
_IN_FLIGHT_NS = 100_000_000
"""What was under way when the fault came began somewhat before it."""


def _of_pause_in_round(pause: Pause, one: Round, story: Leadership, settings: Settings) -> Cause:
    role = "led" if pause.partition in one.led else "replicated"
    if one.started_ns and pause.start_ns >= one.started_ns:
        ago = (pause.start_ns - one.started_ns) / 1e6
        text = f"Broker {one.broker}, which replicates the partition, was started again {ago:.0f} ms before the pause began, and was catching up."
        return Cause("return", text, "likely")
    who = f"Broker {one.broker}" + (", which was also the active controller," if one.controller else "")
    verb = {"kill": "killed", "terminate": "stopped", "pause": "paused"}[one.fault]
    text = f"{who} {role} the partition and was {verb} {_distance(one.start_ns, pause.start_ns)} the pause began"
    changed = [time for time in story.times if one.start_ns <= time <= pause.end_ns]
    if changed:
        text += f"; a change of leader or ISR was seen {(changed[0] - one.start_ns) / 1e6:.0f} ms after the fault"
    certain = one.start_ns - _IN_FLIGHT_NS <= pause.start_ns <= one.start_ns + _NEAR_FAULT_NS
    return Cause("fault", f"{text}.", "certain" if certain else "likely", _remedy(story, settings))


def _remedy(story: Leadership, settings: Settings) -> str:
    """The setting that a pause after a fault hangs on."""
    replicas = max((len(view.replicas) for view in story.views), default=0)
    needed = settings.topic.get("min.insync.replicas", "1")
    if replicas > 1 and needed.isdecimal() and int(needed) >= replicas:
        return f"min.insync.replicas={replicas - 1}, or a higher replication factor"
    return "holdwater.quick.failover.ms" if settings.kind == "holdwater" else "broker.session.timeout.ms"


def _distance(fault_ns: int, pause_ns: int) -> str:
    difference = (pause_ns - fault_ns) / 1e6
    return f"{difference:.0f} ms before" if difference >= 0 else f"{-difference:.0f} ms after"
