"""InitProducerId (key 22), versions 0 to 5: a producer id, and for a transactional producer its epoch (KIP-98, KIP-360, KIP-890)."""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators.finding import caller_of, transaction_shard
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import InitProducerIdRequest, InitProducerIdResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker


def handle(broker: "Broker", call: Call, request: InitProducerIdRequest) -> None:
    """Without a transactional id: a fresh producer id with epoch 0, whatever id the producer had. That is how Kafka bumps such a producer's epoch."""
    if (request.producer_id == -1) != (request.producer_epoch == -1) or request.transactional_id == "":
        call.reply(_refused(ErrorCode.INVALID_REQUEST))
        return
    if request.transactional_id is not None:
        found = transaction_shard(broker, request.transactional_id)
        if isinstance(found, int):
            call.reply(_refused(found))
            return
        hosted, shard = found
        hosted.carry_out(shard.init_producer_id(request, caller_of(call), call.reply))
        return

    def on_id(producer_id: int) -> None:
        call.reply(InitProducerIdResponse(producer_id=producer_id, producer_epoch=0))

    if not broker.producer_ids.take(on_id):
        call.reply(_refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))


def _refused(error_code: int) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=error_code, producer_id=-1, producer_epoch=-1)


API = Api(
    InitProducerIdRequest, InitProducerIdResponse, handle, "Write on TransactionalId; IdempotentWrite on Cluster, or Write on any Topic"
)
