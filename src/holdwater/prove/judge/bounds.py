"""How long writes and reads may pause when a broker is killed, computed from the settings of the target and of the client.

The rules are Kafka's: a dead broker is fenced when its session ends at the active controller, its partitions then get new leaders (or lose
it from their ISR), and clients find out when they ask again. Brokers of kind ``holdwater`` take a closed connection as evidence and are
bounded by their short lease instead; both formulas are printed with their inputs.
"""

from dataclasses import dataclass, field

from holdwater.prove.settings import Settings

ELECTION_AND_SPREAD_MS = 1000
"""Time for the controller to write the new leader and for every broker to learn of it; Kafka promises none, seen below 300 ms."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit with where it comes from. ``lower_ms`` is the least that the rules allow; shorter is no anomaly, only informative."""

    value_ms: int
    formula: str
    inputs: dict[str, int] = field(default_factory=dict[str, int])
    assumed: tuple[str, ...] = ()
    """Inputs that the target did not tell, so that Kafka's default stands for them."""
    lower_ms: int = 0


def failover(settings: Settings, *, controller: bool, reading: bool = False) -> Bound:
    """The longest pause on a partition that a killed broker led or replicated. ``controller``: it was the active controller too."""
    if settings.kind == "holdwater":
        return _quick_failover(settings, controller=controller, reading=reading)
    return _kafka_failover(settings, controller=controller, reading=reading)


def _client_part(settings: Settings, *, reading: bool) -> tuple[list[str], dict[str, int]]:
    role = "consumer" if reading else "producer"
    keys = ["retry.backoff.max.ms", "reconnect.backoff.max.ms"] + (["fetch.wait.max.ms", "fetch.error.backoff.ms"] if reading else [])
    inputs = {key: settings.client_ms(key, role) for key in keys}
    if settings.client("linger.ms"):  # its default is within what an election is given; readers wait for what lingers, too
        keys.append("linger.ms")
        inputs["linger.ms"] = settings.client_ms("linger.ms")
    return keys, inputs


def _kafka_failover(settings: Settings, *, controller: bool, reading: bool) -> Bound:
    keys = ["broker.session.timeout.ms"]
    if controller:
        keys += ["controller.quorum.fetch.timeout.ms", "controller.quorum.election.timeout.ms"]
    inputs, assumed = _told(settings, keys)
    value = sum(inputs.values()) + ELECTION_AND_SPREAD_MS
    terms = [*keys, f"{ELECTION_AND_SPREAD_MS} (election and spread)"]
    if controller:
        # The election timer is drawn between once and twice its setting.
        value += inputs["controller.quorum.election.timeout.ms"]
        terms[terms.index("controller.quorum.election.timeout.ms")] = "2 x controller.quorum.election.timeout.ms"
    client_keys, client_inputs = _client_part(settings, reading=reading)
    heartbeat, _ = settings.broker_ms("broker.heartbeat.interval.ms")
    return Bound(
        value_ms=value + sum(client_inputs.values()),
        formula=" + ".join(terms + client_keys),
        inputs=inputs | client_inputs,
        assumed=assumed,
        lower_ms=max(0, inputs["broker.session.timeout.ms"] - heartbeat),
    )


PRE_VOTE_MS = 150
"""A voter of kind ``holdwater`` whose connection to the quorum leader closed asks for a pre-vote within this time."""


def _quick_failover(settings: Settings, *, controller: bool, reading: bool) -> Bound:
    keys = ["holdwater.quick.failover.ms"] + (["controller.quorum.election.timeout.ms"] if controller else [])
    inputs, assumed = _told(settings, keys)
    value = sum(inputs.values()) + ELECTION_AND_SPREAD_MS
    terms = [*keys, f"{ELECTION_AND_SPREAD_MS} (election and spread)"]
    if controller:
        value += PRE_VOTE_MS
        terms.insert(1, f"{PRE_VOTE_MS} (until the pre-vote)")
    client_keys, client_inputs = _client_part(settings, reading=reading)
    return Bound(value + sum(client_inputs.values()), " + ".join(terms + client_keys), inputs | client_inputs, assumed)


def _told(settings: Settings, keys: list[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """The brokers' settings, and which of them the target did not tell.

    All of these count at the active controller: what brokers that are no controllers say of themselves may differ from it.
    """
    told = {key: settings.broker_ms(key) for key in keys}
    roles = settings.broker.get("process.roles", "controller").split(",")
    sure = "controller" in (role.strip() for role in roles)
    return {key: value for key, (value, _) in told.items()}, tuple(key for key, (_, known) in told.items() if not (known and sure))
