"""Until when a broker counts as alive."""

from holdwater.core.metadata.leases import NO_DEADLINE, Leases


def leases() -> Leases:
    return Leases(9000, 300)


def unfenced(at_ms: int = 0) -> Leases:
    one = leases()
    one.register(1, fenced=False, new_incarnation=True, mono_ms=at_ms)
    return one


def test_a_heartbeat_renews() -> None:
    one = unfenced()
    assert one.next_deadline_ms() == 9000
    one.touch(1, fenced=False, metadata_offset=5, mono_ms=2000)
    assert one.next_deadline_ms() == 11000
    assert one.is_valid(1, 10999)
    assert not one.is_valid(1, 11000)
    assert one.first_expired(10999) is None
    assert one.first_expired(11000) == 1


def test_a_fenced_broker_is_never_due_but_guards_its_id() -> None:
    one = leases()
    one.register(1, fenced=True, new_incarnation=True, mono_ms=0)
    assert one.next_deadline_ms() == NO_DEADLINE
    assert one.first_expired(10**9) is None
    assert one.is_valid(1, 8999)
    assert not one.is_valid(1, 9000)


def test_evidence_shortens_and_a_heartbeat_restores() -> None:
    one = unfenced()
    assert one.shorten(1, 1000)
    assert one.next_deadline_ms() == 1300
    assert not one.shorten(1, 1100), "a second closed connection gives no extra time"
    assert one.next_deadline_ms() == 1300
    one.touch(1, fenced=False, metadata_offset=0, mono_ms=1200)
    assert one.next_deadline_ms() == 10200


def test_another_process_is_evidence_against_a_broker_that_this_controller_has_not_heard_of() -> None:
    one = leases()
    one.grant(1, 0)
    assert one.next_deadline_ms() == 9000
    one.claim(1, 1000)
    assert one.next_deadline_ms() == 1300
    one.touch(1, fenced=False, metadata_offset=0, mono_ms=1200)
    one.claim(1, 1300)
    assert one.next_deadline_ms() == 10200, "a living broker keeps its id"
    one.claim(2, 1300)


def test_nothing_to_shorten() -> None:
    one = unfenced()
    assert not one.shorten(7, 0)
    assert not one.shorten(1, 8900), "it runs out sooner anyway"


def test_quick_is_never_longer_than_the_session() -> None:
    one = Leases(100, 300)
    one.register(1, fenced=False, new_incarnation=True, mono_ms=0)
    assert not one.shorten(1, 0)


def test_the_earliest_runs_out_first_and_ties_go_by_id() -> None:
    one = leases()
    for broker_id, at_ms in ((3, 5), (2, 5), (1, 6)):
        one.register(broker_id, fenced=False, new_incarnation=True, mono_ms=at_ms)
    assert one.first_expired(20_000) == 2
    one.end(2)
    assert one.first_expired(20_000) == 3


def test_a_shutdown_waits_for_the_offset_it_began_at() -> None:
    one = unfenced()
    one.register(2, fenced=False, new_incarnation=True, mono_ms=0)
    one.start_shutdown(1, 40)
    one.start_shutdown(1, 50)
    assert one.get(1).shutdown_offset == 40
    assert one.lowest_active_offset() == -1
    one.touch(2, fenced=False, metadata_offset=41, mono_ms=1)
    assert one.lowest_active_offset() == 41
    one.touch(2, fenced=True, metadata_offset=41, mono_ms=2)
    assert one.lowest_active_offset() == 2**63 - 1


def test_a_new_process_starts_without_the_old_one_s_offsets() -> None:
    one = unfenced()
    one.touch(1, fenced=False, metadata_offset=99, mono_ms=0)
    one.register(1, fenced=False, new_incarnation=False, mono_ms=0)
    assert one.get(1).metadata_offset == 99
    one.register(1, fenced=True, new_incarnation=True, mono_ms=0)
    assert one.get(1).metadata_offset == -1
