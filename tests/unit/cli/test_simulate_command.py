"""``holdwater simulate`` from the command line, with stand-ins for the simulator: exit codes, what is printed and what is saved."""

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from tests.support.campaigns import GUILTY, Tell, held, outcome, two_of_forty

from holdwater.cli import simulate, simulate_run
from holdwater.cli.main import main
from holdwater.sim.campaign import Play
from holdwater.sim.casefile import case_of, from_text, to_text
from holdwater.sim.run import SAFETY, Outcome, Plan

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


def call(play: Play, *arguments: str, folder: Path | None = None) -> int:
    parser = argparse.ArgumentParser()
    simulate.add_arguments(parser)
    where = ["--evidence", str(folder)] if folder is not None else []
    return simulate.run(parser.parse_args([*arguments, *where, "--jobs", "2"]), play)


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def seed_three_fails(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
    return two_of_forty(seed, plan) if seed == 3 else outcome(seed)


class TestHeld:
    def test_the_default_is_a_hundred_seeds_from_one_on(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert call(held, folder=tmp_path / "e") == 0
        said = capsys.readouterr()
        assert said.out.startswith("HELD: 100 seeds (1 to 100), commit ")
        assert "\x1b" not in said.out + said.err
        assert not (tmp_path / "e").exists(), "nothing to keep, no folder"

    def test_some_seeds(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert call(held, "--seeds", "3", "--first-seed", "40", "--format", "json") == 0
        said = capsys.readouterr()
        made = json.loads(said.out)
        assert (made["totals"]["first_seed"], made["totals"]["last_seed"]) == (40, 42)
        assert made["replayed"] is None
        lines = [json.loads(line) for line in said.err.splitlines()]
        assert sorted(line["seed"] for line in lines) == [40, 41, 42]
        assert {line["verdict"] for line in lines} == {"held"}

    def test_some_minutes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert call(held, "--minutes", "0.005", "--format", "json") == 0
        assert document(capsys)["totals"]["seeds"] > 2

    def test_the_plan_comes_from_the_flags(self, capsys: pytest.CaptureFixture[str]) -> None:
        def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
            assert plan == Plan(fault_ms=12_500, mean_gap_ms=250, coordination=True)
            return outcome(seed)

        assert call(play, "--seeds", "1", "--fault-seconds", "12.5", "--fault-gap", "0.25", "--coordination") == 0


class TestFailed:
    def test_a_failing_seed_is_shrunk_saved_and_told(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert call(seed_three_fails, "--seeds", "5", "--format", "json", folder=tmp_path / "e") == 1
        made = document(capsys)
        assert made["outcomes"] == {"held": 4, "crash": 0, "safety": 1, "liveness": 0}
        failure = made["failures"][0]
        assert failure["seed"] == 3
        assert [each["at_ms"] for each in failure["smallest"]["schedule"]] == [each.at_ms for each in GUILTY]
        case = from_text((tmp_path / "e" / "seed-3.json").read_text())
        assert case.fault_count_before == 40
        assert case.plan.schedule == (GUILTY[0]._replace(duration_ms=300), GUILTY[1]._replace(duration_ms=0))
        assert case.digest == failure["smallest"]["digest"] == two_of_forty(3, case.plan).digest
        assert failure["replay_case"] == f"holdwater simulate --replay {tmp_path / 'e' / 'seed-3.json'}"

    def test_in_text(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert call(seed_three_fails, "--seeds", "5", folder=tmp_path / "e") == 1
        said = capsys.readouterr()
        assert "smallest schedule that fails: 2 of 40 faults" in said.out
        assert "seed 3: safety R5: the high watermark went back" in said.err
        assert "\x1b" not in said.out + said.err

    def test_without_shrinking_it_is_saved_as_it_is(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert call(seed_three_fails, "--seeds", "3", "--no-shrink", "--format", "json", folder=tmp_path / "e") == 1
        assert document(capsys)["failures"][0]["smallest"] is None
        case = from_text((tmp_path / "e" / "seed-3.json").read_text())
        assert case.plan == Plan()
        assert case.digest == two_of_forty(3).digest

    def test_of_many_that_fail_alike_the_first_three_are_shrunk(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert call(two_of_forty, "--seeds", "6", "--format", "json", folder=tmp_path / "e") == 1
        failures = document(capsys)["failures"]
        assert [failure["smallest"] is not None for failure in failures] == [True] * 3 + [False] * 3
        assert len(list((tmp_path / "e").iterdir())) == 6

    def test_a_process_that_dies(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        def play(seed: int, plan: Plan | None = None, *, tell: Tell = None) -> Outcome:
            if seed == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return outcome(seed)

        assert call(play, "--seeds", "3", "--format", "json", folder=tmp_path / "e") == 1
        failure = document(capsys)["failures"][0]
        assert (failure["seed"], failure["verdict"], failure["why"]) == (2, "crash", "its process was ended by SIGKILL")
        assert failure["smallest"] is None
        assert from_text((tmp_path / "e" / "seed-2.json").read_text()).plan.schedule is None

    def test_the_summary_comes_though_nothing_can_be_saved(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(simulate_run, "write_whole", Mock(side_effect=OSError(errno.EDQUOT, "Disk quota exceeded")))
        folder = tmp_path / "e"
        assert call(seed_three_fails, "--seeds", "3", "--no-shrink", folder=folder) == 1
        said = capsys.readouterr()
        assert f"cannot save {folder / 'seed-3.json'}: Disk quota exceeded" in said.err
        assert "Seed 3: safety R5" in said.out
        assert "--replay" not in said.out

    def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_played(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        folder = tmp_path / "file" / "e"
        assert call(seed_three_fails, "--seeds", "3", folder=folder) == 2
        said = capsys.readouterr()
        assert (said.out, f"cannot write to {folder}: Not a directory\nnext: name another folder" in said.err) == ("", True)
        assert call(held, "--seeds", "3", folder=tmp_path / "new" / "e") == 0
        assert call(held, "--seeds", "3", folder=tmp_path / "new" / ("x" * 300)) == 2
        assert not (tmp_path / "new").exists(), "nothing stays of the attempt"

    def test_the_first_failure_is_enough(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert call(seed_three_fails, "--seeds", "500", "--fail-fast", "--no-shrink", "--format", "json", folder=tmp_path / "e") == 1
        assert document(capsys)["totals"]["seeds"] < 20

    def test_a_floor_that_is_not_met_fails_a_run_without_a_failing_seed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert call(held, "--seeds", "199") == 0
        assert "Never met so far" in capsys.readouterr().out
        assert call(held, "--seeds", "200") == 1
        said = capsys.readouterr().out
        assert said.startswith("BROKEN: 200 seeds (1 to 200)")
        assert "fault pause 0 of " in " ".join(said.split())


class TestOneSeed:
    def test_its_story_is_told_and_then_the_summary(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert call(held, "--seed", "9") == 0
        said = capfd.readouterr()
        assert said.out.splitlines()[:3] == ["0.001 s  n1 leads", "0.002 s  n2 follows", said.out.splitlines()[2]]
        assert said.out.splitlines()[2].startswith("HELD: 1 seed (9), commit ")
        assert said.err == ""

    def test_its_story_is_no_part_of_the_json(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert call(held, "--seed", "9", "--format", "json") == 0
        said = capfd.readouterr()
        assert json.loads(said.out)["totals"]["seeds"] == 1
        assert json.loads(said.err.splitlines()[0]) == {"story": "0.001 s  n1 leads"}

    def test_who_reads_only_the_beginning_gets_no_traceback(self, tmp_path: Path) -> None:
        program = (
            "import argparse, sys\n"
            "from holdwater.cli import simulate\n"
            "def play(seed, plan=None, *, tell=None):\n"
            "    for number in range(100_000): tell(f'{number} ' + 'x' * 80)\n"
            "parser = argparse.ArgumentParser()\n"
            "simulate.add_arguments(parser)\n"
            "sys.exit(simulate.run(parser.parse_args(['--seed', '1', '--evidence', sys.argv[1]]), play))\n"
        )
        done = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "e")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert done.stdout is not None
        assert done.stderr is not None
        assert done.stdout.readline().startswith("0 x")
        done.stdout.close()
        assert "Traceback" not in done.stderr.read()
        done.stderr.close()
        assert done.wait(30) in {1, 3}


class TestReplay:
    def saved(self, folder: Path, **given: Any) -> str:
        smallest = Plan(schedule=GUILTY)
        path = folder / "seed-3.json"
        case = case_of(outcome(3, SAFETY, **({"digest": two_of_forty(3, smallest).digest} | given)), smallest, "82c30cc", 40)
        path.write_text(to_text(case))
        return str(path)

    def test_the_same_again(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = self.saved(tmp_path)
        assert call(two_of_forty, "--replay", path, folder=tmp_path / "e") == 1
        said = capsys.readouterr().out
        assert "The same as when it was saved (commit 82c30cc): safety R5, digest " in said
        assert f"repeat    holdwater simulate --replay {path}" in said
        assert not (tmp_path / "e").exists()

    def test_the_same_failure_by_another_way(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert call(two_of_forty, "--replay", self.saved(tmp_path, digest="f00d")) == 1
        said = capsys.readouterr().out
        assert (
            "The same failure as when it was saved, but another trace\n  then  safety R5, digest f00d, commit 82c30cc\n  now   safety R5"
            in said
        )

    def test_it_holds_now(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert call(held, "--replay", self.saved(tmp_path), "--format", "json") == 0
        again = document(capsys)["replayed"]
        assert (again["same_way"], again["same_digest"]) == (False, False)
        assert (again["verdict"], again["now"]["verdict"]) == ("safety", "held")

    @pytest.mark.parametrize(
        ("text", "why"), [("{", "it is damaged"), ("{}", "no saved case"), (None, "cannot read"), ("\udcff", "cannot replay")]
    )
    def test_what_is_no_case(self, text: str | None, why: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        path = tmp_path / "case.json"
        if text is not None:
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
        assert call(held, "--replay", str(path)) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert why in said.err
        assert len(said.err.splitlines()) == 2
        assert said.err.splitlines()[1].startswith("next: ")


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (("--seeds", "0"), "must be 1 or more"),
            (("--seed", "-1"), "must be 0 or more"),
            (("--minutes", "0"), "above 0"),
            (("--minutes", "nan"), "is no number"),
            (("--fault-gap", "0"), "0.001 seconds or more"),
            (("--jobs", "0"), "must be 1 or more"),
            (("--format", "xml"), "invalid choice"),
            (("--seed", "1", "--seeds", "2"), "--seed plays one seed, and --seeds says otherwise"),
            (("--seed", "1", "--minutes", "2"), "--seed plays one seed, and --minutes says otherwise"),
            (("--replay", "x", "--seed", "2"), "--replay plays what the file says, and --seed says otherwise"),
            (("--replay", "x", "--fault-gap", "2"), "--replay plays what the file says, and --fault-gap says otherwise"),
            (("--replay", "x", "--coordination"), "--replay plays what the file says, and --coordination says otherwise"),
            (("--bug", "no-such-bug"), "there is no bug 'no-such-bug' in the museum"),
        ],
    )
    def test_wrong_usage(self, arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]) -> None:
        try:
            code = main(["simulate", *arguments])
        except SystemExit as leaving:
            code = leaving.code
        assert code == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert why in said.err

    def test_a_folder_that_is_in_use(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "x").write_text("")
        assert call(held, "--seeds", "1", folder=tmp_path) == 2
        assert "is not an empty folder" in capsys.readouterr().err


def test_the_bugs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from holdwater.sim.museum import BUGS

    assert main(["simulate", "--bugs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == list(BUGS)


class TestInterrupted:
    PROGRAM = (
        "import argparse, sys, time\n"
        "from holdwater.cli import simulate\n"
        "from tests.support.campaigns import outcome\n"
        "def play(seed, plan=None, *, tell=None):\n"
        "    if seed > 4: time.sleep(60)\n"
        "    return outcome(seed, 'safety' if str(seed) in sys.argv[2:] else 'held')\n"
        "parser = argparse.ArgumentParser()\n"
        "simulate.add_arguments(parser)\n"
        "sys.exit(simulate.run(parser.parse_args(['--jobs', '1', '--format', 'json', '--no-shrink', '--evidence', sys.argv[1]]), play))\n"
    )

    def interrupt(self, folder: Path, number: int, *failing: str) -> tuple[int, dict[str, Any], float]:
        paths = [str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        with subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM, str(folder), *failing],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        ) as running:
            assert running.stderr is not None
            for _ in range(4):
                assert running.stderr.readline().startswith('{"seed": ')
            begin = time.monotonic()
            os.killpg(running.pid, number)  # as a terminal does: to the processes that play seeds as well
            out, err = running.communicate(timeout=30)
            assert "Traceback" not in err
            return running.returncode, json.loads(out), time.monotonic() - begin

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_ends_with_the_summary_of_what_was_done(self, number: int, tmp_path: Path) -> None:
        code, made, seconds = self.interrupt(tmp_path / "e", number)
        assert code == 3
        assert (made["verdict"], made["interrupted"]) == ("invalid", True)
        assert made["totals"]["seeds"] == 4
        assert seconds < 10

    def test_a_failure_that_was_found_counts(self, tmp_path: Path) -> None:
        code, made, _ = self.interrupt(tmp_path / "e", signal.SIGINT, "2")
        assert code == 1
        assert made["verdict"] == "broken"
        assert Path(made["failures"][0]["case"]).exists()
