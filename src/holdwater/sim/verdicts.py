"""The ways in which a run fails: what is raised tells safety from liveness; anything else that is raised is a crash."""


class SafetyViolation(Exception):  # noqa: N818 - the name of one of the three ways in which a run fails
    """Something that must never happen did. ``code`` is the invariant's in docs/invariants.md."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


class LivenessViolation(Exception):  # noqa: N818 - the name of one of the three ways in which a run fails
    """Nothing is wrong, but what must happen did not within its bound of virtual time."""
