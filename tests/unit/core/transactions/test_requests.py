"""What requests are refused at the door, KIP-360, batches from brokers, and what is described and listed."""

from typing import Any

import pytest
from tests.unit.core.transactions.stage import BUMPING, CLASSIC, Stage, text_of, topics_of, transaction_asked

from holdwater.core.transactions.records import record_of
from holdwater.core.transactions.transaction import HIGHEST_EPOCH, LAST_GIVEN_EPOCH, Status, Transaction
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.wire.messages import AddPartitionsToTxnRequest

MAX_TIMEOUT_MS = 900_000

DOOR: list[tuple[dict[str, Any], str]] = [
    ({"transactional_id": ""}, "INVALID_REQUEST"),
    ({"transactional_id": "a", "claim": (1000, -1)}, "INVALID_REQUEST"),
    ({"transactional_id": "a", "claim": (-1, 0)}, "INVALID_REQUEST"),
    ({"transactional_id": None, "claim": (-1, 0)}, "INVALID_REQUEST"),
    ({"transactional_id": "a", "timeout_ms": 0}, "INVALID_TRANSACTION_TIMEOUT"),
    ({"transactional_id": "a", "timeout_ms": -1}, "INVALID_TRANSACTION_TIMEOUT"),
    ({"transactional_id": "a", "timeout_ms": MAX_TIMEOUT_MS + 1}, "INVALID_TRANSACTION_TIMEOUT"),
    ({"transactional_id": "a", "timeout_ms": MAX_TIMEOUT_MS}, "NONE 1000/0"),
    ({"transactional_id": "a", "enable2_pc": True}, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    ({"transactional_id": "a", "keep_prepared_txn": True}, "UNSUPPORTED_VERSION"),
    ({"transactional_id": None}, "NONE 1000/0"),
    ({"transactional_id": None, "timeout_ms": 0}, "NONE 1000/0"),
    ({"transactional_id": "a", "claim": (77, 5)}, "NONE 1000/0"),
]


@pytest.mark.parametrize(("asked", "answer"), DOOR, ids=str)
def test_init_producer_id_at_the_door(asked: dict[str, Any], answer: str) -> None:
    assert Stage().tries_init(**asked) == answer


def test_two_phase_commit_where_it_is_allowed() -> None:
    stage = Stage(transaction_two_phase_commit_enable="true")
    assert stage.tries_init("a", enable2_pc=True, timeout_ms=0) == "NONE 1000/0"
    assert stage.shard.committed_state()["a"].timeout_ms == 2**31 - 1
    assert stage.tries_init("a", enable2_pc=True, keep_prepared_txn=True) == "UNSUPPORTED_VERSION"


def test_empty_ids_are_invalid_requests() -> None:
    stage = Stage()
    assert stage.add("", (1000, 0), "t-0", version=3) == "INVALID_REQUEST"
    assert stage.add("", (1000, 0), "t-0") == "INVALID_REQUEST"
    assert stage.verify("", (1000, 0), "t-0") == "INVALID_REQUEST"
    assert stage.offsets("", (1000, 0), "readers") == "INVALID_REQUEST"
    assert stage.end("", (1000, 0), True) == "INVALID_REQUEST"


def test_a_producer_without_a_transactional_id_gets_none_when_there_are_none() -> None:
    stage = Stage()
    stage.ports.ids_left = False
    assert stage.tries_init(None) == "COORDINATOR_LOAD_IN_PROGRESS"
    assert stage.tries_init("a") == "COORDINATOR_LOAD_IN_PROGRESS"
    assert stage.status("a") == "-"


def test_a_producer_that_shows_what_it_had_gets_the_next_epoch_and_the_same_one_again() -> None:
    """KIP-360: an answer that was lost is not a fence."""
    stage = Stage()
    had = stage.init("a")
    assert stage.init("a", had) == (1000, 1)
    assert stage.init("a", had) == (1000, 1), "a retry"
    assert stage.init("a", (1000, 1)) == (1000, 2)
    assert stage.tries_init("a", had) == "PRODUCER_FENCED"
    assert stage.init("a") == (1000, 3)
    assert stage.tries_init("a", (1000, 2)) == "PRODUCER_FENCED", "somebody else began, and says nothing of what was"


def test_a_bumping_producer_that_was_not_told_of_its_new_epoch_may_ask_for_it() -> None:
    stage = Stage()
    producer = stage.init("a")
    stage.add("a", producer, "t-0")
    stage.end("a", producer, True)
    assert stage.init("a", producer) == (1000, 1)


def exhausted(stage: Stage) -> None:
    stage.begins_with(record_of("a", Transaction(500, LAST_GIVEN_EPOCH, 60_000, Status.EMPTY, stage.host.wall_ms), 1))


def test_a_producer_id_whose_epochs_are_used_up_gives_way_to_the_next() -> None:
    stage = Stage()
    exhausted(stage)
    assert stage.init("a", (500, LAST_GIVEN_EPOCH)) == (1000, 0)
    assert stage.tries_init("a", (500, 7)) == stage.tries_init("a", (500, 0)) == "PRODUCER_FENCED"
    assert stage.init("a", (500, LAST_GIVEN_EPOCH)) == (1000, 0), "a retry"
    assert stage.init("a") == (1000, 1)

    stage = Stage()
    exhausted(stage)
    assert stage.tries_init("a", (500, 7)) == "PRODUCER_FENCED", "an older producer takes no new id"
    assert stage.init("a") == (1000, 0)
    assert stage.tries_init("a", (500, LAST_GIVEN_EPOCH)) == "PRODUCER_FENCED"


def test_a_fenced_highest_epoch_gives_way_too() -> None:
    stage = Stage()
    stage.begins_with(record_of("a", Transaction(500, HIGHEST_EPOCH, 60_000, Status.COMPLETE_ABORT, stage.host.wall_ms, start_ms=1), 1))
    assert stage.init("a") == (1000, 0)


def test_one_unknown_partition_keeps_all_of_them_out() -> None:
    stage = Stage()
    producer = stage.init("a")
    stage.ports.unknown_topics = ["u"]
    for version in (3, 4):
        assert stage.add("a", producer, "t-0", "u-0", "u-1", version=version) == "OPERATION_NOT_ATTEMPTED UNKNOWN_TOPIC_OR_PARTITION"
    assert stage.status("a") == "Empty 1000/0"


def batch(stage: Stage, *asked: AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction) -> list[Any]:
    return stage.asks(stage.shard.add_partitions, AddPartitionsToTxnRequest(transactions=list(asked)), 5)


def results(answers: list[Any]) -> dict[str, list[tuple[str, int, str]]]:
    (answer,) = answers
    return {
        result.transactional_id: [
            (topic.name, each.partition_index, ErrorCode(each.partition_error_code).name)
            for topic in result.topic_results
            for each in topic.results_by_partition
        ]
        for result in answer.results_by_transaction
    }


def test_a_batch_has_one_answer_with_one_result_for_each_transaction_in_its_order() -> None:
    stage = Stage()
    a, b, c = (stage.init(name) for name in "abc")
    stage.add("c", c, "t-0")
    answers = batch(
        stage,
        transaction_asked("a", a, "t-0", "u-2"),
        transaction_asked("nobody", (1, 1), "t-0"),
        transaction_asked("c", c, "t-0", "t-1", verify_only=True),
        transaction_asked("b", (b[0], 9), "t-0"),
    )
    assert list(results(answers)) == ["a", "nobody", "c", "b"]
    assert results(answers) == {
        "a": [("t", 0, "NONE"), ("u", 2, "NONE")],
        "nobody": [("t", 0, "INVALID_PRODUCER_ID_MAPPING")],
        "c": [("t", 0, "NONE"), ("t", 1, "TRANSACTION_ABORTABLE")],
        "b": [("t", 0, "PRODUCER_FENCED")],
    }
    assert stage.status("a") == "Ongoing 1000/0"
    assert stage.shard.committed_state()["a"].client_version == 2


def test_a_batch_is_answered_when_the_last_of_it_is_committed_or_refused() -> None:
    stage = Stage()
    a, b = stage.init("a"), stage.init("b")
    stage.host.hold()
    answers = batch(stage, transaction_asked("a", a, "t-0"), transaction_asked("nobody", (1, 1), "t-0"), transaction_asked("b", b, "t-1"))
    assert answers == []
    stage.host.release()
    assert [each[0][2] for each in results(answers).values()] == ["NONE", "INVALID_PRODUCER_ID_MAPPING", "NONE"]
    stage.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)
    answers = batch(stage, transaction_asked("a", a, "t-5"), transaction_asked("nobody", (1, 1), "t-0"))
    assert [each[0][2] for each in results(answers).values()] == ["COORDINATOR_NOT_AVAILABLE", "INVALID_PRODUCER_ID_MAPPING"]


