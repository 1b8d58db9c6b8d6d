"""Stories of one transactional id, from InitProducerId to the markers, for both generations of producers."""

from tests.unit.core.transactions.stage import BUMPING, CLASSIC, TIMEOUT_MS, Stage, marker_line

from holdwater.core.transactions.transaction import HIGHEST_EPOCH, LAST_GIVEN_EPOCH
from holdwater.kernel.errors import ErrorCode


def at_epoch(stage: Stage, transactional_id: str, epoch: int) -> tuple[int, int]:
    """Bring a transactional id to a producer epoch without the way there: the log says so, and the coordinator loads it."""
    producer_id, _ = stage.init(transactional_id)
    value = stage.host.log[-1].value
    value.producer_epoch = epoch
    stage.moves()
    return producer_id, epoch


def test_a_bumping_producer_commits_twice() -> None:
    stage = Stage()
    first = stage.init("a")
    assert first == (1000, 0)
    assert stage.add("a", first, "t-0", "t-1") == "NONE"
    assert stage.add("a", first, "u-0", "t-0") == "NONE"
    assert stage.end("a", first, True) == "NONE 1000/1"
    second = (1000, 1)
    assert stage.add("a", second, "t-1") == "NONE"
    assert stage.end("a", second, True) == "NONE 1000/2"
    assert stage.written() == [
        "a Empty 1000/0",
        "a Ongoing 1000/0 t-0 t-1",
        "a Ongoing 1000/0 t-0 t-1 u-0",
        "a PrepareCommit 1000/1 t-0 t-1 u-0",
        "a CompleteCommit 1000/1",
        "a Ongoing 1000/1 t-1",
        "a PrepareCommit 1000/2 t-1",
        "a CompleteCommit 1000/2",
    ]
    assert [marker_line(marker) for marker in stage.ports.sent] == [
        "t-0 commit 1000/1 v2",
        "t-1 commit 1000/1 v2",
        "u-0 commit 1000/1 v2",
        "t-1 commit 1000/2 v2",
    ]


def test_a_classic_producer_keeps_its_epoch_and_adds_the_offsets_of_a_group() -> None:
    stage = Stage()
    producer = stage.init("a", version=3)
    assert stage.add("a", producer, "t-0", version=3) == "NONE"
    assert stage.offsets("a", producer, "readers") == "NONE"
    assert stage.end("a", producer, False, version=CLASSIC) == "NONE"
    assert stage.add("a", producer, "t-0", version=0) == "NONE"
    assert stage.end("a", producer, True, version=0) == "NONE"
    offsets = f"__consumer_offsets-{sum(b'readers') % 50}"
    assert stage.written() == [
        "a Empty 1000/0",
        "a Ongoing 1000/0 t-0",
        f"a Ongoing 1000/0 {offsets} t-0",
        f"a PrepareAbort 1000/0 {offsets} t-0",
        "a CompleteAbort 1000/0",
        "a Ongoing 1000/0 t-0",
        "a PrepareCommit 1000/0 t-0",
        "a CompleteCommit 1000/0",
    ]
    assert [marker_line(marker) for marker in stage.ports.sent] == [
        f"{offsets} abort 1000/0 v0",
        "t-0 abort 1000/0 v0",
        "t-0 commit 1000/0 v0",
    ]


def test_the_answer_comes_with_the_outcome_and_the_end_with_the_last_marker() -> None:
    stage = Stage()
    producer = stage.init("a")
    stage.add("a", producer, "t-0", "t-1")
    stage.ports.markers_held = True
    stage.host.hold()
    answers = stage.asks_end("a", producer, True)
    assert answers == []
    assert stage.ports.sent == [], "an outcome that may be lost is told to no partition"
    assert stage.end("a", producer, True) == "CONCURRENT_TRANSACTIONS"
    stage.host.release()
    assert [answer.producer_epoch for answer in answers] == [1]
    assert stage.status("a") == "PrepareCommit 1000/1"
    assert stage.describe("a")[0].topics[0].partitions == [0, 1]
    stage.ports.write_one()
    stage.host.advance(0)
    assert stage.status("a") == "PrepareCommit 1000/1"
    assert stage.describe("a")[0].topics[0].partitions == [1]
    stage.ports.write_one()
    stage.host.advance(0)
    assert stage.status("a") == "CompleteCommit 1000/1"
    assert stage.describe("a")[0].topics == []
    stage.add("a", (1000, 1), "t-7")
    assert stage.describe("a")[0].topics[0].partitions == [7]


