"""How a client asks a coordinator: it finds it first, and again whenever it is gone, has moved or does not answer."""

from collections.abc import Callable
from typing import Any

from holdwater.broker.coordinators.kinds import partition_for
from holdwater.core.metadata.image import MetadataImage
from holdwater.kernel.errors import ErrorCode
from holdwater.sim.coordination.plan import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from holdwater.sim.workloads.client import Client
from holdwater.wire.messages import FindCoordinatorRequest, FindCoordinatorResponse

GROUP, TRANSACTION = 0, 1
_TOPICS = (OFFSETS_TOPIC, TRANSACTIONS_TOPIC)
ASK_TIMEOUT_US = 4_000_000
_FIND_TIMEOUT_US = 3_000_000
_FIND_VERSION = 6
_RETRY_US = 100_000

GONE = frozenset({ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE})
"""The coordinator is to be found again."""
LATER = frozenset({ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.CONCURRENT_TRANSACTIONS, *GONE})
"""The same request is to be sent again."""

OnReply = Callable[[Any], None]


class Coordinator:
    """The coordinator of one group or transactional id, as one client knows it."""

    def __init__(self, client: Client, key_type: int, key: str) -> None:
        self._client = client
        self._key_type = key_type
        self._key = key
        self._address: tuple[str, int] | None = None
        self.answered_by = -1
        """Which broker has just answered, while ``on_reply`` is called."""
        self._node_id = -1
        self._finding = False
        self._waiting: list[Callable[[], None]] = []

    def ask(self, message: Any, version: int, response_class: Any, on_reply: OnReply, timeout_us: int = ASK_TIMEOUT_US) -> None:
        """Send a request once the coordinator is known; ``on_reply`` gets the response, or ``None``."""
        client = self._client
        if client.stopped:
            return
        connection = client.connection_to(self._address) if self._address is not None else None
        if connection is None or connection.is_resting:
            self._waiting.append(lambda: self.ask(message, version, response_class, on_reply, timeout_us))
            self._find()
            return

        node_id = self._node_id

        def answered(response: Any) -> None:
            self.answered_by = node_id
            if response is None:
                self.forget()
            if not client.stopped:
                on_reply(response)

        connection.request(message, version, response_class, timeout_us, answered)

    def is_in_office(self, newest: MetadataImage) -> bool:
        """Whether the broker that has just answered is the coordinator by the newest committed metadata, and not one that was replaced.

        One that was replaced, and does not know it, answers from what it remembers; it can commit nothing.
        """
        topic = newest.topic(_TOPICS[self._key_type])
        state = topic.partitions.get(partition_for(self._key, len(topic.partitions))) if topic is not None else None
        return state is not None and state.leader == self.answered_by

    def forget(self) -> None:
        """It may be another one by now."""
        self._address = None

    def _find(self) -> None:
        if self._finding or self._client.stopped:
            return
        self._finding = True
        request = FindCoordinatorRequest(key_type=self._key_type, coordinator_keys=[self._key])
        self._client.any_connection().request(request, _FIND_VERSION, FindCoordinatorResponse, _FIND_TIMEOUT_US, self._found)

    def _found(self, response: FindCoordinatorResponse | None) -> None:
        self._finding = False
        client = self._client
        if client.stopped:
            return
        found = response.coordinators[0] if response is not None else None
        if found is None or found.error_code:
            if found is not None:
                client.history.error(f"find {ErrorCode(found.error_code).name}")
            client.scheduler.after(_RETRY_US, self._find)
            return
        self._address, self._node_id = (found.host, found.port), found.node_id
        if client.connection_to(self._address).is_resting:
            client.scheduler.after(_RETRY_US, self._find)
            return
        waiting, self._waiting = self._waiting, []
        for ask in waiting:
            ask()
