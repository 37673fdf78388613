"""Private files: accessible to their owner only, complete or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtlib import private


@pytest.fixture(autouse=True)
def permissive_umask() -> Iterator[None]:
    """A umask that leaves new files open to everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_and_its_missing_parents_are_private_whatever_the_umask(tmp_path: Path) -> None:
    folder = private.make_folder(tmp_path / "home" / "logs")
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)


def test_within_the_block_other_code_creates_private_files_and_folders(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with pytest.raises(KeyError), private.owner_only():
            (tmp_path / "folder").mkdir()
            (tmp_path / "file").write_text("")
            raise KeyError
        assert (mode(tmp_path / "folder"), mode(tmp_path / "file")) == (0o700, 0o600)
        (tmp_path / "later").write_text("")
        assert mode(tmp_path / "later") == 0o644
    finally:
        os.umask(before)


def test_an_open_folder_is_closed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    assert mode(private.make_folder(tmp_path / "home")) == 0o700


def test_a_written_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    private.write(tmp_path / "secret", "s")
    private.append(tmp_path / "log", "line\n")
    assert (mode(tmp_path / "secret"), mode(tmp_path / "log")) == (0o600, 0o600)


def test_a_failed_write_keeps_the_old_file_and_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private.write(tmp_path / "state", "old")

    def full_disk(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        private.write(tmp_path / "state", "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"state": "old"}


def test_a_file_is_synced_before_it_replaces_the_old_file_and_its_folder_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[tuple[str, bool]] = []
    sync = os.fsync

    def record(number: int) -> None:
        syncs.append((Path(f"/proc/self/fd/{number}").readlink().name, (tmp_path / "state").exists()))
        sync(number)

    monkeypatch.setattr(os, "fsync", record)
    private.write(tmp_path / "state", "new")
    assert [exists for _, exists in syncs] == [False, True]
    assert syncs[1][0] == tmp_path.name


def test_files_open_to_others_are_found_and_closed_and_links_stay_as_they_are(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.write_text("not ours to change")
    outside.chmod(0o644)
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "stream.log").write_text("")
    (home / "run.sh").write_text("")
    (home / "run.sh").chmod(0o755)
    (home / "link").symlink_to(outside)
    assert {path.name for path in private.exposed(home)} == {"home", "logs", "stream.log", "run.sh"}
    assert private.close_to_others(home) == 4
    assert list(private.exposed(home)) == []
    assert (mode(home / "run.sh"), mode(outside)) == (0o700, 0o644)
