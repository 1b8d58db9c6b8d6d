"""franz-go, through the small program in ``franz/``, against a live cluster."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.cluster import RunningCluster

COUNT = 5000
pytestmark = [pytest.mark.go, pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")]


@pytest.mark.parametrize(
    "compression",
    ["snappy", *(pytest.param(codec, marks=pytest.mark.slow) for codec in ("none", "gzip", "lz4", "zstd"))],
)
def test_idempotent_writes_are_read_back_in_order(cluster: RunningCluster, topic: str, program: Path, compression: str) -> None:
    done = subprocess.run(
        [str(program), "produce", cluster.bootstrap, topic, "3", str(COUNT), compression],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["acknowledged"], found["read"], found["in_order"]) == (COUNT, COUNT, True)
    assert sum(found["end_offsets"].values()) == COUNT
