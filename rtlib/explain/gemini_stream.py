"""Gemini stream: one structured answer, read to its end or to its deadline.

Protocol: ``models/{model}:streamGenerateContent`` by google-genai. The client's time-out is one for each read, so a
server that sends a byte now and then would never be too slow, and the client's retries would start the time-out anew.
So the client gets no retries, and works in a thread that is abandoned at the deadline with its connection closed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from threading import Thread
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

if TYPE_CHECKING:
    from google.genai import Client

MAX_TOKENS = 4_000  # thinking tokens count as output
TRUNCATED = ("UnknownApiResponseError", "RemoteProtocolError", "ReadError")  # errors of a stream that is cut anywhere
RETRIED = (429, 500, 503)


@dataclass
class StreamedAnswer:
    """What has arrived so far, as the reading thread notes it.

    Attributes:
        text: The answer: JSON of the requested form once it is whole.
        usage: The token counts, from the model.
        finish_reason: Why it ended, in the protocol's word; empty while it has not.
        started: Whether anything arrived: then it cost something.
        error: What went wrong.
    """

    text: str = ""
    usage: Any = None
    finish_reason: str = ""
    started: bool = False
    error: Exception | None = None


def stream_answer(
    prompt: str,
    rules: str,
    form: type[BaseModel],
    *,
    key: SecretStr,
    model: str,
    base_url: str | None,
    seconds: float,
) -> StreamedAnswer:
    """Ask the model for an answer of this form and read until it ends, or until the deadline.

    Never raises for what the other side does: what goes wrong is in ``error``.
    """
    answer = StreamedAnswer()
    try:
        client = _client(key, base_url, seconds)
    except Exception as error:
        return StreamedAnswer(error=error)
    request = {"model": model, "contents": prompt, "config": _config(model, rules, form)}
    reader = Thread(target=_read, args=(answer, client, request), name="gemini", daemon=True)
    reader.start()
    reader.join(seconds)
    late = reader.is_alive()
    client.close()  # a thread that still reads finds a closed connection, and ends
    return replace(answer, error=TimeoutError()) if late else answer


def _read(answer: StreamedAnswer, client: Client, request: dict[str, Any]) -> None:
    again = retry_if_exception(lambda error: not answer.started and getattr(error, "code", None) in RETRIED)
    attempts = Retrying(
        retry=again, stop=stop_after_attempt(3), wait=wait_exponential(multiplier=0.2, max=2), reraise=True
    )
    try:
        attempts(_collect, answer, client, request)
    except Exception as error:
        answer.error = error
        answer.started = answer.started or type(error).__name__ in TRUNCATED


def _collect(answer: StreamedAnswer, client: Client, request: dict[str, Any]) -> None:
    for chunk in client.models.generate_content_stream(**request):
        answer.started = True
        answer.text += chunk.text or ""
        answer.usage = chunk.usage_metadata or answer.usage
        for candidate in chunk.candidates or ():
            answer.finish_reason = candidate.finish_reason.value if candidate.finish_reason else answer.finish_reason
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            answer.finish_reason = chunk.prompt_feedback.block_reason.value


def _config(model: str, rules: str, form: type[BaseModel]) -> Any:
    """Little thinking, where the model has levels of it: those before the third generation refuse the setting."""
    from google.genai import types

    levels = model.startswith("gemini-") and not re.match(r"gemini-[12]\b", model)
    return types.GenerateContentConfig(
        system_instruction=rules,
        temperature=0.2,
        max_output_tokens=MAX_TOKENS,
        response_mime_type="application/json",
        response_schema=form,
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW) if levels else None,
    )


def _client(key: SecretStr, base_url: str | None, seconds: float) -> Client:
    from google import genai
    from google.genai import types

    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=base_url, timeout=max(1, int(1000 * seconds)), retry_options=once)
    return genai.Client(api_key=key.get_secret_value(), vertexai=False, http_options=options)


_CAUSES = {
    400: "the request is invalid: is the model's name right?",
    401: "the key was refused: is RTLIB_GEMINI_API_KEY right?",
    403: "the key has no permission for this",
    404: "there is no such model",
    429: "the quota is used up; try again later",
}


def describe_error(error: Exception) -> str:
    """What went wrong, without any text of the other side: it may repeat the key."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        wrong_key = "API_KEY_INVALID" in json.dumps(getattr(error, "details", None), default=str)
        return f"Gemini answered {code}: {_CAUSES.get(401 if wrong_key else code, 'an error on its side')}"
    slow = "timeout" in type(error).__name__.lower()
    return "Gemini did not answer in time" if slow else f"Gemini could not be reached ({type(error).__name__})"
