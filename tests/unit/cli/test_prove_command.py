"""``holdwater`` and ``holdwater prove`` from the command line: what is refused, with which exit code, and what to do next."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.evidence import write_evidence
from tests.support.story import Story, a_killed_leader

from holdwater.cli import main as command
from holdwater.cli.main import COMMANDS, main
from holdwater.prove.settings import Settings


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    try:
        ended = main(arguments)
    except SystemExit as leaving:  # argparse leaves by itself
        ended = leaving.code
    assert ended == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


class TestMain:
    def test_help_lists_every_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--help"]) == 0
        said = capsys.readouterr().out
        assert all(name in said for name in COMMANDS)

    def test_no_command_is_wrong_usage(self) -> None:
        assert main([]) == 2

    def test_an_unknown_command_names_its_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean prove?" in refused(capsys, "proove")

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--version"]) == 0
        assert capsys.readouterr().out.startswith("holdwater ")

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_every_command_has_help(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as leaving:
            main([name, "--help"])
        assert leaving.value.code == 0
        assert f"usage: holdwater {name}" in capsys.readouterr().out

    def test_a_command_pays_only_for_itself(self) -> None:
        script = (
            "import sys; from holdwater.cli.main import main; import importlib; importlib.import_module('holdwater.cli.up')\n"
            "print([n for n in sys.modules if n.split('.')[0] in ('confluent_kafka', 'rich') or n.startswith('holdwater.prove')])"
        )
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        assert said.strip() == "[]"

    def test_the_table_is_where_the_modules_are(self) -> None:
        folder = Path(command.__file__).parent
        assert [name for name, one in COMMANDS.items() if not (folder / f"{one.module.rpartition('.')[2]}.py").exists()] == []


class TestRefused:
    def test_no_scenario(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "next: holdwater prove --list" in refused(capsys, "prove")

    def test_an_unknown_scenario_names_its_nearest(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean leader-election?" in refused(capsys, "prove", "leader-elections")

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (("--kills", "0"), "must be 1 or more"),
            (("--kills", "x"), "'x' is no whole number"),
            (("--brokers", "1"), "a topic of replication factor 3 needs 3 brokers, not 1"),
            (("--replication-factor", "5"), "a topic of replication factor 5 needs 5 brokers, not 3"),
            (("--value-size", "31"), "it takes 32 or more"),
            (("--rate", "0"), "must be above 0"),
            (("--rate", "60000"), "measures itself"),
            (("--steady", "-1"), "0 or more"),
            (("--steady", "nan"), "'nan' is no number"),
            (("--min-controller-kills", "-1"), "0 or more"),
            (("--kill", "nobody"), "invalid choice"),
            (("--min-controller-kills", "2"), "2 controller kills do not fit into 1 kills"),
            (("--keys", "5"), "5 keys leave some of 6 partitions without any"),
            (("-X", "nonsense"), "'nonsense' is no key=value"),
            (("-X", "=1"), "'=1' is no key=value"),
            (("-X", "no.such.setting=1"), 'librdkafka refuses a client setting: No such configuration property: "no.such.setting"'),
            (("-X", "acks=7777777"), "librdkafka refuses a client setting"),
            (("--topic-config", "x"), "'x' is no key=value"),
            (("--kill-command", "kill {id}"), "make sense with --bootstrap-server only"),
            (("-b", "localhost"), "'localhost' is no host:port"),
            (("-b", "localhost:1", "--kill-command", "kill it"), "has no {id} in it"),
            (("-b", "localhost:1", "--pid-file-pattern", "/run/kafka.pid"), "has no {id} in it"),
            (("-b", "localhost:1"), "must be able to kill and start a broker"),
        ],
    )
    def test_wrong_usage(self, arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        said = refused(capsys, "prove", "leader-election", "--evidence", str(tmp_path / "evidence"), *arguments)
        assert why in said
        assert not (tmp_path / "evidence").exists()

    def test_nobody_at_the_address(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        commands = ("--kill-command", "true {id}", "--start-command", "true {id}", "--evidence", str(tmp_path / "evidence"))
        said = refused(capsys, "prove", "leader-election", "-b", "127.0.0.1:1", *commands)
        assert "no broker answers at 127.0.0.1:1" in said
        assert "next: check --bootstrap-server" in said

    def test_an_evidence_folder_that_is_in_use(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "x").write_text("")
        assert "is not empty" in refused(capsys, "prove", "leader-election", "--evidence", str(tmp_path))

    def test_judging_what_is_no_evidence(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert "is no evidence folder" in refused(capsys, "prove", "--judge", str(tmp_path))


class TestJudgeAgain:
    KAFKA = Settings(broker={"broker.session.timeout.ms": "9000"})

    def test_held(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        write_evidence(tmp_path / "e", a_killed_leader().history(), self.KAFKA)
        assert main(["prove", "--judge", str(tmp_path / "e"), "--junit", str(tmp_path / "junit.xml")]) == 0
        assert capsys.readouterr().out.startswith("HELD in this run")
        assert "<testsuites" in (tmp_path / "junit.xml").read_text()

    def test_broken(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        write_evidence(tmp_path / "e", a_killed_leader().send(1, at_s=20).history(), self.KAFKA)
        assert main(["prove", "--judge", str(tmp_path / "e"), "--format", "json"]) == 1
        assert json.loads(capsys.readouterr().out)["verdict"] == "broken"

    def test_invalid(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        write_evidence(tmp_path / "e", Story().history(), self.KAFKA)
        assert main(["prove", "--judge", str(tmp_path / "e")]) == 3
        assert capsys.readouterr().out.startswith("INVALID in this run")


def test_the_list_has_the_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "--list"]) == 0
    assert capsys.readouterr().out.startswith("leader-election  kill -9")


def test_settings_go_to_the_client_that_knows_them() -> None:
    from holdwater.cli.prove import _client_settings

    producer, consumer = _client_settings(["acks=1", "fetch.wait.max.ms=7", "socket.timeout.ms=9", "linger.ms=3", "group.id=g"])
    assert producer == {"acks": "1", "socket.timeout.ms": "9", "linger.ms": "3"}
    assert consumer == {"fetch.wait.max.ms": "7", "socket.timeout.ms": "9", "group.id": "g"}
