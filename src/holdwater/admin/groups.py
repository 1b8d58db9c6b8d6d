"""Groups: listed, described, deleted; their committed offsets shown beside the ends of the log, and moved.

Every result is made of plain dictionaries, as they are printed with ``--format json``.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from holdwater.admin.errors import AdminError

REQUEST_S = 15.0
Row = dict[str, Any]
_Result = TypeVar("_Result")


_GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)  # pyright: ignore[reportPrivateUsage]
_EARLIEST: Any = OffsetSpec.earliest()
_LATEST: Any = OffsetSpec.latest()


class Groups:
    """The groups of one cluster. Everything raises ``AdminError`` when the cluster refuses or does not answer in time."""

    def __init__(self, config: dict[str, Any]) -> None:
        """``config``: librdkafka's, ``bootstrap.servers`` at least."""
        settings: Any = {"client.id": "holdwater", "logger": _Silent(), **config}
        try:
            self._client = AdminClient(settings)
        except KafkaException as error:
            raise AdminError(f"librdkafka refuses a setting: {error.args[0].str()}", "correct it in -X or --command-config") from error

    def list_all(self) -> list[Row]:
        """One row for each group: ``group``, ``state``, ``type``, ``simple`` (no member has ever joined through a protocol)."""
        result = _wait("listing groups", self._client.list_consumer_groups(request_timeout=REQUEST_S))
        for error in result.errors:
            raise AdminError.of("listing groups", error.args[0], "check that every broker is up: each lists its own groups")
        rows = [
            {"group": each.group_id, "state": _word(each.state), "type": _word(each.type), "simple": each.is_simple_consumer_group}
            for each in result.valid
        ]
        return sorted(rows, key=lambda row: row["group"])

    def describe(self, group_ids: Sequence[str]) -> list[Row]:
        """For each group its state, coordinator and assignor, its ``members``, and its ``offsets`` as ``offsets`` gives them."""
        described = self._client.describe_consumer_groups(list(group_ids), request_timeout=REQUEST_S)
        return [self._described(group_id, described[group_id]) for group_id in group_ids]

    def _described(self, group_id: str, answer: Future[Any]) -> Row:
        found = _wait(f"describing group {group_id}", answer)
        coordinator = found.coordinator
        return {
            "group": group_id,
            "state": _word(found.state),
            "type": _word(found.type),
            "coordinator": None if coordinator is None else {"id": coordinator.id, "host": coordinator.host, "port": coordinator.port},
            "assignor": found.partition_assignor,
            "members": [_member(each) for each in found.members],
            "offsets": self.offsets(group_id, _owners(found.members)),
        }

    def offsets(self, group_id: str, owners: dict[tuple[str, int], str] | None = None) -> list[Row]:
        """Committed offsets by partition: ``topic``, ``partition``, ``committed``, ``end`` (``None`` when there is no such partition any more),
        ``lag``, ``metadata``, and the ``member`` that ``owners`` names. Partitions of ``owners`` come without a committed offset too."""
        answer = self._client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group_id)], request_timeout=REQUEST_S)
        committed = _wait(f"reading the offsets of group {group_id}", answer[group_id])
        owners = owners or {}
        known = {(each.topic, each.partition): each for each in committed.topic_partitions if each.error is None and each.offset >= 0}
        places = sorted({**dict.fromkeys(known), **dict.fromkeys(owners)})
        ends = self._ends(places, _LATEST)
        return [_offset_row(place, known.get(place), ends[place], owners.get(place, "")) for place in places]

    def _ends(self, places: Sequence[tuple[str, int]], where: Any) -> dict[tuple[str, int], int | None]:
        """An offset of each partition; ``None`` where there is none to be had."""
        if not places:
            return {}
        asked = {TopicPartition(topic, partition): where for topic, partition in places}
        answers = self._client.list_offsets(asked, request_timeout=REQUEST_S)
        found: dict[tuple[str, int], int | None] = dict.fromkeys(places)
        for place, answer in answers.items():
            try:
                offset = answer.result(REQUEST_S + 5).offset
            except KafkaException as error:
                if error.args[0].code() in _GONE:
                    continue
                raise AdminError.of(
                    f"looking for the ends of {place.topic}-{place.partition}", error.args[0], "check the brokers"
                ) from error
            found[place.topic, place.partition] = offset if offset >= 0 else None
        return found

    def delete(self, group_ids: Sequence[str]) -> list[Row]:
        """Delete empty groups with their offsets: ``group``, and ``error`` when it was not deleted."""
        answers = self._client.delete_consumer_groups(list(group_ids), request_timeout=REQUEST_S)
        rows: list[Row] = []
        for group_id in group_ids:
            try:
                _wait(f"deleting group {group_id}", answers[group_id])
            except AdminError as problem:
                rows.append({"group": group_id, "deleted": False, "error": str(problem)})
            else:
                rows.append({"group": group_id, "deleted": True})
        return rows

    def plan(self, group_id: str, topics: Sequence[str], target: "Target") -> list[Row]:
        """Where a group's offsets would be moved to: ``topic``, ``partition``, ``committed``, ``target``.

        Without ``topics`` those partitions that have a committed offset; else every partition of the topics.
        """
        rows = {(row["topic"], row["partition"]): row["committed"] for row in self.offsets(group_id)}
        places = [place for place in rows if place[0] in topics or not topics]
        for topic in topics:
            places += [place for place in self._partitions(topic) if place not in rows]
        ends = self._ends(places, target.spec) if target.spec is not None else {}
        low, high = self._ends(places, _EARLIEST), self._ends(places, _LATEST)
        planned: list[Row] = []
        for place in sorted(places):
            wanted = ends.get(place) if target.spec is not None else target.offset(rows.get(place))
            if wanted is None and target.spec is not None:
                wanted = high[place]  # nothing so late is in the log
            if wanted is not None:
                planned.append(_planned(place, rows.get(place), wanted, low[place], high[place]))
        return planned

    def _partitions(self, topic: str) -> list[tuple[str, int]]:
        try:
            known = self._client.list_topics(topic, timeout=REQUEST_S).topics[topic]
        except KafkaException as error:
            raise AdminError.of(f"looking for topic {topic}", error.args[0], "check the brokers") from error
        if known.error is not None:
            raise AdminError.of(f"looking for topic {topic}", known.error, "check --topic")
        return [(topic, number) for number in sorted(known.partitions)]

    def move(self, group_id: str, rows: Sequence[Row]) -> None:
        """Commit the ``target`` of each row for a group, which must have no live members."""
        wanted = [TopicPartition(row["topic"], row["partition"], row["target"]) for row in rows]
        answer = self._client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group_id, wanted)], request_timeout=REQUEST_S)
        done = _wait(
            f"moving the offsets of group {group_id}", answer[group_id], "stop the group's consumers first: it must have no members"
        )
        for each in done.topic_partitions:
            if each.error is not None:
                raise AdminError.of(
                    f"moving {each.topic}-{each.partition} of group {group_id}", each.error, "stop the group's consumers first"
                )


