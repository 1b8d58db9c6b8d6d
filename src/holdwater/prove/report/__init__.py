"""The verdict to read and to process: one document (``document``), shown as text, JSON, JUnit XML, and one self-contained HTML page.

Words: **held**, **broken**, **invalid**, **skipped**, and always "in this run": a run proves what happened, never what will.
"""
