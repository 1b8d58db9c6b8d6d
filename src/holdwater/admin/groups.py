"""Groups: listed, described, deleted; their committed offsets shown beside the ends of the log, and moved.

Every result is made of plain dictionaries, as they are printed with ``--format json``. Where several groups are asked for, one that fails does
not hide the others: its row has an ``error``, and in ``next`` what to do.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions, ConsumerGroupType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from holdwater.admin.client import REQUEST_S, Client
from holdwater.admin.errors import PASSING, UNANSWERED, AdminError

Row = dict[str, Any]
Place = tuple[str, int]


_GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)  # pyright: ignore[reportPrivateUsage]
_HAS_MEMBERS = (
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.NON_EMPTY_GROUP,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
)
"""How a group with members refuses a commit that comes from no member."""
_NOTHING_SO_LATE = -1
"""In place of an offset: no record of the log is as late as the time that was asked for."""
_EARLIEST: Any = OffsetSpec.earliest()
_LATEST: Any = OffsetSpec.latest()
_REBALANCING = "rebalancing"
_INT64 = 1 << 63


class Listed(NamedTuple):
    """Rows, and why there may be others."""

    rows: list[Row]
    problem: AdminError | None


class Groups:
    """The groups of one cluster. Everything raises ``AdminError`` when the cluster refuses or does not answer in time."""

    def __init__(self, config: dict[str, Any]) -> None:
        """``config``: librdkafka's, ``bootstrap.servers`` at least."""
        self._asking = Client(config)
        self._client = self._asking.client

    def list_all(self) -> Listed:
        """One row for each group: ``group``, ``state``, ``type``, ``simple`` (no member has ever joined through a protocol).

        Each broker lists the groups that it coordinates; the problem names the brokers that did not.
        """
        result = self._asking.ask("listing groups", lambda limit_s: self._client.list_consumer_groups(request_timeout=limit_s))
        rows = [
            {"group": each.group_id, "state": _state(each), "type": _word(each.type), "simple": each.is_simple_consumer_group}
            for each in result.valid
        ]
        problem = self._unlisted(result.errors[0], answered=bool(rows)) if result.errors else None
        return Listed(sorted(rows, key=lambda row: row["group"]), problem)

    def _unlisted(self, error: KafkaError, *, answered: bool) -> AdminError:
        """Raises when it was not a part of the brokers, but all of them."""
        if not answered and not self._asking.answered():
            raise self._asking.nobody()
        silent = self._asking.silent()
        who = f"broker {', '.join(silent)} did not list its groups" if silent else "a broker did not list its groups"
        return AdminError.of(who, error, "" if error.code() in PASSING else "check that every broker is up: each lists its own groups")

    def describe(self, group_ids: Sequence[str]) -> list[Row]:
        """For each group its state, coordinator and assignor, its ``members``, and its ``offsets`` as ``offsets`` gives them."""
        ids = list(dict.fromkeys(group_ids))
        answers = self._described(ids)
        there = [group_id for group_id in ids if not isinstance(answers[group_id], KafkaError) and not _is_dead(answers[group_id])]
        committed = self._committed(there)
        return [self._description(group_id, answers[group_id], committed.get(group_id)) for group_id in ids]

    def _described(self, ids: list[str]) -> dict[str, Any]:
        return self._asking.ask_each(ids, lambda names, limit_s: self._client.describe_consumer_groups(names, request_timeout=limit_s))

    def _committed(self, ids: list[str]) -> dict[str, Any]:
        """The committed offsets of each group, or the error; librdkafka asks for one group at a time.

        Only for groups that were described just before: librdkafka crashes when a broker answers this request with NOT_COORDINATOR (its issue 5040),
        as it then turns to the consumer that an AdminClient has not. A coordinator that has described a group answers.
        """

        def send(names: list[str], limit_s: float) -> dict[str, Future[Any]]:
            return {
                name: self._client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)], request_timeout=limit_s)[name]
                for name in names
            }

        return self._asking.ask_each(ids, send)

    def _description(self, group_id: str, found: Any, committed: Any) -> Row:
        """A row of ``describe``."""
        try:
            if _is_dead(_or_raise(f"describing group {group_id}", found)):
                return {"group": group_id, "state": "dead", **_error(_no_group(group_id))}
            coordinator = found.coordinator
            return {
                "group": group_id,
                "state": _state(found),
                "type": _word(found.type),
                "coordinator": None if coordinator is None else {"id": coordinator.id, "host": coordinator.host, "port": coordinator.port},
                "assignor": found.partition_assignor,
                "members": [_member(each) for each in found.members],
                "offsets": self._offset_rows(group_id, found, committed),
            }
        except AdminError as problem:
            return {"group": group_id, "state": None, **_error(problem)}

    def offsets(self, group_id: str) -> list[Row]:
        """Committed offsets by partition: ``topic``, ``partition``, ``committed``, ``end`` (``None`` where there is none to be had), ``lag``,
        ``metadata``, and the ``member`` that the partition is assigned to, or "". Assigned partitions come without a committed offset too.
        Where the end could not be had, the row says in ``error`` why."""
        found = _or_raise(f"describing group {group_id}", self._described([group_id])[group_id])
        if _is_dead(found):
            raise _no_group(group_id)
        return self._offset_rows(group_id, found, self._committed([group_id])[group_id])

    def _offset_rows(self, group_id: str, found: Any, committed: Any) -> list[Row]:
        known = _known(_or_raise(f"reading the offsets of group {group_id}", committed))
        owners = _owners(found.members)
        places = sorted({*known, *owners})
        there = self._partitions({topic for topic, _ in places})
        ends: dict[Place, int | AdminError | None] = {place: _no_leader(place) for place in places if not there.get(place, True)}
        ends |= self._ends([place for place in places if there.get(place)], _LATEST)
        return [_offset_row(place, known.get(place), ends.get(place), owners.get(place, "")) for place in places]

    def _partitions(self, topics: Iterable[str]) -> dict[Place, bool]:
        """The partitions of those of the topics that there are, and whether each has a leader.

        All topics are listed: to ask for one by its name would create it where the brokers create topics by themselves. To look for its ends
        might too, so that is done only for what is found here.
        """
        wanted = set(topics)
        if not wanted:
            return {}
        try:
            known = self._client.list_topics(timeout=REQUEST_S).topics
        except KafkaException as error:
            raise AdminError.of("listing topics", error.args[0]) from error
        return {
            (name, number): partition.leader >= 0
            for name in sorted(wanted & known.keys())
            for number, partition in sorted(known[name].partitions.items())
        }

    def _ends(self, places: Sequence[Place], where: Any) -> dict[Place, int | AdminError | None]:
        """An offset of each partition, or ``_NOTHING_SO_LATE``; ``None`` when there is no such partition any more; else why it is not known."""
        if not places:
            return {}

        def send(asked: list[Place], limit_s: float) -> dict[Place, Future[Any]]:
            wanted = {TopicPartition(topic, partition): where for topic, partition in asked}
            sent = self._client.list_offsets(wanted, request_timeout=limit_s)
            return {(each.topic, each.partition): answer for each, answer in sent.items()}

        lowest = 0 if where is _EARLIEST or where is _LATEST else _NOTHING_SO_LATE
        return {place: _end(place, answer, lowest) for place, answer in self._asking.ask_each(places, send).items()}

    def delete(self, group_ids: Sequence[str]) -> list[Row]:
        """Delete empty groups with their offsets: ``group``, ``deleted``, and ``error`` and ``next`` when it was not deleted."""
        ids = list(dict.fromkeys(group_ids))
        answers = self._asking.ask_each(ids, lambda names, limit_s: self._client.delete_consumer_groups(names, request_timeout=limit_s))
        return [_deleted(group_id, answers[group_id]) for group_id in ids]

    def plan(self, group_id: str, topics: Sequence[str], target: "Target") -> list[Row]:
        """Where a group's offsets would be moved to: ``topic``, ``partition``, ``committed``, ``target``, and ``asked``, which is another
        offset than ``target`` when the log does not hold it.

        Without ``topics`` those partitions that have a committed offset; else every partition of the topics. Raises ``AdminError`` when
        that leaves nothing to move.
        """
        found = _or_raise(f"describing group {group_id}", self._described([group_id])[group_id])
        answer = None if _is_dead(found) else self._committed([group_id])[group_id]
        known = {} if answer is None else _known(_or_raise(f"reading the offsets of group {group_id}", answer))
        committed = {place: each.offset for place, each in known.items()}
        if not committed and not topics:
            raise AdminError(f"group {group_id} has no committed offset, so there is nothing to move", "name a topic with --topic")
        planned = self._planned(self._movable(committed, topics), committed, target)
        if not planned:
            raise AdminError(f"there is no offset of group {group_id} that could be moved there", f"holdwater group offsets {group_id}")
        return planned

    def _movable(self, committed: Mapping[Place, int], topics: Sequence[str]) -> list[Place]:
        """The partitions that a plan is about. Raises ``AdminError`` for a topic that there is not, and a partition without a leader."""
        there = self._partitions(topics or {topic for topic, _ in committed})
        for topic in topics:
            if all(place[0] != topic for place in there):
                raise AdminError(f"there is no topic {topic}", "check --topic")
        places = [place for place in there if topics or place in committed]
        for place in places:
            if not there[place]:
                raise _no_leader(place)
        return places

    def _planned(self, places: Sequence[Place], committed: Mapping[Place, int], target: "Target") -> list[Row]:
        low, high = _sure(self._ends(places, _EARLIEST)), _sure(self._ends(places, _LATEST))
        if target.spec is _EARLIEST or target.spec is _LATEST:
            found = low if target.spec is _EARLIEST else high
        else:
            found = {} if target.spec is None else _sure(self._ends(places, target.spec))
        planned: list[Row] = []
        for place in places:
            start, end = low[place], high[place]
            if start is None or end is None:  # deleted in between
                continue
            wanted = target.offset(committed.get(place)) if target.spec is None else found[place]
            if wanted == _NOTHING_SO_LATE and target.spec is not None:
                wanted = end
            if wanted is not None:
                planned.append(
                    {
                        "topic": place[0],
                        "partition": place[1],
                        "committed": committed.get(place),
                        "target": min(max(wanted, start), end),
                        "asked": wanted,
                    }
                )
        return planned

    def move(self, group_id: str, rows: Sequence[Row]) -> None:
        """Commit the ``target`` of each row for a group, which must have no live members."""
        wanted = [ConsumerGroupTopicPartitions(group_id, [TopicPartition(row["topic"], row["partition"], row["target"]) for row in rows])]

        def send(names: list[str], limit_s: float) -> dict[str, Future[Any]]:
            return self._client.alter_consumer_group_offsets(wanted, request_timeout=limit_s)

        answer = self._asking.ask_each([group_id], send)[group_id]
        if isinstance(answer, KafkaError):
            raise _not_moved(group_id, f"moving the offsets of group {group_id}", answer)
        failed = [each for each in answer.topic_partitions if each.error is not None]
        if failed:
            which = ", ".join(f"{each.topic}-{each.partition}" for each in failed)
            others = "" if len(failed) == len(answer.topic_partitions) else " (the others were moved)"
            raise _not_moved(group_id, f"moving {which} of group {group_id}{others}", failed[0].error)


