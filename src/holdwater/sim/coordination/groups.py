"""What the members of one group sent and were told: the truth that C1 to C7 are judged by.

Every commit has a name of its own in its metadata, so that whoever fetches an offset learns which commit it is that he sees. A commit is an
operation on a register that takes from ``sent_us`` to ``done_us``: without an answer it may take effect at any later time, or never.
"""

from typing import NamedTuple

from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.history import History

NEVER_US = 1 << 62
PATIENCE = 0.8
"""Of a timeout, what certainly has not run out yet when clocks drift."""


class Commit:
    """One offset of one partition that a member asked to commit. ``name`` travels as its metadata."""

    __slots__ = (
        "asked_us",
        "done_us",
        "generation",
        "index",
        "is_acknowledged",
        "is_refused",
        "is_seen",
        "may_repeat",
        "member_id",
        "name",
        "offset",
        "sent_us",
        "why",
    )

    def __init__(self, name: str, index: int, offset: int, member_id: str, generation: int, sent_us: int) -> None:
        self.name = name
        self.index = index
        self.offset = offset
        self.member_id = member_id
        self.generation = generation
        """Group generation or member epoch."""
        self.asked_us = sent_us
        """When its request was last sent."""
        self.sent_us = sent_us
        """When it may have taken effect first; of one in a transaction: when the transaction was first asked to commit."""
        self.may_repeat = False
        """Whether its request was sent again by somebody who knows no better, so that it may take effect at any time."""
        self.done_us = NEVER_US
        self.is_acknowledged = False
        self.is_refused = False
        """Whether it certainly never takes effect."""
        self.is_seen = False
        """Whether a stable fetch has returned it."""
        self.why = "C3"
        """The invariant that it violates when a refused one is seen."""


class Lease(NamedTuple):
    """A partition as the member that was told of it last may count on it, in a group with members of KIP-848."""

    member_id: str
    told_us: int
    until_us: int
    """Until then the coordinator can't have fenced the member, nor waited in vain for it to give the partition up."""


class Promise(NamedTuple):
    """A lease that counts once its coordinator has committed something in its leader epoch: until then another may come that knows nothing of it."""

    by: object
    lease: Lease


