"""Metadata snapshots and the vote: complete or not there, whatever happens while they are written."""

import pytest

from holdwater.kernel.ports import SnapshotId, SnapshotStore, Vote, VoteStore
from holdwater.kernel.rng import Rng
from holdwater.sim.disk import Crashed, Fault, SimDisk
from holdwater.storage.checkpoints import DamagedFile
from holdwater.storage.snapshots import SnapshotFiles
from holdwater.storage.votes import QuorumStateFile

HOME = "/m"


def new_disk() -> SimDisk:
    disk = SimDisk()
    disk.make_directories(HOME)
    disk.sync_directory("/")
    return disk


def test_snapshots_are_stored_under_kafkas_names_and_read_in_slices() -> None:
    disk = new_disk()
    store: SnapshotStore = SnapshotFiles(disk, HOME)
    assert store.latest() is None
    store.write(SnapshotId(120, 7), b"0123456789")
    store.write(SnapshotId(90, 7), b"older")
    assert disk.list_directory(HOME) == ["00000000000000000090-0000000007.checkpoint", "00000000000000000120-0000000007.checkpoint"]
    assert store.latest() == SnapshotId(120, 7)
    assert store.size(SnapshotId(120, 7)) == 10
    assert store.read(SnapshotId(120, 7), 3, 4) == b"3456"
    assert store.read(SnapshotId(120, 7), 8, 40) == b"89"
    store.remove_older_than(SnapshotId(120, 7))
    assert SnapshotFiles(disk, HOME).all() == [SnapshotId(120, 7)]
    for missing in (SnapshotId(90, 7), SnapshotId(120, 8)):
        with pytest.raises(FileNotFoundError):
            store.size(missing)
        with pytest.raises(FileNotFoundError):
            store.read(missing, 0, 10)


def test_a_snapshot_is_whole_or_not_there() -> None:
    for crash_at in range(1, 12):
        for power in (None, "lost", "random"):
            disk = new_disk()
            store = SnapshotFiles(disk, HOME)
            store.write(SnapshotId(1, 1), b"old" * 3_000)
            last = disk.operation_count + crash_at
            disk.on_operation = lambda operation, last=last: Fault.CRASH_TORN if operation.number == last else None
            try:
                store.write(SnapshotId(2, 1), b"new" * 3_000)
                finished = True
            except Crashed:
                finished = False
            disk.on_operation = None
            if power is None:
                disk.crash()
            else:
                disk.power_loss(Rng(crash_at) if power == "random" else None)
            again = SnapshotFiles(disk, HOME)
            assert again.read(SnapshotId(1, 1), 0, 1 << 20) == b"old" * 3_000
            if again.latest() == SnapshotId(2, 1):
                assert again.read(SnapshotId(2, 1), 0, 1 << 20) == b"new" * 3_000
            else:
                assert not finished
            assert all(name.endswith(".checkpoint") for name in disk.list_directory(HOME))


def test_the_vote_is_kafkas_file_and_durable() -> None:
    disk = new_disk()
    store: VoteStore = QuorumStateFile(disk, HOME)
    assert store.load() is None
    vote = Vote(9, -1, 4, bytes.fromhex("27c6803cf7cb42d9aa6eb2534ffacc81"))
    store.save(vote)
    disk.power_loss()
    assert disk.read_file(f"{HOME}/quorum-state") == (
        b'{"leaderId":-1,"leaderEpoch":9,"votedId":4,"votedDirectoryId":"J8aAPPfLQtmqbrJTT_rMgQ","data_version":1}'
    )
    assert QuorumStateFile(disk, HOME).load() == vote


def test_a_vote_of_data_version_0_is_read() -> None:
    disk = new_disk()
    old = b'{"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,"currentVoters":[],"data_version":0}'
    disk.replace_file(f"{HOME}/quorum-state", old, durable=True)
    assert QuorumStateFile(disk, HOME).load() == Vote(2, 1, -1, bytes(16))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"data_version":2}', b'{"leaderId":1,"leaderEpoch":2,"data_version":1}', b"\xff\xfe"]
)
def test_a_damaged_vote_stops_the_voter(content: bytes) -> None:
    disk = new_disk()
    disk.replace_file(f"{HOME}/quorum-state", content, durable=True)
    with pytest.raises(DamagedFile, match="quorum-state"):
        QuorumStateFile(disk, HOME).load()
