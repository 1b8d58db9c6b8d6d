"""Every event in every role is legal or refused: one member, fed by peers that say anything the wire can carry.

What the peers say may contradict itself (a second leader in an epoch, a truncation of what is committed): then the member must stop by one
of the invariants named here, and by nothing else. As long as it goes on, its epoch never falls, its vote stays, and what it said is durable.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.quorum_cluster import CLUSTER_ID, LISTENER, RESPONSE_TO, directory_id, endpoint
from tests.support.quorum_storage import ListLog, MemorySnapshots, MemoryVotes

from holdwater.core.quorum import (
    BOOTSTRAP_SNAPSHOT,
    Endpoint,
    NotLeader,
    Quorum,
    QuorumConfig,
    ReplicaKey,
    SendRequest,
    Voter,
    VoterSet,
    build_bootstrap_checkpoint,
    rpc,
)
from holdwater.kernel.invariant import InvariantViolation
from holdwater.kernel.ports import EpochEnd, SnapshotId
from holdwater.kernel.rng import Rng
from holdwater.wire.codec import decode, encode
from holdwater.wire.messages import (
    BeginQuorumEpochRequest,
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    EndQuorumEpochRequest,
    FetchRequest,
    FetchSnapshotRequest,
    VoteRequest,
    VoteResponse,
)
from holdwater.wire.records import Record, build_batch

LEGITIMATE_STOPS = ("two leaders in quorum epoch", "leader of quorum epoch", "truncation to", "the leader's snapshot")
VOTERS = VoterSet(Voter(i, directory_id(i), (endpoint(i),)) for i in (1, 2, 3))
BOOTSTRAP = build_bootstrap_checkpoint(VOTERS, [b"first"], 0)
KEYS = [ReplicaKey(2, directory_id(2)), ReplicaKey(3, directory_id(3)), ReplicaKey(2, directory_id(2, 1)), ReplicaKey(9, directory_id(9))]
ROLES = ("unattached", "prospective", "candidate", "leader", "follower", "resigned", "observer")


class Lone:
    """Member 1 of three; the others are whatever the test says they say."""

    def __init__(self, *, observer: bool = False) -> None:
        self.log, self.snapshots, self.votes = ListLog(), MemorySnapshots(), MemoryVotes()
        self.snapshots.write(BOOTSTRAP_SNAPSHOT, BOOTSTRAP)
        disk = directory_id(1, 1) if observer else directory_id(1)
        self.config = QuorumConfig(1, disk, CLUSTER_ID, LISTENER, (endpoint(1),), ((endpoint(2).host, endpoint(2).port),))
        self.now_ms = 0
        self.sent: list[SendRequest] = []
        self.start()

    def start(self) -> None:
        self.sent = []
        self.quorum = Quorum(self.config, self.log, self.snapshots, self.votes, Rng(1), self.now_ms, self.now_ms)
        self.settle()

    def settle(self) -> None:
        for effect in self.quorum.take_effects():
            if isinstance(effect, SendRequest):
                data = encode(effect.request, effect.version)
                assert encode(decode(type(effect.request), effect.version, data), effect.version) == data
                self.sent.append(effect)

    def tick(self, to_ms: int | None = None) -> None:
        deadline = self.quorum.next_deadline()
        self.now_ms = max(self.now_ms, deadline if to_ms is None and deadline < 2**62 else to_ms or 0)
        self.quorum.tick(self.now_ms, self.now_ms)
        self.settle()

    def answer(self, sent: SendRequest, response: Any) -> None:
        carried = decode(RESPONSE_TO[type(sent.request)], sent.version, encode(response, sent.version))
        self.quorum.on_response(sent, carried, self.now_ms, self.now_ms)
        self.settle()

    def grant_all(self, role: str) -> None:
        """Run until a pre-vote or vote is out, and grant it."""
        while self.quorum.role_name != role:
            self.tick()
        while self.quorum.role_name == role:
            sent = self.sent.pop(0)
            view = rpc.LeaderView(-1, sent.request.topics[0].partitions[0].replica_epoch, None)
            self.answer(sent, rpc.vote_response(view, 0, granted=True))

    def bring_to(self, role: str) -> None:
        """Take the shortest way to a role."""
        if role == "prospective":
            while self.quorum.role_name != "prospective":
                self.tick()
        if role in {"candidate", "leader", "resigned"}:
            self.grant_all("prospective")
        if role in {"leader", "resigned"}:
            self.grant_all("candidate")
        if role == "resigned":
            self.quorum.resign(self.now_ms)
            self.settle()
        if role == "follower":
            self.quorum.handle_begin_quorum_epoch(
                rpc.begin_quorum_epoch_request(CLUSTER_ID, 2, 1, self.config.key, (endpoint(2),)), self.now_ms
            )
            self.settle()


small = st.integers(-1, 6)
offsets = st.integers(-1, 12)
keys = st.sampled_from(KEYS)
views = st.builds(
    rpc.LeaderView,
    st.sampled_from([-1, 1, 2, 3, 9]),
    st.integers(0, 6),
    st.sampled_from([None, endpoint(2), Endpoint(LISTENER, "elsewhere", 1)]),
)
errors = st.sampled_from([0, 0, 0, 6, 8, 42, 74, 75, 98, 99, 104, 125, -1, 35])
requests = st.one_of(
    st.builds(
        lambda key, epoch, last, end, pre, mine: rpc.vote_request(
            CLUSTER_ID, key, ReplicaKey(1, directory_id(1) if mine else directory_id(7)), epoch, last, end, pre_vote=pre
        ),
        keys,
        small,
        small,
        offsets,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        lambda leader, epoch: rpc.begin_quorum_epoch_request(
            CLUSTER_ID, leader, epoch, ReplicaKey(1, directory_id(1)), (endpoint(max(leader, 0)),)
        ),
        st.sampled_from([-1, 1, 2, 3, 9]),
        small,
    ),
    st.builds(
        lambda leader, epoch, successors: rpc.end_quorum_epoch_request(CLUSTER_ID, leader, epoch, successors, (endpoint(max(leader, 0)),)),
        st.sampled_from([-1, 1, 2, 3, 9]),
        small,
        st.lists(st.sampled_from([*KEYS, ReplicaKey(1, directory_id(1))]), max_size=3),
    ),
    st.builds(
        lambda key, epoch, offset, last, wait, mark: rpc.fetch_request(CLUSTER_ID, key, epoch, offset, last, 0, mark, wait, 10_000),
        st.one_of(keys, st.just(ReplicaKey(-1, bytes(16))), st.just(ReplicaKey(1, directory_id(1)))),
        small,
        offsets,
        small,
        st.sampled_from([-1, 0, 500]),
        st.sampled_from([-1, 0, 3, 2**63 - 1]),
    ),
    st.builds(
        lambda key, epoch, end, snapshot_epoch, position: rpc.fetch_snapshot_request(
            CLUSTER_ID, key, epoch, SnapshotId(end, snapshot_epoch), position, 1000
        ),
        keys,
        small,
        offsets,
        small,
        offsets,
    ),
    st.just(DescribeQuorumRequest(topics=[])),
    st.sampled_from([VoteRequest(), BeginQuorumEpochRequest(), EndQuorumEpochRequest(), FetchRequest(), FetchSnapshotRequest()]),
    st.builds(lambda message: message(cluster_id="other"), st.sampled_from([VoteRequest, FetchRequest, FetchSnapshotRequest])),
)


def batch(base_offset: int, epoch: int, count: int) -> bytes:
    return build_batch([Record(base_offset + n, 0, None, b"v", []) for n in range(count)], base_offset=base_offset, leader_epoch=epoch)


def response_to(sent: SendRequest, view: rpc.LeaderView, error: int, draw: Any) -> Any:
    request = sent.request
    if isinstance(request, VoteRequest):
        return rpc.vote_response(view, error, granted=draw(st.booleans())) if draw(st.booleans()) else VoteResponse(error_code=error)
    if isinstance(request, BeginQuorumEpochRequest):
        return rpc.begin_quorum_epoch_response(view, error)
    if isinstance(request, EndQuorumEpochRequest):
        return rpc.end_quorum_epoch_response(view, error)
    if isinstance(request, FetchSnapshotRequest):
        asked = request.topics[0].partitions[0]
        content = draw(st.sampled_from([b"", b"junk", BOOTSTRAP[:60], BOOTSTRAP]))
        snapshot_id = SnapshotId(asked.snapshot_id.end_offset, asked.snapshot_id.epoch)
        size = draw(st.sampled_from([len(content), len(BOOTSTRAP), 1]))
        return rpc.fetch_snapshot_response(view, error, snapshot_id=snapshot_id, size=size, position=asked.position, content=content)
    offset = request.topics[0].partitions[0].fetch_offset
    kind = draw(st.sampled_from(["empty", "records", "damaged", "torn header", "elsewhere", "diverging", "snapshot"]))
    records = {
        "records": batch(offset, max(view.epoch, 0), 2),
        "damaged": batch(offset, max(view.epoch, 0), 2)[:-1] + b"!",
        "torn header": batch(offset, max(view.epoch, 0), 2) + bytes(61),
        "elsewhere": batch(offset + 1, max(view.epoch, 0), 1),
    }.get(kind, b"")
    return rpc.fetch_response(
        view,
        error,
        high_watermark=draw(offsets),
        records=records,
        diverging=EpochEnd(draw(st.integers(0, 3)), draw(st.integers(0, 6))) if kind == "diverging" else None,
        snapshot_id=SnapshotId(draw(st.integers(1, 20)), draw(st.integers(0, 3))) if kind == "snapshot" else None,
    )


def handle(lone: Lone, request: Any) -> None:
    """Refused or answered: the response can be encoded, and speaks of no epoch below the one before."""
    before = lone.quorum.epoch
    quorum, now = lone.quorum, lone.now_ms
    match request:
        case VoteRequest():
            response: Any = quorum.handle_vote(request, now)
        case BeginQuorumEpochRequest():
            response = quorum.handle_begin_quorum_epoch(request, now)
        case EndQuorumEpochRequest():
            response = quorum.handle_end_quorum_epoch(request, now)
        case FetchRequest():
            response = quorum.handle_fetch(request, object(), now, now)
        case FetchSnapshotRequest():
            response = quorum.handle_fetch_snapshot(request, now)
        case _:
            response = quorum.handle_describe_quorum(request, now, now)
    if response is not None:
        kind = DescribeQuorumResponse if isinstance(request, DescribeQuorumRequest) else RESPONSE_TO[type(request)]
        assert isinstance(response, kind)
        encode(response, kind.MAX_VERSION)
        if isinstance(response, VoteResponse) and response.topics:
            answer = response.topics[0].partitions[0]
            asked = request.topics[0].partitions[0]
            assert answer.leader_epoch >= before
            if answer.vote_granted and not asked.pre_vote:
                vote = lone.votes.vote
                assert vote is not None
                assert (vote.epoch, vote.voted_id) == (asked.replica_epoch, asked.replica_id)
    lone.settle()


def one_event(lone: Lone, draw: Any) -> None:
    choice = draw(
        st.sampled_from(["request", "request", "response", "response", "failure", "tick", "later", "link", "append", "restart", "resign"])
    )
    if choice == "request":
        handle(lone, draw(requests))
    elif choice in {"response", "failure"} and lone.sent:
        sent = lone.sent.pop(draw(st.integers(0, len(lone.sent) - 1)))
        if choice == "failure":
            lone.quorum.on_failure(sent, lone.now_ms, lone.now_ms)
            lone.settle()
        else:
            lone.answer(sent, response_to(sent, draw(views), draw(errors), draw))
    elif choice == "tick":
        lone.tick()
    elif choice == "later":
        lone.tick(lone.now_ms + draw(st.integers(0, 4000)))
    elif choice == "link":
        peer = draw(st.sampled_from([2, 3, 9, -2]))
        if draw(st.booleans()):
            lone.quorum.on_connected(peer, lone.now_ms)
        else:
            lone.quorum.on_disconnected(peer, lone.now_ms, lone.now_ms)
        lone.settle()
    elif choice == "append":
        try:
            lone.quorum.append([b"a", b"b"], lone.now_ms, lone.now_ms)
        except NotLeader:
            assert not lone.quorum.is_leader
        lone.settle()
    elif choice == "restart":
        lone.start()
    elif choice == "resign":
        lone.quorum.resign(lone.now_ms)
        lone.settle()


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ROLES), st.data())
def test_every_event_in_every_role_is_legal_or_refused(role: str, data: st.DataObject) -> None:
    lone = Lone(observer=role == "observer")
    lone.bring_to(role)
    assert lone.quorum.role_name == ("unattached" if role == "observer" else role)
    given_votes: dict[int, tuple[int, bytes]] = {}
    for _ in range(data.draw(st.integers(1, 12))):
        epoch = lone.quorum.epoch
        try:
            one_event(lone, data.draw)
        except InvariantViolation as stop:
            if not str(stop).startswith(LEGITIMATE_STOPS):
                raise
            return
        vote = lone.votes.vote
        assert vote is not None
        assert vote.epoch == lone.quorum.epoch >= epoch
        if vote.voted_id != -1:
            assert given_votes.setdefault(vote.epoch, (vote.voted_id, vote.voted_directory_id)) == (vote.voted_id, vote.voted_directory_id)
        if role == "observer":
            assert lone.quorum.role_name in {"unattached", "follower"}
        assert lone.quorum.next_deadline() >= 0
