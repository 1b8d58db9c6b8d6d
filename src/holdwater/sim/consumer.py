"""A consumer that reads every partition of a topic from its start, at the high watermark, with fetch sessions or without."""

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.client import REQUEST_TIMEOUT_US, Client
from holdwater.sim.cluster import SimCluster
from holdwater.sim.history import History
from holdwater.sim.verdicts import SafetyViolation
from holdwater.wire.messages import FetchRequest, FetchResponse
from holdwater.wire.records import batches, check_crc, read_records

FETCH_VERSION = 17
MAX_WAIT_MS = 500
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
    }
)
_SESSION_LOST = frozenset({ErrorCode.FETCH_SESSION_ID_NOT_FOUND, ErrorCode.INVALID_FETCH_SESSION_EPOCH})


class Session:
    """What is agreed with one broker: one fetch at a time, in a session or each for itself."""

    __slots__ = ("busy", "epoch", "id", "known", "resume_us", "waking")

    def __init__(self) -> None:
        self.busy = False
        self.id = 0
        self.epoch = 0
        self.known: dict[int, tuple[int, int]] = {}
        """Position and leader epoch by partition, as the broker knows them."""
        self.resume_us = 0
        self.waking = False

    def reset(self) -> None:
        """Begin anew."""
        self.id = 0
        self.epoch = 0
        self.known = {}


class Consumer(Client):
    """See the module."""

    def __init__(self, cluster: SimCluster, name: str, topic: str, rng: Rng, history: History, *, sessions: bool) -> None:
        super().__init__(cluster, name, topic, rng)
        self.history = history
        self.positions: dict[int, int] = {}
        self._with_sessions = sessions
        self._sessions: dict[int, Session] = {}

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()

    def metadata_arrived(self) -> None:
        """Fetch from whoever leads now."""
        for partition in self.partitions.values():
            if partition.leader_id >= 0:
                self._fetch(partition.leader_id)

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
        wanted = {
            index: (self.positions.get(index, 0), partition.leader_epoch)
            for index, partition in self.partitions.items()
            if partition.leader_id == leader_id
        }
        if connection is None or not wanted:
            session.reset()
            if wanted:
                self.refresh_metadata()  # it leads, and is not among the brokers that are named
            return
        session.busy = True
        request = self._request(session, wanted)
        connection.request(request, FETCH_VERSION, FetchResponse, REQUEST_TIMEOUT_US, lambda answer: self._answered(leader_id, answer))

    def _wake(self, leader_id: int) -> None:
        self._sessions[leader_id].waking = False
        self._fetch(leader_id)

    def _request(self, session: Session, wanted: dict[int, tuple[int, int]]) -> FetchRequest:
        named = {index: at for index, at in wanted.items() if session.known.get(index) != at}
        forgotten = [index for index in session.known if index not in wanted]
        session.known = wanted if self._with_sessions else {}
        parts = [
            FetchRequest.FetchPartition(
                partition=index, current_leader_epoch=epoch, fetch_offset=offset, last_fetched_epoch=-1, partition_max_bytes=4096
            )
            for index, (offset, epoch) in named.items()
        ]
        return FetchRequest(
            max_wait_ms=MAX_WAIT_MS,
            min_bytes=1,
            max_bytes=16384,
            session_id=session.id,
            session_epoch=session.epoch if self._with_sessions else -1,
            topics=[FetchRequest.FetchTopic(topic_id=self.topic_id, partitions=parts)] if parts else [],
            forgotten_topics_data=[FetchRequest.ForgottenTopic(topic_id=self.topic_id, partitions=forgotten)] if forgotten else [],
        )

    def _answered(self, leader_id: int, response: FetchResponse | None) -> None:
        session = self._sessions[leader_id]
        session.busy = False
        if self.stopped:
            return
        if response is None or response.error_code:
            session.reset()
            if response is None:
                self._rest(leader_id)
            elif response.error_code in _SESSION_LOST:
                self._fetch(leader_id)
            else:
                raise SafetyViolation("protocol", f"{self.name}: a fetch was answered {ErrorCode(response.error_code).name}")
            return
        if self._with_sessions:
            session.id = response.session_id
            session.epoch = session.epoch + 1 if response.session_id else 0
            if not response.session_id:
                session.known = {}
        refused = False
        for topic in response.responses:
            for data in topic.partitions:
                refused |= not self._take(leader_id, data)
        if refused:
            self._rest(leader_id)
        else:
            self._fetch(leader_id)

    def _rest(self, leader_id: int) -> None:
        """Ask who leads, and try again in a while."""
        self._sessions[leader_id].resume_us = self.scheduler.now_us + BACKOFF_US
        self.refresh_metadata()
        self._fetch(leader_id)

    def _take(self, leader_id: int, data: FetchResponse.PartitionData) -> bool:
        index = data.partition_index
        if data.error_code:
            name = ErrorCode(data.error_code).name
            self.history.error(f"fetch {name}")
            self.trace.line(self.name, f"partition {index} on n{leader_id}: {name}")
            if data.error_code not in _RETRIED:
                raise SafetyViolation("R5", f"{self.name}: partition {index} at {self.positions.get(index, 0)} answered {name}")
            self._sessions[leader_id].known.pop(index, None)
            return False
        position = self.positions.get(index, 0)
        records = data.records or b""
        for start, header, _ in batches(records):
            check_crc(records, start, header)
            for record in read_records(records, start, header):
                if record.offset < position:
                    continue
                if record.offset >= data.high_watermark:
                    raise SafetyViolation(
                        "R7",
                        f"{self.name} was given offset {record.offset} of partition {index}, the high watermark is {data.high_watermark}",
                    )
                if record.offset != position:
                    raise SafetyViolation("R10", f"{self.name} was given offset {record.offset} of partition {index} after {position - 1}")
                self.history.read(self.name, index, record.offset, record.value or b"")
                position = record.offset + 1
        self.positions[index] = position
        return True
