"""Many seeds in processes of their own: all are played, those that die are told, none outlives whoever wants them."""

import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.campaigns import FORTY, GUILTY, Tell, held, outcome, two_of_forty

from holdwater.sim.campaign import Attempts, NoProcess, Play, Played, Workers, campaign
from holdwater.sim.run import CRASH, SAFETY, Outcome, Plan
from holdwater.sim.shrink import Spent, shrink
from holdwater.wire.codec import compiled as codecs
from holdwater.wire.codec.compiled import compiled, encoder
from holdwater.wire.messages import ShareFetchRequest

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")  # pytest-xdist has a thread for its messages


def play_all(play: Play, count: int, workers: int = 2, *, limit_s: float = 60.0) -> dict[int, Outcome]:
    found: list[Played] = []
    with Workers(play, workers, limit_s=limit_s) as pool:
        campaign(pool, range(1, count + 1), Plan(), found.append)
    assert len({played.outcome.seed for played in found}) == len(found)
    return {played.outcome.seed: played.outcome for played in found}


def at_seed_three(what: Callable[[], object]) -> Play:
    def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
        if seed == 3:
            what()
        return outcome(seed)

    return play


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_seed_is_played_once(workers: int) -> None:
    assert sorted(play_all(held, 12, workers)) == list(range(1, 13))


def test_what_a_seed_found_comes_back_whole() -> None:
    story = [f"{number} a line of some length" for number in range(20_000)]

    def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
        return outcome(seed, SAFETY, schedule=FORTY, story=story)

    assert play_all(play, 2)[2] == outcome(2, SAFETY, schedule=FORTY, story=story)


def test_what_one_seed_has_compiled_the_next_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The story tells what a child has not inherited."""
    wanted = ("encoder", ShareFetchRequest, 1)
    monkeypatch.delitem(codecs._encoders, wanted[1:], raising=False)  # pyright: ignore[reportPrivateUsage]

    def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
        was_there = wanted in compiled()
        encoder(ShareFetchRequest, 1)
        return outcome(seed, story=[str(was_there)])

    outcomes = play_all(play, 3, workers=1)
    assert [outcomes[seed].story for seed in (1, 2, 3)] == [["False"], ["True"], ["True"]]


def test_the_plan_goes_to_each_seed() -> None:
    def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
        assert plan is not None
        return outcome(seed, virtual_ms=plan.fault_ms)

    found: list[Played] = []
    with Workers(play, 2) as workers:
        campaign(workers, [7], Plan(fault_ms=123), found.append)
    assert found[0].outcome.virtual_ms == 123


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "its process was ended by SIGKILL"),
        (lambda: os.kill(os.getpid(), signal.SIGUSR1), "its process was ended by SIGUSR1"),
        (lambda: os._exit(7), "its process ended with exit code 7"),
        (lambda: bytearray(6 << 30), "MemoryError"),
        (lambda: sys.exit(0), "SystemExit: 0"),
        (lambda: int("no number"), "ValueError: invalid literal for int() with base 10: 'no number' ["),
    ],
)
def test_a_process_that_dies_is_the_crash_of_its_seed_only(what: Callable[[], object], why: str) -> None:
    outcomes = play_all(at_seed_three(what), 5)
    assert [seed for seed, found in outcomes.items() if not found.held] == [3]
    assert outcomes[3].verdict == CRASH
    assert why in outcomes[3].why
    assert sorted(outcomes) == [1, 2, 3, 4, 5]


def loop_for_ever() -> None:
    while True:
        pass


def test_a_seed_that_does_not_end_is_ended() -> None:
    outcomes = play_all(at_seed_three(loop_for_ever), 5, limit_s=0.5)
    assert outcomes[3].why == "no end within 0.5 s of wall time"
    assert [seed for seed, found in outcomes.items() if found.held] != []
    assert sorted(outcomes) == [1, 2, 3, 4, 5]


def test_seeds_are_handed_out_one_by_one_as_processes_are_free() -> None:
    handed: list[int] = []
    played: list[Played] = []

    def seeds() -> Iterator[int]:
        for seed in range(1, 10):
            if any(not each.outcome.held for each in played):
                return
            handed.append(seed)
            yield seed

    def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
        return outcome(seed, SAFETY if seed == 2 else "held")

    with Workers(play, 1) as workers:
        campaign(workers, seeds(), Plan(), played.append, lambda: workers.busy_count <= 1)
    assert handed == [1, 2]


def test_no_process_is_left_when_the_run_is_told_to_end(tmp_path: Path) -> None:
    def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
        (tmp_path / str(os.getpid())).write_text("")
        time.sleep(60)
        return outcome(seed)

    played: list[Played] = []
    begin = time.monotonic()
    with Workers(play, 2) as workers:
        campaign(workers, range(100), Plan(), played.append, lambda: len(list(tmp_path.iterdir())) < 2)
    assert time.monotonic() - begin < 30
    assert played == []
    assert [path.name for path in tmp_path.iterdir() if is_there(int(path.name))] == []


PARENT = """
import os, sys, time
from holdwater.sim.campaign import Workers
from holdwater.sim.run import Plan
def play(seed, plan=None, *, tell=None):
    print(os.getpid(), flush=True)
    time.sleep(60)
