"""ApiVersions (key 18), versions 0 to 5: what this listener serves, and the finalised features.

An unknown version is answered with version 0 and UNSUPPORTED_VERSION, so that any client can find common ground (KIP-511). Version 5 names the
cluster and node that the client believes it reached, both or neither; a wrong one is answered REBOOTSTRAP_REQUIRED (KIP-1242).
"""

import re
from struct import Struct
from typing import TYPE_CHECKING

from holdwater.broker.apis import BROKER, CONTROLLER, Api
from holdwater.broker.connection import Call
from holdwater.core.metadata.features import SUPPORTED_FEATURES
from holdwater.core.metadata.image import MetadataImage
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.codec import encode
from holdwater.wire.messages import ApiVersionsRequest, ApiVersionsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

PRODUCE_KEY = 0
ZERO_LEVEL_VERSION = 4
"""Clients that ask in an older version can't read a feature whose lowest level is 0 (KAFKA-17011)."""
_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?", re.ASCII)
_PREFIX = Struct(">ii")


def handle(broker: "Broker", call: Call, request: ApiVersionsRequest) -> None:
    """Answer at once."""
    if call.version >= 3:
        if _SOFTWARE.fullmatch(request.client_software_name) is None or _SOFTWARE.fullmatch(request.client_software_version) is None:
            call.reply(ApiVersionsResponse(error_code=ErrorCode.INVALID_REQUEST))
            return
        call.connection.client_software = (request.client_software_name, request.client_software_version)
    if call.version >= 5 and (request.cluster_id is not None or request.node_id != -1):
        error = _misrouted(broker, request)
        if error:
            call.reply(ApiVersionsResponse(error_code=error))
            return
    kind = CONTROLLER if broker.is_controller_listener(call.listener) else BROKER
    image = broker.image
    served = served_versions(kind)
    call.reply(
        ApiVersionsResponse(
            api_keys=[ApiVersionsResponse.ApiVersion(api_key=key, min_version=low, max_version=high) for key, low, high in served],
            supported_features=[
                ApiVersionsResponse.SupportedFeatureKey(name=name, min_version=low, max_version=high)
                for name, (low, high) in SUPPORTED_FEATURES.items()
                if low > 0 or call.version >= ZERO_LEVEL_VERSION
            ],
            finalized_features_epoch=image.last_offset,
            finalized_features=_finalized(image),
        )
    )


def refuse_version(call: Call) -> None:
    """Answer a version that nobody here knows: version 0, with what ApiVersions itself is served in."""
    low, high = API.versions
    response = ApiVersionsResponse(
        error_code=ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[ApiVersionsResponse.ApiVersion(api_key=API.key, min_version=low, max_version=high)],
    )
    body = encode(response, 0)
    call.connection.fill(call.slot, [_PREFIX.pack(len(body) + 4, call.correlation_id) + body])


def served_versions(kind: str) -> list[tuple[int, int, int]]:
    """API key, lowest and highest version of everything served on a kind of listener, by key."""
    from holdwater.broker.handlers.table import TABLE

    rows: list[tuple[int, int, int]] = []
    for key in sorted(TABLE):
        api = TABLE[key]
        if kind in api.listeners:
            low, high = api.versions
            rows.append((key, 0 if key == PRODUCE_KEY else low, high))  # librdkafka needs Produce from 0 (KAFKA-18659)
    return rows


def _misrouted(broker: "Broker", request: ApiVersionsRequest) -> int:
    if request.cluster_id is None or request.node_id == -1:
        return ErrorCode.INVALID_REQUEST
    right = request.cluster_id == broker.cluster_id and request.node_id == broker.node_id
    return ErrorCode.NONE if right else ErrorCode.REBOOTSTRAP_REQUIRED


def _finalized(image: MetadataImage) -> list[ApiVersionsResponse.FinalizedFeatureKey]:
    features = dict(image.features)
    if image.last_offset >= 0:
        features.setdefault("kraft.version", 1)
    return [
        ApiVersionsResponse.FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
        for name, level in sorted(features.items())
    ]


API = Api(ApiVersionsRequest, ApiVersionsResponse, handle, "nothing: it comes before authentication", (BROKER, CONTROLLER))
