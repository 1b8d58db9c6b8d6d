"""Whoever changes topics: a client that asks any broker, and asks again when it does not know what became of a request.

A request that was lost may have been carried out, or may be carried out later. Asking again tells: a topic that was created exists already,
one that was deleted is unknown.
"""

from collections.abc import Callable, Mapping
from typing import Any

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.client import REQUEST_TIMEOUT_US, Client
from holdwater.sim.workloads.history import History
from holdwater.wire.messages import (
    CreateTopicsRequest,
    CreateTopicsResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

RETRY_US = 200_000
TIMEOUT_MS = 10_000
_CREATE_VERSION = 7
_CONFIGS_VERSION = 1
_TOPIC_RESOURCE = 2
_SET, _DELETE = 0, 1
_ATTEMPTS_MAX = 4
TRANSIENT = frozenset({ErrorCode.REQUEST_TIMED_OUT, ErrorCode.NOT_CONTROLLER})
"""Errors of requests that may be carried out when they are asked again, or have been."""


class Admin(Client):
    """See the module. ``topic`` is the one whose metadata it asks for, if it does."""

    def __init__(self, cluster: SimCluster, name: str, topic: str, rng: Rng, history: History) -> None:
        super().__init__(cluster, name, topic, rng, history, metadata_max_age_us=0)
        self.cluster = cluster

    def ask(self, message: Any, version: int, response_class: Any, on_reply: Callable[[Any], None]) -> None:
        """Ask some broker; ``on_reply`` gets the response, or ``None``."""

        def answered(response: Any) -> None:
            if not self.stopped:
                on_reply(response)

        self.any_connection().request(message, version, response_class, REQUEST_TIMEOUT_US, answered)

    def note(self, api: str, error_code: int, *expected: int) -> None:
        """Count an error. Raises ``SafetyViolation`` for one that is neither among those expected nor may pass."""
        name = ErrorCode(error_code).name
        self.history.error(f"admin {name}")
        self.trace.line(self.name, f"{api}: {name}")
        if error_code not in expected and error_code not in TRANSIENT:
            raise SafetyViolation("protocol", f"{self.name}: {api} answered {name}")

    def create(
        self,
        name: str,
        partitions: int,
        replication: int,
        on_created: Callable[[bool], None],
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Create a topic, however often it must be asked. ``on_created`` learns whether an answer said that it was this request."""
        struct = CreateTopicsRequest.CreatableTopicConfig
        wanted = CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=replication,
            configs=[struct(name=key, value=text) for key, text in (texts or {}).items()],
        )

        def answered(response: CreateTopicsResponse | None) -> None:
            result = response.topics[0] if response is not None else None
            if result is None:
                self.history.error("no answer")
            elif result.error_code == 0:
                self.trace.line(self.name, f"created topic {name}")
                self.history.made(result.topic_id, name)
                self.history.admin_count += 1
                on_created(True)
                return
            else:
                self.note("CreateTopics", result.error_code, ErrorCode.TOPIC_ALREADY_EXISTS, ErrorCode.INVALID_REPLICATION_FACTOR)
                if result.error_code == ErrorCode.TOPIC_ALREADY_EXISTS:
                    on_created(False)
                    return
            self.scheduler.after(RETRY_US, ask)

        def ask() -> None:
            if not self.stopped:
                self.ask(CreateTopicsRequest(topics=[wanted], timeout_ms=TIMEOUT_MS), _CREATE_VERSION, CreateTopicsResponse, answered)

        ask()

    def alter(self, topic: str, key: str, text: str | None, on_done: Callable[[], None], attempt: int = 1) -> None:
        """Set a key of a topic, or take it back with ``None``. Given up after some attempts: ``on_done`` is called in any case."""

        def answered(response: IncrementalAlterConfigsResponse | None) -> None:
            code = response.responses[0].error_code if response is not None else -1
            if response is None:
                self.history.error("no answer")
            elif code:
                self.note("IncrementalAlterConfigs", code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            else:
                self.trace.line(self.name, f"{topic}: {key}={text}")
                self.history.admin_count += 1
                self.history.count("config-changed")
            if (response is None or code in TRANSIENT) and attempt < _ATTEMPTS_MAX:
                self.scheduler.after(RETRY_US, self.alter, topic, key, text, on_done, attempt + 1)
            else:
                on_done()

        change = IncrementalAlterConfigsRequest.AlterableConfig(name=key, config_operation=_DELETE if text is None else _SET, value=text)
        resource = IncrementalAlterConfigsRequest.AlterConfigsResource(resource_type=_TOPIC_RESOURCE, resource_name=topic, configs=[change])
        if not self.stopped:
            request = IncrementalAlterConfigsRequest(resources=[resource])
            self.ask(request, _CONFIGS_VERSION, IncrementalAlterConfigsResponse, answered)


class Activity(Admin):
    """Does something to topics about every ``interval_us``, one step after the other."""

    def __init__(self, cluster: SimCluster, name: str, topic: str, rng: Rng, history: History, interval_us: int) -> None:
        super().__init__(cluster, name, topic, rng, history)
        self.over = False
        self._interval_us = interval_us
        self._busy = False

    @property
    def is_resting(self) -> bool:
        """Whether no step is under way."""
        return not self._busy

    def start(self) -> None:
        """Begin."""
        self.scheduler.after(self.rng.uniform_ms(self._interval_us // 2, self._interval_us * 3 // 2), self._take_step)

    def rest(self) -> None:
        """Take no further step."""
        self.over = True

    def _take_step(self) -> None:
        if not self.stopped and not self.over:
            self._busy = True
            self.step()

    def step(self) -> None:
        """Do it, and call ``done`` in the end."""
        raise NotImplementedError

    def done(self) -> None:
        """The step is over."""
        self._busy = False
        self.start()
