"""Every request in every state: one table for each generation of producers.

The producer under test is the one of epoch 4 (1000/4) in every state but the unknown one. ``old`` is the epoch before it, ``new`` the one after.
A bumping producer that has ended its transaction in epoch 3 has epoch 4 now, so ``old`` is what a retried EndTxn has.
"""

from collections.abc import Callable

import pytest
from tests.unit.core.transactions.stage import BUMPING, CLASSIC, TIMEOUT_MS, Stage

from holdwater.core.transactions.records import record_of
from holdwater.core.transactions.transaction import BUMPING_VERSION, CLASSIC_VERSION, Status, Transaction
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition

ID = 1000
NOW = (ID, 4)
OLD = (ID, 3)
NEW = (ID, 5)
OTHER = (999, 4)

Ask = Callable[[Stage, int], str]

REQUESTS: dict[str, Ask] = {
    "init": lambda stage, generation: stage.tries_init("a"),
    "init now": lambda stage, generation: stage.tries_init("a", NOW),
    "init old": lambda stage, generation: stage.tries_init("a", OLD),
    "init other": lambda stage, generation: stage.tries_init("a", OTHER),
    "add": lambda stage, generation: stage.add("a", NOW, "t-1", version=add_version(generation)),
    "add again": lambda stage, generation: stage.add("a", NOW, "t-0", version=add_version(generation)),
    "add old": lambda stage, generation: stage.add("a", OLD, "t-1", version=add_version(generation)),
    "add other": lambda stage, generation: stage.add("a", OTHER, "t-1", version=add_version(generation)),
    "offsets": lambda stage, generation: stage.offsets("a", NOW, "readers"),
    "verify t-0": lambda stage, generation: stage.verify("a", NOW, "t-0"),
    "verify t-1": lambda stage, generation: stage.verify("a", NOW, "t-1"),
    "verify old": lambda stage, generation: stage.verify("a", OLD, "t-0"),
    "commit": lambda stage, generation: stage.end("a", NOW, True, version=generation),
    "abort": lambda stage, generation: stage.end("a", NOW, False, version=generation),
    "commit old": lambda stage, generation: stage.end("a", OLD, True, version=generation),
    "abort old": lambda stage, generation: stage.end("a", OLD, False, version=generation),
    "commit new": lambda stage, generation: stage.end("a", NEW, True, version=generation),
    "abort other": lambda stage, generation: stage.end("a", OTHER, False, version=generation),
}

SHORT = {
    "OK": "NONE",
    "BUSY": "CONCURRENT_TRANSACTIONS",
    "FENCED": "PRODUCER_FENCED",
    "MAPPING": "INVALID_PRODUCER_ID_MAPPING",
    "STATE": "INVALID_TXN_STATE",
    "ABORTABLE": "TRANSACTION_ABORTABLE",
}

