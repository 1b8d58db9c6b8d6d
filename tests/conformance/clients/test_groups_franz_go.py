"""franz-go in groups of both protocols, its transactions, and its consume-transform-produce session."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conformance.clients.librdkafka import fill, read_all
from tests.conformance.clients.targets import bootstrap
from tests.support.cluster import Brokers

pytestmark = [pytest.mark.go, pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")]
PROTOCOLS = ["consumer", *(pytest.param(protocol, marks=pytest.mark.slow) for protocol in ("range", "cooperative-sticky"))]


def franz(program: Path, kafka: Brokers, what: str, *arguments: str) -> list[str]:
    done = subprocess.run([str(program), what, bootstrap(kafka), *arguments], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_members_come_and_go_and_take_over(kafka: Brokers, shared: str, program: Path, protocol: str) -> None:
    fill(kafka, shared, 60)
    assert franz(program, kafka, "groups", shared, protocol) == [
        "shared 3 3",
        "taken over 6",
        "read by the third 36 revoked from it 0",
    ]


def test_commits_aborts_and_fencing(kafka: Brokers, shared: str, program: Path) -> None:
    assert franz(program, kafka, "transactions", shared) == ["done"]
    committed, everything = read_all(kafka, shared), read_all(kafka, shared, isolation="read_uncommitted")
    assert (committed[0], committed[1]) == (["1-a", "3-a", "kept-a"], ["1-b", "3-b"])
    assert (everything[0], everything[1]) == (["0-a", "1-a", "2-a", "3-a", "lost-a", "kept-a"], ["0-b", "1-b", "2-b", "3-b"])


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["range", "cooperative-sticky", "consumer"])
def test_copied_exactly_once_while_members_come_and_go(kafka: Brokers, shared: str, program: Path, protocol: str) -> None:
    kafka.create_topic(f"{shared}-copy", partitions=6)
    fill(kafka, shared, 3000)
    assert franz(program, kafka, "copy", shared, f"{shared}-copy", protocol, "3000") == ["copied 3000"]
    found = read_all(kafka, f"{shared}-copy")
    assert found == {partition: [str(number) for number in range(partition, 3000, 6)] for partition in range(6)}
