"""How the verifiable clients end: when nobody reads their lines any more, and on a signal while no broker answers."""

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from tests.support.fake_broker import FakeBroker

from holdwater.prove.verifiable.lines import Lines
from holdwater.prove.verifiable.producer import ProducerOptions, VerifiableProducer


def silent(request: Any, version: int) -> None:
    return None


SILENT = {"MetadataRequest": silent, "FindCoordinatorRequest": silent, "JoinGroupRequest": silent}


class StopAfter:
    """A signal that comes when it was looked for so many times."""

    exit_code = 130

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def __bool__(self) -> bool:
        self._looks -= 1
        return self._looks < 0


def test_a_reader_that_is_gone_is_noticed_without_a_line() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as out:
        lines = Lines(out)
        lines.say("one")
        assert not lines.unread
        lines.check()
        os.close(read_end)
        assert lines.unread
        lines.say("two")
        with pytest.raises(BrokenPipeError):
            lines.check()


def test_a_line_that_nobody_reads_raises_nothing() -> None:
    """It may be said from a callback of librdkafka."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    out = os.fdopen(write_end, "w")
    lines = Lines(out)
    lines.say("one")
    lines.say("two")
    assert lines.unread
    with pytest.raises(BrokenPipeError):
        out.close()  # what could not be written is still there


def test_one_in_memory_is_always_read() -> None:
    lines = Lines(io.StringIO())
    lines.say("one")
    assert not lines.unread


@pytest.mark.parametrize("arguments", [("verifiable-producer",), ("verifiable-consumer", "--group-id", "g", "--verbose")])
def test_they_end_quietly_when_nobody_reads(arguments: tuple[str, ...]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with FakeBroker(SILENT) as broker:
        command = [sys.executable, "-m", "holdwater", *arguments, "-b", f"127.0.0.1:{broker.port}", "--topic", "t"]
        done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (3, "")


def test_after_a_signal_answers_are_waited_for_no_longer_than_the_limit() -> None:
    out = io.StringIO()
    with FakeBroker(SILENT) as broker:
        options = ProducerOptions("t", f"127.0.0.1:{broker.port}", max_messages=2)
        assert VerifiableProducer(options, Lines(out), stopped_limit_s=0).run(StopAfter(1)) == 130  # type: ignore[arg-type]
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["name"] for line in said] == ["startup_complete", "producer_send_error", "shutdown_complete", "tool_data"]
    assert (said[1]["value"], said[1]["exception"], said[3]["sent"], said[3]["acked"]) == ("0", "_PURGE_QUEUE", 1, 0)
