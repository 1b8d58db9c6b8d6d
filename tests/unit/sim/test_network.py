"""Connections between machines, and how they break."""

from holdwater.kernel.rng import Rng
from holdwater.sim.clock import Scheduler
from holdwater.sim.network import End, Network
from holdwater.sim.trace import Trace


class Owner:
    """Writes down what it is told."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.told: list[str] = []
        self.at_us: list[int] = []
        self.end: End | None = None

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.at_us.append(self._scheduler.now_us)

    def opened(self) -> None:
        self._tell("opened")

    def received(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._tell(frame.decode())

    def closed(self) -> None:
        self._tell("closed")


class Bench:
    """Machine ``a`` connects to a listener of machine ``b``."""

    def __init__(self, seed: int = 1) -> None:
        self.scheduler = Scheduler()
        self.network = Network(self.scheduler, Rng(seed), Trace(lambda: self.scheduler.now_us), delay_us=(100, 1_000), rare_delay_us=5_000)
        self.client = Owner(self.scheduler)
        self.server = Owner(self.scheduler)

    def listen(self) -> None:
        def accept(end: End) -> Owner:
            self.server.end = end
            return self.server

        self.network.listen("b", 9092, accept)

    def connect(self) -> None:
        self.client.end = self.network.connect("a", "b", 9092, self.client)

    def connected(self) -> "Bench":
        self.listen()
        self.connect()
        self.run(50)
        assert self.client.told == ["opened"]
        return self

    def say(self, owner: Owner, *words: str) -> None:
        assert owner.end is not None
        self.network.send(owner.end, b"".join(len(word).to_bytes(4, "big") + word.encode() for word in words))

    def run(self, duration_ms: int) -> None:
        self.scheduler.run(self.scheduler.now_us + duration_ms * 1000)


def test_frames_arrive_in_order_and_cut() -> None:
    for seed in range(20):
        bench = Bench(seed).connected()
        for number in range(50):
            bench.say(bench.client, f"{number}", f"{number}+")
        bench.say(bench.server, "hello")
        bench.run(50)
        assert bench.server.told == [word for number in range(50) for word in (f"{number}", f"{number}+")]
        assert bench.client.told == ["opened", "hello"]
        assert bench.server.at_us == sorted(bench.server.at_us)


def test_nobody_listens() -> None:
    bench = Bench()
    bench.connect()
    bench.run(50)
    assert bench.client.told == ["closed"]


def test_whoever_closes_hears_nothing_more_and_the_other_hears_it_after_what_was_sent() -> None:
    bench = Bench().connected()
    bench.say(bench.client, "last words")
    bench.say(bench.server, "too late")
    assert bench.client.end is not None
    bench.network.close(bench.client.end)
    bench.run(50)
    assert bench.server.told == ["last words", "closed"]
    assert bench.client.told == ["opened"]


def test_a_process_that_ends_closes_what_it_had_open() -> None:
    bench = Bench().connected()
    bench.network.process_ended("b")
    bench.run(50)
    assert bench.client.told == ["opened", "closed"]
    assert bench.server.told == []
    bench.connect()
    bench.run(50)
    assert bench.client.told == ["opened", "closed", "closed"]


def test_a_machine_without_power_says_nothing_until_it_is_back() -> None:
    bench = Bench().connected()
    bench.say(bench.server, "on its way")
    bench.network.power_off("b")
    bench.run(60_000)
    bench.say(bench.client, "anybody there?")
    bench.run(60_000)
    assert bench.client.told == ["opened"]
    bench.network.power_on("b")
    bench.run(50)
    assert bench.client.told == ["opened", "closed"]
    assert bench.server.told == []


def test_a_netsplit_holds_back_and_delivers_in_order_when_it_heals() -> None:
    bench = Bench().connected()
    bench.say(bench.client, "before")
    bench.network.cut("a", "b")
    bench.say(bench.client, "during")
    bench.say(bench.server, "the other way")
    bench.run(30_000)
    assert bench.server.told == []
    assert bench.client.told == ["opened", "the other way"]
    bench.network.heal()
    bench.say(bench.client, "after")
    bench.run(50)
    assert bench.server.told == ["before", "during", "after"]


def test_a_connection_attempt_outlasts_a_short_netsplit_and_not_a_long_one() -> None:
    bench = Bench()
    bench.listen()
    bench.network.cut("b", "a")
    bench.connect()
    bench.run(2_500)
    bench.network.heal()
    bench.run(1_000)
    assert bench.client.told == ["opened"]

    bench = Bench()
    bench.listen()
    bench.network.cut("b", "a")
    bench.connect()
    bench.run(200_000)
    assert bench.client.told == ["closed"]


def test_a_connection_that_breaks_loses_what_is_under_way_and_tells_both() -> None:
    bench = Bench().connected()
    bench.say(bench.client, "lost")
    assert bench.network.break_connections("a", "b") == 1
    bench.run(50)
    assert bench.client.told == ["opened", "closed"]
    assert bench.server.told == ["closed"]


def test_a_slow_network_is_slow() -> None:
    quick, slow = Bench().connected(), Bench().connected()
    slow.network.slow_down(50)
    for bench in (quick, slow):
        begin_us = bench.scheduler.now_us
        bench.say(bench.client, "x")
        bench.run(10_000)
        bench.server.at_us.append(bench.server.at_us[0] - begin_us)
    assert slow.server.at_us[-1] == 50 * quick.server.at_us[-1]
