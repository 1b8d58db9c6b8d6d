"""Compaction: which log is to be compacted next, which records stay, and writing the segments that have only those."""
