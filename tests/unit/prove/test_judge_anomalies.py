"""The judge on hand-written histories: each class of anomaly is found where it is, and nowhere else."""

import pytest
from tests.support.story import Story, view

from holdwater.prove.history.model import History, PartitionView, State
from holdwater.prove.history.payload import ALTERED, FOREIGN, MISPLACED
from holdwater.prove.judge import anomalies
from holdwater.prove.judge.findings import Finding


def found(history: History) -> dict[str, int]:
    """The classes that have something in them, with their counts."""
    return {kind: finding.count for kind, finding in anomalies(history).items() if finding.count}


def only(history: History, kind: str) -> Finding:
    """The one finding of a history that must have no other class in it."""
    findings = anomalies(history)
    assert {name for name, finding in findings.items() if finding.count} == {kind}
    return findings[kind]


def test_a_sound_history_has_no_anomaly() -> None:
    story = Story().send(5).send(4, partition=1).send(3, writer=1)
    story.log([0, 1, 2]).log([3, 4]).log([5, 6, 7, 8], partition=1).log([0, 1, 2], writer=1, epoch=2)
    assert found(story.read_all().read_all(session=1).history()) == {}


def test_an_empty_history_has_no_anomaly() -> None:
    assert found(Story().history()) == {}


class TestLostWrite:
    def test_acknowledged_and_not_in_the_log(self) -> None:
        lost = only(Story().send(4).log([0, 1]).log([3], offset=3, base_sequence=2).read_all().history(), "lost-write")
        assert lost.count == 1
        assert [str(one) for one in lost.ranges] == ["p0 2"]
        assert lost.examples[0]["id"] == "w0#2"
        assert lost.examples[0]["in_its_place"] == "nothing"

    def test_neighbours_are_one_range_and_others_are_not(self) -> None:
        story = Story().send(7).log([0]).log([3], offset=3, base_sequence=3).log([6], offset=6, base_sequence=6)
        lost = anomalies(story.history())["lost-write"]
        assert [(str(one), one.findings) for one in lost.ranges] == [("p0 1..2", 2), ("p0 4..5", 2)]

    def test_the_tail_needs_no_later_read(self) -> None:
        lost = only(Story().send(4).log([0, 1]).read_all().history(), "lost-write")
        assert (lost.count, str(lost.ranges[0])) == (2, "p0 2..3")

    def test_what_took_its_place_is_named(self) -> None:
        story = Story().send(3).log([0, 1]).send(1, writer=1, offset=2).log([0], writer=1, epoch=7).read_all()
        findings = anomalies(story.history())
        # Both were told offset 2, which is an anomaly of its own.
        assert {kind for kind, finding in findings.items() if finding.count} == {"lost-write", "shared-offset"}
        example = findings["lost-write"].examples[0]
        assert (example["in_its_place"], example["leader_epoch_in_its_place"]) == ("w1#0", 7)

    def test_nothing_is_said_of_a_log_that_was_not_read_to_its_end(self) -> None:
        story = Story().send(4).log([0, 1])
        story.logs[0].end_offset = 4
        assert found(story.history()) == {}

    def test_acks_0_is_never_lost(self) -> None:
        assert found(Story().send(3, state=State.SENT).log([0]).read_all().history()) == {}


class TestUnknownOutcome:
    def test_may_be_there(self) -> None:
        assert found(Story().send(1).unknown(1).log([0, 1]).read_all().history()) == {}

    def test_may_not_be_there(self) -> None:
        assert found(Story().send(1).unknown(1).log([0]).read_all().history()) == {}

    def test_may_not_be_there_twice(self) -> None:
        story = Story().send(1).unknown(1).log([0, 1]).log([1]).read_all()
        assert only(story.history(), "duplicate-by-client").count == 1

    def test_with_an_error_it_is_unknown_as_well(self) -> None:
        assert found(Story().send(2, state=State.UNKNOWN, error=-192).log([0]).read_all().history()) == {}


