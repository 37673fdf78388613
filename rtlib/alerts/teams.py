"""Teams: sends cards to a Workflows webhook, within its rate limit and with retries. The URL is a secret.

Limits: four requests a second for each webhook and 28 KB a message ("Create and send messages", Microsoft Teams
developer documentation). A 202 means that the flow has accepted the card, not that a person has read it.
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

SPACING_SECONDS = 0.4  # 2.5 requests per second: a margin below the limit
ATTEMPTS = 8  # spread over more than a minute, longer than a restart of the receiver
TAKEN = (200, 202)
TIMEOUT_SECONDS = (3.05, 10.0)  # to connect, to answer
MAX_BACKOFF = 30.0
MAX_WAIT = 600.0  # a longer Retry-After is cut to this
MAX_HOLD = 30.0  # after a longer Retry-After the next card is tried first: this one may be the problem
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of sending a card.

    Attributes:
        taken: Whether the webhook has accepted it.
        attempts: The number of attempts so far.
        reason: Why it was not accepted.
        again: Whether to send it again later, because the webhook requested a long pause.
    """

    taken: bool
    attempts: int
    reason: str = ""
    again: bool = False


class _TemporaryFailure(Exception):
    """A temporary failure; ``after`` is the pause that the webhook requests, in seconds."""

    def __init__(self, reason: str, *, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class Teams:
    """Sends cards to a webhook, one after another, from any thread.

    A card is sent at least once: a sender that crashes after the answer and before recording it sends the card again.
    Recording first could lose an alert, which is worse.

    Args:
        url: The webhook.
        sleep: Waits for a number of seconds.
        clock: Returns monotonic seconds.
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
        # These loggers write the path of a request, which contains the secret, at DEBUG or after an unreadable reply.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

    def post(self, body: bytes, *, attempts: int = 0) -> Delivery:
        """Send a message; never raises for an answer of the webhook.

        Args:
            body: The message.
            attempts: The number of earlier attempts, when it is sent again later.
        """
        retrying = Retrying(
            retry=retry_if_exception(_is_retried_now),
            wait=_wait,
            stop=stop_after_attempt(ATTEMPTS - attempts),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            refused: str = retrying(self._once, body)
        except _TemporaryFailure as error:
            sent = attempts + int(retrying.statistics["attempt_number"])
            return Delivery(False, sent, str(error), again=sent < ATTEMPTS)
        return Delivery(not refused, attempts + int(retrying.statistics["attempt_number"]), refused)

    def _once(self, body: bytes) -> str:
        """Make one attempt; returns the reason of a permanent refusal, or an empty string."""
        self._wait_for_turn()
        try:
            answer = self._call(body)
        except ValueError as error:  # not a callable URL, and it never will be
            return f"the webhook's address cannot be called ({type(error).__name__})"
        except requests.RequestException as error:  # its text contains the URL
            raise _TemporaryFailure(f"no answer ({type(error).__name__})") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            after = _seconds(answer.headers.get("Retry-After"))
            self._pause(after)
            raise _TemporaryFailure(f"HTTP {answer.status_code}", after=after)
        return "" if answer.status_code in TAKEN else f"HTTP {answer.status_code}"

    def _call(self, body: bytes) -> requests.Response:
        url = self._url.get_secret_value()
        with requests.Session() as session:
            session.trust_env = (
                urlsplit(url).hostname not in LOOPBACK
            )  # a proxy would resolve this name to its own machine
            return session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,  # a sign-in page answers 200 too, but accepts no card
            )

    def _pause(self, seconds: float) -> None:
        """Send no card for this long; the requested pause holds for the whole channel."""
        with self._turn:
            self._free_at = max(self._free_at, self._clock() + seconds)

    def _wait_for_turn(self) -> None:
        with self._turn:
            ahead = self._free_at - self._clock()
            if ahead > 0:
                self._sleep(ahead)
            self._free_at = self._clock() + SPACING_SECONDS


_BACKOFF = wait_exponential(multiplier=0.5, max=MAX_BACKOFF)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    requested = error.after if isinstance(error, _TemporaryFailure) else 0.0
    return max(requested, float(_BACKOFF(state)))


def _is_retried_now(error: BaseException) -> bool:
    return isinstance(error, _TemporaryFailure) and error.after <= MAX_HOLD


def _seconds(retry_after: str | None) -> float:
    """The bounded value of a Retry-After header, a number of seconds or a date (RFC 9110, 10.2.3)."""
    try:
        seconds = float(retry_after or 0)
    except ValueError:
        seconds = _until(retry_after or "")
    return min(seconds, MAX_WAIT) if seconds > 0 else 0.0


def _until(date: str) -> float:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):  # neither seconds nor a date, or a date without a zone
        return 0.0
