"""Figures: the numbers of a text with what they count, and whether one that is said is one that was measured."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from rtlib.explain.facts import Facts
from rtlib.explain.language import Language, language_of

NUMBER = re.compile(r"(?<![\w.,])[-−]?\d+(?:[.,\u00a0\u202f'’ ]\d{3}(?!\d))*(?:[.,]\d+)?|\d+(?:[.,]\d+)*")
SMALL = {word: value for value, word in enumerate(
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
     "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
)}  # fmt: skip
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "dozen": 12}
SPOKEN = frozenset([*SMALL, *TENS, *SCALES])
WORDS = re.compile(
    rf"\b(?:(?:{'|'.join(SPOKEN)})(?:[\s-]+(?:and\s+(?={'|'.join(SPOKEN)}))?)?)+(?![a-z])", re.IGNORECASE
)
GLUED = re.compile(r"\w*\d[^\W\d_]\w*|\d+-(?=[^\W\d_])[\w-]+|\b\d{1,2}:\d\d(?::\d\d)?\b")  # 7k, 4-fold, 12:03
# 3rd Street, Tokyo 3: where the facts have these two words they are a name and no number.
NAMED = re.compile(r"\b\d+[^\W\d_]+ [^\W\d_]+\b|\b[^\W\d_]+ \d+(?!\w|[.,]\d|\s?%)")
# Between two numbers these make a third of them: 4 in 7, 4 of 7, 4/7, 4 × 7, or a range that nobody measured.
JOINED = re.compile(r"\s*(?:in|of|out of|to|by|times|plus|minus|per|over|for every|x|[-–—/×*:^+=])?\s*", re.IGNORECASE)
MONEY = {"$": "usd", "usd": "usd", "dollar": "usd", "dollars": "usd", "€": "eur", "eur": "eur", "euro": "eur",
         "euros": "eur", "£": "gbp", "gbp": "gbp", "pounds": "gbp", "cents": "cents", "cent": "cents"}  # fmt: skip
SIZES = {"b": "b", "byte": "b", "bytes": "b", "kb": "kb", "kilobytes": "kb", "mb": "mb", "megabyte": "mb",
         "megabytes": "mb", "gb": "gb", "gigabyte": "gb", "gigabytes": "gb", "tb": "tb", "terabytes": "tb"}  # fmt: skip
COUNTED = frozenset({
    "record", "event", "row", "partition", "message", "batch", "site", "reader", "query", "topic", "consumer",
    "producer", "source", "order", "person", "people", "file", "test", "page", "visual", "answer", "question",
    "subject", "schema", "version", "offset", "alert", "card", "customer", "user", "item", "session", "window",
    "kpi", "part", "table", "model", "forecast", "worker", "sensor", "player", "machine", "server", "column",
    "copy", "log",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and what it counts.

    Attributes:
        written: As it stands in the text.
        readings: What it may mean, with how many decimals.
        unit: Of time, size, money or per cent, as one word for all ways to write it; empty where it has none.
        rate: The unit of time after *each* or *per*.
        nouns: What it counts, each in its simplest form.
        span: Where it stands.
    """

    written: str
    readings: tuple[tuple[float, int], ...]
    unit: str = ""
    rate: str = ""
    nouns: frozenset[str] = frozenset()
    span: tuple[int, int] = (0, 0)


def figures(text: str, spoken_in: Language) -> list[Figure]:
    """The numbers of a text in their order, in digits and, in English, in words."""
    found = [(one.span(), one.group().strip(), tuple(_readings(one.group()))) for one in NUMBER.finditer(text)]
    if spoken_in.name == "english":
        for one in WORDS.finditer(text):
            span = (one.start(), one.start() + len(one.group().rstrip(" -\n")))
            if one.group().strip(" -").lower() != "one":  # a pronoun as often as a number
                found.append((span, text[slice(*span)], ((_spoken(one.group()), 0),)))
    found.sort()
    ends = [one[0][0] for one in found[1:]] + [len(text)]
    return [_figure(text, span, written, means, end, spoken_in)
            for (span, written, means), end in zip(found, ends, strict=False)]  # fmt: skip


def joined(text: str, told: list[Figure]) -> Iterator[str]:
    """Pairs of numbers that make a third: nobody measured that one."""
    for one, other in zip(told, told[1:], strict=False):
        if JOINED.fullmatch(text[one.span[1] : other.span[0]]):
            yield text[one.span[0] : other.span[1]]


def measured(facts: Facts, texts: Collection[str]) -> list[Figure]:
    """All figures that may be said: the facts', how many neighbours there are, and those in the words of the facts."""
    english = language_of("English")
    known = [_fact(one.name, one.value, one.unit, english) for one in facts.numbers]
    for parts, called in ((facts.sources, "source input producer"), (facts.readers, "reader consumer output")):
        nouns = _simple(f"{called} part neighbour place {' '.join(parts)}")
        known.append(Figure("", ((float(len(parts)), 0),), nouns=nouns))
    return known + [one for text in texts for one in figures(unnamed(text, text), english)]


def unnamed(text: str, given: str) -> str:
    """A text without the numbers that belong to a name, to a time of day or to letters."""
    for name in (one for one in NAMED.findall(given) if not one[0].islower()):
        text = re.sub(rf"\b{re.escape(name)}(?!\w|[.,]\d|\s?%)", name.strip("0123456789"), text)
    return GLUED.sub(lambda told: " " * len(told.group()), text)


