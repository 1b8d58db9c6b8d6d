"""One run of the benchmarks: the work folder, the client, the clusters that run, and how a load on them is measured."""

import contextlib
import datetime as dt
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from benchmarks.clusters import MAKERS, TITLES, Cluster
from benchmarks.driving import Driver
from benchmarks.options import PARTITIONS, REPLICAS, Sizes
from benchmarks.processes import Load, LoadWatch, cpu_seconds
from holdwater.rpc import RpcError, calls

_SETTLED = "settled"
_SETTLE_LIMIT_S = 90.0
_TOPIC_TRIES = 5

Run = dict[str, Any]
"""One measurement: ``part``, ``mode``, ``workload``, ``system``, ``round``, its figures, and how busy the machine was with other things."""


class Session:
    """Use as a context manager: whatever it started is stopped at its end."""

    def __init__(self, folder: Path, sizes: Sizes, systems: tuple[str, ...], modes: tuple[str, ...]) -> None:
        self.folder = folder
        self.sizes = sizes
        self.systems = systems
        self.modes = modes
        self.runs: list[Run] = []
        self._began = time.monotonic()
        self._clusters: list[Cluster] = []
        self._numbers = Counter[str]()
        self._warm: dict[str, Cluster] = {}
        self._paused: dict[str, None] = {}
        self.driver = Driver(folder / "driver.log")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.close()
        for cluster in list(self._clusters):
            self.discard(cluster)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- telling

    def say(self, line: str) -> None:
        """One line of progress."""
        elapsed = int(time.monotonic() - self._began)
        print(f"[{elapsed // 60:3}:{elapsed % 60:02}] {line}", flush=True)

    def keep(self, run: Run, load: Load, said: str) -> None:
        """Keep a measurement, and tell it."""
        run["at"] = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M")
        run["load"] = {
            "seconds": load.seconds,
            "other_cores": load.other_cores,
            "steal_cores": load.steal_cores,
            "average": load.load_average,
        }
        self.runs.append(run)
        busy = "" if load.idle else f"   (not idle: others used {load.other_cores + load.steal_cores:.2f} cores)"
        what = " ".join(str(run[key]) for key in ("workload", "mode") if run.get(key))
        self.say(f"{run['part']}: {what} {run['round'] + 1}, {TITLES[run['system']]}: {said}{busy}".replace(":  ", ": "))

    def ordered(self, turn: int) -> tuple[str, ...]:
        """The systems in the order of this turn: each goes first every second time."""
        return self.systems if turn % 2 == 0 else tuple(reversed(self.systems))

    # --- clusters

    def make(self, system: str) -> Cluster:
        """A cluster in a new folder, not started."""
        self._numbers[system] += 1
        cluster = MAKERS[system](self.folder / f"{system}-{self._numbers[system]}")
        self._clusters.append(cluster)
        return cluster

    def start(self, system: str) -> Cluster:
        """A new cluster that runs."""
        cluster = self.make(system)
        cluster.prepare()
        cluster.launch()
        cluster.wait_ready()
        return cluster

    def discard(self, cluster: Cluster) -> None:
        """Stop a cluster and remove its data."""
        cluster.stop()
        self._clusters.remove(cluster)

    @contextlib.contextmanager
    def fresh(self, system: str) -> Iterator[Cluster]:
        """A new cluster, stopped and removed at the end; the other side does not run meanwhile."""
        self.end_warm()
        cluster = self.start(system)
        try:
            yield cluster
        finally:
            with contextlib.suppress(Exception):
                self.driver.ask("forget", bootstrap=cluster.bootstrap())
            self.discard(cluster)

    @contextlib.contextmanager
    def warm(self, system: str) -> Iterator[Cluster]:
        """The long-lived cluster of one side, while the other is paused (SIGSTOP)."""
        for other, cluster in self._warm.items():
            if other != system and other not in self._paused:
                self.driver.ask("forget", bootstrap=cluster.bootstrap())
                cluster.pause()
                self._paused[other] = None
        if system not in self._warm:
            cluster = self._warm[system] = self.start(system)
            self.driver.ask("create_topic", bootstrap=cluster.bootstrap(), topic=_SETTLED, partitions=3, replicas=REPLICAS)
        cluster = self._warm[system]
        if system in self._paused:
            cluster.resume()
            del self._paused[system]
            self._settle(cluster)
        yield cluster

    def start_over(self) -> None:
        """After a failure: stop every cluster, and begin with a new client, since the old one may be in the middle of something."""
        for cluster in list(self._clusters):
            self.discard(cluster)
        self._warm.clear()
        self._paused.clear()
        self.driver.close()
        self.driver = Driver(self.folder / "driver.log")

    def end_warm(self) -> None:
        """Stop the long-lived clusters."""
        for cluster in self._warm.values():
            self.discard(cluster)
        self._warm.clear()
        self._paused.clear()

    def _settle(self, cluster: Cluster) -> None:
        """A pause longer than the session timeout makes brokers suspect each other; wait until that is over."""
        deadline = time.monotonic() + _SETTLE_LIMIT_S
        time.sleep(2)
        quiet = 0
        while quiet < 5:
            quiet = quiet + 1 if full_isr(cluster, _SETTLED) else 0
            if time.monotonic() > deadline:
                raise RuntimeError(f"{TITLES[cluster.name]} did not settle after a pause")
            time.sleep(0.3)

    # --- loads

    def topic(
        self,
        cluster: Cluster,
        name: str,
        partitions: int = PARTITIONS,
        replicas: int = REPLICAS,
        config: Mapping[str, str] | None = None,
    ) -> str:
        """A new topic whose leaders are spread evenly, with settings of its own."""
        where = {"bootstrap": cluster.bootstrap(), "partitions": partitions, "replicas": replicas, "config": dict(config or {})}
        for attempt in range(_TOPIC_TRIES):
            topic = f"{name}-{attempt}"
            arguments = {**where, "topic": topic}
            leaders = Counter(self.driver.ask("create_topic", **arguments)["leaders"].values())
            if len(leaders) == 3 and max(leaders.values()) == min(leaders.values()):
                return topic
            self.delete(cluster, topic)
            time.sleep(1)
        raise RuntimeError(f"{TITLES[cluster.name]} did not spread the leaders of a topic over its brokers in {_TOPIC_TRIES} tries")

    def delete(self, cluster: Cluster, topic: str) -> None:
        """Delete a topic, so that the disk does not fill."""
        self.driver.ask("delete_topic", bootstrap=cluster.bootstrap(), topic=topic)

    def load(self, cluster: Cluster, op: str, **arguments: Any) -> tuple[Run, Load]:
        """Let the client load the cluster; adds the brokers' CPU time to its answer."""
        watch = LoadWatch()
        pids = cluster.all_pids()
        before = cpu_seconds(pids)
        answer = self.driver.ask(op, bootstrap=cluster.bootstrap(), **arguments)
        answer["broker_cpu_s"] = cpu_seconds(pids) - before
        return answer, watch.read()


def full_isr(cluster: Cluster, topic: str) -> bool:
    """Whether every broker says that the topic's partitions have a leader and all their replicas in sync."""
    for address in cluster.addresses().values():
        try:
            with calls.connect_to_any([address], timeout_s=2) as connection:
                state = calls.describe_topic(connection, topic)
        except RpcError:
            return False
        if state is None or any(one.leader < 0 or len(one.isr) != len(one.replicas) for one in state.partitions):
            return False
    return True