class TestDuplicate:
    def test_by_the_cluster_when_the_broker_could_know(self) -> None:
        story = Story().send(3).log([0, 1, 2]).log([1, 2], base_sequence=1, epoch=1).read_all()
        finding = only(story.history(), "duplicate-by-cluster")
        assert finding.count == 2
        assert finding.examples[0]["first"] == finding.examples[0]["again"] == {"producer_id": 1000, "producer_epoch": 0, "sequence": 1}
        assert (finding.examples[0]["first_offset"], finding.examples[0]["offset"]) == (1, 3)

    def test_by_the_client_under_a_new_sequence(self) -> None:
        finding = only(Story().send(3).log([0, 1, 2]).log([1, 2]).read_all().history(), "duplicate-by-client")
        assert (finding.count, finding.by) == (2, {"new sequence": 2})

    def test_by_the_client_in_a_new_session(self) -> None:
        finding = only(Story().send(2).log([0, 1]).log([1], producer_epoch=1, base_sequence=0).read_all().history(), "duplicate-by-client")
        assert finding.by == {"new producer session": 1}

    def test_the_same_numbers_of_another_producer_are_no_proof_against_the_broker(self) -> None:
        finding = only(
            Story().send(1).log([0], base_sequence=0).log([0], producer_id=77, base_sequence=0).read_all().history(), "duplicate-by-client"
        )
        assert finding.by == {"new producer session": 1}

    def test_without_idempotence(self) -> None:
        finding = only(Story().send(1).log([0], producer_id=-1).log([0], producer_id=-1).read_all().history(), "duplicate-by-client")
        assert finding.by == {"not idempotent": 1}

    def test_three_times_is_two_too_many(self) -> None:
        story = Story().send(1).log([0]).log([0], base_sequence=0).log([0], base_sequence=0).read_all()
        assert only(story.history(), "duplicate-by-cluster").count == 2

    def test_sequence_numbers_wrap(self) -> None:
        last = 2**31 - 1
        story = Story().send(3).log([0, 1, 2], base_sequence=last - 1).log([2], base_sequence=0).read_all()
        assert only(story.history(), "duplicate-by-cluster").count == 1


class TestReorder:
    def test_a_swap(self) -> None:
        story = Story().send(1, offset=0).send(1, offset=2).send(1, offset=1).log([0]).log([2], base_sequence=2).log([1], base_sequence=1)
        findings = anomalies(story.read_all().history())
        assert findings["reorder"].count == 1
        assert findings["reorder"].examples[0] | {"id": "w0#1", "after": "w0#2", "after_offset": 1} == findings["reorder"].examples[0]

    def test_distance_orders_the_worst(self) -> None:
        story = Story().unknown(6).log([0, 4, 3, 5, 1]).read_all()
        finding = only(story.history(), "reorder")
        assert [one["id"] for one in finding.worst] == ["w0#1", "w0#3"]
        assert finding.count == 2

    def test_writers_and_partitions_are_independent(self) -> None:
        story = Story().send(2, partition=1).send(2, partition=0).send(2, writer=1)
        story.log([2, 3]).log([0, 1], writer=1).log([0, 1], partition=1)
        assert found(story.read_all().history()) == {}

    def test_a_second_occurrence_is_no_disorder(self) -> None:
        story = Story().send(3).log([0, 1, 2]).log([0]).read_all()
        assert found(story.history()) == {"duplicate-by-client": 1}


