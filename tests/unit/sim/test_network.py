"""Connections between machines, and how they break."""

from holdwater.kernel.rng import Rng
from holdwater.sim.clock import Scheduler
from holdwater.sim.network import End, Hindrance, Network
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
        self.told: list[str] = []
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


def test_netsplits_that_overlap_end_each_by_itself() -> None:
    bench = Bench().connected()
    bench.network.cut("a", "b", owner=1)
    bench.network.cut("a", "b", owner=2)
    bench.network.cut("b", "a", owner=1)
    bench.say(bench.client, "held")
    bench.say(bench.server, "back")
    bench.run(50)
    bench.network.heal(1)
    bench.run(50)
    assert (bench.client.told, bench.server.told) == (["opened", "back"], [])
    bench.network.heal(7)
    bench.run(50)
    assert bench.server.told == []
    bench.network.heal(2)
    bench.run(50)
    assert bench.server.told == ["held"]


def test_a_netsplit_may_befall_one_port_alone() -> None:
    bench = Bench().connected()
    bench.network.cut("a", "b", port=9093)
    bench.network.cut("b", "a", port=9093)
    bench.say(bench.client, "through")
    bench.say(bench.server, "back")
    bench.run(50)
    assert (bench.client.told, bench.server.told) == (["opened", "back"], ["through"])
    bench.network.cut("b", "a", port=9092)
    bench.say(bench.client, "through")
    bench.say(bench.server, "held")
    bench.run(50)
    assert (bench.client.told, bench.server.told) == (["opened", "back"], ["through", "through"])


def test_every_connection_of_a_machine_may_break() -> None:
    bench = Bench().connected()
    other = Owner(bench.scheduler)
    other.end = bench.network.connect("c", "b", 9092, other)
    bench.run(50)
    assert bench.network.machines() == ["a", "b", "c"]
    assert bench.network.break_connections("b") == 2
    bench.run(50)
    assert (bench.client.told, other.told) == (["opened", "closed"], ["opened", "closed"])


def arrival_us(bench: Bench, size: int = 1) -> int:
    """How long a message takes from a to b."""
    begin_us = bench.scheduler.now_us
    bench.say(bench.client, "x" * size)
    bench.run(60_000)
    return bench.server.at_us[-1] - begin_us


def test_a_link_may_be_slow_in_one_direction_until_its_owner_ends_that() -> None:
    usual = arrival_us(Bench().connected())
    bench = Bench().connected()
    bench.network.hinder("a", "b", Hindrance(factor=30), 1)
    bench.network.hinder("a", "b", Hindrance(factor=7), 2)
    assert arrival_us(bench) == 30 * usual
    bench = Bench().connected()
    bench.network.hinder("b", "a", Hindrance(factor=30), 1)
    assert arrival_us(bench) == usual
    bench = Bench().connected()
    bench.network.hinder("a", "b", Hindrance(factor=30), 1)
    bench.network.slow_down(9, 2)
    bench.network.unhinder(1)
    assert arrival_us(bench) == 9 * usual
    bench = Bench().connected()
    bench.network.slow_down(9, 2)
    bench.network.unhinder(2)
    assert arrival_us(bench) == usual


def test_a_narrow_link_lets_few_bytes_through_in_a_millisecond_whoever_they_are_for() -> None:
    bench = Bench().connected()
    bench.network.hinder("a", "b", Hindrance(bytes_per_ms=10), 1)
    for _ in range(3):
        bench.say(bench.client, "y" * 996)
    assert 300_000 <= arrival_us(bench) <= 310_000
    assert arrival_us(bench) < 10_000


def test_some_connections_are_refused_though_somebody_listens() -> None:
    bench = Bench()
    bench.listen()
    bench.network.refuse_some(60_000_000, lambda: bench.told.append("refused"))
    for _ in range(50):
        bench.connect()
    bench.run(1_000)
    assert bench.client.told.count("closed") == len(bench.told)
    assert 5 < len(bench.told) < 30
    bench.run(60_000)
    bench.client.told.clear()
    bench.connect()
    bench.run(1_000)
    assert bench.client.told == ["opened"]


def test_connections_may_be_made_late() -> None:
    bench = Bench()
    bench.listen()
    bench.network.connect_late(1_000_000, 500_000, lambda: bench.told.append("late"))
    for _ in range(20):
        bench.connect()
    bench.run(1_000)
    assert bench.told == ["late"] * 20
    assert bench.client.told == ["opened"] * 20
    assert max(bench.client.at_us) > 300_000


def test_what_is_under_way_may_arrive_in_one_piece_and_in_order() -> None:
    bench = Bench().connected()
    bench.network.join(60_000_000, lambda: bench.told.append("joined"))
    for number in range(20):
        bench.say(bench.client, str(number))
        bench.run(20)
    assert bench.client.end is not None
    bench.network.close(bench.client.end)
    bench.run(1_000)
    assert bench.server.told == [*map(str, range(20)), "closed"]
    assert len(set(bench.server.at_us)) < 20
    assert bench.told


def test_everything_is_mended_at_once() -> None:
    usual = arrival_us(Bench().connected())
    bench = Bench().connected()
    bench.network.cut("a", "b", owner=3)
    bench.network.hinder("a", "b", Hindrance(factor=30), 1)
    bench.network.slow_down(9, 2)
    bench.network.join(60_000_000, lambda: bench.told.append("joined"))
    bench.network.mend()
    assert arrival_us(bench) == usual


def test_a_connection_may_be_asked_for_some_time_before_it_is_made() -> None:
    bench = Bench()
    bench.listen()
    bench.network.connect("a", "b", 9092, bench.client, after_us=700_000)
    bench.run(1_000)
    assert bench.client.told == ["opened"]
    assert bench.client.at_us[0] > 700_000
