"""A process of idempotent (or not) producers that send numbered records on an absolute schedule and record every send and answer.

Open loop: the n-th record is due at ``start + n / rate``, whatever happened to those before it, so that a stall cannot hide itself by
slowing the sender down. Each writer is one librdkafka producer with a thread of its own that serves its delivery reports every few
milliseconds; the time of an acknowledgement is librdkafka's own latency added to the time of the send.
"""

import threading
import time
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from holdwater.prove.history.columns import ANSWERS, REFUSED_BY_CLIENT, SENDS, ColumnWriter
from holdwater.prove.history.payload import HEADER, Stationery
from holdwater.prove.workload.channel import STATUS_EVERY_S, Channel
from holdwater.prove.workload.errors_file import ErrorsFile

POLL_S = 0.005
_FLUSH_EVERY_NS = 200_000_000
_QUEUE_FULL = -184


class Writer:
    """One producer. ``send`` is called by the scheduling thread only; answers are recorded by the writer's own thread only."""

    def __init__(self, number: int, config: dict[str, Any], errors: ErrorsFile) -> None:
        folder = Path(config["folder"]) / f"producer-{number}"
        self._number = number
        self._topic: str = config["topic"]
        self._sends = ColumnWriter(folder, SENDS)
        self._answers = ColumnWriter(folder, ANSWERS)
        self._stationery = Stationery(
            config["run_id"],
            config["seed"],
            number,
            keys=config["keys"],
            partitions=config["partitions"],
            value_bytes=config["value_bytes"],
        )
        self._producer = Producer(config["client"] | {"error_cb": errors.client_error(f"writer {number}")})
        self._stop = threading.Event()
        self._sequence = 0
        self.sent = self.failed = 0
        self.acknowledged = [0] * config["partitions"]
        self.last_error = ""
        self.refused_locally: list[tuple[int, int, int]] = []
        """(sequence, error, time) of what produce() itself refused: these alone were surely never written."""
        self._flushed_ns = 0
        self.longest_wait_ns = 0
        self._thread = threading.Thread(target=self._serve, name=f"writer-{number}", daemon=True)

    def start(self) -> None:
        """Begin to serve delivery reports."""
        self._thread.start()

    def send(self) -> None:
        """Hand the next record to librdkafka; a local refusal (queue full, topic unknown) is recorded as an answer."""
        sequence = self._sequence
        self._sequence += 1
        sent_ns = time.monotonic_ns()
        partition, key, value = self._stationery.record(sequence, sent_ns)
        self._sends.append(self._number, sequence, partition, sent_ns)
        self.sent += 1
        try:
            self._producer.produce(self._topic, value, key, partition, on_delivery=self._delivered)
        except BufferError:
            self.refused_locally.append((sequence, _QUEUE_FULL, time.monotonic_ns()))
        except KafkaException as error:
            self.last_error = str(error.args[0])
            self.refused_locally.append((sequence, error.args[0].code(), time.monotonic_ns()))

    def flush_sends(self) -> None:
        """Write the recorded sends to their files."""
        self._sends.flush()

    def rows(self) -> dict[str, int]:
        """How many rows were recorded, by stream."""
        return {SENDS.name: self._sends.rows, ANSWERS.name: self._answers.rows}

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        now_ns = time.monotonic_ns()
        _, _, writer, partition, sequence, sent_ns, _ = HEADER.unpack_from(message.value() or b"")
        if error is not None:
            self.failed += 1
            self.last_error = str(error)
            self._answers.append(writer, sequence, -1, error.code(), now_ns)
            return
        latency_s = message.latency()
        # librdkafka stamps the answer when it arrives; this callback runs later, in turn with all others.
        done_ns = min(now_ns, sent_ns + int(latency_s * 1e9)) if latency_s else now_ns
        offset = message.offset()
        self._answers.append(writer, sequence, -1 if offset is None or offset < 0 else offset, 0, done_ns)
        self.acknowledged[partition] += 1

    def _serve(self) -> None:
        while not self._stop.is_set():
            before_ns = time.monotonic_ns()
            served = self._producer.poll(POLL_S)
            now_ns = time.monotonic_ns()
            if not served:
                self.longest_wait_ns = max(self.longest_wait_ns, now_ns - before_ns - int(POLL_S * 1e9))
            if now_ns - self._flushed_ns > _FLUSH_EVERY_NS:
                self._answers.flush()
                self._flushed_ns = now_ns

    def finish(self, deadline: float) -> int:
        """Wait for outstanding answers, take back what is still queued, and close the history. Returns how many stay without an answer."""
        while len(self._producer) and time.monotonic() < deadline:
            time.sleep(0.02)
        if len(self._producer):
            # What is still in the local queue comes back as _PURGE_QUEUE, so that it is known to have had no answer. No more than that:
            # a batch that a broker refused after it had appended it waits there for its next attempt.
            self._producer.purge(in_queue=True, in_flight=False)
            time.sleep(0.5)
        self._stop.set()
        self._thread.join()
        self._producer.poll(0)
        for sequence, code, at_ns in self.refused_locally:
            self._answers.append(self._number, sequence, REFUSED_BY_CLIENT, code, at_ns)
        self._sends.close()
        self._answers.close()
        return len(self._producer)


