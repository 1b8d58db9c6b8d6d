"""A consumer of what transactions write: at read_committed it leaves out aborted records as a client does, at read_uncommitted it sees all."""

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.fetching import COMMITTED, Answer, Fetching
from holdwater.sim.coordination.plan import EFFECTS
from holdwater.sim.coordination.transactions import ABORTED, TransactionLedger
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.client import Client
from holdwater.sim.workloads.history import History
from holdwater.sim.workloads.reading import ReadBatch
from holdwater.wire.records import CONTROL_FLAG, TRANSACTIONAL_FLAG, parse_header, read_transaction_marker


class EffectsReader(Client):
    """See the module."""

    def __init__(self, cluster: SimCluster, name: str, isolation: int, rng: Rng, history: History, ledger: TransactionLedger) -> None:
        super().__init__(cluster, name, EFFECTS, rng, history)
        self.isolation = isolation
        self.offsets: dict[int, int] = {}
        self.seen: dict[int, list[tuple[int, bytes]]] = {}
        """What it was handed, by partition: offsets and values."""
        self._ledger = ledger
        self.fetching = Fetching(self, cluster.watch, isolation, rng.uniform_ms(500, 1_500) * 1000, self._wanted, self._take)

    def start(self) -> None:
        """Begin."""
        self.refresh_metadata()

    def metadata_arrived(self) -> None:
        """Somebody may lead now."""
        self.fetching.go_on()

    def _wanted(self) -> dict[int, int]:
        return {index: self.offsets.get(index, 0) for index in self.partitions}

    def _take(self, answer: Answer) -> None:
        index = answer.partition
        if self.offsets.get(index, 0) != answer.asked_offset:
            return
        pending = sorted((each.first_offset, each.producer_id) for each in answer.data.aborted_transactions or ())
        aborted: dict[int, None] = {}
        for batch in answer.batches:
            while pending and pending[0][0] < batch.end_offset:
                aborted[pending.pop(0)[1]] = None
            self._take_batch(index, batch, aborted)
            self.offsets[index] = batch.end_offset

    def _take_batch(self, index: int, batch: ReadBatch, aborted: dict[int, None]) -> None:
        header = parse_header(batch.data)
        if header.attributes & CONTROL_FLAG:
            marker = read_transaction_marker(batch.data, 0, header)
            if marker is not None and not marker.committed:
                aborted.pop(header.producer_id, None)
            return
        if self.isolation == COMMITTED and header.attributes & TRANSACTIONAL_FLAG and header.producer_id in aborted:
            self.history.count("aborted-batch-left-out")
            return
        seen = self.seen.setdefault(index, [])
        for record in batch.records:
            value = record.value or b""
            transaction = self._ledger.by_value.get(value)
            at = f"{EFFECTS}-{index}@{record.offset}"
            if transaction is None or value not in transaction.values.get(index, ()):
                raise SafetyViolation("H", f"{self.name} read {value!r} at {at}, which was never sent there")
            if self.isolation == COMMITTED and (not transaction.is_asked_to_commit or transaction.outcome == ABORTED):
                raise SafetyViolation("P5", f"{self.name} read {value!r} at {at}, and {transaction.name} was not asked to commit")
            self.history.read_count += 1
            seen.append((record.offset, value))
