"""The client of the benchmarks: one process, confluent-kafka, the same for every cluster.

Reads one JSON object per line (``op`` and its arguments) and answers each with one JSON line. All times are of the monotonic clock, which the
processes of one machine share. Settings that are not named here are librdkafka's defaults.
"""

import json
import os
import select
import socket
import sys
import time
from collections import deque
from typing import Any

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

QUEUE_BACKOFF_MS = 5
_BATCH = 500
_TICK_S = 0.001
_FLUSH_LIMIT_S = 120.0
_TOPIC_LIMIT_S = 60.0


def main() -> int:
    """Serve until the input ends."""
    admins: dict[str, AdminClient] = {}
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        before = time.process_time()
        try:
            answer = _OPS[op](admins, **request)
            answer["client_cpu_s"] = time.process_time() - before
        except (KafkaException, OSError, RuntimeError) as problem:
            answer = {"error": f"{op}: {problem}"}
        print(json.dumps(answer), flush=True)
    return 0


def versions(admins: dict[str, AdminClient]) -> dict[str, Any]:
    """Versions of the client; also the sign that everything is loaded."""
    return {"confluent_kafka": confluent_kafka.version(), "librdkafka": confluent_kafka.libversion()[0]}


# --- topics


def create_topic(
    admins: dict[str, AdminClient], bootstrap: str, topic: str, partitions: int, replicas: int, config: dict[str, str] | None = None
) -> dict[str, Any]:
    """Create a topic, and wait until every partition has its leader and a full ISR. Tries again while the cluster is still gathering."""
    admin = _admin(admins, bootstrap)
    deadline = time.monotonic() + _TOPIC_LIMIT_S
    _create(admin, topic, partitions, replicas, deadline, config)
    while True:
        found = admin.list_topics(topic, timeout=10).topics[topic]
        states = found.partitions.values()
        if found.error is None and len(states) == partitions and all(one.leader >= 0 and len(one.isrs) == replicas for one in states):
            return {"leaders": {index: one.leader for index, one in found.partitions.items()}}
        if time.monotonic() > deadline:
            raise RuntimeError(f"the topic {topic} has no full ISR after {_TOPIC_LIMIT_S:g} s")
        time.sleep(0.05)


def _create(admin: AdminClient, topic: str, partitions: int, replicas: int, deadline: float, config: dict[str, str] | None = None) -> None:
    wanted = NewTopic(topic, num_partitions=partitions, replication_factor=replicas, config=config or {})
    while True:
        created = admin.create_topics([wanted], request_timeout=15)
        try:
            created[topic].result()
        except KafkaException as problem:
            if problem.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def delete_topic(admins: dict[str, AdminClient], bootstrap: str, topic: str) -> dict[str, Any]:
    """Delete a topic."""
    _admin(admins, bootstrap).delete_topics([topic], request_timeout=15)[topic].result()
    return {}


def forget(admins: dict[str, AdminClient], bootstrap: str) -> dict[str, Any]:
    """Drop the connection to a cluster that is about to stop or pause, so that it is not looked for meanwhile."""
    admins.pop(bootstrap, None)
    return {}


def _admin(admins: dict[str, AdminClient], bootstrap: str) -> AdminClient:
    if bootstrap not in admins:
        admins[bootstrap] = AdminClient({"bootstrap.servers": bootstrap})
    return admins[bootstrap]


# --- loads


def first_write(admins: dict[str, AdminClient], topic: str, ready_file: str | None, bootstrap: str | None) -> dict[str, Any]:
    """From a starting cluster to its first acknowledged write; returns when each step was done.

    With ``ready_file`` the cluster is ready when that file is there; without, when every port of ``bootstrap`` accepts a connection.
    """
    if ready_file is not None:
        while not os.path.exists(ready_file):
            time.sleep(0.001)
        with open(ready_file, encoding="utf-8") as file:
            bootstrap = json.load(file)["bootstrap"]
    else:
        for address in (bootstrap or "").split(","):
            _wait_for_port(address)
    ready = time.monotonic()
    admin = AdminClient({"bootstrap.servers": bootstrap})
    _create(admin, topic, 6, 3, ready + _TOPIC_LIMIT_S)
    created = time.monotonic()
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    outcome: list[Any] = []
    producer.produce(topic, b"first", partition=0, on_delivery=lambda error, _: outcome.append(error))
    while not outcome:
        producer.poll(1)
    acknowledged = time.monotonic()
    if outcome[0] is not None:
        raise RuntimeError(f"the first write failed: {outcome[0]}")
    return {"ready": ready, "created": created, "acknowledged": acknowledged}


