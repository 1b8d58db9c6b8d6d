"""The transaction coordinator for one partition of __transaction_state.

Handlers decide and return; what they decide becomes the state when it is committed. Invariants (checked, see ``transaction.check_step``):

- P3: the producer epoch of a producer id never falls, and one id gives way to the next only when its epochs are used up.
- P4: a transaction has one outcome; with a bumping producer, one for each producer epoch.
- P5: an outcome is that of the transaction that was open, with all of its partitions; nothing is added to it afterwards.
- P8: a producer id that is taken was not in use.
- The markers of an outcome are sent when the outcome is committed, and the id begins nothing new before they are written.
"""

from collections.abc import Callable

from holdwater.core.coordinator import Caller, Decision, ShardHost
from holdwater.core.transactions.adding import Adding
from holdwater.core.transactions.completion import Completion
from holdwater.core.transactions.describing import Describing
from holdwater.core.transactions.ending import Ending
from holdwater.core.transactions.initialising import Initialising
from holdwater.core.transactions.ledger import Ledger
from holdwater.core.transactions.numbering import Numbering
from holdwater.core.transactions.ports import TransactionPorts
from holdwater.core.transactions.sweeping import Sweeping
from holdwater.core.transactions.transaction import PREPARED, Transaction
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.codec.classes import Message
from holdwater.wire.messages import (
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    DescribeTransactionsResponse,
    EndTxnRequest,
    EndTxnResponse,
    InitProducerIdRequest,
    InitProducerIdResponse,
    ListTransactionsRequest,
    ListTransactionsResponse,
    TransactionLogKey,
    TransactionLogValue,
)


class TransactionShard:
    """See the module. Serves requests between ``loaded`` and ``unloaded``."""

    def __init__(self, host: ShardHost, ports: TransactionPorts) -> None:
        self._completion = Completion(host, ports)
        self._ledger = Ledger(host, ports.transaction_version, lambda entry: self._completion.begin(self._ledger, entry))
        numbering = Numbering(self._ledger, ports)
        ending = Ending(host, self._ledger, numbering, ports.transaction_version)
        self._ending = ending
        self._initialising = Initialising(host, self._ledger, numbering, ending)
        self._adding = Adding(host, self._ledger, ports)
        self._describing = Describing(host, self._ledger)
        self._sweeping = Sweeping(host, self._ledger, ending)

    # Requests

    def init_producer_id(self, request: InitProducerIdRequest, caller: Caller, reply: Callable[[InitProducerIdResponse], None]) -> Decision:
        """InitProducerId."""
        return self._initialising.decide(request, caller, reply)

    def add_partitions(
        self, request: AddPartitionsToTxnRequest, caller: Caller, reply: Callable[[AddPartitionsToTxnResponse], None]
    ) -> Decision:
        """AddPartitionsToTxn; of a batched one, the transactions of this shard."""
        return self._adding.partitions(request, caller, reply)

    def add_offsets(self, request: AddOffsetsToTxnRequest, caller: Caller, reply: Callable[[AddOffsetsToTxnResponse], None]) -> Decision:
        """AddOffsetsToTxn."""
        return self._adding.offsets(request, caller, reply)

    def end(self, request: EndTxnRequest, caller: Caller, reply: Callable[[EndTxnResponse], None]) -> Decision:
        """EndTxn."""
        return self._ending.decide(request, caller, reply)

    def describe(self, transactional_ids: list[str], reply: Callable[[DescribeTransactionsResponse], None]) -> Decision:
        """DescribeTransactions, for ids of this shard."""
        return self._describing.describe(transactional_ids, reply)

    def list(self, request: ListTransactionsRequest, reply: Callable[[ListTransactionsResponse], None]) -> Decision:
        """ListTransactions, as far as this shard knows; the broker joins the answers of its shards."""
        return self._describing.list(request, reply)

    def committed_state(self) -> dict[str, Transaction]:
        """Every transactional id with its committed state."""
        entries = self._ledger.entries.values()
        return {entry.transactional_id: entry.current for entry in entries if entry.current is not None}

    # Shard

    def replay(self, offset: int, key: Message, value: Message | None, producer_id: int, producer_epoch: int) -> None:
        """Take in one record."""
        if isinstance(key, TransactionLogKey):
            self._ledger.replay(key.transactional_id, value if isinstance(value, TransactionLogValue) else None)

    def end_transaction(self, producer_id: int, producer_epoch: int, committed: bool) -> None:
        """Nothing: the coordinator's own log has no transactions."""

    def loaded(self) -> None:
        """Begin to serve, take up what is under way, and have its markers sent once it is sure to last."""
        self._ledger.loaded()
        under_way = [entry for entry in self._ledger.entries.values() if entry.current is not None and entry.current.status in PREPARED]
        held = [self._completion.hold(self._ledger, entry) for entry in under_way]

        def send() -> None:
            for change in held:
                self._completion.send(self._ledger, change)

        self._ledger.confirm(send)
        self._sweeping.start()

    def unloaded(self, error_code: int) -> None:
        """Serve no more, and forget everything."""
        self._ledger.unload(ErrorCode(error_code))

    def topics_changed(self) -> None:
        """Nothing: it is the broker that finds out that the partition of a marker is gone."""
