"""Snapshots: taken, served in slices, loaded, and what a crash in the middle leaves."""

import pytest
from tests.support.quorum_cluster import CLUSTER_ID, Cluster, directory_id

from holdwater.core.quorum import BOOTSTRAP_SNAPSHOT, ReplicaKey, checkpoint_records, read_checkpoint, rpc
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import SnapshotId
from holdwater.wire.messages import FetchSnapshotRequest, FetchSnapshotResponse


def led(seed: int = 2, **options: int) -> tuple[Cluster, int, list[int]]:
    cluster = Cluster(seed=seed, **options)  # type: ignore[arg-type]
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    assert leader is not None
    return cluster, leader, [n for n in cluster.voter_ids if n != leader]


def test_a_snapshot_holds_the_state_and_the_voters() -> None:
    cluster, leader, _ = led()
    cluster.append(4)
    cluster.run_until(cluster.converged)
    snapshot_id = cluster.quorum(leader).take_snapshot(7, [b"one", b"two"], 77, 88)
    assert snapshot_id == SnapshotId(7, 1)
    content = cluster.machines[leader].snapshots.contents[snapshot_id]
    assert list(checkpoint_records(content)) == [b"one", b"two"]
    checkpoint = read_checkpoint(content)
    assert checkpoint.voters == cluster.quorum(leader).voters
    assert checkpoint.last_contained_log_timestamp_ms == 77
    assert cluster.quorum(leader).latest_snapshot == snapshot_id


@pytest.mark.parametrize(("offset", "why"), [(0, "above 0"), (8, "at most the high watermark 7"), (5, "inside a batch")])
def test_a_snapshot_is_of_something_committed_and_whole(offset: int, why: str) -> None:
    cluster, leader, _ = led()
    cluster.append(4)
    cluster.run_until(cluster.converged)
    with pytest.raises(ValueError, match=why):
        cluster.quorum(leader).take_snapshot(offset, [], 0, 0)


def test_snapshots_only_go_forward() -> None:
    cluster, leader, _ = led()
    cluster.append(4)
    cluster.run_until(cluster.converged)
    cluster.snapshot(leader, 7)
    with pytest.raises(ValueError, match="above 7"):
        cluster.quorum(leader).take_snapshot(3, [], 0, 0)


def test_the_log_below_a_snapshot_is_dropped_when_asked() -> None:
    cluster, leader, _ = led()
    cluster.append(4)
    cluster.run_until(cluster.converged)
    quorum = cluster.quorum(leader)
    quorum.discard_before_snapshot()
    assert cluster.machines[leader].log.log_start_offset == 0, "the bootstrap snapshot stands for nothing"
    cluster.snapshot(leader, 7)
    quorum.discard_before_snapshot()
    assert cluster.machines[leader].log.log_start_offset == 7
    assert BOOTSTRAP_SNAPSHOT not in cluster.machines[leader].snapshots.contents
    quorum.discard_before_snapshot()


def behind_a_snapshot(**options: int) -> tuple[Cluster, int, int, bytes]:
    """A cluster whose leader has dropped its log, and a stopped follower that needs what was dropped."""
    cluster, leader, (follower, _) = led(**options)
    cluster.kill(follower)
    for _ in range(5):
        cluster.append(4)
        cluster.run_until(cluster.converged)
    snapshot_id = cluster.snapshot(leader, 23, [bytes(300)] * 4)
    cluster.quorum(leader).discard_before_snapshot()
    cluster.append(2)
    return cluster, leader, follower, cluster.machines[leader].snapshots.contents[snapshot_id]


@pytest.mark.parametrize("slice_bytes", [1, 77, 1_000_000])
def test_a_follower_behind_the_log_start_loads_the_snapshot(slice_bytes: int) -> None:
    cluster, leader, follower, content = behind_a_snapshot(snapshot_slice_bytes=slice_bytes)
    cluster.start(follower)
    cluster.run_until(cluster.converged)
    machine = cluster.machines[follower]
    assert machine.snapshots.contents == {SnapshotId(23, 1): content}
    assert machine.log.log_start_offset == 23
    assert [batch.base_offset for batch in machine.log.batches] == [23]
    assert cluster.quorum(follower).voters == cluster.quorum(leader).voters
    cluster.kill(follower)
    cluster.start(follower)
    assert cluster.quorum(follower).is_voter
    assert cluster.quorum(follower).high_watermark == 23, "what the snapshot stands for is known to be committed"
    cluster.run_until(cluster.converged)


def test_an_observer_loads_the_snapshot_and_learns_the_voters() -> None:
    cluster, leader, _ = led(observers=1)
    cluster.kill(101)
    cluster.machines[101].log.truncate_to(0)
    cluster.append(2)
    cluster.run_until(cluster.converged)
    cluster.snapshot(leader, 5)
    cluster.quorum(leader).discard_before_snapshot()
    cluster.start(101)
    cluster.run_until(cluster.converged)
    assert cluster.quorum(101).voters == cluster.quorum(leader).voters


