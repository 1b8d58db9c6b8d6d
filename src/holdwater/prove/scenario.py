"""A scenario is data: a workload, settings, steps and expectations. ``run`` performs the steps, the judge checks the expectations.

Steps wait for conditions with limits, not for time to pass; where time itself is the point (a steady phase), the step says so.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from holdwater.prove.judge.verdict import Expect, Plan


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic of a run; created by it."""

    partitions: int = 6
    replication_factor: int = 3
    configs: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Workload:
    """What the clients do. ``rate`` is records per second of all writers together, on an absolute schedule."""

    rate: float = 2000
    value_bytes: int = 128
    writers: int = 1
    keys: int = 24
    producer: dict[str, Any] = field(default_factory=dict[str, Any])
    consumer: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Steady:
    """Let the workload run for a time, and until ``acked`` more writes are acknowledged."""

    name: str
    seconds: float
    acked: int
    limit_s: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Do something to one broker. ``choose``: ``leader`` (of one partition, another one each round), ``random`` or ``controller``."""

    name: str
    fault: str
    choose: str


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for a condition. When it does not come about: ``needed`` fails the run, otherwise the rounds end and the judge sees it."""

    name: str
    condition: str
    limit_s: float
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """Let time pass: the fault stays for this long."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Undo:
    """Start or resume the broker of the round's fault."""

    name: str


@dataclass(frozen=True, slots=True)
class Rounds:
    """Repeat steps. Each round has one fault; ``controller_rounds`` of them choose the active controller, spread evenly."""

    name: str
    count: int
    steps: "tuple[Step, ...]"
    controller_rounds: int = 0


Step = Steady | Fault | Await | Hold | Undo | Rounds


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario, ready to be performed."""

    name: str
    title: str
    topic: Topic
    workload: Workload
    steps: tuple[Step, ...]
    expectations: tuple[Expect, ...]
    rounds: int
    needs: frozenset[str]
    ok_before: int = 1000
    ok_after: int = 100
    """How many acknowledgements there must be before the first fault and after the last."""

    def plan(self) -> Plan:
        """What the judge needs to know."""
        return Plan(self.name, self.expectations, self.rounds, self.ok_before, self.ok_after)

    def as_json(self) -> dict[str, Any]:
        """For ``run.json``: the scenario as it was performed."""
        return {
            "name": self.name,
            "title": self.title,
            "topic": asdict(self.topic),
            "workload": asdict(self.workload),
            "steps": [_step_as_json(step) for step in self.steps],
        }


def _step_as_json(step: Step) -> dict[str, Any]:
    if isinstance(step, Rounds):
        steps = [_step_as_json(one) for one in step.steps]
        return {"step": "Rounds", "name": step.name, "count": step.count, "controller_rounds": step.controller_rounds, "steps": steps}
    return {"step": type(step).__name__, **asdict(step)}
