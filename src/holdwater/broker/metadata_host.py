"""The metadata log on this node: drives its quorum member, folds what is committed into images, and tells the broker of each new one."""

from typing import TYPE_CHECKING, cast

from holdwater.broker.connection import Call
from holdwater.broker.older_versions import as_of_version
from holdwater.broker.timers import NEVER, Timer
from holdwater.core.metadata.builder import ImageBuilder
from holdwater.core.metadata.changes import ImageChanges, changes_between
from holdwater.core.metadata.image import EMPTY_IMAGE, MetadataImage
from holdwater.core.metadata.records import MetadataRecord
from holdwater.core.quorum import (
    HighWatermarkAdvanced,
    LeadershipChanged,
    Quorum,
    Reply,
    SendRequest,
    SnapshotLoaded,
    checkpoint_records,
    is_control,
)
from holdwater.core.quorum.checkpoint import EXPANSION_LIMIT_BYTES
from holdwater.kernel.invariant import invariant
from holdwater.kernel.ports import Log, SnapshotStore
from holdwater.wire.messages import (
    BeginQuorumEpochResponse,
    EndQuorumEpochResponse,
    FetchRequest,
    FetchResponse,
    FetchSnapshotResponse,
    VoteResponse,
)
from holdwater.wire.metadata_records import decode_record, encode_record
from holdwater.wire.records import batches, read_records

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_READ_BYTES = 1024 * 1024
_RESPONSES = {
    "VoteRequest": VoteResponse,
    "BeginQuorumEpochRequest": BeginQuorumEpochResponse,
    "EndQuorumEpochRequest": EndQuorumEpochResponse,
    "FetchRequest": FetchResponse,
    "FetchSnapshotRequest": FetchSnapshotResponse,
}


def _decode(value: bytes) -> MetadataRecord:
    return cast(MetadataRecord, decode_record(value))


