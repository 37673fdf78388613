"""Exercises of lesson 08 on delivery: the outbox, and a sender that waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtlib.lessons.checks.log import Crash
from rtlib.lessons.checks.scenario import Scenario
from rtlib.lessons.checks.value import Order
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers

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

EXERCISES = (OUTBOX, DELIVER)
