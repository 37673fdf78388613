"""Exercises of lesson 09: what a model costs, an answer that is checked, a text made from facts."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.checks.value import Number
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers

SETUP = "import re"

# --- 09.1: the price ----------------------------------------------------------------------------------------------


def _prices(random: Random) -> Numbers:
    return {"questions": random.choice((200, 300, 500)), "words_in": random.choice((600, 900)), "words_out": 300,
            "price_in": 0.5, "price_out": 3.0}  # fmt: skip


_PRICE = 'questions, words_in, words_out, price_in, price_out = given("09.1")\ndollars = {formula}'
_ONE = "1.33 * (words_in * price_in + words_out * price_out)"
PRICE = Exercise(
    id="09.1",
    title="what do the questions cost?",
    kind=Kind.FADED,
    minutes=3,
    text="""
A class asks `questions` questions. Each has `words_in` words of input and gets `words_out` words of answer; a word is about
1.33 tokens. The prices are in dollars for a *million* tokens. Complete the line: what do they cost together?
""",
    name="dollars",
    starter='questions, words_in, words_out, price_in, price_out = given("09.1")\n'
    "print(questions, words_in, words_out, price_in, price_out)\ndollars = ...",
    solution=_PRICE.format(formula=f"questions * {_ONE} / 1e6"),
    check=Number("dollars", tolerance=0.005),
    misconceptions=(
        Misconception(
            "words",
            "You counted words. A price is for tokens, and a word is more than one of them.",
            "1.33.",
            _PRICE.format(formula="questions * (words_in * price_in + words_out * price_out) / 1e6"),
        ),
        Misconception(
            "thousand",
            "Your price is for a thousand tokens; it is for a million.",
            "the size of your result.",
            _PRICE.format(formula=f"questions * {_ONE} / 1e3"),
        ),
        Misconception(
            "input-only",
            "You paid for the questions and not for the answers, which are dearer by the token.",
            "price_out.",
            _PRICE.format(formula="questions * 1.33 * words_in * price_in / 1e6"),
        ),
        Misconception(
            "single",
            "That is the price of a single question.",
            "how many questions there are.",
            _PRICE.format(formula=f"{_ONE} / 1e6"),
        ),
    ),
    hints=(
        "Tokens in and tokens out have prices of their own.",
        "Words × 1.33 are tokens; a price is divided by a million.",
        "questions * 1.33 * (words_in * price_in + words_out * price_out) / 1e6",
    ),
    place="Ask a question",
    numbers=_prices,
    setup=SETUP,
)

# --- 09.2: refuse numbers of the model's own ----------------------------------------------------------------------


def _answers(numbers: Numbers) -> tuple[tuple[str, bool], ...]:
    """Answers of a model, and whether they may be shown."""
    true = numbers["_value"]
    return (
        ("{events.title} takes {events.rate} events a second.", True),
        (f"{{events.title}} takes {true} events a second.", False),  # right, and still its own
        (f"{{events.title}} takes {true + 7} events a second.", False),
        ("{events.title} has {number.p95} as its 95th part.", False),
        ("{events.title} is healthy.", True),
        ("{number.p95} is the latency of {events.title}.", True),
        ("About a dozen events arrive at {events.title}.", False),
    )


def _judged(may_be_shown: Callable[..., Any], numbers: Numbers) -> tuple[bool, ...]:
    facts = {"events.title": "the topic", "events.rate": str(numbers["_value"]), "number.p95": "80 ms"}
    return tuple(
        bool(returned(may_be_shown(text, dict(facts)), kind=(bool, int), what="True or False"))
        for text, _ in _answers(numbers)
    )


_SHOWN = 'def may_be_shown(text, facts):\n    words = ("dozen", "half", "twice")\n    {body}'
_PLAIN = 'plain = re.sub(r"\\{[\\w.]+\\}", "", text)\n    '
_OWN = 'return not re.search(r"\\d", plain) and not any(word in plain for word in words)'
REFUSE = Exercise(
    id="09.2",
    title="no number of its own",
    kind=Kind.OWN,
    minutes=8,
    text="""
