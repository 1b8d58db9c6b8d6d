"""Records become images; contradictions stop the node; transactions are all or nothing."""

from typing import Any

import pytest

from holdwater.core.metadata.builder import ImageBuilder
from holdwater.core.metadata.image import CLUSTER_DEFAULT, EMPTY_IMAGE, MetadataImage
from holdwater.kernel.invariant import InvariantViolation
from holdwater.wire.codec.layout import message_layout, message_names
from holdwater.wire.messages import (
    AbortTransactionRecord,
    AccessControlEntryRecord,
    BeginTransactionRecord,
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ClientQuotaRecord,
    ConfigRecord,
    DelegationTokenRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    FenceBrokerRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RegisterControllerRecord,
    RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord,
    RemoveTopicRecord,
    RemoveUserScramCredentialRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
    UnregisterControllerRecord,
    UserScramCredentialRecord,
    VoteRequest,
    ZkMigrationStateRecord,
)

T = b"topic-id-16bytes"
ONE = b"directory-of-one"
TWO = b"directory-of-two"


def fold(*records: Any, onto: MetadataImage = EMPTY_IMAGE) -> MetadataImage:
    builder = ImageBuilder(onto)
    for offset, record in enumerate(records, onto.last_offset + 1):
        builder.apply(offset, record)
    return builder.build(3)[0]


def topic(name: str = "t", topic_id: bytes = T) -> TopicRecord:
    return TopicRecord(name=name, topic_id=topic_id)


def partition(number: int = 0, **fields: Any) -> PartitionRecord:
    plain = {"replicas": [1, 2], "isr": [1, 2], "leader": 1, "leader_epoch": 0, "partition_epoch": 0, "directories": [ONE, TWO]}
    return PartitionRecord(topic_id=T, partition_id=number, **(plain | fields))


def broker(broker_id: int = 1, broker_epoch: int = 10, **fields: Any) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(broker_id=broker_id, broker_epoch=broker_epoch, log_dirs=[ONE], **fields)


def test_an_image_knows_which_prefix_of_the_log_it_is() -> None:
    image = fold(NoOpRecord(), topic())
    assert (image.last_offset, image.last_epoch) == (1, 3)


def test_topics_by_name_and_by_id() -> None:
    image = fold(topic(), partition(0), partition(1, leader=2))
    found = image.topic("t")
    assert found is not None
    assert found is image.topics[T]
    assert found.partitions[1].leader == 2
    assert image.topic("u") is None
    assert image.partition(T, 2) is None


def test_a_removed_topic_takes_its_configuration_along() -> None:
    config = ConfigRecord(resource_type=2, resource_name="t", name="retention.ms", value="1")
    image = fold(topic(), partition(), config, RemoveTopicRecord(topic_id=T))
    assert image.content() == EMPTY_IMAGE.content()
    assert fold(topic(topic_id=b"another-id-16byt"), onto=image).topic_config("t") == {}


def test_a_configuration_without_keys_is_gone() -> None:
    def change(value: str | None) -> ConfigRecord:
        return ConfigRecord(resource_type=4, resource_name="", name="log.retention.ms", value=value)

    assert fold(change("1")).config(CLUSTER_DEFAULT) == {"log.retention.ms": "1"}
    assert fold(change("1"), change(None)).configs == {}
    assert fold(change(None)).configs == {}


@pytest.mark.parametrize(
    ("change", "fenced", "shutting_down"),
    [
        (BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=10, fenced=-1), False, False),
        (UnfenceBrokerRecord(id=1, epoch=10), False, False),
        (FenceBrokerRecord(id=1, epoch=10), True, False),
        (BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=10, in_controlled_shutdown=1), True, True),
    ],
)
def test_registration_changes(change: Any, fenced: bool, shutting_down: bool) -> None:
    found = fold(broker(), change).brokers[1]
    assert (found.fenced, found.in_controlled_shutdown, found.directories) == (fenced, shutting_down, (ONE,))


def test_directories_and_cordoned_directories_change_apart() -> None:
    image = fold(broker(), BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=10, cordoned_log_dirs=[ONE]))
    assert image.brokers[1].cordoned == (ONE,)
    assert not image.brokers[1].takes_new_replicas
    moved = fold(BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=10, log_dirs=[TWO]), onto=image)
    assert moved.brokers[1].directories == (TWO,)
    assert moved.brokers[1].cordoned == (ONE,)


def test_eligible_leader_replicas_are_cleared_by_topic_or_everywhere() -> None:
    image = fold(topic(), partition(0, isr=[1], eligible_leader_replicas=[2], last_known_elr=[2]), partition(1))
    assert fold(ClearElrRecord(topic_name="other"), onto=image).content() == image.content()
    for name in ("t", ""):
        cleared = fold(ClearElrRecord(topic_name=name), onto=image).topics[T].partitions
        assert (cleared[0].elr, cleared[0].last_known_elr, cleared[0].partition_epoch) == ((), (), 1)
        assert cleared[1].partition_epoch == 0


