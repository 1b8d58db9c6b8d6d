"""The generated tables and the stub are what the importer writes.

With ``KAFKA_JARS`` naming a directory of Kafka's jars they are made anew from those; without it, from the committed tables, whose checksums
show an edit by hand. What the tables say is judged by the golden vectors.
"""

import os
from pathlib import Path

import pytest
from tools import import_messages
from tools.import_messages import STUB, TITLES, main, render_again, render_all

from holdwater.wire.schema import TABLES


def test_generated_files_are_current() -> None:
    jars = os.environ.get("KAFKA_JARS")
    files = render_all(Path(jars)) if jars else render_again()
    assert len(files) == len(TABLES) + 1
    for path, text in files.items():
        assert path.read_text() == text, f"{path.name} is not what tools/import_messages.py writes"


def test_an_edited_table_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    edited = set[Path]()
    for table in TABLES:
        text = (import_messages.SCHEMA / f"{table}.py").read_text()
        (tmp_path / f"{table}.py").write_text(text.replace(" int32 ", " int64 ", 1))
        if " int32 " in text:
            edited.add(tmp_path / f"{table}.py")
    monkeypatch.setattr(import_messages, "SCHEMA", tmp_path)
    different = {path for path, text in render_again().items() if text != path.read_text()}
    assert different - {STUB} == edited
    assert len(edited) > 4


def test_the_schema_package_lists_every_table() -> None:
    assert set(TABLES) == set(TITLES)


def test_a_directory_without_jars_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no kafka-clients jar"):
        main([str(tmp_path)])


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "DIRECTORY_WITH_KAFKA_JARS" in capsys.readouterr().err
