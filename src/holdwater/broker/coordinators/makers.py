"""What makes the shard of each kind of coordinator."""

from typing import TYPE_CHECKING

from holdwater.broker.coordinators.hosted import HostedShard
from holdwater.broker.coordinators.kinds import GROUPS, TRANSACTIONS
from holdwater.broker.coordinators.manager import Coordinators
from holdwater.broker.coordinators.markers import BrokerPorts
from holdwater.core.groups import GroupShard
from holdwater.core.transactions import TransactionShard

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker


def make_coordinators(broker: "Broker") -> Coordinators:
    """The coordinators of a broker."""

    def transactions(hosted: HostedShard) -> TransactionShard:
        return TransactionShard(hosted, BrokerPorts(broker, hosted))

    return Coordinators(broker, {GROUPS: GroupShard, TRANSACTIONS: transactions})
