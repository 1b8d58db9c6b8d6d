"""Subscriptions by regular expression: when they are looked up, what is written, and what the members get."""

from tests.support.consumer_groups import Bench, Consumer

from holdwater.core.groups.consumer.state import ResolvedRegex
from holdwater.kernel.errors import ErrorCode

MINUTE_MS = 60_000


def bench_with_topics() -> Bench:
    return Bench(topics={"orders": 2, "orders-eu": 2, "returns": 2}, group_consumer_assignment_interval_ms="0")


def topics_of(bench: Bench, regex: str) -> tuple[str, ...]:
    return bench.group.state.resolved[regex].topics


def test_the_expression_is_looked_up_after_the_heartbeat() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", [], regex="orders.*")
    response = a.beat()
    assert (response.error_code, response.member_epoch, bench.names(response.assignment)) == (0, 1, {})
    assert bench.group.state.resolved == {}
    bench.wait()
    assert bench.group.state.resolved == {"orders.*": ResolvedRegex(("orders", "orders-eu"), bench.host.topics.version, bench.host.wall_ms)}
    assert bench.group.state.group_epoch == 2
    assert bench.names(a.beat().assignment) == {"orders": [0, 1], "orders-eu": [0, 1]}
    assert a.epoch == 2


def test_the_whole_name_must_match() -> None:
    bench = bench_with_topics()
    Consumer(bench, "a", [], regex="order").beat()
    bench.wait()
    assert topics_of(bench, "order") == ()


def test_an_invalid_expression_is_refused_and_nobody_joins() -> None:
    bench = bench_with_topics()
    response = bench.join("a", subscribed_topic_regex="(orders", subscribed_topic_names=None)
    assert response.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION
    assert "(orders" in (response.error_message or "")
    assert bench.group.is_empty
    assert (
        bench.join("a", subscribed_topic_regex=r"(?=orders)", subscribed_topic_names=None).error_code
        == ErrorCode.INVALID_REGULAR_EXPRESSION
    )


def test_who_joins_with_a_known_expression_need_not_wait() -> None:
    bench = bench_with_topics()
    a, b = Consumer(bench, "a", [], regex="orders.*"), Consumer(bench, "b", [], regex="orders.*")
    a.beat()
    bench.wait()
    a.settle()
    b.settle()
    a.settle()
    b.settle()
    assert (len(a.uses), len(b.uses), a.epoch, b.epoch) == (2, 2, 3, 3)


def test_names_and_an_expression_together() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", ["returns"], regex="orders")
    a.settle()
    assert bench.owned_names("a") == {"returns": [0, 1]}
    bench.wait()
    a.settle()
    assert bench.owned_names("a") == {"orders": [0, 1], "returns": [0, 1]}


def test_a_new_topic_is_found_ten_seconds_later_at_the_earliest() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", [], regex="orders.*")
    a.beat()
    bench.wait()
    a.settle()
    bench.put_topic("orders-us", 1)
    bench.wait(10_000)
    a.settle()
    bench.wait()
    assert "orders-us" not in topics_of(bench, "orders.*")
    bench.wait(1)
    a.settle()
    bench.wait()
    a.settle()
    assert bench.owned_names("a") == {"orders": [0, 1], "orders-eu": [0, 1], "orders-us": [0]}


def test_a_deleted_topic_goes_too() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", [], regex="orders.*")
    a.beat()
    bench.wait()
    a.settle()
    bench.drop_topic("orders-eu")
    bench.wait(11_000)
    a.settle()
    bench.wait()
    a.settle()
    assert topics_of(bench, "orders.*") == ("orders",)
    assert bench.owned_names("a") == {"orders": [0, 1]}


def test_nothing_is_looked_up_without_need_until_the_refresh_interval_has_passed() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", [], regex="orders.*")
    a.beat()
    bench.wait()
    a.settle()
    length, first = len(bench.host.log), bench.group.state.resolved["orders.*"].wall_ms
    for _ in range(20):
        bench.wait(30_000)
        a.settle()
    assert (len(bench.host.log), bench.group.state.resolved["orders.*"].wall_ms) == (length, first)
    bench.wait(30_000)
    a.settle()
    bench.wait()
    assert bench.group.state.resolved["orders.*"].wall_ms == bench.host.wall_ms
    assert len(bench.host.log) == length + 1, "the topics are the same, so the group epoch is too"


