"""A whole server.properties: what it means, and the one sentence for each rule it breaks."""

import pytest

from holdwater.kernel.configs.broker import BrokerConfig, InvalidConfig, Voter
from holdwater.kernel.configs.listeners import Listener

COMBINED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@127.0.0.1:9093,2@[::1]:9094",
    "log.dirs": "/a,/b",
}
BROKER = COMBINED | {
    "process.roles": "broker",
    "node.id": "7",
    "listeners": "INSIDE://:9092,OUTSIDE://0.0.0.0:9192",
    "advertised.listeners": "INSIDE://kafka-7:9092,OUTSIDE://kafka.example.org:9192",
    "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:SASL_SSL,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "INSIDE",
}


def problems(**changes: str | None) -> list[str]:
    return problems_of(COMBINED, changes)


def problems_of(base: dict[str, str], changes: dict[str, str | None]) -> list[str]:
    given = {
        name: text for name, text in (base | {key.replace("_", "."): text for key, text in changes.items()}).items() if text is not None
    }
    try:
        BrokerConfig(given)
    except InvalidConfig as error:
        return error.problems
    return []


def test_a_combined_node() -> None:
    config = BrokerConfig(COMBINED)
    assert (config.node_id, config.is_broker, config.is_controller) == (1, True, True)
    assert config.log_dirs == ["/a", "/b"]
    assert config.metadata_log_dir == "/a"
    assert config.voters == (Voter(1, "127.0.0.1", 9093), Voter(2, "::1", 9094))
    plan = config.listener_plan
    assert plan.bound == (Listener("PLAINTEXT", "127.0.0.1", 9092, "PLAINTEXT"), Listener("CONTROLLER", "127.0.0.1", 9093, "PLAINTEXT"))
    assert plan.advertised == plan.bound[:1]
    assert plan.advertised_controller == plan.bound[1:]
    assert plan.inter_broker_name == "PLAINTEXT"
    assert config.warnings == []


def test_a_broker_with_two_faces() -> None:
    plan = BrokerConfig(BROKER).listener_plan
    assert plan.advertised == (
        Listener("INSIDE", "kafka-7", 9092, "PLAINTEXT"),
        Listener("OUTSIDE", "kafka.example.org", 9192, "SASL_SSL"),
    )
    assert plan.advertised[1].protocol_number == 3
    assert plan.inter_broker_name == "INSIDE"


def test_values_come_typed_and_by_default() -> None:
    config = BrokerConfig(COMBINED | {"num.partitions": "6", "log.roll.ms": "1000"})
    assert config.int("num.partitions") == 6
    assert config.int("default.replication.factor") == 1
    assert config.bool("auto.leader.rebalance.enable") is True
    assert config.float("log.cleaner.min.cleanable.ratio") == 0.5
    assert config.optional_int("log.roll.ms") == 1000
    assert config.optional_int("log.retention.ms") is None
    assert config.string("compression.type") == "producer"
    assert config.optional_string("broker.rack") is None
    assert config.list("metric.reporters") == ["org.apache.kafka.common.metrics.JmxReporter"]
    assert config.int("socket.request.max.bytes") == 104857600
    assert config.int("queued.max.request.bytes") == 256 * 1024 * 1024


