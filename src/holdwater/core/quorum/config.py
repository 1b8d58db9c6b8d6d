"""What a quorum member is told at its start: who it is, whom it may ask, and its times. Names in the comments are Kafka's broker keys."""

from dataclasses import dataclass, field

from holdwater.core.quorum.voters import Endpoint, ReplicaKey, Voter


@dataclass(frozen=True, slots=True)
class QuorumConfig:
    """Settings of one member. All times in milliseconds, all sizes in bytes."""

    node_id: int
    directory_id: bytes
    cluster_id: str
    listener_name: str = "CONTROLLER"
    """The controllers' listener (``controller.listener.names``): the one whose endpoints are given to peers and used to reach them."""
    endpoints: tuple[Endpoint, ...] = ()
    """This node's own controller endpoints; empty on a node that can only observe."""
    bootstrap_servers: tuple[tuple[str, int], ...] = ()
    """Host and port of controllers to ask for the leader (``controller.quorum.bootstrap.servers``)."""
    static_voters: tuple[Voter, ...] = ()
    """``controller.quorum.voters``; directory ids are ``ZERO_UUID``. Counts only until the log states a voter set."""

    election_timeout_ms: int = 1000  # controller.quorum.election.timeout.ms
    election_backoff_max_ms: int = 1000  # controller.quorum.election.backoff.max.ms
    fetch_timeout_ms: int = 2000  # controller.quorum.fetch.timeout.ms; followers add up to suspicion_high_ms at random
    request_timeout_ms: int = 2000  # controller.quorum.request.timeout.ms
    retry_backoff_ms: int = 20  # controller.quorum.retry.backoff.ms
    retry_backoff_max_ms: int = 1000
    fetch_max_wait_ms: int = 500
    fetch_max_bytes: int = 8 * 1024 * 1024  # controller.quorum.fetch.max.bytes
    snapshot_slice_bytes: int = 8 * 1024 * 1024  # controller.quorum.fetch.snapshot.max.bytes
    batch_max_bytes: int = 8 * 1024 * 1024
    """The largest batch the leader appends."""
    snapshot_max_bytes: int = 1024 * 1024 * 1024
    """The largest snapshot a follower downloads; it is held in memory until it is whole. A larger one stops the node."""
    parked_fetch_count_max: int = 10_000
    """Waiting fetches; one more is answered at once. Each replica holds at most one."""
    observer_count_max: int = 10_000
    """Observers the leader remembers for DescribeQuorum; one more pushes out the one that fetched longest ago."""
    observer_session_timeout_ms: int = 300_000
    """An observer that has not fetched for so long is forgotten."""

    quick_start_ms: int = 100
    """Until this process has heard from a leader, election timers are drawn from 0 to this (quick start)."""
    suspicion_low_ms: int = 50
    """After the connection to the leader closed, a follower waits at least this long for the leader to answer again (quick failover)."""
    suspicion_high_ms: int = 150
    """... and at most this long, before it starts pre-vote."""
    key: ReplicaKey = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", ReplicaKey(self.node_id, self.directory_id))

    @property
    def check_quorum_timeout_ms(self) -> int:
        """A leader that a majority has not fetched from for so long resigns."""
        return self.fetch_timeout_ms * 3 // 2

    @property
    def begin_epoch_interval_ms(self) -> int:
        """How often a leader reminds voters that do not fetch (a restarted one learns of its leader this way)."""
        return self.fetch_timeout_ms // 2
