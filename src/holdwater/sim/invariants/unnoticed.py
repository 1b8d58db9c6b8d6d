"""Looking at a node's disk without being noticed: no operation of the watch counts or fails."""

from holdwater.sim.node import SimNode


class Unnoticed:
    """While it is entered, reads of a node's disk neither count nor fail."""

    __slots__ = ("_count", "_disk", "_hook")

    def __init__(self, node: SimNode) -> None:
        self._disk = node.disk

    def __enter__(self) -> None:
        self._hook = self._disk.on_operation
        self._count = self._disk.operation_count
        self._disk.on_operation = None

    def __exit__(self, *_: object) -> None:
        self._disk.on_operation = self._hook
        self._disk.operation_count = self._count
