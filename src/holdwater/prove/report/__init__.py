"""The verdict to read and to process: one document (``document``), shown as text, JSON, JUnit XML, and one self-contained HTML page.

Words: **held**, **broken**, **invalid**, **skipped**, and always "in this run": a run proves what happened, never what will.
"""

from pathlib import Path


def schema_file() -> Path:
    """The JSON Schema of ``--format json``."""
    return Path(__file__).with_name("schema.json")
