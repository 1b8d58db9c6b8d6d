"""leader-election: a partition leader is killed under an idempotent acks=all producer and a consumer, comes back, and re-joins the ISR.

What Kafka promises for it (replication factor 3, min.insync.replicas 2): nothing acknowledged is lost, nothing is stored twice, order holds,
nobody reads what later vanishes, and writes pause no longer than the settings of the target and of the client add up to. The topic keeps
everything, whatever the cluster's defaults: what retention or compaction removes rightly could not be told from what is lost.
"""

from holdwater.prove.errors import UsageError
from holdwater.prove.judge.verdict import Expect
from holdwater.prove.scenario import Await, Fault, Hold, Rounds, Scenario, Steady, Topic, Undo, Workload
from holdwater.prove.scenarios.options import Options
from holdwater.prove.settings import KEPT_FOR_EVER, client_acks
from holdwater.prove.target import KILL, START

SUMMARY = "kill -9 the leader of a partition under load, start it again, and wait until every ISR is full"

EXPECTATIONS = (
    Expect("acknowledged writes lost", "never", "lost-write"),
    Expect("stored twice by the cluster", "never", "duplicate-by-cluster"),
    Expect("stored twice by the client", "never", "duplicate-by-client"),
    Expect("out of order", "never", "reorder"),
    Expect("longest write pause", "pause-at-most", "write"),
    Expect("longest read pause", "pause-at-most", "read"),
    Expect("longest write pause elsewhere", "pause-elsewhere-at-most", "write"),
    Expect("longest read pause elsewhere", "pause-elsewhere-at-most", "read"),
    Expect("new leader elected", "every-round", "new-leader"),
    Expect("killed broker back in every ISR", "every-round", "isr-full"),
    Expect("read, then vanished", "never", "vanished-read"),
    Expect("two reads of one offset differ", "never", "inconsistent-read"),
    Expect("acknowledged, never delivered", "never", "unseen"),
    Expect("skipped by the consumer", "never", "read-skip"),
    Expect("delivered backwards", "never", "read-backwards"),
    Expect("altered", "never", "altered"),
    Expect("in the wrong partition", "never", "misplaced"),
    Expect("never sent", "never", "phantom"),
    Expect("refused, yet written", "never", "refused-but-written"),
    Expect("one offset acknowledged twice", "never", "shared-offset"),
    Expect("acknowledged at another offset", "never", "ack-at-other-offset"),
    Expect("gaps in producer sequences", "never", "sequence-gap"),
    Expect("offsets or leader epochs fall", "never", "log-order"),
    Expect("high watermark falls", "never", "high-watermark-back"),
)

_ACKS = ("acks", "request.required.acks")
_MIN_ISR = "min.insync.replicas"
_OK_BEFORE, _OK_AFTER = 1000, 100
_STOCK_BUT = {"socket.timeout.ms": "10000"}
"""A client drains requests to a silent broker for up to socket.timeout.ms (60 s): shorter, and printed with the settings."""


def build(options: Options) -> Scenario:
    """The scenario with the user's choices in it. Raises ``UsageError`` for those that leave nothing to judge."""
    if any(client_acks(options.producer.get(key, "")) == "0" for key in _ACKS):
        raise UsageError("with acks=0 no write is ever acknowledged, so none can be missed", "give acks=1 or acks=all")
    limit = options.limit_s
    one_round = (
        Fault("kill", KILL, options.choose),
        Await("new leaders", "leaders-elsewhere", limit),
        Await("writes go on", "writes-resumed", limit),
        Hold("down", options.down_s),
        Undo("start again"),
        Await("every ISR full", "isr-full", limit),
    )
    return Scenario(
        name="leader-election",
        title="A partition leader is killed under load and comes back",
        topic=Topic(options.partitions, options.replication_factor, _topic_configs(options)),
        workload=Workload(
            rate=options.rate,
            value_bytes=options.value_bytes,
            writers=options.writers,
            keys=options.keys,
            producer={"enable.idempotence": "true", "acks": "all"} | _STOCK_BUT | options.producer,
            consumer={"auto.offset.reset": "earliest", "enable.auto.commit": "false"} | _STOCK_BUT | options.consumer,
        ),
        steps=(
            Await("ready", "isr-full", limit, needed=True),
            Steady("steady", options.steady_s, _OK_BEFORE, limit),
            Rounds("rounds", options.kills, one_round, options.min_controller_kills),
            Steady("after", options.after_s, _OK_AFTER, limit),
        ),
        expectations=EXPECTATIONS,
        rounds=options.kills,
        needs=frozenset({KILL, START}),
        ok_before=_OK_BEFORE,
        ok_after=_OK_AFTER,
    )


def _topic_configs(options: Options) -> dict[str, str]:
    """The topic's settings. Raises ``UsageError`` for those under which a healthy cluster would look as if it had failed."""
    given, replicas = options.topic_configs, options.replication_factor
    for key, value in KEPT_FOR_EVER.items():
        if given.get(key, value).strip() != value:
            raise UsageError(
                f"with {key}={given[key]} the cluster may rightly remove what was acknowledged, which could not be told from a loss",
                f"leave out --topic-config {key}, which is {value} for the topic of a run",
            )
    most = max(1, replicas - 1)
    min_isr = given.get(_MIN_ISR, "").strip()
    if min_isr.removeprefix("+").isdecimal() and int(min_isr) > most:
        raise UsageError(
            f"with {_MIN_ISR}={min_isr} and replication factor {replicas} no partition of a killed broker can be written until it is back, "
            "so no bound can be set for the pause",
            f"lower it with --topic-config {_MIN_ISR}={most}, or give --replication-factor {int(min_isr) + 1} or more",
        )
    return KEPT_FOR_EVER | {_MIN_ISR: str(min(2, most))} | given