def test_a_marker_that_is_reported_twice_ends_nothing_twice() -> None:
    stage = Stage()
    producer = stage.init("a")
    stage.add("a", producer, "t-0", "t-1")
    stage.ports.markers_held = True
    stage.end("a", producer, True)
    (first, on_done), (second, _) = stage.ports.on_the_way
    on_done(first)
    on_done(first)
    stage.host.advance(0)
    assert stage.status("a") == "PrepareCommit 1000/1"
    stage.host.hold()
    on_done(second)
    on_done(second)
    stage.host.advance(0)
    on_done(second)
    on_done(first)
    stage.host.advance(0)
    stage.host.release()
    assert stage.written(2) == ["a PrepareCommit 1000/1 t-0 t-1", "a CompleteCommit 1000/1"]


def test_a_retried_end_is_answered_from_what_became_of_it() -> None:
    stage = Stage()
    first = stage.init("a")
    stage.add("a", first, "t-0")
    assert stage.end("a", first, True) == "NONE 1000/1"
    assert stage.end("a", first, True) == "NONE 1000/1", "its answer was lost"
    assert stage.end("a", first, False) == "INVALID_TXN_STATE", "it was committed, and cannot be aborted"
    second = (1000, 1)
    stage.add("a", second, "t-0")
    assert stage.end("a", first, True) == "PRODUCER_FENCED", "a late EndTxn does not end the next transaction"
    assert stage.end("a", second, False) == "NONE 1000/2"
    assert stage.end("a", second, False) == "NONE 1000/2"
    assert stage.end("a", first, True) == "PRODUCER_FENCED"


def test_an_abort_without_partitions_is_legal_for_a_bumping_producer_only() -> None:
    stage = Stage()
    producer = stage.init("a")
    assert stage.end("a", producer, False, version=CLASSIC) == "INVALID_TXN_STATE"
    assert stage.end("a", producer, True) == "INVALID_TXN_STATE"
    assert stage.end("a", producer, False) == "NONE 1000/1"
    assert stage.end("a", (1000, 1), False) == "NONE 1000/2", "also after a transaction"
    assert stage.written() == [
        "a Empty 1000/0",
        "a PrepareAbort 1000/1",
        "a CompleteAbort 1000/1",
        "a PrepareAbort 1000/2",
        "a CompleteAbort 1000/2",
    ]
    assert stage.ports.sent == []
    assert stage.shard.committed_state()["a"].start_ms == stage.host.wall_ms, "the start is that of the abort"


def test_the_last_epoch_of_a_bumping_producer_ends_in_another_producer_id() -> None:
    stage = Stage()
    last = at_epoch(stage, "a", LAST_GIVEN_EPOCH)
    stage.add("a", last, "t-0")
    assert stage.end("a", last, True) == "NONE 1001/0"
    assert stage.written(1) == [
        f"a Ongoing 1000/{LAST_GIVEN_EPOCH} t-0",
        f"a PrepareCommit 1000/{HIGHEST_EPOCH} then 1001 t-0",
        "a CompleteCommit 1001/0",
    ]
    assert marker_line(stage.ports.sent[0]) == f"t-0 commit 1000/{HIGHEST_EPOCH} v2"
    assert stage.end("a", last, True) == "NONE 1001/0", "a retry of the last epoch"
    assert stage.end("a", last, False) == "INVALID_TXN_STATE"
    assert stage.end("a", (999, LAST_GIVEN_EPOCH), True) == "INVALID_PRODUCER_ID_MAPPING"
    stage.add("a", (1001, 0), "t-0")
    assert stage.end("a", last, True) == "INVALID_PRODUCER_ID_MAPPING", "a late one is no retry any more"


