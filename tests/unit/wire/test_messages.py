"""The message classes: names, defaults, equality, and what the schema says about them."""

import subprocess
import sys

import pytest

from holdwater.wire import messages
from holdwater.wire.codec.layout import NO_VERSION, attribute_name, message_layout
from holdwater.wire.messages import (
    ConsumerGroupMemberMetadataValue,
    EndTxnMarker,
    FetchRequest,
    FetchResponse,
    MetadataRequest,
    ProduceRequest,
    RegisterBrokerRecord,
    VoteRequest,
)


@pytest.mark.parametrize(
    ("kafka", "ours"),
    [
        ("TimeoutMs", "timeout_ms"),
        ("ISR", "isr"),
        ("clientId", "client_id"),
        ("KRaftVersion", "kraft_version"),
        ("V3AndBelowTopics", "v3_and_below_topics"),
        ("Enable2Pc", "enable2_pc"),
        ("From", "from_"),
        ("Class", "class_"),
    ],
)
def test_attribute_names(kafka: str, ours: str) -> None:
    assert attribute_name(kafka) == ours


def test_class_attributes_come_from_the_schema() -> None:
    assert (FetchRequest.API_KEY, FetchRequest.KIND, FetchRequest.MIN_VERSION, FetchRequest.MAX_VERSION) == (1, "request", 4, 18)
    assert (FetchRequest.FLEXIBLE_FROM, FetchRequest.LISTENERS) == (12, ("broker", "controller"))
    assert (EndTxnMarker.API_KEY, EndTxnMarker.KIND, EndTxnMarker.FLEXIBLE_FROM) == (-1, "data", NO_VERSION)
    assert RegisterBrokerRecord.KIND == "metadata"


def test_constructors_take_fields_by_position_and_by_name() -> None:
    data = ProduceRequest.PartitionProduceData(3, b"abc")
    topic = ProduceRequest.TopicProduceData(name="t", partition_data=[data])
    request = ProduceRequest(None, -1, 30_000, [topic])
    assert request.topic_data[0].partition_data[0].records == b"abc"
    assert request == ProduceRequest(acks=-1, timeout_ms=30_000, topic_data=[topic])
    with pytest.raises(TypeError):
        ProduceRequest(nonsense=1)  # pyright: ignore[reportCallIssue]
    with pytest.raises(AttributeError):
        request.nonsense = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_defaults_are_the_schemas_and_never_shared() -> None:
    assert FetchRequest().max_bytes == 0x7FFFFFFF
    assert RegisterBrokerRecord().fenced is True
    assert RegisterBrokerRecord().incarnation_id == bytes(16)
    assert MetadataRequest().topics == []
    assert RegisterBrokerRecord().cordoned_log_dirs is None
    first, second = VoteRequest(), VoteRequest()
    first.topics.append(VoteRequest.TopicData())
    assert second.topics == []


def test_a_tagged_struct_that_is_not_there_is_none() -> None:
    assert FetchResponse.PartitionData().diverging_epoch is None
    assert FetchRequest().replica_state is None


def test_a_nullable_tagged_struct_keeps_null_and_default_apart() -> None:
    assert ConsumerGroupMemberMetadataValue().classic_member_metadata == ConsumerGroupMemberMetadataValue.ClassicMemberMetadata()


def test_equality_is_by_class_and_value() -> None:
    assert VoteRequest.TopicData("a") == VoteRequest.TopicData("a")
    assert VoteRequest.TopicData("a") != VoteRequest.TopicData("b")
    assert VoteRequest.TopicData("a") != "a"
    assert FetchRequest.FetchTopic() != FetchRequest.ForgottenTopic()
    with pytest.raises(TypeError):
        hash(VoteRequest())


def test_repr_shows_values_and_hides_empty_tags() -> None:
    assert repr(EndTxnMarker(7)) == "EndTxnMarker(coordinator_epoch=7)"
    assert repr(VoteRequest.TopicData("a")) == "VoteRequest.TopicData(topic_name='a', partitions=[])"
    assert "unknown_tags={5: b'x'}" in repr(VoteRequest.TopicData("a", unknown_tags={5: b"x"}))


def test_a_name_that_kafka_does_not_have() -> None:
    with pytest.raises(AttributeError, match="Kafka has no such message"):
        _ = messages.NoSuchRequest  # pyright: ignore[reportAttributeAccessIssue]
    assert len(dir(messages)) == 278


def test_structs_do_not_hold_themselves() -> None:
    for name in dir(messages):
        structs = message_layout(name).structs
        for struct in structs:
            inside = {field.element for field in structs[struct] if field.is_struct}
            while inside:
                assert struct not in inside, (name, struct)
                inside = {field.element for inner in inside for field in structs[inner] if field.is_struct}


def test_importing_the_module_parses_nothing() -> None:
    program = (
        "import holdwater.wire.messages as m, sys\n"
        "assert not [n for n in sys.modules if n.startswith('holdwater.wire.schema.')], 'a table was loaded'\n"
        "m.HeartbeatRequest\n"
        "assert 'HeartbeatRequest' in vars(m) and 'HeartbeatResponse' not in vars(m)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
