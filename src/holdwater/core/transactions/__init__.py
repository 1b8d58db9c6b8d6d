"""The transaction coordinator: transactional ids, their producer ids and epochs, and how a transaction ends."""

from holdwater.core.transactions.ports import Marker, TransactionPorts
from holdwater.core.transactions.shard import TransactionShard
from holdwater.core.transactions.transaction import ProducerClaim, Status, Transaction

__all__ = ["Marker", "ProducerClaim", "Status", "Transaction", "TransactionPorts", "TransactionShard"]