def test_a_second_expression_waits_for_its_turn() -> None:
    bench = bench_with_topics()
    a, b = Consumer(bench, "a", [], regex="orders"), Consumer(bench, "b", [], regex="returns")
    a.beat()
    bench.wait()
    b.beat()
    bench.wait()
    assert sorted(bench.group.state.resolved) == ["orders"]
    bench.wait(11_000)
    a.beat()
    bench.wait()
    assert sorted(bench.group.state.resolved) == ["orders", "returns"]
    for consumer in (a, b, a, b):
        consumer.settle()
    assert (bench.owned_names("a"), bench.owned_names("b")) == ({"orders": [0, 1]}, {"returns": [0, 1]})


def test_an_expression_without_subscribers_is_forgotten() -> None:
    bench = bench_with_topics()
    a, b = Consumer(bench, "a", [], regex="orders"), Consumer(bench, "b", ["returns"])
    a.beat()
    b.beat()
    bench.wait()
    a.settle()
    a.leave()
    assert bench.group.state.resolved == {}
    assert not bench.group.is_subscribed_to("orders")
    epoch = bench.group.state.group_epoch
    bench.put_topic("orders", 9)
    b.settle()
    assert bench.group.state.group_epoch == epoch, "nobody subscribes to it any more"


def test_an_expression_stays_while_another_member_subscribes_with_it() -> None:
    bench = bench_with_topics()
    a, b = Consumer(bench, "a", [], regex="orders"), Consumer(bench, "b", [], regex="orders")
    a.beat()
    bench.wait()
    a.settle()
    b.settle()
    a.leave()
    b.settle()
    assert bench.owned_names("b") == {"orders": [0, 1]}


def test_an_expression_that_matches_what_others_subscribe_to_by_name() -> None:
    bench = bench_with_topics()
    a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", [], regex="orders")
    for consumer in (a, b):
        consumer.settle()
    bench.wait()
    for consumer in (a, b, a, b):
        consumer.settle()
    assert (len(a.uses), len(b.uses)) == (1, 1)


def test_another_expression_ends_the_one_before() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", [], regex="orders")
    a.beat()
    bench.wait()
    a.settle()
    bench.wait(11_000)
    a.regex, a.sends_all = "returns", True
    told = a.beat()
    assert bench.names(told.assignment) == {}, "what is not resolved yet matches nothing"
    assert bench.group.state.resolved == {}
    bench.wait()
    a.settle()
    assert bench.owned_names("a") == {"returns": [0, 1]}


def test_an_expression_given_up_is_reason_to_look_up_the_others() -> None:
    bench = bench_with_topics()
    a, b = Consumer(bench, "a", ["returns"], regex="orders"), Consumer(bench, "b", [], regex="returns")
    for consumer in (a, b):
        consumer.beat()
    bench.wait()
    for consumer in (a, b):
        consumer.settle()
    bench.wait(11_000)
    a.regex, a.sends_all = "", True
    a.settle()
    bench.wait()
    assert bench.group.state.resolved["returns"].wall_ms == bench.host.wall_ms


def test_an_expression_given_up_leaves_the_names() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", ["returns"], regex="orders")
    a.beat()
    bench.wait()
    a.settle()
    epoch = bench.group.state.group_epoch
    a.regex, a.sends_all = "", True
    a.settle()
    assert (bench.owned_names("a"), bench.group.state.group_epoch) == ({"returns": [0, 1]}, epoch + 1)


def test_a_new_coordinator_knows_what_was_looked_up() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", [], regex="orders")
    a.beat()
    bench.wait()
    a.settle()
    had = bench.owned_names("a")
    bench.reload()
    a.settle()
    assert bench.owned_names("a") == had == {"orders": [0, 1]}


def test_an_expression_of_the_log_that_is_none_here_matches_nothing() -> None:
    bench = bench_with_topics()
    Consumer(bench, "a", [], regex="orders").beat()
    member = bench.group.state.members["a"]
    bench.group.state.members["a"] = member._replace(subscribed_topic_regex=r"\p{Greek}")
    bench.group.state.regex_counts.clear()
    bench.group.state.regex_counts[r"\p{Greek}"] = 1
    bench.wait()
    assert topics_of(bench, r"\p{Greek}") == ()
    assert any("matches nothing" in note for note in bench.host.notes)


def test_a_wall_clock_that_was_set_back_does_not_stop_look_ups() -> None:
    bench = bench_with_topics()
    a = Consumer(bench, "a", [], regex="orders.*")
    a.beat()
    bench.wait()
    a.settle()
    bench.host.wall_base_ms -= 24 * 60 * MINUTE_MS
    bench.put_topic("orders-us", 1)
    a.settle()
    bench.wait()
    assert "orders-us" in topics_of(bench, "orders.*")
