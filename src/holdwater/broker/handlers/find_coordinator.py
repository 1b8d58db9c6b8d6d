"""FindCoordinator (key 10), versions 0 to 6.

There are no group or transaction coordinators yet: the answer is COORDINATOR_NOT_AVAILABLE, which clients with assigned partitions live with
(they can't commit offsets), and groups and transactions wait for until their own timeout. docs/compatibility.md says so.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import FindCoordinatorRequest, FindCoordinatorResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_MESSAGE = "This cluster has no group or transaction coordinators."


def handle(broker: "Broker", call: Call, request: FindCoordinatorRequest) -> None:
    """Answer at once: there is none."""
    error = ErrorCode.COORDINATOR_NOT_AVAILABLE
    if call.version < 4:
        call.reply(FindCoordinatorResponse(error_code=error, error_message=_MESSAGE, node_id=-1, host="", port=-1))
        return
    found = [
        FindCoordinatorResponse.Coordinator(key=key, node_id=-1, host="", port=-1, error_code=error, error_message=_MESSAGE)
        for key in request.coordinator_keys
    ]
    call.reply(FindCoordinatorResponse(coordinators=found))


API = Api(FindCoordinatorRequest, FindCoordinatorResponse, handle, "Describe on Group or TransactionalId")
