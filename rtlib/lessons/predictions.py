"""Predictions: compares what a reader expected with the result of a cell, and keeps it."""

from __future__ import annotations

from rtlib.lessons import progress
from rtlib.lessons.state import kept


def predict(prediction: str, guess: object, truth: object) -> None:
    """Print the result, and whether it agrees with the prediction; a prediction is kept with the progress.

    Args:
        prediction: Its id: the lesson, a dot and a letter, ``02.a``.
        guess: What the reader expects; None if nothing.
        truth: The result.

    Example:
        >>> predict("02.a", 3, truth=2)
        2 (you guessed 3)
    """
    right = guess is not None and bool(guess == truth)
    verdict = "no guess yet" if guess is None else "as you guessed" if right else f"you guessed {guess!r}"
    print(f"{truth!r} ({verdict})")  # noqa: T201  (the output of a notebook cell)
    if guess is not None:
        kept(lambda before: progress.with_guess(before, prediction, guess, right=right))