class Target:
    """Where offsets are moved to: ``earliest``, ``latest``, ``current``, ``@MS`` (the first record since that time), an offset, or ``+N``/``-N``."""

    def __init__(self, text: str) -> None:
        """Raises ``ValueError`` for anything else."""
        self.spec: Any = None
        self.offset: Callable[[int | None], int | None]
        if text in {"earliest", "latest"}:
            self.spec = _EARLIEST if text == "earliest" else _LATEST
        elif text.startswith("@"):
            self.spec = OffsetSpec.for_timestamp(_natural(text[1:]))
        elif text == "current":
            self.offset = lambda committed: committed
        elif text[:1] in {"+", "-"}:
            shift = _natural(text[1:]) * (1 if text[0] == "+" else -1)
            self.offset = lambda committed: None if committed is None else committed + shift
        else:
            wanted = _natural(text)
            self.offset = lambda committed: wanted


def _natural(text: str) -> int:
    """Plain digits that fit the protocol; Python's own reader takes ``1_0`` and the digits of other scripts too. Raises ``ValueError``."""
    if re.fullmatch(r"[0-9]{1,19}", text) is None or int(text) >= _INT64:
        raise ValueError(text)
    return int(text)


def _or_raise(doing: str, answer: Any) -> Any:
    if isinstance(answer, KafkaError):
        raise AdminError.of(doing, answer)
    return answer


