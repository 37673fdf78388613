"""A JVM loads a class archive that Java has accepted and that has not changed since; otherwise it lists its classes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rtlib import class_archive, private
from rtlib.class_archive import Jvm


@pytest.fixture
def java(tmp_path: Path) -> Path:
    """An executable in a home with an archive of its own."""
    base = tmp_path / "jdk" / "lib" / "server" / "classes.jsa"
    base.parent.mkdir(parents=True)
    base.write_bytes(b"base")
    return tmp_path / "jdk" / "bin" / "java"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder with two jars."""
    jars = tmp_path / "home" / "jars"
    jars.mkdir(parents=True)
    for name in ("a.jar", "b.jar"):
        (jars / name).write_bytes(name.encode())
    return tmp_path / "home"


def options(home: Path, java: Path, *, record: bool = True, order: str = "ab") -> tuple[str, ...]:
    jars = tuple(home / "jars" / f"{letter}.jar" for letter in order)
    return class_archive.options(home, Jvm("broker", java, jars), record=record)


def value(words: tuple[str, ...], option: str) -> Path | None:
    """The path that an option names."""
    return next((Path(word.partition("=")[2]) for word in words if word.startswith(f"-XX:{option}=")), None)


def loaded(words: tuple[str, ...]) -> Path | None:
    """The archive that these options load."""
    return value(words, "SharedArchiveFile")


def listing(words: tuple[str, ...]) -> Path | None:
    """The list that these options write."""
    return value(words, "DumpLoadedClassList")


def accepted(home: Path, java: Path, *, order: str = "ab") -> Path:
    """The archive, as if Java had made and accepted it."""
    classes = listing(options(home, java, order=order))
    record = class_archive.read(classes) if classes else None
    assert record is not None
    archive = Path(record.archive)
    private.make_folder(archive.parent)
    archive.write_bytes(b"classes")
    class_archive.write(archive, replace(record, state=class_archive.state(archive)))
    return archive


def test_the_first_start_lists_the_classes_and_a_start_after_the_archive_loads_it(home: Path, java: Path) -> None:
    assert listing(options(home, java)) == home / "class-lists" / "broker.classes"
    archive = accepted(home, java)
    assert loaded(options(home, java)) == loaded(options(home, java, record=False)) == archive
    assert archive.parent.parent == home / "jars"


def test_a_start_that_makes_no_archives_is_as_ever(home: Path, java: Path) -> None:
    assert options(home, java, record=False) == ()
    assert [path.name for path in home.iterdir()] == ["jars"]


def test_the_lists_are_private(home: Path, java: Path) -> None:
    options(home, java)
    assert not list(private.exposed(class_archive.lists(home)))


def truncate(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:3])


def overwrite(archive: Path) -> None:
    time = archive.stat().st_mtime_ns
    archive.write_bytes(b"CLASSES")
    os.utime(archive, ns=(time + 1, time + 1))


def tear_the_record(archive: Path) -> None:
    archive.with_suffix(".json").write_text('{"java": ')


def misstate_the_record(archive: Path) -> None:
    archive.with_suffix(".json").write_text('{"archive": 6, "java": 7, "class_path": 8, "state": []}')


@pytest.mark.parametrize("harm", [truncate, overwrite, Path.unlink, tear_the_record, misstate_the_record])
def test_an_archive_that_has_changed_is_never_loaded_and_is_made_again(
    home: Path, java: Path, harm: Callable[[Path], None]
) -> None:
    archive = accepted(home, java)
    harm(archive)
    assert options(home, java, record=False) == ()
    assert listing(options(home, java))
    assert not archive.exists()
    assert accepted(home, java) == archive


def test_another_jar_order_or_java_needs_another_archive(home: Path, java: Path) -> None:
    archives = {accepted(home, java)}
    (home / "jars" / "b.jar").write_bytes(b"a newer version")
    archives.add(accepted(home, java))
    (java.parents[1] / "lib" / "server" / "classes.jsa").write_bytes(b"a newer Java")
    archives.add(accepted(home, java))
    archives.add(accepted(home, java, order="ba"))
    assert len(archives) == 4


def test_after_three_failures_no_classes_are_listed_until_the_jars_change(home: Path, java: Path) -> None:
    classes = listing(options(home, java))
    assert classes is not None
    record = class_archive.read(classes)
    assert record is not None
    class_archive.write(classes, replace(record, failures=class_archive.MOST_FAILURES))
    assert options(home, java) == ()
    (home / "jars" / "a.jar").write_bytes(b"a newer version")
    assert listing(options(home, java)) == classes


def test_a_folder_with_the_same_jars_uses_the_same_archive(home: Path, java: Path, tmp_path: Path) -> None:
    archive = accepted(home, java)
    shutil.copytree(home / "jars", tmp_path / "linked" / "jars", copy_function=os.link)
    assert (loaded(options(tmp_path / "linked", java)) or archive).samefile(archive)
    (tmp_path / "pointed").mkdir()
    (tmp_path / "pointed" / "jars").symlink_to(home / "jars")
    assert loaded(options(tmp_path / "pointed", java)) == archive


def test_a_state_folder_that_was_moved_needs_a_new_archive(home: Path, java: Path, tmp_path: Path) -> None:
    accepted(home, java)
    moved = home.rename(tmp_path / "moved")
    assert options(moved, java, record=False) == ()


def test_a_folder_on_the_class_path_stands_for_its_jars(home: Path, java: Path) -> None:
    def archive() -> str:
        class_archive.options(home, Jvm("spark", java, (home / "jars",)), record=True)
        record = class_archive.read(class_archive.lists(home) / "spark.classes")
        assert record is not None
        return record.archive

    first = archive()
    (home / "jars" / "notes.txt").write_text("no jar")
    assert archive() == first
    (home / "jars" / "c.jar").write_bytes(b"c")
    assert archive() != first


def test_a_java_without_an_archive_of_its_own_starts_without(home: Path, java: Path) -> None:
    (java.parents[1] / "lib" / "server" / "classes.jsa").unlink()
    assert options(home, java) == ()


def test_a_missing_jar_or_a_folder_that_cannot_be_written_stops_no_start(
    home: Path, java: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(class_archive.private, "write", full)
    assert options(home, java) == ()
    assert options(home, java, order="abc") == ()
