"""The verifiable producer: increasing integers to one topic, a JSON line for each acknowledgement or error, totals at the end.

As with Kafka's own there are no retries, so that a refused send shows instead of being hidden by the next attempt.
"""

import time
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from holdwater.prove.errors import UsageError
from holdwater.prove.verifiable.lines import Lines, Stop, exception_name, look_for_brokers, paced, text_of

FLUSH_LIMIT_S = 60.0
STOPPED_LIMIT_S = 5.0
"""Longest wait for answers after a signal: whoever asks it to stop wants it to end."""
_SLICE_S = 0.1


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """What Kafka's flags say; -1 stands for no limit, as there."""

    topic: str
    bootstrap_server: str
    max_messages: int = -1
    throughput: float = -1
    acks: int = -1
    create_time_ms: int = -1
    value_prefix: int | None = None
    repeating_keys: int | None = None
    properties: dict[str, str] = field(default_factory=dict[str, str])


class VerifiableProducer:
    """One run of the producer."""

    def __init__(self, options: ProducerOptions, lines: Lines, *, stopped_limit_s: float = STOPPED_LIMIT_S) -> None:
        self._options = options
        self._stopped_limit_s = stopped_limit_s
        self._lines = lines
        self._sent = self._acked = 0
        self._key = 0
        self._producer: Producer

    def _open(self) -> None:
        """Make librdkafka's client. Raises ``UsageError`` for a setting that it does not know, and when no broker answers."""
        options = self._options
        config = {"client.id": "holdwater-verifiable-producer"} | options.properties
        config |= {"bootstrap.servers": options.bootstrap_server, "acks": str(options.acks), "retries": "0"}
        look_for_brokers(config)
        try:
            self._producer = Producer(config)
        except KafkaException as error:
            raise UsageError(
                f"librdkafka refuses a setting: {error.args[0].str().strip()}", "correct it in the --command-config file"
            ) from error

    def run(self, stop: Stop) -> int:
        """Send until the wanted number or a signal; returns the exit code.

        Raises ``UsageError`` when it cannot begin, and ``BrokenPipeError`` when nobody reads the lines any more.
        """
        self._open()
        options, start = self._options, time.monotonic()
        start_wall_ms = time.time_ns() // 1_000_000
        wait = paced(options.throughput)
        self._lines.say("startup_complete")
        while not stop and not self._lines.unread and not 0 <= options.max_messages <= self._sent:
            # A throughput of 0 stands still, as in Kafka's tool.
            left = 0.1 if options.throughput == 0 else wait(self._sent)
            self._producer.poll(min(left, _SLICE_S))
            if left <= 0:
                self._send(start_wall_ms, stop)
        self._flush(stop)
        self._lines.check()
        self._lines.say("shutdown_complete")
        taken = time.monotonic() - start
        target = int(options.throughput) if options.throughput == int(options.throughput) else options.throughput
        average = self._acked / taken if taken > 0 else 0.0
        self._lines.say("tool_data", sent=self._sent, acked=self._acked, target_throughput=target, avg_throughput=average)
        return stop.exit_code

    def _flush(self, stop: Stop) -> None:
        """Wait for the answers, a shorter time after a signal; in slices, since librdkafka keeps a signal waiting. The rest becomes errors."""
        begin = time.monotonic()
        while len(self._producer) and not self._lines.unread:
            if time.monotonic() - begin >= (self._stopped_limit_s if stop else FLUSH_LIMIT_S):
                break
            self._producer.flush(_SLICE_S)
        if len(self._producer):
            self._producer.purge()
            self._producer.poll(0)

    def _send(self, start_wall_ms: int, stop: Stop) -> None:
        options = self._options
        value = str(self._sent) if options.value_prefix is None else f"{options.value_prefix}.{self._sent}"
        key = self._next_key()
        timestamp = 0 if options.create_time_ms < 0 else options.create_time_ms + time.time_ns() // 1_000_000 - start_wall_ms
        while True:
            try:
                self._producer.produce(options.topic, value, key, on_delivery=self._delivered, timestamp=timestamp)
            except BufferError:
                self._producer.poll(_SLICE_S)
                if stop or self._lines.unread:
                    return
            except KafkaException as error:
                self._failed(key, value, error.args[0])
                break
            else:
                break
        self._sent += 1

    def _next_key(self) -> str | None:
        if self._options.repeating_keys is None:
            return None
        key = str(self._key)
        self._key = (self._key + 1) % self._options.repeating_keys
        return key

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        key, value = text_of(message.key()), text_of(message.value())
        if error is not None:
            self._failed(key, value, error)
            return
        self._acked += 1
        place = {"offset": message.offset(), "topic": message.topic(), "partition": message.partition()}
        self._lines.say("producer_send_success", key=key, value=value, **place)

    def _failed(self, key: str | None, value: str | None, error: KafkaError) -> None:
        what = {"exception": exception_name(error), "message": error.str()}
        self._lines.say("producer_send_error", key=key, value=value, topic=self._options.topic, **what)
