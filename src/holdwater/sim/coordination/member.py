"""What every member of a group does, whatever its protocol: reads what it is assigned, does its work, commits how far it came.

A member may be paused for longer than its session: everything that it would do or hear waits, and then it goes on with its old beliefs, a
zombie. A member that crashes says nothing any more.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from holdwater.broker.coordinators.hosted import HostedShard
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.asking import GONE, GROUP, LATER, Coordinator
from holdwater.sim.coordination.fetching import UNCOMMITTED, Answer, Fetching
from holdwater.sim.coordination.groups import Commit, GroupLedger
from holdwater.sim.coordination.plan import JOBS, GroupPlan
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.client import Client
from holdwater.sim.workloads.history import History
from holdwater.wire.messages import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
)

RETRY_US = 200_000
COMMIT_VERSION = 9
OFFSETS_VERSION = 9
_BUFFERED_MAX = 40

NOT_A_MEMBER = frozenset(
    {
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.STALE_MEMBER_EPOCH,
        ErrorCode.FENCED_MEMBER_EPOCH,
    }
)
"""Refusals of who is not, or no longer, what it believes to be. Nothing is done for it."""
_COMMIT_ERRORS = frozenset(
    {
        *NOT_A_MEMBER,
        *LATER,
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,  # a broker that has not heard of the topic yet
    }
)
_UNDONE = frozenset({*NOT_A_MEMBER, ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS})
"""Refusals of a commit that come before anything is written."""


class Job(NamedTuple):
    """A record that a member was handed."""

    offset: int
    ends_batch: bool
    """Whether it is the last one of its batch. Only there may an offset be committed: where a fetch begins inside a batch nobody could tell
    whether the base offset is right, which no checksum covers (R13)."""


class Tenure:
    """One partition, for as long as a member is its owner. ``position`` -1: the committed offset is not known yet."""

    __slots__ = ("committed", "index", "is_over", "jobs", "position", "worked")

    def __init__(self, index: int) -> None:
        self.index = index
        self.position = -1
        self.worked = -1
        """Everything below is done; what is behind it, up to ``position``, waits in ``jobs``."""
        self.committed = -1
        self.jobs: list[Job] = []
        self.is_over = False


class Member(Client):
    """See the module."""

    def __init__(
        self, cluster: SimCluster, name: str, plan: GroupPlan, instance_id: str | None, rng: Rng, history: History, ledger: GroupLedger
    ) -> None:
        super().__init__(cluster, name, JOBS, rng, history)
        self._watch = cluster.watch
        self.plan = plan
        self.instance_id = instance_id
        self.ledger = ledger
        self.member_id = ""
        self.generation = -1
        """Group generation or member epoch."""
        self.came_empty = -1
        """The last generation of a classic group that it joined with no partition of its own."""
        self.tenures: dict[int, Tenure] = {}
        self.is_stable = False
        """Whether it has its assignment, and knows of nothing that is to change."""
        self.is_sure = False
        """Whether the answer that has just come is from the coordinator, and not from one that was replaced and does not know it."""
        self.coordinator: HostedShard | None = None
        """Who has just answered, when it had loaded the group as it was asked, and is its coordinator still."""
        self.is_dead = False
        """Whether it is no member, and never will be again: another process took its place, or it has left."""
        self.on_work: Callable[[], None] = self._finish_jobs
        """Called when there are jobs to do."""
        self.may_begin: Callable[[], bool] = lambda: True
        """Whether it may ask where to begin with a partition: while a transaction of its own is open, that may still commit another offset."""
        self.on_commit: Callable[[OffsetCommitRequest, Mapping[int, Commit]], None] = lambda request, commits: None
        """Told of each commit, so that it can be repeated later."""
        self.on_heartbeat: Callable[[Any, int, Any], None] = lambda request, version, response_class: None
        """The same of a classic member's heartbeats."""
        self.group = Coordinator(self, GROUP, plan.name)
        self.fetching = Fetching(self, cluster.watch, UNCOMMITTED, rng.uniform_ms(100, 400) * 1000, self._wanted, self._take)
        self._paused_until_us = 0
        self._committing = False
        self._fetching_offsets = False

    # --- life

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()
        self.join()
        self.every(self.plan.commit_interval_us, self.commit)

    def join(self) -> None:
        """Become a member."""
        raise NotImplementedError

    def leave(self) -> None:
        """Be a member no longer, and say so."""
        raise NotImplementedError

    def pause(self, duration_us: int) -> None:
        """Stand still."""
        self.trace.line(self.name, f"stands still for {duration_us // 1000} ms")
        self._paused_until_us = self.scheduler.now_us + duration_us
        self.after(0, self.commit)

    @property
    def is_paused(self) -> bool:
        """Whether it stands still."""
        return self.scheduler.now_us < self._paused_until_us

    def die(self) -> None:
        """End without a word."""
        self.is_dead = True
        self.lose_everything()
        self.stop()

    def metadata_arrived(self) -> None:
        """Somebody may lead now."""
        self.awake(self.fetching.go_on)

    # --- how it waits

    def awake(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do something now, or when it no longer stands still."""
        if self.is_paused:
            self.scheduler.at(self._paused_until_us, self.awake, work, *arguments)
        elif not self.stopped:
            work(*arguments)

    def after(self, delay_us: int, work: Callable[..., None], *arguments: Any) -> None:
        """Do something in a while."""
        self.scheduler.after(delay_us, self.awake, work, *arguments)

    def every(self, interval_us: int, work: Callable[[], None]) -> None:
        """Do something again and again."""

        def again() -> None:
            work()
            self.after(self.rng.uniform_ms(interval_us * 3 // 4, interval_us * 5 // 4), again)

        self.after(self.rng.below(interval_us), again)

    def ask_group(
        self, message: Any, version: int, response_class: Any, on_reply: Callable[[Any], None], timeout_us: int = 4_000_000
    ) -> None:
        """Ask the group's coordinator."""

        asked = self._watch.group_coordinator(self.plan.name)

        def answered(response: Any) -> None:
            is_sure = self.group.is_in_office(self._watch.newest)
            is_same = is_sure and asked is self._watch.group_coordinator(self.plan.name)
            if is_same and asked is not None and _is_bound(asked):
                self.ledger.bound(asked, self.scheduler.now_us)
            self.awake(self._hear, on_reply, response, is_sure, asked if is_same else None)

        self.group.ask(message, version, response_class, answered, timeout_us)

    def _hear(self, on_reply: Callable[[Any], None], response: Any, is_sure: bool, coordinator: HostedShard | None) -> None:
        self.is_sure, self.coordinator = is_sure, coordinator
        on_reply(response)

    def note(self, api: str, error_code: int, expected: frozenset[ErrorCode]) -> None:
        """Count an error. Raises ``SafetyViolation`` for one that is not expected."""
        name = ErrorCode(error_code).name
        self.history.error(f"{api} {name}")
        self.trace.line(self.name, f"{api}: {name}")
        if error_code in GONE:
            self.group.forget()
        if error_code not in expected:
            raise SafetyViolation("protocol", f"{self.name}: {api} answered {name}")

    # --- what it is assigned

    def assign(self, indexes: list[int]) -> None:
        """It owns these partitions, and no others."""
        self.lose([index for index in self.tenures if index not in indexes])
        for index in indexes:
            if index not in self.tenures:
                self.tenures[index] = Tenure(index)
        self._fetch_offsets()

    def lose(self, indexes: list[int]) -> None:
        """It owns these partitions no longer."""
        for index in indexes:
            self.tenures.pop(index).is_over = True

    def lose_everything(self) -> None:
        """It owns nothing."""
        self.is_stable = False
        self.lose(list(self.tenures))

    def begin_anew(self) -> None:
        """It owns what it owned, but how far it came there says nothing any more, and neither does what it has asked for so far."""
        indexes = list(self.tenures)
        self.lose(indexes)
        self.tenures = {index: Tenure(index) for index in indexes}

    def start_again(self, tenure: Tenure) -> None:
        """What was done since the last commit may not count: go on at the committed offset."""
        tenure.position = tenure.worked = tenure.committed = -1
        tenure.jobs.clear()
        self._fetch_offsets()

    # --- committed offsets

    def _fetch_offsets(self) -> None:
        unknown = [tenure for tenure in self.tenures.values() if tenure.position < 0]
        if not unknown or self._fetching_offsets:
            return
        if not self.may_begin():
            self.after(RETRY_US, self._fetch_offsets)
            return
        self._fetching_offsets = True
        asked_us = self.scheduler.now_us
        self.ask_group(
            offset_fetch(self.plan.name, [tenure.index for tenure in unknown], *self.identity_for_offsets()),
            OFFSETS_VERSION,
            OffsetFetchResponse,
            lambda response: self._offsets_came(unknown, asked_us, response),
        )

    def identity_for_offsets(self) -> tuple[str | None, int]:
        """Member id and member epoch for OffsetFetch: those of KIP-848 have to tell."""
        return None, -1

    def _offsets_came(self, tenures: list[Tenure], asked_us: int, response: OffsetFetchResponse | None) -> None:
        self._fetching_offsets = False
        group = response.groups[0] if response is not None else None
        if self.plan.is_transactional and response is not None and not self.is_sure:
            # As in Kafka a coordinator that was replaced, and does not know it, tells an offset of its time: no copier could be exact with that.
            self.history.count("offset-of-a-coordinator-of-old")
            self.group.forget()
            group = None
        if group is None or group.error_code:
            if group is not None:
                self.note("OffsetFetch", group.error_code, frozenset({*LATER, *NOT_A_MEMBER}))
            self.after(RETRY_US, self._fetch_offsets)
            return
        found = {each.partition_index: each for topic in group.topics for each in topic.partitions}
        for tenure in tenures:
            each = found[tenure.index]
            if each.error_code:
                self.note("OffsetFetch", each.error_code, frozenset({ErrorCode.UNSTABLE_OFFSET_COMMIT}))
                continue
            asked_of = (asked_us, self.scheduler.now_us)
            self.ledger.fetched(tenure.index, each.committed_offset, each.metadata or "", *asked_of, is_sure=self.is_sure)
            if not tenure.is_over and tenure.position < 0:
                tenure.position = tenure.worked = max(0, each.committed_offset)
                tenure.committed = each.committed_offset
        if any(tenure.position < 0 for tenure in self.tenures.values()):
            self.after(RETRY_US, self._fetch_offsets)
        self.fetching.go_on()

    # --- jobs

    def _wanted(self) -> dict[int, int]:
        return {
            tenure.index: tenure.position
            for tenure in self.tenures.values()
            if tenure.position >= 0 and len(tenure.jobs) < _BUFFERED_MAX and not self.is_paused
        }

    def _take(self, answer: Answer) -> None:
        tenure = self.tenures.get(answer.partition)
        if tenure is None or tenure.position != answer.asked_offset or self.is_paused:
            return
        for batch in answer.batches:
            for record in batch.records:
                self.history.read(self.name, (self.topic_id, tenure.index), record, stamped=batch.stamped)
                tenure.jobs.append(Job(record.offset, record.offset + 1 == batch.end_offset))
            tenure.position = batch.end_offset
        if tenure.jobs:
            self.on_work()

    def _finish_jobs(self) -> None:
        """The poll is over: all that was handed out is done."""
        for tenure in self.tenures.values():
            if tenure.jobs:
                self.ledger.handed(tenure.index, tenure.worked, tenure.position)
                tenure.worked = tenure.position
                tenure.jobs.clear()

    # --- commits

    def commit(self, done: Callable[[], None] | None = None) -> None:
        """Commit how far it came, unless its transactions do; ``done`` is called in any case."""
        offsets = {t.index: t.worked for t in self.tenures.values() if t.worked > max(t.committed, 0)}
        if self.plan.is_transactional or not offsets or (self._committing and done is None):
            if done is not None:
                done()
            return
        self._committing = True
        now = self.scheduler.now_us
        commits = {index: self.ledger.commit(index, offset, self.member_id, self.generation, now) for index, offset in offsets.items()}
        request = offset_commit(self.plan.name, self.member_id, self.generation, self.instance_id, commits)
        tenures = dict(self.tenures)

        def answered(response: OffsetCommitResponse | None) -> None:
            self._committing = False
            self._commit_answered(commits, tenures, response)
            if done is not None:
                done()

        self.on_commit(request, commits)
        self.ask_group(request, COMMIT_VERSION, OffsetCommitResponse, answered)

    def _commit_answered(self, commits: dict[int, Commit], tenures: dict[int, Tenure], response: OffsetCommitResponse | None) -> None:
        if response is None:
            self.history.error("no answer")
            return
        refused = 0
        for topic in response.topics:
            for each in topic.partitions:
                commit = commits[each.partition_index]
                if not each.error_code:
                    self.ledger.accepted(commit, self.scheduler.now_us)
                    tenure = tenures.get(commit.index)
                    if tenure is not None and not tenure.is_over:
                        tenure.committed = commit.offset
                    continue
                refused = each.error_code
                if each.error_code in _UNDONE:
                    self.ledger.refused(commit)
        if refused:
            self.note("OffsetCommit", refused, _COMMIT_ERRORS)
            self.commit_refused(refused)

    def commit_refused(self, error_code: int) -> None:
        """What a member learns from a refused commit."""


def offset_commit(
    group: str, member_id: str, generation: int, instance_id: str | None, commits: Mapping[int, Commit]
) -> OffsetCommitRequest:
    """The request for some commits."""
    struct = OffsetCommitRequest.OffsetCommitRequestPartition
    partitions = [
        struct(partition_index=index, committed_offset=commit.offset, committed_leader_epoch=-1, committed_metadata=commit.name)
        for index, commit in commits.items()
    ]
    return OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id=member_id,
        group_instance_id=instance_id,
        topics=[OffsetCommitRequest.OffsetCommitRequestTopic(name=JOBS, partitions=partitions)],
    )


def offset_fetch(group: str, indexes: list[int], member_id: str | None = None, member_epoch: int = -1) -> OffsetFetchRequest:
    """The request for stable committed offsets."""
    topic = OffsetFetchRequest.OffsetFetchRequestTopics(name=JOBS, partition_indexes=indexes)
    asked = OffsetFetchRequest.OffsetFetchRequestGroup(group_id=group, member_id=member_id, member_epoch=member_epoch, topics=[topic])
    return OffsetFetchRequest(groups=[asked], require_stable=True)


def _is_bound(coordinator: HostedShard) -> bool:
    """Whether whoever coordinates its groups later knows all that it does: a record of its own leader epoch is committed.

    Before, records that its predecessor appended, and nobody committed, may still come back with a leader that holds them.
    """
    return coordinator.replica.high_watermark > coordinator.replica.epoch_start_offset
