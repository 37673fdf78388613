"""Number words: how a language spells its numbers, by num2words; language names by Babel.

num2words knows cardinals and ordinals in their basic form. Other inflections, numbers of one letter, fractions with a
name of their own (half, quarter) and quantities that are no number (most, none, a dozen) are not recognised: no list of
them exists for every language, and a list for some languages would only hide the gap.
"""

from __future__ import annotations

import contextlib
from functools import cache
from os.path import commonprefix

from rtlib.errors import ConfigError
from rtlib.explain.plain_text import normalized, words

SPELLED = (*range(2, 21), *range(30, 100, 10), 100, 1_000)  # 1 is a pronoun or an article in many languages
SCALES = (10**6, 10**9, 10**12)
WITHOUT_SPACES = frozenset({"th"})  # a number word cannot be separated from the words around it
PREFIX, INFIX = 5, 6  # letters from which on a number word is found at the start of, or inside, a longer word


@cache
def languages() -> dict[str, str]:
    """The languages that can be checked: English name to code.

    Chinese spells numbers with signs that have a numeric value in Unicode; it needs no list of words.
    """
    from babel import Locale
    from num2words import CONVERTER_CLASSES, num2words  # type: ignore[import-untyped]

    titles, codes = Locale("en").languages, {"Chinese": "zh"}
    for code in CONVERTER_CLASSES:
        with contextlib.suppress(NotImplementedError):  # a converter without cardinals
            if code in titles and code not in WITHOUT_SPACES and num2words(SPELLED[0], lang=code):
                codes[str(titles[code])] = code
    return dict(sorted(codes.items()))


def language_code(language: str) -> str:
    """The code of a language.

    Args:
        language: By its English name, as ``German``, or by its code, as ``de``.

    Raises:
        ConfigError: Its number words are unknown, so an answer in it could not be checked.
    """
    name, codes = language.strip().lower(), languages()
    for title, code in codes.items():
        if name in (title.lower(), code.lower()):
            return code
    raise ConfigError(f"an answer in {language!r} could not be checked", cure=f"use one of: {', '.join(codes)}")


@cache
def number_words(language: str) -> frozenset[str]:
    """The words for 2 to 20, the tens, a hundred, a hundred and the scales, and ordinals, in lower case.

    Raises:
        ConfigError: Its number words are unknown.
    """
    from num2words import num2words

    code = language_code(language)
    if code == "zh":
        return frozenset()
    spelled = [str(num2words(value, lang=code)) for value in SPELLED]
    spelled += [_shared_end(str(num2words(value, lang=code)), str(num2words(2 * value, lang=code)))
                for value in (100, 1_000)]  # fmt: skip
    optional = [(value, "cardinal") for value in SCALES] + [(value, "ordinal") for value in SPELLED[1:]]
    for value, form in optional:  # without the ordinal of 2, a unit of time in English
        with contextlib.suppress(NotImplementedError, OverflowError, LookupError):
            spelled.append(str(num2words(value, lang=code, to=form)))
    # The longest word of each: "hundred" of "one hundred", without articles and particles.
    longest = (max(words(normalized(text).lower()), key=len, default="") for text in spelled)
    return frozenset(word for word in longest if len(word) > 1)


def spelled_numbers(text: str, known: frozenset[str]) -> list[str]:
    """The words of a text that are a number word, or contain a long one."""
    pairs = [(word, word.lower()) for word in words(text)]
    return [word for word, low in pairs if low in known or any(_contains(low, number) for number in known)]


def _contains(word: str, number: str) -> bool:
    return (len(number) >= PREFIX and word.startswith(number)) or (len(number) >= INFIX and number in word)


def _shared_end(first: str, second: str) -> str:
    """The common end of two words: einhundert and zweihundert are hundreds."""
    end = commonprefix([first[::-1], second[::-1]])[::-1]
    return end if len(end) > 3 else ""
