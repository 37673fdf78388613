"""Exercises of lesson 08: hysteresis, a duration, a sender that waits, and an outbox."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rtlib.lessons.checks.log import Crash
from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.checks.value import Order
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable

RAISE, CLEAR = 20, 15

# --- 08.1: hysteresis ---------------------------------------------------------------------------------------------


def _values(random: Random) -> Numbers:
    """Two hours: a rise, values around the threshold, a fall."""
    rise = [10, 14, 18]
    around = [random.choice((17, 19, 21, 23)) for _ in range(12)]
    return {"_values": [*rise, 21, 17, 22, *around, 16, 21, 14, 12, 18, 14, 10]}


def _states(is_bad: Callable[..., Any], numbers: Numbers) -> tuple[bool, ...]:
    states, bad = [], False
    for value in numbers["_values"]:
        bad = bool(returned(is_bad(bad, value), kind=(bool, int), what="True or False"))
        states.append(bad)
    return tuple(states)


def _changes(states: tuple[bool, ...]) -> int:
    return sum(before != after for before, after in zip((False, *states), states, strict=False))


_BAD = "def is_bad(was_bad, value):\n    limit = {limit}\n    return value >= limit"
HYSTERESIS = Exercise(
    id="08.1",
    title="two thresholds",
    kind=Kind.FADED,
    minutes=4,
    text=f"""
An alert begins when the value reaches {RAISE}, and ends when it falls below {CLEAR}. In between it stays what it was.
Complete the line.
""",
    name="is_bad",
    starter=_BAD.format(limit="... if was_bad else ..."),
    solution=_BAD.format(limit=f"{CLEAR} if was_bad else {RAISE}"),
    check=Scenario(
        ("was_bad", "value"),
        _states,
        lambda observed, expected: (
            f"the alert changes {_changes(observed)} times in two hours, where {_changes(expected)} are expected."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "bare-threshold",
            "You use a single threshold, so each crossing is a message, and the channel is soon muted.",
            "what was_bad is for.",
            _BAD.format(limit=str(RAISE)),
        ),
        Misconception(
            "low-threshold",
            "You use the better threshold for the beginning as well, so the alert begins too early.",
            "the value at which an alert begins.",
            _BAD.format(limit=str(CLEAR)),
        ),
        Misconception(
            "swapped",
            "You swapped the two: your alert begins easily and ends at once, which makes more messages than one threshold.",
            "which limit holds while the alert is on.",
            _BAD.format(limit=f"{RAISE} if was_bad else {CLEAR}"),
        ),
    ),
    hints=(
        "Which of the two limits matters while the alert is on?",
        "To end, the value must be better than to begin.",
        f"{CLEAR} if was_bad else {RAISE}",
    ),
    place="A threshold is not a rule",
    numbers=_values,
)

# --- 08.2: for ----------------------------------------------------------------------------------------------------


def _minutes(random: Random) -> Numbers:
    short, long = random.randrange(1, 3), random.randrange(4, 7)
    values = [10, *[25] * short, 12, *[25] * 2, 11, *[26] * long, 9, *[30] * 3, 8]
    return {"_values": values}


def _raised(raised_at: Callable[..., Any], numbers: Numbers) -> tuple[int, ...]:
    given = returned(raised_at(list(numbers["_values"]), RAISE), kind=(list, tuple), what="a list of minutes")
    if not all(isinstance(minute, int) for minute in given):
        raise Unusable("your function must return a list of whole numbers")
    return tuple(given)


_FOR = "def raised_at(values, threshold):\n    minutes, bad = [], 0\n    for minute, value in enumerate(values):\n        {count}\n        if {condition}:\n            minutes.append(minute)\n    return minutes"
_COUNT = "bad = bad + 1 if value >= threshold else 0"
LASTING = Exercise(
    id="08.2",
    title="bad for three minutes",
    kind=Kind.OWN,
    minutes=7,
    text="""
