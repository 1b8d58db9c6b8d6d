"""What each broker says of leaders, ISR, ELR and high watermarks, several times a second, each broker asked by a thread of its own.

Every broker is asked, since one alone can be stale, stopped, or wrong. A broker that does not answer is a sample too.
"""

import threading
import time
from collections.abc import Callable, Iterable

from holdwater.prove.history.model import PartitionView, Sample
from holdwater.rpc import Connection, ConnectionFailed, RpcError, UnsupportedRequest
from holdwater.rpc.calls import Node, describe_quorum, describe_topic, list_offsets

PERIOD_S = 0.2
QUORUM_EVERY = 5
_TIMEOUT_S = 1.5


class Sampler:
    """Threads that watch one topic. ``latest`` holds the newest sample of each broker; ``keep`` gets every sample, from any thread."""

    def __init__(self, nodes: Iterable[Node], topic: str, keep: Callable[[Sample], None], changed: threading.Condition) -> None:
        self.nodes = {node.id: node for node in nodes}
        self.latest: dict[int, Sample] = {}
        self.refused: dict[int, bool] = {}
        """Of a broker that did not answer: whether nobody listens there, or it is only slow."""
        self._topic = topic
        self._keep = keep
        self._changed = changed
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(node,), name=f"sampler-{node.id}", daemon=True) for node in self.nodes.values()
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop asking; returns when no more samples come."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=_TIMEOUT_S + 1)

    def _watch(self, node: Node) -> None:
        connection: Connection | None = None
        number = node.id  # brokers take turns in being asked for the quorum
        controller = quorum_epoch = -1
        due = time.monotonic()
        while not self._stop.is_set():
            number += 1
            try:
                connection = connection or Connection(node.host, node.port, timeout_s=_TIMEOUT_S)
                if number % QUORUM_EVERY == 0:
                    controller, quorum_epoch = _quorum(connection)
                sample = self._ask(connection, node, controller, quorum_epoch)
            except RpcError as error:
                self.refused[node.id] = isinstance(error, ConnectionFailed)
                if connection is not None:
                    connection.close()
                connection = None
                controller = quorum_epoch = -1
                sample = Sample(time.monotonic_ns(), node.id, False, -1, -1, ())
            self._publish(sample)
            due = max(due + PERIOD_S, time.monotonic() - PERIOD_S)
            self._stop.wait(max(0.0, due - time.monotonic()))
        if connection is not None:
            connection.close()

    def _ask(self, connection: Connection, node: Node, controller: int, quorum_epoch: int) -> Sample:
        described = describe_topic(connection, self._topic)
        time_ns = time.monotonic_ns()
        partitions = described.partitions if described is not None else ()
        led = {one.partition: one.leader_epoch for one in partitions if one.leader == node.id}
        high_watermarks = list_offsets(connection, self._topic, led) if led else {}
        views = tuple(
            PartitionView(
                one.partition, one.leader, one.leader_epoch, one.isr, one.elr, one.replicas, high_watermarks.get(one.partition, -1)
            )
            for one in partitions
        )
        return Sample(time_ns, node.id, True, controller, quorum_epoch, views, described.id_text if described is not None else "")

    def _publish(self, sample: Sample) -> None:
        self._keep(sample)
        with self._changed:
            self.latest[sample.broker] = sample
            self._changed.notify_all()


def _quorum(connection: Connection) -> tuple[int, int]:
    """The active controller and its epoch, as far as the broker has such a request: not every cluster that speaks Kafka has a quorum to tell of."""
    try:
        quorum = describe_quorum(connection)
    except UnsupportedRequest:
        return -1, -1
    return quorum.leader, quorum.epoch
