"""FindCoordinator (key 10), versions 0 to 6: which broker is the coordinator of a group or a transactional id.

The first question makes the coordinators' topic. It, and one that would be sent to a broker that has just been lost, is answered when the
leader is known, or after a second (COORDINATOR_NOT_AVAILABLE, and clients ask again); Apache Kafka answers that at once. Left out: share
coordinators (KIP-932), which are refused.
"""

from typing import TYPE_CHECKING

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators.kinds import GROUPS, TRANSACTIONS, Kind
from holdwater.broker.coordinators.topics import HOLD_MS
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import FindCoordinatorRequest, FindCoordinatorResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_KINDS = {0: GROUPS, 1: TRANSACTIONS}
_MANY_VERSION = 4
HELD_KEYS_MAX = 100
"""A question with more keys is answered at once."""


def handle(broker: "Broker", call: Call, request: FindCoordinatorRequest) -> None:
    """Answer now, or when the leader of each key's partition is known."""
    kind = _KINDS.get(request.key_type)
    keys = request.coordinator_keys if call.version >= _MANY_VERSION else [request.key]
    if kind is None:
        _reply(call, [_refused(key, ErrorCode.INVALID_REQUEST) for key in keys])
        return
    deadline_ms = broker.mono_ms + HOLD_MS

    def answer() -> bool:
        if call.connection.closed:
            return True
        found: list[FindCoordinatorResponse.Coordinator] = []
        for key in keys:
            found.append(_find(broker, call, kind, key))
            if found[-1].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE and broker.mono_ms < deadline_ms:
                return False
        _reply(call, found)
        return True

    if broker.image.topic(kind.topic) is None:
        broker.coordinators.internal_topics.create(kind)
    if not answer() and (len(keys) > HELD_KEYS_MAX or not broker.coordinators.internal_topics.hold(answer)):
        _reply(call, [_find(broker, call, kind, key) for key in keys])


def _find(broker: "Broker", call: Call, kind: Kind, key: str) -> FindCoordinatorResponse.Coordinator:
    if kind is TRANSACTIONS and not key:
        return _refused(key, ErrorCode.INVALID_REQUEST)
    state = broker.coordinators.state_of(kind, key)
    endpoint = None if state is None or broker.suspects.is_suspect(state.leader) else broker.endpoint_for(state.leader, call.listener)
    if state is None or endpoint is None:
        return _refused(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    return FindCoordinatorResponse.Coordinator(key=key, node_id=state.leader, host=endpoint.host, port=endpoint.port)


def _refused(key: str, error_code: int) -> FindCoordinatorResponse.Coordinator:
    message = ErrorCode.describe(error_code)
    return FindCoordinatorResponse.Coordinator(key=key, node_id=-1, host="", port=-1, error_code=error_code, error_message=message)


def _reply(call: Call, found: list[FindCoordinatorResponse.Coordinator]) -> None:
    if call.version >= _MANY_VERSION:
        call.reply(FindCoordinatorResponse(coordinators=found))
        return
    one = found[0]
    call.reply(
        FindCoordinatorResponse(
            error_code=one.error_code, error_message=one.error_message or None, node_id=one.node_id, host=one.host, port=one.port
        )
    )


API = Api(FindCoordinatorRequest, FindCoordinatorResponse, handle, "Describe on Group or TransactionalId")
