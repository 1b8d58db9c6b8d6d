"""A process whose disk takes its time, or fails, one that is woken late, and who may connect to one that starts."""

import pytest

from holdwater.kernel.ports import DiskFailure
from holdwater.sim.cluster import SimCluster
from holdwater.sim.disk import Fault, Operation
from holdwater.sim.kinds import clock
from holdwater.sim.network import End
from holdwater.sim.node import NodeStopped, SimNode

STALL_US = 3_000_000


def whole() -> tuple[SimCluster, SimNode]:
    """A cluster at work, and its active controller."""
    cluster = SimCluster(1)
    cluster.start()
    cluster.until("every broker is unfenced", cluster.all_unfenced, 10_000)
    active = cluster.active_controller()
    assert active is not None
    return cluster, cluster.nodes[active]


def spoke_between(cluster: SimCluster, node: SimNode, begin_us: int, end_us: int) -> bool:
    """Whether something of a node's arrived anywhere."""
    told = [line for line in cluster.trace.last if f" < {node.machine} " in line]
    return any(begin_us < int(line.partition(" ")[0]) < end_us for line in told)


def stall_once(node: SimNode, name: str) -> None:
    """The next operation of that name takes its time."""

    def on_operation(operation: Operation) -> None:
        if operation.name == name:
            node.disk.disarm(on_operation)
            node.disk.stall(STALL_US)

    node.disk.arm(on_operation)


