"""Import Kafka's message layouts: jars in, our own compact tables and a type stub out.

    python -m tools.import_messages DIRECTORY_WITH_KAFKA_JARS

Reads the JSON message definitions that Apache Kafka's published jars carry (kafka-clients, kafka-metadata, kafka-raft, kafka-storage and
the coordinators') and writes ``src/holdwater/wire/schema/*.py`` and ``src/holdwater/wire/messages.pyi``. Only facts are taken (names, types,
versions, tags, defaults), never the sentences beside them. The grammar of a table is in ``holdwater/wire/schema/__init__.py``.
"""

import hashlib
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

from tools.message_stub import render_stub

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "src" / "holdwater" / "wire" / "schema"
STUB = ROOT / "src" / "holdwater" / "wire" / "messages.pyi"

Definition = dict[str, Any]

_INTEGERS = {"int8", "int16", "uint16", "int32", "uint32", "int64"}
_JAR = re.compile(r"kafka-[a-z-]+-(\d[^/]*)\.jar")

TITLES = {
    "rpc": "Requests, responses and their headers",
    "metadata": "Records of the metadata log (__cluster_metadata)",
    "group": "Records of the group coordinator (__consumer_offsets)",
    "transaction": "Records of the transaction coordinator (__transaction_state)",
    "share": "Records of the share coordinator (__share_group_state)",
    "remote": "Records of the remote log metadata topic (__remote_log_metadata)",
    "data": "Control records, embedded client data, small files",
}


def read_definitions(jars: Path) -> dict[str, dict[str, Definition]]:
    """All live definitions of the jars in a directory, by table and message name. Raises ``ValueError`` when a jar is missing or odd."""
    tables: dict[str, dict[str, Definition]] = {table: {} for table in TITLES}
    seen: dict[str, str] = {}
    for jar in sorted(jars.glob("kafka-*.jar")):
        for definition in _definitions_in(jar):
            if "fields" not in definition:
                continue  # an API that Kafka removed: only its number is kept, no version is valid
            name = definition["name"]
            if name in seen:
                raise ValueError(f"{name} is defined in {seen[name]} and in {jar.name}")
            seen[name] = jar.name
            tables[_table_of(definition, jar.name)][name] = definition
    missing = [table for table, messages in tables.items() if not messages]
    if missing:
        raise ValueError(f"{jars}: no message definitions for {', '.join(missing)}; are all seven jars there?")
    return tables


def _definitions_in(jar: Path) -> list[Definition]:
    with zipfile.ZipFile(jar) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".json"))
        return [_parse(archive.read(name).decode()) for name in names]


def _parse(text: str) -> Definition:
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def _table_of(definition: Definition, jar: str) -> str:
    kind = definition["type"]
    if kind in ("request", "response", "header"):
        return "rpc"
    if kind == "metadata":
        return "metadata" if jar.startswith("kafka-metadata") else "remote"
    if kind.startswith("coordinator"):
        return jar.removeprefix("kafka-").split("-")[0]
    return "data"


def release_of(jars: Path) -> str:
    """The Kafka release of the kafka-clients jar in the directory."""
    for jar in sorted(jars.glob("kafka-clients-*.jar")):
        match = _JAR.fullmatch(jar.name)
        if match:
            return match[1]
    raise ValueError(f"{jars}: no kafka-clients jar")


def render_table(table: str, messages: dict[str, Definition], release: str) -> str:
    """The Python module that holds one table."""
    names = sorted(messages, key=lambda name: _order(messages[name]))
    return render_module(table, "\n\n".join("\n".join(_message_lines(messages[name])) for name in names), release)


def render_module(table: str, entries: str, release: str) -> str:
    """A table's module from its entries; the checksum tells a table that somebody edited from one that the importer wrote."""
    checksum = hashlib.sha256(entries.encode()).hexdigest()[:16]
    head = f"{TITLES[table]}.\n\nFacts of Apache Kafka {release}, written by tools/import_messages.py. Checksum {checksum}.\n"
    return f'"""{head}"""\n\nTABLE = """\\\n{entries}\n"""\n'


