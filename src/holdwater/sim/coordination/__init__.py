"""Consumer groups and transactions under faults: what their clients do, what they were told, and the judgement.

``plan`` draws what a seed has. ``asking`` finds coordinators and ``fetching`` fetches; on them stand the members of groups (``member``, then
``classic`` and ``modern``, KIP-848), the transactional producers (``producer``, ``writer``) and ``reader``. What clients were told is written
down in ``groups`` and ``transactions``, which raise what is wrong at once; ``judgement`` compares the rest with the final logs.
"""
