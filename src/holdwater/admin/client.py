"""librdkafka's AdminClient, which by itself waits in silence for brokers that are not there, and names nobody when one does not answer."""

import json
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from holdwater.admin.errors import PASSING, UNANSWERED, AdminError

REQUEST_S = 15.0
_GRACE_S = 5.0
"""librdkafka ends a request by its own clock; only a fault in it lasts longer than this."""
_PAUSE_S = 0.2
"""Between two requests to a coordinator that is not ready."""
_POLL_S = 0.05
_STATISTICS_MS = 200
_ALL_DOWN: int = KafkaError._ALL_BROKERS_DOWN  # pyright: ignore[reportPrivateUsage]
_CREDENTIALS: int = KafkaError._AUTHENTICATION  # pyright: ignore[reportPrivateUsage]
_Name = TypeVar("_Name")
_Result = TypeVar("_Result")


class Client:
    """``client`` sends the requests; this waits for their answers. Raises ``AdminError`` when no broker answers, at once if that can be known."""

    def __init__(self, config: dict[str, Any]) -> None:
        """``config``: librdkafka's, ``bootstrap.servers`` at least."""
        self._address = str(config.get("bootstrap.servers", ""))
        self._brokers: list[dict[str, Any]] = []
        self._trouble: KafkaError | None = None
        self._all_down = False
        settings: Any = {
            "client.id": "holdwater",
            **config,
            "logger": _Silent(),
            "error_cb": self._failed,
            "stats_cb": self._counted,
            "statistics.interval.ms": _STATISTICS_MS,
        }
        try:
            self.client = AdminClient(settings)
        except KafkaException as error:
            raise AdminError(f"librdkafka refuses a setting: {error.args[0].str()}", "correct it in -X or --command-config") from error

    def ask(self, doing: str, send: Callable[[float], Future[_Result]], next_step: str = "") -> _Result:
        """The answer to one request; ``send`` is given the seconds that it may take. Asks again while the coordinator is not ready."""
        answer = self.ask_each([doing], lambda _, limit_s: {doing: send(limit_s)})[doing]
        if isinstance(answer, KafkaError):
            raise AdminError.of(doing, answer, next_step)
        return answer

    def ask_each(
        self, names: Sequence[_Name], send: Callable[[list[_Name], float], Mapping[_Name, Future[_Result]]]
    ) -> dict[_Name, _Result | KafkaError]:
        """What comes of each name: its answer or the error. Names whose coordinator is not ready are asked for again until the time is over."""
        deadline = time.monotonic() + REQUEST_S
        found: dict[_Name, _Result | KafkaError] = {}
        waiting = list(names)
        while waiting:
            sent = send(waiting, max(1.0, deadline - time.monotonic()))
            self._settle(sent.values())
            found |= {name: _outcome(sent[name]) for name in waiting}
            again = [name for name in waiting if _code(found[name]) in PASSING]
            waiting = again if time.monotonic() + _PAUSE_S < deadline else []
            if waiting:
                time.sleep(_PAUSE_S)
        if not self.answered() and any(_code(outcome) in UNANSWERED for outcome in found.values()):
            raise self.nobody()
        return found

    def nobody(self) -> AdminError:
        """That no broker answers, and why if librdkafka says it; it gives up a connection some seconds before the request's own limit."""
        why = "" if self._trouble is None else f": {_plain(self._trouble.str())}"
        refused = self._trouble is not None and self._trouble.code() == _CREDENTIALS
        next_step = "check the credentials in -X or --command-config" if refused else "check --bootstrap-server"
        return AdminError(f"no broker answers at {self._address}{why}", next_step)

    def silent(self) -> list[str]:
        """The brokers of the cluster that are not connected, or owe an answer: ``ID (HOST:PORT)``."""
        known = [each for each in self._brokers if each["nodeid"] >= 0]
        owing = [each for each in known if each["state"] != "UP" or each["waitresp_cnt"] or each["outbuf_cnt"]]
        return [f"{each['nodeid']} ({each['nodename']})" for each in sorted(owing, key=lambda each: each["nodeid"])]

    def _settle(self, answers: Collection[Future[Any]]) -> None:
        """Wait for all of them; librdkafka limits each request."""
        deadline = time.monotonic() + REQUEST_S + _GRACE_S
        while wait_for(answers, _POLL_S).not_done:
            self.client.poll(0)
            if self._all_down and not self.answered():
                raise self.nobody()
            if time.monotonic() > deadline:
                raise AdminError(f"no answer from {self._address} within {REQUEST_S:g} s", "check that every broker is up, then try again")
        self.client.poll(0)

    def answered(self) -> bool:
        """Whether a broker has ever answered."""
        return any(each["rx"] for each in self._brokers)

    def _failed(self, error: KafkaError) -> None:
        if error.code() == _ALL_DOWN:
            self._all_down = True
        else:
            self._trouble = error

    def _counted(self, statistics: str) -> None:
        self._brokers = list(json.loads(statistics)["brokers"].values())


class _Silent:
    """Swallows librdkafka's log lines: errors come back as errors."""

    def log(self, *args: Any, **kwargs: Any) -> None:
        """See the class."""


def _outcome(answer: "Future[_Result]") -> _Result | KafkaError:
    try:
        return answer.result()
    except KafkaException as error:
        return error.args[0]


def _code(outcome: Any) -> int | None:
    return outcome.code() if isinstance(outcome, KafkaError) else None


def _plain(reason: str) -> str:
    """librdkafka's reason for a lost connection, without its name for the broker before it and its state after it."""
    return re.sub(r" \(after \d+ms in state .*\)$", "", re.sub(r"^\S+/\S+: ", "", reason))