CLASSIC_TABLE = """
request      unknown   Empty     Ongoing   PrepareCommit PrepareAbort CompleteCommit CompleteAbort busyEmpty busyOngoing
init         OK:1000/0 OK:1000/5 BUSY      BUSY          BUSY         OK:1000/5      OK:1000/5     BUSY      BUSY
init now     OK:1000/0 OK:1000/5 BUSY      BUSY          BUSY         OK:1000/5      OK:1000/5     BUSY      BUSY
init old     OK:1000/0 FENCED    BUSY      BUSY          BUSY         FENCED         FENCED        BUSY      BUSY
init other   OK:1000/0 FENCED    FENCED    BUSY          BUSY         FENCED         FENCED        BUSY      BUSY
add          MAPPING   OK        OK        BUSY          BUSY         OK             OK            BUSY      BUSY
add again    MAPPING   OK        OK        BUSY          BUSY         OK             OK            BUSY      BUSY
add old      MAPPING   FENCED    FENCED    BUSY          BUSY         FENCED         FENCED        BUSY      BUSY
add other    MAPPING   MAPPING   MAPPING   BUSY          BUSY         MAPPING        MAPPING       BUSY      BUSY
offsets      MAPPING   OK        OK        BUSY          BUSY         OK             OK            BUSY      BUSY
verify t-0   MAPPING   ABORTABLE OK        BUSY          BUSY         ABORTABLE      ABORTABLE     ABORTABLE OK
verify t-1   MAPPING   ABORTABLE ABORTABLE BUSY          BUSY         ABORTABLE      ABORTABLE     ABORTABLE ABORTABLE
verify old   MAPPING   FENCED    FENCED    FENCED        FENCED       FENCED         FENCED        FENCED    FENCED
commit       MAPPING   STATE     OK        BUSY          BUSY         OK             STATE         BUSY      BUSY
abort        MAPPING   STATE     OK        BUSY          BUSY         STATE          OK            BUSY      BUSY
commit old   MAPPING   FENCED    FENCED    FENCED        FENCED       FENCED         FENCED        FENCED    FENCED
abort old    MAPPING   FENCED    FENCED    FENCED        FENCED       FENCED         FENCED        FENCED    FENCED
commit new   MAPPING   FENCED    FENCED    FENCED        FENCED       FENCED         FENCED        FENCED    FENCED
abort other  MAPPING   MAPPING   MAPPING   MAPPING       MAPPING      MAPPING        MAPPING       MAPPING   MAPPING
"""

BUMPING_TABLE = """
request      unknown   Empty     Ongoing   PrepareCommit PrepareAbort CompleteCommit CompleteAbort busyEmpty busyOngoing
init         OK:1000/0 OK:1000/5 BUSY      BUSY          BUSY         OK:1000/5      OK:1000/5     BUSY      BUSY
init now     OK:1000/0 OK:1000/5 BUSY      BUSY          BUSY         OK:1000/5      OK:1000/5     BUSY      BUSY
init old     OK:1000/0 FENCED    BUSY      BUSY          BUSY         FENCED         FENCED        BUSY      BUSY
init other   OK:1000/0 FENCED    FENCED    BUSY          BUSY         FENCED         FENCED        BUSY      BUSY
add          MAPPING   OK        OK        BUSY          BUSY         OK             OK            BUSY      BUSY
add again    MAPPING   OK        OK        BUSY          BUSY         OK             OK            BUSY      BUSY
add old      MAPPING   FENCED    FENCED    BUSY          BUSY         FENCED         FENCED        BUSY      BUSY
add other    MAPPING   MAPPING   MAPPING   BUSY          BUSY         MAPPING        MAPPING       BUSY      BUSY
offsets      MAPPING   OK        OK        BUSY          BUSY         OK             OK            BUSY      BUSY
verify t-0   MAPPING   ABORTABLE OK        BUSY          BUSY         ABORTABLE      ABORTABLE     ABORTABLE OK
verify t-1   MAPPING   ABORTABLE ABORTABLE BUSY          BUSY         ABORTABLE      ABORTABLE     ABORTABLE ABORTABLE
verify old   MAPPING   FENCED    FENCED    FENCED        FENCED       FENCED         FENCED        FENCED    FENCED
commit       MAPPING   STATE     OK:1000/5 BUSY          BUSY         STATE          STATE         BUSY      BUSY
abort        MAPPING   OK:1000/5 OK:1000/5 BUSY          BUSY         OK:1000/5      OK:1000/5     BUSY      BUSY
commit old   MAPPING   FENCED    FENCED    BUSY          BUSY         OK:1000/4      STATE         BUSY      BUSY
abort old    MAPPING   FENCED    FENCED    BUSY          BUSY         STATE          OK:1000/4     BUSY      BUSY
commit new   MAPPING   FENCED    FENCED    BUSY          BUSY         FENCED         FENCED        BUSY      BUSY
abort other  MAPPING   MAPPING   MAPPING   BUSY          BUSY         MAPPING        MAPPING       BUSY      BUSY
"""


def add_version(generation: int) -> int:
    return 4 if generation == BUMPING else 3


