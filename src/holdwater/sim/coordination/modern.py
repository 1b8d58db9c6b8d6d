"""A member of a group of KIP-848: one heartbeat does it all, and the coordinator shares the partitions out.

It takes what it is given, and gives up first what it is told to, after a commit; then it says what it owns. After an error or a lost answer
its next heartbeat says everything, as the Java client's does.
"""

from typing import NamedTuple

from holdwater.kernel.errors import ErrorCode
from holdwater.sim.coordination.asking import LATER
from holdwater.sim.coordination.groups import NEVER_US
from holdwater.sim.coordination.member import NOT_A_MEMBER, RETRY_US, Member
from holdwater.sim.coordination.plan import JOBS
from holdwater.wire.messages import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse

_VERSION = 1
_TIMEOUT_US = 2_000_000
_LEAVE, _LEAVE_STATIC = -1, -2
_FENCED = frozenset({*NOT_A_MEMBER, ErrorCode.GROUP_ID_NOT_FOUND})
"""The last is for one that was fenced when it was the last of its kind in the group, which is a classic one since."""
_ERRORS = frozenset({*_FENCED, *LATER, ErrorCode.UNRELEASED_INSTANCE_ID, ErrorCode.REQUEST_TIMED_OUT})


class _Asked(NamedTuple):
    """A heartbeat that was sent."""

    at_us: int
    member_epoch: int
    owned: list[int]


class ModernMember(Member):
    """See the module."""

    _is_asking = False
    _is_giving_up = False
    _says_everything = True
    _owned_said: list[int] | None = None
    _begun = False
    _lease_ms = 0
    _unanswered_since_us = NEVER_US

    def identity_for_offsets(self) -> tuple[str | None, int]:
        """See ``Member``."""
        return self.member_id, self.generation

    def join(self) -> None:
        """Ask to be a member, as who has no member epoch."""
        if self.is_dead:
            return
        if not self._begun:
            self._begun = True
            self.member_id = self.rng.uuid().hex()
            self._lease_ms = min(self.plan.rebalance_timeout_ms, self.session_ms)
            self.every(self.interval_us, self.heartbeat)
        self.lose_everything()
        self.ledger.starts_over(self.member_id)
        self.generation = 0
        self._says_everything = True
        self.heartbeat()

    session_ms = 0
    """The group's session timeout, by the brokers' settings."""
    interval_us = 500_000

    def lose(self, indexes: list[int]) -> None:
        """It owns these partitions no longer; it may say so from now on."""
        super().lose(indexes)

    def heartbeat(self) -> None:
        """Say what is to be said."""
        if self._is_asking or self.is_dead or self._is_giving_up:
            return
        self._is_asking = True
        owned = sorted(self.tenures)
        full = self._says_everything
        says_owned = full or owned != self._owned_said
        if says_owned:
            self.ledger.gave_up(self.member_id, owned)
        struct = ConsumerGroupHeartbeatRequest.TopicPartitions
        request = ConsumerGroupHeartbeatRequest(
            group_id=self.plan.name,
            member_id=self.member_id,
            member_epoch=self.generation,
            instance_id=self.instance_id if full else None,
            rebalance_timeout_ms=self.plan.rebalance_timeout_ms if full else -1,
            subscribed_topic_names=[JOBS] if full else None,
            subscribed_topic_regex=None,
            server_assignor=None,
            topic_partitions=([struct(topic_id=self.topic_id, partitions=owned)] if owned else []) if says_owned else None,
        )
        asked = _Asked(self.scheduler.now_us, self.generation, owned)
        self._unanswered_since_us = min(asked.at_us, self._unanswered_since_us)

        def answered(response: ConsumerGroupHeartbeatResponse | None) -> None:
            self._answered(asked, self._lease_ms if self.coordinator is not None else 0, response)

        self.ask_group(request, _VERSION, ConsumerGroupHeartbeatResponse, answered, _TIMEOUT_US)

    def _answered(self, asked: _Asked, lease_ms: int, response: ConsumerGroupHeartbeatResponse | None) -> None:
        self._is_asking = False
        if self.is_dead:
            return
        if response is None or response.error_code:
            self._says_everything = True
            if response is None:
                self.history.error("no answer")
                self.after(RETRY_US, self.heartbeat)
            else:
                self.note("ConsumerGroupHeartbeat", response.error_code, _ERRORS)
                self._refused(response.error_code)
            return
        if asked.member_epoch != self.generation:
            return  # it has begun anew since
        self._says_everything = False
        self._owned_said = asked.owned
        self.generation = response.member_epoch
        target = None
        if response.assignment is not None:
            target = [index for topic in response.assignment.topic_partitions for index in topic.partitions]
        self._reconcile(sorted(self.tenures) if target is None else sorted(target), asked.at_us, lease_ms)

    def _refused(self, error_code: int) -> None:
        if error_code == ErrorCode.FENCED_INSTANCE_ID:
            self.history.count("member-fenced")
            self.die()
        elif error_code in _FENCED:
            self.history.count("member-fenced")
            self.join()
        else:
            self.after(RETRY_US, self.heartbeat)

    def _reconcile(self, target: list[int], asked_us: int, lease_ms: int) -> None:
        """Take what is new; give up, after a commit, what is not to be kept."""
        gone = [index for index in self.tenures if index not in target]
        now = self.scheduler.now_us
        since_us, self._unanswered_since_us = self._unanswered_since_us, NEVER_US
        by = self.coordinator
        self.ledger.heartbeat_answered(self.member_id, self.generation, target, asked_us, lease_ms, now, since_us=since_us, by=by)
        if target != sorted(self.tenures):
            self.trace.line(self.name, f"owns {target} in member epoch {self.generation} of {self.plan.name}")
        if not gone:
            self.is_stable = True
            self.assign(target)
            if target != self._owned_said:
                self.heartbeat()
            return
        self.is_stable = False
        self._is_giving_up = True
        generation = self.generation

        def given_up() -> None:
            self._is_giving_up = False
            if self.generation == generation and not self.is_dead:
                self.assign([index for index in target if index in self.tenures])
                self.assign(target)
                self.is_stable = True
            self.heartbeat()

        self.commit(given_up)

    def die(self) -> None:
        """End without a word; what it had is nobody's."""
        super().die()
        self.ledger.gave_up(self.member_id, [])

    def commit_refused(self, error_code: int) -> None:
        """A stale member epoch: the next heartbeat tells more."""
        if error_code == ErrorCode.UNKNOWN_MEMBER_ID and not self.is_dead:
            self.join()

    def leave(self) -> None:
        """Say so, and say nothing more. A static member that leaves for a while keeps its partitions (-2)."""
        self.is_dead = True
        self.lose_everything()
        for_a_while = self.instance_id is not None
        request = ConsumerGroupHeartbeatRequest(
            group_id=self.plan.name,
            member_id=self.member_id,
            member_epoch=_LEAVE_STATIC if for_a_while else _LEAVE,
            instance_id=self.instance_id,
            subscribed_topic_names=None,
            subscribed_topic_regex=None,
            server_assignor=None,
            topic_partitions=None,
        )
        self.ledger.gave_up(self.member_id, [])

        def left(response: ConsumerGroupHeartbeatResponse | None) -> None:
            if response is not None and not response.error_code:
                self.history.count("member-left")
                if not for_a_while:
                    self.ledger.left(self.member_id, self.scheduler.now_us)
            self.stop()

        self.ask_group(request, _VERSION, ConsumerGroupHeartbeatResponse, left)
