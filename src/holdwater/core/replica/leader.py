"""The leader of one partition.

Purpose: give records their offsets, decide when they are committed, and keep the in-sync replicas (ISR) honest.

What holds (codes of the invariants in brackets):

- The high watermark never decreases within a leader epoch [R5], never passes the smallest log end offset of the *maximal* ISR,
  which is the committed ISR and every member that is about to join it [R6].
- At level fsync (``counts_synced``) it never passes what is synced on each of them: this log counts up to its synced end offset, and a
  follower fetches, there, only from its own. An ``acks=1`` write is acknowledged once this log has synced it.
- It stands still while the committed ISR is smaller than ``min(min.insync.replicas, replication factor)``, whatever ``acks`` says [R6, KIP-966].
- A follower joins only once its log end offset has reached the high watermark and the start of this leader epoch (KIP-207), and only
  under the broker epoch that the metadata names (KIP-903).
- At most one change of the ISR is under way. It takes effect when the controller has committed it; until then the larger ISR counts.

The hot path (``append``, ``follower_fetched``) takes and returns plain numbers.
"""

from heapq import heappop, heappush
from typing import NamedTuple, Protocol

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import AppendResult, BatchHeader, Log

_NOT_ENOUGH_REPLICAS = int(ErrorCode.NOT_ENOUGH_REPLICAS)
_REFUSED = AppendResult(_NOT_ENOUGH_REPLICAS, -1, -1, -1, False)


class AcknowledgementWait(Protocol):
    """A write that waits for the high watermark, or for the disk; the leader hands it back when the wait is over."""

    def acknowledged(self, error_code: int) -> None:
        """The wait is over: 0, or the reason why no acknowledgement can be given."""
        ...


class IsrProposal(NamedTuple):
    """What a leader asks of the controller with AlterPartition."""

    leader_epoch: int
    partition_epoch: int
    isr: tuple[int, ...]
    broker_epochs: tuple[int, ...]
    """One per member of ``isr``: the broker epoch under which it was seen (-1 for the leader itself means "mine")."""


class FollowerProgress:
    """What the leader knows of one follower. Times are monotonic milliseconds."""

    __slots__ = (
        "broker_epoch",
        "broker_id",
        "last_caught_up_ms",
        "last_fetch_leader_end",
        "last_fetch_ms",
        "log_end_offset",
        "log_start_offset",
    )

    def __init__(self, broker_id: int, caught_up_ms: int) -> None:
        self.broker_id = broker_id
        self.log_end_offset = -1
        """-1 until its first fetch in this leader epoch: nothing is known, so nothing is assumed."""
        self.log_start_offset = -1
        self.last_caught_up_ms = caught_up_ms
        self.last_fetch_ms = 0
        self.last_fetch_leader_end = 0
        self.broker_epoch = -1


