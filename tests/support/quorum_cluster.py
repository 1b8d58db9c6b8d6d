"""A whole quorum in virtual time, in one process: messages pass as encoded bytes, and every step is checked.

Everything comes from one seed: latencies, timers, power losses. Links keep the order of what they carry, as TCP does. A stopped process
closes its connections, and both ends learn it; a cut link swallows what is sent, and nobody learns anything. After each event
``Watch`` checks the invariants M1 to M4 over all members at once.
"""

import heapq
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from tests.support.quorum_storage import ListLog, MemorySnapshots, MemoryStorage, MemoryVotes
from tests.support.quorum_watch import Watch

from holdwater.core.quorum import (
    Endpoint,
    HighWatermarkAdvanced,
    LeadershipChanged,
    Quorum,
    QuorumConfig,
    Reply,
    SendRequest,
    SnapshotLoaded,
    Voter,
    VoterSet,
    build_bootstrap_checkpoint,
)
from holdwater.kernel.ports import SnapshotId
from holdwater.kernel.rng import Rng
from holdwater.wire.codec import decode, encode
from holdwater.wire.messages import (
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    VoteRequest,
    VoteResponse,
)

LISTENER = "CONTROLLER"
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"
WALL_START_MS = 1_700_000_000_000
RESPONSE_TO: dict[type, type] = {
    VoteRequest: VoteResponse,
    BeginQuorumEpochRequest: BeginQuorumEpochResponse,
    EndQuorumEpochRequest: EndQuorumEpochResponse,
    FetchRequest: FetchResponse,
    FetchSnapshotRequest: FetchSnapshotResponse,
}


class ProcessDied(Exception):  # noqa: N818 - named for what happened
    """A test made a process die inside a call."""


def directory_id(node_id: int, generation: int = 0) -> bytes:
    """The directory id of a node's first, second ... disk."""
    return bytes([0x40, generation]) + bytes(12) + node_id.to_bytes(2, "big")


def endpoint(node_id: int) -> Endpoint:
    """Where a node listens."""
    return Endpoint(LISTENER, f"node{node_id}", 9000 + node_id)


class Machine:
    """A node's disk, and its process while it runs."""

    def __init__(self, config: QuorumConfig, storage: Any) -> None:
        self.config = config
        self.storage = storage
        self.quorum: Quorum | None = None
        self.incarnation = 0
        self.told_high_watermark = 0
        self.due_ms: int | None = None
        """``next_deadline``, until the member is called again."""
        self.tick_ms = -1
        """When the host will call ``tick``."""
        self.leadership = LeadershipChanged(-1, -1, is_self=False, epoch_start_offset=-1)

    @property
    def log(self) -> ListLog:
        return self.storage.log

    @property
    def snapshots(self) -> MemorySnapshots:
        return self.storage.snapshots

    @property
    def votes(self) -> MemoryVotes:
        return self.storage.votes


class _Event(NamedTuple):
    at_ms: int
    sequence: int
    action: Any
    arguments: tuple[Any, ...]