@pytest.mark.parametrize("name", ["no.such.key", "num.partitons"])
def test_asking_for_an_unknown_key_is_our_bug(name: str) -> None:
    with pytest.raises(KeyError):
        BrokerConfig(COMBINED).int(name)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"node_id": None}, "node.id must be set."),
        ({"process_roles": None}, "process.roles must be set."),
        ({"controller_listener_names": None}, "controller.listener.names must be set."),
        ({"node_id": "-1"}, "Value must be at least 0"),
        ({"broker_id": "2"}, "node.id and broker.id must have the same value"),
        ({"num_partitions": "many"}, "Not a number of type INT"),
        ({"listeners": "PLAINTEXT:9092,CONTROLLER://:9093"}, "listeners: 'PLAINTEXT:9092' is not NAME://HOST:PORT."),
        ({"listeners": "PLAINTEXT://:99999,CONTROLLER://:9093"}, "is not NAME://HOST:PORT."),
        ({"listeners": "INSIDE://:9092,CONTROLLER://:9093"}, "listeners: the listener INSIDE has no security protocol"),
        ({"listeners": "PLAINTEXT://:9093,CONTROLLER://:9093"}, "each listener must have a different port; 9093 appears twice."),
        ({"listeners": "PLAINTEXT://:1,PLAINTEXT://:2,CONTROLLER://:9093"}, "each listener must have a different name; PLAINTEXT appears twice."),
        ({"listeners": "PLAINTEXT://:9092"}, "CONTROLLER is not among listeners, though process.roles has controller."),
        ({"listeners": "CONTROLLER://:9093"}, "A broker needs a listener that is not a controller listener."),
        ({"advertised_listeners": "PLAINTEXT://0.0.0.0:9092"}, "0.0.0.0 cannot be connected to"),
        ({"inter_broker_listener_name": "INSIDE"}, "inter.broker.listener.name: INSIDE is not among the advertised listeners."),
        ({"inter_broker_listener_name": "CONTROLLER"}, "CONTROLLER is a controller listener; brokers need one of their own."),
        ({"security_inter_broker_protocol": "SSL"}, "No listener is named SSL"),
        (
            {"inter_broker_listener_name": "PLAINTEXT", "security_inter_broker_protocol": "PLAINTEXT"},
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.",
        ),
        ({"listener_security_protocol_map": "PLAINTEXT:PLAIN"}, "'PLAINTEXT:PLAIN' is not NAME:PROTOCOL with one of PLAINTEXT, SSL"),
        ({"listener_security_protocol_map": "A:SSL,a:SSL"}, "the listener a appears twice."),
        ({"controller_quorum_voters": "1:9093"}, "controller.quorum.voters: '1:9093' is not ID@HOST:PORT."),
        ({"controller_quorum_voters": "2@h:9093"}, "controller.quorum.voters must contain this node (1)"),
        ({"controller_quorum_voters": None}, "must say where the controllers are."),
        ({"broker_heartbeat_interval_ms": "5000"}, "broker.heartbeat.interval.ms (5000) must be at most half of broker.session.timeout.ms (9000)."),
        ({"queued_max_request_bytes": "1000"}, "queued.max.request.bytes must be at least socket.request.max.bytes"),
        ({"log_cleaner_max_compaction_lag_ms": "5", "log_cleaner_min_compaction_lag_ms": "6"}, "must be at most"),
    ],
)  # fmt: skip
def test_one_sentence_per_broken_rule(changes: dict[str, str | None], sentence: str) -> None:
    assert any(sentence in problem for problem in problems(**changes)), problems(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"node_id": "2", "controller_quorum_voters": "2@h:1"}, "contains this node (2), but process.roles has no controller."),
        (
            {"listeners": "INSIDE://:9092,OUTSIDE://:9192,CONTROLLER://:9093"},
            "CONTROLLER is a controller listener, but process.roles has no",
        ),
    ],
)
def test_rules_for_a_node_that_is_only_a_broker(changes: dict[str, str | None], sentence: str) -> None:
    found = problems_of(BROKER, changes)
    assert any(sentence in problem for problem in found), found


def test_a_node_that_is_only_a_controller_binds_only_controller_listeners() -> None:
    assert problems(process_roles="controller", listeners="CONTROLLER://:9093") == []
    assert "binds only controller listeners" in problems(process_roles="controller")[0]


def test_free_ports_may_repeat_and_ipv4_and_ipv6_may_share_one() -> None:
    assert problems(listeners="PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0") == []
    assert problems(listeners="PLAINTEXT://127.0.0.1:9092,CONTROLLER://[::1]:9092") == []


def test_broker_id_alone_names_the_node() -> None:
    assert problems(node_id=None, broker_id="1") == []


def test_every_problem_is_told_at_once() -> None:
    found = problems(listeners="PLAINTEXT://:1,CONTROLLER://:1", controller_quorum_voters="2@h:1", broker_id="3")
    assert len(found) == 3


def test_warnings_name_what_is_ignored_and_what_has_no_effect() -> None:
    given = {"num.partitons": "3", "quota.window.num": "20", "num.io.threads": "9", "num.network.threads": "3"}
    config = BrokerConfig(COMBINED | given | {"listener.name.inside.ssl.keystore.type": "PEM"})
    assert config.warnings == [
        "num.partitons is not a key of Kafka 4.4 or of ours and is ignored; did you mean num.partitions?",
        "quota.window.num is accepted but has no effect yet.",
        "num.io.threads is accepted, but there is nothing in this implementation that it steers.",
    ]


def test_dynamic_values_lie_over_the_file_and_bad_ones_are_left_out() -> None:
    config = BrokerConfig(COMBINED | {"log.retention.ms": "1"})
    over = config.overlaid({"log.retention.ms": "2", "num.io.threads": "x"}, {"log.retention.ms": "3"})
    assert over.optional_int("log.retention.ms") == 3
    assert over.int("num.io.threads") == 8
    assert config.optional_int("log.retention.ms") == 1


def test_secrets_stay_out_of_what_is_shown() -> None:
    config = BrokerConfig(COMBINED | {"ssl.keystore.password": "hunter2"})
    assert "hunter2" not in repr(config)
    assert all(text != "hunter2" for _, text in config.items())
    assert config.optional_string("ssl.keystore.password") == "hunter2"
