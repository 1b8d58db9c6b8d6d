"""The timeline as pictures: SVG made by hand, all with one time axis, so that a kill can be followed from top to bottom of the page.

Colours come from CSS variables of the page, so that light and dark differ there only. Whatever a colour says, a label says too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from holdwater.prove.history.model import History, State
from holdwater.prove.judge.causes import Leadership
from holdwater.prove.judge.pauses import Pause
from holdwater.prove.judge.verdict import Judged

WIDTH = 1000
LEFT, RIGHT = 58, 14
TOP, BOTTOM = 8, 24
ROW = 20
BINS = 200
POINTS = 240
_BROKER_COLOURS = 8
_NAMED_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Axis:
    """Seconds of the run to pixels."""

    end_s: float

    def x(self, seconds: float) -> float:
        """Horizontal place of a time."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(seconds, 0.0), self.end_s) / self.end_s, 1)

    def ticks(self) -> list[float]:
        """Round seconds, ten of them at most."""
        step = next(step for step in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 86400) if self.end_s / step <= 10)
        return [step * number for number in range(int(self.end_s / step) + 1)]


def axis_of(history: History) -> Axis:
    """From the start of the run to the last thing that was recorded."""
    last = [history.events[-1].time_ns] if history.events else []
    last += [history.samples[-1].time_ns] if history.samples else []
    last += [max(history.sends.done_ns)] if len(history.sends) else []
    return Axis(max(history.seconds(max(last, default=history.origin_ns)), 1.0))


def _svg(height: float, label: str, body: Iterable[str]) -> str:
    """Faults and starts are drawn last, over the bars."""
    total = height + TOP + BOTTOM
    return (
        f'<svg viewBox="0 0 {WIDTH} {total:.0f}" role="img" aria-label="{escape(label, quote=True)}" preserveAspectRatio="xMidYMid meet">'
        f"{''.join(body)}</svg>"
    )


def _time_axis(axis: Axis, height: float) -> list[str]:
    """Lines and numbers for round seconds."""
    bottom = TOP + height
    parts: list[str] = []
    for tick in axis.ticks():
        x = axis.x(tick)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{bottom + 15}" text-anchor="middle">{tick:g} s</text>')
    return parts


def _marks(judged: Judged, axis: Axis, height: float, *, named: bool = False) -> list[str]:
    """A line for each fault and each start; the topmost picture names them while they are few."""
    parts: list[str] = []
    named = named and len(judged.rounds) <= _NAMED_ROUNDS
    for one in judged.rounds:
        for time_ns, kind, text in ((one.start_ns, "fault", f"{one.fault} {one.broker}"), (one.started_ns, "start", f"start {one.broker}")):
            if not time_ns:
                continue
            x = axis.x(judged.history.seconds(time_ns))
            title = f"{text} at {judged.history.seconds(time_ns):.2f} s"
            parts.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP}" y2="{TOP + height}"><title>{escape(title)}</title></line>')
            if named:
                parts.append(
                    f'<text class="mark {kind}-text" x="{x + 3}" y="{TOP + (10 if kind == "fault" else 24)}">{escape(text)}</text>'
                )
    return parts


def throughput(judged: Judged, axis: Axis) -> str:
    """Writes handed to the client, acknowledged, and delivered, per second."""
    history, height = judged.history, 150.0
    sends = history.sends
    acknowledged = [done for state, done in zip(sends.state, sends.done_ns, strict=True) if state == State.OK]
    series = [("sent", sends.invoke_ns), ("acknowledged", acknowledged), ("read", history.reads.time_ns)]
    counted = [(name, _per_second(times, history, axis)) for name, times in series]
    highest = _nice(max((value for _, values in counted for value in values), default=0))
    parts = _time_axis(axis, height) + _value_axis(highest, height, lambda value: f"{value:,.0f}")
    width = axis.end_s / BINS
    for name, values in counted:
        points = " ".join(f"{axis.x((index + 0.5) * width)},{_y(value, highest, height)}" for index, value in enumerate(values))
        parts.append(f'<polyline class="line {name}" points="{points}"/>')
    parts += _marks(judged, axis, height, named=True)
    return _svg(height, "Writes sent, acknowledged and read per second", parts)


def _per_second(times: Iterable[int], history: History, axis: Axis) -> list[float]:
    bins = [0] * BINS
    width = axis.end_s / BINS
    scale = BINS / (axis.end_s * 1e9)
    origin = history.origin_ns
    for time_ns in times:
        index = int((time_ns - origin) * scale)
        if 0 <= index < BINS:
            bins[index] += 1
    return [count / width for count in bins]


def _nice(value: float) -> float:
    """The next round number at or above."""
    if value <= 0:
        return 1.0
    size = 10 ** (len(str(int(value))) - 1)
    return next((factor * size for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if factor * size >= value), 10.0 * size)


def _y(value: float, highest: float, height: float) -> float:
    return round(TOP + height - height * min(value, highest) / highest, 1)


def _value_axis(highest: float, height: float, text: Callable[[float], str]) -> list[str]:
    parts: list[str] = []
    for share in (0, 0.5, 1):
        y = _y(highest * share, highest, height)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{text(highest * share)}</text>')
    return parts


def _rows(partitions: Sequence[int]) -> tuple[int, dict[int, int], list[str]]:
    """Height of a picture with a row per partition, the top of each row, and the rows' names."""
    tops = {partition: TOP + index * ROW for index, partition in enumerate(partitions)}
    names = [f'<text class="tick" x="{LEFT - 6}" y="{top + 14}" text-anchor="end">p{partition}</text>' for partition, top in tops.items()]
    return len(partitions) * ROW, tops, names