`values` has a value for each minute. An alert is raised in the minute in which the value has been at or above the threshold
for the third minute *in a row*, and once for each such period. Return the list of these minutes (the places in `values`).
""",
    name="raised_at",
    starter="def raised_at(values, threshold):\n    return ...",
    solution=_FOR.format(count=_COUNT, condition="bad == 3"),
    check=Scenario(
        ("values", "threshold"),
        _raised,
        lambda observed, expected: (
            f"it raises {len(observed)} alerts, where {len(expected)} are expected, or in other minutes."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "not-in-a-row",
            "You add up bad minutes and never begin again. Three bad minutes in two hours are no lasting problem.",
            "what happens to your count in a good minute.",
            _FOR.format(count="bad += value >= threshold", condition="bad == 3"),
        ),
        Misconception(
            "each-minute",
            "You raise an alert in each minute from the third on. A single problem then sends a message a minute.",
            "a period of five bad minutes.",
            _FOR.format(count=_COUNT, condition="bad >= 3"),
        ),
        Misconception(
            "at-once",
            "You raise the alert in the first bad minute, so a single bad value sends a message.",
            "the duration.",
            _FOR.format(count=_COUNT, condition="bad == 1"),
        ),
        Misconception(
            "a-minute-late",
            "You wait for a fourth bad minute.",
            "your count in the third bad minute.",
            _FOR.format(count=_COUNT, condition="bad == 4"),
        ),
    ),
    hints=(
        "Keep a count of bad minutes. When does it begin again?",
        "The alert is raised when the count reaches three, and not while it is larger.",
        "bad = bad + 1 if value >= threshold else 0, and if bad == 3.",
    ),
    place="A threshold is not a rule",
    numbers=_minutes,
)

# --- 08.3: the outbox ---------------------------------------------------------------------------------------------

STEPS = {
    "A": "send the card",
    "B": "evaluate the rule on the minute that is over",
    "C": "mark the alert as sent",
    "D": "in one transaction, write the alert and how far the evaluation is",
    "E": "delete the alert",
}
OUTBOX = Exercise(
    id="08.3",
    title="an outbox in order",
    kind=Kind.ORDER,
    minutes=4,
    text="The service may be killed between any two steps, and begins again at the first. Order them such that no alert is "
    "lost; a card may arrive twice. One step does not belong to it.\n\n"
    + "\n".join(f"- **{letter}** {step}" for letter, step in STEPS.items())
    + "\n\nAnswer with the letters.",
    name="outbox",
    starter='outbox = "___"  # for example "ABC"',
    solution='outbox = "BDAC"',
    check=Order(tuple(STEPS), needless=("E",)),
    misconceptions=(
        Misconception(
            "delete",
            "A deleted alert cannot be looked up afterwards: not by the page of alerts, and not by the person who asks why "
            "nobody came.",
            "step E.",
            'outbox = "BDAE"',
            lambda letters, _: "E" in letters,
        ),
        Misconception(
            "marked-first",
            "You mark the alert before it is sent. A crash in between loses the card: nobody sends it again.",
            "steps A and C.",
            'outbox = "BDCA"',
            lambda letters, _: 0 <= letters.find("C") < letters.find("A"),
        ),
        Misconception(
            "sent-first",
            "You send before the alert is recorded. A crash in between forgets it: the same minute is evaluated again, and the "
            "end of the alert may have no beginning.",
            "steps A and D.",
            'outbox = "BADC"',
            lambda letters, _: 0 <= letters.find("A") < letters.find("D"),
        ),
        Misconception(
            "evaluated-last",
            "There is nothing to write before the rule has been evaluated.",
            "step B.",
            'outbox = "DBAC"',
            lambda letters, _: 0 <= letters.find("D") < letters.find("B"),
        ),
    ),
    hints=(
        "What must be on disk before anything leaves the house?",
        "For each pair of steps: what is lost, and what happens twice, if the process dies in between?",
        "B and D first.",
    ),
    place="Between finding and sending",
)

# --- 08.4: a sender that waits ------------------------------------------------------------------------------------


def _delivered(deliver: Callable[..., Any], numbers: Numbers) -> tuple[Any, ...]:
    """For a busy, a broken and a refusing receiver: what is returned, the number of requests, the seconds waited."""
    outcomes: list[tuple[bool, int, float | None]] = []
    for answers in ([(429, numbers["_wait"]), (429, 2), (202, 0)], [(503, 0), (202, 0)], [(400, 0)]):
        requests, waited = 0, 0.0

        def post(card: Any, answers: list[tuple[int, int]] = answers) -> tuple[int, int]:
            nonlocal requests
            requests += 1
            if requests > 20:
                raise Crash("twenty requests for one card")
            return answers[min(requests, len(answers)) - 1]

        def wait(seconds: float) -> None:
            nonlocal waited
            waited += float(seconds)

        try:
            taken = bool(deliver(post, {"text": "a card"}, wait))
        except Crash:
            taken = False
        busy = len(outcomes) == 0
        outcomes.append((taken, requests, waited if busy else None))
    return tuple(outcomes)


_DELIVER = "def deliver(post, card, wait):\n    {body}"
_LOOP = (
    "for _ in range(5):\n        status, retry_after = post(card)\n        {first}\n        {then}\n    return False"
)
DELIVER = Exercise(
    id="08.4",
    title="a sender that waits",
    kind=Kind.JOINED,
    minutes=10,
    text="""
