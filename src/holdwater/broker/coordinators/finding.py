"""How handlers reach the shard of a group or of a transactional id."""

from typing import TYPE_CHECKING

from holdwater.broker.connection import Call
from holdwater.broker.coordinators.hosted import HostedShard
from holdwater.broker.coordinators.kinds import GROUPS, TRANSACTIONS
from holdwater.core.coordinator import Caller
from holdwater.core.groups import GroupShard
from holdwater.core.transactions import TransactionShard
from holdwater.kernel.errors import ErrorCode

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker


def caller_of(call: Call) -> Caller:
    """Who asks. The host that members are shown with goes without the port, as in Kafka."""
    host = call.connection.address.rpartition(":")[0]
    return Caller(call.version, call.client_id or "", f"/{host}", call.connection.id)


def consumer_protocol_is_on(broker: "Broker") -> bool:
    """Whether the cluster's features have the consumer group protocol (KIP-848).

    To be asked only where the shard is here: a broker that has just begun knows no features yet.
    """
    return broker.image.features.get("group.version", 0) >= 1


def group_shard(broker: "Broker", group_id: str) -> tuple[HostedShard, GroupShard] | ErrorCode:
    """The shard of a group, or why it can't be asked here."""
    found = broker.coordinators.find(GROUPS, group_id)
    return found if isinstance(found, ErrorCode) else as_groups(found)


def as_groups(hosted: HostedShard) -> tuple[HostedShard, GroupShard]:
    """A shard of groups with its host."""
    shard = hosted.shard
    assert isinstance(shard, GroupShard)
    return hosted, shard


def transaction_shard(broker: "Broker", transactional_id: str) -> tuple[HostedShard, TransactionShard] | ErrorCode:
    """The shard of a transactional id, or why it can't be asked here."""
    found = broker.coordinators.find(TRANSACTIONS, transactional_id)
    return found if isinstance(found, ErrorCode) else as_transactions(found)


def as_transactions(hosted: HostedShard) -> tuple[HostedShard, TransactionShard]:
    """A shard of transactions with its host."""
    shard = hosted.shard
    assert isinstance(shard, TransactionShard)
    return hosted, shard
