"""The vocabulary that every other folder shares: identifiers, error codes, invariants, randomness, and the ports to disk and log.

Nothing in here does IO, reads a clock or draws randomness by itself.
"""