def is_borne(told: Figure, known: Collection[Figure], sentence: str, spoken_in: Language) -> bool:
    """True when a measured figure rounds to this one, and counts the same."""
    return any(_is_same(told, one, sentence, spoken_in) for one in known)


def _is_same(told: Figure, known: Figure, sentence: str, spoken_in: Language) -> bool:
    if not any(_is_rounded(value, digits, known.readings[0][0], told.written) for value, digits in told.readings):
        return False
    if told.unit != known.unit and (told.unit or known.unit == "%"):
        return False
    if told.rate != known.rate and (told.rate or (spoken_in.name == "english" and known.rate not in _rates(sentence))):
        return False
    return not told.nouns or bool(told.nouns & known.nouns)


def _figure(
    text: str, span: tuple[int, int], written: str, means: tuple[tuple[float, int], ...], end: int, spoken_in: Language
) -> Figure:
    before, after = text[: span[0]].rstrip()[-1:], re.split(r"[,;.()!?]", text[span[1] : end])[0]
    following = re.findall(r"[%$€£]|[^\W\d_]+", after.lower())[:4]
    first = following[0] if following else ""
    unit = MONEY.get(before) or MONEY.get(first) or SIZES.get(first) or spoken_in.times.get(first) or ""
    if after.lstrip().startswith("%") or re.match(r"\s*per ?cent|\s*pro ?cent|\s*pour cent|\s*prozent", after, re.I):
        unit, following = "%", following[1:]
    if spoken_in.name != "english":
        return Figure(written, means, unit, span=span)
    rate = next(iter(_rates(after)), "")
    late = [spoken_in.times[one] for one in following[1:3] if one in spoken_in.times and len(one) > 2]
    unit = unit or (late[0] if late and not rate else "")
    nouns = [noun for one in following for noun in sorted(_simple(one)) if noun in COUNTED]
    return Figure(written, means, unit, rate, frozenset(nouns[:1]) if not unit else frozenset(), span)


def _fact(name: str, value: float, unit: str, english: Language) -> Figure:
    counted, _, rate = unit.lower().partition("/")
    words = counted.split() or [""]
    units: Mapping[str, str] = {**MONEY, **SIZES, **english.times}
    one = "%" if words[0].startswith("%") else next((units[word] for word in words if word in units), "")
    return Figure("", ((value, 0),), one, english.times.get(rate, rate), _simple(f"{name} {counted}"))


def _rates(text: str) -> list[str]:
    times = language_of("English").times
    told = re.findall(r"(?:\b(?:a|an|per|each|every)\s+|/)([a-z]+)", text.lower())
    return [times[one] for one in told if one in times]


def _simple(text: str) -> frozenset[str]:
    return frozenset(simple for word in re.findall(r"[^\W\d_]+", text.lower()) for simple in forms(word))


def forms(word: str) -> set[str]:
    """A word and what it may be an inflection of: batches, batche, batch."""
    word = word.lower().replace("’", "'").removesuffix("'s").removesuffix("'")
    told = {word}
    for end, instead in (("ies", "y"), ("es", ""), ("s", ""), ("ied", "y"), ("ed", ""), ("d", ""), ("ing", ""),
                         ("ing", "e"), ("ly", "")):  # fmt: skip
        stem = word.removesuffix(end)
        if stem != word and len(stem) > 2:
            told.add(stem + instead)
            told |= {stem[:-1]} if end in ("ed", "ing") and stem[-1] == stem[-2] else set()
    return told


def is_sign(one: str) -> bool:
    """True for a single sign that is a number: a fraction, a circled five, a Chinese numeral."""
    kind = unicodedata.category(one)
    return kind in ("No", "Nl") or (kind == "Lo" and unicodedata.numeric(one, None) not in (None, 1.0))


def _readings(written: str) -> Iterator[tuple[float, int]]:
    """What a number may mean, with how many decimals: 1,234 is one thousand in English and one point two in German."""
    plain = re.sub(r"[\s\u00a0\u202f'’−-]", "", written)
    for thousands, point in ((",", "."), (".", ",")):
        whole, _, decimals = plain.partition(point)
        groups = whole.split(thousands)
        well_grouped = len(groups) == 1 or all(len(one) == 3 for one in groups[1:])
        if well_grouped and (decimals.isdigit() or not decimals) and "".join(groups).isdigit():
            yield float(f"{''.join(groups)}.{decimals or 0}"), len(decimals)


def _is_rounded(value: float, decimals: int, known: float, written: str) -> bool:
    """True when what is known rounds to this value: to its decimals, or to at least two leading digits."""
    known = -known if written[:1] in "-−" and written else known
    if abs(known - value) <= 0.5 * 10**-decimals + 1e-9:
        return True
    if decimals or value < 100 or value % 10:
        return False
    zeros = len(str(int(value))) - len(str(int(value)).rstrip("0"))
    places = min(zeros, len(str(int(value))) - 2)
    return known >= 100 and abs(known - value) <= 0.5 * 10**places


def _spoken(words: str) -> float:
    """The value of English number words: twenty-five, two hundred and six, three thousand."""
    total, part = 0, 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word in SCALES and SCALES[word] >= 1_000:
            total, part = total + max(part, 1) * SCALES[word], 0
        elif word in SCALES:
            part = max(part, 1) * SCALES[word]
        else:
            part += SMALL.get(word, 0) + TENS.get(word, 0)
    return float(total + part)
