"""Verification: a model's answer is shown only if each number, name and state in it is a reference to a fact.

The rules concern the form of a sentence and hold in every language alike:

- A sentence begins with a fact, and refers to at least two: it relates facts to each other, and claims nothing else.
- A state or a text is quoted without words around it, so it cannot be denied or given to another part.
- Between facts there are at most ``MAX_RUN`` characters: lower-case letters and plain punctuation. No digit in any
  script, no spelled-out number as num2words spells it, no name, no state, no markup, no address.

What this cannot see: whether the words between two facts are true. "A reads from B" may be the wrong way round, a
lower-case word may be an invented part, "half of" and "no longer" are words like others, and in a language that
capitalises its nouns an invented name looks like a noun. So the measured numbers stand beside the answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from rtlib.explain.grounding import PLACEHOLDER, QUOTED, SENTENCE_ENDS, Grounding, Kind
from rtlib.explain.number_words import language_code, number_words, spelled_numbers
from rtlib.explain.plain_text import markup_problems, normalized, words
from rtlib.records import Status

MAX_SENTENCES = 8
MAX_RUN = 80  # characters
MAX_ANSWER = 2_000  # characters, once the facts are filled in
CAPITALISES_NOUNS = frozenset({"de"})


def problems(sentences: Sequence[str], grounding: Grounding, *, language: str = "English") -> tuple[str, ...]:
    """Every reason not to show an answer, in words; empty when it may be shown.

    Args:
        sentences: As the model wrote them, with ids of facts in braces.
        grounding: The facts it received.
        language: The language of the answer, by its English name or code.

    Raises:
        ConfigError: An answer in this language cannot be checked.
    """
    code = language_code(language)
    violations = (
        [] if 1 <= len(sentences) <= MAX_SENTENCES else [f"{len(sentences)} sentences, not 1 to {MAX_SENTENCES}"]
    )
    for place, sentence in enumerate(sentences, 1):
        text = normalized(sentence)
        prose = PLACEHOLDER.sub(" ", text)
        numbers = _numbers(f"{prose} {PLACEHOLDER.sub(' ', sentence)}")  # a small Roman numeral turns into letters
        reasons = (*_form(text, prose, grounding), *numbers, *markup_problems(prose), *_content(prose, grounding, code))
        violations += [f"sentence {place} {reason}" for reason in dict.fromkeys(reasons)]
    if not violations and sum(len(grounding.fill(normalized(sentence))) for sentence in sentences) > MAX_ANSWER:
        violations.append(f"longer than {MAX_ANSWER:,} characters")
    return tuple(violations)


def _form(text: str, prose: str, grounding: Grounding) -> Iterator[str]:
    """What is wrong with how a sentence is built of facts and words."""
    keys = PLACEHOLDER.findall(text)
    yield from (f"refers to {{{key}}}, which is not a fact" for key in keys if key not in grounding.references)
    if not PLACEHOLDER.match(text):
        yield "does not begin with a fact"
    quotes = bool(grounding.kinds(text) & QUOTED)
    if quotes and words(prose):
        yield "adds words to a quoted state or text"
    if not quotes and len(set(keys)) < 2:
        yield "refers to fewer than two facts"
    if any(sign in SENTENCE_ENDS for sign in prose.rstrip().rstrip(SENTENCE_ENDS)):
        yield "contains a second sentence or an address"
    if max(len(run) for run in PLACEHOLDER.split(text)[::2]) > MAX_RUN:
        yield f"has more than {MAX_RUN} characters between two facts"
    if any(_alters(text, match, grounding) for match in PLACEHOLDER.finditer(text)):
        yield "writes a sign or a letter next to a number"


def _alters(text: str, match: re.Match[str], grounding: Grounding) -> bool:
    """True when a neighbour of a number could be read as part of it: a minus, another number, a k for thousand."""
    row = grounding.references.get(match[1])
    around = text[: match.start()][-1:] + text[match.end() :][:1]
    touching = any(sign in "{}" or unicodedata.category(sign) in ("Ll", "Lu", "Pd", "Mn", "Me") for sign in around)
    return touching and row is not None and row.kind is Kind.NUMBER


def _numbers(text: str) -> Iterator[str]:
    for word in text.split():
        if any(_is_digit(sign) for sign in word):
            yield f"writes out the number {word.rstrip(SENTENCE_ENDS)[:20]!r}"


def _content(prose: str, grounding: Grounding, code: str) -> Iterator[str]:
    """Number words, names and states that are written out instead of referred to."""
    yield from (f"spells out the number {word!r}" for word in spelled_numbers(prose, number_words(code)))
    yield from (f"has {word!r}, which may be a name" for word in words(prose) if _may_be_name(word, code))
    for name in grounding.names:
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", prose, re.IGNORECASE):
            yield f"writes out the name {name!r}"
    yield from (f"writes out the state {state.value!r}" for state in Status if state.value in prose.lower())


def _is_digit(sign: str) -> bool:
    """True for a digit of any script, a numeral, and a Chinese numeral other than one, which is also an article."""
    is_letter = unicodedata.category(sign) == "Lo"
    return unicodedata.category(sign)[0] == "N" or (is_letter and unicodedata.numeric(sign, None) not in (None, 1.0))


def _may_be_name(word: str, code: str) -> bool:
    """True for a capital letter, where the language does not begin every noun with one."""
    capitals = [unicodedata.category(letter) in ("Lu", "Lt") for letter in word]
    return any(capitals[1:]) or (capitals[0] and code not in CAPITALISES_NOUNS)
