"""``holdwater group``: usage, tables, where offsets are moved to. What it does to a cluster is in tests/conformance/clients."""

import re

import pytest
from confluent_kafka.admin import OffsetSpec  # pyright: ignore[reportPrivateImportUsage]

from holdwater.admin.groups import Target
from holdwater.cli.group import _check_address, table
from holdwater.cli.main import main

WRONG_PLACES = ("@noon", "@-5", "@", "1_0", "+1_0", "٣", " 1", "+", "+-1", "1.5", "99999999999999999999", "@9223372036854775808")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "required: list | describe | offsets | delete"),
        (("shake",), "invalid choice: 'shake'"),
        (("list",), "required: -b/--bootstrap-server"),
        (("describe", "-b", "h:1"), "required: GROUP"),
        (("offsets", "g", "-b", "h:1", "--execute"), "--to does not say where"),
        (("offsets", "g", "-b", "h:1", "--topic", "t"), "--to does not say where"),
        (("offsets", "g", "-b", "h:1", "--to", "there"), "no such place"),
        *((("offsets", "g", "-b", "h:1", "--to", text), f"--to {text}: no such place") for text in WRONG_PLACES),
        (("offsets", "", "-b", "h:1"), "GROUP is empty\nnext: name a group"),
        (("describe", "g", "", "-b", "h:1"), "GROUP is empty\nnext: name a group"),
        (("delete", "\udcff", "-b", "h:1"), "'\\udcff' is no UTF-8"),
        (("list", "-b", ""), "-b is empty"),
        (("list", "-b", "h:1", "-X", "nonsense"), "no key=value"),
        (("list", "-b", "127.0.0.1:9092,127.0.0.1:85711"), "-b 127.0.0.1:85711: 85711 is no port\nnext: name a broker"),
        (("list", "-b", "[::1]:abc"), "-b [::1]:abc: abc is no port"),
        (("list", "-b", "SSL://h:0"), "-b SSL://h:0: 0 is no port"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(["group", *arguments])
    except SystemExit as leaving:
        code = leaving.code
    assert code == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("address", ["h", "h:9092 , i:1", "PLAINTEXT://h", "SSL://h:65535", "fe80::abcd", "[fe80::abcd]", "[::1]:9092"])
def test_addresses_that_librdkafka_takes(address: str) -> None:
    _check_address(address)


def test_a_setting_that_librdkafka_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["group", "list", "-b", "h:1", "-X", "no.such=1"]) == 2
    said = capsys.readouterr().err
    assert 'No such configuration property: "no.such"' in said
    assert "next: correct it in -X or --command-config" in said


@pytest.mark.parametrize(
    ("text", "committed", "wanted"), [("12", None, 12), ("+3", 10, 13), ("-3", 10, 7), ("current", 4, 4), ("+1", None, None)]
)
def test_targets_that_are_numbers(text: str, committed: int | None, wanted: int | None) -> None:
    target = Target(text)
    assert target.spec is None
    assert target.offset(committed) == wanted


@pytest.mark.parametrize("text", ["earliest", "latest", "@1700000000000"])
def test_targets_that_the_brokers_look_up(text: str) -> None:
    assert isinstance(Target(text).spec, OffsetSpec)


def test_the_help_has_one_order(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["group", "--help"])
    said = capsys.readouterr().out
    order = ["list", "describe", "offsets", "delete"]
    assert list(dict.fromkeys(re.findall(r"^  holdwater group (\w+)", said, re.MULTILINE))) == order
    assert [word for word in re.findall(r"^    (\w+) ", said, re.MULTILINE) if word in order] == order


def test_a_table_has_numbers_to_the_right_and_says_nothing_as_a_dash() -> None:
    rows = [
        {"topic": "a", "lag": 5, "member": ""},
        {"topic": "long", "lag": None, "member": "m"},
        {"topic": "b", "lag": 1234, "member": "m"},
    ]
    assert table(rows, ("topic", "lag", "member"), indent=" ").splitlines() == [
        " topic   lag  member",
        " a         5  -",
        " long      -  m",
        " b      1234  m",
    ]