*At least once*, as in lesson 01, now for a webhook. `post(card)` returns a status and the seconds after which to try again.
202 means accepted. After 429, wait as long as requested by `wait(seconds)` and repeat; after a status of 500 or more repeat
as well. Any other status is final: a bad request stays bad. Make at most five requests; return whether the card was
accepted.
""",
    name="deliver",
    starter="def deliver(post, card, wait):\n    status, retry_after = post(card)\n    return ...",
    solution=_DELIVER.format(
        body=_LOOP.format(
            first="if status != 429 and status < 500:\n            return status == 202", then="wait(retry_after)"
        )
    ),
    check=Scenario(
        ("post", "card", "wait"),
        _delivered,
        lambda observed, expected: (
            "requests to a busy, a broken and a refusing receiver: "
            f"{', '.join(str(each[1]) for each in observed)}; expected are {', '.join(str(each[1]) for each in expected)}."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "gives-up",
            "You give up at the first refusal, so alerts are lost exactly when there are many.",
            "what 429 means.",
            _DELIVER.format(body="status, retry_after = post(card)\n    return status == 202"),
        ),
        Misconception(
            "repeats-everything",
            "You repeat a bad request too. It stays bad, and takes the place of good ones.",
            "the status 400.",
            _DELIVER.format(
                body=_LOOP.format(first="if status == 202:\n            return True", then="wait(retry_after)")
            ),
        ),
        Misconception(
            "no-waiting",
            "You repeat at once. A receiver that asks for a pause gets more requests instead, and refuses them all.",
            "retry_after.",
            _DELIVER.format(
                body=_LOOP.format(
                    first="if status != 429 and status < 500:\n            return status == 202", then="continue"
                )
            ),
        ),
        Misconception(
            "server-errors-final",
            "You treat an error of the receiver (500 and more) as final. It says nothing about your card: the next request may "
            "succeed.",
            "the status 503.",
            _DELIVER.format(
                body=_LOOP.format(first="if status != 429:\n            return status == 202", then="wait(retry_after)")
            ),
        ),
    ),
    hints=(
        "A loop of at most five rounds. Which answers end it, and which do not?",
        "Final is everything that is neither 429 nor 500 and more.",
        "if status != 429 and status < 500: return status == 202; otherwise wait(retry_after).",
    ),
    place="The card",
    numbers=lambda random: {"_wait": random.randrange(3, 9)},
)

EXERCISES = (HYSTERESIS, LASTING, OUTBOX, DELIVER)
