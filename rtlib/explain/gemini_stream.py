"""Stream: one answer of Gemini, heard to its end or to its deadline; nothing of it is shown while it still comes.

Protocol: ``models/{model}:streamGenerateContent`` by google-genai. A time-out of that client is one for each read, so a
server that dribbles would never be too slow, and its retries would begin the time-out anew. So the client is given no
retries, and works in a thread that is left behind at the deadline with its connection closed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from threading import Thread
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

if TYPE_CHECKING:
    from google.genai import Client

LONGEST_TOKENS = 4_000  # the thoughts of a model are counted with its answer
CUT = ("UnknownApiResponseError", "RemoteProtocolError", "ReadError")  # what a stream ends in that is cut at any place
AGAIN = (429, 500, 503)  # what may be better at the next attempt


@dataclass
class Heard:
    """What came so far, as the thread that listens writes it down.

    Attributes:
        text: The answer.
        counted: The tokens, as the model counted them.
        ended: Why it ended, in the protocol's word; empty while it has not.
        begun: Whether anything came at all: then it cost something.
        error: What went wrong.
    """

    text: str = ""
    counted: Any = None
    ended: str = ""
    begun: bool = False
    error: Exception | None = None


def hear(prompt: str, rules: str, *, key: SecretStr, model: str, base_url: str | None, seconds: float) -> Heard:
    """Ask the model and listen until it has ended, or until the deadline; what goes wrong is in ``error``."""
    heard = Heard()
    try:
        client = _client(key, base_url, seconds)
    except Exception as error:
        return Heard(error=error)
    listening = Thread(target=_listen, args=(heard, client, model, prompt, rules), name="gemini", daemon=True)
    listening.start()
    listening.join(seconds)
    late = listening.is_alive()
    client.close()  # a thread that still reads meets a closed connection, and ends
    return replace(heard, error=TimeoutError()) if late else heard


def _listen(heard: Heard, client: Client, model: str, prompt: str, rules: str) -> None:
    again = retry_if_exception(lambda error: not heard.begun and getattr(error, "code", None) in AGAIN)
    attempts = Retrying(
        retry=again, stop=stop_after_attempt(3), wait=wait_exponential(multiplier=0.2, max=2), reraise=True
    )
    try:
        attempts(_write_down, heard, client, model, prompt, rules)
    except Exception as error:
        heard.error = error
        heard.begun = heard.begun or type(error).__name__ in CUT


def _write_down(heard: Heard, client: Client, model: str, prompt: str, rules: str) -> None:
    for chunk in client.models.generate_content_stream(model=model, contents=prompt, config=_config(model, rules)):
        heard.begun = True
        heard.text += chunk.text or ""
        heard.counted = chunk.usage_metadata or heard.counted
        for candidate in chunk.candidates or ():
            heard.ended = candidate.finish_reason.value if candidate.finish_reason else heard.ended
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            heard.ended = chunk.prompt_feedback.block_reason.value


def _config(model: str, rules: str) -> Any:
    """Little thinking, where the model knows levels of it: those before the third generation refuse the word."""
    from google.genai import types

    levels = model.startswith("gemini-") and not re.match(r"gemini-[12]\b", model)
    return types.GenerateContentConfig(
        system_instruction=rules,
        temperature=0.2,
        max_output_tokens=LONGEST_TOKENS,
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW) if levels else None,
    )


def _client(key: SecretStr, base_url: str | None, seconds: float) -> Client:
    from google import genai
    from google.genai import types

    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=base_url, timeout=max(1, int(1000 * seconds)), retry_options=once)
    return genai.Client(api_key=key.get_secret_value(), vertexai=False, http_options=options)


_WORDS = {
    400: "the request was refused as wrong: is the model's name right?",
    401: "the key was refused: is RTLIB_GEMINI_API_KEY right?",
    403: "the key may not do this",
    404: "there is no such model",
    429: "the quota is used up; try again later",
}


def in_words(error: Exception) -> str:
    """What went wrong, without a word of the other side's own: it may repeat the key."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        wrong_key = "API_KEY_INVALID" in json.dumps(getattr(error, "details", None), default=str)
        return f"Gemini answered {code}: {_WORDS.get(401 if wrong_key else code, 'it has a problem of its own')}"
    slow = "timeout" in type(error).__name__.lower()
    return "Gemini did not answer in time" if slow else f"Gemini could not be asked ({type(error).__name__})"