def _order(definition: Definition) -> tuple[int, int, str]:
    key = definition.get("apiKey", -1)
    return (definition["type"] == "header", key, definition["name"])


def _message_lines(definition: Definition) -> list[str]:
    key = definition.get("apiKey")
    head = [
        definition["name"],
        definition["type"],
        "-" if key is None else str(key),
        definition["validVersions"],
        definition.get("flexibleVersions", "none"),
    ]
    if definition.get("listeners"):
        head.append(",".join(definition["listeners"]))
    if definition.get("latestVersionUnstable"):
        head.append("unstable")
    lines = [" ".join(head)]
    for struct in definition.get("commonStructs", []):
        lines.append(f" +{struct['name']} {struct['versions']}")
        lines += _field_lines(struct["fields"], 2)
    return lines + _field_lines(definition["fields"], 1)


def _field_lines(fields: list[Definition], depth: int) -> list[str]:
    lines: list[str] = []
    for field in fields:
        lines.append(" " * depth + _field_line(field))
        lines += _field_lines(field.get("fields", []), depth + 1)
    return lines


def _field_line(field: Definition) -> str:
    tagged = field.get("taggedVersions", "none")
    words = [field["name"], field["type"], field.get("versions", tagged)]
    if field.get("nullableVersions", "none") != "none":
        words.append("?" + field["nullableVersions"])
    if tagged != "none":
        words.append(f"#{field['tag']}:{tagged}")
    default = _default(field)
    if default is not None:
        words.append("=" + default)
    if field.get("ignorable"):
        words.append("~")
    if field.get("mapKey"):
        words.append("*")
    if "entityType" in field:
        words.append("@" + field["entityType"])
    if "flexibleVersions" in field:
        if field["flexibleVersions"] != "none":
            raise ValueError(f"{field['name']}: flexibleVersions {field['flexibleVersions']} on a field is not understood")
        words.append("!")
    return " ".join(words)


def _default(field: Definition) -> str | None:
    """The default in one spelling; ``None`` when it is the zero of the type. A JSON ``null`` means "none given", only ``"null"`` is null."""
    value = field.get("default")
    if value is None or value == "":
        return None
    text, kind = str(value).lower(), field["type"]
    if text == "null":
        return "null"
    if kind in _INTEGERS:
        number = int(text, 0)
        return str(number) if number else None
    if kind == "bool" and text in ("true", "false"):
        return "true" if text == "true" else None
    raise ValueError(f"{field['name']}: default {value!r} of type {kind} is not understood")


def render_all(jars: Path) -> dict[Path, str]:
    """Every generated file with its text, from a directory of jars."""
    release = release_of(jars)
    tables = read_definitions(jars)
    files = {SCHEMA / f"{table}.py": render_table(table, messages, release) for table, messages in tables.items()}
    files[STUB] = render_stub([text for _, text in sorted(files.items())])
    return files


def render_again() -> dict[Path, str]:
    """Every generated file as it must be if the committed tables hold what the importer wrote; needs no jars."""
    files: dict[Path, str] = {}
    for table in TITLES:
        path = SCHEMA / f"{table}.py"
        head, _, body = path.read_text().partition('TABLE = """\\\n')
        release = re.search(r"Apache Kafka (\S+),", head)
        files[path] = render_module(table, body.removesuffix('\n"""\n'), release[1] if release else "?")
    files[STUB] = render_stub([text for _, text in sorted(files.items())])
    return files


def main(arguments: list[str]) -> int:
    """Write the generated files; 2 on wrong usage."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    for path, text in render_all(Path(arguments[0])).items():
        path.write_text(text)
        print(f"{path.relative_to(ROOT)}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
