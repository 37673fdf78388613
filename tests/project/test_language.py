"""Language: names, comments, messages and documents are plain technical English. These words and phrases are banned.

``python tests/project/test_language.py`` prints all violations, with a count for each folder.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

QUOTED = {"tests/support/adversarial_answers.py"}  # answers of a model, word for word

CODE = ("rtlib/**/*.py", "scripts/*.py", "tests/**/*.py", "notebooks/py/*.py")
DOCUMENTS = (
    *("*.md", "docs/**/*.md", "Makefile", "environment.yml", ".env.local.example"),
    *(
        f"dbt/{folder}/**/*.{suffix}"
        for folder in ("macros", "models", "seeds", "snapshots", "tests")
        for suffix in ("sql", "yml")
    ),
    "rtlib/domains/*.toml",
)
NAMES = {"one", "told", "said", "tell", "whoever"}  # as a whole name
NAME_WORDS = re.compile(r"(?:^|_)(told|said|tell|whoever)(?:_|$)", re.IGNORECASE)  # as a word of a longer name
FIELDS = {"said"}  # dataclass fields that are keys of stored or printed JSON
PHRASES = (
    *("told", "whoever", "so many", "so much as", "is asked", "are asked", "at the most", "for ever"),
    *("stands still", "stand still", "bears out", "borne out", "what becomes of", "by itself alone", "that is so"),
)
PROSE = re.compile(r"\b(?:" + "|".join(phrase.replace(" ", r"\s+") for phrase in PHRASES) + r")\b", re.IGNORECASE)
# Parsing is slow, so a module is parsed only if its plain text has a candidate: a phrase, whatever separates its words
# (quotes, a line break, "#", "_"), or a name where names are defined.
NAME_PARTS = tuple(part for word in ("said", "tell") for part in (f"(?<=_){word}", f"{word}(?=_)"))
LOOSE = re.compile(
    r"(?<![a-z0-9])(?:"
    + "|".join(phrase.replace(" ", r"[\W_]+(?:[fr]+\W+)?") for phrase in (*PHRASES, *NAME_PARTS, "(?-i:Who)"))
    + r")(?![a-z0-9])",
    re.IGNORECASE,
)
DEFINED = re.compile(
    r"\b(?:one|said|tell)\b *(?:=(?!=)|:(?!:)|,[^\n]*(?:=|\bin\b)|\)|\bin\b)"
    r"|\b(?:for|as|def|lambda|class)\b[^\n]*\b(?:one|said|tell)\b"
)
# "Who" at the beginning of a line or sentence, up to the end of that sentence or table cell.
WHO = re.compile(r"(?:^[ \t]*(?:[-*>#|]+[ \t]*|\d+\.[ \t]+)?|[.!?:|][ \t\n]+)(Who\s[^.!?|]*[.!?|]?)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Violation:
    """A banned word, with its file (relative to the project) and line."""

    file: str
    line: int
    word: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.word}"


def prose_violations(file: str, text: str, first_line: int = 1) -> Iterator[Violation]:
    """Banned phrases of a text that begins in ``first_line`` of its file."""
    hits = [(match.start(), match[0]) for match in PROSE.finditer(text)]
    hits += [(match.start(1), "Who") for match in WHO.finditer(text) if not match[1].endswith("?")]
    for position, word in hits:
        yield Violation(file, first_line + text.count("\n", 0, position), " ".join(word.split()))


def defined_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a module defines, with its line; names that it only uses are left out."""
    fields = {id(field.target) for field in ast.walk(tree) if isinstance(field, ast.AnnAssign)}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) if not (name in FIELDS and id(node) in fields):
                yield name, node.lineno
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name, node.lineno
            case ast.alias(asname=str(name)):
                yield name, node.lineno


def name_violations(file: str, tree: ast.AST) -> Iterator[Violation]:
    """Banned names that a module defines. The name of a test is a sentence, so it is checked as prose as well."""
    for name, line in defined_names(tree):
        is_sentence = name.startswith("test_") and PROSE.search(name.replace("_", " "))
        if is_sentence or name in NAMES or NAME_WORDS.search(name):
            yield Violation(file, line, name)