A model refers to facts by their name in braces, such as `{events.rate}`, and may write no number itself: neither in digits
nor as one of the `words`. Return whether a text may be shown. Do not judge whether a number is right: that it comes from
a fact is what counts. (`facts` has the value of each fact.)
""",
    name="may_be_shown",
    starter=_SHOWN.format(body="return ..."),
    solution=_SHOWN.format(body=_PLAIN + _OWN),
    check=Scenario(
        ("text", "facts"),
        _judged,
        lambda observed, expected: (
            f"{sum(mine == right for mine, right in zip(observed, expected, strict=True))} of "
            f"{len(expected)} texts are judged as they should be."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "right-numbers-pass",
            "You let a number pass that happens to be right. At the next question it is wrong, and nothing in the text says "
            "so: only a fact may supply a number.",
            "the text with the right number in digits.",
            _SHOWN.format(
                body=_PLAIN + 'own = re.findall(r"\\d+", plain)\n    return set(own) <= set(facts.values()) and not '
                "any(word in plain for word in words)"
            ),
        ),
        Misconception(
            "names-refused",
            "You looked for digits in the names of facts as well, so a text about {number.p95} is refused.",
            "what to remove before you look.",
            _SHOWN.format(body="plain = text\n    " + _OWN),
        ),
        Misconception(
            "digits-only",
            "You looked for digits alone. A number can be a word.",
            "the text with the dozen.",
            _SHOWN.format(body=_PLAIN + 'return not re.search(r"\\d", plain)'),
        ),
    ),
    hints=(
        "Remove the references to facts first, then look at what is left.",
        're.sub(r"\\{[\\w.]+\\}", "", text) removes them; re.search(r"\\d", …) finds a digit.',
        "No digit and none of the words in what is left.",
    ),
    place="A stranger writes to the model",
    numbers=lambda random: {"_value": random.randrange(30, 90)},
    setup=SETUP,
)

# --- 09.3: a text from facts --------------------------------------------------------------------------------------


def _filled(fill: Callable[..., Any], numbers: Numbers) -> tuple[str | None, ...]:
    facts = {
        "events.title": "The topic",
        "events.rate": f"{numbers['_value']} per second",
        "events.note": "{events.rate}",
    }
    texts = (
        "{events.title} takes {events.rate}.",
        "{events.title} takes {events.speed}.",  # no such fact
        "{events.title} says {events.note}.",  # a fact that looks like a reference
        "{events.title} is fine.",
    )
    results = (fill(text, dict(facts)) for text in texts)
    return tuple(None if each is None else str(returned(each, kind=str, what="a text or None")) for each in results)


_FILL = "def fill(text, facts):\n    {body}"
_NAMES = 'names = re.findall(r"\\{([\\w.]+)\\}", text)\n    '
_ALL = "if not set(names) <= set(facts):\n        return None\n    "
_SUB = 'return re.sub(r"\\{([\\w.]+)\\}", lambda found: facts[found[1]], text)'
FILL = Exercise(
    id="09.3",
    title="a text from facts alone",
    kind=Kind.JOINED,
    minutes=8,
    text="""
A closed contract, as in lesson 01, now for a text: replace each `{name}` by the value of that fact. A text that refers to
a fact that does not exist is refused: return None. The value of a fact is data: if it looks like a reference, it stays as
it is.
""",
    name="fill",
    starter=_FILL.format(body="return ..."),
    solution=_FILL.format(body=_NAMES + _ALL + _SUB),
    check=Scenario(
        ("text", "facts"),
        _filled,
        lambda observed, expected: (
            f"{sum(mine == right for mine, right in zip(observed, expected, strict=True))} of "
            f"{len(expected)} texts are as they should be."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "unknown-stays",
            "You leave an unknown reference in the text. The reader sees braces, and a wrong text has passed.",
            "the text with {events.speed}.",
            _FILL.format(body='return re.sub(r"\\{([\\w.]+)\\}", lambda found: facts.get(found[1], found[0]), text)'),
        ),
        Misconception(
            "unknown-empty",
            "You replace an unknown reference by nothing: the sentence reads well and says something else.",
            "the text with {events.speed}.",
            _FILL.format(body='return re.sub(r"\\{([\\w.]+)\\}", lambda found: facts.get(found[1], ""), text)'),
        ),
        Misconception(
            "again",
            "You replace what a fact has brought in. A stranger who controls the value of a fact then "
            "controls your text: values are data.",
            "the fact whose value looks like a reference.",
            _FILL.format(
                body=_NAMES + _ALL + "for name in sorted(facts):\n        text = text.replace('{' + name + '}', "
                "facts[name])\n    for name in sorted(facts):\n        text = text.replace('{' + name + '}', facts[name])\n    return text"
            ),
        ),
    ),
    hints=(
        'Find all references first: re.findall(r"\\{([\\w.]+)\\}", text) returns their names.',
        "Refuse if one of the names is no fact. Then replace all of them at once.",
        "re.sub with a function replaces each reference once, and does not look at the result again.",
    ),
    place="The facts",
    numbers=lambda random: {"_value": random.randrange(30, 90)},
    setup=SETUP,
)

EXERCISES = (PRICE, REFUSE, FILL)
