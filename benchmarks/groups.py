"""Groups of members that are only protocol: how fast a large group settles, and what many idle groups cost.

    python -m benchmarks.groups [--side holdwater|kafka] [--members 100] [--partitions 300] [--groups 1000] [--seconds 30]

Prints JSON. ``settle``: from the first request of a member until every member has its part of the topic. Classic protocol: the initial rebalance
delay is taken off. Consumer protocol (KIP-848): in heartbeat intervals too, from the first request and from the answer to the last member that
joined, once with members that all join in one moment, once with members that join one after another within one interval. ``cost``: CPU of all
brokers while so many groups of three members send a heartbeat each 3 s, in cores, for both protocols.
"""

import argparse
import asyncio
import json
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clusters import Cluster, Holdwater, Kafka
from benchmarks.processes import cpu_seconds
from holdwater.rpc import Connection
from holdwater.wire import messages as m
from holdwater.wire.codec import decode, encode
from holdwater.wire.codec.frames import decode_response_header, request_header_version

TOPIC = "groups"
INITIAL_DELAY_MS = 3_000
INTERVAL_S = 3.0
MODERN_INTERVAL_S = 5.0
"""The default of ``group.consumer.heartbeat.interval.ms``."""
_JOIN, _SYNC, _HEARTBEAT, _MODERN, _FIND = 9, 5, 4, 1, 4
_AGAIN = (14, 15, 16)
"""COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR."""


class Peer:
    """One connection; requests may overlap, answers come in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: list[tuple[int, int, type[Any], asyncio.Future[Any]]] = []
        self._number = 0
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def to(cls, address: tuple[str, int]) -> "Peer":
        """Connect."""
        return cls(*await asyncio.open_connection(*address))

    async def call(self, message: Any, version: int, response: type[Any]) -> Any:
        """One request, and its answer."""
        self._number += 1
        header = m.RequestHeader(
            request_api_key=message.API_KEY, request_api_version=version, correlation_id=self._number, client_id="bench"
        )
        data = encode(header, request_header_version(message.API_KEY, version)) + encode(message, version)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((message.API_KEY, version, response, answer))
        self._writer.write(struct.pack(">i", len(data)) + data)
        return await answer

    async def _read(self) -> None:
        while True:
            (length,) = struct.unpack(">i", await self._reader.readexactly(4))
            data = await self._reader.readexactly(length)
            key, version, response, answer = self._waiting.pop(0)
            _, start = decode_response_header(data, key, version)
            answer.set_result(decode(response, version, data, start))

    def close(self) -> None:
        """Give it up."""
        self._task.cancel()
        self._writer.close()


async def coordinator(bootstrap: tuple[str, int], group: str) -> tuple[str, int]:
    """Where a group's coordinator listens."""
    peer = await Peer.to(bootstrap)
    try:
        while True:
            answer = await peer.call(m.FindCoordinatorRequest(key_type=0, coordinator_keys=[group]), _FIND, m.FindCoordinatorResponse)
            found = answer.coordinators[0]
            if not found.error_code:
                return found.host, found.port
            await asyncio.sleep(0.05)
    finally:
        peer.close()


class Classic:
    """A member of a classic group. The leader hands out the partitions in turn."""

    def __init__(self, group: str, partitions: int) -> None:
        self.group = group
        self.partitions = partitions
        self.member_id = ""
        self.generation = -1
        self.is_settled = False

    async def join(self, peer: Peer) -> None:
        """Join and sync, once; ``is_settled`` afterwards, unless a rebalance has come between."""
        protocol = m.JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=b"")
        while True:
            request = m.JoinGroupRequest(
                group_id=self.group,
                session_timeout_ms=600_000,  # joining a thousand groups takes longer than the usual 45 s
                rebalance_timeout_ms=60_000,
                member_id=self.member_id,
                protocol_type="consumer",
                protocols=[protocol],
            )
            joined = await peer.call(request, _JOIN, m.JoinGroupResponse)
            if joined.error_code == 79:  # MEMBER_ID_REQUIRED
                self.member_id = joined.member_id
            elif joined.error_code in _AGAIN:
                await asyncio.sleep(0.05)
            else:
                break
        assert joined.error_code == 0, joined
        self.generation = joined.generation_id
        names = [member.member_id for member in joined.members]
        shares = {name: list(range(at, self.partitions, len(names))) for at, name in enumerate(names)}
        assignment = m.SyncGroupRequest.SyncGroupRequestAssignment
        synced = await peer.call(
            m.SyncGroupRequest(
                group_id=self.group,
                generation_id=self.generation,
                member_id=self.member_id,
                protocol_type="consumer",
                protocol_name="range",
                assignments=[assignment(member_id=name, assignment=bytes(repr(share), "ascii")) for name, share in shares.items()],
            ),
            _SYNC,
            m.SyncGroupResponse,
        )
        self.is_settled = synced.error_code == 0

    async def heartbeat(self, peer: Peer) -> bool:
        """Whether the group goes on as it is."""
        request = m.HeartbeatRequest(group_id=self.group, generation_id=self.generation, member_id=self.member_id)
        return (await peer.call(request, _HEARTBEAT, m.HeartbeatResponse)).error_code == 0


