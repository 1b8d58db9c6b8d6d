"""Group and transaction coordinators on this broker: which it is of, loading them, and carrying out what they decide."""

from holdwater.broker.coordinators.hosted import HostedShard
from holdwater.broker.coordinators.kinds import GROUPS, TRANSACTIONS, Kind
from holdwater.broker.coordinators.manager import Coordinators

__all__ = ["GROUPS", "TRANSACTIONS", "Coordinators", "HostedShard", "Kind"]