def test_an_end_waits_for_a_producer_id_and_gives_up_when_there_is_none() -> None:
    stage = Stage()
    last = at_epoch(stage, "a", LAST_GIVEN_EPOCH)
    stage.add("a", last, "t-0")
    stage.ports.ids_held, stage.ports.ids_left = True, False
    answers = stage.asks_end("a", last, True)
    assert answers == []
    assert stage.end("a", last, True) == "CONCURRENT_TRANSACTIONS"
    stage.ports.release_ids()
    stage.host.advance(0)
    assert [ErrorCode(answer.error_code) for answer in answers] == [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]
    assert stage.status("a") == f"Ongoing 1000/{LAST_GIVEN_EPOCH}"
    stage.ports.ids_left = True
    assert stage.end("a", last, True) == "NONE 1001/0"


def test_a_new_incarnation_fences_the_old_one_and_aborts_its_transaction() -> None:
    stage = Stage()
    old = stage.init("a")
    stage.add("a", old, "t-0")
    assert stage.tries_init("a") == "CONCURRENT_TRANSACTIONS", "the client asks again"
    assert stage.status("a") == "CompleteAbort 1000/1"
    assert stage.add("a", old, "t-1") == "PRODUCER_FENCED"
    assert stage.end("a", old, True) == "INVALID_TXN_STATE"
    new = stage.init("a")
    assert new == (1000, 2)
    assert stage.end("a", old, False) == "PRODUCER_FENCED"
    assert stage.written(2) == ["a PrepareAbort 1000/1 t-0", "a CompleteAbort 1000/1", "a Empty 1000/2"]
    assert marker_line(stage.ports.sent[0]) == "t-0 abort 1000/1 v2"


def test_fencing_under_a_classic_cluster() -> None:
    stage = Stage(transaction_version=1)
    old = stage.init("a")
    stage.add("a", old, "t-0", version=3)
    assert stage.tries_init("a") == "CONCURRENT_TRANSACTIONS"
    assert stage.end("a", old, True, version=CLASSIC) == "PRODUCER_FENCED"
    assert stage.init("a") == (1000, 2)
    assert stage.written(2) == ["a PrepareAbort 1000/1 t-0", "a CompleteAbort 1000/1", "a Empty 1000/2"]
    assert marker_line(stage.ports.sent[0]) == "t-0 abort 1000/1 v0"


def test_the_level_of_the_feature_is_that_of_the_moment() -> None:
    """``kafka-features upgrade`` changes it while there are transactions; the version of a record is that of its value's schema."""
    stage = Stage(transaction_version=0)
    producer = stage.init("a")
    stage.ports.version = 2
    stage.add("a", producer, "t-0", version=3)
    assert [entry.value_version for entry in stage.host.log] == [0, 1]
    assert stage.tries_init("a") == "CONCURRENT_TRANSACTIONS"
    assert marker_line(stage.ports.sent[0]) == "t-0 abort 1000/1 v2", "fenced as under the new level"


def test_fencing_uses_the_one_epoch_above_the_last_that_is_given() -> None:
    for version, then, complete in ((1, "", f"1000/{HIGHEST_EPOCH}"), (2, " then 1001", "1001/0")):
        stage = Stage(transaction_version=version)
        last = at_epoch(stage, "a", LAST_GIVEN_EPOCH)
        stage.add("a", last, "t-0")
        assert stage.tries_init("a") == "CONCURRENT_TRANSACTIONS"
        assert stage.written(2) == [f"a PrepareAbort 1000/{HIGHEST_EPOCH}{then} t-0", f"a CompleteAbort {complete}"]
        assert stage.init("a") == ((1001, 0) if version == 1 else (1001, 1))


