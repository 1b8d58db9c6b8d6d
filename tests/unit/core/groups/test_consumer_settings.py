"""The timeouts and assignors of one group, from its own configuration and the broker's."""

import pytest
from tests.support.coordinator import FakeHost

from holdwater.core.groups.consumer.settings import SettingsOfGroup

JAVA = "org.apache.kafka.coordinator.group.assignor."


@pytest.mark.parametrize(
    ("own", "session_ms"),
    [
        ({}, 45_000),
        ({"consumer.session.timeout.ms": "50000"}, 50_000),
        ({"consumer.session.timeout.ms": "1"}, 45_000),
        ({"consumer.session.timeout.ms": "70000"}, 60_000),
        ({"consumer.session.timeout.ms": "soon"}, 45_000),
        ({"consumer.session.timeout.ms": ""}, 45_000),
        ({"session.timeout.ms": "50000"}, 45_000),
    ],
)
def test_session_timeout(own: dict[str, str], session_ms: int) -> None:
    host = FakeHost(group_configs={"g": own, "other": {"consumer.session.timeout.ms": "55000"}})
    assert SettingsOfGroup("g", host).now().session_timeout_ms == session_ms


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("range", ("range",)),
        ("range,uniform", ("range", "uniform")),
        (f"{JAVA}RangeAssignor,uniform", ("range", "uniform")),
        (f"com.example.Mine,{JAVA}UniformAssignor", ("uniform",)),
        ("com.example.Mine", ("uniform", "range")),
    ],
)
def test_assignors(text: str, names: tuple[str, ...]) -> None:
    assert SettingsOfGroup("g", FakeHost({"group.consumer.assignors": text})).now().assignors == names


def test_a_change_counts_at_once() -> None:
    host = FakeHost()
    settings = SettingsOfGroup("g", host)
    assert settings.now() is settings.now()
    host.group_configs["g"] = {"consumer.assignment.interval.ms": "0"}
    assert settings.now().assignment_interval_ms == 0
    host.group_configs["g"]["consumer.assignment.interval.ms"] = "15000"
    assert settings.now().assignment_interval_ms == 15_000
    host.config = host.config.overlaid({"group.consumer.assignment.interval.ms": "7"})
    del host.group_configs["g"]
    assert settings.now().assignment_interval_ms == 7
