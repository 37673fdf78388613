"""Private files: accessible to their owner only, and complete or absent after a crash or a power cut."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600


@contextmanager
def owner_only() -> Iterator[None]:
    """Let other code create files and folders for their owner only, for the block; it holds for the whole process."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(path: Path) -> Path:
    """Create a folder (mode 0700) and its missing parents; an existing folder gets that mode.

    Raises:
        OSError: It cannot be created, or belongs to another user.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process was faster
            folder.mkdir(mode=FOLDER_MODE)
    if path.stat().st_mode & 0o777 != FOLDER_MODE:
        path.chmod(FOLDER_MODE)
    return path


def write(path: Path, content: str | bytes) -> None:
    """Write a file (mode 0600) atomically: readers, also after a power cut, see either the old or the new content.

    The data is synced before the rename and the folder after it; otherwise a power cut could leave an empty file.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")  # created with mode 0600
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append(path: Path, content: str) -> None:
    """Append to a file (mode 0600), which is created if it is missing.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
    with os.fdopen(number, "a", encoding="utf-8") as file:
        file.write(content)


def sync_folder(path: Path) -> None:
    """Make a rename in this folder survive a power cut; does nothing where folders cannot be synced."""
    with suppress(OSError):
        sync_file(path)


def sync_file(path: Path) -> None:
    """Make what a file holds survive a power cut.

    Raises:
        OSError: The disk is full or broken.
    """
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def exposed(folder: Path) -> Iterator[Path]:
    """The files and folders that other users could read or change: in this folder and itself, without links."""
    inside = (Path(parent) / name for parent, folders, files in os.walk(folder) for name in (*folders, *files))
    for path in (folder, *inside):
        with suppress(FileNotFoundError):  # for example a rotated log or a deleted segment
            if path.lstat().st_mode & 0o077 and not path.is_symlink():
                yield path


def close_to_others(folder: Path) -> int:
    """Remove other users' access to this folder; returns the number of files and folders that changed.

    Raises:
        OSError: Something in it belongs to another user.
    """
    changed = 0
    for path in exposed(folder):
        with suppress(FileNotFoundError):
            path.chmod(path.stat().st_mode & 0o700)
            changed += 1
    return changed
