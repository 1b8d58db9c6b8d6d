"""The evidence folder of a run: everything the verdict rests on, with a checksum for each file.

run.json         what was run: arguments, versions, seed, settings, scenario, plan
timeline.jsonl   what happened, with monotonic times
samples.jsonl    what each broker said of leaders, ISR, ELR and high watermarks
history/         column files of sends, answers, reads and of the final log
final.json       where each log began and ended, where the consumers stood, how many rows the clients wrote
logs/            output of the workload processes, and of the brokers where they are ours
verdict.json     the report; report.txt and report.html the same to read
SHA256SUMS       of all of the above
"""

import errno
import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from holdwater.prove.errors import UsageError
from holdwater.prove.history.load import FINAL, HISTORY, SAMPLES, TIMELINE, sample_row
from holdwater.prove.history.model import Sample

RUN = "run.json"
VERDICT = "verdict.json"
SUMS = "SHA256SUMS"
REPORT_TEXT, REPORT_PAGE = "report.txt", "report.html"
LOGS = "logs"
SCHEMA = 1
_SECRET_WORDS = ("password", "secret", "sasl.jaas", "ssl.key", "token")


def without_secrets(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the values of everything that sounds like a secret replaced."""
    return {key: "(hidden)" if any(word in key.lower() for word in _SECRET_WORDS) else value for key, value in settings.items()}


def is_of_a_run(folder: Path, path: Path) -> bool:
    """Whether a run that writes its evidence to ``folder`` keeps something under this path itself, or needs it for a folder."""
    whole = {(folder / name).resolve() for name in (RUN, TIMELINE, SAMPLES, FINAL, VERDICT, REPORT_TEXT, REPORT_PAGE, SUMS)}
    within = {(folder / name).resolve() for name in (HISTORY, LOGS)}
    above = (folder.resolve(), *folder.resolve().parents)
    return path.resolve() in (*whole, *above) or not within.isdisjoint((path.resolve(), *path.resolve().parents))


class Evidence:
    """Writes the folder. ``event`` may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise UsageError(f"the evidence folder {folder} is not empty", "name another one with --evidence")
            (folder / LOGS).mkdir()
            (folder / HISTORY).mkdir()
            self._timeline = (folder / TIMELINE).open("a", buffering=1)
            self._samples = (folder / SAMPLES).open("a", buffering=1)
        except OSError as error:
            raise UsageError(f"cannot write evidence to {folder}: {error.strerror}", "name another folder with --evidence") from error
        self._lock = threading.Lock()
        self._closed = False

    @property
    def history(self) -> Path:
        """Folder of the column files."""
        return self.folder / HISTORY

    @property
    def logs(self) -> Path:
        """Folder of the processes' output."""
        return self.folder / LOGS

    def event(self, kind: str, *, at_ns: int | None = None, **detail: Any) -> int:
        """Add a line to the timeline; returns its time."""
        time_ns = time.monotonic_ns() if at_ns is None else at_ns
        with self._lock:
            if not self._closed:
                self._timeline.write(json.dumps({"t": time_ns, "kind": kind, **detail}) + "\n")
        return time_ns

    def sample(self, sample: Sample) -> None:
        """Add what one broker said."""
        with self._lock:
            if not self._closed:
                self._samples.write(json.dumps(sample_row(sample), separators=(",", ":")) + "\n")

    def write_json(self, name: str, value: Any) -> None:
        """Write one file in whole."""
        write_whole(self.folder / name, json.dumps(value, indent=1) + "\n")

    def write_run(self, run: dict[str, Any]) -> None:
        """What was run."""
        self.write_json(RUN, {"schema": SCHEMA, **run})

    def write_final(
        self,
        partitions: dict[int, dict[str, Any]],
        positions: dict[int, int],
        topic_id: str = "",
        rows: dict[str, dict[str, int]] | None = None,
    ) -> None:
        """Where the logs and the consumers ended, and the id of the topic whose logs these are.

        ``rows``: how many the clients wrote, by folder and stream. The columns must be on the disk before it says that all is there.
        """
        for path in sorted(self.history.rglob("*")):
            _sync(path)
        _sync(self.history)
        counted = {} if rows is None else {"rows": rows}
        self.write_json(FINAL, {"partitions": partitions, "positions": positions, "topic_id": topic_id, **counted})

    def close(self) -> None:
        """No more events and samples."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for file in (self._samples, self._timeline):
                file.flush()
                os.fsync(file.fileno())
                file.close()


def write_whole(path: Path, text: str) -> None:
    """Write beside and rename, so that nobody sees half a file, not even after a power loss."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    _sync(beside)
    beside.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk. Some file systems do that for files only."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def seal(folder: Path) -> str:
    """Write ``SHA256SUMS`` over every file, and return the hash of that list."""
    lines = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(folder).as_posix()}\n")
    write_whole(folder / SUMS, "".join(lines))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_run(folder: Path) -> dict[str, Any]:
    """``run.json`` of an evidence folder. Raises ``UsageError``."""
    try:
        run = json.loads((folder / RUN).read_text())
    except FileNotFoundError as error:
        raise UsageError(f"{folder} is no evidence folder: there is no {RUN} in it", "name the folder that a run printed") from error
    except (OSError, json.JSONDecodeError) as error:
        raise UsageError(f"cannot read {folder / RUN}: {error}", "name the folder that a run printed") from error
    if run.get("schema") != SCHEMA:
        raise UsageError(f"{folder} has schema {run.get('schema')}, this program reads {SCHEMA}", "use the holdwater that wrote it")
    return run
