"""InitProducerId (key 22), versions 0 to 6: a producer id for an idempotent producer (KIP-98, KIP-360).

A transactional id needs a transaction coordinator, of which there is none yet: COORDINATOR_NOT_AVAILABLE.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import InitProducerIdRequest, InitProducerIdResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker


def handle(broker: "Broker", call: Call, request: InitProducerIdRequest) -> None:
    """Give out a fresh producer id with epoch 0, whatever id the producer had: that is how Kafka bumps an idempotent producer's epoch."""
    if (request.producer_id == -1) != (request.producer_epoch == -1):
        call.reply(InitProducerIdResponse(error_code=ErrorCode.INVALID_REQUEST, producer_id=-1, producer_epoch=-1))
        return
    if request.transactional_id is not None:
        error = ErrorCode.COORDINATOR_NOT_AVAILABLE if request.transactional_id else ErrorCode.INVALID_REQUEST
        call.reply(InitProducerIdResponse(error_code=error, producer_id=-1, producer_epoch=-1))
        return

    def on_id(producer_id: int) -> None:
        call.reply(InitProducerIdResponse(producer_id=producer_id, producer_epoch=0))

    if not broker.producer_ids.take(on_id):
        call.reply(InitProducerIdResponse(error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, producer_id=-1, producer_epoch=-1))


API = Api(InitProducerIdRequest, InitProducerIdResponse, handle, "IdempotentWrite on Cluster, or Write on any Topic")
