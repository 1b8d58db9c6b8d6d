"""Errors that a consumer does not get over, and what to do about each. Kafka's own tool ends on them, too."""

import contextlib
import logging
import sys

from confluent_kafka import KafkaError, Message

_FATAL: int = KafkaError._FATAL  # pyright: ignore[reportPrivateUsage]
_CREDENTIALS: int = KafkaError._AUTHENTICATION  # pyright: ignore[reportPrivateUsage]
_RESET: int = KafkaError._AUTO_OFFSET_RESET  # pyright: ignore[reportPrivateUsage]
_LOCAL = "Local: "
"""How librdkafka names errors that are its own, as a connection that was lost."""
_OFFSETS = "give the group an offset that exists (holdwater group), or begin with --reset-policy earliest or latest"
_RIGHTS = "have the right granted to this client, or correct its credentials in the --command-config file"
TOPIC_NAMES = "choose a name of 1 to 249 of a-z A-Z 0-9 . _ - that is neither . nor .."
_NEXT: dict[int, str] = {
    _RESET: _OFFSETS,
    KafkaError.OFFSET_OUT_OF_RANGE: _OFFSETS,
    KafkaError.TOPIC_EXCEPTION: TOPIC_NAMES,
    KafkaError.INVALID_SESSION_TIMEOUT: (
        "choose a --session-timeout between the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms"
    ),
    KafkaError.UNSUPPORTED_ASSIGNOR: "choose a --group-remote-assignor that the brokers have (their group.consumer.assignors)",
    KafkaError.FENCED_INSTANCE_ID: "give each process a --group-instance-id of its own",
    KafkaError.UNRELEASED_INSTANCE_ID: "give each process a --group-instance-id of its own, or end the other one first",
    KafkaError.INVALID_GROUP_ID: "choose another --group-id",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
        "use the --group-protocol and --assignment-strategy that the group's members have, or another --group-id"
    ),
    KafkaError.GROUP_MAX_SIZE_REACHED: "end another member of the group first, or raise the brokers' limit of members",
    KafkaError.UNSUPPORTED_VERSION: "use --group-protocol classic, or newer brokers",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.GROUP_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.SASL_AUTHENTICATION_FAILED: _RIGHTS,
    _CREDENTIALS: _RIGHTS,
}


class ClientFailed(Exception):  # noqa: N818 - named for what happened
    """The client cannot go on (exit code 1); it has left in order."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what)
        self.next_step = next_step


def failure(error: KafkaError) -> ClientFailed | None:
    """The end that an error means; ``None`` when it passes: brokers that are down, a coordinator that moves, a topic that is not there yet."""
    code, what = error.code(), error.str()
    if code == _FATAL:
        code = _cause(what)
        what = what if code == _FATAL else KafkaError(code).str()
    if code == _FATAL or error.fatal():
        return ClientFailed(what, _NEXT.get(code, "start it again when that is put right"))
    passes = code not in _NEXT or (code == _CREDENTIALS and _LOCAL in what)
    return None if passes else ClientFailed(what, _NEXT[code])


def failure_of(message: Message) -> ClientFailed | None:
    """The same for a message of librdkafka's that carries an error; names the partition."""
    error = message.error()
    found = failure(error) if error is not None else None
    topic, partition = message.topic(), message.partition()
    if found is None or topic is None or partition is None or partition < 0:
        return found
    return ClientFailed(f"{topic}-{partition}: {found}", found.next_step)


def strands(error: KafkaError) -> bool:
    """Whether a consumer will read nothing more of what it was just assigned, and go on all the same.

    librdkafka asks a coordinator that has moved for committed offsets, is refused, and does not ask again (confluentinc/librdkafka issue 5586,
    open in November 2026, seen with 2.16). This error is the only sign of it. Other clients do ask again; here only a new client helps.
    """
    return error.code() in (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE)


def is_held(error: KafkaError) -> bool:
    """Whether another member of a consumer group has the instance id, perhaps only because nobody heard that it has left."""
    return KafkaError.UNRELEASED_INSTANCE_ID in (error.code(), _cause(error.str()))


def ends_commits(error: KafkaError) -> bool:
    """Whether no later commit can succeed, since another process has this one's place. Kafka's tool reports any other and goes on."""
    return error.fatal() or error.code() in (_FATAL, KafkaError.FENCED_INSTANCE_ID)


def _cause(fatal: str) -> int:
    """What is behind librdkafka's fatal error, which says it in words only."""
    return next((code for code in _NEXT if KafkaError(code).str() in fatal), _FATAL)


class Log:
    """librdkafka's log lines, as it writes them to stderr by itself, but for those of fatal errors: ``ClientFailed`` says them better."""

    def log(self, level: int, text: str, *values: object) -> None:
        """As ``logging.Logger`` has it."""
        if level < logging.CRITICAL:
            with contextlib.suppress(OSError):  # a callback must not raise
                print(text % values, file=sys.stderr, flush=True)
