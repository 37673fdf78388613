"""A class archive is made from a list of classes, and kept only if Java accepts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rtlib import class_archive, private
from rtlib.class_archive import MOST_FAILURES, Jvm
from rtlib.errors import ServiceError
from rtlib.services import archive_maker

Command = tuple[str, ...]


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A list to which a JVM still writes."""
    base = tmp_path / "jdk" / "lib" / "server" / "classes.jsa"
    base.parent.mkdir(parents=True)
    base.write_bytes(b"base")
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "a.jar").write_bytes(b"a")
    jvm = Jvm("broker", tmp_path / "jdk" / "bin" / "java", (tmp_path / "jars" / "a.jar",))
    class_archive.options(tmp_path, jvm, record=True)
    (path := class_archive.lists(tmp_path) / "broker.classes").write_text("java/lang/Object\nkafka/Kaf")
    return path


def fake_java(*, dump: int = 0, check: int = 0) -> Callable[[Command], int]:
    """Java with these exit codes; it writes an archive that holds its list."""

    def run(command: Command) -> int:
        files = dict(word.split("=", 1) for word in command if word.startswith("-XX:") and "=" in word)
        if "-Xshare:dump" not in command:
            return check
        archive = Path(files["-XX:SharedArchiveFile"])
        archive.write_bytes(Path(files["-XX:SharedClassListFile"]).read_bytes())
        archive.chmod(0o444)  # as Java writes it
        return dump

    return run


def archive_of(classes: Path) -> Path:
    record = class_archive.read(classes)
    assert record is not None
    return Path(record.archive)


def test_an_archive_is_made_from_the_whole_lines_of_the_list_and_is_private(classes: Path, tmp_path: Path) -> None:
    assert archive_maker.missing(tmp_path) == [classes]
    assert archive_maker.make(classes, run=fake_java())
    archive = archive_of(classes)
    assert archive.read_text() == "java/lang/Object\n"
    assert archive_maker.missing(tmp_path) == []
    assert not list(private.exposed(archive.parent))
    assert not list(tmp_path.rglob("*.part"))


def test_the_archive_of_earlier_jars_is_removed(classes: Path) -> None:
    old = private.make_folder(archive_of(classes).parent) / "broker-0123.jsa"
    old.write_bytes(b"old")
    archive_maker.make(classes, run=fake_java())
    assert sorted(path.suffix for path in old.parent.iterdir()) == [".jsa", ".json"]
    assert not old.exists()


@pytest.mark.parametrize("codes", [{"dump": 1}, {"check": 1}])
def test_an_archive_that_java_refuses_is_not_kept_and_tried_three_times_at_most(
    classes: Path, tmp_path: Path, codes: dict[str, int]
) -> None:
    for _ in range(MOST_FAILURES):
        assert archive_maker.missing(tmp_path) == [classes]
        assert not archive_maker.make(classes, run=fake_java(**codes))
    assert archive_maker.missing(tmp_path) == []
    assert list(archive_of(classes).parent.iterdir()) == []


def test_a_stop_of_the_stack_leaves_nothing_and_counts_as_no_failure(classes: Path, tmp_path: Path) -> None:
    def stopped(command: Command) -> int:
        raise ServiceError("the stack is shutting down", cure="rtlib up")

    with pytest.raises(ServiceError):
        archive_maker.make(classes, run=stopped)
    record = class_archive.read(classes)
    assert record is not None
    assert record.failures == 0
    assert archive_maker.missing(tmp_path) == [classes]
    assert not list(tmp_path.rglob("*.part"))


def test_without_lists_nothing_is_missing(tmp_path: Path) -> None:
    assert archive_maker.missing(tmp_path) == []