workers = Workers(play, 1)
workers.start(0, 1, Plan())
while True:
    workers.wait()
"""


def test_no_process_outlives_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert is_there(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        ended, _, _ = select.select([parent.stdout], [], [], 20)
        assert ended, "the child still holds the other end of the pipe"
        assert parent.stdout.read() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_for_the_parent(number: int) -> None:
    """Terminals and service managers send it to the whole group; a seed must not be called a crash for it."""
    assert play_all(at_seed_three(lambda: os.kill(os.getpid(), number)), 3)[3].held


def test_the_story_is_told_while_it_happens(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(held, 1, tell=print) as workers:
        campaign(workers, [1], Plan(), lambda played: None)
    assert capfd.readouterr().out.splitlines() == ["0.001 s  n1 leads", "0.002 s  n2 follows"]


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as lowest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno() + 1, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_machine_that_gives_no_more_processes_is_named() -> None:
    with Workers(held, 2) as workers, no_more_files(), pytest.raises(NoProcess, match="no process for seed 7: Too many open files"):
        campaign(workers, [7], Plan(), lambda played: None)


class TestAttempts:
    def test_a_search_without_processes_ends_with_what_it_has(self) -> None:
        with Workers(two_of_forty, 2) as workers, no_more_files():
            found = shrink(two_of_forty(9), Plan(), Attempts(workers, two_of_forty(9)))
        assert "no process" in found.remark

    @pytest.mark.parametrize("count", [1, 3])
    def test_the_first_plan_that_fails_in_the_same_way_is_found(self, count: int) -> None:
        failing = two_of_forty(9)
        plans = [Plan(schedule=schedule) for schedule in ((), FORTY[:20], GUILTY, FORTY)]
        with Workers(two_of_forty, count) as workers:
            attempts = Attempts(workers, failing)
            found = attempts(plans)
            assert workers.busy_count == 0
            assert found is not None
            assert found[0] == 2
            assert found[1].schedule == GUILTY
            assert attempts.count == 3
            assert attempts(plans[:2]) is None
            assert attempts.count == 5

    def test_another_failure_is_not_the_same(self) -> None:
        def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
            return outcome(seed, SAFETY, code="R9")

        with Workers(play, 2) as workers:
            assert Attempts(workers, two_of_forty(9))([Plan(), Plan(schedule=())]) is None

    def test_the_tries_are_bounded(self) -> None:
        with Workers(two_of_forty, 2) as workers:
            attempts = Attempts(workers, two_of_forty(9), tries=3)
            with pytest.raises(Spent, match="after 3 tries"):
                attempts([Plan(schedule=FORTY[:number]) for number in range(5)])
            assert attempts.count == 3

    def test_the_time_is_bounded(self) -> None:
        def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
            time.sleep(60)
            return outcome(seed)

        with Workers(play, 2) as workers, pytest.raises(Spent, match=r"after 0\.2 s"):
            Attempts(workers, two_of_forty(9), limit_s=0.2)([Plan()])
        assert workers.busy_count == 0

    def test_an_interruption_ends_the_search_with_what_it_has(self) -> None:
        asked: list[None] = []

        def go_on() -> bool:
            asked.append(None)
            return len(asked) < 12

        with Workers(two_of_forty, 1) as workers:
            found = shrink(two_of_forty(9), Plan(), Attempts(workers, two_of_forty(9), go_on=go_on))
        assert "interrupted" in found.remark
        assert set(GUILTY) <= set(found.plan.schedule or ())

    def test_two_of_forty_faults_are_found_in_processes_too(self) -> None:
        with Workers(two_of_forty, 2) as workers:
            found = shrink(two_of_forty(9), Plan(), Attempts(workers, two_of_forty(9)))
        assert [each.at_ms for each in found.plan.schedule or ()] == [each.at_ms for each in GUILTY]
        assert found.remark == ""
