"""franz-go, through the small program in ``franz/``, against a live cluster."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.cluster import RunningCluster

SOURCES = Path(__file__).parent / "franz"
COUNT = 5000
pytestmark = [pytest.mark.go, pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built once. Skips where the modules can't be had; a program that does not build is a failure."""
    fetched = subprocess.run(["go", "mod", "download"], cwd=SOURCES, capture_output=True, text=True, timeout=300, check=False)
    if fetched.returncode:
        pytest.skip(f"franz-go's modules can't be downloaded: {fetched.stderr.strip().splitlines()[-1]}")
    binary = tmp_path_factory.mktemp("franz") / "franz"
    built = subprocess.run(["go", "build", "-o", str(binary), "."], cwd=SOURCES, capture_output=True, text=True, timeout=600, check=False)
    assert built.returncode == 0, built.stderr
    return binary


@pytest.mark.parametrize(
    "compression",
    ["snappy", *(pytest.param(codec, marks=pytest.mark.slow) for codec in ("none", "gzip", "lz4", "zstd"))],
)
def test_idempotent_writes_are_read_back_in_order(cluster: RunningCluster, topic: str, program: Path, compression: str) -> None:
    done = subprocess.run(
        [str(program), cluster.bootstrap, topic, "3", str(COUNT), compression], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["acknowledged"], found["read"], found["in_order"]) == (COUNT, COUNT, True)
    assert sum(found["end_offsets"].values()) == COUNT