class TestReads:
    def test_a_read_that_is_not_in_the_log_has_vanished(self) -> None:
        story = Story().send(2).unknown(1).log([0, 1]).read_all().read(2, 2)
        finding = only(story.history(), "vanished-read")
        assert (finding.count, finding.examples[0]["id"], finding.examples[0]["in_its_place"]) == (1, "w0#2", "nothing")

    def test_a_read_of_another_record_than_the_log_has(self) -> None:
        story = Story().send(2).unknown(1).log([0, 1]).read(0, 0).read(1, 2)
        story.positions = {}
        assert only(story.history(), "vanished-read").examples[0]["in_its_place"] == "w0#1"

    def test_two_reads_of_one_offset_differ(self) -> None:
        story = Story().send(1).unknown(1).log([0]).log([1]).read_all().read(0, 0, session=1).read(1, 0, session=1)
        findings = anomalies(story.history())
        assert (findings["inconsistent-read"].count, findings["vanished-read"].count) == (1, 1)
        assert findings["inconsistent-read"].examples[0]["first_id"] == "w0#1"

    def test_two_reads_differ_though_the_log_was_not_read_in_full(self) -> None:
        story = Story().send(2).log([0]).read(0, 0).read(1, 1).read(0, 0, session=1).read(1, 0, session=1)
        story.logs[0].end_offset = 2
        findings = anomalies(story.history())
        assert (findings["inconsistent-read"].count, findings["vanished-read"].count) == (1, 0)

    def test_reads_below_the_log_start_are_not_judged(self) -> None:
        story = Story().send(3).log([2], offset=2).read(0, 0).read(1, 1).read(2, 2)
        story.logs[0].start_offset = 2
        assert found(story.history()) == {"lost-write": 2}

    def test_a_skip(self) -> None:
        story = Story().send(4).log([0, 1, 2, 3]).read_all(session=1).read(0, 0).read(3, 3)
        finding = only(story.history(), "read-skip")
        assert finding.count == 1
        assert finding.examples[0] | {"skipped": "w0#1", "after_offset": 0, "next_offset": 3} == finding.examples[0]

    def test_a_skip_at_the_beginning(self) -> None:
        story = Story().send(2).log([0, 1]).read_all(session=1).read(1, 1)
        assert only(story.history(), "read-skip").examples[0]["skipped"] == "w0#0"

    def test_a_gap_without_records_is_no_skip(self) -> None:
        story = Story().send(1).log([0]).gap(3).send(1, offset=4).log([1])
        assert found(story.read_all().history()) == {}

    def test_backwards(self) -> None:
        story = Story().send(3).log([0, 1, 2]).read_all().read(1, 1).read(2, 2)
        finding = only(story.history(), "read-backwards")
        assert (finding.count, finding.examples[0]["after_offset"]) == (1, 2)

    def test_the_same_offset_again_is_backwards(self) -> None:
        assert only(Story().send(1).log([0]).read_all().read(0, 0).history(), "read-backwards").count == 1

    def test_unseen(self) -> None:
        story = Story().send(3).log([0, 1, 2]).read(0, 0).read(1, 1)
        story.positions = {0: 3}
        finding = only(story.history(), "unseen")
        assert (finding.count, finding.examples[0]["id"]) == (1, "w0#2")

    def test_where_the_consumer_was_not_finished_nothing_is_unseen(self) -> None:
        story = Story().send(3).log([0, 1, 2]).read(0, 0).read(1, 1)
        story.positions = {0: 2}
        assert found(story.history()) == {}

    def test_an_unknown_write_need_not_be_seen(self) -> None:
        story = Story().send(1).unknown(1).log([0, 1]).read(0, 0)
        story.positions = {0: 2}
        assert found(story.history()) == {}


class TestContent:
    def test_altered_in_the_log(self) -> None:
        story = Story().unknown(2).log([0]).log([1], flags=ALTERED)
        finding = only(story.history(), "altered")
        assert (finding.by, finding.examples[0]["offset"]) == ({"final log": 1}, 1)

    def test_altered_on_the_way_to_a_reader(self) -> None:
        assert only(Story().send(1).log([0]).read(0, 0, flags=ALTERED).history(), "altered").by == {"read": 1}

    def test_a_batch_with_a_wrong_checksum(self) -> None:
        assert only(Story().send(1).log([0], sound=False).read_all().history(), "altered").by == {"batch": 1}

    def test_misplaced(self) -> None:
        assert only(Story().unknown(1).log([0], partition=3, flags=MISPLACED).history(), "misplaced").by == {"final log": 1}
        assert only(Story().send(1).log([0]).read(0, 0, flags=MISPLACED).history(), "misplaced").by == {"read": 1}

    def test_never_sent(self) -> None:
        assert only(Story().send(1).log([0]).log([9]).history(), "phantom").by == {"never sent": 1}

    def test_foreign(self) -> None:
        assert only(Story().send(1).log([0, -1], flags=FOREIGN).history(), "phantom").by == {"foreign": 1}

    def test_refused_but_written(self) -> None:
        story = Story().send(1).send(1, state=State.FAIL, error=19).log([0, 1])
        finding = only(story.history(), "refused-but-written")
        assert (finding.count, finding.examples[0]["error"]) == (1, 19)

    def test_refused_and_not_written_is_as_it_should_be(self) -> None:
        assert found(Story().send(1).send(1, state=State.FAIL, error=-184).log([0]).history()) == {}


