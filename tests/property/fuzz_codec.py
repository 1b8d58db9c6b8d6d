"""The codec's endurance run, beyond what the test suite does: damaged frames of every message version for as long as asked.

    python -m tests.property.fuzz_codec SECONDS [SEED]

Prints the counts, the slowest decode and the growth of memory; exits 1 at the first exception that is not ``ProtocolError``.
"""

import resource
import sys
import time

from tests.support.messages import MessageMaker, Mutator, message_versions

from holdwater.wire.codec import ElementBudget, ProtocolError, decoder, encode


def run(seconds: float, seed: int) -> int:
    """0 when every damaged frame decoded or raised ``ProtocolError``."""
    maker, mutator, targets = MessageMaker(seed), Mutator(seed), list(message_versions())
    count = refused = 0
    slowest, end, grown = 0.0, time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for message_class, version in targets:
            raw, function = encode(maker.message(message_class, version), version), decoder(message_class, version)
            for _ in range(200):
                damaged = mutator.damage(raw, raw)
                started = time.thread_time()
                try:
                    function(damaged, 0, len(damaged), ElementBudget.CLIENT)
                except ProtocolError:
                    refused += 1
                except Exception as error:  # noqa: BLE001 - finding any other is what this program is for
                    print(f"{message_class.__name__} v{version}: {error!r} from {damaged.hex()} (seed {seed})")
                    return 1
                slowest = max(slowest, time.thread_time() - started)
                count += 1
            if time.monotonic() >= end:
                break
        grown = grown or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown) // 1024 if grown else 0
    print(
        f"{count} damaged frames, {refused} refused, slowest {slowest * 1000:.2f} ms, {more} MiB more than after the first round, seed {seed}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