def test_a_large_batch_is_worked_off_in_several_appends() -> None:
    stage = Stage()
    producers = {f"a{number:03}": stage.init(f"a{number:03}") for number in range(200)}
    answers = batch(stage, *(transaction_asked(name, producer, "t-0") for name, producer in producers.items()))
    assert list(results(answers)) == list(producers)
    assert all(stage.status(name).startswith("Ongoing") for name in producers)


def test_an_empty_batch_is_answered() -> None:
    (answer,) = batch(Stage())
    assert answer.results_by_transaction == []


def test_a_client_of_old_gets_the_topics_of_its_one_transaction() -> None:
    stage = Stage()
    producer = stage.init("a")
    (answer,) = stage.asks_add("a", producer, "t-0", "u-1", version=3)
    assert answer.results_by_transaction == []
    assert [topic.name for topic in answer.results_by_topic_v3_and_below] == ["t", "u"]
    assert text_of(answer) == "NONE"
    assert topics_of(["t-0"])[0].partitions == [0]


def test_describe() -> None:
    stage = Stage()
    producer = stage.init("a", timeout_ms=4_000)
    stage.host.advance(50)
    stage.add("a", producer, "t-1", "t-0", "u-3")
    found, missing, invalid = stage.describe("a", "b", "")
    assert (found.error_code, found.transaction_state, found.transaction_timeout_ms) == (0, "Ongoing", 4_000)
    assert (found.producer_id, found.producer_epoch, found.transaction_start_time_ms) == (1000, 0, stage.host.wall_ms)
    assert [(topic.topic, topic.partitions) for topic in found.topics] == [("t", [0, 1]), ("u", [3])]
    assert (missing.transactional_id, missing.error_code) == ("b", ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)
    assert invalid.error_code == ErrorCode.INVALID_REQUEST


