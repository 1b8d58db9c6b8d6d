"""What a consumer and a broker agree on."""

from holdwater.sim.workloads.places import Session, Wanted


def test_what_is_to_be_named_again_is_still_known_so_that_it_can_be_forgotten() -> None:
    """A partition that was refused and has moved must be named as forgotten, or the broker answers for it with an error for ever."""
    session = Session()
    session.known = {0: Wanted(5, 1, -1), 1: Wanted(7, 1, -1)}
    session.name_again(1)
    session.name_again(2)
    assert session.known == {0: Wanted(5, 1, -1), 1: None}
