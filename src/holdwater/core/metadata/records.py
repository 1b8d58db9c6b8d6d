"""The records of the metadata log, and the versions that metadata.version 4.4-IV2 writes."""

from typing import Final, NamedTuple, TypeAlias

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
    ZkMigrationStateRecord,
)

MetadataRecord: TypeAlias = (
    AbortTransactionRecord
    | AccessControlEntryRecord
    | BeginTransactionRecord
    | BrokerRegistrationChangeRecord
    | ClearElrRecord
    | ClientQuotaRecord
    | ConfigRecord
    | DelegationTokenRecord
    | EndTransactionRecord
    | FeatureLevelRecord
    | FenceBrokerRecord
    | NoOpRecord
    | PartitionChangeRecord
    | PartitionRecord
    | ProducerIdsRecord
    | RegisterBrokerRecord
    | RegisterControllerRecord
    | RemoveAccessControlEntryRecord
    | RemoveDelegationTokenRecord
    | RemoveTopicRecord
    | RemoveUserScramCredentialRecord
    | TopicRecord
    | UnfenceBrokerRecord
    | UnregisterBrokerRecord
    | UnregisterControllerRecord
    | UserScramCredentialRecord
    | ZkMigrationStateRecord
)

METADATA_VERSION: Final = "metadata.version"
KRAFT_VERSION: Final = "kraft.version"
ELR_VERSION: Final = "eligible.leader.replicas.version"
GROUP_VERSION: Final = "group.version"
SHARE_VERSION: Final = "share.version"
STREAMS_VERSION: Final = "streams.version"
TRANSACTION_VERSION: Final = "transaction.version"

LATEST_METADATA_VERSION: Final = 33
"""Feature level of 4.4-IV2, the latest production metadata.version of Apache Kafka 4.4."""

MAX_RECORDS_PER_BATCH: Final = 10_000
MAX_RECORDS_PER_REQUEST: Final = 10_000
"""Kafka's limits: one batch of the metadata log, and the records that one request may cause."""

_VERSIONS: Final[dict[type, int]] = {
    BrokerRegistrationChangeRecord: 3,
    PartitionChangeRecord: 2,
    PartitionRecord: 2,
    RegisterBrokerRecord: 4,
}
"""Record versions above 0; every other record is written at version 0."""


class Versioned(NamedTuple):
    """A record to append, and the version to write it at."""

    message: MetadataRecord
    version: int


def versioned(message: MetadataRecord) -> Versioned:
    """The record at the version that this metadata.version writes.

    A registration change is written at the lowest version that holds it, as Kafka does, so that a log reads the same.
    """
    if isinstance(message, BrokerRegistrationChangeRecord):
        if message.cordoned_log_dirs is not None:
            return Versioned(message, 3)
        if message.log_dirs:
            return Versioned(message, 2)
        return Versioned(message, 1 if message.in_controlled_shutdown else 0)
    return Versioned(message, _VERSIONS.get(type(message), 0))
