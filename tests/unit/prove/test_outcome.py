"""Which answers of librdkafka prove that a write is not in the log, tried with librdkafka itself against a broker that appends and refuses."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_broker import FakeBroker

from holdwater.prove.history.columns import ANSWERS, REFUSED_BY_CLIENT, read_columns
from holdwater.prove.history.load import load_history
from holdwater.prove.history.model import State
from holdwater.prove.settings import Settings
from holdwater.prove.workload.errors_file import ErrorsFile
from holdwater.prove.workload.producer import Writer
from holdwater.wire import messages

_APPENDED_ONLY_HERE = 20
"""NOT_ENOUGH_REPLICAS_AFTER_APPEND."""
_PURGE_QUEUE, _QUEUE_FULL = -152, -184


class _Broker(FakeBroker):
    """Serves many connections at once, as librdkafka makes them; keeps what it is asked to write, and says that its followers have not."""

    def __init__(self) -> None:
        self.appended: list[bytes] = []
        answers = {"MetadataRequest": self._metadata, "ProduceRequest": self._append, "InitProducerIdRequest": self._producer_id}
        super().__init__(answers, versions={"MetadataRequest": (0, 9), "ProduceRequest": (0, 8), "InitProducerIdRequest": (0, 1)})

    def _take(self, connection: socket.socket) -> None:
        threading.Thread(target=super()._take, args=(connection,), daemon=True).start()

    def _metadata(self, _: Any, __: int) -> Any:
        struct = messages.MetadataResponse
        partition = struct.MetadataResponsePartition(partition_index=0, leader_id=1, leader_epoch=0, replica_nodes=[1], isr_nodes=[1])
        return struct(
            brokers=[struct.MetadataResponseBroker(node_id=1, host="127.0.0.1", port=self.port)],
            controller_id=1,
            cluster_id="x",
            topics=[struct.MetadataResponseTopic(name="t", partitions=[partition])],
        )

    def _append(self, request: Any, _: int) -> Any:
        self.appended.append(bytes(request.topic_data[0].partition_data[0].records))
        struct = messages.ProduceResponse
        answer = struct.PartitionProduceResponse(index=0, error_code=_APPENDED_ONLY_HERE, base_offset=0)
        return struct(responses=[struct.TopicProduceResponse(name="t", partition_responses=[answer])])

    def _producer_id(self, _: Any, __: int) -> Any:
        return messages.InitProducerIdResponse(producer_id=1000, producer_epoch=0)


@pytest.fixture
def broker() -> Iterator[_Broker]:
    with _Broker() as one:
        yield one


@pytest.fixture
def errors(tmp_path: Path) -> Iterator[ErrorsFile]:
    file = ErrorsFile(tmp_path / "errors.jsonl")
    yield file
    file.close()


def writer(folder: Path, errors: ErrorsFile, port: int, **client: str) -> Writer:
    given = {"bootstrap.servers": f"127.0.0.1:{port}", "enable.idempotence": "true", "acks": "all", "log_level": 0} | client
    config = {"folder": str(folder / "history"), "topic": "t", "run_id": 1, "seed": 1, "keys": 1, "partitions": 1, "value_bytes": 64}
    return Writer(0, config | {"client": given}, errors)


def states(folder: Path) -> list[State]:
    (folder / "timeline.jsonl").write_text('{"t": 20, "kind": "interrupted"}\n')
    (folder / "samples.jsonl").touch()
    return [State(one) for one in load_history(folder, Settings(producer={"acks": "all"}), origin_ns=0).sends.state]


def test_what_is_taken_back_from_the_queue_may_have_been_written(broker: _Broker, errors: ErrorsFile, tmp_path: Path) -> None:
    one = writer(tmp_path, errors, broker.port, **{"retry.backoff.ms": "700"})
    one.start()
    one.send()
    deadline = time.monotonic() + 10
    while not broker.appended and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)  # for the answer to reach librdkafka, which puts the batch back into its queue for the next attempt
    assert one.finish(time.monotonic()) == 0
    assert len(broker.appended) == 1
    answers = read_columns([tmp_path / "history" / "producer-0"], ANSWERS)
    assert (answers["error"].tolist(), answers["offset"].tolist()) == ([_PURGE_QUEUE], [-1])
    assert states(tmp_path) == [State.UNKNOWN]


def test_what_produce_itself_refused_was_not_written(errors: ErrorsFile, tmp_path: Path) -> None:
    one = writer(tmp_path, errors, 1, **{"queue.buffering.max.messages": "1"})
    one.start()
    one.send()
    one.send()
    one.finish(time.monotonic())
    answers = read_columns([tmp_path / "history" / "producer-0"], ANSWERS)
    assert sorted(zip(answers["sequence"], answers["error"], answers["offset"], strict=True)) == [
        (0, _PURGE_QUEUE, -1),
        (1, _QUEUE_FULL, REFUSED_BY_CLIENT),
    ]
    assert states(tmp_path) == [State.UNKNOWN, State.FAIL]