class MetadataHost:
    """See the module."""

    def __init__(self, broker: "Broker", quorum: Quorum, log: Log, snapshots: SnapshotStore) -> None:
        self._broker = broker
        self.quorum = quorum
        self._log = log
        self._snapshots = snapshots
        self.image: MetadataImage = EMPTY_IMAGE
        self._builder = ImageBuilder(EMPTY_IMAGE)
        self._next_offset = 0
        self._timer: Timer | None = None
        self._bytes_since_snapshot = 0
        self._snapshot_bytes = broker.config.int("metadata.log.max.record.bytes.between.snapshots")
        self._last_timestamp_ms = 0

    def start(self) -> None:
        """Take over what is stored, and begin."""
        snapshot = self.quorum.latest_snapshot
        if snapshot is not None:
            self._load_snapshot()
        self.pump()

    # --- driving the quorum

    def pump(self) -> None:
        """Act on what the quorum wants done, then set the timer for its next deadline."""
        effects = self.quorum.take_effects()
        while effects:
            for effect in effects:
                self._act(effect)
            effects = self.quorum.take_effects()
        self._arm()

    def _act(self, effect: object) -> None:
        broker = self._broker
        if isinstance(effect, SendRequest):
            self._send(effect)
        elif isinstance(effect, Reply):
            call = effect.tag
            assert isinstance(call, Call)
            call.connection.on_close.pop("metadata fetch", None)
            call.reply_segments(as_of_version(effect.response, call.version))
        elif isinstance(effect, HighWatermarkAdvanced):
            self._apply(effect.high_watermark)
            broker.controller_host.high_watermark_advanced(effect.high_watermark)
        elif isinstance(effect, LeadershipChanged):
            broker.controller_host.leadership_changed(effect)
            broker.controller.leader_changed(effect.leader_id)
        elif isinstance(effect, SnapshotLoaded):
            self._load_snapshot()

    def pump_soon(self) -> None:
        """Something was appended: sync and send it once the present input has been worked off."""
        self._arm()

    def _arm(self) -> None:
        due = self.quorum.next_deadline()
        timer = self._timer
        if timer is not None and timer.callback is not None:
            if timer.due_ms == due:
                return
            timer.cancel()
        self._timer = None if due >= NEVER else self._broker.timers.at(due, self._tick)

    def _tick(self) -> None:
        self.quorum.tick(self._broker.mono_ms, self._broker.wall_ms)
        self.pump()

    def _send(self, sent: SendRequest) -> None:
        broker = self._broker
        link = broker.links.to(sent.peer, "raft", sent.host, sent.port)
        if link.on_down is None:

            def down() -> None:
                self.quorum.on_disconnected(sent.peer, broker.mono_ms, broker.wall_ms)
                self.pump()

            def up() -> None:
                self.quorum.on_connected(sent.peer, broker.mono_ms)
                self.pump()

            link.on_down = down
            link.on_up = up

        def answered(response: object) -> None:
            if response is None:
                self.quorum.on_failure(sent, broker.mono_ms, broker.wall_ms)
            else:
                self.quorum.on_response(sent, response, broker.mono_ms, broker.wall_ms)  # type: ignore[arg-type]  # by _RESPONSES
            self.pump()

        timeout_ms = broker.config.int("controller.quorum.request.timeout.ms")
        link.request(sent.request, sent.version, _RESPONSES[type(sent.request).__name__], timeout_ms, answered)

    def handle_fetch(self, call: Call, request: FetchRequest) -> None:
        """A fetch of the metadata log."""
        response = self.quorum.handle_fetch(request, call, self._broker.mono_ms, self._broker.wall_ms)
        if response is None:
            call.connection.on_close["metadata fetch"] = lambda: self.quorum.forget_fetch(call)
        else:
            call.reply_segments(as_of_version(response, call.version))
        self.pump()

    # --- folding the log into images

    def _load_snapshot(self) -> None:
        snapshot = self.quorum.latest_snapshot
        invariant(snapshot is not None, "a snapshot was announced and is not there")
        assert snapshot is not None
        content = self._snapshots.read(snapshot, 0, self._snapshots.size(snapshot))
        old = self.image
        self._builder = ImageBuilder(EMPTY_IMAGE)
        for value in checkpoint_records(content):
            self._builder.apply(snapshot.end_offset - 1, _decode(value))
        image, _ = self._builder.build(snapshot.epoch)
        self._next_offset = snapshot.end_offset
        self._bytes_since_snapshot = 0
        self._publish(old, image, changes_between(old, image))

    def _apply(self, high_watermark: int) -> None:
        """Fold every committed batch into the image."""
        builder = self._builder
        while self._next_offset < high_watermark:
            read_bytes = 1 if self._broker.buggify("metadata in one batch") else _READ_BYTES
            data = self._log.read(self._next_offset, read_bytes, high_watermark, at_least_one=True)
            invariant(data, f"committed metadata from offset {self._next_offset} can't be read")
            epoch = -1
            for position, header, _ in batches(data):
                if not is_control(header):
                    for record in read_records(data, position, header, expansion_limit_bytes=EXPANSION_LIMIT_BYTES):
                        if record.offset >= self._next_offset:
                            builder.apply(record.offset, _decode(record.value or b""))
                self._next_offset = header.base_offset + header.last_offset_delta + 1
                self._last_timestamp_ms = header.max_timestamp
                epoch = header.partition_leader_epoch
            self._bytes_since_snapshot += len(data)
            old = self.image
            image, changes = builder.build(epoch)
            self._publish(old, image, changes)
        wanted = self._bytes_since_snapshot >= self._snapshot_bytes or (
            self._bytes_since_snapshot > 0 and self._broker.buggify("metadata snapshot now")
        )
        if wanted and not builder.in_transaction:
            self._take_snapshot()

    def _publish(self, old: MetadataImage, image: MetadataImage, changes: ImageChanges) -> None:
        self.image = image
        self._broker.metadata_changed(old, image, changes)

    def _take_snapshot(self) -> None:
        values = [encode_record(message, version) for message, version in self.image.to_records()]
        self.quorum.take_snapshot(self._next_offset, values, self._last_timestamp_ms, self._broker.wall_ms)
        self.quorum.discard_before_snapshot()
        self._bytes_since_snapshot = 0

    @property
    def in_transaction(self) -> bool:
        """Whether the committed log ends inside a metadata transaction."""
        return self._builder.in_transaction

    @property
    def next_offset(self) -> int:
        """Offset of the first record that is not in the image."""
        return self._next_offset