class Modern:
    """A member of a consumer group (KIP-848)."""

    def __init__(self, group: str, number: int) -> None:
        self.group = group
        self.member_id = f"member-{group}-{number}"
        self.member_epoch = 0
        self.interval_s = MODERN_INTERVAL_S
        self.owned: dict[bytes, list[int]] = {}
        self.tells = True

    async def heartbeat(self, peer: Peer) -> bool:
        """One heartbeat; takes over what it is given. Whether it was accepted."""
        joins = self.member_epoch == 0
        part = m.ConsumerGroupHeartbeatRequest.TopicPartitions
        request = m.ConsumerGroupHeartbeatRequest(
            group_id=self.group,
            member_id=self.member_id,
            member_epoch=self.member_epoch,
            rebalance_timeout_ms=60_000 if joins else -1,
            subscribed_topic_names=[TOPIC] if joins else None,
            topic_partitions=[part(topic_id=topic, partitions=owned) for topic, owned in self.owned.items()] if self.tells else None,
        )
        answer = await peer.call(request, _MODERN, m.ConsumerGroupHeartbeatResponse)
        if answer.error_code:
            return False
        self.member_epoch = answer.member_epoch
        self.interval_s = answer.heartbeat_interval_ms / 1000
        self.tells = answer.assignment is not None
        if answer.assignment is not None:
            self.owned = {each.topic_id: each.partitions for each in answer.assignment.topic_partitions}
        return True


async def settle_classic(bootstrap: tuple[str, int], members: int, partitions: int) -> dict[str, float]:
    """Seconds until every member of a new classic group has its partitions."""
    at = await coordinator(bootstrap, "classic")
    peers = [await Peer.to(at) for _ in range(members)]
    began = time.monotonic()
    joined = [Classic("classic", partitions) for _ in range(members)]

    async def until_settled(member: Classic, peer: Peer) -> None:
        while not member.is_settled:
            await member.join(peer)

    await asyncio.gather(*[until_settled(member, peer) for member, peer in zip(joined, peers, strict=True)])
    took_s = time.monotonic() - began
    assert len({member.generation for member in joined}) == 1
    for peer in peers:
        peer.close()
    return {"seconds": round(took_s, 3), "beyond_initial_delay_s": round(took_s - INITIAL_DELAY_MS / 1000, 3)}


async def settle_modern(bootstrap: tuple[str, int], members: int, partitions: int, *, spread_s: float) -> dict[str, float]:
    """Seconds, and heartbeat intervals, until every member of a new consumer group was given its partitions, all in one member epoch.

    Members join evenly over ``spread_s``, all at once with 0, and beat in that rhythm from then on. The group has its members when the last one's
    first heartbeat is answered.
    """
    group = "modern-spread" if spread_s else "modern"
    at = await coordinator(bootstrap, group)
    peers = [await Peer.to(at) for _ in range(members)]
    began = complete = time.monotonic()
    joined = [Modern(group, number) for number in range(members)]

    def is_settled() -> bool:
        counts = [sum(map(len, member.owned.values())) for member in joined]
        return sum(counts) == partitions and max(counts) - min(counts) <= 1 and len({member.member_epoch for member in joined}) == 1

    async def run(member: Modern, peer: Peer, after_s: float) -> None:
        nonlocal complete
        await asyncio.sleep(after_s)
        while not is_settled():
            sent = time.monotonic()
            joins = member.member_epoch == 0
            if not await member.heartbeat(peer):
                await asyncio.sleep(0.1)
            else:
                if joins:
                    complete = time.monotonic()
                if not member.tells:  # who was given something says at once that it has it
                    await asyncio.wait([settled], timeout=max(sent + member.interval_s - time.monotonic(), 0))
            if is_settled() and not settled.done():
                settled.set_result(time.monotonic())

    settled: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    waits_s = [spread_s * number / members for number in range(members)]
    await asyncio.gather(*[run(member, peer, after_s) for member, peer, after_s in zip(joined, peers, waits_s, strict=True)])
    took_s, interval_s = settled.result() - began, joined[0].interval_s
    for peer in peers:
        peer.close()
    return {
        "seconds": round(took_s, 3),
        "heartbeat_intervals": round(took_s / interval_s, 3),
        "heartbeat_intervals_with_all_members": round((settled.result() - complete) / interval_s, 3),
    }


