"""Borne: what the facts bear out: their words, their figures, and every run of three words that stands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtlib.explain.facts import Facts
from rtlib.explain.quantities import Figure, forms, measured
from rtlib.records import Status

RUN = 3  # as many words in a row are a quotation
TOKEN = re.compile(r"[^\W\d_]+|\d[\d.,:]*\d|\d|[.!?]")


@dataclass(frozen=True, slots=True)
class Borne:
    """What an answer is held against.

    Attributes:
        text: All words of the facts, and of the text that was made of them without a model.
        words: Those words, and what they may be inflections of.
        names: Those that belong to a name of this part or of a neighbour, or are written with a capital.
        others: The words that neighbours, of whose state nothing is known, are called by.
        runs: Every three words of it in a row.
        figures: The numbers that may be said.
        status: How the part is.
        old: Whether its numbers are the last that were seen, and are not so now.
    """

    text: str
    words: frozenset[str]
    names: frozenset[str]
    others: frozenset[str]
    runs: frozenset[tuple[str, ...]]
    figures: tuple[Figure, ...]
    status: Status
    old: bool

    def quotes(self, text: str) -> list[tuple[int, int]]:
        """Where a text says what the facts say, word for word."""
        tokens = list(TOKEN.finditer(text))
        spans = [tokens[at : at + RUN] for at in range(len(tokens) - RUN + 1)]
        return [(run[0].start(), run[-1].end()) for run in spans if _run(run) in self.runs and "." not in _run(run)]


def borne_by(facts: Facts, said: str = "") -> Borne:
    """What these facts bear out, and what was said of them without a model, which is made of them alone."""
    numbers = [f"{one.name} {one.text}" for one in facts.numbers]
    trouble = [f"{facts.trouble} is stopped", f"{facts.trouble} has stopped"] if facts.trouble else []
    names = [facts.title, facts.product, facts.trouble, *facts.sources, *facts.readers]
    told = [facts.title, facts.plain, facts.reason, *numbers, *names, *trouble, said]
    texts = [one for one in told if one]
    whole = " . ".join([*texts, facts.status.value])
    spoken = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", whole)
    own = set(re.findall(r"[^\W\d_]+", facts.title.lower()))
    neighbours = re.findall(r"[^\W\d_]+", " ".join([*facts.sources, *facts.readers]).lower())
    tokens = list(TOKEN.finditer(whole))
    return Borne(
        text=whole,
        words=frozenset(form for word in spoken for form in forms(word)),
        names=frozenset(re.findall(r"[^\W\d_]+", " ".join(names).lower()))
        | {one.lower() for one in spoken if one[0].isupper()},
        others=frozenset(neighbours) - own,
        runs=frozenset(_run(tokens[at : at + RUN]) for at in range(len(tokens) - RUN + 1)),
        figures=tuple(measured(facts, [facts.plain, facts.reason, said])),
        status=facts.status,
        old=facts.stale or facts.status is Status.STOPPED,
    )


def _run(tokens: list[re.Match[str]]) -> tuple[str, ...]:
    """The words of it; every end of a sentence is one point, over which no quotation goes."""
    return tuple("." if one.group() in ".!?" else one.group().lower() for one in tokens)
