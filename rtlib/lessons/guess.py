"""Guess: compares what a reader predicted with the result of a cell."""

from __future__ import annotations


def compare(guess: object, truth: object) -> None:
    """Print the result, and whether it agrees with the guess.

    Args:
        guess: The reader's prediction; None if there is none.
        truth: The result.

    Example:
        >>> compare(3, 2)
        2 (you guessed 3)
    """
    verdict = "no guess yet" if guess is None else "as you guessed" if guess == truth else f"you guessed {guess!r}"
    print(f"{truth!r} ({verdict})")  # noqa: T201  (the output of a notebook cell)