def _error(problem: AdminError) -> Row:
    return {"error": str(problem), "next": problem.next_step}


def _no_group(group_id: str) -> AdminError:
    return AdminError(f"there is no group {group_id}", "holdwater group list")


def _no_leader(place: Place) -> AdminError:
    return AdminError(f"{place[0]}-{place[1]} has no leader, which would know its offsets", "start the brokers of its replicas")


def _not_moved(group_id: str, doing: str, error: KafkaError) -> AdminError:
    if error.code() in _HAS_MEMBERS:
        return AdminError(f"group {group_id} has members, so its offsets were not moved", "stop its consumers first")
    if error.code() in (*PASSING, *UNANSWERED):
        # The coordinator may have stored it, and may still replicate it.
        step = f"see that every broker is up, then look before you try again: holdwater group offsets {group_id}"
        return AdminError.of(f"nobody knows whether offsets were moved: {doing}", error, step)
    return AdminError.of(doing, error)


def _deleted(group_id: str, answer: Any) -> Row:
    if isinstance(answer, KafkaError):
        return {"group": group_id, "deleted": False, **_error(AdminError.of(f"deleting group {group_id}", answer))}
    return {"group": group_id, "deleted": True}


def _is_dead(found: Any) -> bool:
    """Dead is what brokers say of a group that there is not."""
    return found.state is ConsumerGroupState.DEAD


