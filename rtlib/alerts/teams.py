"""Teams: brings a card to a Workflows webhook, slowly and with patience. The URL is a secret and is never told.

Limits: four requests a second for each webhook and 28 KB a message ("Create and send messages", Microsoft Teams
developer documentation). A 202 means that the flow has taken the card, not that somebody has seen it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

SPACING_SECONDS = 0.4  # two and a half a second: below the limit also when two of us send
ATTEMPTS = 8  # over a minute, with what lies between them: longer than a receiver takes to come back
TAKEN = (200, 202)
TIMEOUT_SECONDS = (3.05, 10.0)  # to connect, to answer
LONGEST_BACKOFF = 30.0
LONGEST_WAIT = 600.0  # who asks for more than that is asked again after it
LONGEST_HOLD = 30.0  # who asks for more than that gets another card next: it may be this one that it cannot take
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a card.

    Attributes:
        taken: The other side has it.
        attempts: How often it was sent so far.
        reason: Why it was not taken.
        again: It was not given up: the other side wants to be left alone for long, and the card's turn comes again.
    """

    taken: bool
    attempts: int
    reason: str = ""
    again: bool = False


class _Again(Exception):
    """It may go well another time; ``after`` is how many seconds the other side wants to be left alone."""

    def __init__(self, reason: str, *, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class Teams:
    """Sends cards to one webhook, one after another, whichever thread asks.

    A card is sent at least once: who dies between the answer and noting it sends it again, and the reader sees it
    twice. The other way round, noting first, an alert could be lost, and that is worse.

    Args:
        url: The webhook.
        sleep: Waits so many seconds.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        url: SecretStr,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._sleep, self._clock = url, sleep, clock
        self._turn, self._free_at = threading.Lock(), 0.0
        # They log the path of a request, at DEBUG, or with a reply that they cannot read; and the secret is in it.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

    def post(self, body: bytes, *, attempts: int = 0) -> Delivery:
        """Send a message; never raises for what the other side says.

        Args:
            body: The message.
            attempts: How often it was sent before, when its turn comes again.
        """
        retrying = Retrying(
            retry=retry_if_exception(_soon),
            wait=_wait,
            stop=stop_after_attempt(ATTEMPTS - attempts),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            refused: str = retrying(self._once, body)
        except _Again as error:
            sent = attempts + int(retrying.statistics["attempt_number"])
            return Delivery(False, sent, str(error), again=sent < ATTEMPTS)
        return Delivery(not refused, attempts + int(retrying.statistics["attempt_number"]), refused)

    def _once(self, body: bytes) -> str:
        """Send it once; returns why it was refused for good, or nothing."""
        self._wait_for_turn()
        try:
            answer = self._call(body)
        except ValueError as error:  # no URL that can be called, now or later
            return f"the webhook's address cannot be called ({type(error).__name__})"
        except requests.RequestException as error:  # its text names the URL
            raise _Again(f"no answer ({type(error).__name__})") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            after = _seconds(answer.headers.get("Retry-After"))
            self._leave_alone(after)
            raise _Again(f"HTTP {answer.status_code}", after=after)
        return "" if answer.status_code in TAKEN else f"HTTP {answer.status_code}"

    def _call(self, body: bytes) -> requests.Response:
        url = self._url.get_secret_value()
        with requests.Session() as session:
            session.trust_env = urlsplit(url).hostname not in LOOPBACK  # no proxy finds this machine by that name
            return session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,  # a page to sign in at answers 200 as well, and takes no card
            )

    def _leave_alone(self, seconds: float) -> None:
        """Send nothing for so long, whichever card comes next: it is the channel that asks for it."""
        with self._turn:
            self._free_at = max(self._free_at, self._clock() + seconds)

    def _wait_for_turn(self) -> None:
        with self._turn:
            ahead = self._free_at - self._clock()
            if ahead > 0:
                self._sleep(ahead)
            self._free_at = self._clock() + SPACING_SECONDS


_BACKOFF = wait_exponential(multiplier=0.5, max=LONGEST_BACKOFF)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.after if isinstance(error, _Again) else 0.0
    return max(asked, float(_BACKOFF(state)))


def _soon(error: BaseException) -> bool:
    return isinstance(error, _Again) and error.after <= LONGEST_HOLD


def _seconds(told: str | None) -> float:
    """How long Retry-After asks to wait, bounded; it is a number of seconds or a date (RFC 9110, 10.2.3)."""
    try:
        wanted = float(told or 0)
    except ValueError:
        wanted = _until(told or "")
    return min(wanted, LONGEST_WAIT) if wanted > 0 else 0.0


def _until(date: str) -> float:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):  # neither seconds nor a date, or a date without a zone
        return 0.0
