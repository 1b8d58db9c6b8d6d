"""Appends that are refused, that are in doubt, and coordinators that move."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.core.transactions.stage import TIMEOUT_MS, Stage, marker_line, text_of

from holdwater.core.transactions.ledger import IN_DOUBT_RETRY_MS
from holdwater.kernel.errors import ErrorCode

E = ErrorCode

HEARD = [
    (E.NOT_ENOUGH_REPLICAS, "COORDINATOR_NOT_AVAILABLE"),
    (E.NOT_ENOUGH_REPLICAS_AFTER_APPEND, "COORDINATOR_NOT_AVAILABLE"),
    (E.REQUEST_TIMED_OUT, "COORDINATOR_NOT_AVAILABLE"),
    (E.UNKNOWN_TOPIC_OR_PARTITION, "COORDINATOR_NOT_AVAILABLE"),
    (E.COORDINATOR_NOT_AVAILABLE, "COORDINATOR_NOT_AVAILABLE"),
    (E.NOT_LEADER_OR_FOLLOWER, "NOT_COORDINATOR"),
    (E.KAFKA_STORAGE_ERROR, "NOT_COORDINATOR"),
    (E.NOT_COORDINATOR, "NOT_COORDINATOR"),
    (E.MESSAGE_TOO_LARGE, "UNKNOWN_SERVER_ERROR"),
    (E.RECORD_LIST_TOO_LARGE, "UNKNOWN_SERVER_ERROR"),
    (E.CORRUPT_MESSAGE, "CORRUPT_MESSAGE"),
]


def open_transaction(stage: Stage) -> tuple[int, int]:
    producer = stage.init("a")
    stage.add("a", producer, "t-0")
    return producer


@pytest.mark.parametrize(("failure", "heard"), HEARD)
def test_a_refused_append_leaves_nothing_behind(failure: ErrorCode, heard: str) -> None:
    stage = Stage()
    stage.host.fail_next(failure)
    assert stage.tries_init("a") == heard
    assert stage.status("a") == "-"
    assert stage.describe("a")[0].error_code == E.TRANSACTIONAL_ID_NOT_FOUND
    producer = stage.init("a")
    assert producer == (1001, 0), "the producer id of the first attempt is used up"
    stage.host.fail_next(failure)
    assert stage.add("a", producer, "t-0") == heard
    assert stage.status("a") == "Empty 1001/0"
    assert stage.add("a", producer, "t-0") == "NONE"
    stage.host.fail_next(failure)
    assert stage.offsets("a", producer, "readers") == heard
    stage.host.fail_next(failure)
    assert stage.end("a", producer, True) == heard
    assert stage.status("a") == "Ongoing 1001/0"
    assert stage.ports.sent == []
    stage.host.fail_next(failure)
    assert stage.tries_init("a") == heard
    assert stage.end("a", producer, True) == "NONE 1001/1", "the fence that failed has taken nothing"


def test_an_end_that_is_refused_is_appended_again_and_nothing_comes_between() -> None:
    stage = Stage()
    producer = open_transaction(stage)
    stage.ports.markers_held = True
    stage.end("a", producer, True)
    stage.host.fail_next(E.NOT_ENOUGH_REPLICAS)
    stage.ports.write_all()
    stage.host.advance(0)
    assert stage.status("a") == "PrepareCommit 1000/1"
    assert stage.add("a", (1000, 1), "t-0") == "CONCURRENT_TRANSACTIONS"
    stage.host.advance(1_000)
    assert stage.status("a") == "CompleteCommit 1000/1"
    assert len(stage.ports.sent) == 1


def ask_add(stage: Stage) -> list[Any]:
    return stage.asks_add("a", (1000, 0), "t-1")


def ask_end(stage: Stage) -> list[Any]:
    return stage.asks_end("a", (1000, 0), True)


def ask_fence(stage: Stage) -> list[Any]:
    return stage.asks_init("a")


@pytest.mark.parametrize(
    ("ask", "after"),
    [(ask_add, "Ongoing 1000/0"), (ask_end, "CompleteCommit 1000/1"), (ask_fence, "CompleteAbort 1000/1")],
    ids=["add", "end", "fence"],
)
def test_what_is_in_the_log_and_not_committed_in_time_keeps_the_id_busy(ask: Callable[[Stage], list[Any]], after: str) -> None:
    stage = Stage()
    open_transaction(stage)
    stage.host.hold()
    answers = ask(stage)
    stage.host.lose(E.COORDINATOR_NOT_AVAILABLE)
    assert [text_of(answer) for answer in answers] == ["COORDINATOR_NOT_AVAILABLE"]
    stage.host.hold()
    for _ in range(3):
        stage.host.advance(IN_DOUBT_RETRY_MS)
        stage.host.lose(E.COORDINATOR_NOT_AVAILABLE)
        stage.host.hold()
    assert stage.status("a") == "Ongoing 1000/0"
    assert stage.ports.sent == [], "nobody is told of an outcome that may be lost"
    assert stage.add("a", (1000, 0), "t-2") == "CONCURRENT_TRANSACTIONS"
    stage.host.release()
    stage.host.advance(IN_DOUBT_RETRY_MS)
    assert stage.status("a") == after
    assert len(answers) == 1


def test_the_end_itself_may_be_in_doubt() -> None:
    stage = Stage()
    producer = open_transaction(stage)
    stage.ports.markers_held = True
    stage.end("a", producer, True)
    stage.host.hold()
    stage.ports.write_all()
    stage.host.advance(0)
    stage.host.lose(E.COORDINATOR_NOT_AVAILABLE)
    assert stage.status("a") == "PrepareCommit 1000/1"
    stage.host.advance(IN_DOUBT_RETRY_MS)
    assert stage.status("a") == "CompleteCommit 1000/1"
    assert stage.written(2) == ["a PrepareCommit 1000/1 t-0", "a CompleteCommit 1000/1"], "it is in the log once"
    assert stage.describe("a")[0].topics == []


@pytest.mark.parametrize("lost", [False, True], ids=["the outcome is kept", "the outcome is lost"])
def test_an_outcome_in_doubt_when_the_coordinator_moves(lost: bool) -> None:
    stage = Stage()
    producer = open_transaction(stage)
    stage.host.hold()
    answers = stage.asks_end("a", producer, True)
    stage.moves(kept=2 if lost else 3)
    assert [text_of(answer) for answer in answers] == ["NOT_COORDINATOR"]
    assert stage.status("a") == ("Ongoing 1000/0" if lost else "CompleteCommit 1000/1")
    assert stage.end("a", producer, True) == "NONE 1000/1"
    assert [marker_line(marker) for marker in stage.ports.sent] == ["t-0 commit 1000/1 v2"]


def test_markers_on_their_way_are_sent_again_by_the_next_coordinator_and_late_reports_change_nothing() -> None:
    stage = Stage()
    producer = open_transaction(stage)
    stage.ports.markers_held = True
    stage.end("a", producer, False)
    stage.moves()
    assert stage.add("a", (1000, 1), "t-0") == "CONCURRENT_TRANSACTIONS"
    assert stage.end("a", producer, False) == "CONCURRENT_TRANSACTIONS"
    assert [marker_line(marker) for marker in stage.ports.sent] == ["t-0 abort 1000/1 v2"] * 2
    stage.ports.write_one(0)
    stage.host.advance(0)
    assert stage.status("a") == "PrepareAbort 1000/1", "that was the report to the one before"
    stage.ports.write_one(0)
    stage.host.advance(0)
    assert stage.status("a") == "CompleteAbort 1000/1"


def test_what_was_loaded_is_told_and_acted_upon_once_it_is_committed() -> None:
    stage = Stage()
    producer = open_transaction(stage)
    stage.ports.markers_held = True
    stage.end("a", producer, True)
    stage.ports.sent.clear()
    stage.shard.unloaded(E.NOT_COORDINATOR)
    stage.host.hold()
    stage.shard = stage.fresh_shard()
    stage.host.load(stage.shard)
    answers = stage.asks_end("a", (1000, 0), True)
    described: list[Any] = []
    stage.host.run(stage.shard.describe(["a"], described.append))
    stage.host.advance(10_000)
    assert answers == described == stage.ports.sent == []
    stage.host.lose(E.COORDINATOR_NOT_AVAILABLE)
    assert text_of(answers[0]) == "COORDINATOR_NOT_AVAILABLE"
    assert described[0].transaction_states[0].error_code == E.COORDINATOR_NOT_AVAILABLE
    stage.host.advance(IN_DOUBT_RETRY_MS)
    assert [marker_line(marker) for marker in stage.ports.sent] == ["t-0 commit 1000/1 v2"]
    assert stage.end("a", (1000, 0), True) == "CONCURRENT_TRANSACTIONS"


def test_an_open_transaction_times_out_after_a_move_no_later_than_before() -> None:
    stage = Stage()
    open_transaction(stage)
    stage.host.advance(TIMEOUT_MS - 5_000)
    stage.moves()
    stage.host.advance(4_000)
    assert stage.status("a") == "Ongoing 1000/0"
    stage.host.advance(11_000)
    assert stage.status("a") == "CompleteAbort 1000/1"


@pytest.mark.parametrize("jump_ms", [-86_400_000, 86_400_000])
def test_another_clock_moves_a_timeout_by_no_more_than_itself(jump_ms: int) -> None:
    stage = Stage()
    open_transaction(stage)
    stage.host.wall_base_ms += jump_ms
    stage.moves()
    stage.host.advance(9_999)
    assert stage.status("a") == "Ongoing 1000/0"
    stage.host.advance(TIMEOUT_MS + 10_000)
    assert stage.status("a") == "CompleteAbort 1000/1"


def test_who_waits_is_told_when_the_coordinator_goes() -> None:
    stage = Stage()
    producer = open_transaction(stage)
    stage.ports.ids_held = True
    waits_for_id = stage.asks_init("b")
    stage.host.hold()
    waits_for_commit = stage.asks_end("a", producer, True)
    stage.shard.unloaded(E.COORDINATOR_NOT_AVAILABLE)
    assert [text_of(answer) for answer in (*waits_for_id, *waits_for_commit)] == ["COORDINATOR_NOT_AVAILABLE"] * 2
    assert stage.host.pending_timers() == 0
    stage.ports.release_ids()
    stage.host.release()
    assert len(waits_for_id) == len(waits_for_commit) == 1
    assert stage.host.pending_timers() == 0
    assert stage.shard.committed_state() == {}
    assert stage.ports.sent == []


def test_a_shard_that_was_unloaded_can_be_loaded_again() -> None:
    stage = Stage()
    producer = open_transaction(stage)
    before = stage.shard.committed_state()
    stage.moves(shard=stage.shard, held=True)
    assert stage.shard.committed_state() == before
    answers = stage.asks_end("a", (1000, 7), True)
    assert answers == [], "what it was sure of before it is not sure of now"
    stage.host.release()
    assert text_of(answers[0]) == "PRODUCER_FENCED"
    assert stage.end("a", producer, True) == "NONE 1000/1"


def test_a_forgotten_id_stays_forgotten_when_the_log_is_loaded() -> None:
    stage = Stage(transactional_id_expiration_ms="3600000")
    stage.init("a")
    stage.host.advance(3_600_000)
    stage.moves()
    assert stage.shard.committed_state() == {}


@pytest.mark.parametrize("compacted", [False, True])
def test_a_rebuilt_coordinator_equals_the_live_one(compacted: bool) -> None:
    stage = Stage()
    for transactional_id in ("a", "b", "c"):
        producer = stage.init(transactional_id)
        stage.add(transactional_id, producer, "t-0", "u-1")
    stage.end("a", (1000, 0), True)
    stage.ports.markers_held = True
    stage.end("b", (1001, 0), False)
    before = stage.shard.committed_state()
    if compacted:
        stage.host.log = stage.host.compacted()
    stage.moves()
    assert stage.shard.committed_state() == {name: state._replace(last_producer_epoch=-1) for name, state in before.items()}