def _state(found: Any) -> str:
    """The state in a word. librdkafka knows those of classic groups alone; a consumer group (KIP-848) has two more, Assigning and Reconciling,
    both of which are a rebalance, and librdkafka calls either unknown."""
    if found.state is ConsumerGroupState.UNKNOWN and found.type is ConsumerGroupType.CONSUMER:
        return _REBALANCING
    return _word(found.state)


def _word(value: Any) -> str:
    return "" if value is None else value.name.lower().replace("_", "-")


def _known(committed: Any) -> dict[Place, Any]:
    return {(each.topic, each.partition): each for each in committed.topic_partitions if each.error is None and each.offset >= 0}


def _end(place: Place, answer: Any, lowest: int) -> int | AdminError | None:
    """See ``Groups._ends``. librdkafka has no error for a leader that does not answer in time: it has no offset, either (-1001)."""
    if isinstance(answer, KafkaError):
        return None if answer.code() in _GONE else AdminError.of(f"looking for the ends of {place[0]}-{place[1]}", answer)
    if answer.offset < lowest:
        return AdminError(f"the leader of {place[0]}-{place[1]} does not answer", "check that every broker is up, then try again")
    return answer.offset


def _sure(ends: Mapping[Place, int | AdminError | None]) -> dict[Place, int | None]:
    """The same; raises the first problem."""
    known: dict[Place, int | None] = {}
    for place, end in ends.items():
        if isinstance(end, AdminError):
            raise end
        known[place] = end
    return known


def _member(member: Any) -> Row:
    return {
        "member": member.member_id,
        "instance": member.group_instance_id,
        "client": member.client_id,
        "host": member.host,
        "assignment": [{"topic": each.topic, "partition": each.partition} for each in _assigned(member)],
    }


def _assigned(member: Any) -> list[Any]:
    assignment = member.assignment
    return [] if assignment is None else sorted(assignment.topic_partitions, key=lambda each: (each.topic, each.partition))


def _owners(members: Sequence[Any]) -> dict[Place, str]:
    return {(each.topic, each.partition): member.member_id for member in members for each in _assigned(member)}


def _offset_row(place: Place, committed: Any, found: int | AdminError | None, member: str) -> Row:
    offset = None if committed is None else committed.offset
    end = None if isinstance(found, AdminError) else found
    return {
        "topic": place[0],
        "partition": place[1],
        "committed": offset,
        "end": end,
        "lag": None if offset is None or end is None else end - offset,
        "metadata": None if committed is None else committed.metadata or "",
        "member": member,
        **(_error(found) if isinstance(found, AdminError) else {}),
    }
