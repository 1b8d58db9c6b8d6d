"""Flags and properties of the verifiable clients, and the lines that they write."""

import io
import json
from pathlib import Path

import pytest
from tests.support.fake_broker import FakeBroker

from holdwater.cli.main import main
from holdwater.prove.errors import UsageError
from holdwater.prove.verifiable.consumer import ConsumerOptions
from holdwater.prove.verifiable.lines import Lines, paced, read_properties, text_of


def options(**changes: object) -> ConsumerOptions:
    return ConsumerOptions(topic="t", bootstrap_server="h:1", group_id="g", **changes)  # type: ignore[arg-type]


def test_flags_override_the_file() -> None:
    config = options(properties={"group.id": "other", "fetch.min.bytes": "7"}, reset_policy="none", session_timeout_ms=6000).config()
    assert (config["group.id"], config["fetch.min.bytes"]) == ("g", "7")
    assert (config["auto.offset.reset"], config["session.timeout.ms"]) == ("error", 6000)
    assert config["partition.assignment.strategy"] == "range"


def test_the_consumer_protocol_has_no_client_side_assignor() -> None:
    config = options(group_protocol="consumer", group_remote_assignor="uniform").config()
    assert "partition.assignment.strategy" not in config
    assert config["group.remote.assignor"] == "uniform"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"reset_policy": "middle"}, "'middle' is no reset policy"),
        ({"assignment_strategy": "org.apache.kafka.clients.consumer.StickyAssignor"}, "has no assignor for"),
        ({"group_protocol": "consumer", "session_timeout_ms": 1}, "--session-timeout is no setting"),
        ({"group_protocol": "consumer", "assignment_strategy": "x"}, "--assignment-strategy is for --group-protocol classic only"),
        ({"group_remote_assignor": "range"}, "--group-remote-assignor is for --group-protocol consumer only"),
    ],
)
def test_what_cannot_be_done_is_said(changes: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        options(**changes).config()


def test_the_default_strategy_may_be_spelled_out() -> None:
    """A harness that gives every flag, as Kafka's tool allows, is understood."""
    strategy = "org.apache.kafka.clients.consumer.RangeAssignor"
    assert "partition.assignment.strategy" not in options(group_protocol="consumer", assignment_strategy=strategy).config()


def test_a_group_needs_a_name() -> None:
    """librdkafka's binding aborts without one."""
    with pytest.raises(UsageError, match="--group-id is empty"):
        ConsumerOptions(topic="t", bootstrap_server="h:1", group_id="").config()


def test_a_properties_file(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("# a comment\n! another\n\nacks = 1\nkey.serializer=org.x\nsasl.jaas.config=a=b\n")
    assert read_properties(file) == {"acks": "1", "sasl.jaas.config": "a=b"}
    file.write_text("acks\n")
    with pytest.raises(UsageError, match="line 1: 'acks' is no key=value"):
        read_properties(file)
    with pytest.raises(UsageError, match="cannot read"):
        read_properties(tmp_path / "absent")


def test_lines_are_one_object_each() -> None:
    out = io.StringIO()
    Lines(out).say("producer_send_success", key=None, value="ü")
    line = json.loads(out.getvalue())
    assert list(line) == ["timestamp", "name", "key", "value"]
    assert (line["key"], line["value"], out.getvalue().count("\n")) == (None, "ü", 1)


def test_bytes_become_text() -> None:
    assert [text_of(one) for one in (b"a", "b", None, b"\xff")] == ["a", "b", None, "�"]


def test_pace() -> None:
    assert paced(-1)(10**9) == 0
    wait = paced(10)
    assert wait(0) == 0
    assert 0.9 < wait(10) <= 1.0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("verifiable-producer", "-b", "h:1", "--topic", "t", "--repeating-keys", "0"), "must be 1 or more"),
        (("verifiable-producer", "-b", "h:1", "--topic", "t", "--command-config", "/absent"), "cannot read /absent"),
        (("verifiable-producer", "-b", "127.0.0.1:1", "--topic", "t"), "no broker answers at 127.0.0.1:1"),
        (("verifiable-producer", "-b", "h", "--topic", "t"), "no broker answers at h: 'h' is no host:port"),
        (("verifiable-consumer", "-b", "127.0.0.1:1", "--topic", "t", "--group-id", "g"), "no broker answers at 127.0.0.1:1"),
        (("verifiable-consumer", "-b", "h:1", "--topic", "t", "--group-id", "g", "--reset-policy", "x"), "'x' is no reset policy"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert why in said.err
    assert "next: " in said.err
    assert said.out == ""


def test_a_setting_that_librdkafka_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c").write_text("no.such=1\n")
    with FakeBroker({}) as broker:
        flags = ("-b", f"127.0.0.1:{broker.port}", "--topic", "t", "--command-config", str(tmp_path / "c"))
        assert main(["verifiable-producer", *flags]) == 2
    assert 'No such configuration property: "no.such"' in capsys.readouterr().err


def test_a_flag_that_librdkafka_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeBroker({}) as broker:
        flags = ("-b", f"127.0.0.1:{broker.port}", "--topic", "t", "--group-id", "g", "--session-timeout", "0")
        assert main(["verifiable-consumer", *flags]) == 2
    what, next_step = capsys.readouterr().err.splitlines()
    assert '"session.timeout.ms" value 0 is outside allowed range' in what
    assert next_step == "next: correct the flag, or the --command-config file"
