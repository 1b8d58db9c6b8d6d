"""When nothing was acknowledged though a write waited, and when nothing was delivered though a record was there to read."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from holdwater.prove.history.model import History, State
from holdwater.prove.judge.rounds import Round, round_of

_Wait = tuple[int, int, bool]
"""(end of the wait, its start, whether it ended with success), in nanoseconds."""


_QUEUE_FULL = -184
"""librdkafka's ``_QUEUE_FULL``."""


class Pause(NamedTuple):
    """A time in which one partition stood still for one side. ``waiting`` writes (or records) waited when it
    ended.

    ``open`` is True when it had not ended by the end of the run; ``end_ns`` is then when the last of them gave up, or the end of the
    record.
    """

    partition: int
    start_ns: int
    end_ns: int
    waiting: int
    open: bool = False

    @property
    def length_ms(self) -> float:
        """Length in milliseconds."""
        return round((self.end_ns - self.start_ns) / 1e6, 3)


def write_pauses(history: History, *, at_least_ms: float) -> list[Pause]:
    """Per partition: from the last acknowledgement (or the first waiting send, if later) to the next one; only where a send waited.

    A send counts as waiting from the call of produce() until its acknowledgement or error; one without any answer waits to the end, so a
    partition that never comes back shows one open pause. Whether a write that failed is known not to be written makes no difference, but a
    full local queue says nothing of the partition that the write was for.
    """
    sends = history.sends
    end_ns = _end_of_record(history)
    waits_by: dict[int, list[_Wait]] = {}
    ok, sent = int(State.OK), int(State.SENT)
    rows = zip(sends.state, sends.error, sends.partition, sends.done_ns, sends.invoke_ns, strict=True)
    for state, error, partition, done_ns, invoke_ns in rows:
        if state != sent and error != _QUEUE_FULL:
            waits_by.setdefault(partition, []).append((done_ns or end_ns, invoke_ns, state == ok))
    pauses: list[Pause] = []
    for partition in sorted(waits_by):
        pauses += _pauses_of(partition, waits_by[partition], int(at_least_ms * 1e6))
    return pauses


def read_pauses(history: History, *, at_least_ms: float) -> list[Pause]:
    """Per partition: from the last delivery (or the moment the next record was acknowledged, if later) to the next delivery.

    A record that was never acknowledged counts from its send. With several sessions the first to get a record counts.
    """
    sends = history.sends
    waits_by: dict[int, list[_Wait]] = {}
    highest: dict[int, int] = {}
    ok = int(State.OK)
    for _, partition, offset, identifier, time_ns in history.reads.rows():
        if identifier < 0 or offset <= highest.get(partition, -1):
            continue
        highest[partition] = offset
        there_ns = sends.done_ns[identifier] if sends.state[identifier] == ok else sends.invoke_ns[identifier]
        waits_by.setdefault(partition, []).append((time_ns, min(there_ns, time_ns), True))
    pauses: list[Pause] = []
    for partition in sorted(waits_by):
        pauses += _pauses_of(partition, waits_by[partition], int(at_least_ms * 1e6))
    return pauses


def _pauses_of(partition: int, waits: list[_Wait], at_least_ns: int) -> list[Pause]:
    """A gap between two successes is a pause from the moment that somebody waited in it. Linear, however many gaps there are."""
    waits.sort()
    starts = sorted([since for _, since, _ in waits])
    gaps: list[_Gap] = []
    before, following = 0, 0
    for index, (done, _, success) in enumerate(waits):
        if success:
            if done - before >= at_least_ns:
                gaps.append(_Gap(before, done, following, index))
            before, following = done, index + 1
    pauses: list[Pause] = []
    earliest = min((since for _, since, _ in waits[following:]), default=2**63 - 1)
    if following < len(waits) and waits[-1][0] - max(before, earliest) >= at_least_ns:
        pauses.append(Pause(partition, max(before, earliest), waits[-1][0], len(waits) - following, open=True))
    for gap in reversed(gaps):
        earliest = min([earliest, *(since for _, since, _ in waits[gap.following : following])])
        following = gap.following
        start = max(gap.before, earliest)
        if gap.after - start >= at_least_ns:
            # Everything that had begun by then, without what had ended by then.
            waiting = bisect_left(starts, gap.after) - gap.ended
            pauses.append(Pause(partition, start, gap.after, waiting))
    return pauses[::-1]


class _Gap(NamedTuple):
    """``following``: index of the first wait that ended after ``before``; ``ended``: how many ended before ``after``."""

    before: int
    after: int
    following: int
    ended: int


def _end_of_record(history: History) -> int:
    last_event = history.events[-1].time_ns if history.events else 0
    return max(last_event, max(history.sends.done_ns, default=0), max(history.sends.invoke_ns, default=0))


class Charged(NamedTuple):
    """A pause, and from when on it counts: what was before the fault is not its doing."""

    pause: Pause
    since_ns: int

    @property
    def length_ms(self) -> float:
        """Length of what counts, in milliseconds."""
        return round((self.pause.end_ns - self.since_ns) / 1e6, 3)


def charged_to(pauses: Iterable[Pause], found: list[Round], one: Round) -> list[Charged]:
    """The pauses of a round, on the partitions that its broker led or replicated.

    A pause belongs to one round only: of those whose brokers have to do with the partition, the one that it shares most time with. It
    counts from the first of them on, so that the next fault does not hide how long it has been.
    """
    charged: list[Charged] = []
    for pause in pauses:
        touching = _touching(found, pause)
        if round_of(touching, pause.start_ns, pause.end_ns) is one:
            charged.append(Charged(pause, max(pause.start_ns, touching[0].start_ns)))
    return charged


def charged_to_none(pauses: Iterable[Pause], found: list[Round]) -> list[Charged]:
    """The pauses that belong to no round, from the first fault on."""
    if not found:
        return []
    start_ns = found[0].start_ns
    return [Charged(pause, max(pause.start_ns, start_ns)) for pause in pauses if pause.end_ns > start_ns and not _touching(found, pause)]


def _touching(found: list[Round], pause: Pause) -> list[Round]:
    """The rounds that have to do with its partition, and overlap it."""
    return [one for one in found if one.touches(pause.partition) and min(pause.end_ns, one.end_ns) > max(pause.start_ns, one.start_ns)]
