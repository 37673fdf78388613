"""Running: has an answer judged within bounds, and turns whatever happens into a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rtlib.lessons import bounds
from rtlib.lessons.exercise import Exercise
from rtlib.lessons.judging import judge
from rtlib.lessons.sandbox import Sandbox, TooLarge, packed
from rtlib.lessons.sandbox_worker import Reply, Request
from rtlib.lessons.verdict import Status, Verdict, cut

SECONDS = 10.0  # for an answer in a process of its own
MEGABYTES = 768
_sandbox = Sandbox()


def run(exercise: Exercise, answer: Any, *, seed: int, seconds: float = SECONDS) -> Verdict:
    """Judge an answer; whatever it does, there is a verdict.

    Args:
        exercise: The exercise.
        answer: What a learner wrote.
        seed: The learner's.
        seconds: The limit in time; a check on the notebook's Spark has limits of its own.
    """
    if exercise.check.in_kernel:
        return _in_kernel(exercise, answer, seed=seed)
    return _in_sandbox(exercise, answer, seed=seed, seconds=seconds)


def _in_sandbox(exercise: Exercise, answer: Any, *, seed: int, seconds: float) -> Verdict:
    import pickle

    try:
        payload = packed(exercise.id, answer, seed)
    except TooLarge:
        return _failed(exercise, f"`{exercise.name}` is larger than 32 MB; the answer is much smaller.")
    except Exception as error:
        return _failed(
            exercise,
            f"`{exercise.name}` uses something that cannot leave the notebook ({cut(str(error), 120)}); "
            "use its arguments instead.",
        )
    request = Request("rtlib.lessons.running:judged", payload, seconds, MEGABYTES, exercise.check.preload)
    reply = _sandbox.run(request)
    if reply.outcome == "done":
        verdict: Verdict = pickle.loads(reply.value)  # noqa: S301  made by the learner's own process
        return replace(verdict, output=_output(reply.output.decode(errors="replace"), reply.printed))
    return _failed(exercise, _reason(reply, seconds))


def judged(exercise_id: str, answer: Any, seed: int) -> Verdict:
    """The verdict, in the process of the sandbox."""
    from rtlib.lessons.exercises import find

    return judge(find(exercise_id), answer, seed=seed)


def _reason(reply: Reply, seconds: float) -> str:
    if reply.outcome == "late":
        return _late(seconds)
    if reply.outcome == "memory":
        return _memory()
    if reply.outcome == "error":
        last = reply.value.decode(errors="replace").strip().splitlines()[-1:]
        return f"your answer ended with {cut(''.join(last), 200)}."
    return "your answer ended the process that ran it."


def _in_kernel(exercise: Exercise, answer: Any, *, seed: int) -> Verdict:
    with bounds.captured() as text:
        try:
            verdict = judge(exercise, answer, seed=seed)
        except bounds.TookTooLong as error:
            verdict = _failed(exercise, _late(error.seconds))
        except MemoryError:
            verdict = _failed(exercise, _memory())
        except (SystemExit, KeyboardInterrupt) as error:
            verdict = _failed(exercise, f"your answer ended with {type(error).__name__}: {cut(str(error), 200)}.")
    return replace(verdict, output=_output(text.kept, text.printed))


def _late(seconds: float) -> str:
    return f"your answer was stopped after {seconds:g} seconds; it must end by itself."


def _memory() -> str:
    return f"your answer needed more than {MEGABYTES} MB of memory."


def _failed(exercise: Exercise, sentence: str) -> Verdict:
    return Verdict(exercise.id, Status.FAILED, sentence, place=exercise.place)


def _output(kept: str, printed: int) -> str:
    shown = cut(kept)
    return shown if printed <= len(kept) or not shown else f"{shown.partition('… (')[0]}… ({printed:,} characters)"
