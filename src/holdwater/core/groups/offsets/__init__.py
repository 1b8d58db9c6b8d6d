"""Committed offsets: who may commit and fetch them, those that wait for a transaction, and when they expire."""