def comment_blocks(source: str) -> Iterator[tuple[str, int]]:
    """The comments of a module, those of consecutive lines as one text, with the line of the first."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != last + 1:
            yield "\n".join(block), last - len(block) + 1
            block = []
        block.append(token.string.lstrip("#").strip())
        last = token.start[0]
    if block:
        yield "\n".join(block), last - len(block) + 1


def code_violations(file: str, source: str) -> Iterator[Violation]:
    """Banned names, and banned phrases of docstrings, messages and comments."""
    prose = LOOSE.search(source)
    if not prose and not DEFINED.search(source):
        return
    tree = ast.parse(source)
    yield from name_violations(file, tree)
    if not prose:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from prose_violations(file, node.value, node.lineno)
    for text, line in comment_blocks(source):
        yield from prose_violations(file, text, line)


def violations_in(path: Path) -> list[Violation]:
    """All violations of a file, in the order of its lines."""
    file, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    found = code_violations(file, text) if path.suffix == ".py" else prose_violations(file, text)
    return sorted(set(found), key=lambda violation: (violation.line, violation.word))


@cache
def files() -> dict[str, Path]:
    """The files that are checked, by their path in the project; this one quotes the banned words."""
    paths = {path for pattern in (*CODE, *DOCUMENTS) for path in ROOT.glob(pattern) if path != Path(__file__)}
    named = {path.relative_to(ROOT).as_posix(): path for path in sorted(paths)}
    return {file: path for file, path in named.items() if file not in QUOTED}


def room(file: str) -> str:
    """The folder that a violation is counted for: ``rtlib/<package>``, ``tests/unit/<package>`` or the top folder."""
    depth = {"rtlib/pipeline": 3, "tests/unit": 3, "notebooks/py": 2, "docs/decisions": 2}
    folders = Path(file).parent.parts
    return "/".join(folders[: depth.get("/".join(folders[:2]), 2)]) or file


# --- the project ----------------------------------------------------------------------------------------------------


def test_names_comments_messages_and_documents_are_plain_english() -> None:
    assert "\n".join(str(violation) for path in files().values() for violation in violations_in(path)) == ""


# --- the check itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("x = 1\ntold = 2", 2, "told"),
        ("rows = [one.name for one in parts]", 1, "one"),
        ("def read(one): ...", 1, "one"),
        ("def read(*, whoever=1): ...", 1, "whoever"),
        ("def tell(): ...", 1, "tell"),
        ("def _tell(): ...", 1, "_tell"),
        ("TELL_SECONDS = 1", 1, "TELL_SECONDS"),
        ("last_said = 1", 1, "last_said"),
        ("class Part:\n    told: str", 2, "told"),
        ("self.told_at = 1", 1, "told_at"),
        ("for one, value in pairs: ...", 1, "one"),
        ("with open(path) as one: ...", 1, "one"),
        ("def test_the_user_is_told(): ...", 1, "test_the_user_is_told"),
        ("def test_nobody_stands_still(): ...", 1, "test_nobody_stands_still"),
        ('"""The user is told."""', 1, "told"),
        ('"""Lines.\n\nAt the\nmost ten.\n"""', 3, "At the most"),
        ('fail("at the "\n     "most ten")', 1, "at the most"),
        ("fail(f'{part} stands still')", 1, "stands still"),
        ("x = 1  # for ever", 1, "for ever"),
        ("x = 1\n# so\n# many", 2, "so many"),
        ('"""Who reads it finds nothing."""', 1, "Who"),
        ('"""A file. Who reads it finds nothing."""', 1, "Who"),
    ],
)
def test_a_banned_word_in_code_is_found_in_its_line(source: str, line: int, word: str) -> None:
    assert list(code_violations("a.py", source)) == [Violation("a.py", line, word)]


@pytest.mark.parametrize(
    "source",
    [
        "from numbers import Number\nprint(reply.told, one, beat.said)",  # defined elsewhere
        "class Heartbeat:\n    said: str",  # a key of stored JSON
        "beat = Heartbeat(said='ready')",
        "share_of_one = 1",
        '"""Exactly one event, someone told_by nothing."""',
        "# One at a time",
        '"""Who reads it?"""',
        "query('select 1 as one')",
    ],
)
def test_plain_code_is_accepted(source: str) -> None:
    assert list(code_violations("a.py", source)) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A table\n\n| part | use |\n|---|---|\n| Who reads | it |", [5]),
        ("Text.\n\n## Who may connect\n\nText.", [3]),
        ("Text.\n\n## Who may connect?\n\nText.", []),
        ("- Who reads it is told\n  so", [1, 1]),
        ("a name for ever,\nand that is\nso", [1, 2]),
        ("at most ten, so much of it, whole", []),
    ],
)
def test_a_banned_word_in_a_document_is_found_in_its_line(text: str, lines: list[int]) -> None:
    assert sorted(violation.line for violation in prose_violations("a.md", text)) == lines


if __name__ == "__main__":
    everything = [violation for path in files().values() for violation in violations_in(path)]
    counts = Counter(room(violation.file) for violation in everything)
    sys.stdout.write("\n".join([*map(str, everything), *(f"{n:6} {name}" for name, n in counts.most_common())]) + "\n")
