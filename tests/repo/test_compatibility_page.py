"""docs/compatibility.md has a row for every API, with the versions that are really served."""

from pathlib import Path

from holdwater.broker.handlers.table import TABLE
from holdwater.wire.codec.frames import API_TABLE

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def rows() -> dict[int, list[str]]:
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text().splitlines() if line.startswith("| "))
    return {int(row[0]): row for row in cells if row[0].isdigit() and len(row) == 7}


def test_every_api_has_its_row_and_the_row_is_true() -> None:
    page = rows()
    assert sorted(page) == sorted(API_TABLE)
    for key, row in page.items():
        api = TABLE.get(key)
        versions = "-" if api is None else f"{api.versions[0]}-{api.versions[1]}"
        listeners = "-" if api is None else ", ".join(api.listeners)
        assert row[1] == API_TABLE[key].name
        assert (row[3], row[4]) == (versions, listeners), (
            f"{row[1]}: the page says {row[3]} on {row[4]}, the handlers {versions} on {listeners}"
        )
        assert (row[5] == "no") == (api is None), f"{row[1]}: the page says {row[5]}"


def test_every_handler_says_who_may_use_it() -> None:
    assert [api.request_class.__name__ for api in TABLE.values() if not api.authorisation] == []
