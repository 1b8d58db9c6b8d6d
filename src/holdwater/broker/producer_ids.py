"""Producer ids for idempotent producers: this broker takes blocks of 1,000 from the controller and hands them out one by one (KIP-730)."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.wire.messages import AllocateProducerIdsRequest, AllocateProducerIdsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_RETRY_MS = 50
_WAITING_MAX = 10_000


class ProducerIds:
    """See the module. A block that was not used up when the broker stops is lost, which does no harm: ids are never reused [P8]."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._next = 0
        self._end = 0
        self._waiting: deque[Callable[[int], None]] = deque()
        self._under_way = False

    def take(self, on_id: Callable[[int], None]) -> bool:
        """Call ``on_id`` with a fresh producer id, now or when a block has come; false when too many wait already."""
        if self._next < self._end:
            producer_id = self._next
            self._next += 1
            on_id(producer_id)
            return True
        if len(self._waiting) >= _WAITING_MAX:
            return False
        self._waiting.append(on_id)
        self._ask()
        return True

    def _ask(self) -> None:
        if self._under_way or not self._waiting:
            return
        self._under_way = True
        request = AllocateProducerIdsRequest(broker_id=self._broker.node_id, broker_epoch=self._broker.lifecycle.broker_epoch)
        self._broker.controller.request(request, 0, AllocateProducerIdsResponse, self._answered)

    def _answered(self, response: AllocateProducerIdsResponse | None) -> None:
        self._under_way = False
        if response is None or response.error_code:
            self._broker.timers.at(self._broker.mono_ms + _RETRY_MS, self._ask)
            return
        self._next = response.producer_id_start
        self._end = response.producer_id_start + response.producer_id_len
        while self._waiting and self._next < self._end:
            producer_id = self._next
            self._next += 1
            self._waiting.popleft()(producer_id)
        self._ask()