def rows(table: str, generation: int) -> list[tuple[int, str, str, str]]:
    head, *lines = table.strip().splitlines()
    states = head.split()[1:]
    cells: list[tuple[int, str, str, str]] = []
    for line in lines:
        answers = line[13:].split()
        assert len(answers) == len(states), line
        cells += [(generation, line[:13].strip(), state, expected) for state, expected in zip(states, answers, strict=True)]
    return cells


CASES = rows(CLASSIC_TABLE, CLASSIC) + rows(BUMPING_TABLE, BUMPING)


def stage_in(state: str, generation: int) -> Stage:
    """A coordinator that has loaded this state; busy: it has a change that is not committed."""
    stage = Stage()
    if state == "unknown":
        return stage
    stage.ports.next_id = ID + 1
    stage.ports.markers_held = True
    version = BUMPING_VERSION if generation == BUMPING else CLASSIC_VERSION
    status = Status.ONGOING if state.endswith("Ongoing") else next((each for each in Status if each.text == state), Status.EMPTY)
    open_now = status in (Status.ONGOING, Status.PREPARE_COMMIT, Status.PREPARE_ABORT)
    loaded = Transaction(
        producer_id=ID,
        producer_epoch=4,
        timeout_ms=TIMEOUT_MS,
        status=status,
        update_ms=stage.host.wall_ms,
        start_ms=-1 if status is Status.EMPTY else stage.host.wall_ms,
        previous_producer_id=ID,
        partitions=(TopicPartition("t", 0),) if open_now else (),
        client_version=version,
    )
    stage.begins_with(record_of("a", loaded, 1))
    if state.startswith("busy"):
        stage.host.hold()
        assert stage.asks_add("a", NOW, "u-7", version=add_version(generation)) == []
    return stage


@pytest.mark.parametrize(("generation", "request_name", "state", "expected"), CASES)
def test_the_answer_is_that_of_the_table(generation: int, request_name: str, state: str, expected: str) -> None:
    stage = stage_in(state, generation)
    answer = REQUESTS[request_name](stage, generation)
    name, _, producer = expected.partition(":")
    assert answer == f"{SHORT[name]} {producer}".strip()


@pytest.mark.parametrize(("generation", "request_name", "state", "expected"), CASES)
def test_a_refusal_writes_nothing_and_leaves_the_state(generation: int, request_name: str, state: str, expected: str) -> None:
    stage = stage_in(state, generation)
    before, written = stage.shard.committed_state(), stage.written()
    REQUESTS[request_name](stage, generation)
    if expected in ("BUSY", "FENCED", "MAPPING", "STATE", "ABORTABLE") and not (state == "Ongoing" and request_name.startswith("init")):
        assert stage.shard.committed_state() == before
        assert stage.written() == written


def test_every_request_is_in_both_tables() -> None:
    for generation in (CLASSIC, BUMPING):
        assert [name for each, name, state, _ in CASES if each == generation and state == "Empty"] == list(REQUESTS)


@pytest.mark.parametrize(
    ("ask", "fenced_since"),
    [
        (lambda stage, version: stage.tries_init("a", OLD, version=version), 4),
        (lambda stage, version: stage.add("a", OLD, "t-1", version=version), 2),
        (lambda stage, version: stage.offsets("a", OLD, "readers", version=version), 2),
        (lambda stage, version: stage.end("a", OLD, True, version=version), 2),
    ],
    ids=["init", "add", "offsets", "end"],
)
def test_an_old_client_hears_of_an_invalid_epoch_where_a_new_one_is_fenced(ask: Ask, fenced_since: int) -> None:
    for version in range(5):
        stage = stage_in("Empty", CLASSIC)
        known = version >= fenced_since
        assert ask(stage, version) == ("PRODUCER_FENCED" if known else "INVALID_PRODUCER_EPOCH"), version


def test_the_error_names_are_distinct_errors() -> None:
    assert len({ErrorCode[name] for name in SHORT.values()}) == len(SHORT)