def test_an_open_transaction_is_aborted_within_its_timeout_and_an_interval() -> None:
    stage = Stage()
    producer = stage.init("a", timeout_ms=15_000)
    stage.host.advance(4_000)
    stage.add("a", producer, "t-0")
    stage.host.advance(10_000)
    stage.add("a", producer, "t-1")
    stage.host.advance(5_000)
    assert stage.status("a") == "Ongoing 1000/0", "the timeout is not over"
    stage.host.advance(1_000)
    assert stage.status("a") == "CompleteAbort 1000/1"
    assert stage.end("a", producer, True) == "INVALID_TXN_STATE"
    assert stage.end("a", producer, False) == "NONE 1000/1", "what it asks for has happened; it goes on with the new epoch"


def test_a_clock_that_jumps_neither_shortens_nor_lengthens_a_timeout() -> None:
    for jump_ms in (-86_400_000, 86_400_000):
        stage = Stage()
        producer = stage.init("a", timeout_ms=15_000)
        stage.add("a", producer, "t-0")
        stage.host.wall_base_ms += jump_ms
        stage.host.advance(10_000)
        assert stage.status("a") == "Ongoing 1000/0"
        stage.host.advance(10_000)
        assert stage.status("a") == "CompleteAbort 1000/1"


def test_a_transaction_that_somebody_else_decides_about_has_no_timeout() -> None:
    stage = Stage(transaction_two_phase_commit_enable="true")
    producer = stage.init("a", version=6, enable2_pc=True, timeout_ms=0)
    stage.add("a", producer, "t-0")
    stage.host.advance(10 * 86_400_000)
    assert stage.status("a") == "Ongoing 1000/0"
    assert stage.end("a", producer, True) == "NONE 1000/1"


def test_an_idle_id_expires_and_an_open_one_does_not() -> None:
    stage = Stage(transactional_id_expiration_ms="7200000", transaction_max_timeout_ms="86400000")
    stage.init("idle")
    busy = stage.init("open", timeout_ms=86_400_000)
    stage.add("open", busy, "t-0")
    done = stage.init("done")
    stage.add("done", done, "t-0")
    stage.end("done", done, True)
    stage.host.advance(3_600_000)
    stage.init("late")
    stage.host.advance(3_600_000)
    assert stage.status("idle") == stage.status("done") == "-"
    assert stage.written()[-2:] == ["idle forgotten", "done forgotten"]
    assert stage.status("open") == "Ongoing 1001/0"
    assert stage.status("late") == "Empty 1003/0"
    assert stage.add("idle", (1000, 0), "t-0") == "INVALID_PRODUCER_ID_MAPPING"
    assert stage.init("idle") == (1004, 0)


def test_an_id_that_expires_is_busy_and_comes_back_when_that_fails() -> None:
    stage = Stage(transactional_id_expiration_ms="3600000")
    producer = stage.init("a")
    stage.host.hold()
    stage.host.advance(3_600_000)
    assert stage.written()[-1] == "a forgotten"
    assert stage.add("a", producer, "t-0") == "CONCURRENT_TRANSACTIONS"
    stage.host.release()
    assert stage.status("a") == "-"

    again = stage.init("a")
    stage.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)
    stage.host.advance(3_600_000)
    assert stage.status("a") == "Empty 1001/0"
    assert stage.add("a", again, "t-0", version=BUMPING) == "NONE"


def test_many_overdue_transactions_are_aborted_in_several_appends() -> None:
    stage = Stage()
    ids = [f"a{number:03}" for number in range(150)]
    for transactional_id in ids:
        stage.add(transactional_id, stage.init(transactional_id), "t-0")
    stage.host.advance(TIMEOUT_MS + 10_000)
    assert [stage.status(each).split()[0] for each in ids] == ["CompleteAbort"] * 150
