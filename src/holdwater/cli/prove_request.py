"""What the flags of ``holdwater prove`` ask for, checked before anything is started: scenarios, settings of the clients, commands for brokers."""

import argparse
from difflib import get_close_matches

from confluent_kafka import Consumer, KafkaException, Producer

from holdwater.cli.up import WrongUsage, settings_of
from holdwater.kernel.identifiers import is_legal_topic_name
from holdwater.prove.errors import UsageError
from holdwater.prove.history.payload import MIN_VALUE_BYTES
from holdwater.prove.perform import require_abilities
from holdwater.prove.scenario import Scenario
from holdwater.prove.scenarios import CATALOGUE
from holdwater.prove.scenarios.options import Options
from holdwater.prove.targets.command import Commands
from holdwater.prove.verifiable.failures import TOPIC_NAMES
from holdwater.rpc.calls import parse_bootstrap

_PRODUCER_ONLY = (
    "acks", "request.required.acks", "enable.idempotence", "linger.ms", "queue.buffering.", "batch.", "compression.", "message.timeout.ms",
    "delivery.timeout.ms", "retries", "message.send.max.retries", "request.timeout.ms", "sticky.partitioning", "partitioner", "transaction",
    "enable.gapless.guarantee", "delivery.report",
)  # fmt: skip
_CONSUMER_ONLY = (
    "group.", "session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms", "enable.auto.", "auto.commit", "auto.offset.reset", "fetch.",
    "isolation.level", "queued.", "partition.assignment", "check.crcs", "enable.partition.eof", "max.partition.fetch.bytes",
)  # fmt: skip


_QUIET = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}


def check_together(arguments: argparse.Namespace) -> None:
    """What does not fit together whatever the scenario. Raises ``UsageError``."""
    if arguments.evidence and len(set(arguments.scenario)) < len(arguments.scenario):
        raise UsageError("--evidence has one folder for each scenario, and one is named twice", "leave out --evidence, or name each once")
    if arguments.config and arguments.bootstrap_server:
        raise UsageError("--config sets up a cluster of our own, and --bootstrap-server names another", "leave out one of them")
    try:
        settings_of(arguments.config)
    except WrongUsage as error:
        raise UsageError(str(error), "correct it in -c key=value") from error


def build(name: str, arguments: argparse.Namespace) -> Scenario:
    """The scenario as the flags want it. Raises ``UsageError`` for what does not fit together."""
    if name not in CATALOGUE:
        near = get_close_matches(name, CATALOGUE, n=1)
        raise UsageError(
            f"there is no scenario '{name}'" + (f"; did you mean {near[0]}?" if near else ""), "holdwater prove --list shows them"
        )
    if arguments.topic and not is_legal_topic_name(arguments.topic):
        raise UsageError(f"'{arguments.topic}' is no topic name", TOPIC_NAMES)
    if arguments.min_controller_kills > arguments.kills:
        raise UsageError(f"{arguments.min_controller_kills} controller kills do not fit into {arguments.kills} kills", "raise --kills")
    if arguments.keys < arguments.partitions:
        raise UsageError(
            f"{arguments.keys} keys leave some of {arguments.partitions} partitions without any", "raise --keys to at least --partitions"
        )
    if arguments.value_size < MIN_VALUE_BYTES:
        raise UsageError(
            f"--value-size {arguments.value_size} has no room for what a record says of itself", f"it takes {MIN_VALUE_BYTES} or more"
        )
    if not arguments.bootstrap_server and arguments.replication_factor > arguments.brokers:
        raise UsageError(
            f"a topic of replication factor {arguments.replication_factor} needs {arguments.replication_factor} brokers, not {arguments.brokers}",
            "raise --brokers, or lower --replication-factor",
        )
    producer, consumer = client_settings(arguments.client)
    options = Options(
        kills=arguments.kills,
        choose=arguments.kill,
        min_controller_kills=arguments.min_controller_kills,
        steady_s=arguments.steady,
        down_s=arguments.down,
        after_s=arguments.after,
        limit_s=arguments.limit,
        rate=arguments.rate,
        value_bytes=arguments.value_size,
        writers=arguments.writers,
        keys=arguments.keys,
        partitions=arguments.partitions,
        replication_factor=arguments.replication_factor,
        topic_configs=_pairs(arguments.topic_config, "--topic-config"),
        producer=producer,
        consumer=consumer,
    )
    return CATALOGUE[name].build(options)


def _pairs(texts: list[str], flag: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise UsageError(f"'{text}' is no key=value", f"write {flag} key=value")
        pairs[key.strip()] = value
    return pairs


def client_settings(texts: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Settings for the producer and for the consumer: those that only one of them knows go to that one. Raises ``UsageError``."""
    given = _pairs(texts, "-X")
    producer = {key: value for key, value in given.items() if not key.startswith(_CONSUMER_ONLY)}
    consumer = {key: value for key, value in given.items() if not key.startswith(_PRODUCER_ONLY)}
    return producer, consumer


def check_clients(scenarios: list[Scenario]) -> None:
    """Let librdkafka itself refuse what it does not know, before anything is started. Raises ``UsageError``."""
    for scenario in scenarios:
        try:
            Producer(_QUIET | scenario.workload.producer)
            Consumer(_QUIET | {"group.id": "check"} | scenario.workload.consumer).close()
        except KafkaException as error:
            raise UsageError(f"librdkafka refuses a client setting: {error.args[0].str()}", "correct it in -X key=value") from error


def commands_of(arguments: argparse.Namespace, scenarios: list[Scenario]) -> Commands | None:
    """How brokers of somebody else's cluster are handled, checked before anything is started; ``None`` for a cluster of our own.

    Raises ``UsageError``.
    """
    by_verb = {"start": arguments.start_command, "kill": arguments.kill_command, "terminate": arguments.stop_command}
    given = {verb: command for verb, command in by_verb.items() if command}
    if not arguments.bootstrap_server:
        if given or arguments.pid_file_pattern:
            raise UsageError("commands for brokers make sense with --bootstrap-server only", "name the cluster with -b, or leave them out")
        return None
    try:
        parse_bootstrap(arguments.bootstrap_server)
    except ValueError as error:
        raise UsageError(f"--bootstrap-server: {error}", "write host:port, or several with commas") from error
    commands = Commands(given, arguments.pid_file_pattern or "").checked()
    for scenario in scenarios:
        require_abilities(scenario, commands.abilities())
    return commands
