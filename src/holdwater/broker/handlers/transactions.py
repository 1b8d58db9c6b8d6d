"""Transactions: AddOffsetsToTxn (25), EndTxn (26), DescribeTransactions (65), ListTransactions (66).

The coordinator decides (``core.transactions``).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators import TRANSACTIONS
from holdwater.broker.coordinators.finding import as_transactions, caller_of, transaction_shard
from holdwater.broker.coordinators.hosted import ACTIVE
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    EndTxnRequest,
    EndTxnResponse,
    ListTransactionsRequest,
    ListTransactionsResponse,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_State = DescribeTransactionsResponse.TransactionState


def add_offsets(broker: "Broker", call: Call, request: AddOffsetsToTxnRequest) -> None:
    """AddOffsetsToTxn, versions 0 to 4."""
    found = transaction_shard(broker, request.transactional_id)
    if isinstance(found, int):
        call.reply(AddOffsetsToTxnResponse(error_code=found))
        return
    hosted, shard = found
    hosted.carry_out(shard.add_offsets(request, caller_of(call), call.reply))


def end(broker: "Broker", call: Call, request: EndTxnRequest) -> None:
    """EndTxn, versions 0 to 5."""
    found = transaction_shard(broker, request.transactional_id)
    if isinstance(found, int):
        call.reply(EndTxnResponse(error_code=found))
        return
    hosted, shard = found
    hosted.carry_out(shard.end(request, caller_of(call), call.reply))


def describe(broker: "Broker", call: Call, request: DescribeTransactionsRequest) -> None:
    """DescribeTransactions, version 0 (KIP-664)."""
    names = list(dict.fromkeys(request.transactional_ids))
    found: dict[str, DescribeTransactionsResponse.TransactionState] = {}

    def take(states: Sequence[DescribeTransactionsResponse.TransactionState]) -> None:
        for state in states:
            found[state.transactional_id] = state
        if len(found) == len(names):
            call.reply(DescribeTransactionsResponse(transaction_states=[found[name] for name in names]))

    if not names:
        call.reply(DescribeTransactionsResponse(transaction_states=[]))
    for name in names:
        shard_or_code = transaction_shard(broker, name)
        if isinstance(shard_or_code, int):
            take([_State(error_code=shard_or_code, transactional_id=name, producer_id=-1, producer_epoch=-1, topics=[])])
            continue
        hosted, shard = shard_or_code
        hosted.carry_out(shard.describe([name], lambda response: take(response.transaction_states)))


def list_transactions(broker: "Broker", call: Call, request: ListTransactionsRequest) -> None:
    """ListTransactions, versions 0 to 2 (KIP-664, KIP-994, KIP-1152): those that this broker coordinates."""
    shards = broker.coordinators.all(TRANSACTIONS)
    if any(hosted.state != ACTIVE for hosted in shards):
        call.reply(ListTransactionsResponse(error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, transaction_states=[]))
        return
    listed: dict[int, ListTransactionsResponse] = {}

    def take(index: int) -> Callable[[ListTransactionsResponse], None]:
        def of_shard(response: ListTransactionsResponse) -> None:
            listed[index] = response
            if len(listed) == len(shards):
                call.reply(_together([listed[hosted.index] for hosted in shards]))

        return of_shard

    if not shards:
        call.reply(ListTransactionsResponse(transaction_states=[]))
    for hosted in shards:
        _, shard = as_transactions(hosted)
        hosted.carry_out(shard.list(request, take(hosted.index)))


def _together(responses: list[ListTransactionsResponse]) -> ListTransactionsResponse:
    failed = next((each for each in responses if each.error_code), None)
    if failed is not None:
        return failed
    return ListTransactionsResponse(
        unknown_state_filters=responses[0].unknown_state_filters,
        transaction_states=[state for each in responses for state in each.transaction_states],
    )


ADD_OFFSETS = Api(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, add_offsets, "Write on TransactionalId; Read on Group")
END = Api(EndTxnRequest, EndTxnResponse, end, "Write on TransactionalId")
DESCRIBE = Api(DescribeTransactionsRequest, DescribeTransactionsResponse, describe, "Describe on TransactionalId")
LIST = Api(ListTransactionsRequest, ListTransactionsResponse, list_transactions, "Describe on TransactionalId")
