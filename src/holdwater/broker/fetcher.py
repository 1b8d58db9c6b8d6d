"""Following: one fetcher per leader, one fetch session with it, one request under way at a time.

A follower's fetch is also its acknowledgement: it asks for what follows the last record that it has appended. An answer is worked off and
the next request is sent in the same breath, which is what the latency of ``acks=all`` is made of. At level fsync it says that all below is
synced; ``_request`` alone sees to that.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdwater.broker.links import Link
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.timers import Timer
from holdwater.core.replica import FollowerReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import CorruptRecords, DiskFailure
from holdwater.wire.messages import FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

FETCH_VERSION = 17
LIST_OFFSETS_VERSION = 9
EARLIEST_LOCAL = -4
_RECONNECT_MS = 20
_REST_MS = 300
_LATEST = -1

_Topic = FetchRequest.FetchTopic
_Partition = FetchRequest.FetchPartition


class Followed:
    """One partition that a fetcher keeps up to date."""

    __slots__ = ("fetcher", "partition", "paused_until_ms", "pending_reset", "replica")

    def __init__(self, fetcher: "Fetcher", partition: HostedPartition, replica: FollowerReplica) -> None:
        self.fetcher = fetcher
        self.partition = partition
        self.replica = replica
        self.paused_until_ms = 0
        self.pending_reset = False


class Fetchers:
    """The fetchers of this broker by leader."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._by_leader: dict[int, Fetcher] = {}
        self._followed: dict[HostedPartition, Followed] = {}

    def follow(self, partition: HostedPartition, leader_id: int) -> None:
        """Keep a partition up to date from its leader."""
        replica = partition.replica
        assert isinstance(replica, FollowerReplica)
        fetcher = self._by_leader.get(leader_id)
        if fetcher is None:
            fetcher = self._by_leader[leader_id] = Fetcher(self._broker, leader_id)
        followed = Followed(fetcher, partition, replica)
        self._followed[partition] = followed
        fetcher.add(followed)

    def unfollow(self, partition: HostedPartition) -> None:
        """Leave a partition alone."""
        followed = self._followed.pop(partition, None)
        if followed is not None:
            followed.fetcher.remove(followed)

    def brokers_changed(self) -> None:
        """Endpoints may have changed, and leaders may be back."""
        for fetcher in self._by_leader.values():
            fetcher.kick()


