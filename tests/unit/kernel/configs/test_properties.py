"""Java's .properties syntax. The expectations were checked with java.util.Properties."""

import pytest

from holdwater.kernel.configs.properties import InvalidProperties, parse_properties


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a=b", {"a": "b"}),
        ("a = b c ", {"a": "b c "}),
        ("  a : b", {"a": "b"}),
        ("a b", {"a": "b"}),
        ("a\tb=c", {"a": "b=c"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=b", {"": "b"}),
        ("# c\n! d\n\n   # e\na=1", {"a": "1"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=one,\\\n   two,\\\r\n\tthree\nb=4", {"a": "one,two,three", "b": "4"}),
        ("a=x\\\\\nb=y", {"a": "x\\", "b": "y"}),
        ("a=x\\\n# no comment", {"a": "x# no comment"}),
        ("a=x\\\n\nb=1", {"a": "x", "b": "1"}),
        ("a\\ b\\=c\\:d=e", {"a b=c:d": "e"}),
        ("a=\\t\\n\\r\\f\\q", {"a": "\t\n\r\fq"}),
        ("a=\\u00e9\\u20AC", {"a": "é€"}),
        ("a=b#c", {"a": "b#c"}),
        ("a=1\rb=2", {"a": "1", "b": "2"}),
        ("a=x\\", {"a": "x"}),
        ("", {}),
    ],
)
def test_syntax(text: str, parsed: dict[str, str]) -> None:
    assert parse_properties(text) == parsed


@pytest.mark.parametrize("text", ["a=\\u12", "a=\\u12g4", "a=\\u+123"])
def test_a_broken_escape_names_its_line(text: str) -> None:
    with pytest.raises(InvalidProperties, match="line 2: "):
        parse_properties("ok=1\n" + text)
