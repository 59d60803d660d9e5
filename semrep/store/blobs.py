"""Files named by the hash of what is in them: whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from semrep.store.key import sha256


class Blobs:
    """Bytes by SHA-256, in a folder. Methods raise OSError for what the disk does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._durable: set[str] = set()

    def put(self, data: bytes) -> str:
        """Stores data and returns its name, once it would survive a power cut."""
        name = sha256(data)
        if name in self._durable:
            return name
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not (path.exists() and self.get(name) is not None):
            self._write(path, data)
        # Also for what another process has just put there.
        _sync_folder(path.parent)
        if path.parent.name not in self._durable:
            _sync_folder(path.parent.parent)
        self._durable.update((name, path.parent.name))
        return name

    def get(self, name: str) -> bytes | None:
        """The data of this name; None where it is missing or not what was stored."""
        try:
            data = self.path(name).read_bytes()
        except FileNotFoundError:
            return None
        return data if sha256(data) == name else None

    def path(self, name: str) -> Path:
        return self._folder / name[:2] / name

    def _write(self, path: Path, data: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


class MemoryBlobs(Blobs):
    """The same for a store that has no disk."""

    def __init__(self) -> None:
        super().__init__(Path())
        self._data: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        name = sha256(data)
        self._data[name] = data
        return name

    def get(self, name: str) -> bytes | None:
        return self._data.get(name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
