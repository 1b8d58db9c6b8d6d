"""One small synchronous requester: connect, learn the versions, send one request, read one response.

For what librdkafka's Python binding does not offer: raw Fetch, what each single broker says of a topic, DescribeQuorum, OffsetForLeaderEpoch,
a broker's own configuration. One request at a time per connection, every wait with a limit, every frame with a bound. No retries, no
metadata cache, no background thread: the caller decides. Plain TCP only.
"""

from holdwater.rpc.connection import Connection
from holdwater.rpc.errors import BrokerError, ConnectionFailed, RequestTimedOut, RpcError, UnsupportedRequest

__all__ = ["BrokerError", "Connection", "ConnectionFailed", "RequestTimedOut", "RpcError", "UnsupportedRequest"]
