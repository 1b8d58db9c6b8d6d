"""What the table of configuration keys says about each key's effect is true: a user is warned exactly where a key does nothing.

A key acts when the source names it, or, for a broker key that gives a topic key its default, when the source names the topic key. Neither
a rule that compares keys nor a topic that is made with a value acts on a key.
"""

from pathlib import Path

from holdwater.kernel.configs.keys import Key, broker_keys, group_keys, topic_keys

ROOT = Path(__file__).parents[2]
CLUSTER = ("kernel", "storage", "core", "broker", "node", "cluster")
"""Where a key can act on a broker; the tools speak of keys of clients and of other clusters."""
NO_ACTING = {"kernel/configs/table.py": "", "kernel/configs/broker.py": "_PAIRS = (", "broker/coordinators/topics.py": "    def _topic("}
"""Files, or what in them begins there, that name keys without acting on them."""


def acting(path: Path) -> str:
    begin = NO_ACTING.get(path.relative_to(ROOT / "src/holdwater").as_posix())
    text = path.read_text()
    return text if begin is None else text[: text.index(begin)]


SOURCE = "\n".join(acting(path) for folder in CLUSTER for path in sorted((ROOT / "src/holdwater" / folder).rglob("*.py")))


def is_named(key: Key) -> bool:
    return f'"{key.name}"' in SOURCE


def wrong(key: Key, *, acts: bool) -> str | None:
    if acts == (key.standing == "acts"):
        return None
    says = "the source acts on it" if acts else "nothing in the source names it"
    return f"{key.name}: its row in kernel/configs/table.py says '{key.standing}', but {says}"


def test_standing_is_true() -> None:
    given = {synonym.name for key in topic_keys().values() if is_named(key) for synonym in key.synonyms}
    rows = [
        *((key, is_named(key) or key.name in given) for key in broker_keys().values()),
        *((key, is_named(key)) for key in topic_keys().values()),
        *((key, is_named(key)) for key in group_keys().values()),
    ]
    assert [sentence for key, acts in rows if (sentence := wrong(key, acts=acts)) is not None] == []
