"""One contract for both disks: what kernel.ports says of Disk and File holds for the real and for the simulated one."""

import os
from pathlib import Path

import pytest

from holdwater.kernel.ports import Disk, DiskFailure
from holdwater.kernel.rng import Rng
from holdwater.node.disk import RealDisk, lock_directory
from holdwater.sim.disk import Crashed, Fault, Operation, SimDisk


@pytest.fixture(params=["real", "simulated"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Disk, str]:
    """A disk and an empty directory on it."""
    if request.param == "real":
        return RealDisk(), str(tmp_path)
    disk = SimDisk()
    disk.make_directories("/data")
    return disk, "/data"


def test_appends_are_read_back(place: tuple[Disk, str]) -> None:
    disk, root = place
    file = disk.open(f"{root}/a")
    assert file.size == 0
    file.append(b"one", b"", b"two")
    file.append(b"three")
    assert file.size == 11
    assert file.read(0, 100) == b"onetwothree"
    assert file.read(3, 3) == b"two"
    assert file.read(11, 5) == b""
    assert file.read(40, 5) == b""
    file.sync()
    file.close()
    again = disk.open(f"{root}/a")
    assert again.size == 11
    again.append(b"!")
    assert disk.read_file(f"{root}/a") == b"onetwothree!"
    again.close()


def test_more_parts_than_one_writev_takes(place: tuple[Disk, str]) -> None:
    disk, root = place
    file = disk.open(f"{root}/a")
    file.append(*[b"%04d" % n for n in range(2_000)])
    assert file.read(7_996, 4) == b"1999"
    file.close()


def test_truncate_cuts_and_appends_go_on_from_there(place: tuple[Disk, str]) -> None:
    disk, root = place
    file = disk.open(f"{root}/a")
    file.append(b"0123456789")
    file.truncate(4)
    assert file.size == 4
    file.append(b"ab")
    assert file.read(0, 99) == b"0123ab"
    file.close()


def test_directories(place: tuple[Disk, str]) -> None:
    disk, root = place
    disk.make_directories(f"{root}/x/y")
    disk.make_directories(f"{root}/x/y")
    disk.open(f"{root}/x/b").close()
    disk.open(f"{root}/x/a").close()
    assert disk.list_directory(f"{root}/x") == ["a", "b", "y"]
    assert disk.is_directory(f"{root}/x")
    assert not disk.is_directory(f"{root}/x/a")
    assert not disk.is_directory(f"{root}/nothing")
    assert disk.exists(f"{root}/x/a")
    assert not disk.exists(f"{root}/x/a/b")
    disk.sync_directory(root)
    with pytest.raises(FileNotFoundError):
        disk.list_directory(f"{root}/nothing")


def test_removals_do_not_mind_what_is_gone(place: tuple[Disk, str]) -> None:
    disk, root = place
    disk.make_directories(f"{root}/x/y")
    disk.open(f"{root}/x/y/a").close()
    disk.remove_tree(f"{root}/x")
    assert not disk.exists(f"{root}/x/y/a")
    disk.remove_tree(f"{root}/x")
    disk.remove_file(f"{root}/a")
    disk.open(f"{root}/a").close()
    disk.remove_file(f"{root}/a")
    assert disk.list_directory(root) == []


def test_rename_moves_files_and_directories(place: tuple[Disk, str]) -> None:
    disk, root = place
    disk.make_directories(f"{root}/x/y")
    disk.replace_file(f"{root}/x/y/a", b"1", durable=True)
    disk.rename(f"{root}/x", f"{root}/z")
    assert disk.read_file(f"{root}/z/y/a") == b"1"
    disk.replace_file(f"{root}/b", b"2", durable=False)
    disk.rename(f"{root}/b", f"{root}/z/y/a")
    assert disk.read_file(f"{root}/z/y/a") == b"2"
    assert disk.list_directory(root) == ["z"]
    with pytest.raises(FileNotFoundError):
        disk.rename(f"{root}/nothing", f"{root}/c")


@pytest.mark.parametrize("durable", [True, False])
def test_replace_file_leaves_the_new_content_and_nothing_else(place: tuple[Disk, str], durable: bool) -> None:
    disk, root = place
    with pytest.raises(FileNotFoundError):
        disk.read_file(f"{root}/a")
    disk.replace_file(f"{root}/a", b"old content", durable=durable)
    disk.replace_file(f"{root}/a", b"new", durable=durable)
    assert disk.read_file(f"{root}/a") == b"new"
    assert disk.list_directory(root) == ["a"]


def test_failures_name_the_file(place: tuple[Disk, str]) -> None:
    disk, root = place
    with pytest.raises(DiskFailure) as caught:
        disk.open(f"{root}/nowhere/a")
    assert f"{root}/nowhere/a" in str(caught.value)
    assert not caught.value.full
    with pytest.raises(DiskFailure):
        disk.replace_file(f"{root}/nowhere/a", b"", durable=False)
    disk.open(f"{root}/a").close()
    with pytest.raises(DiskFailure):
        disk.make_directories(f"{root}/a/b")
    file = disk.open(f"{root}/b")
    file.close()
    with pytest.raises(DiskFailure):
        file.append(b"x")


def test_the_real_disk_reports_a_full_device() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full on this system")
    file = RealDisk().open("/dev/full")
    with pytest.raises(DiskFailure) as caught:
        file.append(b"x")
    assert caught.value.full
    file.close()


def test_the_real_disk_completes_short_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RealDisk().open(str(tmp_path / "a"))
    real = os.write
    monkeypatch.setattr(os, "writev", lambda fd, parts: real(fd, b"".join(parts)[:3]))
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:2]))
    file.append(b"0123", b"456789")
    assert file.read(0, 99) == b"0123456789"
    assert file.size == 10
    file.close()


