"""A consumer that reads every partition of a topic from its start, at the high watermark, with fetch sessions or without.

It remembers positions by topic id: a topic that is created anew is read from its start. An answer with damage is dropped whole, and fetched
again. When its position lies below the log start offset because somebody asked for that, it goes on at the earliest offset.
"""

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import CorruptRecords
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.client import REQUEST_TIMEOUT_US, Client
from holdwater.sim.workloads.history import History, Key
from holdwater.sim.workloads.offsets import EARLIEST, OffsetQuestions
from holdwater.sim.workloads.places import Place, Session, Wanted
from holdwater.sim.workloads.plan import BY_ID, ConsumerPlan
from holdwater.sim.workloads.reading import read_batches
from holdwater.wire.messages import FetchRequest, FetchResponse

MAX_WAIT_MS = 1_000
BACKOFF_US = 100_000

_RETRIED = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.OFFSET_NOT_AVAILABLE,
        ErrorCode.CORRUPT_MESSAGE,  # its disk flipped a bit where the broker looks for a batch; the next read is right
    }
)
_SESSION_LOST = frozenset({ErrorCode.FETCH_SESSION_ID_NOT_FOUND, ErrorCode.INVALID_FETCH_SESSION_EPOCH})


class Consumer(Client):
    """See the module."""

    def __init__(self, cluster: SimCluster, name: str, plan: ConsumerPlan, rng: Rng, history: History) -> None:
        super().__init__(cluster, name, plan.topic, rng, history)
        self._watch = cluster.watch
        self.plan = plan
        self.places: dict[Key, Place] = {}
        self.rest_us = plan.rest_us
        self.damaged_count = 0
        """Answers that were dropped because of damage."""
        self._sessions: dict[int, Session] = {}
        self._questions = OffsetQuestions(self)

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()
        if self.plan.asks_offsets:
            self._questions.begin()

    def place(self, key: Key) -> Place:
        """How far a partition is read."""
        found = self.places.get(key)
        if found is None:
            found = self.places[key] = Place()
        return found

    def topic_replaced(self) -> None:
        """What is agreed with brokers spoke of the old topic."""
        for session in self._sessions.values():
            session.reset()

    def metadata_arrived(self) -> None:
        """Fetch from whoever leads now."""
        for leader_id in dict.fromkeys(partition.leader_id for partition in self.partitions.values()):
            if leader_id >= 0:
                self._fetch(leader_id)
        if self.plan.asks_offsets:
            self._questions.leaders_known()

    # --- fetches

    def _fetch(self, leader_id: int) -> None:
        session = self._sessions.setdefault(leader_id, Session())
        if self.stopped or session.busy:
            return
        now = self.scheduler.now_us
        if now < session.resume_us:
            if not session.waking:
                session.waking = True
                self.scheduler.at(session.resume_us, self._wake, leader_id)
            return
        connection = self.connection(leader_id)
        wanted = self._wanted(leader_id)
        if connection is None or not wanted:
            session.reset()
            if wanted:
                self.refresh_metadata()  # it leads, and is not among the brokers that are named
            return
        session.busy = True
        request = self._request(session, wanted)
        topic_id, number = self.topic_id, session.number
        connection.request(
            request,
            self.plan.version,
            FetchResponse,
            REQUEST_TIMEOUT_US,
            lambda answer: self._answered(leader_id, topic_id, number, wanted, answer),
        )

    def _wake(self, leader_id: int) -> None:
        self._sessions[leader_id].waking = False
        self._fetch(leader_id)

    def _wanted(self, leader_id: int) -> dict[int, Wanted]:
        wanted: dict[int, Wanted] = {}
        for index, partition in self.partitions.items():
            if partition.leader_id == leader_id:
                place = self.place((self.topic_id, index))
                if not place.seeking:
                    wanted[index] = Wanted(place.offset, partition.leader_epoch, place.leader_epoch)
        return wanted

    def _request(self, session: Session, wanted: dict[int, Wanted]) -> FetchRequest:
        named = {index: at for index, at in wanted.items() if session.known.get(index) != at}
        forgotten = [index for index in session.known if index not in wanted]
        plan = self.plan
        session.known = {**wanted} if plan.sessions else {}
        parts = [
            FetchRequest.FetchPartition(
                partition=index,
                current_leader_epoch=at.leader_epoch,
                fetch_offset=at.offset,
                last_fetched_epoch=at.last_epoch if plan.tells_epoch else -1,
                partition_max_bytes=plan.partition_max_bytes,
            )
            for index, at in named.items()
        ]
        gone = FetchRequest.ForgottenTopic(topic=self.topic, topic_id=self.topic_id, partitions=forgotten)
        return FetchRequest(
            max_wait_ms=MAX_WAIT_MS,
            min_bytes=plan.min_bytes,
            max_bytes=plan.max_bytes,
            session_id=session.id,
            session_epoch=session.epoch if plan.sessions else -1,
            topics=[FetchRequest.FetchTopic(topic=self.topic, topic_id=self.topic_id, partitions=parts)] if parts else [],
            forgotten_topics_data=[gone] if forgotten else [],
        )

    def _answered(self, leader_id: int, topic_id: bytes, number: int, wanted: dict[int, Wanted], response: FetchResponse | None) -> None:
        session = self._sessions[leader_id]
        session.busy = False
        if self.stopped:
            return
        if response is None or response.error_code:
            session.reset()
            if response is None:
                self._rest(leader_id)
            elif response.error_code in _SESSION_LOST:
                self.history.error(f"fetch {ErrorCode(response.error_code).name}")
                self._fetch(leader_id)
            else:
                raise SafetyViolation("protocol", f"{self.name}: a fetch was answered {ErrorCode(response.error_code).name}")
            return
        if session.number == number and self.plan.sessions:
            session.answered(response.session_id)
        refused = has_records = False
        for topic in response.responses:
            if self.plan.version >= BY_ID and topic.topic_id != topic_id:
                raise SafetyViolation(
                    "protocol", f"{self.name} was answered about topic {topic.topic_id.hex()}, asked was {topic_id.hex()}"
                )
            for data in topic.partitions:
                index = data.partition_index
                has_records |= bool(data.records)
                if index in wanted and not self._take(leader_id, (topic_id, index), wanted[index], data):
                    session.name_again(index)
                    refused = True
        if refused:
            self._rest(leader_id)
        else:
            session.resume_us = self.scheduler.now_us + self.rest_us if has_records else 0
            self._fetch(leader_id)

    def _rest(self, leader_id: int) -> None:
        """Ask who leads, and try again in a while."""
        self._sessions[leader_id].resume_us = self.scheduler.now_us + BACKOFF_US
        self.refresh_metadata()
        self._fetch(leader_id)

    # --- answers

    def _take(self, leader_id: int, key: Key, asked: Wanted, data: FetchResponse.PartitionData) -> bool:
        """Take in what is said of one partition. Returns whether all is well."""
        place = self.place(key)
        if data.error_code:
            self._refused(key, place, asked, data.error_code)
            return False
        if data.diverging_epoch is not None and data.diverging_epoch.epoch >= 0:
            end = data.diverging_epoch.end_offset
            if self._is_deposed(asked):
                return False
            raise SafetyViolation(
                "R5", f"{self.name}: {self.history.name((key, asked.offset))} was read, and its log is said to end at {end}"
            )
        self.history.answered(self.name, key, asked.leader_epoch, asked.offset, data.log_start_offset)
        if not data.records or asked.offset != place.offset:
            return True
        try:
            found = read_batches(data.records, place.offset, is_boundary=place.is_boundary)
        except CorruptRecords as problem:
            self.damaged_count += 1
            self.history.count("read-damaged")
            self.trace.line(self.name, f"{self.history.name((key, place.offset))}: {problem}")
            return False
        if not place.is_boundary and not place.confirm(found[0].data):
            self._forget(key)
            return True
        committed = self._committed_end(leader_id, key, asked.leader_epoch, data.high_watermark)
        for batch in found:
            for record in batch.records:
                if record.offset < place.offset:
                    continue
                if record.offset >= committed:
                    at = self.history.name((key, record.offset))
                    raise SafetyViolation("R7", f"{self.name} was given {at}, the high watermark is {committed}")
                self.history.read(self.name, key, record, stamped=batch.stamped)
            place.advance(batch.end_offset, batch.leader_epoch)
        return True

    def _committed_end(self, leader_id: int, key: Key, leader_epoch: int, told: int) -> int:
        """The high watermark that a leader told, or its true one, which never falls, while it still leads in that leader epoch.

        What everybody's account says (``Watch.committed_end``) may lag: a leader may be gone in the same event in which it answered.
        """
        replica = self._watch.replica_on(leader_id, *key)
        leads = replica is not None and replica.is_leader and replica.leader_epoch == leader_epoch
        return min(told, replica.high_watermark) if replica is not None and leads else told

    def _is_deposed(self, asked: Wanted) -> bool:
        """Whether metadata of the past named a leader of the past, which can't know what was read."""
        deposed = asked.leader_epoch < asked.last_epoch
        if deposed:
            self.history.count("read-on-at-a-deposed-leader")
        return deposed

    def _forget(self, key: Key) -> None:
        """Name the partition again in the next fetch, though nothing has changed."""
        for session in self._sessions.values():
            session.name_again(key[1])

    def _refused(self, key: Key, place: Place, asked: Wanted, error_code: int) -> None:
        name = ErrorCode(error_code).name
        self.history.error(f"fetch {name}")
        self.trace.line(self.name, f"{self.history.name((key, asked.offset))}: {name}")
        if error_code == ErrorCode.OFFSET_OUT_OF_RANGE and asked.offset < self.history.deletion_asked(key):
            if not place.seeking and asked.offset == place.offset:
                place.seeking = True
                self._questions.ask(key[1], EARLIEST)
        elif error_code not in _RETRIED and not (error_code == ErrorCode.OFFSET_OUT_OF_RANGE and self._is_deposed(asked)):
            raise SafetyViolation("R5", f"{self.name}: {self.history.name((key, asked.offset))} answered {name}")
