"""Kafka's messages as classes: ``from holdwater.wire.messages import FetchRequest``.

A class is built from its schema entry when it is first asked for, so that importing this module costs nothing. ``messages.pyi`` lists every
class and field for readers and type checkers.
"""

from holdwater.wire.codec.classes import Message, build_message_class
from holdwater.wire.codec.layout import message_names


def __getattr__(name: str) -> type[Message]:
    try:
        built = build_message_class(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: Kafka has no such message") from None
    return globals().setdefault(name, built)


def __dir__() -> list[str]:
    return message_names()
