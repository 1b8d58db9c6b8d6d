"""What seeds draw of groups and transactions."""

from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.coordination.plan import CLASSIC, MODERN, CoordinationPlan, draw_coordination

DRAWN = [draw_coordination(Rng(seed), 3) for seed in range(300)]
PLANS: list[CoordinationPlan] = [plan for plan in DRAWN if plan is not None]


def test_most_seeds_have_neither_and_many_have_one() -> None:
    assert 80 < len(PLANS) < 180


def test_every_seed_has_some_where_that_is_wanted() -> None:
    kinds = [
        (bool(plan.groups), bool(plan.writers)) for plan in (draw_coordination(Rng(seed), 3, always=True) for seed in range(50)) if plan
    ]
    assert len(kinds) == 50
    assert set(kinds) == {(True, True), (True, False), (False, True)}


def test_everything_is_drawn_somewhere() -> None:
    groups = [group for plan in PLANS for group in plan.groups]
    writers = [writer for plan in PLANS for writer in plan.writers]
    for several in (
        *([group.protocols == protocols for group in groups] for protocols in ((CLASSIC,), (MODERN,), (CLASSIC, MODERN))),
        [group.is_cooperative for group in groups],
        [group.is_static for group in groups],
        [group.is_transactional for group in groups],
        [group.bumps for group in groups if group.is_transactional],
        [writer.bumps for writer in writers],
        [writer.has_twin for writer in writers],
        [bool(writer.hang_chance) for writer in writers],
        [plan.echoes for plan in PLANS],
    ):
        assert 0 < sum(several) < len(several)


def test_brokers_take_the_settings() -> None:
    for plan in PLANS[:30]:
        cluster = SimCluster(1, Settings(broker=plan.texts))
        config: BrokerConfig = cluster.nodes[1].config
        assert config.int("offsets.topic.num.partitions") <= 3