class GroupLedger:
    """See the module."""

    def __init__(self, name: str, history: History, *, has_leases: bool) -> None:
        self.name = name
        self.has_leases = has_leases
        """Whether members of KIP-848 may be in it: then there is no generation that all members share, and ownership is judged by leases."""
        self._history = history
        self._commits: dict[int, dict[str, Commit]] = {}
        self._acknowledged: dict[int, list[Commit]] = {}
        self._covered: dict[int, int] = {}
        self._synced: list[tuple[int, int]] = []
        """(when, group generation) of each assignment that a classic member was told, in the order of generations."""
        self._owners: dict[tuple[int, int], str] = {}
        """Who was told to own a partition in a generation: instance id or member id."""
        self._leases: dict[int, Lease] = {}
        self._promises: dict[int, Promise] = {}
        self._bound: object = None
        """The coordinator that is known to have committed something in its leader epoch."""
        self._left_us: dict[str, int] = {}
        self._epochs: dict[str, tuple[int, int]] = {}
        self._told_us: dict[tuple[str, int], int] = {}
        """When a member was first told that it is one in a generation or member epoch."""
        self._owned_us: dict[tuple[str, int], int] = {}
        """When a member was last told that it may have a partition, or still may."""
        self.names_given = 0

    # --- C1, C2: classic generations

    def generation_before(self, moment_us: int) -> int:
        """The highest generation with an assignment that somebody was told of before a moment, -1 for none."""
        return max((generation for told_us, generation in self._synced if told_us < moment_us), default=-1)

    def told(self, member_id: str, generation: int, now_us: int) -> None:
        """A member was told its generation or member epoch, by whomever."""
        self._told_us.setdefault((member_id, generation), now_us)

    def joined(self, member_id: str, generation: int, asked_us: int) -> None:
        """C1: a generation that is told to who asked after an assignment of generation g was told is g or higher.

        Where members of KIP-848 may be each has a member epoch of its own: there g is the one that the member itself was told.
        """
        if self.has_leases:
            told_us, before = self._epochs.get(member_id, (NEVER_US, -1))
            before = before if told_us < asked_us else -1
        else:
            before = self.generation_before(asked_us)
        if generation < before:
            raise SafetyViolation("C1", f"{self.name}: {member_id} joined generation {generation}, generation {before} had its assignment")

    def synced(self, member_id: str, generation: int, partitions: list[int], now_us: int, *, instance_id: str | None = None) -> None:
        """A classic member was told its assignment. C2: in one generation a partition is assigned to one member.

        Not where members of KIP-848 come and go: there what each member may have is judged by leases.
        """
        if not self._synced or self._synced[-1][1] < generation:
            self._history.count("group-generation")
            self._synced.append((now_us, generation))
        self._epochs[member_id] = (now_us, generation)
        who = instance_id or member_id
        for index in partitions if not self.has_leases else ():
            other = self._owners.setdefault((generation, index), who)
            if other != who:
                raise SafetyViolation("C2", f"{self.name}: partition {index} is {other}'s and {who}'s in generation {generation}")

    # --- C1, C2: member epochs

    def heartbeat_answered(
        self, member_id: str, member_epoch: int, owned: list[int], asked_us: int, lease_ms: int, now_us: int,
        *, since_us: int = NEVER_US, by: object = None,
    ) -> None:  # fmt: skip
        """A member of KIP-848 was told its member epoch, and that it may have ``owned``, which it takes. C1: its member epoch does not fall.

        ``since_us``: when it asked first since the last answer. From then on the coordinator may have waited for it to give something up.
        """
        self.told(member_id, member_epoch, now_us)
        before = self._epochs.get(member_id)
        if before is not None and asked_us > before[0] and member_epoch < before[1]:
            raise SafetyViolation("C1", f"{self.name}: {member_id} is told member epoch {member_epoch}, it had {before[1]}")
        if before is None or member_epoch > before[1]:
            self._history.count("member-epoch")
            self._epochs[member_id] = (now_us, member_epoch)
        self.leased(member_id, owned, min(since_us, asked_us), lease_ms, now_us, by=by)

    def bound(self, by: object, now_us: int) -> None:
        """A coordinator has committed something in its leader epoch: whoever comes after it knows all that it has ever said."""
        self._bound = by
        promises, self._promises = self._promises, {}
        for index, (who, promised) in promises.items():
            lease = self._leases.get(index)
            if who is not by or promised.until_us <= now_us:
                continue
            if lease is not None and lease.member_id == promised.member_id:
                self._leases[index] = lease._replace(until_us=max(promised.until_us, lease.until_us))
            elif lease is None or lease.until_us <= now_us:
                self._leases[index] = promised

    def leased(self, member_id: str, owned: list[int], asked_us: int, lease_ms: int, now_us: int, *, by: object = None) -> None:
        """A member was told that it may have ``owned``. C2: what is new to it was given up before by who had it, or that one may be fenced by now.

        ``lease_ms``: how long the coordinator has to wait for it; 0 when it was told by a broker that is the coordinator no more, and does
        not know it: the next coordinator has not heard of the member, and may have given the partition to another. ``by``: the coordinator
        whose word it is; nothing follows of it before that one is ``bound``.
        """
        until_us = asked_us + int(PATIENCE * lease_ms) * 1000
        is_bound = by is self._bound
        is_news = is_bound and until_us > now_us
        """Otherwise nothing follows of it now: the member stood still meanwhile, or was told by who can't know, or by one that is not bound."""
        for index in owned:
            self._owned_us[member_id, index] = now_us
            if not is_bound and by is not None:
                self._promises[index] = Promise(by, Lease(member_id, now_us, until_us))
            lease = self._leases.get(index)
            if lease is not None and lease.member_id == member_id:
                self._leases[index] = lease._replace(until_us=max(until_us, lease.until_us) if is_bound else lease.until_us)
            elif lease is None or lease.until_us <= now_us:
                if is_news:
                    self._leases[index] = Lease(member_id, now_us, until_us)
                else:
                    self._leases.pop(index, None)  # whose it is by now, nobody can say
            elif is_news:
                raise SafetyViolation(
                    "C2", f"{self.name}: partition {index} goes to {member_id}, and {lease.member_id} has not given it up"
                )

    def gave_up(self, member_id: str, kept: list[int]) -> None:
        """A member is about to tell that it owns ``kept`` and nothing else, or forgets what it had."""
        for index, lease in list(self._leases.items()):
            if lease.member_id == member_id and index not in kept:
                self._leases[index] = lease._replace(until_us=-1)
        for index, promise in list(self._promises.items()):
            if promise.lease.member_id == member_id and index not in kept:
                del self._promises[index]

    def starts_over(self, member_id: str) -> None:
        """A member joins with member epoch 0."""
        self._epochs.pop(member_id, None)
        self._left_us.pop(member_id, None)
        self.gave_up(member_id, [])

    def left(self, member_id: str, now_us: int) -> None:
        """A member was told that it has left, which is stored: not so of a classic group, whose next coordinator may know the member still."""
        self._left_us[member_id] = now_us

    # --- C3, C4, C5, P7: commits

    def commit(self, index: int, offset: int, member_id: str, generation: int, sent_us: int) -> Commit:
        """A member is about to ask for a commit."""
        self.names_given += 1
        commit = Commit(f"{self.name}/{self.names_given}", index, offset, member_id, generation, sent_us)
        self._commits.setdefault(index, {})[commit.name] = commit
        return commit

    def accepted(self, commit: Commit, now_us: int, *, is_transactional: bool = False) -> None:
        """A commit was acknowledged, or the transaction that it is of. C3: see ``check_right``, which is asked before for the latter."""
        if not commit.may_repeat:
            commit.done_us = min(now_us, commit.done_us)
        if not is_transactional:
            self.check_right(commit, commit.asked_us)
        if not commit.is_acknowledged:
            commit.is_acknowledged = True
            self._history.admin_count += 1
            self._acknowledged.setdefault(commit.index, []).append(commit)

    def check_right(self, commit: Commit, asked_us: int) -> None:
        """C3: a commit that was asked for then is accepted only in the current generation, or of who owns the partition (KIP-848).

        Not so of a member that has joined since it had the partition, and does not know yet that it lost it: Kafka asks for its member epoch only.
        """
        what = f"{self.name}: {commit.member_id} committed {commit.index}@{commit.offset} in generation {commit.generation}"
        if self._left_us.get(commit.member_id, NEVER_US) < asked_us:
            raise SafetyViolation("C3", f"{what}, and had left")
        if self.has_leases:
            lease = self._leases.get(commit.index)
            member_since_us = self._told_us.get((commit.member_id, commit.generation), -1)
            had_it = self._owned_us.get((commit.member_id, commit.index), -1) >= member_since_us
            if lease is not None and lease.member_id != commit.member_id and had_it and member_since_us < lease.told_us < asked_us:
                raise SafetyViolation("C3", f"{what}, and {lease.member_id} owned it by then")
        elif self.generation_before(asked_us) > commit.generation:
            raise SafetyViolation("C3", f"{what}, current was {self.generation_before(asked_us)}")

    def repeats(self, commit: Commit) -> None:
        """Somebody is about to send a commit again, and whatever was said of it before may no longer be so."""
        commit.may_repeat = True
        commit.is_refused = False
        commit.done_us = NEVER_US

    def refused(self, commit: Commit, why: str = "C3") -> None:
        """A commit certainly has no effect."""
        if not commit.is_acknowledged and not commit.may_repeat:
            commit.is_refused, commit.why = True, why

    def fetched(self, index: int, offset: int, name: str, asked_us: int, now_us: int, *, is_sure: bool = True) -> None:
        """Somebody fetched a committed offset, stable ones only; ``is_sure``: of the coordinator, and not of one that was replaced unawares.

        C4: it is the newest commit that was acknowledged before he asked, or one that none such is behind. C3, P7: it was not refused, nor is it of
        an aborted transaction. C5: its transaction, if it is of one, was asked to commit. C6: everything below it was handed out.
        """
        what = f"{self.name}: partition {index} is committed up to {offset}"
        commit = self._commits.get(index, {}).get(name)
        if offset >= 0 and (commit is None or commit.offset != offset):
            raise SafetyViolation("C4", f"{what} ({name}), which nobody asked for")
        done_us = -1
        if offset >= 0 and commit is not None:
            if commit.is_refused:
                raise SafetyViolation(commit.why, f"{what} ({name}), and that was refused")
            if commit.sent_us > now_us:
                raise SafetyViolation("C5", f"{what} ({name}), and its transaction was not asked to commit")
            commit.is_seen = True
            done_us = commit.done_us
        for other in self._acknowledged.get(index, ()) if is_sure else ():
            if done_us < other.sent_us and other.done_us < asked_us:
                raise SafetyViolation("C4", f"{what} ({name}), and {other.offset} was acknowledged later ({other.name})")
        if offset > self._covered.get(index, 0):
            raise SafetyViolation("C6", f"{what}, handed out was only what is below {self._covered.get(index, 0)}")

    # --- C6

    def handed(self, index: int, start: int, end: int) -> None:
        """A poll has ended in which a member was handed all records of a partition from ``start`` up to ``end``."""
        covered = self._covered.get(index, 0)
        if start > covered:
            raise SafetyViolation("C6", f"{self.name}: partition {index} is read from {start} on, what begins at {covered} is passed over")
        self._covered[index] = max(covered, end)
