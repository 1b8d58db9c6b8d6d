"""Where a log starts after crashes and power losses: by its checkpoint, by its leader epochs, and by neither when they are gone or older."""

from tests.support.logs import DIRECTORY, fill, new_disk, new_log, reopen, values

from holdwater.sim.disk import SimDisk

FIRST = f"{DIRECTORY}/00000000000000000000.log"


def lose_power_but_for_the_records(disk: SimDisk) -> None:
    """The first segment is what the system had written back by itself."""
    content = disk.read_file(FIRST)
    disk.power_loss()
    disk.replace_file(FIRST, content, durable=True)


def test_a_log_start_above_what_survived_starts_over_there() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, 5)
    again = reopen(disk, log_start_offset=9)
    assert (again.log_start_offset, again.log_end_offset) == (9, 9)
    assert again.events[0].kind == "restarted"
    fill(again, 1)
    assert values(reopen(disk, log_start_offset=9)) == ["9"]


def test_a_missing_leader_epoch_file_says_nothing_of_where_the_log_starts() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    fill(log, *[1] * 9, epoch=2)
    log.close()
    disk.remove_file(f"{DIRECTORY}/leader-epoch-checkpoint")
    again = reopen(disk, clean=True, recovery_point=9, segment_bytes=300)
    assert again.epoch_entries() == [(2, 0)]
    fill(again, 1, epoch=3)
    again = reopen(disk, recovery_point=9, segment_bytes=300)
    assert (again.log_start_offset, again.log_end_offset, again.epoch_entries()) == (0, 10, [(2, 0), (3, 9)])


def test_a_log_that_starts_over_after_a_cut_to_its_start_stays_low_after_a_power_loss() -> None:
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 9, epoch=5)
    log.advance_log_start(6)
    log.sync()
    log.truncate_to(6)
    log.truncate_fully_and_start_at(0)
    fill(log, *[1] * 8, epoch=2)
    lose_power_but_for_the_records(disk)
    again = reopen(disk)
    assert (again.log_start_offset, again.log_end_offset, again.epoch_entries()) == (0, 8, [(2, 0)])


def test_a_leader_epoch_file_from_before_a_deletion_does_not_speak_of_segments_that_are_missing() -> None:
    disk = new_disk()
    log = new_log(disk, segment_bytes=1)
    fill(log, 1, 1, epoch=2)
    log.sync()
    log.advance_log_start(1)
    disk.power_loss()
    again = reopen(disk, recovery_point=2, log_start_offset=1, segment_bytes=1)
    assert (again.log_start_offset, again.log_end_offset, again.damage) == (1, 2, None)


def test_a_cut_to_the_log_start_has_it_stored_first() -> None:
    """No leader epoch is left then, which could tell it."""
    disk = new_disk()
    log = new_log(disk)
    stored: list[int] = []
    log.before_removal = stored.append
    fill(log, *[1] * 2, epoch=3)
    fill(log, *[1] * 6, epoch=5)
    log.advance_log_start(6)
    log.sync()
    log.truncate_to(7)
    assert stored == []
    log.truncate_to(6)
    assert stored == [6]
    fill(log, *[1] * 4, epoch=7)
    lose_power_but_for_the_records(disk)
    again = reopen(disk, log_start_offset=6)
    assert (again.log_start_offset, again.log_end_offset, again.epoch_entries()) == (6, 10, [(7, 6)])


def test_a_log_whose_first_segments_are_missing_keeps_its_leader_epochs() -> None:
    """Whoever puts them back finds what was."""
    disk = new_disk()
    log = new_log(disk, segment_bytes=300)
    fill(log, *[1] * 9, epoch=2)
    fill(log, *[1] * 9, epoch=4)
    log.sync()
    for name in disk.list_directory(DIRECTORY):
        if name.startswith(f"{0:020d}"):
            disk.remove_file(f"{DIRECTORY}/{name}")
    stored = disk.read_file(f"{DIRECTORY}/leader-epoch-checkpoint")
    damaged = reopen(disk, segment_bytes=300, recovery_point=18, high_watermark=18)
    assert damaged.damage is not None
    assert disk.read_file(f"{DIRECTORY}/leader-epoch-checkpoint") == stored


def test_a_log_start_that_no_checkpoint_tells_of_is_where_the_leader_epochs_begin() -> None:
    """Records below it were deleted and their leader epochs forgotten: they must not come back without them. Seed 207325."""
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 4, epoch=2)
    fill(log, *[1] * 5, epoch=3)
    log.advance_log_start(6)
    before = log.epoch_entries()
    again = reopen(disk)
    assert (again.log_start_offset, again.log_end_offset, again.epoch_entries()) == (6, 9, before)
    again.advance_log_start(9)
    again = reopen(disk)
    assert (again.log_start_offset, again.log_end_offset, again.epoch_entries()) == (9, 9, [(3, 9)])


def test_a_log_start_that_fell_stays_low_after_a_power_loss() -> None:
    """A leader whose log is shorter made this one start over: what the leader-epoch file said before must not come back."""
    disk = new_disk()
    log = new_log(disk)
    fill(log, *[1] * 9, epoch=5)
    log.advance_log_start(6)
    log.sync()
    log.truncate_fully_and_start_at(0)
    fill(log, *[1] * 8, epoch=2)
    lose_power_but_for_the_records(disk)
    again = reopen(disk)
    assert (again.log_start_offset, again.log_end_offset, again.epoch_entries()) == (0, 8, [(2, 0)])