class Cluster:
    """Voters 1 to n and observers 101 and up."""

    def __init__(
        self,
        *,
        seed: int = 1,
        voters: int = 3,
        observers: int = 0,
        static: bool = False,
        latency_ms: tuple[int, int] = (1, 3),
        tick_delay_ms: int = 0,
        start: bool = True,
        make_storage: Callable[[QuorumConfig, bytes | None], Any] = lambda config, bootstrap: MemoryStorage(bootstrap),
        **settings: int,
    ) -> None:
        self.rng = Rng(seed)
        self.now_ms = 0
        self.trace: list[str] = []
        self.watch = Watch(self)
        self.latency_ms = latency_ms
        self._tick_delay_ms = tick_delay_ms
        self.seen_requests: list[tuple[int, int, Any]] = []
        """Sender, receiver and request of everything sent."""
        self.on_message: Callable[[int, int, Any], None] = lambda source, target, message: None
        """Called for each message that arrives."""
        self._heap: list[_Event] = []
        self._sequence = 0
        self._blocked: dict[tuple[int, int], bool] = {}
        self._link_busy_until: dict[tuple[int, int], int] = {}
        self._static = static
        self.machines: dict[int, Machine] = {}
        ids = list(range(1, voters + 1))
        self.voter_ids = ids
        members = VoterSet(Voter(i, directory_id(i), (endpoint(i),)) for i in ids)
        self.bootstrap = build_bootstrap_checkpoint(members, [], WALL_START_MS)
        static_voters = tuple(Voter(i, bytes(16), (endpoint(i),)) for i in ids) if static else ()
        servers = tuple((endpoint(i).host, endpoint(i).port) for i in ids)
        for node_id in ids + [101 + n for n in range(observers)]:
            is_voter = node_id in ids
            config = QuorumConfig(
                node_id=node_id,
                directory_id=directory_id(node_id),
                cluster_id=CLUSTER_ID,
                listener_name=LISTENER,
                endpoints=(endpoint(node_id),) if is_voter else (),
                bootstrap_servers=servers,
                static_voters=static_voters,
            )
            config = replace(config, **settings)
            self.machines[node_id] = Machine(config, make_storage(config, self.bootstrap if is_voter and not static else None))
        if start:
            for node_id in self.machines:
                self.start(node_id)

    # -- the processes -----------------------------------------------------------------------------------------------------------------

    @property
    def wall_ms(self) -> int:
        return WALL_START_MS + self.now_ms

    def start(self, node_id: int) -> None:
        """Start a node's process on what its disk holds."""
        machine = self.machines[node_id]
        assert machine.quorum is None, f"node {node_id} runs already"
        machine.incarnation += 1
        machine.storage.open()
        machine.told_high_watermark = 0
        machine.tick_ms = -1
        self.note(f"{node_id} starts")
        machine.quorum = Quorum(machine.config, machine.log, machine.snapshots, machine.votes, self.rng.fork(), self.now_ms, self.wall_ms)
        self._settle(node_id)

    def kill(self, node_id: int) -> None:
        """Kill a process: the disk's page cache survives, connections close."""
        machine = self.machines[node_id]
        assert machine.quorum is not None, f"node {node_id} does not run"
        machine.quorum = None
        machine.storage.crash()
        self.note(f"{node_id} dies")
        for other in self.machines:
            if other != node_id and not self.is_blocked(node_id, other):
                self._later(self._latency(), self._connection_closed, other, self.machines[other].incarnation, node_id)

    def power_loss(self, node_id: int) -> None:
        """Kill a process and take back what it had not synced."""
        if self.machines[node_id].quorum is not None:
            self.kill(node_id)
        self.machines[node_id].storage.power_loss(self.rng)
        self.note(f"{node_id} loses power: log end {self.machines[node_id].log.log_end_offset}")

    def replace_disk(self, node_id: int) -> None:
        """An empty disk, with a new directory id."""
        machine = self.machines[node_id]
        assert machine.quorum is None
        fresh = Machine(replace(machine.config, directory_id=directory_id(node_id, 1)), MemoryStorage())
        fresh.incarnation = machine.incarnation
        self.machines[node_id] = fresh
        self.note(f"{node_id} gets an empty disk")

    def _connection_closed(self, node_id: int, incarnation: int, peer: int) -> None:
        machine = self.machines[node_id]
        if machine.incarnation == incarnation and machine.quorum is not None and self.machines[peer].quorum is None:
            self._call(node_id, lambda quorum: quorum.on_disconnected(peer, self.now_ms, self.wall_ms))

    def close_connection(self, node_id: int, peer: int) -> None:
        """The connection from ``node_id`` to ``peer`` closes, both live on."""
        self.note(f"{node_id}: connection to {peer} closes")
        self._call(node_id, lambda quorum: quorum.on_disconnected(peer, self.now_ms, self.wall_ms))

    # -- the network -------------------------------------------------------------------------------------------------------------------

    def block(self, source: int, target: int) -> None:
        """Swallow what ``source`` sends to ``target``."""
        self._blocked[source, target] = True

    def isolate(self, *nodes: int) -> None:
        """Cut the nodes off from all others, both ways."""
        self.note(f"netsplit: {', '.join(str(n) for n in nodes)} alone")
        for node_id in nodes:
            for other in self.machines:
                if other not in nodes:
                    self.block(node_id, other)
                    self.block(other, node_id)

    def heal(self) -> None:
        """Every link works."""
        self._blocked = {}
        self.note("network healed")

    def is_blocked(self, source: int, target: int) -> bool:
        return self._blocked.get((source, target), False)

    def _latency(self) -> int:
        return self.rng.uniform_ms(*self.latency_ms)

    def _arrival_delay(self, source: int, target: int) -> int:
        """Links keep their order."""
        at_ms = max(self.now_ms + self._latency(), self._link_busy_until.get((source, target), 0))
        self._link_busy_until[source, target] = at_ms
        return at_ms - self.now_ms

    def _transmit(self, node_id: int, sent: SendRequest) -> None:
        target = sent.peer if sent.peer >= 0 else sent.port - 9000
        incarnation = self.machines[node_id].incarnation
        assert (sent.host, sent.port) == endpoint(target)[1:], f"{sent.host}:{sent.port} is not where node {target} listens"
        data = encode(sent.request, sent.version)
        self.watch.spoke(node_id, sent.request)
        self.seen_requests.append((node_id, target, sent.request))
        if self.is_blocked(node_id, target):
            return
        self._later(self._arrival_delay(node_id, target), self._arrive, node_id, incarnation, target, sent, data)

    def _arrive(self, source: int, incarnation: int, target: int, sent: SendRequest, data: bytes) -> None:
        if self.is_blocked(source, target):
            return
        if self.machines[target].quorum is None:
            self._later(self._latency(), self._refused, source, incarnation, sent)
            return
        request = decode(type(sent.request), sent.version, data)
        self.on_message(source, target, request)
        tag = (source, incarnation, target, self.machines[target].incarnation, sent)
        response = self._call(target, lambda quorum: self._handle(quorum, request, tag))
        if response is not None:
            self._respond(tag, response)

    def _handle(self, quorum: Quorum, request: Any, tag: Any) -> Any:
        match request:
            case VoteRequest():
                return quorum.handle_vote(request, self.now_ms)
            case BeginQuorumEpochRequest():
                return quorum.handle_begin_quorum_epoch(request, self.now_ms)
            case EndQuorumEpochRequest():
                return quorum.handle_end_quorum_epoch(request, self.now_ms)
            case FetchRequest():
                return quorum.handle_fetch(request, tag, self.now_ms, self.wall_ms)
            case FetchSnapshotRequest():
                return quorum.handle_fetch_snapshot(request, self.now_ms)
            case _:
                raise AssertionError(request)

    def _respond(self, tag: Any, response: Any) -> None:
        source, incarnation, target, _, sent = tag
        data = encode(response, sent.version)
        self.watch.answered(target, sent.request, response)
        if not self.is_blocked(target, source):
            self._later(self._arrival_delay(target, source), self._answer_arrives, source, incarnation, target, sent, data)

    def _answer_arrives(self, node_id: int, incarnation: int, responder: int, sent: SendRequest, data: bytes) -> None:
        machine = self.machines[node_id]
        if machine.quorum is None or machine.incarnation != incarnation or self.is_blocked(responder, node_id):
            return
        response = decode(RESPONSE_TO[type(sent.request)], sent.version, data)
        self.on_message(responder, node_id, response)
        self._call(node_id, lambda quorum: quorum.on_response(sent, response, self.now_ms, self.wall_ms))

    def _refused(self, node_id: int, incarnation: int, sent: SendRequest) -> None:
        machine = self.machines[node_id]
        if machine.quorum is not None and machine.incarnation == incarnation:
            self._call(node_id, lambda quorum: quorum.on_failure(sent, self.now_ms, self.wall_ms))
            self._call(node_id, lambda quorum: quorum.on_disconnected(sent.peer, self.now_ms, self.wall_ms))

    # -- time --------------------------------------------------------------------------------------------------------------------------

    def _later(self, delay_ms: int, action: Any, *arguments: Any) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, _Event(self.now_ms + delay_ms, self._sequence, action, arguments))

    def run(self, duration_ms: int) -> None:
        """Let virtual time pass."""
        self._run(self.now_ms + duration_ms, lambda: False)

    def run_until(self, condition: Any, limit_ms: int = 30_000) -> int:
        """Let time pass until ``condition()``; returns how long it took, and fails after ``limit_ms``."""
        begin_ms = self.now_ms
        self._run(begin_ms + limit_ms, condition)
        assert condition(), f"not within {limit_ms} ms\n" + "\n".join(self.trace[-60:])
        return self.now_ms - begin_ms

    def _run(self, until_ms: int, condition: Any) -> None:
        step_count = 0
        moment_ms = -1
        while not condition():
            at_ms = min([self._heap[0].at_ms if self._heap else until_ms, *(self._deadline(node_id) for node_id in self.machines)])
            if at_ms >= until_ms:
                self.now_ms = until_ms
                return
            step_count = step_count + 1 if at_ms <= moment_ms else 0
            assert step_count < 10_000, f"time stands still at {moment_ms}\n" + "\n".join(self.trace[-40:])
            self.now_ms = moment_ms = max(at_ms, self.now_ms)
            if self._heap and self._heap[0].at_ms <= self.now_ms:
                event = heapq.heappop(self._heap)
                event.action(*event.arguments)
            else:
                due = next(node_id for node_id in self.machines if self._deadline(node_id) <= self.now_ms)
                self.machines[due].tick_ms = -1
                self._call(due, lambda quorum: quorum.tick(self.now_ms, self.wall_ms))

    def _deadline(self, node_id: int) -> int:
        """When the host will call ``tick``: when it is due, or a little later, as a busy host does."""
        machine = self.machines[node_id]
        if machine.quorum is None:
            return 2**63 - 1
        if machine.due_ms is None:
            machine.due_ms = machine.quorum.next_deadline()
        due_ms = machine.due_ms
        if self._tick_delay_ms == 0:
            return due_ms
        if not due_ms <= machine.tick_ms <= due_ms + self._tick_delay_ms or machine.tick_ms < self.now_ms:
            machine.tick_ms = max(due_ms, self.now_ms) + self.rng.uniform_ms(0, self._tick_delay_ms)
        return machine.tick_ms

    # -- calls into a member -----------------------------------------------------------------------------------------------------------

    def _call(self, node_id: int, call: Any) -> Any:
        machine = self.machines[node_id]
        if machine.quorum is None:
            return None
        try:
            result = call(machine.quorum)
            self._settle(node_id)
        except ProcessDied:
            self.kill(node_id)
            return None
        return result

    def _settle(self, node_id: int) -> None:
        """Act on a member's effects, in order, and check the whole."""
        machine = self.machines[node_id]
        machine.due_ms = None
        quorum = machine.quorum
        assert quorum is not None
        for effect in quorum.take_effects():
            match effect:
                case SendRequest():
                    self._transmit(node_id, effect)
                case Reply():
                    tag: Any = effect.tag
                    if tag[3] == machine.incarnation:
                        self._respond(tag, effect.response)
                case LeadershipChanged():
                    machine.leadership = effect
                    self.note(f"{node_id} {quorum.role_name} in {effect.leader_epoch}, leader {effect.leader_id}")
                case HighWatermarkAdvanced():
                    assert effect.high_watermark > machine.told_high_watermark
                    machine.told_high_watermark = effect.high_watermark
                    self.note(f"{node_id} high watermark {effect.high_watermark}")
                case SnapshotLoaded():
                    self.note(f"{node_id} loaded snapshot {effect.snapshot_id.end_offset}-{effect.snapshot_id.epoch}")
        self.watch.check(node_id)

    def note(self, what: str) -> None:
        self.trace.append(f"{self.now_ms:>6} {what}")

    # -- what tests ask and do ---------------------------------------------------------------------------------------------------------

    def quorum(self, node_id: int) -> Quorum:
        quorum = self.machines[node_id].quorum
        assert quorum is not None, f"node {node_id} does not run"
        self.machines[node_id].due_ms = None
        return quorum

    def running(self) -> list[int]:
        return [node_id for node_id, machine in self.machines.items() if machine.quorum is not None]

    def leader(self) -> int | None:
        """The leader with the highest epoch among running nodes."""
        leaders = [(self.quorum(n).epoch, n) for n in self.running() if self.quorum(n).is_leader]
        return max(leaders)[1] if leaders else None

    def elect(self, limit_ms: int = 30_000) -> int:
        """Run until a leader has committed its first record; returns it."""
        self.run_until(self._has_committing_leader, limit_ms)
        leader = self.leader()
        assert leader is not None
        return leader

    def _has_committing_leader(self) -> bool:
        leader = self.leader()
        return leader is not None and self.quorum(leader).high_watermark > self.machines[leader].leadership.epoch_start_offset

    def append(self, count: int = 1, node_id: int | None = None, value: bytes = b"x") -> int:
        """Append one batch at the leader; returns its last offset."""
        target = node_id if node_id is not None else self.leader()
        assert target is not None
        return self._call(target, lambda quorum: quorum.append([value] * count, self.now_ms, self.wall_ms))

    def converged(self) -> bool:
        """All running nodes have the leader's log and high watermark."""
        leader = self.leader()
        if leader is None or not self._has_committing_leader():
            return False
        end = self.machines[leader].log.log_end_offset
        return all(
            self.machines[n].log.log_end_offset == end and self.quorum(n).high_watermark == end and self.quorum(n).leader_id == leader
            for n in self.running()
        )

    def resign(self, node_id: int) -> None:
        """Begin a graceful stop."""
        self.note(f"{node_id} stops gracefully")
        self._call(node_id, lambda quorum: quorum.resign(self.now_ms))

    def snapshot(self, node_id: int, end_offset: int, values: list[bytes] | None = None) -> SnapshotId:
        snapshot_id = self.quorum(node_id).take_snapshot(end_offset, values or [b"state"], self.wall_ms, self.wall_ms)
        self._settle(node_id)
        return snapshot_id
