"""Many seeds, several at a time. Each is played by a process of its own, which is forked for it and ends with it.

Seeds therefore cannot see each other and nothing piles up; a process that is killed, runs out of memory or never comes to an end is the
outcome ``crash`` of its seed. This file alone in ``sim`` knows processes and wall time: what it plays is handed in as a function.
"""

import contextlib
import gc
import os
import pickle
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, Self

from holdwater.sim.run import CRASH, Outcome, Plan
from holdwater.sim.shrink import Spent, same_way
from holdwater.wire.codec.compiled import compile_as, compiled

LIMIT_S = 600.0
"""Wall time after which a seed is in a loop that no virtual time passes in; a second or two are usual."""
MEMORY_BYTES = 4 << 30
"""Address space of one seed's process, so that a leak is that seed's ``MemoryError`` and not the machine's end; 300 MB are usual."""
TRIES = 400
"""How often a failing seed is played again to find the smallest schedule."""
_COLLECT_AFTER = 50_000
"""New objects that set off the youngest generation's collection: a seed lives a second, and the default of 700 costs it a twentieth."""
_LOOK_EVERY_MS = 100
_PARENT_EVERY_S = 1.0
_READ_BYTES = 1 << 16


class NoProcess(Exception):  # noqa: N818 - named for what there is
    """The machine gives no more processes; the message says why."""


class Play(Protocol):
    """What ``run.simulate`` is."""

    def __call__(self, seed: int, plan: Plan | None = None, *, tell: Callable[[str], None] | None = None) -> Outcome:
        """One seed."""
        ...


class Played(NamedTuple):
    """``number`` is the one that the start was given; ``wall_s`` what the seed took."""

    number: int
    outcome: Outcome
    wall_s: float


class _Process:
    """A child that plays a seed, and what it has written so far."""

    __slots__ = ("begin_s", "data", "late", "number", "pid", "pipe", "plan", "seed")

    def __init__(self, number: int, seed: int, plan: Plan, pid: int, pipe: int) -> None:
        self.number = number
        self.seed = seed
        self.plan = plan
        self.pid = pid
        self.pipe = pipe
        self.data = bytearray()
        self.begin_s = time.monotonic()
        self.late = False


class Workers:
    """Up to ``count`` processes at a time; leaving the context ends those that still run. ``tell`` gets the story, in the child.

    Must be used from a thread beside which no other holds a lock that a child may want: a fork copies locks as they are.
    """

    def __init__(self, play: Play, count: int, *, limit_s: float = LIMIT_S, tell: Callable[[str], None] | None = None) -> None:
        self.count = count
        self._play = play
        self._limit_s = limit_s
        self._tell = tell
        self._by_pipe: dict[int, _Process] = {}
        self._poll = select.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    @property
    def busy_count(self) -> int:
        """Processes under way."""
        return len(self._by_pipe)

    def start(self, number: int, seed: int, plan: Plan) -> None:
        """Begin to play a seed. Raises ``NoProcess``."""
        sys.stdout.flush()
        sys.stderr.flush()
        parent, ends = os.getpid(), (-1, -1)
        try:
            ends = os.pipe()
            pid = os.fork()
        except OSError as error:
            for end in ends:
                with contextlib.suppress(OSError):
                    os.close(end)
            raise NoProcess(f"no process for seed {seed}: {error.strerror}") from error
        read_end, write_end = ends
        if pid == 0:
            self._become(seed, plan, write_end, parent)
        os.close(write_end)
        self._by_pipe[read_end] = _Process(number, seed, plan, pid, read_end)
        self._poll.register(read_end, select.POLLIN)

    def wait(self, timeout_ms: int = _LOOK_EVERY_MS) -> list[Played]:
        """What has ended, after at most about ``timeout_ms``."""
        ended: list[Played] = []
        for pipe, _ in self._poll.poll(timeout_ms):
            process = self._by_pipe[pipe]
            data = os.read(pipe, _READ_BYTES)
            process.data += data
            if not data:
                ended.append(self._finish(process))
        now = time.monotonic()
        for process in self._by_pipe.values():
            if now - process.begin_s > self._limit_s and not process.late:
                process.late = True
                os.kill(process.pid, signal.SIGKILL)
        return ended

    def drop(self, *, above: int = -1) -> None:
        """End the processes whose number is above this one; nobody hears of them any more."""
        for process in [each for each in self._by_pipe.values() if each.number > above]:
            os.kill(process.pid, signal.SIGKILL)
            self._reap(process)

    def _reap(self, process: _Process) -> int:
        """Forget a process that has ended or is about to; returns its exit code, negative for a signal."""
        _, status = os.waitpid(process.pid, 0)
        self._poll.unregister(process.pipe)
        os.close(process.pipe)
        del self._by_pipe[process.pipe]
        return os.waitstatus_to_exitcode(status)

    def _finish(self, process: _Process) -> Played:
        code = self._reap(process)
        if code == 0:
            outcome, wall_s, codecs = pickle.loads(process.data)
            compile_as(codecs)
            return Played(process.number, outcome, wall_s)
        if process.late:
            why = f"no end within {self._limit_s:g} s of wall time"
        elif code < 0:
            why = f"its process was ended by {signal.Signals(-code).name}"
        else:
            why = f"its process ended with exit code {code}"
        return Played(process.number, broken(process.seed, process.plan, why), time.monotonic() - process.begin_s)

    def _become(self, seed: int, plan: Plan, pipe: int, parent: int) -> None:
        """The child's life; never returns."""
        code = 1
        try:
            _settle_in(parent)
            begin_s, inherited = time.monotonic(), set(compiled())
            try:
                outcome = self._play(seed, plan, tell=self._tell)
            except BaseException as problem:  # noqa: BLE001 - whatever ends a seed is its outcome
                outcome = broken(seed, plan, _where(problem))
            sys.stdout.flush()
            data = memoryview(pickle.dumps((outcome, time.monotonic() - begin_s, set(compiled()) - inherited)))
            while data:
                data = data[os.write(pipe, data) :]
            code = 0
        except BaseException:  # noqa: BLE001 - the last line of defence of a process that ends here anyway
            traceback.print_exc()
        finally:
            os._exit(code)


