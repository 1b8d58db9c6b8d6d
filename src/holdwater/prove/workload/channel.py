"""The child's side of the conversation between the runner and a workload process: JSON lines in, JSON lines out."""

import json
import os
import queue
import sys
import threading
from typing import Any

STATUS_EVERY_S = 0.1


class Channel:
    """Commands from standard input, messages to standard output. When the parent is gone the process ends at once."""

    def __init__(self) -> None:
        self._commands: queue.Queue[dict[str, Any]] = queue.Queue()
        self._write_lock = threading.Lock()
        self.config: dict[str, Any] = json.loads(sys.stdin.readline() or "{}")
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._commands.put(json.loads(line))
        # The parent closed the pipe or died: nobody will read what comes now.
        os._exit(3)

    def command(self) -> dict[str, Any] | None:
        """The next command, if one has come."""
        try:
            return self._commands.get_nowait()
        except queue.Empty:
            return None

    def say(self, kind: str, **values: Any) -> None:
        """One message to the parent."""
        with self._write_lock:
            sys.stdout.write(json.dumps({"say": kind, **values}) + "\n")
            sys.stdout.flush()