async def cost(bootstrap: tuple[str, int], kind: str, groups: int, seconds: float, pids: Sequence[int]) -> dict[str, float]:
    """Cores that the brokers use while every member sends a heartbeat each 3 s."""
    members: list[tuple[Any, tuple[str, int]]] = []
    for first in range(0, groups, 50):
        names = [f"{kind}-{number}" for number in range(first, min(first + 50, groups))]
        members += [pair for pairs in await asyncio.gather(*[_join(bootstrap, kind, name) for name in names]) for pair in pairs]
    shared = {at: await Peer.to(at) for at in dict.fromkeys(at for _, at in members)}
    failed = 0

    async def beat(member: Any, at: tuple[str, int], after_s: float) -> None:
        nonlocal failed
        await asyncio.sleep(after_s)
        while True:
            sent = time.monotonic()
            failed += not await member.heartbeat(shared[at])
            await asyncio.sleep(max(INTERVAL_S - (time.monotonic() - sent), 0))

    tasks = [asyncio.create_task(beat(member, at, INTERVAL_S * n / len(members))) for n, (member, at) in enumerate(members)]
    await asyncio.sleep(2 * INTERVAL_S)
    failed = 0
    used, began = cpu_seconds(pids), time.monotonic()
    await asyncio.sleep(seconds)
    cores = (cpu_seconds(pids) - used) / (time.monotonic() - began)
    for task in tasks:
        task.cancel()
    for peer in shared.values():
        peer.close()
    return {
        "groups": groups,
        "members": len(members),
        "heartbeats_per_s": round(len(members) / INTERVAL_S),
        "cores": round(cores, 3),
        "failed": failed,
    }


async def _join(bootstrap: tuple[str, int], kind: str, group: str) -> list[tuple[Any, tuple[str, int]]]:
    at = await coordinator(bootstrap, group)
    peers = [await Peer.to(at) for _ in range(3)]
    if kind == "classic":
        members: list[Any] = [Classic(group, 3) for _ in range(3)]

        async def settle(member: Classic, peer: Peer) -> None:
            while not member.is_settled:
                await member.join(peer)

        await asyncio.gather(*[settle(member, peer) for member, peer in zip(members, peers, strict=True)])
    else:
        members = [Modern(group, number) for number in range(3)]
        for _ in range(4):
            for member, peer in zip(members, peers, strict=True):
                await member.heartbeat(peer)
    for peer in peers:
        peer.close()
    return [(member, at) for member in members]


def main() -> int:
    """Start a cluster, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.groups", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", choices=("holdwater", "kafka"), default="holdwater")
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--partitions", type=int, default=300)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdwater-groups-") as folder:
        print(json.dumps(_measure(Path(folder) / "cluster", arguments), indent=2))
    return 0


def _measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    cluster: Cluster = (Holdwater if arguments.side == "holdwater" else Kafka)(folder)
    cluster.prepare()
    cluster.launch()
    try:
        cluster.wait_ready()
        bootstrap = cluster.addresses()[1]
        with Connection(*bootstrap) as connection:
            topic = m.CreateTopicsRequest.CreatableTopic(name=TOPIC, num_partitions=arguments.partitions, replication_factor=3)
            connection.call(m.CreateTopicsRequest(topics=[topic], timeout_ms=30_000), m.CreateTopicsResponse, timeout_s=60)
        time.sleep(3)
        pids = list(cluster.broker_pids().values())
        return {
            "settle": {
                "classic": asyncio.run(settle_classic(bootstrap, arguments.members, arguments.partitions)),
                "consumer": asyncio.run(settle_modern(bootstrap, arguments.members, arguments.partitions, spread_s=0)),
                "consumer_one_after_another": asyncio.run(
                    settle_modern(bootstrap, arguments.members, arguments.partitions, spread_s=MODERN_INTERVAL_S)
                ),
            },
            "cost": {
                kind: asyncio.run(cost(bootstrap, kind, arguments.groups, arguments.seconds, pids)) for kind in ("classic", "consumer")
            },
        }
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