def broken(seed: int, plan: Plan, why: str) -> Outcome:
    """The outcome of a seed whose process has none to tell: its digest is empty, and its schedule known only when the plan has one."""
    return Outcome(
        seed=seed,
        verdict=CRASH,
        code="",
        why=why,
        digest="",
        virtual_ms=0,
        events=0,
        recovered_ms=-1,
        operations=0,
        acknowledged=0,
        unknown=0,
        schedule=plan.schedule or (),
        settings={},
        counters={},
        story=[],
    )


def _settle_in(parent: int) -> None:
    """In the child: what a terminal or a service manager sends to all is for the parent, which ends its children; a child without its
    parent ends by itself.
    """

    def look_for_parent(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    gc.freeze()  # what the parent made stays in pages that both share
    gc.set_threshold(_COLLECT_AFTER, 20, 100)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, look_for_parent)
    signal.setitimer(signal.ITIMER_REAL, _PARENT_EVERY_S, _PARENT_EVERY_S)
    with contextlib.suppress(OSError, ValueError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _where(problem: BaseException) -> str:
    """The exception, and the innermost places that it came from."""
    frames = traceback.extract_tb(problem.__traceback__)[-6:]
    places = [f"{frame.filename.rpartition('holdwater/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return f"{type(problem).__name__}: {problem} [{' < '.join(reversed(places))}]"


def campaign(
    workers: Workers, seeds: Iterable[int], plan: Plan, on_played: Callable[[Played], None], go_on: Callable[[], bool] = lambda: True
) -> None:
    """Play seeds, each handed out when a process is free. ``go_on`` is asked several times a second; when it says no, all ends at once.

    Raises ``NoProcess``.
    """
    waiting = enumerate(seeds)
    more = True
    while go_on():
        while more and workers.busy_count < workers.count:
            number, seed = next(waiting, (-1, 0))
            more = number >= 0
            if more:
                workers.start(number, seed, plan)
        if not workers.busy_count:
            return
        for played in workers.wait():
            on_played(played)
    workers.drop()


class Attempts:
    """Plays a failing seed again with other plans, several at a time, until its tries or its time are used up.

    Which plan is found does not depend on how many are played at a time.
    """

    def __init__(
        self, workers: Workers, failing: Outcome, *, tries: int = TRIES, limit_s: float = 60.0, go_on: Callable[[], bool] = lambda: True
    ) -> None:
        self.count = 0
        """Of the plans played so far, without those that were begun for nothing."""
        self.smallest = failing
        """The last that failed in the same way."""
        self._workers = workers
        self._failing = failing
        self._tries = tries
        self._limit_s = limit_s
        self._end_s = time.monotonic() + limit_s
        self._go_on = go_on

    def __call__(self, plans: Sequence[Plan]) -> tuple[int, Outcome] | None:
        """The first of these plans that fails in the same way, and its outcome. Raises ``shrink.Spent``."""
        allowed = plans[: self._tries - self.count]
        found = self._first(iter(enumerate(allowed)))
        self.count += found.number + 1 if found is not None else len(allowed)
        if found is not None:
            self.smallest = found.outcome
            return found.number, found.outcome
        if len(allowed) < len(plans):
            raise Spent(f"stopped after {self._tries} tries")
        return None

    def _first(self, waiting: Iterator[tuple[int, Plan]]) -> Played | None:
        workers, found = self._workers, None
        while True:
            self._look_at_the_time()
            while found is None and workers.busy_count < workers.count:
                number, plan = next(waiting, (-1, None))
                if plan is None:
                    break
                self._start(number, plan)
            if not workers.busy_count:
                return found
            for played in workers.wait():
                if same_way(played.outcome, self._failing) and (found is None or played.number < found.number):
                    found = played
            if found is not None:
                workers.drop(above=found.number)

    def _start(self, number: int, plan: Plan) -> None:
        try:
            self._workers.start(number, self._failing.seed, plan)
        except NoProcess as problem:
            self._workers.drop()
            raise Spent(str(problem)) from problem

    def _look_at_the_time(self) -> None:
        why = "" if self._go_on() else "interrupted"
        if time.monotonic() > self._end_s:
            why = f"stopped after {self._limit_s:g} s"
        if why:
            self._workers.drop()
            raise Spent(why)
