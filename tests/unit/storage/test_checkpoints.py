"""Checkpoint files as a power loss may leave them."""

import pytest

from holdwater.kernel.identifiers import TopicPartition
from holdwater.sim.disk import SimDisk
from holdwater.storage.checkpoints import DamagedFile, format_pairs, parse_pairs, read_offsets, write_offsets
from holdwater.storage.epochs import LeaderEpochs

PAIRS = [("1", 0), ("3", 155), ("12", 1024)]


def test_what_was_written_is_read() -> None:
    assert parse_pairs(format_pairs(PAIRS), "f") == PAIRS
    assert parse_pairs(format_pairs([]), "f") == []
    disk = SimDisk()
    write_offsets(disk, "/f", [(TopicPartition("t", 3), 17)])
    assert read_offsets(disk, "/f") == {TopicPartition("t", 3): 17}


@pytest.mark.parametrize("end", ["", "\0\0\0"])
def test_a_file_that_was_cut_anywhere_is_damaged(end: str) -> None:
    """Also one that was cut inside its last number: what is left of that is a number too, and a wrong one."""
    text = format_pairs(PAIRS)
    for length in range(len(text)):
        with pytest.raises(DamagedFile):
            parse_pairs(text[:length] + end, "f")


def test_a_leader_epoch_file_that_was_cut_is_not_trusted() -> None:
    disk = SimDisk()
    epochs = LeaderEpochs(disk, "")
    epochs.assign(3, 155)
    assert LeaderEpochs(disk, "").load()
    disk.cut("/leader-epoch-checkpoint", len(disk.read_file("/leader-epoch-checkpoint")) - 2)
    assert not LeaderEpochs(disk, "").load()
