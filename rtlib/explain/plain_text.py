"""Plain text: letters and the punctuation of sentences; no markup, no address, no hidden character."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

ASCII_PUNCTUATION = frozenset(".,;:!?'\"()-")  # every other ASCII sign can be markup or part of an address
SCHEME = re.compile(r"[a-z]:(?=\w)", re.IGNORECASE)  # javascript:alert, mailto:bob
LOOKALIKES = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})


def markup_problems(text: str) -> Iterator[str]:
    """Whatever in a text is not plain, in words; digits are not judged here.

    Args:
        text: In the compatibility form of Unicode (NFKC), in which full-width signs are ASCII.
    """
    kinds = {sign: unicodedata.category(sign) for sign in text}
    if any(kind[0] == "C" or kind in ("Zl", "Zp") for kind in kinds.values()):
        yield "has control or hidden characters"
    odd = [sign for sign, kind in kinds.items() if kind[0] == "S" or (kind[0] == "P" and _is_odd(sign))]
    if odd:
        yield f"has {''.join(odd)!r}, which may be markup or part of an address"
    if SCHEME.search(text):
        yield "has an address"
    yield from (f"has {word!r}, which mixes two alphabets" for word in words(text) if _mixes(word))


def normalized(text: str) -> str:
    """A text in the compatibility form of Unicode, in which full-width, circled and raised digits are digits.

    Without the zero-width non-joiner: Persian writes it within words, which are also read without it.
    """
    return unicodedata.normalize("NFKC", text.replace("\u200c", "")).strip()


def words(text: str) -> list[str]:
    """The words of a text: letters with their marks, in any script."""
    return "".join(sign if unicodedata.category(sign)[0] in "LM" else " " for sign in text).split()


def _is_odd(sign: str) -> bool:
    return sign.isascii() and sign not in ASCII_PUNCTUATION


def _mixes(word: str) -> bool:
    """True for letters of two alphabets that look alike: a Cyrillic letter hides a Latin word."""
    return len({unicodedata.name(letter, "").partition(" ")[0] for letter in word} & LOOKALIKES) > 1
