"""Checksum cache: the SHA-256 of files in a folder, trusted while their size and modification time are unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from rtlib import private
from rtlib.services.download import sha256_of

CACHE_FILE = "verified.json"


class ChecksumCache:
    """The checksums of the files of one folder, kept in ``verified.json``.

    Saves reading 160 MB at each start, which takes a second.

    Args:
        folder: Where the files are.
        deep: Trust nothing and hash every file again.
    """

    def __init__(self, folder: Path, *, deep: bool = False) -> None:
        self._folder = folder
        self._deep = deep
        self._entries = self._read()

    def is_right(self, name: str, *, sha256: str | None = None) -> bool:
        """True when the file was hashed before, to this checksum if it is given, and has not changed since."""
        entry = self._entries.get(name)
        path = self._folder / name
        if entry is None or not path.is_file() or (sha256 is not None and entry[2] != sha256):
            return False
        if self._deep:
            return sha256_of(path) == entry[2]
        return self._entry(path, str(entry[2])) == entry

    def turns_out_right(self, name: str, *, sha256: str, size: int) -> bool:
        """Like ``is_right``, but hashes a file without an entry, and remembers it if the checksum is right."""
        if self.is_right(name, sha256=sha256):
            return True
        path = self._folder / name
        if not path.is_file() or path.stat().st_size != size or sha256_of(path) != sha256:
            return False
        self.remember({name: sha256})
        return True

    def is_right_in_full(self, folder: str) -> bool:
        """True when every file remembered under a folder is there, unchanged."""
        names = [name for name in self._entries if name.startswith(f"{folder}/")]
        return bool(names) and all(self.is_right(name) for name in names)

    def remember(self, hashes: dict[str, str]) -> None:
        """Save the checksums of files that were just hashed: name to SHA-256."""
        self._entries = {
            **self._read(),
            **{name: self._entry(self._folder / name, sha256) for name, sha256 in hashes.items()},
        }
        private.write(self._folder / CACHE_FILE, json.dumps(self._entries, indent=0))

    def remember_all(self, files: Iterable[Path]) -> None:
        """Hash and save files that were unpacked from a verified archive."""
        self.remember({file.relative_to(self._folder).as_posix(): sha256_of(file) for file in files})

    @staticmethod
    def _entry(path: Path, sha256: str) -> list[object]:
        stat = path.stat()
        return [stat.st_size, stat.st_mtime_ns, sha256]

    def _read(self) -> dict[str, list[object]]:
        try:
            entries: dict[str, list[object]] = json.loads((self._folder / CACHE_FILE).read_text())
        except (OSError, ValueError):  # an unreadable cache is empty: the files are hashed again
            return {}
        return entries
