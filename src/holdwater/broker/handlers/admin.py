"""Admin requests that the active controller answers, taken by any broker: CreateTopics (19), DeleteTopics (20), CreatePartitions (37),
ElectLeaders (43), AlterConfigs (33), IncrementalAlterConfigs (44), UpdateFeatures (57), UnregisterBroker (64), UnregisterController (94),
DescribeQuorum (55).

A broker that is not the active controller wraps the request into an Envelope (58, KIP-590) and hands back what comes out of it. When there is no
active controller, or it loses its place, the request is tried again until the client's patience, ``request.timeout.ms`` by default, is used up.
Administration is idempotent in outcome: a request that was carried out, and whose answer was lost, is answered ``already exists`` and the like.
"""

from typing import TYPE_CHECKING, Any

from holdwater.broker.apis import BROKER, CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.broker.controller_requests import local_handler
from holdwater.broker.handlers.refusals import refusal
from holdwater.broker.older_versions import as_of_version
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.codec import EncodeError, ProtocolError, encode
from holdwater.wire.codec.frames import response_header_version
from holdwater.wire.messages import (
    AlterConfigsRequest,
    AlterConfigsResponse,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreateTopicsRequest,
    CreateTopicsResponse,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    ElectLeadersRequest,
    ElectLeadersResponse,
    EnvelopeRequest,
    EnvelopeResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
    UnregisterControllerRequest,
    UnregisterControllerResponse,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

PATIENCE_MS = 30_000
_RETRY_MS = 50


def forward(broker: "Broker", call: Call, request: Any) -> None:
    """Have the active controller answer."""
    Forwarded(broker, call, request).attempt()


class Forwarded:
    """One request on its way to the active controller."""

    __slots__ = ("_broker", "_call", "_deadline_ms", "_request")

    def __init__(self, broker: "Broker", call: Call, request: Any) -> None:
        self._broker = broker
        self._call = call
        self._request = request
        self._deadline_ms = broker.mono_ms + min(getattr(request, "timeout_ms", PATIENCE_MS) or PATIENCE_MS, PATIENCE_MS)

    def attempt(self) -> None:
        """Ask whoever is the active controller now."""
        broker = self._broker
        if self._call.connection.closed:
            return
        if broker.controller_host.is_active:
            answer_here(broker, self._request, self._call.version, self._answered)
        elif broker.is_controller_listener(self._call.listener):
            self._call.reply(refusal(self._request, self._call.version, ErrorCode.NOT_CONTROLLER))
        elif broker.controller.leader_id == broker.node_id:
            self._again()  # elected, and not active before everything committed earlier is applied
        else:
            envelope = EnvelopeRequest(request_data=self._call.frame, request_principal=None, client_host_address=b"\x7f\0\0\1")
            # A slow controller is waited for: asking again would find the work done, and be answered "already exists".
            patience_ms = max(self._deadline_ms - broker.mono_ms, 1000)
            broker.controller.request(envelope, 0, EnvelopeResponse, self._unwrap, patience_ms)

    def _answered(self, response: Any) -> None:
        if response is None:
            self._again()
        else:
            self._call.reply(response)

    def _unwrap(self, envelope: EnvelopeResponse | None) -> None:
        if envelope is None or envelope.error_code or envelope.response_data is None:
            self._again()
            return
        header = 5 if response_header_version(self._call.api_key, self._call.version) else 4
        self._call.reply_bytes(envelope.response_data[header:])

    def _again(self) -> None:
        broker = self._broker
        if broker.mono_ms >= self._deadline_ms:
            self._call.reply(refusal(self._request, self._call.version, ErrorCode.REQUEST_TIMED_OUT))
        else:
            broker.timers.at(broker.mono_ms + _RETRY_MS, self.attempt)


def answer_here(broker: "Broker", request: Any, version: int, reply: Any) -> None:
    """Answer an admin request on the active controller; ``reply`` gets ``None`` when it is not the active controller any more."""
    if isinstance(request, DescribeQuorumRequest):
        reply(as_of_version(broker.metadata.quorum.handle_describe_quorum(request, broker.mono_ms, broker.wall_ms), version))
        return
    broker.controller_host.submit(local_handler(request, version, broker.mono_ms), reply)


def envelope(broker: "Broker", call: Call, request: EnvelopeRequest) -> None:
    """A request that another broker took: answer it in its own version, and wrap the answer."""
    try:
        header, api, inner = broker.parse_forwarded(request.request_data)
    except ProtocolError as problem:
        broker.note(f"an envelope from {call.connection.address} can't be opened: {problem}")
        call.reply(EnvelopeResponse(error_code=ErrorCode.INVALID_REQUEST))
        return
    if api.handle is not forward:
        call.reply(EnvelopeResponse(error_code=ErrorCode.INVALID_REQUEST))
        return

    def reply(response: Any) -> None:
        if response is None:
            call.reply(EnvelopeResponse(error_code=ErrorCode.NOT_CONTROLLER))
            return
        tags = b"\0" if response_header_version(header.request_api_key, header.request_api_version) else b""
        try:
            body = encode(response, header.request_api_version)
        except EncodeError as problem:  # as ``Call.reply``: our mistake, and no client may stop a controller with it
            broker.note(f"the answer to an envelope from {call.connection.address} can't be encoded: {problem}")
            call.connection.close()
            return
        call.reply(EnvelopeResponse(response_data=header.correlation_id.to_bytes(4, "big", signed=True) + tags + body))

    if broker.controller_host.is_active:
        answer_here(broker, inner, header.request_api_version, reply)
    else:
        reply(None)


_BOTH = (BROKER, CONTROLLER)
CREATE_TOPICS = Api(CreateTopicsRequest, CreateTopicsResponse, forward, "Create on Cluster or Topic", _BOTH, forwarded=True)
DELETE_TOPICS = Api(DeleteTopicsRequest, DeleteTopicsResponse, forward, "Delete on Topic", _BOTH, forwarded=True)
CREATE_PARTITIONS = Api(CreatePartitionsRequest, CreatePartitionsResponse, forward, "Alter on Topic", _BOTH, forwarded=True)
ELECT_LEADERS = Api(ElectLeadersRequest, ElectLeadersResponse, forward, "Alter on Cluster", _BOTH, forwarded=True)
ALTER_CONFIGS = Api(AlterConfigsRequest, AlterConfigsResponse, forward, "AlterConfigs on Cluster or Topic", _BOTH, forwarded=True)
INCREMENTAL_ALTER_CONFIGS = Api(
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, forward, "AlterConfigs on Cluster or Topic", _BOTH, forwarded=True
)
UPDATE_FEATURES = Api(UpdateFeaturesRequest, UpdateFeaturesResponse, forward, "Alter on Cluster", _BOTH, forwarded=True)
UNREGISTER_BROKER = Api(UnregisterBrokerRequest, UnregisterBrokerResponse, forward, "Alter on Cluster", _BOTH, forwarded=True)
UNREGISTER_CONTROLLER = Api(UnregisterControllerRequest, UnregisterControllerResponse, forward, "Alter on Cluster", _BOTH, forwarded=True)
DESCRIBE_QUORUM = Api(DescribeQuorumRequest, DescribeQuorumResponse, forward, "Describe on Cluster", _BOTH, forwarded=True)
ENVELOPE = Api(EnvelopeRequest, EnvelopeResponse, envelope, "ClusterAction on Cluster", (CONTROLLER,))
