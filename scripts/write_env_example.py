"""Write .env.local.example: every setting with its description and default, from rtlib.config.Settings.

Run it after adding a setting: ``.venv/bin/python scripts/write_env_example.py``.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from rtlib.config import PREFIX, Settings

TARGET = Path(__file__).resolve().parents[1] / ".env.local.example"
# Defaults that depend on the machine are described.
IN_WORDS = {"home": ".rtlib in the working copy"}
HEAD = """\
# Settings of rtlib. Copy this file to .env.local (ignored by git) and remove the # of a line to set it.
# An environment variable overrides .env.local. Written by scripts/write_env_example.py; do not edit here.
"""


def env_example() -> str:
    """The text of the file."""
    return HEAD + "".join(f"\n{_setting(name, field)}\n" for name, field in Settings.model_fields.items())


def _setting(name: str, field: FieldInfo) -> str:
    assert field.description, f"the setting {name} has no description"
    parts = [field.description]
    choices = list(_choices(field.annotation))
    if choices:
        parts.append(f"one of: {', '.join(choices)}")
    if name in IN_WORDS:
        parts.append(f"default: {IN_WORDS[name]}")
    default = "" if name in IN_WORDS or field.default is None else field.default
    return f"# {'; '.join(parts)}\n#{PREFIX}{name.upper()}={default}"


def _choices(annotation: object) -> Iterator[str]:
    """The values a Literal allows, also inside ``Literal[...] | None``."""
    if typing.get_origin(annotation) is typing.Literal:
        yield from (str(value) for value in typing.get_args(annotation))
    for inner in typing.get_args(annotation):
        if typing.get_origin(inner) is typing.Literal:
            yield from _choices(inner)


if __name__ == "__main__":
    TARGET.write_text(env_example(), encoding="utf-8")
