"""AddPartitionsToTxn (key 24), versions 0 to 5: partitions that a transaction is about to write to (KIP-98).

From version 4 on brokers ask it for their producers, several transactions at once, and may only look (KIP-890, ``broker.verification``).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators.finding import caller_of, transaction_shard
from holdwater.core.coordinator import Caller
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import AddPartitionsToTxnRequest, AddPartitionsToTxnResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

MANY_VERSION = 4
_Transaction = AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction
_Result = AddPartitionsToTxnResponse.AddPartitionsToTxnResult
_Topic = AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult
_Partition = AddPartitionsToTxnResponse.AddPartitionsToTxnPartitionResult
Topics = list[AddPartitionsToTxnRequest.AddPartitionsToTxnTopic]
Results = list[AddPartitionsToTxnResponse.AddPartitionsToTxnTopicResult]


def handle(broker: "Broker", call: Call, request: AddPartitionsToTxnRequest) -> None:
    """See the module."""
    answer(broker, request, caller_of(call), call.reply)


def answer_here(
    broker: "Broker", request: AddPartitionsToTxnRequest, version: int, reply: Callable[[AddPartitionsToTxnResponse], None]
) -> None:
    """The same for a question of this broker to itself."""
    answer(broker, request, Caller(version), reply)


def answer(
    broker: "Broker", request: AddPartitionsToTxnRequest, caller: Caller, reply: Callable[[AddPartitionsToTxnResponse], None]
) -> None:
    """Ask the shard of each transaction, and put the answers together."""
    if caller.version < MANY_VERSION:
        _one(broker, request, caller, reply)
        return
    results: dict[str, AddPartitionsToTxnResponse.AddPartitionsToTxnResult] = {}
    asked = {each.transactional_id: each for each in request.transactions}

    def take(response: AddPartitionsToTxnResponse) -> None:
        for each in response.results_by_transaction:
            results[each.transactional_id] = each
        if len(results) == len(asked):
            reply(AddPartitionsToTxnResponse(results_by_transaction=[results[name] for name in asked]))

    if not asked:
        reply(AddPartitionsToTxnResponse(results_by_transaction=[]))
    for transaction in asked.values():
        found = transaction_shard(broker, transaction.transactional_id)
        if isinstance(found, int):
            refused = _Result(transactional_id=transaction.transactional_id, topic_results=refuse_all(transaction.topics, found))
            take(AddPartitionsToTxnResponse(results_by_transaction=[refused]))
            continue
        hosted, shard = found
        hosted.carry_out(shard.add_partitions(AddPartitionsToTxnRequest(transactions=[transaction]), caller, take))


def _one(broker: "Broker", request: AddPartitionsToTxnRequest, caller: Caller, reply: Callable[[AddPartitionsToTxnResponse], None]) -> None:
    """A client's own request. Partitions that there are not are refused, and then nothing is added."""
    topics = request.v3_and_below_topics
    image = broker.image
    missing = {
        (topic.name, index)
        for topic in topics
        for index in topic.partitions
        if (known := image.topic(topic.name)) is None or index not in known.partitions
    }
    if missing:
        results = [
            _Topic(
                name=topic.name,
                results_by_partition=[
                    _Partition(
                        partition_index=index,
                        partition_error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                        if (topic.name, index) in missing
                        else ErrorCode.OPERATION_NOT_ATTEMPTED,
                    )
                    for index in topic.partitions
                ],
            )
            for topic in topics
        ]
        reply(AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results))
        return
    found = transaction_shard(broker, request.v3_and_below_transactional_id)
    if isinstance(found, int):
        reply(AddPartitionsToTxnResponse(results_by_topic_v3_and_below=refuse_all(topics, found)))
        return
    hosted, shard = found
    hosted.carry_out(shard.add_partitions(request, caller, reply))


def refuse_all(topics: Topics, error_code: int) -> Results:
    """The same error for every partition."""
    return [
        _Topic(
            name=topic.name,
            results_by_partition=[_Partition(partition_index=index, partition_error_code=error_code) for index in topic.partitions],
        )
        for topic in topics
    ]


API = Api(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, handle, "Write on TransactionalId and Topic; ClusterAction on Cluster")
