"""Evidence that is not what a run left. It has no verdict: what is gone could have shown anything."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from holdwater.prove.errors import RunFailed

_NAMED = 5


class EvidenceDamaged(RunFailed):
    """Something of the evidence is missing, torn or altered (exit code 3). Each problem names its file."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        super().__init__(
            f"evidence is incomplete or altered: {'; '.join(problems[:_NAMED])}{more}",
            "judge an untouched copy of the folder, or run the scenario again",
        )


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Content of another shape than a run writes is damage of the evidence, no error of ours. Raises ``EvidenceDamaged``."""
    try:
        yield
    except OSError as error:
        raise EvidenceDamaged([f"{name} cannot be read: {error.strerror}"]) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise EvidenceDamaged([f"{name} does not hold what a run writes ({type(error).__name__}: {error})"]) from error