def _wait_for_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return


def produce(
    admins: dict[str, AdminClient], bootstrap: str, topic: str, partitions: int, size: int, seconds: float, client: dict[str, Any]
) -> dict[str, Any]:
    """As many records as go in; the time until the last is acknowledged counts. Only failures are reported one by one, which is cheapest."""
    failed = [0]

    def on_failure(error: Any, _: Any) -> None:
        failed[0] += error is not None

    producer = Producer({"bootstrap.servers": bootstrap, "delivery.report.only.error": True, **client})
    batch = [{"value": os.urandom(size)} for _ in range(_BATCH)]
    sent = turn = 0
    start = time.monotonic()
    deadline = start + seconds
    while time.monotonic() < deadline:
        taken = producer.produce_batch(topic, batch, turn % partitions, on_failure)
        turn += 1
        sent += taken
        producer.poll(0 if taken == _BATCH else 0.002)
    left = producer.flush(_FLUSH_LIMIT_S)
    elapsed = time.monotonic() - start
    return {"seconds": elapsed, "acknowledged": sent - left - failed[0], "failed": failed[0] + left}


def consume(admins: dict[str, AdminClient], bootstrap: str, topic: str, partitions: int, seconds: float) -> dict[str, Any]:
    """Read the topic from its start, and from its start again whenever the end is reached.

    A consumer of librdkafka whose queue is full asks again after ``fetch.queue.backoff.ms``, a second unless set: with that it would mostly
    sleep, the more the faster the cluster is, and a figure would say little about either.
    """
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "benchmark", "enable.auto.commit": False, "fetch.queue.backoff.ms": QUEUE_BACKOFF_MS}
    )
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, index), timeout=10)[1] for index in range(partitions)]
    total = sum(ends)
    if total == 0:
        raise RuntimeError(f"there is nothing in {topic} to read")
    count = passes = 0
    start = last = time.monotonic()
    deadline = start + seconds
    while last < deadline:
        passes += 1
        remaining = total
        consumer.assign([TopicPartition(topic, index, 0) for index in range(partitions)])
        while remaining and last < deadline:
            got = len(consumer.consume(min(10_000, remaining), timeout=0.25))
            remaining -= got
            count += got
            last = time.monotonic()
    read = total * (passes - 1) + sum(max(one.offset, 0) for one in consumer.position(consumer.assignment()))
    consumer.close()
    return {"seconds": last - start, "records": read, "handed_out": count, "passes": passes}


