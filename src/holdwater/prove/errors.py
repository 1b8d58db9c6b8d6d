"""What ends a run early. Every error says what to do next."""


class UsageError(Exception):
    """The command line or the target cannot be used as asked (exit code 2)."""

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.next_step = next_step


class RunFailed(Exception):  # noqa: N818 - named for what happened
    """The run cannot go on, so it has no verdict (exit code 3). What was recorded so far is kept."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what)
        self.next_step = next_step