class LeaderReplica:
    """See the module. ``live_brokers`` maps every unfenced broker that is not shutting down to its broker epoch; it is shared and read only."""

    is_leader = True

    def __init__(
        self,
        *,
        broker_id: int,
        log: Log,
        leader_epoch: int,
        partition_epoch: int,
        replicas: tuple[int, ...],
        isr: tuple[int, ...],
        min_isr: int,
        high_watermark: int,
        live_brokers: dict[int, int],
        mono_ms: int,
        counts_synced: bool = False,
    ) -> None:
        self.broker_id = broker_id
        self.log = log
        self.leader_id = broker_id
        self.leader_epoch = leader_epoch
        self.partition_epoch = partition_epoch
        self.replicas = replicas
        self.isr = isr
        self.maximal_isr = isr
        self.min_isr = min_isr
        self.high_watermark = min(high_watermark, log.synced_end_offset if counts_synced else log.log_end_offset)
        self.live_brokers = live_brokers
        self.counts_synced = counts_synced
        self.proposal: IsrProposal | None = None
        self.followers = {
            broker: FollowerProgress(broker, mono_ms if broker in isr else -(10**9)) for broker in replicas if broker != broker_id
        }
        self._waiting: list[tuple[int, int, AcknowledgementWait]] = []
        self._wait_number = 0
        self._waiting_for_sync: list[tuple[int, AcknowledgementWait]] = []
        log.assign_epoch(leader_epoch)
        self.epoch_start_offset = log.log_end_offset
        """First offset of this leader epoch; latest offsets are only told once the high watermark has reached it (KIP-207)."""
        self.advance_high_watermark(mono_ms, lag_ms=0)

    @property
    def effective_min_isr(self) -> int:
        """``min(min.insync.replicas, replication factor)``."""
        return min(self.min_isr, len(self.replicas))

    @property
    def low_watermark(self) -> int:
        """Smallest log start offset among this log and those of the followers on live brokers (KIP-107); -1 while one has not told its own."""
        starts = [progress.log_start_offset for broker, progress in self.followers.items() if broker in self.live_brokers]
        return min([self.log.log_start_offset, *starts])

    @property
    def under_min_isr(self) -> bool:
        """Whether the committed ISR is too small for a commit."""
        return len(self.isr) < self.effective_min_isr

    def append(self, data: bytes, header: BatchHeader, acks: int, wall_ms: int) -> AppendResult:
        """Append one batch whose checksum holds. With ``acks`` -1 and too small an ISR: NOT_ENOUGH_REPLICAS, and nothing is written."""
        if acks == -1 and len(self.isr) < min(self.min_isr, len(self.replicas)):
            return _REFUSED
        return self.log.append_as_leader(data, header, self.leader_epoch, wall_ms)

    def append_marker(self, data: bytes, header: BatchHeader, transaction_version: int, wall_ms: int) -> AppendResult:
        """Append the marker that ends a producer's transaction (KIP-98; ``transaction_version``: KIP-1228), as ``append`` with ``acks`` -1."""
        if len(self.isr) < min(self.min_isr, len(self.replicas)):
            return _REFUSED
        return self.log.append_as_leader(data, header, self.leader_epoch, wall_ms, transaction_version)

    def wait_for(self, end_offset: int, wait: AcknowledgementWait) -> None:
        """Call ``wait.acknowledged`` once the high watermark has reached ``end_offset`` (last offset plus one)."""
        self._wait_number += 1
        heappush(self._waiting, (end_offset, self._wait_number, wait))

    def wait_for_sync(self, end_offset: int, wait: AcknowledgementWait) -> None:
        """Call ``wait.acknowledged`` once this log is synced up to ``end_offset``, whatever the followers have."""
        self._waiting_for_sync.append((end_offset, wait))

    def follower_fetched(self, broker_id: int, fetch_offset: int, log_start_offset: int, broker_epoch: int, mono_ms: int) -> bool:
        """Note that a follower has everything below ``fetch_offset``. Returns whether the ISR should be looked at (``propose_expansion``).

        What an older incarnation of its broker sent, and what comes late on another connection, says nothing of this one [M9].
        """
        progress = self.followers[broker_id]
        if 0 <= broker_epoch < progress.broker_epoch:
            return False
        end = self.log.log_end_offset
        if fetch_offset >= end:
            progress.last_caught_up_ms = mono_ms
        elif fetch_offset >= progress.last_fetch_leader_end and progress.last_fetch_ms > progress.last_caught_up_ms:
            progress.last_caught_up_ms = progress.last_fetch_ms
        progress.log_start_offset = log_start_offset
        progress.last_fetch_leader_end = end
        progress.last_fetch_ms = mono_ms
        progress.log_end_offset = fetch_offset
        progress.broker_epoch = broker_epoch
        return broker_id not in self.maximal_isr

    def advance_high_watermark(self, mono_ms: int, lag_ms: int) -> bool:
        """Move the high watermark as far as the rules allow; returns whether it moved.

        A replica outside the ISR that has caught up within ``lag_ms`` and could join counts as well, so that the high watermark does not run
        away from one that is about to join.
        """
        if len(self.isr) < min(self.min_isr, len(self.replicas)):
            return False
        new = self.log.synced_end_offset if self.counts_synced else self.log.log_end_offset
        maximal = self.maximal_isr
        for broker, progress in self.followers.items():
            offset = progress.log_end_offset
            if offset < new and (broker in maximal or (mono_ms - progress.last_caught_up_ms <= lag_ms and self._eligible(progress))):
                new = offset
        if new <= self.high_watermark:
            return False
        self.high_watermark = new
        return True

    def release_acknowledged(self) -> None:
        """Answer every write that the high watermark has reached; those that the ISR no longer carries get error 20."""
        waiting = self._waiting
        high_watermark = self.high_watermark
        while waiting and waiting[0][0] <= high_watermark:
            enough = len(self.maximal_isr) >= min(self.min_isr, len(self.replicas))
            heappop(waiting)[2].acknowledged(0 if enough else ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND)

    def release_synced(self) -> None:
        """The log was synced: answer every write that waited for that alone."""
        synced_end = self.log.synced_end_offset
        waiting, self._waiting_for_sync = self._waiting_for_sync, []
        for entry in waiting:
            if entry[0] <= synced_end:
                entry[1].acknowledged(0)
            else:
                self._waiting_for_sync.append(entry)

    def stop(self, error_code: int = ErrorCode.NOT_LEADER_OR_FOLLOWER) -> None:
        """This broker leads no more: whoever waits learns to ask elsewhere, or what else the reason is."""
        waiting, self._waiting = self._waiting, []
        waiting_for_sync, self._waiting_for_sync = self._waiting_for_sync, []
        for _, _, wait in sorted(waiting, key=lambda entry: entry[:2]):
            wait.acknowledged(error_code)
        for _, wait in waiting_for_sync:
            wait.acknowledged(error_code)

    # --- the in-sync replicas

    def update(self, partition_epoch: int, replicas: tuple[int, ...], isr: tuple[int, ...]) -> None:
        """Take over a newer committed state of the same leader epoch; an older one is left alone.

        The controller's answers to this leader's proposals may run several changes ahead of the metadata that reach it.
        """
        if partition_epoch < self.partition_epoch or (partition_epoch == self.partition_epoch and self.proposal is not None):
            return
        self.partition_epoch = partition_epoch
        self.replicas = replicas
        self.isr = isr
        self.maximal_isr = isr
        self.proposal = None
        known = self.followers
        self.followers = {
            broker: known.get(broker) or FollowerProgress(broker, -(10**9)) for broker in replicas if broker != self.broker_id
        }

    def propose_expansion(self, broker_id: int) -> IsrProposal | None:
        """Ask for ``broker_id`` to join the ISR, if it has caught up and may."""
        progress = self.followers.get(broker_id)
        if self.proposal is not None or progress is None or broker_id in self.isr:
            return None
        if progress.log_end_offset < self.high_watermark or progress.log_end_offset < self.epoch_start_offset:
            return None
        if not self._eligible(progress):
            return None
        self.maximal_isr = (*self.isr, broker_id)
        return self._propose(self.maximal_isr)

    def propose_shrink(self, mono_ms: int, lag_ms: int) -> IsrProposal | None:
        """Ask for every member to leave that was last caught up more than ``replica.lag.time.max.ms`` ago."""
        if self.proposal is not None:
            return None
        end = self.log.log_end_offset
        for broker, progress in self.followers.items():
            if progress.log_end_offset == end and broker in self.isr:
                progress.last_caught_up_ms = mono_ms  # its session does not name a partition without news
        late = [
            broker for broker, progress in self.followers.items() if broker in self.isr and mono_ms - progress.last_caught_up_ms > lag_ms
        ]
        if not late:
            return None
        return self._propose(tuple(broker for broker in self.isr if broker not in late))

    def proposal_refused(self, proposal: IsrProposal) -> None:
        """The controller surely did not apply it: the committed ISR is the whole truth again."""
        if proposal is self.proposal:
            self.proposal = None
            self.maximal_isr = self.isr

    def _propose(self, isr: tuple[int, ...]) -> IsrProposal:
        epochs = tuple(self.followers[broker].broker_epoch if broker in self.followers else -1 for broker in isr)
        self.proposal = IsrProposal(self.leader_epoch, self.partition_epoch, isr, epochs)
        return self.proposal

    def _eligible(self, progress: FollowerProgress) -> bool:
        epoch = self.live_brokers.get(progress.broker_id)
        return epoch is not None and epoch == progress.broker_epoch
