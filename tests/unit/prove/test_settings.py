"""Settings of the clients as librdkafka takes them, tried with librdkafka itself, which shows what it made of them."""

import logging
import re

import pytest
from confluent_kafka import Producer

from holdwater.prove.settings import Settings, client_number


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def taken(key: str, value: str) -> str:
    """What librdkafka has in force for a setting that it was given."""
    lines, logger = _Lines(), logging.Logger("settings")  # noqa: LOG001 - one for itself, that nobody else hears
    logger.addHandler(lines)
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "debug": "conf", key: value}, logger=logger)
    producer.poll(0)
    shown = re.findall(r"request.required.acks = (\S+)", "\n".join(lines.said))
    return shown[0]


@pytest.mark.parametrize("key", ["acks", "request.required.acks"])
@pytest.mark.parametrize(
    "value",
    ["0", "00", "0x0", "-0", "+0", " 0", "08", "0b1", "0x", "4294967296", "1", "01", "+0x1", "1.5", "-1", "-01", "9223372036854775808", "all",
     "ALL", "2", "010"],
)  # fmt: skip
def test_acks_in_every_spelling_that_librdkafka_takes(key: str, value: str) -> None:
    number = taken(key, value)
    assert Settings(producer={key: value}).client("acks") == ("all" if number == "-1" else number)


def test_what_applies_when_nothing_is_said() -> None:
    assert (Settings().client("acks"), Settings().client_ms("retry.backoff.max.ms")) == ("all", 1000)


@pytest.mark.parametrize(
    ("value", "ms"), [("5", 5), ("0.5", 1), ("5.5ms", 6), ("1e3", 1000), ("0x10", 16), ("010", 8), (".5", 1), ("30000", 30000), ("0", 0)]
)
def test_milliseconds(value: str, ms: int) -> None:
    assert Settings(producer={"queue.buffering.max.ms": value}).client_ms("linger.ms") == ms


def test_the_last_name_of_one_setting_counts() -> None:
    assert Settings(producer={"acks": "all", "request.required.acks": "1"}).client("acks") == "1"
    assert Settings(consumer={"socket.timeout.ms": "0x10"}).client_ms("socket.timeout.ms", "consumer") == 16


@pytest.mark.parametrize("text", ["", " ", "all", "x1", "- 1", "--1", "٠"])
def test_what_is_no_number(text: str) -> None:
    assert client_number(text) is None
