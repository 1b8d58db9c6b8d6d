"""Regular expressions as RE2/J reads and matches them, in bounded time."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdwater.core.coordinator.regex_names import STATES_MAX, NameRegex
from holdwater.core.coordinator.regex_tree import InvalidRegex

LINES = (Path(__file__).parent / "kafka_regexes.txt").read_text().splitlines()
NAMES = LINES[1].partition("\t")[2].split(" ")
INVALID = "E"


def outcome(text: str) -> str:
    try:
        regex = NameRegex(text)
    except InvalidRegex:
        return INVALID
    return "".join("1" if regex.matches(name) else "0" for name in NAMES)


@pytest.mark.parametrize("line", LINES[2:])
def test_the_outcome_is_that_of_re2j(line: str) -> None:
    text, _, expected = line.partition("\t")
    assert outcome(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("(?=a)", "unsupported Perl"),
        ("(?<!a)b", "unsupported Perl"),
        (r"(a)\1", "escape"),
        ("a**", "nested"),
        ("(a", r"missing closing \)"),
        ("a)", "unexpected"),
        ("[a", "missing closing ]"),
        ("*", "missing argument"),
        ("a{2,1}", "repeat count"),
        ("a\\", "trailing backslash"),
        ("(" * 200 + ")" * 200, "nests"),
        ("(a{1000}){1000}", "too large"),
    ],
)
def test_what_is_invalid_says_why(text: str, problem: str) -> None:
    with pytest.raises(InvalidRegex, match=problem):
        NameRegex(text)


@pytest.mark.parametrize("text", ["(a+)+$", "(a|a)*", "(a|aa)+", "(.*a){20}", "(a?){100}a{100}", "((a*)*)*b"])
def test_what_makes_a_backtracking_matcher_stand_still_does_not(text: str) -> None:
    regex = NameRegex(text)
    names = ["a" * length + "!" for length in range(249)]
    assert regex.matching(names) == ()
    assert regex._work < 249 * STATES_MAX, "transitions are worked out once"


def test_a_look_up_that_takes_too_much_work_is_given_up() -> None:
    regex = NameRegex("(a|b)*a" + "(a|b)" * 200)
    names = [
        format(number * 0x9E3779B97F4A7C15F39CC0605CEDC835, "b").replace("0", "a").replace("1", "b")[:120] * 2 for number in range(1, 3000)
    ]
    with pytest.raises(InvalidRegex, match="too much work"):
        regex.matching(names)


pieces = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "-", r"\w", r"\d", "(?:)", "^", "$", r"\b", r"\B"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,}", "*?"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + "|".join(parts) + ")"),
    ),
    max_leaves=8,
)


@given(pieces, st.lists(st.text("ab-1", min_size=1, max_size=6), max_size=5))
def test_the_common_syntax_means_what_it_means_in_python(text: str, names: list[str]) -> None:
    python = re.compile(text, re.ASCII)
    assert NameRegex(text).matching(names) == tuple(name for name in names if python.fullmatch(name))
