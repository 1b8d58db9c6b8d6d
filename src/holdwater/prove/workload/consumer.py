"""A process with one consumer that reads all partitions from the beginning and records every record that it is handed.

It assigns itself all partitions and keeps them, so no rebalance ever excuses a gap. The time of a read is taken when poll() returns.
"""

import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from holdwater.prove.history.columns import READS, ColumnWriter
from holdwater.prove.history.payload import read_stamp
from holdwater.prove.workload.channel import STATUS_EVERY_S, Channel
from holdwater.prove.workload.errors_file import ErrorsFile

POLL_S = 0.02
_BATCH = 500


class Reader:
    """One session: a consumer with its positions."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._config: dict[str, Any] = channel.config
        folder = Path(self._config["folder"])
        self._session: int = self._config["session"]
        self._errors = ErrorsFile(folder / f"consumer-{self._session}-errors.jsonl")
        self._reads = ColumnWriter(folder / f"consumer-{self._session}", READS)
        self._consumer = Consumer(self._config["client"] | {"error_cb": self._errors.client_error(f"session {self._session}")})
        self.positions = dict.fromkeys(range(self._config["partitions"]), 0)
        self._ends: dict[int, int] | None = None
        self._deadline = 0.0
        self._stall_ns = 0

    def run(self) -> None:
        """Read until told where the log ends and that is reached, or the limit for it has passed."""
        topic = self._config["topic"]
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in self.positions])
        self._channel.say("ready")
        status_ns = before_ns = time.monotonic_ns()
        while not self._finished():
            self._poll()
            now_ns = time.monotonic_ns()
            self._stall_ns = max(self._stall_ns, now_ns - before_ns - int(POLL_S * 1e9))
            before_ns = now_ns
            if now_ns - status_ns >= STATUS_EVERY_S * 1e9:
                status_ns = now_ns
                self._reads.flush()
                self._say("status")
            self._obey()
            before_ns = time.monotonic_ns()
        self._reads.close()
        self._errors.close()
        self._say("done")
        self._consumer.close()

    def _poll(self) -> None:
        first = self._consumer.poll(POLL_S)
        if first is None:
            return
        messages = [first, *self._consumer.consume(_BATCH, 0)]
        now_ns = time.monotonic_ns()
        for message in messages:
            self._record(message, now_ns)

    def _record(self, message: Message, now_ns: int) -> None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is not None:
            self._errors.note(f"session {self._session}", error, partition=partition, offset=offset)
            return
        if partition is None or offset is None:
            return
        stamp = read_stamp(self._config["run_id"], partition, message.key(), message.value())
        epoch = message.leader_epoch()
        self._reads.append(
            self._session, partition, offset, stamp.writer, stamp.sequence, -1 if epoch is None else epoch, stamp.flags, now_ns
        )
        self.positions[partition] = offset + 1

    def _obey(self) -> None:
        command = self._channel.command()
        if command is not None and command["do"] == "finish":
            self._ends = {int(partition): end for partition, end in command["ends"].items()}
            self._deadline = time.monotonic() + command["limit_s"]

    def _finished(self) -> bool:
        if self._ends is None:
            return False
        reached = all(self.positions[partition] >= end for partition, end in self._ends.items())
        return reached or time.monotonic() > self._deadline

    def _say(self, kind: str) -> None:
        self._channel.say(kind, read=self._reads.rows, positions=self.positions, stall_ms=round(self._stall_ns / 1e6, 1))


if __name__ == "__main__":
    Reader(Channel()).run()