class Fetcher:
    """Follows one leader."""

    def __init__(self, broker: "Broker", leader_id: int) -> None:
        self._broker = broker
        self._leader_id = leader_id
        self._followed: dict[tuple[bytes, int], Followed] = {}
        self._changed: dict[tuple[bytes, int], None] = {}
        """Partitions whose position the leader's session does not know yet."""
        self._forgotten: dict[tuple[bytes, int], None] = {}
        self._session_id = 0
        self._session_epoch = 0
        self._busy = False
        self._timer: Timer | None = None
        config = broker.config
        self._max_wait_ms = config.int("replica.fetch.wait.max.ms")
        self._min_bytes = config.int("replica.fetch.min.bytes")
        self._max_bytes = config.int("replica.fetch.response.max.bytes")
        self._partition_bytes = config.int("replica.fetch.max.bytes")
        self._backoff_ms = config.int("replica.fetch.backoff.ms")
        self._timeout_ms = config.int("replica.socket.timeout.ms")

    def add(self, followed: Followed) -> None:
        """Follow one partition more."""
        key = (followed.partition.topic_id, followed.partition.topic_partition.partition)
        self._followed[key] = followed
        self._changed[key] = None
        self._forgotten.pop(key, None)
        self.kick()

    def remove(self, followed: Followed) -> None:
        """Follow one partition less."""
        key = (followed.partition.topic_id, followed.partition.topic_partition.partition)
        if self._followed.get(key) is followed:
            del self._followed[key]
            self._changed.pop(key, None)
            self._forgotten[key] = None

    def kick(self) -> None:
        """Fetch soon, once the present input has been worked off."""
        if not self._busy and self._followed:
            self._wait(0)

    def _wait(self, delay_ms: int) -> None:
        due = self._broker.mono_ms + delay_ms
        if self._timer is not None:
            if self._timer.callback is not None and self._timer.due_ms <= due:
                return
            self._timer.cancel()
        self._timer = self._broker.timers.at(due, self._send)

    def _link(self) -> Link | None:
        endpoint = self._broker.inter_broker_endpoint(self._leader_id)
        if endpoint is None:
            return None
        link = self._broker.links.to(self._leader_id, "fetch", endpoint.host, endpoint.port)
        if link.on_down is None:
            link.on_down = lambda: self._broker.suspects.lost(self._leader_id)
            link.on_up = lambda: self._broker.suspects.seen(self._leader_id)
        return link

    # --- asking

    def _send(self) -> None:
        if self._busy or not self._followed:
            return
        if self._broker.buggify("follower rests"):
            self._wait(_REST_MS)
            return
        link = self._link()
        if link is None:
            return  # kicked again when the leader registers
        request = self._request()
        if request is None:
            return
        self._busy = True
        link.request(request, FETCH_VERSION, FetchResponse, self._max_wait_ms + self._timeout_ms, self._answered)

    def _request(self) -> FetchRequest | None:
        now = self._broker.mono_ms
        named = self._changed if self._session_epoch else self._followed
        if not self._make_durable([self._followed[key].partition for key in named]):
            return None
        topics: dict[bytes, FetchRequest.FetchTopic] = {}
        later: dict[tuple[bytes, int], None] = {}
        resume_ms = 0
        for key in named:
            followed = self._followed[key]
            if followed.paused_until_ms > now or followed.pending_reset:
                later[key] = None
                if followed.paused_until_ms > now:
                    resume_ms = min(resume_ms or followed.paused_until_ms, followed.paused_until_ms)
                continue
            replica = followed.replica
            log = replica.log
            topic = topics.get(key[0])
            if topic is None:
                topic = topics[key[0]] = _Topic(topic_id=key[0], partitions=[])
            topic.partitions.append(
                _Partition(
                    partition=key[1],
                    current_leader_epoch=replica.leader_epoch,
                    fetch_offset=log.log_end_offset,
                    last_fetched_epoch=log.latest_epoch,
                    log_start_offset=log.log_start_offset,
                    partition_max_bytes=self._partition_bytes,
                )
            )
        self._changed = later
        if resume_ms:
            self._broker.timers.at(resume_ms, self.kick)
        if len(later) == len(self._followed):
            return None  # a fetch of nothing is answered at once, and would be followed by the next at once
        forgotten: dict[bytes, FetchRequest.ForgottenTopic] = {}
        if self._session_epoch:
            for topic_id, index in (*self._forgotten, *later):
                forgotten.setdefault(topic_id, FetchRequest.ForgottenTopic(topic_id=topic_id, partitions=[])).partitions.append(index)
        self._forgotten = {}
        return FetchRequest(
            replica_state=FetchRequest.ReplicaState(replica_id=self._broker.node_id, replica_epoch=self._broker.lifecycle.broker_epoch),
            max_wait_ms=min(self._max_wait_ms, resume_ms - now) if resume_ms else self._max_wait_ms,
            min_bytes=self._min_bytes,
            max_bytes=self._max_bytes,
            session_id=self._session_id,
            session_epoch=self._session_epoch,
            topics=list(topics.values()),
            forgotten_topics_data=list(forgotten.values()),
        )

    def _make_durable(self, acknowledging: list[HostedPartition]) -> bool:
        """Sync what the next fetch acknowledges, as far as its level asks for that. False when nothing more may be said: the node stops.

        A log whose sync fails is followed no more.
        """
        broker = self._broker
        for partition in acknowledging:
            broker.replicas.syncs.before_fetch(partition)
            if broker.stop_requested is not None:
                return False
        return True

    # --- working off an answer

    def _answered(self, response: FetchResponse | None) -> None:
        self._busy = False
        if response is None:
            self._new_session()
            self._wait(_RECONNECT_MS)
            return
        if response.error_code:
            self._new_session()
            self._wait(0 if response.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND else _RECONNECT_MS)
            return
        self._session_id = response.session_id
        self._session_epoch = self._session_epoch % 0x7FFFFFFF + 1 if response.session_id else 0
        for topic in response.responses:
            for data in topic.partitions:
                key = (topic.topic_id, data.partition_index)
                followed = self._followed.get(key)
                if followed is None or key in self._changed:  # it answers a position, or a role, that this replica no longer has
                    continue
                if followed.partition.replica is followed.replica:
                    self._take(followed, key, data)
        self._send()

    def _new_session(self) -> None:
        self._session_id = 0
        self._session_epoch = 0
        self._forgotten = {}
        self._changed = dict.fromkeys(self._followed)

    def _take(self, followed: Followed, key: tuple[bytes, int], data: FetchResponse.PartitionData) -> None:
        replica = followed.replica
        try:
            if data.error_code == 0 and (diverging := data.diverging_epoch) is not None and diverging.epoch >= 0:
                replica.truncate_after_divergence(diverging.epoch, diverging.end_offset)
                self._changed[key] = None
            elif data.error_code == 0:
                if data.records:
                    self._changed[key] = None
                    if followed.partition.durability is not None:
                        self._broker.replicas.syncs.note(followed.partition)  # what comes before a damaged batch is appended too
                log_start = replica.log.log_start_offset
                replica.append(data.records or b"", data.high_watermark, data.log_start_offset, self._broker.wall_ms)
                if replica.log.log_start_offset != log_start:
                    self._changed[key] = None  # the leader waits to hear of it
            elif data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
                self._find_position(followed, key)
            else:  # what the metadata will clear up; until then, ask now and then
                followed.paused_until_ms = self._broker.mono_ms + min(self._backoff_ms, 100)
                self._changed[key] = None
        except CorruptRecords as problem:
            self._broker.note(f"{followed.partition.topic_partition}: broker {self._leader_id} sent what can't be appended: {problem}")
            followed.paused_until_ms = self._broker.mono_ms + self._backoff_ms
            self._changed[key] = None
        except DiskFailure as failure:
            self._broker.disk_failed(failure)

    def _find_position(self, followed: Followed, key: tuple[bytes, int]) -> None:
        """The leader's log does not hold this log's end: ask where it ends, then where it starts, and go where the two can meet."""
        if not followed.pending_reset:
            followed.pending_reset = True
            self._changed[key] = None  # the leader's session is to forget it meanwhile
            self._ask_offset(followed, key, _LATEST, self._compare_ends)

    def _ask_offset(self, followed: Followed, key: tuple[bytes, int], timestamp: int, then: Callable[[Followed, int], bool]) -> None:
        link = self._link()
        if link is None:
            self._positioned(followed, key)
            return
        asked = ListOffsetsRequest.ListOffsetsPartition(
            partition_index=key[1], current_leader_epoch=followed.replica.leader_epoch, timestamp=timestamp
        )
        topic = ListOffsetsRequest.ListOffsetsTopic(name=followed.partition.topic_partition.topic, partitions=[asked])
        request = ListOffsetsRequest(replica_id=self._broker.node_id, topics=[topic])

        def answered(response: ListOffsetsResponse | None) -> None:
            found = response.topics[0].partitions[0] if response and response.topics and response.topics[0].partitions else None
            usable = found is not None and found.error_code == 0 and followed.partition.replica is followed.replica
            if found is None or not usable:
                followed.paused_until_ms = self._broker.mono_ms + self._backoff_ms
                self._positioned(followed, key)
                return
            try:
                done = then(followed, found.offset)
            except DiskFailure as failure:
                self._broker.disk_failed(failure)
                return
            if done:
                self._positioned(followed, key)
            else:
                self._ask_offset(followed, key, EARLIEST_LOCAL, self._compare_starts)

        link.request(request, LIST_OFFSETS_VERSION, ListOffsetsResponse, self._timeout_ms, answered)

    def _compare_ends(self, followed: Followed, leader_end: int) -> bool:
        """A log that reaches beyond its leader's, in no epoch that the leader knows, is left by an unclean election: cut it."""
        log = followed.replica.log
        if log.log_end_offset <= leader_end:
            return False
        self._broker.note(f"{followed.partition.topic_partition}: cut from {log.log_end_offset} to the leader's end {leader_end}")
        followed.replica.truncate_after_divergence(-1, leader_end)
        return True

    def _compare_starts(self, followed: Followed, leader_start: int) -> bool:
        if followed.replica.log.log_end_offset < leader_start:
            followed.replica.restart_at(leader_start)
        else:  # both ends lie within the leader's log, so nothing here explains its refusal: not again at once
            followed.paused_until_ms = self._broker.mono_ms + self._backoff_ms
        return True

    def _positioned(self, followed: Followed, key: tuple[bytes, int]) -> None:
        followed.pending_reset = False
        if self._followed.get(key) is followed:
            self._changed[key] = None
            self.kick()
