"""Two independent Python codecs read what we write and write it again: kio (generated from Kafka's schemas) and kafka-python."""

import importlib
import io
import pkgutil
import re
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kio.serial import entity_reader, entity_writer
from tests.support.messages import MessageMaker, message_versions

from holdwater.wire.codec import encode

ALL = [(message_class, version) for message_class, version in message_versions() if message_class.KIND in ("request", "response", "header")]
ROUNDS = 4

KIO_LACKS = {
    f"{api}{kind} v{version}"
    for api, version in (
        ("ApiVersions", 5),
        ("DeleteGroups", 3),
        ("StreamsGroupDescribe", 1),
        ("StreamsGroupHeartbeat", 1),
        ("StreamsGroupTopologyDescriptionUpdate", 0),
        ("TxnOffsetCommit", 6),
        ("UnregisterController", 0),
    )
    for kind in ("Request", "Response")
}
"""Newer than kio 0.6.5, except UnregisterController. The golden vectors have them all."""

KAFKA_PYTHON_LACKS = """
    AddRaftVoter AllocateProducerIds AlterPartition AlterShareGroupOffsets ApiVersions AssignReplicasToDirs BeginQuorumEpoch BrokerHeartbeat
    BrokerRegistration ConsumerGroupDescribe ConsumerGroupHeartbeat ControllerRegistration CreateDelegationToken DeleteGroups
    DeleteShareGroupOffsets DeleteShareGroupState DescribeDelegationToken DescribeShareGroupOffsets EndQuorumEpoch Envelope
    ExpireDelegationToken FetchSnapshot GetTelemetrySubscriptions InitializeShareGroupState PushTelemetry ReadShareGroupState
    ReadShareGroupStateSummary RemoveRaftVoter RenewDelegationToken ShareAcknowledge ShareFetch ShareGroupDescribe
    ShareGroupHeartbeat StreamsGroupDescribe StreamsGroupHeartbeat StreamsGroupTopologyDescriptionUpdate TxnOffsetCommit UnregisterBroker
    UnregisterController UpdateRaftVoter Vote WriteShareGroupState
    """
"""APIs of which kafka-python 3.0.12 lacks some or all versions (it is a client: no quorum, no controller, no share groups)."""

Rewriter = Callable[[bytes], bytes]


def _api(message: str) -> str:
    return message.removesuffix("Request").removesuffix("Response")


def _kio(name: str, kind: str, version: int) -> Rewriter | None:
    """Reads and writes one message through kio; ``None`` when kio does not have it."""
    api = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", _api(name)).lower()
    if kind == "header":
        api = "request_header" if name == "RequestHeader" else "response_header"
    try:
        module = importlib.import_module(f"kio.schema.{api}.v{version}.{kind}")
    except ImportError:
        return None
    entity = getattr(module, name)
    read, write = entity_reader(entity), entity_writer(entity)

    def rewrite(raw: bytes) -> bytes:
        value, size = read(raw, 0)
        assert size == len(raw)
        out = io.BytesIO()
        write(out, value)
        return out.getvalue()

    return rewrite


@lru_cache(maxsize=1)
def _kafka_python_classes() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its schemas through a deprecated function
        package = importlib.import_module("kafka.protocol")
        for info in pkgutil.walk_packages(package.__path__, "kafka.protocol."):
            if ".old" in info.name or "generate" in info.name:
                continue
            for name, item in vars(importlib.import_module(info.name)).items():
                if isinstance(item, type) and name.endswith(("Request", "Response")) and hasattr(item, "decode"):
                    found.setdefault(name, item)
    return found


def _kafka_python(name: str, kind: str, version: int) -> Rewriter | None:
    """Reads and writes one message through kafka-python; ``None`` when it does not have it."""
    entity = _kafka_python_classes().get(name)
    if entity is None or not entity.min_version <= version <= entity.max_version:
        return None

    def rewrite(raw: bytes) -> bytes:
        value = entity.decode(raw, version=version)
        value._header = None  # its encode asks whether to write one
        return bytes(value.encode(version=version))

    return rewrite


def _compare(find: Callable[[str, str, int], Rewriter | None]) -> tuple[int, set[str], dict[str, str]]:
    """Versions compared, versions the oracle lacks, and what came back different."""
    maker = MessageMaker(17, modest=True, unknown_tags=False)
    compared, lacking, different = 0, set[str](), dict[str, str]()
    for message_class, version in ALL:
        name, where = message_class.__name__, f"{message_class.__name__} v{version}"
        rewrite = find(name, message_class.KIND, version)
        if rewrite is None:
            lacking.add(where)
            continue
        compared += 1
        for _ in range(ROUNDS):
            message = maker.message(message_class, version)
            if name == "ApiVersionsResponse":
                message.error_code = 0  # with an error set kafka-python reads version 0, as a broker answers versions it does not know
            raw = encode(message, version)
            try:
                again = rewrite(raw)
            except Exception as error:  # noqa: BLE001 - whatever an oracle raises is a disagreement
                different[where] = f"{error!r:.200}"
            else:
                if again != raw:
                    different[where] = f"{raw.hex()} became {again.hex()}"
    return compared, lacking, different


def test_kio_writes_the_same_bytes() -> None:
    compared, lacking, different = _compare(_kio)
    assert different == {}
    assert lacking <= KIO_LACKS  # a newer kio may have them
    assert compared == len(ALL) - len(lacking) >= 608


def test_kafka_python_writes_the_same_bytes() -> None:
    compared, lacking, different = _compare(_kafka_python)
    assert different == {}
    assert {_api(where.split()[0]) for where in lacking} <= {*KAFKA_PYTHON_LACKS.split(), "RequestHeader", "ResponseHeader"}
    assert compared == len(ALL) - len(lacking) >= 478
