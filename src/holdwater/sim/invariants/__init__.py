"""What must hold over all nodes at once, each as a small class with its code from docs/invariants.md.

``watch`` looks after each event of a broker at what that event has changed, and hands it to the classes in ``replicas``, ``quorum`` and
``images``. Notation: ``r`` a replica, ``e`` a leader epoch, ``LEO`` log end offset, ``HW`` high watermark.
"""

from holdwater.sim.invariants.unnoticed import Unnoticed
from holdwater.sim.invariants.watch import Watch

__all__ = ["Unnoticed", "Watch"]
