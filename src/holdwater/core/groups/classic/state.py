"""States of a classic group, and which may follow which."""

from enum import Enum


class ClassicState(Enum):
    """A state by Kafka's name for it, as clients see it."""

    EMPTY = "Empty"
    """No members. The group has a generation, perhaps committed offsets, perhaps members that were given an id and have yet to join."""
    PREPARING_REBALANCE = "PreparingRebalance"
    """Members are called to join; their answers are parked until all have, or time is up."""
    COMPLETING_REBALANCE = "CompletingRebalance"
    """The generation has begun; the group's leader works out the assignment, the others' syncs are parked."""
    STABLE = "Stable"
    """The assignment is committed and given out."""
    DEAD = "Dead"
    """Unloaded or deleted: whoever still holds the object must not use it."""


PREVIOUS_STATES: dict[ClassicState, tuple[ClassicState, ...]] = {
    ClassicState.EMPTY: (ClassicState.PREPARING_REBALANCE,),
    ClassicState.PREPARING_REBALANCE: (ClassicState.STABLE, ClassicState.COMPLETING_REBALANCE, ClassicState.EMPTY),
    ClassicState.COMPLETING_REBALANCE: (ClassicState.PREPARING_REBALANCE,),
    ClassicState.STABLE: (ClassicState.COMPLETING_REBALANCE,),
    ClassicState.DEAD: tuple(ClassicState),
}
"""From which states each state may be entered."""
