"""Config errors: the message for a setting with a wrong value or a wrong name."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

SECRET_WORDS = ("PASSWORD", "TOKEN", "KEY", "PASSPHRASE", "WEBHOOK")


def describe(error: ValidationError, *, prefix: str) -> str:
    """One line for each wrong setting, with its value unless that may be a secret.

    Args:
        error: What pydantic found.
        prefix: The prefix of every variable, in upper case.
    """
    return "\n  ".join(_lines(error, prefix))


def unknown_name_hint(name: str, names: Collection[str]) -> str:
    """What to do about a variable that is not a setting: the most similar of ``names``, or where they are listed."""
    similar = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {similar[0]}?" if similar else "see .env.local.example for every setting"


def _lines(error: ValidationError, prefix: str) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        if not problem["loc"]:  # of several settings together; the input would be all of them
            yield str(problem["ctx"]["error"])
            continue
        name = prefix + "_".join(str(part) for part in problem["loc"]).removeprefix(prefix.lower()).upper()
        hidden = any(word in name for word in SECRET_WORDS) or problem["type"] == "missing"
        value = "" if hidden else f" (it is {problem['input']!r})"
        yield f"{name}: {problem['msg'].removeprefix('Value error, ')}{value}"
