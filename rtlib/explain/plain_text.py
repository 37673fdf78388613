"""Plain: an answer is plain prose: letters, digits and the marks of sentences; no markup, address, or hidden sign."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 1500
MARKS = frozenset(".,;:!?'\"’‘“”„‚«»‹›¿¡()%$€£-–—−…、。，；：？！（）")
SCHEME = re.compile(r"\b[a-z][a-z0-9+.-]*:(?=[^\s\d])|\bwww\b", re.IGNORECASE)
ADDRESS = re.compile(r"\S*@\S*|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b|\w\s+\.\s*\w", re.IGNORECASE)
LISTED = re.compile(r"^\s*(?:[-–—•]|\d+[.)])\s|&#?\w+;", re.MULTILINE)
OBEYED = re.compile(
    r"\b(ignor\w*|disregard\w*|previous (rule|instruction)s?|system prompt|my instructions|as an? (ai|language model)"
    r"|developer mode|jailbreak\w*|password|api key)\b",
    re.IGNORECASE,
)


def unplain(answer: str, text: str, given: str) -> Iterator[str]:
    """What in an answer is no plain prose, in words.

    Args:
        answer: As the model wrote it.
        text: The same, with each sign in its usual form.
        given: All words of the facts: what stands there may be said, whatever it looks like.
    """
    if not text:
        yield "it is empty"
    if len(text) > LONGEST:
        yield f"it is longer than {LONGEST:,} letters"
    if any(unicodedata.category(one) in ("Cf", "Cc", "Co", "Cn") and one != "\n" for one in answer):
        yield "it holds signs that cannot be seen"
    strange = [one for one in dict.fromkeys(text) if not (one.isalnum() or one.isspace() or one in MARKS)]
    worded = [word for one in strange for word in re.findall(rf"\S*{re.escape(one)}\S*", text)]
    if any(_bare(word) not in given.lower() for word in worded) or SCHEME.search(text) or LISTED.search(text):
        yield "it holds markup or a link"
    if any(one.lower() not in given.lower() for one in ADDRESS.findall(text)):
        yield "it holds an address"
    if OBEYED.search(text):
        yield "it speaks of its instructions instead of the pipeline"
    yield from (f"{one} mixes two kinds of writing" for one in re.findall(r"[^\W\d_]+", text) if _is_mixed(one))


def _bare(word: str) -> str:
    return word.strip(".,;:!?'\"()").lower()


def _is_mixed(word: str) -> bool:
    """True for a word in letters of two scripts, of which one looks like the other; Japanese has three of its own."""
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in word}
    return (
        len(scripts & {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}) > 1 or "MATHEMATICAL" in scripts
    )