def one_at_a_time(
    admins: dict[str, AdminClient], bootstrap: str, topic: str, partitions: int, size: int, seconds: float, client: dict[str, Any]
) -> dict[str, Any]:
    """One record, its acknowledgement, the next."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, **client})
    value = os.urandom(size)
    times: list[float] = []
    failed = 0
    outcome: list[Any] = []
    for index in range(partitions):  # connections and metadata first: they are no part of a request's time
        producer.produce(topic, value, partition=index)
    producer.flush(_FLUSH_LIMIT_S)
    start = time.perf_counter()
    while (sent := time.perf_counter()) - start < seconds:
        outcome.clear()
        producer.produce(topic, value, partition=len(times) % partitions, on_delivery=lambda error, _: outcome.append(error))
        while not outcome:
            producer.poll(1)
        times.append(time.perf_counter() - sent)
        failed += outcome[0] is not None
    elapsed = time.perf_counter() - start
    return {"seconds": elapsed, "acknowledged": len(times) - failed, "failed": failed, **_percentiles(times)}


def fixed_rate(
    admins: dict[str, AdminClient],
    bootstrap: str,
    topic: str,
    partitions: int,
    size: int,
    seconds: float,
    rate: float,
    client: dict[str, Any],
) -> dict[str, Any]:
    """Records at a fixed rate, round robin; the time from ``produce`` to the delivery report of each."""
    producer = Producer({"bootstrap.servers": bootstrap, **client})
    value = os.urandom(size)
    times: list[float] = []
    failed = [0]

    def reporter(sent: float) -> Any:
        def report(error: Any, _: Any) -> None:
            times.append(time.perf_counter() - sent)
            failed[0] += error is not None

        return report

    for index in range(partitions):
        producer.produce(topic, value, partition=index)
    producer.flush(_FLUSH_LIMIT_S)
    start = time.perf_counter()
    sent = 0
    while sent < rate * seconds:
        now = time.perf_counter()
        while sent < (now - start) * rate:
            producer.produce(topic, value, partition=sent % partitions, on_delivery=reporter(now))
            sent += 1
        producer.poll(_TICK_S)
    left = producer.flush(_FLUSH_LIMIT_S)
    elapsed = time.perf_counter() - start
    return {"seconds": elapsed, "acknowledged": len(times) - failed[0], "failed": failed[0] + left, **_percentiles(times)}


def _percentiles(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    last = len(ordered) - 1
    return {f"p{percent}_ms": ordered[last * percent // 100] * 1000 for percent in (50, 99)} | {"max_ms": ordered[-1] * 1000}


class SteadyWriter:
    """Writes at a fixed rate until told to stop, and keeps when each partition had an acknowledgement."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.producer = Producer({"bootstrap.servers": bootstrap})
        self.acknowledged: list[list[float]] = [[] for _ in range(partitions)]
        self.waiting: list[deque[float]] = [deque() for _ in range(partitions)]
        self.failed = 0

    def write(self, topic: str, partition: int, value: bytes) -> None:
        """One record; the client's queue is never full at this rate unless the cluster is down for minutes."""
        self.waiting[partition].append(time.monotonic())
        self.producer.produce(topic, value, partition=partition, on_delivery=self._delivered)

    def _delivered(self, error: Any, message: Any) -> None:
        partition = message.partition()
        self.waiting[partition].popleft()
        if error is None:
            self.acknowledged[partition].append(time.monotonic())
        else:
            self.failed += 1

    def status(self) -> dict[str, Any]:
        """Last acknowledgement and the age of the oldest unanswered record, by partition."""
        now = time.monotonic()
        return {
            "last": [times[-1] if times else 0.0 for times in self.acknowledged],
            "oldest_s": [now - waiting[0] if waiting else 0.0 for waiting in self.waiting],
        }


def steady(admins: dict[str, AdminClient], bootstrap: str, topic: str, partitions: int, size: int, rate: float) -> dict[str, Any]:
    """Write until the line ``stop`` comes; a line ``status`` is answered meanwhile."""
    writer = SteadyWriter(bootstrap, partitions)
    value = os.urandom(size)
    start = time.monotonic()
    sent = 0
    while True:
        while sent < (time.monotonic() - start) * rate:
            writer.write(topic, sent % partitions, value)
            sent += 1
        writer.producer.poll(0.001)
        if select.select([sys.stdin], [], [], 0)[0]:
            line = sys.stdin.readline().strip()
            if line != "status":
                break
            print(json.dumps(writer.status()), flush=True)
    writer.producer.flush(_FLUSH_LIMIT_S)
    return {"sent": sent, "failed": writer.failed, "acknowledged": writer.acknowledged}


_OPS: dict[str, Any] = {
    "versions": versions,
    "create_topic": create_topic,
    "delete_topic": delete_topic,
    "forget": forget,
    "first_write": first_write,
    "produce": produce,
    "consume": consume,
    "one_at_a_time": one_at_a_time,
    "fixed_rate": fixed_rate,
    "steady": steady,
}

if __name__ == "__main__":
    sys.exit(main())
