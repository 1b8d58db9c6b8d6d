"""The active controller's soft state about brokers: until when each one counts as alive (KIP-631; quick failover is ours).

A broker has a lease from its registration on. A heartbeat renews it for broker.session.timeout.ms; a session connection that drops
shortens it to holdwater.quick.failover.ms, and the next heartbeat restores it. So does another process that asks for the id of a broker that
this controller has not heard of yet: a living one speaks to a new controller at once, and after a crash of all nobody would.
When it runs out an unfenced broker is fenced, and another process may register under its id. A granted shutdown ends the lease at once.
Nothing of this is in the log: a new active controller starts every lease afresh.
"""

from holdwater.kernel.invariant import invariant

NO_DEADLINE = 2**63 - 1


class Lease:
    """What the controller knows of one registered broker from its heartbeats."""

    __slots__ = ("deadline_ms", "fenced", "heard", "metadata_offset", "shutdown_offset")

    def __init__(self) -> None:
        self.fenced = True
        """Whether the broker is fenced: its lease then guards its id and nothing else."""
        self.heard = False
        """Whether this controller has heard of the broker's present process."""
        self.deadline_ms = -1
        """Monotonic time at which the lease runs out; -1 when there is none."""
        self.metadata_offset = -1
        """Last metadata offset that the broker said it had applied."""
        self.shutdown_offset = -1
        """Offset that the other brokers must apply before a controlled shutdown is granted; -1 when none is under way."""

    @property
    def shutting_down(self) -> bool:
        """Whether a controlled shutdown is under way."""
        return self.shutdown_offset >= 0


class Leases:
    """Leases by broker id."""

    __slots__ = ("_leases", "_quick_ms", "_session_ms")

    def __init__(self, session_ms: int, quick_ms: int) -> None:
        self._session_ms = session_ms
        self._quick_ms = min(quick_ms, session_ms)
        self._leases: dict[int, Lease] = {}

    def register(self, broker_id: int, *, fenced: bool, new_incarnation: bool, mono_ms: int) -> None:
        """Note a registration. A new incarnation starts without the old one's lease and offsets."""
        if new_incarnation:
            self._leases.pop(broker_id, None)
        offset = self._leases[broker_id].metadata_offset if broker_id in self._leases else -1
        self.touch(broker_id, fenced=fenced, metadata_offset=offset, mono_ms=mono_ms)

    def touch(self, broker_id: int, *, fenced: bool, metadata_offset: int, mono_ms: int) -> None:
        """Renew a broker's lease. A broker that is fenced is no longer in controlled shutdown."""
        lease = self._leases.setdefault(broker_id, Lease())
        lease.metadata_offset = metadata_offset
        lease.fenced = fenced
        lease.heard = True
        lease.deadline_ms = mono_ms + self._session_ms
        if fenced:
            lease.shutdown_offset = -1

    def grant(self, broker_id: int, mono_ms: int) -> None:
        """A new controller finds an unfenced broker: it has a full lease, though nobody knows when it was heard last."""
        self.register(broker_id, fenced=False, new_incarnation=True, mono_ms=mono_ms)
        self._leases[broker_id].heard = False

    def claim(self, broker_id: int, mono_ms: int) -> None:
        """Another process asks for the broker's id: evidence that a broker is gone of which this controller has not heard."""
        lease = self._leases.get(broker_id)
        if lease is not None and not lease.heard:
            self.shorten(broker_id, mono_ms)

    def end(self, broker_id: int) -> None:
        """Fence a broker and end its lease: it ran out, or the broker was told that it may stop."""
        lease = self._leases.setdefault(broker_id, Lease())
        lease.fenced = True
        lease.deadline_ms = -1
        lease.shutdown_offset = -1

    def shorten(self, broker_id: int, mono_ms: int) -> bool:
        """Evidence that a broker is gone: bring its deadline near. Returns whether that changed anything."""
        lease = self._leases.get(broker_id)
        if lease is None or lease.deadline_ms <= mono_ms + self._quick_ms:
            return False
        lease.deadline_ms = mono_ms + self._quick_ms
        return True

    def start_shutdown(self, broker_id: int, offset: int) -> None:
        """Note at which offset a controlled shutdown is complete, once."""
        lease = self._leases[broker_id]
        invariant(not lease.fenced, f"broker {broker_id} is fenced and cannot enter controlled shutdown")
        if not lease.shutting_down:
            lease.shutdown_offset = offset

    def remove(self, broker_id: int) -> None:
        """Forget a broker."""
        self._leases.pop(broker_id, None)

    def get(self, broker_id: int) -> Lease:
        """What is known of a registered broker; nothing yet for one that never came."""
        return self._leases.get(broker_id) or Lease()

    def is_valid(self, broker_id: int, mono_ms: int) -> bool:
        """Whether the broker has a lease that has not run out."""
        lease = self._leases.get(broker_id)
        return lease is not None and mono_ms < lease.deadline_ms

    def first_expired(self, mono_ms: int) -> int | None:
        """The unfenced broker whose lease ran out first, if one did."""
        expired = [
            (lease.deadline_ms, broker_id) for broker_id, lease in self._leases.items() if not lease.fenced and lease.deadline_ms <= mono_ms
        ]
        return min(expired)[1] if expired else None

    def next_deadline_ms(self) -> int:
        """When the next lease of an unfenced broker runs out."""
        return min((lease.deadline_ms for lease in self._leases.values() if not lease.fenced), default=NO_DEADLINE)

    def lowest_active_offset(self) -> int:
        """The lowest metadata offset among brokers that are neither fenced nor shutting down; none: as high as can be."""
        return min(
            (lease.metadata_offset for lease in self._leases.values() if not lease.fenced and not lease.shutting_down),
            default=2**63 - 1,
        )
