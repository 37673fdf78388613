"""Verified: which files of a folder were hashed, and to what; known again by size and time of change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from rtlib import private
from rtlib.services.download import sha256_of

NOTES = "verified.json"


class ChecksumCache:
    """What is known of the files of one folder.

    Reading 160 MB at each start would cost a second; a file that has the size and the time of change it had when it
    was hashed is taken to be that file. ``deep`` takes nothing for granted and reads every byte again.
    """

    def __init__(self, folder: Path, *, deep: bool = False) -> None:
        self._folder = folder
        self._deep = deep
        self._known = self._read()

    def is_right(self, name: str, *, sha256: str | None = None) -> bool:
        """True when the file was hashed before, to this checksum if one is given, and has not changed since."""
        known = self._known.get(name)
        path = self._folder / name
        if known is None or not path.is_file() or (sha256 is not None and known[2] != sha256):
            return False
        if self._deep:
            return sha256_of(path) == known[2]
        return self._look(path, str(known[2])) == known

    def turns_out_right(self, name: str, *, sha256: str, size: int) -> bool:
        """Like ``is_right``, but a file that is not known is hashed, and remembered if it is the right one."""
        if self.is_right(name, sha256=sha256):
            return True
        path = self._folder / name
        if not path.is_file() or path.stat().st_size != size or sha256_of(path) != sha256:
            return False
        self.remember({name: sha256})
        return True

    def is_right_in_full(self, folder: str) -> bool:
        """True when every file remembered under a folder is there, unchanged."""
        names = [name for name in self._known if name.startswith(f"{folder}/")]
        return bool(names) and all(self.is_right(name) for name in names)

    def remember(self, hashes: dict[str, str]) -> None:
        """Note files that were hashed just now: name to SHA-256."""
        self._known = {
            **self._read(),
            **{name: self._look(self._folder / name, sha256) for name, sha256 in hashes.items()},
        }
        private.write(self._folder / NOTES, json.dumps(self._known, indent=0))

    def remember_all(self, files: Iterable[Path]) -> None:
        """Hash and note files that were made here, from something that was verified."""
        self.remember({file.relative_to(self._folder).as_posix(): sha256_of(file) for file in files})

    @staticmethod
    def _look(path: Path, sha256: str) -> list[object]:
        about = path.stat()
        return [about.st_size, about.st_mtime_ns, sha256]

    def _read(self) -> dict[str, list[object]]:
        try:
            known: dict[str, list[object]] = json.loads((self._folder / NOTES).read_text())
        except (OSError, ValueError):  # unreadable means unknown: the files are hashed again
            return {}
        return known