def test_what_is_only_kept() -> None:
    quota = ClientQuotaRecord.EntityData
    image = fold(
        AccessControlEntryRecord(id=b"a" * 16, resource_name="t"),
        UserScramCredentialRecord(name="alice", mechanism=1),
        DelegationTokenRecord(token_id="k"),
        ClientQuotaRecord(entity=[quota("user", "alice"), quota("client-id", None)], key="producer_byte_rate", value=1.5),
        ProducerIdsRecord(broker_id=1, broker_epoch=1, next_producer_id=1000),
        RegisterControllerRecord(controller_id=5),
        FeatureLevelRecord(name="group.version", feature_level=1),
        ZkMigrationStateRecord(zk_migration_state=0),
    )
    assert image.quotas == {(("client-id", None), ("user", "alice")): {"producer_byte_rate": 1.5}}
    assert fold(*[record for record, _ in image.to_records()]).content() == image.content()
    emptied = fold(
        RemoveAccessControlEntryRecord(id=b"a" * 16),
        RemoveUserScramCredentialRecord(name="alice", mechanism=1),
        RemoveDelegationTokenRecord(token_id="k"),
        ClientQuotaRecord(entity=[quota("user", "alice"), quota("client-id", None)], key="producer_byte_rate", remove=True),
        UnregisterControllerRecord(controller_id=5),
        FeatureLevelRecord(name="group.version", feature_level=0),
        onto=image,
    )
    assert [type(record).__name__ for record, _ in emptied.to_records()] == ["ProducerIdsRecord"]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([topic(), topic()], "there already"),
        ([topic(), topic("u")], "an id in use"),
        ([partition()], "which is not there"),
        ([topic(), PartitionChangeRecord(topic_id=T, partition_id=4)], "changes partition 4, which is not there"),
        ([topic(), partition(), PartitionChangeRecord(topic_id=T, partition_id=0, isr=[2])], "the leader must be in the ISR"),
        ([RemoveTopicRecord(topic_id=T)], "which is not there"),
        ([UnregisterBrokerRecord(broker_id=1, broker_epoch=1)], "about broker 1"),
        ([broker(), BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=9, fenced=1)], "broker epoch 9"),
        ([broker(), BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=10, fenced=2)], "must be -1, 0 or 1"),
        ([ProducerIdsRecord(next_producer_id=5), ProducerIdsRecord(next_producer_id=5)], "producer ids only rise"),
        ([EndTransactionRecord()], "never began"),
        ([AbortTransactionRecord()], "never began"),
        ([BeginTransactionRecord(), BeginTransactionRecord()], "inside another"),
        ([VoteRequest()], "VoteRequest is no record of the metadata log"),
    ],
)
def test_contradictions_stop_the_node(records: list[Any], why: str) -> None:
    with pytest.raises(InvariantViolation, match=why):
        fold(*records)


def test_every_metadata_record_of_the_protocol_is_known() -> None:
    tiered = "Remote"  # records of tiered storage's own topic are no part of the metadata log
    names = [name for name in message_names() if message_layout(name).kind == "metadata" and not name.startswith(tiered)]
    assert len(names) == 27
    assert sorted(kind.__name__ for kind in ImageBuilder._APPLY) == sorted(names)


def test_a_transaction_shows_nothing_until_it_ends() -> None:
    builder = ImageBuilder(EMPTY_IMAGE)
    builder.apply(0, BeginTransactionRecord(name="x"))
    builder.apply(1, topic())
    hidden, changes = builder.build(1)
    assert hidden is EMPTY_IMAGE
    assert changes.empty
    assert builder.topic("t") is not None, "the builder itself sees it"
    builder.apply(2, EndTransactionRecord())
    image, changes = builder.build(1)
    assert [created.name for created in changes.created_topics] == ["t"]
    assert image.topic("t") is not None


def test_an_aborted_transaction_never_was() -> None:
    before = fold(topic(), partition(), ProducerIdsRecord(next_producer_id=7))
    builder = ImageBuilder(before)
    builder.apply(3, BeginTransactionRecord())
    builder.apply(4, PartitionChangeRecord(topic_id=T, partition_id=0, isr=[1]))
    builder.apply(5, topic("u", b"another-id-16byt"))
    builder.apply(6, ProducerIdsRecord(next_producer_id=9))
    builder.apply(7, AbortTransactionRecord(reason="failover"))
    image, changes = builder.build(2)
    assert image.content() == before.content()
    assert changes.empty
    assert image.last_offset == 7


def test_an_image_that_was_handed_out_never_changes() -> None:
    builder = ImageBuilder(EMPTY_IMAGE)
    builder.apply(0, topic())
    builder.apply(1, partition())
    first, _ = builder.build(1)
    builder.apply(2, PartitionChangeRecord(topic_id=T, partition_id=0, isr=[1]))
    builder.apply(3, topic("u", b"another-id-16byt"))
    second, changes = builder.build(1)
    assert first.topics[T].partitions[0].isr == (1, 2)
    assert list(first.topic_ids) == ["t"]
    assert second.topics[T].partitions[0].isr == (1,)
    assert [(change.topic, change.partition) for change in changes.partitions] == [("t", 0)]
    assert second.configs is first.configs, "what did not change is shared"


def test_recreated_within_one_batch_is_deleted_and_created() -> None:
    before = fold(topic(), partition())
    builder = ImageBuilder(before)
    other = b"another-id-16byt"
    for offset, record in enumerate([RemoveTopicRecord(topic_id=T), topic("t", other)], 2):
        builder.apply(offset, record)
    _, changes = builder.build(1)
    assert [gone.topic_id for gone in changes.deleted_topics] == [T]
    assert [new.topic_id for new in changes.created_topics] == [other]
    assert [(change.topic_id, change.new) for change in changes.partitions] == [(T, None)]


def test_records_from_before_directories_had_ids() -> None:
    image = fold(topic(), partition(directories=[]))
    assert image.topics[T].partitions[0].directories == (bytes(16), bytes(16))