def test_what_is_not_committed_is_not_told() -> None:
    stage = Stage()
    stage.host.hold()
    stage.asks_init("a")
    assert stage.describe("a")[0].error_code == ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
    assert stage.listed() == ("NONE", [], [])


FILTERS: list[tuple[dict[str, Any], tuple[str, list[str], list[str]]]] = [
    ({}, ("NONE", [], ["orders-1", "orders-2", "pay"])),
    ({"state_filters": ["Ongoing"]}, ("NONE", [], ["orders-2"])),
    ({"state_filters": ["Ongoing", "Empty"]}, ("NONE", [], ["orders-1", "orders-2"])),
    ({"state_filters": ["Done"]}, ("NONE", ["Done"], [])),
    ({"state_filters": ["Done", "CompleteCommit"]}, ("NONE", ["Done"], ["pay"])),
    ({"state_filters": ["Dead", "PrepareEpochFence", "PrepareCommit", "PrepareAbort", "CompleteAbort"]}, ("NONE", [], [])),
    ({"producer_id_filters": [1002, 7]}, ("NONE", [], ["pay"])),
    ({"duration_filter": 5_000, "state_filters": ["Ongoing"]}, ("NONE", [], [])),
    ({"duration_filter": 4_999, "state_filters": ["Ongoing"]}, ("NONE", [], ["orders-2"])),
    ({"duration_filter": 0}, ("NONE", [], ["orders-1", "orders-2", "pay"])),
    ({"transactional_id_pattern": "orders-.*"}, ("NONE", [], ["orders-1", "orders-2"])),
    ({"transactional_id_pattern": "orders"}, ("NONE", [], [])),
    ({"transactional_id_pattern": ""}, ("NONE", [], ["orders-1", "orders-2", "pay"])),
    ({"transactional_id_pattern": "("}, ("INVALID_REGULAR_EXPRESSION", [], [])),
    ({"transactional_id_pattern": "a{99999999999}"}, ("INVALID_REGULAR_EXPRESSION", [], [])),
    ({"transactional_id_pattern": "(" * 5000 + ")" * 5000}, ("INVALID_REGULAR_EXPRESSION", [], [])),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=lambda value: str(value)[:60])
def test_list(filters: dict[str, Any], expected: tuple[str, list[str], list[str]]) -> None:
    stage = Stage()
    stage.init("orders-1")
    stage.add("orders-2", stage.init("orders-2"), "t-0")
    pay = stage.init("pay")
    stage.add("pay", pay, "t-0", version=3)
    stage.end("pay", pay, True, version=CLASSIC)
    stage.host.advance(5_000)
    assert stage.listed(**filters) == expected


@pytest.mark.parametrize("transaction_version", [0, 1, 2])
def test_the_value_version_is_that_of_the_cluster(transaction_version: int) -> None:
    stage = Stage(transaction_version=transaction_version)
    producer = stage.init("a")
    stage.add("a", producer, "t-0")
    stage.end("a", producer, True, version=BUMPING)
    tagged = transaction_version >= 1
    assert [entry.value_version for entry in stage.host.log] == [1 if tagged else 0] * 4
    value = stage.host.log[-1].value
    assert (value.client_transaction_version, value.previous_producer_id) == ((2, 1000) if tagged else (0, -1))
    assert stage.host.log[0].value.transaction_partitions is None
    assert stage.shard.committed_state()["a"].partitions == ()
    stage.moves()
    assert stage.status("a") == "CompleteCommit 1000/1"


def test_partitions_are_stored_by_topic() -> None:
    state = Transaction(1, 0, 5, Status.ONGOING, 6, 7, partitions=(TopicPartition("t", 0), TopicPartition("t", 4), TopicPartition("u", 1)))
    value = record_of("a", state, 1).value
    assert value is not None
    assert [(each.topic, each.partition_ids) for each in value.transaction_partitions] == [("t", [0, 4]), ("u", [1])]
    assert record_of("a", None, 1).value is None