class Target:
    """Where offsets are moved to: ``earliest``, ``latest``, ``current``, ``@MS`` (the first record since that time), an offset, or ``+N``/``-N``."""

    def __init__(self, text: str) -> None:
        """Raises ``ValueError`` for anything else."""
        self.spec: Any = None
        self.offset: Callable[[int | None], int | None]
        if text in {"earliest", "latest"}:
            self.spec = _EARLIEST if text == "earliest" else _LATEST
        elif text.startswith("@"):
            self.spec = OffsetSpec.for_timestamp(int(text[1:]))
        elif text == "current":
            self.offset = lambda committed: committed
        elif text[:1] in {"+", "-"}:
            shift = int(text)
            self.offset = lambda committed: None if committed is None else committed + shift
        else:
            wanted = int(text)
            self.offset = lambda committed: wanted


class _Silent:
    """Swallows librdkafka's log lines: errors come back as errors."""

    def log(self, *args: Any, **kwargs: Any) -> None:
        """See the class."""


def _wait(doing: str, answer: "Future[_Result]", next_step: str = "") -> Any:
    try:
        return answer.result(REQUEST_S + 5)
    except KafkaException as error:
        raise AdminError.of(doing, error.args[0], next_step) from error
    except TimeoutError as error:
        raise AdminError(f"{doing}: no answer within {REQUEST_S:g} s", "check the brokers and -b") from error


def _word(value: Any) -> str:
    return "" if value is None else value.name.lower().replace("_", "-")


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


def _owners(members: Sequence[Any]) -> dict[tuple[str, int], str]:
    return {(each.topic, each.partition): member.member_id for member in members for each in _assigned(member)}


def _planned(place: tuple[str, int], committed: int | None, wanted: int, low: int | None, high: int | None) -> Row:
    """A row of a plan; the target is brought within what the log holds."""
    target = max(wanted, low or 0) if high is None else min(max(wanted, low or 0), high)
    return {"topic": place[0], "partition": place[1], "committed": committed, "target": target}


def _offset_row(place: tuple[str, int], committed: Any, end: int | None, member: str) -> Row:
    offset = None if committed is None else committed.offset
    return {
        "topic": place[0],
        "partition": place[1],
        "committed": offset,
        "end": end,
        "lag": None if offset is None or end is None else end - offset,
        "metadata": None if committed is None else committed.metadata or "",
        "member": member,
    }
