"""What ``prove`` needs of a cluster. Adapters match it by shape; ``cli`` chooses one. Nothing here knows how a broker is started."""

from collections.abc import Mapping
from typing import Protocol

START, KILL, TERMINATE, PAUSE, RESUME = "start", "kill", "terminate", "pause", "resume"


class Target(Protocol):
    """A cluster under test. Broker ids are Kafka's node ids.

    ``kill`` ends a broker's process without warning (SIGKILL), ``terminate`` asks it to stop (SIGTERM), ``pause`` freezes it (SIGSTOP).
    Each returns when the signal was sent or the command has ended, not when the cluster has noticed; they raise ``RunFailed`` with the
    reason when the fault could not be made. Whether it acted is found out by ``prove`` itself, by looking at the broker's port.
    """

    @property
    def kind(self) -> str:
        """``holdwater`` for our own brokers, else ``kafka``: which failover rules apply."""
        ...

    @property
    def owned(self) -> bool:
        """Whether the cluster was started for this run, and goes with it."""
        ...

    def bootstrap(self) -> str:
        """``host:port,host:port`` for clients."""
        ...

    def abilities(self) -> frozenset[str]:
        """Which of ``start kill terminate pause resume`` can be done to a broker."""
        ...

    def start(self, broker: int) -> None:
        """Start a broker that was killed or terminated, on its old data."""
        ...

    def kill(self, broker: int) -> None:
        """SIGKILL."""
        ...

    def terminate(self, broker: int) -> None:
        """SIGTERM."""
        ...

    def pause(self, broker: int) -> None:
        """SIGSTOP."""
        ...

    def resume(self, broker: int) -> None:
        """SIGCONT."""
        ...

    def ended_by_themselves(self) -> Mapping[int, str]:
        """Brokers whose process is known to have ended without us, with how. Empty where the target cannot tell."""
        ...

    def logs(self) -> Mapping[str, str]:
        """Names and paths of broker logs to keep with the evidence; empty where they are not ours."""
        ...

    def describe(self) -> dict[str, object]:
        """For the report: where it is and how it is handled. No secrets."""
        ...

    def close(self) -> None:
        """Undo what the run did: stop what it started, resume what it paused. Never raises."""
        ...
