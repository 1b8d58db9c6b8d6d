"""Blocks of producer ids, handed to brokers once and never again (KIP-730; P8: a producer id is never reused)."""

from holdwater.core.metadata.context import ControllerContext
from holdwater.core.metadata.result import Result
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import AllocateProducerIdsRequest, AllocateProducerIdsResponse, ProducerIdsRecord

BLOCK_SIZE = 1000


def allocate_producer_ids(context: ControllerContext, request: AllocateProducerIdsRequest) -> Result[AllocateProducerIdsResponse]:
    """AllocateProducerIds: the next thousand."""
    refused = context.check_broker_epoch(request.broker_id, request.broker_epoch)
    if refused is not None:
        return context.result([], AllocateProducerIdsResponse(error_code=refused.error))
    start = context.state.metadata.next_producer_id
    if start > 2**63 - 1 - BLOCK_SIZE:
        return context.result([], AllocateProducerIdsResponse(error_code=ErrorCode.UNKNOWN_SERVER_ERROR))
    record = ProducerIdsRecord(broker_id=request.broker_id, broker_epoch=request.broker_epoch, next_producer_id=start + BLOCK_SIZE)
    return context.result([record], AllocateProducerIdsResponse(producer_id_start=start, producer_id_len=BLOCK_SIZE))
