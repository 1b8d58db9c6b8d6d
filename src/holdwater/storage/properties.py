"""The small files that say whose a directory is: ``meta.properties``, ``partition.metadata``, ``.kafka_cleanshutdown``."""

import json
from typing import Any, NamedTuple

from holdwater.kernel.identifiers import uuid_from_text, uuid_to_text
from holdwater.kernel.ports import Disk
from holdwater.storage.checkpoints import DamagedFile
from holdwater.storage.names import CLEAN_SHUTDOWN_FILE, META_PROPERTIES_FILE, PARTITION_METADATA_FILE

_META_VERSION = 1
_PARTITION_METADATA_VERSION = 0
_CLEAN_SHUTDOWN_VERSION = 0


class MetaProperties(NamedTuple):
    """``meta.properties`` version 1: cluster, node and (KIP-858) directory that a log directory belongs to."""

    cluster_id: str
    node_id: int
    directory_id: bytes


def write_meta_properties(disk: Disk, directory: str, meta: MetaProperties) -> None:
    """Store it durably."""
    lines = (
        f"cluster.id={meta.cluster_id}\ndirectory.id={uuid_to_text(meta.directory_id)}\nnode.id={meta.node_id}\nversion={_META_VERSION}\n"
    )
    disk.replace_file(f"{directory}/{META_PROPERTIES_FILE}", f"#\n{lines}".encode(), durable=True)


def read_meta_properties(disk: Disk, directory: str) -> MetaProperties | None:
    """The stored ones, ``None`` when there is no file. Raises ``DamagedFile``."""
    path = f"{directory}/{META_PROPERTIES_FILE}"
    try:
        fields = _java_properties(disk.read_file(path).decode("utf-8", "replace"))
    except FileNotFoundError:
        return None
    try:
        if fields["version"] != str(_META_VERSION):
            raise DamagedFile(f"{path} has version {fields['version']}, only version {_META_VERSION} (KRaft) is supported")
        return MetaProperties(fields["cluster.id"], int(fields["node.id"]), uuid_from_text(fields["directory.id"]))
    except KeyError as error:
        raise DamagedFile(f"{path} has no {error.args[0]}: restore the file, or format the directory anew if its data may go") from error
    except ValueError as error:
        raise DamagedFile(f"{path}: {error}; restore the file, or format the directory anew if its data may go") from error


def _java_properties(text: str) -> dict[str, str]:
    """Keys and values of a Java properties file, as far as Kafka writes them (one line each, backslash before special characters)."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if line and line[0] not in "#!":
            key, _, value = line.partition("=")
            fields[key.strip()] = value.strip().replace("\\", "")
    return fields


def write_partition_metadata(disk: Disk, directory: str, topic_id: bytes) -> str:
    """Store the topic id beside its partition's log, unsynced; returns the file."""
    path = f"{directory}/{PARTITION_METADATA_FILE}"
    content = f"version: {_PARTITION_METADATA_VERSION}\ntopic_id: {uuid_to_text(topic_id)}"
    disk.replace_file(path, content.encode("ascii"), durable=False)
    return path


def read_partition_metadata(disk: Disk, directory: str) -> bytes | None:
    """The topic id, ``None`` when no file says (or one that a power loss left empty or cut)."""
    try:
        lines = disk.read_file(f"{directory}/{PARTITION_METADATA_FILE}").decode("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return None
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    if fields.get("version") != str(_PARTITION_METADATA_VERSION):
        return None
    try:
        return uuid_from_text(fields.get("topic_id", ""))
    except ValueError:
        return None


def write_clean_shutdown(disk: Disk, directory: str, broker_epoch: int) -> None:
    """Leave the mark of a clean stop, with the broker epoch of the session that ended (KIP-966). The last file of a stop, durable."""
    content = json.dumps({"version": _CLEAN_SHUTDOWN_VERSION, "brokerEpoch": broker_epoch}, separators=(",", ":"))
    disk.replace_file(f"{directory}/{CLEAN_SHUTDOWN_FILE}", content.encode("ascii"), durable=True)


def take_clean_shutdown(disk: Disk, directory: str) -> int | None:
    """Remove the mark durably and return its broker epoch (-1 when unreadable); ``None`` when there was none.

    It goes first of all, so that a crash from here on is not taken for a clean stop.
    """
    path = f"{directory}/{CLEAN_SHUTDOWN_FILE}"
    try:
        content = disk.read_file(path)
    except FileNotFoundError:
        return None
    disk.remove_file(path)
    disk.sync_directory(directory)
    try:
        fields: Any = json.loads(content)
        return int(fields["brokerEpoch"])
    except (ValueError, KeyError, TypeError):
        return -1
