"""Produce increasing integers to a topic, and print a JSON line for each send that was acknowledged or refused.

The flags and the lines are those of Kafka's org.apache.kafka.tools.VerifiableProducer; the client is librdkafka.
As in Kafka's, nothing is sent again: a message that fails is told as refused, and may have been written all the same.

Exit codes: 0 --max-messages were sent; 2 usage, or no broker answers; 128 + the signal that ended it.
"""

import argparse
import sys
from pathlib import Path

from holdwater.cli.numbers import number, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Kafka's flags."""
    parser.add_argument("--topic", required=True, metavar="TOPIC", help="produce messages to this topic")
    parser.add_argument("--max-messages", type=whole, default=-1, help="how many; -1 goes on until it is stopped (default %(default)s)")
    parser.add_argument(
        "--throughput",
        type=number,
        default=-1,
        help="messages per second, approximately; -1 is as fast as it goes, 0 stands still until it is stopped (default %(default)s)",
    )
    parser.add_argument("--acks", type=whole, default=-1, choices=(-1, 0, 1), help="acks of each message (default %(default)s)")
    parser.add_argument(
        "--message-create-time",
        type=whole,
        default=-1,
        metavar="MS",
        help="creation time of the first message, in ms since the epoch (default: now)",
    )
    parser.add_argument("--value-prefix", type=whole, metavar="N", help="put this and a dot before each value")
    parser.add_argument("--repeating-keys", type=whole, metavar="N", help="keys 0, 1, ... N-1, and again from 0 (default: no key)")
    parser.add_argument("--bootstrap-server", "-b", required=True, metavar="HOST:PORT,...", help="brokers to connect to")
    parser.add_argument("--command-config", "--producer.config", type=Path, metavar="FILE", help="client properties; flags override them")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0, 2 for wrong usage, or 128 + the signal that ended it. Raises ``BrokenPipeError`` when nobody reads the lines any more."""
    from holdwater.prove.errors import UsageError
    from holdwater.prove.verifiable.lines import Lines, Stop, read_properties
    from holdwater.prove.verifiable.producer import ProducerOptions, VerifiableProducer

    try:
        if arguments.repeating_keys is not None and arguments.repeating_keys < 1:
            raise UsageError("--repeating-keys must be 1 or more", "leave it out for messages without a key")
        options = ProducerOptions(
            topic=arguments.topic,
            bootstrap_server=arguments.bootstrap_server,
            max_messages=arguments.max_messages,
            throughput=arguments.throughput,
            acks=arguments.acks,
            create_time_ms=arguments.message_create_time,
            value_prefix=arguments.value_prefix,
            repeating_keys=arguments.repeating_keys,
            properties=read_properties(arguments.command_config) if arguments.command_config else {},
        )
        return VerifiableProducer(options, Lines()).run(Stop())
    except UsageError as error:
        print(f"holdwater verifiable-producer: {error}\nnext: {error.next_step}", file=sys.stderr)
        return 2
