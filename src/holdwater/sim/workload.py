"""What clients do to a cluster while it suffers: one topic, producers, consumers, and at the end the judgement."""

from collections.abc import Mapping

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.client import REQUEST_TIMEOUT_US, Client
from holdwater.sim.cluster import SimCluster
from holdwater.sim.consumer import Consumer
from holdwater.sim.history import History
from holdwater.sim.producer import Producer
from holdwater.sim.verdicts import LivenessViolation, SafetyViolation
from holdwater.wire.messages import CreateTopicsRequest, CreateTopicsResponse
from holdwater.wire.records import batches, read_records

_CREATE_VERSION = 7
_RETRY_US = 200_000
TOPIC = "orders"


class TopicCreator(Client):
    """Creates a topic, however often it must ask."""

    def __init__(self, cluster: SimCluster, topic: str, rng: Rng, partitions: int, replication: int, texts: Mapping[str, str]) -> None:
        super().__init__(cluster, "admin", topic, rng)
        self.created = False
        self._partitions = partitions
        self._replication = replication
        self._texts = texts

    def ask(self) -> None:
        """Ask whoever answers."""
        struct = CreateTopicsRequest.CreatableTopicConfig
        wanted = CreateTopicsRequest.CreatableTopic(
            name=self.topic,
            num_partitions=self._partitions,
            replication_factor=self._replication,
            configs=[struct(name=name, value=text) for name, text in self._texts.items()],
        )
        request = CreateTopicsRequest(topics=[wanted], timeout_ms=10_000)
        self.any_connection().request(request, _CREATE_VERSION, CreateTopicsResponse, REQUEST_TIMEOUT_US, self._answered)

    def _answered(self, response: CreateTopicsResponse | None) -> None:
        code = response.topics[0].error_code if response is not None else -1
        if code in {0, ErrorCode.TOPIC_ALREADY_EXISTS}:
            self.created = True
            self.stop()
        else:
            self.scheduler.after(_RETRY_US, self.ask)


class Workload:
    """See the module."""

    def __init__(
        self,
        cluster: SimCluster,
        rng: Rng,
        *,
        partitions: int = 3,
        producers: int = 2,
        consumers: int = 1,
        interval_us: int = 200_000,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        self.cluster = cluster
        self.history = History()
        self._creator = TopicCreator(cluster, TOPIC, rng.fork(), partitions, min(3, len(cluster.nodes)), texts or {})
        self.producers = [
            Producer(cluster, f"p{number}", TOPIC, rng.fork(), self.history, interval_us=interval_us) for number in range(1, producers + 1)
        ]
        self.consumers = [
            Consumer(cluster, f"c{number}", TOPIC, rng.fork(), self.history, sessions=rng.chance(0.5)) for number in range(1, consumers + 1)
        ]

    def begin(self, limit_ms: int = 30_000) -> None:
        """Create the topic, then let the clients begin."""
        self._creator.ask()
        self.cluster.until("the topic is there and led", self._is_led, limit_ms)
        for producer in self.producers:
            producer.start()
        for consumer in self.consumers:
            consumer.start()

    def _is_led(self) -> bool:
        topic = self.cluster.watch.newest.topic(TOPIC)
        return self._creator.created and topic is not None and all(state.has_leader for state in topic.partitions.values())

    def finish(self, limit_ms: int) -> int:
        """No more faults: stop producing, and wait until every write is answered, the cluster is whole and everything is read.

        Judges the history then, and returns how long it took. Raises ``LivenessViolation`` and ``SafetyViolation``.
        """
        cluster = self.cluster
        begin_ms = cluster.now_ms
        for producer in self.producers:
            producer.producing = False
        cluster.until("every write is answered (L2)", lambda: not any(producer.waiting_count for producer in self.producers), limit_ms)
        cluster.until("every broker is back, every ISR full, replicas equal (L1, L3)", cluster.is_whole, limit_ms)
        cluster.until("everything is read (L5)", self._all_read, limit_ms)
        took_ms = cluster.now_ms - begin_ms
        for client in (*self.producers, *self.consumers):
            client.stop()
        self._judge()
        return took_ms

    def _all_read(self) -> bool:
        ends = {
            ledger_key[1]: ledger.end for ledger_key, ledger in self.cluster.watch.ledgers.items() if ledger.name.startswith(f"{TOPIC}-")
        }
        return all(consumer.positions.get(index, 0) == max(end, 0) for consumer in self.consumers for index, end in ends.items())

    def _judge(self) -> None:
        """Every replica has the same committed bytes, and they fit the history."""
        committed: dict[int, bytes] = {}
        count: dict[int, int] = {}
        for node in self.cluster.nodes.values():
            for partition in self.cluster.partitions(node):
                name, index = partition.topic_partition
                if name == TOPIC:
                    data = self.cluster.bytes_below_high_watermark(node, partition)
                    if committed.setdefault(index, data) != data:
                        raise SafetyViolation("R2", f"{name}-{index}: {node} has other committed bytes than another replica")
                    count[index] = count.get(index, 0) + 1
        topic = self.cluster.watch.newest.topic(TOPIC)
        if topic is None or sorted(committed) != sorted(topic.partitions):
            raise LivenessViolation("the topic or some of its partitions are gone")
        self.history.judge({index: _records(data) for index, data in sorted(committed.items())})


def _records(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for position, header, _ in batches(data):
        found += [(record.offset, record.value or b"") for record in read_records(data, position, header)]
    return found
