"""What the runner tells while it goes. The runner knows only ``Progress``; ``cli`` chooses how it is shown."""

from typing import Protocol


class Progress(Protocol):
    """Receives what happens, in order. Called from the runner's main thread only."""

    def phase(self, text: str) -> None:
        """A new part of the run begins."""
        ...

    def note(self, text: str) -> None:
        """Something happened that a reader wants to know."""
        ...

    def figures(self, seconds: float, sent: int, acknowledged: int, read: int, partitions: str) -> None:
        """How far the clients are; several times a second."""
        ...


class Silent:
    """Shows nothing."""

    def phase(self, text: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def figures(self, seconds: float, sent: int, acknowledged: int, read: int, partitions: str) -> None:
        """Nothing."""
