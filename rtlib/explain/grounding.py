"""Grounding: the facts that an answer may refer to by id, and the text that replaces each reference.

A model never writes a number, a name or a state. It writes ``{number.arriving}``, and the text comes from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rtlib.explain.facts import Fact, Facts
from rtlib.records import Status

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
SENTENCE_ENDS = ".!?。؟।"


class Kind(StrEnum):
    """How a reference may be used: names and numbers stand in a sentence, states and texts are quoted alone."""

    NAME = "name"
    NUMBER = "number"
    STATE = "state"
    TEXT = "text"


QUOTED = frozenset({Kind.STATE, Kind.TEXT})


@dataclass(frozen=True, slots=True)
class Reference:
    """One row of the table that the model receives.

    Attributes:
        id: What the model writes in braces.
        kind: How it may be used.
        meaning: What it is, for the model.
        text: What a reader sees in its place.
    """

    id: str
    kind: Kind
    meaning: str
    text: str


@dataclass(frozen=True, slots=True)
class Grounding:
    """All references that an answer may use, by id."""

    references: Mapping[str, Reference]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name among the facts."""
        return tuple(row.text for row in self.references.values() if row.kind is Kind.NAME)

    def kinds(self, sentence: str) -> set[Kind]:
        """The kinds of the facts that a sentence refers to."""
        return {self.references[key].kind for key in PLACEHOLDER.findall(sentence) if key in self.references}

    def fill(self, sentence: str) -> str:
        """Put the facts in place of their ids, and end the sentence.

        Raises:
            KeyError: An id is unknown; ``verify.problems`` reports it first.
        """
        text = PLACEHOLDER.sub(lambda match: self.references[match[1]].text, sentence.strip())
        return text if text.endswith(tuple(SENTENCE_ENDS)) else f"{text}."


def ground(facts: Facts) -> Grounding:
    """Give every fact an id; empty facts get none."""
    references: dict[str, Reference] = {}
    for row in (*_subject(facts), *_numbers(facts), *_neighbours(facts)):
        if row.text:
            key = row.id if row.id not in references else f"{row.id}_{len(references)}"
            references[key] = Reference(key, row.kind, row.meaning, row.text)
    return Grounding(references)


def _subject(facts: Facts) -> Iterator[Reference]:
    yield Reference("subject.title", Kind.NAME, "what is explained", facts.title)
    yield Reference("subject.product", Kind.NAME, "the product behind it", facts.product)
    yield Reference("subject.site", Kind.NAME, "the site with the worst value", facts.site)
    yield Reference("subject.purpose", Kind.TEXT, "what it does", facts.plain.strip().rstrip("."))
    yield Reference("subject.state", Kind.STATE, "its state", facts.status.value)
    yield Reference("subject.reason", Kind.TEXT, "why it is in this state", facts.reason)


def _numbers(facts: Facts) -> Iterator[Reference]:
    old = facts.stale or facts.status is Status.STOPPED
    for fact in facts.numbers:
        yield Reference(f"number.{_slug(fact.name)}", Kind.NUMBER, fact.name, _written(fact, old=old))


def _neighbours(facts: Facts) -> Iterator[Reference]:
    for title in facts.sources:
        yield Reference(f"source.{_slug(title)}", Kind.NAME, "a part that it reads from", title)
    for title in facts.readers:
        yield Reference(f"reader.{_slug(title)}", Kind.NAME, "a part that reads from it", title)
    yield Reference("cause.title", Kind.NAME, "the nearest stopped part upstream", facts.trouble)
    yield Reference("cause.state", Kind.STATE, "the state of that part", Status.STOPPED.value if facts.trouble else "")


def _written(fact: Fact, *, old: bool) -> str:
    """A number with its unit, or with its name where it has none: alone it would not say what it counts."""
    text = fact.text if fact.unit else f"{fact.name} {fact.text}"
    return f"{text} (last seen)" if old else text


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
