"""Several incarnations of several producers, late and repeated requests, timeouts, moves, failing appends, slow markers: in any order.

What must hold is judged from outside: by the log as it was committed, the answers, and the markers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.coordinator import Entry
from tests.unit.core.transactions.stage import BUMPING, CLASSIC, Stage

from holdwater.core.transactions import Marker, Status, Transaction, TransactionShard
from holdwater.core.transactions.records import record_of, transaction_of
from holdwater.core.transactions.transaction import LAST_GIVEN_EPOCH
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.wire.messages import TransactionLogKey, TransactionLogValue

IDS = ("a", "b")
TIMEOUT_MS, INTERVAL_MS = 20_000, 10_000
OPEN, PREPARED = (Status.ONGOING,), (Status.PREPARE_COMMIT, Status.PREPARE_ABORT)
MAY_FOLLOW = {
    None: (Status.EMPTY,),
    Status.EMPTY: (Status.EMPTY, Status.ONGOING, Status.PREPARE_ABORT, None),
    Status.ONGOING: (Status.ONGOING, *PREPARED),
    Status.PREPARE_COMMIT: (Status.COMPLETE_COMMIT,),
    Status.PREPARE_ABORT: (Status.COMPLETE_ABORT,),
    Status.COMPLETE_COMMIT: (Status.EMPTY, Status.ONGOING, Status.PREPARE_ABORT, None),
    Status.COMPLETE_ABORT: (Status.EMPTY, Status.ONGOING, Status.PREPARE_ABORT, None),
}


@dataclass
class Incarnation:
    """One client with a transactional id, which believes what it was last told."""

    transactional_id: str
    generation: int
    claim: tuple[int, int] = (-1, -1)
    sent: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    """Requests that may arrive once more, late."""


@dataclass
class World:
    """The stage, the clients, and the judge."""

    stage: Stage
    clients: list[Incarnation]
    committed_count: int = 0
    """How much of the log is committed for certain."""
    told: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """The newest producer id and epoch that a client of the transactional id was given."""
    given_ids: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    outcomes: dict[tuple[str, int, int], bool] = field(default_factory=dict[tuple[str, int, int], bool])
    waiting: list[tuple[list[Any], Callable[[Any], None]]] = field(default_factory=list[tuple[list[Any], Callable[[Any], None]]])
    """Requests without an answer yet, and who judges it."""

    def __post_init__(self) -> None:
        self.stage.ports.watch = self._judge_marker

    # What happens

    def step(self, name: str, who: int, number: int) -> None:
        client = self.clients[who % len(self.clients)]
        getattr(self, f"_{name}")(client, number)
        self.stage.host.advance(0)
        self._commit()

    def _init(self, client: Incarnation, number: int) -> None:
        claim = client.claim if number % 3 == 0 else (-1, -1)
        before = self.told.get(client.transactional_id)

        def answered(answer: Any) -> None:
            if answer.error_code != ErrorCode.NONE:
                return
            given = (answer.producer_id, answer.producer_epoch)
            last_id, last_epoch = before or (-1, -1)
            retried = claim != (-1, -1)
            newer = given[0] != last_id or given[1] > last_epoch or (retried and given[1] == last_epoch)
            assert newer, f"P3: InitProducerId gave {given} after {before}"
            client.claim = given
            self._note_given(client.transactional_id, given)

        self._ask(self.stage.asks_init(client.transactional_id, claim, timeout_ms=TIMEOUT_MS), answered)

    def _add(self, client: Incarnation, number: int) -> None:
        self._send(client, "add", (client.claim, f"t-{number % 4}"))

    def _commit_transaction(self, client: Incarnation, number: int) -> None:
        self._send(client, "end", (client.claim, True))

    def _abort_transaction(self, client: Incarnation, number: int) -> None:
        self._send(client, "end", (client.claim, False))

    def _late(self, client: Incarnation, number: int) -> None:
        if client.sent:
            kind, what = client.sent[number % len(client.sent)]
            self._arrive(client, kind, what)

    def _incarnate(self, client: Incarnation, number: int) -> None:
        self.clients.append(Incarnation(client.transactional_id, BUMPING if number % 2 else CLASSIC))
        self._init(self.clients[-1], 1)

    def _advance(self, client: Incarnation, number: int) -> None:
        self.stage.host.advance((100, 1_000, 7_000, 25_000)[number % 4])

    def _fail(self, client: Incarnation, number: int) -> None:
        failures = (ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.REQUEST_TIMED_OUT)
        self.stage.host.fail_next(failures[number % 3])

    def _hold(self, client: Incarnation, number: int) -> None:
        self.stage.host.hold()

    def _release(self, client: Incarnation, number: int) -> None:
        self.committed_count = len(self.stage.host.log)
        self.stage.host.release()

    def _time_out(self, client: Incarnation, number: int) -> None:
        """The followers are away: what waits fails, what is appended stays."""
        held = self.stage.host.held
        self.stage.host.lose(ErrorCode.COORDINATOR_NOT_AVAILABLE)
        if held:
            self.stage.host.hold()

    def _move(self, client: Incarnation, number: int) -> None:
        length = len(self.stage.host.log)
        kept = self.committed_count + number % (length - self.committed_count + 1)
        self.stage.moves(kept, held=number % 3 == 0)

    def _markers_slow(self, client: Incarnation, number: int) -> None:
        self.stage.ports.markers_held = True

    def _marker(self, client: Incarnation, number: int) -> None:
        self.stage.ports.write_one(number)

    def _ids_held(self, client: Incarnation, number: int) -> None:
        self.stage.ports.ids_held = True

    def _ids(self, client: Incarnation, number: int) -> None:
        self.stage.ports.ids_left = number % 4 != 0
        self.stage.ports.release_ids()
        self.stage.ports.ids_left = True

    def _heal(self, client: Incarnation, number: int) -> None:
        self.heal()

    # Requests

    def _send(self, client: Incarnation, kind: str, what: Any) -> None:
        client.sent.append((kind, what))
        self._arrive(client, kind, what)

    def _arrive(self, client: Incarnation, kind: str, what: Any) -> None:
        if kind == "add":
            claim, name = what
            version = 4 if client.generation == BUMPING else 3
            fenced = self._is_fenced(client, claim)
            self._ask(
                self.stage.asks_add(client.transactional_id, claim, name, version=version),
                lambda answer: self._judge_added(client, claim, name, fenced, answer),
            )
            return
        claim, commit = what
        before = (len(self.stage.host.log), self._is_fenced(client, claim))
        self._ask(
            self.stage.asks_end(client.transactional_id, claim, commit, version=client.generation),
            lambda answer: self._judge_ended(client, claim, commit, before, answer),
        )

    def _ask(self, answers: list[Any], judge: Callable[[Any], None]) -> None:
        """Judge now, or when the answer comes."""
        self.waiting.append((answers, judge))
        self._hear()

    def _hear(self) -> None:
        waiting, self.waiting = self.waiting, []
        for answers, judge in waiting:
            assert len(answers) <= 1, "one answer"
            if answers:
                judge(answers[0])
            else:
                self.waiting.append((answers, judge))

    def _commit(self) -> None:
        self._hear()
        if not self.stage.host.held:
            self.committed_count = len(self.stage.host.log)

    # The judge

    def _is_fenced(self, client: Incarnation, claim: tuple[int, int]) -> bool:
        """Whether a newer producer was told that it may write before this request came."""
        newest = self.told.get(client.transactional_id, (-1, -1))
        ids = self.given_ids.get(client.transactional_id, [])
        if claim[0] == newest[0]:
            return claim[1] < newest[1]
        return claim[0] in ids and ids.index(claim[0]) < len(ids) - 1

    def _note_given(self, transactional_id: str, given: tuple[int, int]) -> None:
        ids = self.given_ids.setdefault(transactional_id, [])
        if given[0] not in ids:
            elsewhere = [name for name, known in self.given_ids.items() if given[0] in known]
            assert not elsewhere, f"P8: producer id {given[0]} belongs to {elsewhere}"
            ids.append(given[0])
        assert given[0] == ids[-1], f"P8: producer id {given[0]} came back"
        newest = self.told.get(transactional_id, (-1, -1))
        if newest[0] != given[0] or newest[1] < given[1]:
            self.told[transactional_id] = given

    def _judge_added(self, client: Incarnation, claim: tuple[int, int], name: str, fenced: bool, answer: Any) -> None:
        topics = answer.results_by_topic_v3_and_below or answer.results_by_transaction[0].topic_results
        if topics[0].results_by_partition[0].partition_error_code != ErrorCode.NONE:
            return
        assert not fenced, f"P3: {claim} may add a partition after {self.told}"
        partition = TopicPartition("t", int(name.removeprefix("t-")))
        lines = [state for state in self._states(client.transactional_id) if state is not None]
        assert any(state.status is Status.ONGOING and partition in state.partitions and _who(state) == claim for state in lines)

    def _judge_ended(self, client: Incarnation, claim: tuple[int, int], commit: bool, before: tuple[int, bool], answer: Any) -> None:
        if answer.error_code != ErrorCode.NONE:
            return
        wanted = Status.PREPARE_COMMIT if commit else Status.PREPARE_ABORT
        states = [state for state in self._states(client.transactional_id) if state is not None]
        if client.generation == CLASSIC:
            assert any(state.status is wanted for state in states)
            return
        mine = [
            state for state in states if state.status in PREPARED and state.producer_id == claim[0] and state.producer_epoch == claim[1] + 1
        ]
        assert [state.status for state in mine] == [wanted], f"P5: {claim} was told that its transaction has ended as {wanted.name}: {mine}"
        given = (answer.producer_id, answer.producer_epoch)
        assert given in ((claim[0], claim[1] + 1), (mine[0].next_producer_id, 0))
        if client.claim == claim:
            client.claim = given
        self._note_given(client.transactional_id, given)

    def _judge_marker(self, marker: Marker) -> None:
        """An outcome is told once it is committed, and never another one (P4)."""
        offset, last = max(
            (entry.offset, entry) for entry in self.stage.host.log if _name(entry) == marker.transactional_id and entry.value is not None
        )
        assert isinstance(last.value, TransactionLogValue)
        state = transaction_of(last.value)
        assert offset < self.committed_count or not self.stage.host.held, "the outcome is not committed"
        assert state.status is (Status.PREPARE_COMMIT if marker.committed else Status.PREPARE_ABORT)
        assert (state.producer_id, state.producer_epoch) == (marker.producer_id, marker.producer_epoch)
        assert marker.partition in state.partitions
        if marker.transaction_version >= 2:
            key = (marker.transactional_id, marker.producer_id, marker.producer_epoch)
            assert self.outcomes.setdefault(key, marker.committed) is marker.committed, f"P4: two outcomes for {key}"

    def _states(self, transactional_id: str) -> list[Transaction | None]:
        entries = [entry for entry in self.stage.host.log if _name(entry) == transactional_id]
        return [None if entry.value is None else transaction_of(entry.value) for entry in entries]  # type: ignore[arg-type]

    def judge_log(self) -> None:
        """Every record follows legally on the one before it; epochs grow; an outcome has the partitions of its transaction."""
        for transactional_id in IDS:
            before: Transaction | None = None
            for state in self._states(transactional_id):
                status = None if state is None else state.status
                assert status in MAY_FOLLOW[None if before is None else before.status], f"{before} to {state}"
                if before is not None and state is not None:
                    if state.producer_id == before.producer_id:
                        assert 0 <= state.producer_epoch - before.producer_epoch <= 1, f"P3: {before} to {state}"
                    else:
                        assert before.producer_epoch >= LAST_GIVEN_EPOCH, f"P8: {before} to {state}"
                    if state.status in PREPARED and before.status is Status.ONGOING:
                        assert state.partitions == before.partitions, f"P5: {before} to {state}"
                before = state

    def heal(self) -> None:
        """Everything that was broken works again; then nothing stays open past its timeout and one interval, and nothing stays busy."""
        host, ports = self.stage.host, self.stage.ports
        host.fail_next(None)  # type: ignore[arg-type]
        self._release(self.clients[0], 0)
        ports.markers_held = False
        ports.write_all()
        ports.release_ids()
        host.advance(1_000)
        self._commit()
        host.advance(TIMEOUT_MS + INTERVAL_MS)
        self._commit()
        assert not self.waiting, "every request is answered"
        states = self.stage.shard.committed_state()
        stuck = {name: state for name, state in states.items() if state.status in (*OPEN, *PREPARED)}
        assert not stuck, f"P6: {stuck}"
        self.judge_log()
        self.judge_rebuilt()

    def judge_rebuilt(self) -> None:
        """A coordinator that loads the log knows what the live one knows."""
        other: TransactionShard = self.stage.fresh_shard()
        for entry in self.stage.host.log:
            assert entry.key is not None
            other.replay(entry.offset, entry.key, entry.value, -1, -1)
        live = self.stage.shard.committed_state()
        assert other.committed_state() == {name: state._replace(last_producer_epoch=-1) for name, state in live.items()}


def _who(state: Transaction) -> tuple[int, int]:
    return state.producer_id, state.producer_epoch


def _name(entry: Entry) -> str | None:
    return entry.key.transactional_id if isinstance(entry.key, TransactionLogKey) else None


STEPS = (
    *("init",) * 3,
    *("add",) * 5,
    *("commit_transaction",) * 3,
    *("abort_transaction",) * 2,
    *("late",) * 4,
    *("advance",) * 3,
    *("hold",) * 2,
    *("release",) * 3,
    *("marker",) * 3,
    "incarnate",
    "fail",
    "time_out",
    "move",
    "move",
    "markers_slow",
    "ids_held",
    "ids",
    "heal",
)


@settings(max_examples=250, deadline=None)
@given(
    generations=st.tuples(st.sampled_from((CLASSIC, BUMPING)), st.sampled_from((CLASSIC, BUMPING)), st.just(BUMPING)),
    first_epoch=st.sampled_from((0, LAST_GIVEN_EPOCH - 2)),
    transaction_version=st.sampled_from((1, 2, 2, 2)),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5), st.integers(0, 11)), min_size=20, max_size=80),
)
@example(
    generations=(BUMPING, CLASSIC, BUMPING),
    first_epoch=LAST_GIVEN_EPOCH - 2,
    transaction_version=1,
    steps=[("init", 0, 0), ("init", 1, 0), ("add", 0, 0), *[("init", 0, 0)] * 15, ("abort_transaction", 0, 0), ("abort_transaction", 0, 0)],
)
def test_any_interleaving(
    generations: tuple[int, int, int], first_epoch: int, transaction_version: int, steps: list[tuple[str, int, int]]
) -> None:
    stage = Stage(transaction_version=transaction_version)
    old = Transaction(500, first_epoch, TIMEOUT_MS, Status.EMPTY, stage.host.wall_ms, previous_producer_id=500)
    stage.begins_with(record_of("a", old, 1))
    world = World(stage, [Incarnation(name, generation) for name, generation in zip(("a", "b", "a"), generations, strict=True)])
    world.given_ids["a"] = [500]
    world.told["a"] = (500, first_epoch)
    world.committed_count = 1
    for index in range(2):
        world.step("init", index, 1)
    for name, who, number in steps:
        world.step(name, who, number)
    world.heal()