def test_a_disk_operation_that_takes_its_time_holds_the_process_up() -> None:
    cluster, node = whole()
    stall_once(node, "sync")
    cluster.until("the disk takes its time", lambda: node.disk.on_operation is None, 10_000)
    begin_us = cluster.scheduler.now_us
    assert node.stalls_until_us == begin_us + STALL_US
    cluster.run(STALL_US // 1000 + 1_000)
    assert not spoke_between(cluster, node, begin_us + 25_000, begin_us + STALL_US)
    assert spoke_between(cluster, node, begin_us + STALL_US, begin_us + STALL_US + 500_000)
    cluster.until("it is taken back", cluster.all_unfenced, 20_000)
    assert node.incarnation == 1


def test_a_process_that_the_disk_holds_up_may_be_killed() -> None:
    cluster, node = whole()
    stall_once(node, "sync")
    cluster.until("the disk takes its time", lambda: node.disk.on_operation is None, 10_000)
    node.kill()
    node.start()
    cluster.until("it is back", lambda: node.state == "RUNNING", 1_000)
    assert node.stalls_until_us <= cluster.scheduler.now_us
    cluster.run(2 * STALL_US // 1000)
    cluster.until("it is taken back", cluster.all_unfenced, 20_000)


def test_a_pause_and_a_disk_that_takes_its_time_end_in_any_order() -> None:
    for pause_ms in (STALL_US // 2000, STALL_US // 500):
        cluster, node = whole()
        stall_once(node, "sync")
        cluster.until("the disk takes its time", lambda node=node: node.disk.on_operation is None, 10_000)
        begin_us = cluster.scheduler.now_us
        node.pause()
        cluster.run(pause_ms)
        node.resume()
        cluster.run(max(STALL_US // 1000 - pause_ms, 0) + 500)
        last_us = begin_us + max(STALL_US, pause_ms * 1000)
        assert not spoke_between(cluster, node, begin_us + STALL_US + 25_000, last_us)
        assert spoke_between(cluster, node, last_us, last_us + 500_000)
        cluster.until("it is taken back", cluster.all_unfenced, 20_000)


def test_recovery_takes_as_long_as_the_disk_does() -> None:
    cluster, node = whole()
    node.kill()
    stall_once(node, "list_directory")
    node.start()
    cluster.run(STALL_US // 1000 - 100)
    assert node.state == "LOADING"
    cluster.run(200)
    assert node.state == "RUNNING"


@pytest.mark.parametrize("name", ["sync", "read_file"])
def test_a_process_whose_only_disk_fails_ends_and_is_no_failure_of_the_run(name: str) -> None:
    cluster, node = whole()
    stopped: list[SimNode] = []
    node.on_disk_stop = stopped.append
    if name == "read_file":
        node.kill()
    node.disk.arm(lambda operation: Fault.IO_ERROR if operation.name == name else None)
    if name == "read_file":
        node.start()
    cluster.run(10_000)
    assert stopped == [node]
    assert node.state == "OFF"
    assert node.disk.on_operation is None
    node.start()
    cluster.until("it is back", cluster.all_unfenced, 20_000)


def test_a_disk_that_fails_of_its_own_accord_is_a_failure_of_the_run() -> None:
    cluster, node = whole()

    def on_operation(operation: Operation) -> None:
        raise DiskFailure(operation.path, operation.name, "nobody asked for it")

    node.disk.arm(on_operation)
    with pytest.raises(DiskFailure, match="nobody asked"):
        cluster.run(10_000)


def test_a_broker_that_stops_for_another_reason_is_a_failure_of_the_run() -> None:
    cluster, node = whole()
    assert node.broker is not None
    node.broker.stop_requested = "it has had enough"
    with pytest.raises(NodeStopped, match="enough"):
        cluster.run(10_000)


def test_a_process_may_be_woken_late() -> None:
    cluster, node = whole()
    told: list[int] = []
    node.wake_late(cluster.scheduler.now_us + 5_000_000, 2_000_000, lambda: told.append(cluster.now_ms))
    cluster.run(5_000)
    assert told
    count = len(told)
    cluster.run(10_000)
    assert len(told) == count
    assert cluster.all_unfenced()


def test_a_clean_stop_is_remembered_over_a_process_that_did_not_come_to_take_its_mark() -> None:
    cluster, node = whole()
    node.stop()
    cluster.until("it has stopped", lambda: node.state == "OFF", 10_000)
    node.disk.arm(lambda operation: Fault.IO_ERROR if operation.name == "list_directory" else None)
    node.start()
    assert node.state == "OFF"
    node.start()
    assert node.started_after_clean_stop
    cluster.until("it is back", cluster.all_unfenced, 20_000)
    node.kill()
    node.start()
    assert not node.started_after_clean_stop


def test_a_clean_stop_is_not_remembered_over_a_process_that_took_its_mark() -> None:
    cluster, node = whole()
    node.stop()
    cluster.until("it has stopped", lambda: node.state == "OFF", 10_000)
    node.disk.arm(lambda operation: Fault.CRASH if operation.path.endswith("recovery-point-offset-checkpoint") else None)
    node.start()
    assert node.state == "OFF"
    node.start()
    assert not node.started_after_clean_stop


class Caller:
    """Somebody elsewhere who tries to connect, and is told once."""

    def __init__(self, cluster: SimCluster, node: SimNode, listener: str) -> None:
        self.told = ""
        port = next(at.port for at in node.config.listener_plan.bound if at.name == listener)
        self._end: End = cluster.network.connect("elsewhere", node.machine, port, self)
        cluster.run(200)

    def opened(self) -> None:
        self.told = "connected"

    def received(self, frames: list[bytes]) -> None:
        raise AssertionError("nobody asked")

    def closed(self) -> None:
        self.told = self.told or "refused"


def test_clients_get_in_once_a_broker_was_unfenced_and_then_for_good() -> None:
    """As ``BrokerServer.startup`` of Kafka has it. Before that, what it knows may be old, or nothing."""
    cluster, _ = whole()
    for node in cluster.nodes.values():
        node.kill()
    first, second, _ = cluster.nodes.values()
    first.start()
    cluster.run(5_000)
    assert first.state == "RUNNING"
    assert Caller(cluster, first, "CONTROLLER").told == "connected"
    assert Caller(cluster, first, "PLAINTEXT").told == "refused"
    second.start()
    cluster.until(
        "two are unfenced", lambda: all(n.broker is not None and n.broker.lifecycle.state == "RUNNING" for n in (first, second)), 20_000
    )
    assert Caller(cluster, first, "PLAINTEXT").told == "connected"
    second.kill()
    cluster.run(20_000)  # alone again, and no longer told that it is part of anything
    assert Caller(cluster, first, "PLAINTEXT").told == "connected"


def test_clocks_that_jump_stay_together_less_than_producers_are_remembered() -> None:
    """One may be late while another is early; who starts by the early one must not forget the producers of what the late one stamped."""
    config = SimCluster(1).nodes[1].config
    assert config.int("producer.id.expiration.ms") > 2 * clock.LARGE_JUMP_MAX_MS
