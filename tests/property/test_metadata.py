"""The metadata controller under random walks, and the image against replays of its log."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.metadata_chaos import Chaos

from holdwater.core.metadata.builder import ImageBuilder
from holdwater.core.metadata.changes import changes_between
from holdwater.core.metadata.image import EMPTY_IMAGE, MetadataImage
from holdwater.core.metadata.records import Versioned


def fold(records: list[tuple[int, Versioned]], image: MetadataImage = EMPTY_IMAGE) -> MetadataImage:
    builder = ImageBuilder(image)
    for offset, record in records:
        builder.apply(offset, record.message)
    return builder.build(1)[0]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_partitions_stay_sound_and_state_is_the_fold_of_its_records(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.run(60)
    chaos.unclean_elections_are_marked()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_snapshot_and_tail_give_the_same_image_as_the_whole_log(seed: int, cut: float) -> None:
    """M8."""
    chaos = Chaos(seed)
    chaos.run(50)
    log = chaos.bench.log
    boundaries = [0, *chaos.bench.boundaries]
    end = boundaries[int(cut * (len(boundaries) - 1))]
    head = [entry for entry in log if entry[0] < end]
    tail = [entry for entry in log if entry[0] >= end]
    snapshot = [(end - 1, record) for record in fold(head).to_records()]
    assert fold(snapshot).content() == fold(head).content()
    assert fold(tail, fold(snapshot)).content() == fold(log).content()
    assert list(fold(snapshot).to_records()) == [record for _, record in snapshot]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_changes_of_batches_name_what_a_full_comparison_finds(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.run(40)
    builder = ImageBuilder(EMPTY_IMAGE)
    old = EMPTY_IMAGE
    boundaries = dict.fromkeys(chaos.bench.boundaries)
    for offset, record in chaos.bench.log:
        builder.apply(offset, record.message)
        if offset + 1 not in boundaries:
            continue
        kept = old.content()
        frozen = repr(kept)
        new, changes = builder.build(1)
        assert repr(kept) == frozen, "an image that was handed out has changed"
        everything = changes_between(old, new)
        assert sorted(changes.partitions, key=repr) == sorted(everything.partitions, key=repr)
        assert sorted(changes.brokers) == sorted(everything.brokers)
        assert sorted(changes.configs) == sorted(everything.configs)
        assert [topic.name for topic in changes.created_topics] == [topic.name for topic in everything.created_topics]
        assert (changes.features, changes.producer_ids) == (everything.features, everything.producer_ids)
        old = new
