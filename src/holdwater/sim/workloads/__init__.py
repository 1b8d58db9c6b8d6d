"""What clients do to a cluster while it suffers, and the history that judges what came of it.

``plan`` draws which parts a seed has. ``client`` is a client's machine: connections, metadata. On it stand the producers (``producer`` and
``batches``, then ``idempotent`` and ``plain``; ``late`` sends their requests again, much later), the consumers (``consumer``, ``reading``,
``offsets``) and whoever changes topics (``admin``, ``activities``). All of them write down what they did and saw in ``history``, and
``judgement`` compares that with the final logs.
"""
