"""Consume a topic, and print JSON lines of what was assigned, consumed and committed.

The flags and the lines are those of Kafka's org.apache.kafka.tools.VerifiableConsumer; the client is librdkafka.

On an error that it will not get over (no offset and no reset policy, an invalid topic, a fenced instance id) it says on stderr what is wrong,
leaves in order, and exits with 1, where Kafka's exits with 0. At the start a broker must answer;
brokers that go down later and a topic that is not there yet are waited for.

Exit codes: 0 --max-messages were consumed; 1 see above; 2 usage, or no broker answers; 128 + the signal that ended it.
"""

import argparse
import sys
from pathlib import Path

from holdwater.cli.numbers import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Kafka's flags."""
    parser.add_argument("--topic", required=True, metavar="TOPIC", help="consume messages from this topic")
    parser.add_argument(
        "--group-protocol", type=str.lower, default="classic", choices=("classic", "consumer"), help="group protocol (default %(default)s)"
    )
    parser.add_argument("--group-remote-assignor", metavar="NAME", help="the broker's assignor; for group protocol consumer only")
    parser.add_argument("--group-id", required=True, metavar="ID", help="the consumer group")
    parser.add_argument("--group-instance-id", metavar="ID", help="makes it a static member of the group")
    parser.add_argument("--max-messages", type=whole, default=-1, help="how many; -1 goes on until it is stopped (default %(default)s)")
    parser.add_argument("--session-timeout", type=whole, metavar="MS", help="session timeout; for group protocol classic only")
    parser.add_argument("--verbose", action="store_true", help="print each record")
    parser.add_argument("--enable-autocommit", action="store_true", help="let the client commit by itself instead of after each poll")
    parser.add_argument(
        "--reset-policy",
        default="earliest",
        help="where to begin without a committed offset: earliest, latest or none (default %(default)s)",
    )
    parser.add_argument(
        "--assignment-strategy",
        default="org.apache.kafka.clients.consumer.RangeAssignor",
        metavar="CLASS",
        help="Java's name of the assignor; for group protocol classic only (default %(default)s)",
    )
    parser.add_argument("--bootstrap-server", "-b", required=True, metavar="HOST:PORT,...", help="brokers to connect to")
    parser.add_argument("--command-config", "--consumer.config", type=Path, metavar="FILE", help="client properties; flags override them")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0, 1 when it could not go on, 2 for wrong usage, or 128 + the signal that ended it.

    Raises ``BrokenPipeError`` when nobody reads the lines any more.
    """
    from holdwater.prove.errors import UsageError
    from holdwater.prove.verifiable.consumer import ConsumerOptions, VerifiableConsumer
    from holdwater.prove.verifiable.failures import ClientFailed
    from holdwater.prove.verifiable.lines import Lines, Stop, read_properties

    try:
        options = ConsumerOptions(
            topic=arguments.topic,
            bootstrap_server=arguments.bootstrap_server,
            group_id=arguments.group_id,
            group_protocol=arguments.group_protocol,
            group_remote_assignor=arguments.group_remote_assignor,
            group_instance_id=arguments.group_instance_id,
            max_messages=arguments.max_messages,
            session_timeout_ms=arguments.session_timeout,
            verbose=arguments.verbose,
            autocommit=arguments.enable_autocommit,
            reset_policy=arguments.reset_policy,
            assignment_strategy=arguments.assignment_strategy,
            properties=read_properties(arguments.command_config) if arguments.command_config else {},
        )
        return VerifiableConsumer(options, Lines()).run(Stop())
    except (UsageError, ClientFailed) as error:
        print(f"holdwater verifiable-consumer: {error}\nnext: {error.next_step}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
