"""The ``holdwater`` command. Argument parsing and wiring, nothing else: each command is a module that is imported only when it is used."""