def run(channel: Channel) -> None:
    """Send until told to stop, then wait for the answers."""
    config = channel.config
    errors = ErrorsFile(Path(config["folder"]) / "producer-errors.jsonl")
    writers = [Writer(number, config, errors) for number in range(config["writers"])]
    for writer in writers:
        writer.start()
    channel.say("ready")
    latest_ns, limit_s = _send_on_schedule(channel, writers, config["rate"])
    deadline = time.monotonic() + limit_s
    left = sum(writer.finish(deadline) for writer in writers)
    errors.close()
    waited_ns = max(writer.longest_wait_ns for writer in writers)
    rows = {f"producer-{number}": writer.rows() for number, writer in enumerate(writers)}
    _say_status(channel, writers, "done", left=left, stall_ms=round(max(latest_ns, waited_ns) / 1e6, 1), rows=rows)


def _send_on_schedule(channel: Channel, writers: list[Writer], rate: float) -> tuple[int, float]:
    """Returns the largest delay of a send against its schedule, and how long to wait for answers."""
    period_ns = 1e9 / rate
    start_ns = time.monotonic_ns()
    number = latest_ns = 0
    status_ns = start_ns
    while True:
        now_ns = time.monotonic_ns()
        due = int((now_ns - start_ns) / period_ns) + 1
        if number < due:
            latest_ns = max(latest_ns, now_ns - start_ns - int(number * period_ns))
            while number < due:
                writers[number % len(writers)].send()
                number += 1
        if now_ns - status_ns >= STATUS_EVERY_S * 1e9:
            status_ns = now_ns
            for writer in writers:
                writer.flush_sends()
            _say_status(channel, writers, "status", stall_ms=round(latest_ns / 1e6, 1))
        command = channel.command()
        if command is not None and command["do"] == "stop":
            return latest_ns, command["limit_s"]
        wait_s = (start_ns + number * period_ns - time.monotonic_ns()) / 1e9
        if wait_s > 0:
            time.sleep(min(wait_s, 0.01))


def _say_status(channel: Channel, writers: list[Writer], kind: str, **more: Any) -> None:
    channel.say(
        kind,
        sent=sum(writer.sent for writer in writers),
        acknowledged=[sum(column) for column in zip(*(writer.acknowledged for writer in writers), strict=True)],
        failed=sum(writer.failed + len(writer.refused_locally) for writer in writers),
        last_error=next((writer.last_error for writer in writers if writer.last_error), ""),
        **more,
    )


if __name__ == "__main__":
    run(Channel())