class TestAcknowledgedOffsets:
    def test_shared(self) -> None:
        story = Story().send(2).send(1, offset=1).log([0, 1, 2])
        findings = anomalies(story.history())
        assert findings["shared-offset"].count == 1
        assert {findings["shared-offset"].examples[0][name] for name in ("id", "other")} == {"w0#1", "w0#2"}

    def test_shared_from_the_first_write_on(self) -> None:
        finding = anomalies(Story().send(1).send(1, offset=0).log([0]).log([1]).history())["shared-offset"]
        assert (finding.count, finding.examples[0]["other"], finding.examples[0]["id"]) == (1, "w0#0", "w0#1")

    def test_the_same_offset_of_two_partitions_is_not_shared(self) -> None:
        assert found(Story().send(1).send(1, partition=1).log([0]).log([1], partition=1).history()) == {}

    def test_at_another_offset_than_told(self) -> None:
        story = Story().send(1, offset=1).send(1, offset=0).log([0, 1])
        finding = only(story.history(), "ack-at-other-offset")
        assert (finding.count, finding.examples[0]["there"]) == (2, "w0#1")

    def test_an_acknowledgement_without_offset_proves_nothing(self) -> None:
        assert found(Story().send(2, offset=-10).log([0, 1]).history()) == {}


class TestTheLogItself:
    def test_a_gap_in_the_sequence_numbers(self) -> None:
        finding = only(Story().unknown(3).log([0]).log([2], base_sequence=2).history(), "sequence-gap")
        assert finding.examples[0] | {"expected_sequence": 1, "sequence": 2} == finding.examples[0]

    def test_a_new_session_starts_anew(self) -> None:
        assert found(Story().send(2).log([0]).log([1], producer_epoch=1, base_sequence=0).history()) == {}

    def test_sequence_numbers_wrap(self) -> None:
        last = 2**31 - 1
        assert (
            found(Story().send(3).log([0], base_sequence=last - 1).log([1], base_sequence=last).log([2], base_sequence=0).history()) == {}
        )

    def test_a_repeat_is_no_gap(self) -> None:
        story = Story().send(3).log([0, 1]).log([1], base_sequence=1).log([2], base_sequence=2, offset=3)
        assert "sequence-gap" not in found(story.history())

    def test_batches_without_producer_have_no_sequence(self) -> None:
        story = Story().send(2).log([0], producer_id=-1).log([1], producer_id=-1)
        assert found(story.history()) == {}

    def test_offsets_that_fall(self) -> None:
        story = Story().unknown(2).log([0], offset=3).log([1], offset=1)
        assert only(story.history(), "log-order").by == {"offset": 1}

    def test_leader_epochs_that_fall(self) -> None:
        story = Story().send(2).log([0], epoch=4).log([1], epoch=3)
        assert only(story.history(), "log-order").by == {"leader epoch": 1}

    def test_a_first_batch_that_begins_below_the_start_is_legal(self) -> None:
        story = Story().unknown(3).log([0, 1, 2])
        story.logs[0].start_offset = 1
        assert found(story.history()) == {}


class TestHighWatermark:
    def test_back_within_one_leader_epoch(self) -> None:
        story = Story().sample(1, 1, view(hw=10)).sample(2, 1, view(hw=9))
        finding = only(story.history(), "high-watermark-back")
        assert finding.examples[0] | {"before": 10, "offset": 9, "leader": 1} == finding.examples[0]

    @pytest.mark.parametrize("later", [view(hw=9, epoch=1), view(hw=-1), view(hw=9, leader=2), view(hw=10)])
    def test_what_is_no_fall(self, later: PartitionView) -> None:
        assert found(Story().sample(1, 1, view(hw=10)).sample(2, 1, later).history()) == {}
