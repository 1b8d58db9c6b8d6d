"""Kafka's message layouts as compact text, one entry per message with every version in it.

Each module of this package holds one ``TABLE``; ``tools/import_messages.py`` writes them from the JSON definitions in Apache Kafka's jars
(see NOTICE). Nothing here is edited by hand, nothing is parsed before a message is used.

Grammar. Entries are separated by an empty line. The first line of an entry is::

    Name kind key versions flexible-versions [listeners] [unstable]

``kind`` is Kafka's (request, response, header, data, metadata, coordinator-key, coordinator-value), ``key`` the API or record key or ``-``,
``unstable`` says that the last version is not served unless asked for. Further lines are fields, one per line, the depth of their struct
shown by leading spaces; a line ``+Name versions`` opens a struct that several fields share. A field is::

    Name type versions [?nullable-versions] [#tag:tagged-versions] [=default] [~] [*] [@entity] [!]

``[]T`` is an array of ``T``, a type in capitals a struct. No ``=`` means the zero of the type. ``~`` ignorable: dropped, not refused, when
a version lacks the field. ``*`` part of the key when Kafka reads the array as a map. ``@`` what the value names (topicName, brokerId ...).
``!`` never in the compact form, also in flexible versions. Versions are ``3``, ``2-5``, ``4+`` or ``none``.
"""

from importlib import import_module

TABLES = ("rpc", "metadata", "group", "transaction", "share", "remote", "data")


def entries(table: str) -> list[str]:
    """The entries of one table, unparsed."""
    text: str = import_module(f"{__name__}.{table}").TABLE
    return text.rstrip("\n").split("\n\n")
