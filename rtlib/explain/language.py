"""Language: what an answer may say in words, and how it begins a sentence, for each language that can be checked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rtlib.errors import ConfigError
from rtlib.explain.number_words import number_words
from rtlib.records import Status

CODES = {
    "de": "german", "en": "english", "es": "spanish", "fr": "french", "it": "italian", "nl": "dutch", "pl": "polish",
    "pt": "portuguese",
}  # fmt: skip
TIMES = {"millisecond": "ms", "second": "s", "minute": "min", "hour": "h", "day": "d"}
STATES = {
    "healthy": {Status.HEALTHY},
    "alive": {Status.HEALTHY, Status.DEGRADED},
    "degraded": {Status.DEGRADED},
    "stopped": {Status.STOPPED},
    "idle": {Status.IDLE},
    "unknown": {Status.UNKNOWN},
    "planned": {Status.PLANNED},
}


@dataclass(frozen=True, slots=True)
class Language:
    """One of the files in ``languages``.

    Attributes:
        name: In English, with a small letter.
        words: All that may be said beside the words of the facts; empty where no such list was made.
        openers: What a sentence may begin with, so that it is neither a command nor a name.
        adverbs: Openers that another one has to follow.
        nouns: What may have a capital within a sentence without being a name.
        quantities: Words that say how much.
        states: Words that say how a part is, with the states in which that is true.
        grave: Words that say what went wrong.
        negations: Words that turn a sentence into its contrary.
        now: Words that say of a number that it is so at this moment.
        times: Units of time, with how the facts write them.
    """

    name: str
    words: frozenset[str]
    openers: frozenset[str]
    adverbs: frozenset[str]
    nouns: re.Pattern[str]
    quantities: re.Pattern[str]
    states: Mapping[str, frozenset[Status]]
    grave: re.Pattern[str]
    negations: frozenset[str]
    now: frozenset[str]
    times: Mapping[str, str]

    @property
    def closed(self) -> bool:
        """Whether every word is known that may be said."""
        return bool(self.words)

    @property
    def numerals(self) -> frozenset[str]:
        """Number words that are refused: all, but in English, where they are read."""
        return frozenset() if self.name == "english" else number_words(self.name)


@cache
def language_of(name: str) -> Language:
    """The language of this English name, as ``German``, or of this code, as ``de``.

    Raises:
        ConfigError: An answer in it could not be checked.
    """
    known = CODES.get(_code(name))
    if known is None:
        offered = ", ".join(sorted(one.capitalize() for one in CODES.values()))
        raise ConfigError(f"an answer in {name!r} could not be checked here", cure=f"use one of: {offered}")
    told = tomllib.loads((files(__package__) / "languages" / f"{known}.toml").read_text(encoding="utf-8"))
    listed = {key: text.split() for key, text in told.items()}
    return Language(
        name=known,
        words=frozenset(listed.get("words", ())),
        openers=frozenset(listed["openers"]),
        adverbs=frozenset(listed.get("adverbs", ())),
        nouns=_any_of(listed.get("nouns", [])),
        quantities=_any_of(listed["quantities"]),
        states={word: frozenset(when) for state, when in STATES.items() for word in listed.get(state, ())},
        grave=_any_of(listed["grave"]),
        negations=frozenset(listed["negations"]),
        now=frozenset(listed["now"]),
        times={word: unit for name, unit in TIMES.items() for word in [unit, *listed[name]]},
    )


def _any_of(words: list[str]) -> re.Pattern[str]:
    """Matches each of the words; a star in one stands for any letters."""
    return re.compile("|".join(re.escape(one).replace(r"\*", r"\w*") for one in words) or r"(?!)", re.IGNORECASE)


def _code(name: str) -> str:
    from babel import Locale

    wanted = name.strip().lower()
    codes = {told.lower(): code for code, told in Locale("en").languages.items()}
    return str(codes.get(wanted, wanted)).split("_")[0]