def test_a_damaged_download_is_not_installed() -> None:
    cluster, _, follower, _ = behind_a_snapshot()
    good = FetchSnapshotResponse.PartitionSnapshot
    flipped: list[int] = []

    def flip(source: int, target: int, message: object) -> None:
        if isinstance(message, FetchSnapshotResponse) and len(flipped) < 3:
            partition = message.topics[0].partitions[0]
            assert isinstance(partition, good)
            content = partition.unaligned_records or b""
            partition.unaligned_records = content[:90] + bytes([content[90] ^ 1]) + content[91:]
            flipped.append(target)

    cluster.on_message = flip
    cluster.start(follower)
    cluster.run_until(cluster.converged)
    assert flipped == [follower] * 3
    assert cluster.machines[follower].log.log_start_offset == 23


def test_a_crash_between_snapshot_and_log_is_repaired_at_the_next_start() -> None:
    cluster, _, follower, content = behind_a_snapshot()
    cluster.machines[follower].snapshots.write(SnapshotId(23, 1), content)
    assert cluster.machines[follower].log.log_end_offset < 23
    cluster.start(follower)
    assert cluster.machines[follower].log.log_start_offset == 23
    cluster.run_until(cluster.converged)


def test_a_leader_that_dies_during_the_download_does_not_stop_it() -> None:
    cluster, leader, follower, _ = behind_a_snapshot(snapshot_slice_bytes=10)
    other = next(n for n in cluster.running() if n != leader)
    cluster.run_until(cluster.converged)
    cluster.snapshot(other, 23, [b"theirs"])
    cluster.quorum(other).discard_before_snapshot()
    cluster.start(follower)
    cluster.run(60)
    cluster.kill(leader)
    cluster.run_until(cluster.converged)
    assert cluster.machines[follower].log.log_start_offset == 23


# -- the leader's answers --------------------------------------------------------------------------------------------------------------


TAKEN = SnapshotId(23, 1)


def ask(epoch: int = 1, snapshot_id: SnapshotId = TAKEN, position: int = 0, max_bytes: int = 100) -> FetchSnapshotRequest:
    return rpc.fetch_snapshot_request(CLUSTER_ID, ReplicaKey(101, directory_id(101)), epoch, snapshot_id, position, max_bytes)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (ask(), ErrorCode.NONE),
        (ask(epoch=0), ErrorCode.FENCED_LEADER_EPOCH),
        (ask(epoch=2), ErrorCode.UNKNOWN_LEADER_EPOCH),
        (ask(snapshot_id=SnapshotId(22, 1)), ErrorCode.SNAPSHOT_NOT_FOUND),
        (ask(snapshot_id=BOOTSTRAP_SNAPSHOT), ErrorCode.SNAPSHOT_NOT_FOUND),
        (ask(position=-1), ErrorCode.POSITION_OUT_OF_RANGE),
        (ask(position=100_000), ErrorCode.POSITION_OUT_OF_RANGE),
    ],
)
def test_snapshot_requests_are_checked(request_: FetchSnapshotRequest, error: ErrorCode) -> None:
    cluster, leader, _, _ = behind_a_snapshot()
    answer = cluster.quorum(leader).handle_fetch_snapshot(request_, cluster.now_ms).topics[0].partitions[0]
    assert answer.error_code == error


def test_a_slice() -> None:
    cluster, leader, _, content = behind_a_snapshot()
    answer = cluster.quorum(leader).handle_fetch_snapshot(ask(position=7, max_bytes=11), cluster.now_ms).topics[0].partitions[0]
    assert (answer.unaligned_records, answer.position, answer.size) == (content[7:18], 7, len(content))


def test_a_follower_does_not_serve_snapshots() -> None:
    cluster, leader, _, _ = behind_a_snapshot()
    other = next(n for n in cluster.running() if n != leader)
    answer = cluster.quorum(other).handle_fetch_snapshot(ask(), cluster.now_ms).topics[0].partitions[0]
    assert answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    stranger = ask()
    stranger.cluster_id = "another"
    assert cluster.quorum(leader).handle_fetch_snapshot(stranger, 0).error_code == ErrorCode.INCONSISTENT_CLUSTER_ID


def test_voters_that_download_keep_their_leader_in_office() -> None:
    """Check quorum counts FetchSnapshot as it counts Fetch."""
    cluster, leader, follower, content = behind_a_snapshot(snapshot_slice_bytes=1)
    other = next(n for n in cluster.running() if n != leader)
    cluster.start(follower)
    cluster.run_until(lambda: cluster.quorum(follower).leader_id == leader)
    cluster.kill(other)
    cluster.run(5000)
    assert len(content) > 1200, "the download takes about five seconds"
    assert cluster.leader() == leader
    assert cluster.machines[follower].log.log_start_offset < 23