def _bar(axis: Axis, top: float, start_s: float, end_s: float, style: str, title: str, label: str = "") -> str:
    x, end = axis.x(start_s), axis.x(end_s)
    width = max(end - x, 1.5)
    text = (
        f'<text class="inside" x="{x + width / 2:.1f}" y="{top + 14}" text-anchor="middle">{escape(label)}</text>'
        if label and width > 16
        else ""
    )
    return f'<rect class="{style}" x="{x}" y="{top + 2}" width="{width:.1f}" height="{ROW - 4}" rx="2"><title>{escape(title)}</title></rect>{text}'


def refused(judged: Judged, axis: Axis, partitions: Sequence[int]) -> str:
    """When a write waited and none was acknowledged, per partition; below it, thinner, the same for reads."""
    history = judged.history
    height, tops, names = _rows(partitions)
    parts = _time_axis(axis, height) + names

    def add(pauses: Sequence[Pause], style: str, verb: str) -> None:
        for pause in pauses:
            if pause.partition in tops:
                start, end = history.seconds(pause.start_ns), history.seconds(pause.end_ns)
                title = f"p{pause.partition}: nothing {verb} for {pause.length_ms:,.0f} ms, from {start:.2f} s"
                label = f"{pause.length_ms / 1000:.1f} s" if axis.x(end) - axis.x(start) > 40 and style == "pause-write" else ""
                parts.append(_bar(axis, tops[pause.partition], start, end, style, title, label))

    add(judged.write_pauses, "pause-write", "acknowledged")
    add(judged.read_pauses, "pause-read", "delivered")
    parts += _marks(judged, axis, height)
    return _svg(height, "Times without an acknowledgement while a write waited, per partition", parts)


def _segments(story: Leadership, end_ns: int) -> Iterable[tuple[int, int, int]]:
    """(start, end, index of the view) of each state of a partition."""
    for index, start in enumerate(story.times):
        yield start, story.times[index + 1] if index + 1 < len(story.times) else end_ns, index


def leaders(judged: Judged, axis: Axis, partitions: Sequence[int]) -> str:
    """Who led each partition, by colour and number."""
    history = judged.history
    height, tops, names = _rows(partitions)
    parts = _time_axis(axis, height) + names
    end_ns = history.origin_ns + int(axis.end_s * 1e9)
    for partition in partitions:
        story = judged.stories.get(partition, Leadership())
        merged: list[tuple[int, int, int, int]] = []
        for start, end, index in _segments(story, end_ns):
            view = story.views[index]
            if merged and merged[-1][2:] == (view.leader, view.leader_epoch):
                merged[-1] = (merged[-1][0], end, view.leader, view.leader_epoch)
            else:
                merged.append((start, end, view.leader, view.leader_epoch))
        for start, end, leader, epoch in merged:
            style = f"broker b{leader % _BROKER_COLOURS}" if leader >= 0 else "nobody"
            who = f"broker {leader}" if leader >= 0 else "no leader"
            title = f"p{partition}: {who} at leader epoch {epoch}, from {history.seconds(start):.2f} s"
            label = str(leader) if leader >= 0 else ""
            parts.append(_bar(axis, tops[partition], history.seconds(start), history.seconds(end), style, title, label))
    parts += _marks(judged, axis, height)
    return _svg(height, "Leader of each partition over time", parts)


def isr_sizes(judged: Judged, axis: Axis, partitions: Sequence[int]) -> str:
    """How many replicas were in sync: full is dark, every missing one is paler, and the number stands in it."""
    history = judged.history
    height, tops, names = _rows(partitions)
    parts = _time_axis(axis, height) + names
    end_ns = history.origin_ns + int(axis.end_s * 1e9)
    for partition in partitions:
        story = judged.stories.get(partition, Leadership())
        for start, end, index in _segments(story, end_ns):
            view = story.views[index]
            missing = min(len(view.replicas) - len(view.isr), 3)
            title = (
                f"p{partition}: ISR {list(view.isr)}"
                + (f", ELR {list(view.elr)}" if view.elr else "")
                + f", from {history.seconds(start):.2f} s"
            )
            parts.append(
                _bar(
                    axis, tops[partition], history.seconds(start), history.seconds(end), f"isr missing{missing}", title, str(len(view.isr))
                )
            )
    parts += _marks(judged, axis, height)
    return _svg(height, "Number of in-sync replicas of each partition over time", parts)


def high_watermarks(judged: Judged, axis: Axis, partitions: Sequence[int]) -> str:
    """The high watermark of each partition as its leader showed it."""
    history, height = judged.history, 150.0
    points: dict[int, list[tuple[float, int]]] = {partition: [] for partition in partitions}
    for sample in history.samples:
        for view in sample.partitions:
            if view.high_watermark >= 0 and view.partition in points:
                points[view.partition].append((history.seconds(sample.time_ns), view.high_watermark))
    highest = _nice(max((value for line in points.values() for _, value in line), default=0))
    parts = _time_axis(axis, height) + _value_axis(highest, height, lambda value: f"{value:,.0f}")
    for number, (partition, line) in enumerate(points.items()):
        every = max(1, len(line) // POINTS)
        thinned = line[::every] + line[-1:]
        drawn = " ".join(f"{axis.x(seconds)},{_y(value, highest, height)}" for seconds, value in thinned)
        parts.append(f'<polyline class="line hw h{number % _BROKER_COLOURS}" points="{drawn}"><title>p{partition}</title></polyline>')
    parts += _marks(judged, axis, height)
    return _svg(height, "High watermark of each partition over time", parts)
