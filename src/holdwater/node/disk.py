"""The real disk: kernel.ports.Disk over the operating system's calls, and nothing else of it.

Every failure is a ``DiskFailure`` that names the file. A failed fsync is final for its file: the kernel may have dropped the dirty pages and
would report success the next time (PostgreSQL's fsync errors of 2018), so every later ``sync`` of that file fails too.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat

from holdwater.kernel.ports import DiskFailure

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PARTS_LIMIT = 1024
"""Linux's IOV_MAX: one writev takes no more parts."""


def _failure(path: str, operation: str, error: OSError) -> DiskFailure:
    return DiskFailure(path, operation, error.strerror or str(error), full=error.errno in _FULL)


def _flush(descriptor: int) -> None:
    """Make a file durable; on macOS fsync alone leaves bytes in the drive's cache."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(descriptor, full)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


class RealFile:
    """An open file. It is its own only writer, so it knows the size without asking."""

    __slots__ = ("_descriptor", "_path", "_size", "_sync_failure")

    def __init__(self, path: str) -> None:
        self._path = path
        self._sync_failure: DiskFailure | None = None
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._size = os.fstat(self._descriptor).st_size
        except OSError as error:
            raise _failure(path, "open", error) from error

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    def append(self, *parts: bytes | memoryview) -> None:
        """Write all parts at the end with one writev, going on after a short write until it is whole or fails."""
        total = 0
        for part in parts:
            total += len(part)
        try:
            written = os.writev(self._descriptor, parts if len(parts) <= _PARTS_LIMIT else (b"".join(parts),))
            if written != total:
                self._append_rest(b"".join(parts)[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                self._size = os.fstat(self._descriptor).st_size
            raise _failure(self._path, "append to", error) from error
        self._size += total

    def _append_rest(self, rest: bytes) -> None:
        while rest:
            written = os.write(self._descriptor, rest)
            if written == 0:
                raise OSError(errno.EIO, "a write of 0 bytes")
            rest = rest[written:]

    def read(self, position: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``position``."""
        try:
            data = os.pread(self._descriptor, length, position)
            if len(data) < length and position + len(data) < self._size:
                return self._read_rest(data, position, length)
        except OSError as error:
            raise _failure(self._path, "read", error) from error
        return data

    def _read_rest(self, data: bytes, position: int, length: int) -> bytes:
        parts = [data]
        got = len(data)
        while got < length:
            part = os.pread(self._descriptor, length - got, position + got)
            if not part:
                break
            parts.append(part)
            got += len(part)
        return b"".join(parts)

    def truncate(self, length: int) -> None:
        """Cut the file to ``length`` bytes."""
        try:
            os.ftruncate(self._descriptor, length)
        except OSError as error:
            raise _failure(self._path, "truncate", error) from error
        self._size = length

    def sync(self) -> None:
        """Make everything written so far durable."""
        if self._sync_failure is not None:
            raise self._sync_failure
        try:
            _flush(self._descriptor)
        except OSError as error:
            self._sync_failure = _failure(self._path, "sync", error)
            raise self._sync_failure from error

    def close(self) -> None:
        """Release the handle."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                os.close(descriptor)
            except OSError as error:
                raise _failure(self._path, "close", error) from error


class RealDisk:
    """The file system of this machine."""

    __slots__ = ()

    def make_directories(self, path: str) -> None:
        """Create the directory and its parents."""
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise _failure(path, "create directory", error) from error

    def list_directory(self, path: str) -> list[str]:
        """Names in the directory, sorted."""
        try:
            return sorted(os.listdir(path))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _failure(path, "list", error) from error

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        return self._mode(path) is not None

    def is_directory(self, path: str) -> bool:
        """Whether the path is a directory."""
        mode = self._mode(path)
        return mode is not None and stat.S_ISDIR(mode)

    def _mode(self, path: str) -> int | None:
        try:
            return os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _failure(path, "look at", error) from error

    def open(self, path: str) -> RealFile:
        """Open for reading and appending, created empty when absent."""
        return RealFile(path)

    def read_file(self, path: str) -> bytes:
        """The whole file."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _failure(path, "read", error) from error

    def replace_file(self, path: str, content: bytes, *, durable: bool) -> None:
        """Write beside ``path`` and rename over it."""
        temporary = path + ".tmp"
        try:
            with open(temporary, "wb", buffering=0) as file:
                written = file.write(content)
                while written < len(content):
                    written += file.write(content[written:])
                if durable:
                    _flush(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise _failure(path, "replace", error) from error
        if durable:
            self.sync_directory(os.path.dirname(path) or ".")

    def rename(self, source: str, target: str) -> None:
        """Atomic rename. Raises ``FileNotFoundError`` when the source is gone."""
        try:
            os.rename(source, target)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _failure(source, f"rename to {target}", error) from error

    def remove_file(self, path: str) -> None:
        """Remove a file; no error if it is gone."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failure(path, "remove", error) from error

    def remove_tree(self, path: str) -> None:
        """Remove a directory with what is in it; no error if it is gone."""
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failure(path, "remove", error) from error

    def sync_directory(self, path: str) -> None:
        """Make creations, renames and removals in the directory durable."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _failure(path, "sync directory", error) from error


def lock_directory(path: str) -> int:
    """Hold Kafka's ``.lock`` file of a log directory; the returned descriptor keeps it until it is closed or the process ends.

    Raises ``DiskFailure`` when another process has it, so that no two brokers ever write to one directory.
    """
    name = f"{path}/.lock"
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _failure(name, "open", error) from error
    try:
        # A record lock (lockf), since that is what Java's FileChannel.lock takes: brokers of both kinds then see each other.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in {errno.EACCES, errno.EAGAIN}:
            reason = f"another broker uses {path}; stop it, or give this one a directory of its own in log.dirs"
            raise DiskFailure(name, "lock", reason) from error
        raise _failure(name, "lock", error) from error
    return descriptor