def test_a_lock_keeps_a_second_broker_out(tmp_path: Path) -> None:
    descriptor = lock_directory(str(tmp_path))
    child = os.fork()
    if child == 0:
        try:
            lock_directory(str(tmp_path))
        except DiskFailure:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    os.close(descriptor)
    os.close(lock_directory(str(tmp_path)))


# What only the simulated disk has: power, crashes, faults.


def make_sim() -> SimDisk:
    disk = SimDisk()
    disk.make_directories("/d")
    disk.sync_directory("/")
    return disk


def test_a_power_loss_drops_what_was_not_synced() -> None:
    disk = make_sim()
    kept, lost = disk.open("/d/kept"), disk.open("/d/lost")
    kept.append(b"synced")
    kept.sync()
    disk.sync_directory("/d")
    kept.append(b" and not")
    lost.append(b"x")
    disk.open("/d/unknown").append(b"y")
    disk.power_loss()
    assert disk.read_file("/d/kept") == b"synced"
    assert disk.read_file("/d/lost") == b""
    assert disk.list_directory("/d") == ["kept", "lost"]
    with pytest.raises(Crashed):
        kept.append(b"")


def test_a_power_loss_brings_back_what_was_cut_without_a_sync() -> None:
    disk = make_sim()
    file = disk.open("/d/a")
    disk.sync_directory("/d")
    file.append(b"0123456789")
    file.sync()
    file.truncate(4)
    file.append(b"abc")
    file.truncate(2)
    disk.power_loss()
    assert disk.read_file("/d/a") == b"0123456789"


def test_a_crash_keeps_the_page_cache_and_ends_open_files() -> None:
    disk = make_sim()
    file = disk.open("/d/a")
    file.append(b"x")
    disk.crash()
    with pytest.raises(Crashed):
        file.read(0, 1)
    assert disk.read_file("/d/a") == b"x"


def test_renames_are_durable_with_their_directory_only() -> None:
    for synced in (False, True):
        disk = make_sim()
        disk.make_directories("/d/x")
        disk.replace_file("/d/x/a", b"1", durable=True)
        disk.sync_directory("/d")
        disk.rename("/d/x", "/d/y")
        if synced:
            disk.sync_directory("/d")
        disk.power_loss()
        assert disk.list_directory("/d") == ["y" if synced else "x"]
        assert disk.read_file("/d/y/a" if synced else "/d/x/a") == b"1"


def test_a_random_power_loss_keeps_renames_whole_and_synced_bytes() -> None:
    seen: set[tuple[bytes, bool]] = set()
    for seed in range(60):
        disk = make_sim()
        disk.make_directories("/d/x")
        disk.replace_file("/d/x/a", b"1", durable=True)
        file = disk.open("/d/b")
        file.append(b"s" * 5_000)
        file.sync()
        disk.sync_directory("/d")
        disk.rename("/d/x", "/d/y")
        file.append(b"u" * 10_000)
        disk.power_loss(Rng(seed))
        names = disk.list_directory("/d")
        assert names in (["b", "x"], ["b", "y"])
        assert disk.read_file(f"/d/{names[1]}/a") == b"1"
        content = disk.read_file("/d/b")
        assert content[:5_000] == b"s" * 5_000
        assert set(content[5_000:]) <= {0, ord("u")}
        seen.add((content, names[1] == "y"))
    assert len(seen) > 20


def test_faults_happen_where_they_are_asked_for() -> None:
    disk = make_sim()
    file = disk.open("/d/a")
    log: list[Operation] = []
    faults: dict[int, Fault] = {}

    def on_operation(operation: Operation) -> Fault | None:
        log.append(operation)
        return faults.get(operation.number)

    disk.on_operation = on_operation
    next_number = disk.operation_count + 1
    faults.update({next_number: Fault.FULL, next_number + 1: Fault.IO_ERROR, next_number + 2: Fault.CRASH_TORN})
    with pytest.raises(DiskFailure) as caught:
        file.append(b"abcd")
    assert caught.value.full
    with pytest.raises(DiskFailure):
        file.sync()
    with pytest.raises(Crashed):
        file.append(b"efgh")
    disk.on_operation = None
    with pytest.raises(DiskFailure, match="earlier sync"):
        file.sync()
    assert disk.read_file("/d/a") == b"abef"
    disk.sync_directory("/d")
    disk.power_loss()
    assert disk.read_file("/d/a") == b""
    assert [operation.name for operation in log] == ["append", "sync", "append"]


def test_a_full_disk_takes_what_fits() -> None:
    disk = SimDisk(capacity_bytes=6)
    disk.make_directories("/d")
    file = disk.open("/d/a")
    file.append(b"1234")
    with pytest.raises(DiskFailure) as caught:
        file.append(b"5678")
    assert caught.value.full
    assert file.size == 6
    with pytest.raises(DiskFailure):
        disk.replace_file("/d/b", b"1", durable=False)
