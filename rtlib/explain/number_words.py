"""Words: how languages write numbers, so that a number in words is no way round the check. By num2words and Babel."""

from __future__ import annotations

import re
from functools import cache
from os.path import commonprefix

from rtlib.errors import ConfigError

SPOKEN = (*range(2, 21), *range(30, 100, 10), 100, 1_000)
LONG = 6  # letters from which on a number word is also found inside another word, as in the German for 25


@cache
def number_words(language: str) -> frozenset[str]:
    """The words for 2 to 20, for the tens, a hundred, a thousand and a million, in lower case.

    Args:
        language: By its English name, as ``German``, or by its code, as ``de``. Chinese has none here: its numerals
            are signs whose value Unicode tells.

    Raises:
        ConfigError: There is no such language, or nobody has written down how it counts.
    """
    from num2words import num2words  # type: ignore[import-untyped]

    code = _code(language)
    if code.startswith("zh"):
        return frozenset()
    try:
        told = [str(num2words(value, lang=code)) for value in SPOKEN]
        told.append(str(num2words(1_000_000, lang=code)).split()[-1])
        told += [_end(str(num2words(value, lang=code)), str(num2words(2 * value, lang=code))) for value in (100, 1_000)]
    except (NotImplementedError, OverflowError) as error:
        raise _unknown(language) from error
    return frozenset(word for one in told for word in re.findall(r"[^\W\d_]{2,}", one.lower()))


def spoken(text: str, words: frozenset[str]) -> list[str]:
    """The words of a text that are numbers, or have one in them."""
    long = [one for one in words if len(one) >= LONG]
    told = re.findall(r"[^\W\d_]+", text)
    return [one for one in told if one.lower() in words or any(part in one.lower() for part in long)]


def _end(one: str, other: str) -> str:
    """What two words end in alike: what einhundert and zweihundert are hundreds by."""
    alike = commonprefix([one[::-1], other[::-1]])[::-1]
    return alike if len(alike) > 3 else ""


def _code(language: str) -> str:
    from babel import Locale

    wanted = language.strip().lower()
    names = {name.lower(): code for code, name in Locale("en").languages.items()}
    if wanted in names:
        return str(names[wanted])
    if wanted in names.values():
        return wanted
    raise _unknown(language)


def _unknown(language: str) -> ConfigError:
    return ConfigError(
        f"how {language!r} writes numbers is not known here, so an answer in it could not be checked",
        cure="use a language by its English name, for instance English, German or Spanish",
    )
