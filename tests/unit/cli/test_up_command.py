"""``holdwater up``: directories and flags that it refuses before anything is started."""

import argparse
import tempfile
from pathlib import Path

import pytest

from holdwater.cli import up
from holdwater.cli.main import main
from holdwater.cluster.plan import make_plan


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    assert main(["up", *arguments]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    return said.err


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The directory of a cluster of three on port 9092."""
    make_plan(brokers=3, host="127.0.0.1", port=9092, racks=["a", "b"], settings={}).save(tmp_path)
    return tmp_path


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    up.add_arguments(parser)
    return parser.parse_args(given)


def test_a_directory_of_something_else_is_refused_and_left_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text("node.id=7\n")
    said = refused(capsys, "--port", "0", "--data", str(tmp_path), code=1)
    assert f"{tmp_path} is not empty and has no cluster.json" in said
    assert "name an empty directory with --data" in said
    assert [path.name for path in tmp_path.iterdir()] == ["meta.properties"]


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--brokers", "1"), "was made with --brokers 3, not with --brokers 1;"),
        (("--port", "9500", "--brokers", "5"), "was made with --brokers 3, --port 9092, not with --brokers 5, --port 9500;"),
        (("--racks", "a,c"), "was made with --racks a,b,a, not with --racks a,c;"),
        (("--racks", ""), "was made with --racks a,b,a, not with no --racks;"),
        (("--host", "127.0.0.2"), "was made with --host 127.0.0.1, not with --host 127.0.0.2;"),
    ],
)
def test_a_cluster_stays_as_it_was_made(flags: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str], kept: Path) -> None:
    before = (kept / "cluster.json").read_bytes()
    said = refused(capsys, "--data", str(kept), *flags, code=2)
    assert why in said
    assert "name another directory with --data" in said
    assert (kept / "cluster.json").read_bytes() == before


@pytest.mark.parametrize(
    "flags",
    [(), ("--port", "0"), ("--port", "9092"), ("--brokers", "3"), ("--racks", "a,b"), ("--racks", "a,b,a"), ("--host", "127.0.0.1")],
)
def test_flags_that_say_the_same_are_followed(flags: tuple[str, ...], kept: Path) -> None:
    assert len(up._plan(arguments(*flags), kept, {}).nodes) == 3


@pytest.mark.parametrize("keeps", [False, True])
def test_ctrl_c_while_a_cluster_is_made_leaves_nothing(
    keeps: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(plan: object, directory: Path) -> None:
        (directory / "broker-1").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(up, "format_cluster", interrupted)
    assert main(["up", "--port", "0", *(("--data", str(tmp_path)) if keeps else ())]) == 130
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_numbers_are_spoken_of_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["up", "--port", "abc"])
    assert "argument --port: 'abc' is no whole number" in capsys.readouterr().err
