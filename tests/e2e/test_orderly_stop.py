"""A whole cluster that is told to stop at once stops in order, and quickly; a broker that is left alone does not wait for ever."""

import time
from pathlib import Path

from tests.support.cluster import running


def test_all_brokers_together_stop_in_order(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        cluster.create_topic("t", partitions=3)
        told = time.monotonic()
    assert time.monotonic() - told < 15.0, "20 s later they would have been killed"
    logs = [cluster.log(broker) for broker in (1, 2, 3)]
    assert all("stopped cleanly" in log for log in logs)
    # Each is told by the active controller that its leaders have moved; on a machine that is too busy one may have waited long enough.
    assert sum("without one" in log for log in logs) <= 1


def test_the_last_broker_stops_without_a_quorum(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        cluster.create_topic("t", partitions=3)
        cluster.kill(1)
        cluster.kill(2)
        told = time.monotonic()
    assert time.monotonic() - told < 18.0, "20 s later it would have been killed"
    log = cluster.log(3)
    assert "no active controller answers: stopping without one" in log
    assert "stopped cleanly" in log
