"""docs/invariants.md names each invariant that a seed may be failed for, and who looks does."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([A-Z]\d*) \| .+ \| `([^`]+)` \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs/invariants.md").read_text())
RAISED = re.compile(r'SafetyViolation\(\s*"([A-Z]\d*)"')


def source(path: str) -> str:
    return (ROOT / ("" if path.startswith("tests/") else "src/holdwater") / path).read_text()


def test_every_code_that_is_raised_has_its_row() -> None:
    raised = {code for path in (ROOT / "src/holdwater/sim").rglob("*.py") for code in RAISED.findall(path.read_text())}
    assert len(raised) > 30
    assert sorted(raised - {code for code, _ in ROWS}) == []


def test_who_looks_names_the_code() -> None:
    assert [f"{code}: {path}" for code, path in ROWS if not re.search(rf"\b{code}\b", source(path))] == []


def test_a_code_stands_for_one_thing() -> None:
    codes = [code for code, _ in ROWS]
    assert sorted(codes) == sorted(set(codes))
    planted = (ROOT / "src/holdwater/sim/exhibits.py").read_text() + (ROOT / "src/holdwater/sim/exhibits_coordination.py").read_text()
    assert sorted(set(re.findall(r'"([RMPCL]\d+)"', planted)) - set(codes)) == []
