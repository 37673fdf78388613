"""Job steps: the batch jobs that lead to a page, each with its state and progress, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rtlib.pipeline.batch_status import JobStep

SIGNS = {"done": ("✓", "done"), "running": ("…", "running"), "waiting": ("○", "waits"), "failed": ("×", "failed")}


def steps_html(steps: Sequence[JobStep]) -> str:
    """A list of steps with a sign, a word and, while a job runs, a bar."""
    return f'<ol class="rt-steps">{"".join(_item(step) for step in steps)}</ol>' if steps else ""


def pending(steps: Sequence[JobStep]) -> bool:
    """True while a job runs or has not run yet, so that the page has to be read again soon."""
    return any(step.state in ("running", "waiting") for step in steps)


def _item(step: JobStep) -> str:
    sign, word = SIGNS[step.state]
    return (
        f'<li class="rt-step rt-step-{escape(step.state)}"><span class="rt-sign" aria-hidden="true">{sign}</span>'
        f'<span class="rt-step-text"><b>{escape(step.title)}</b> {word}: {escape(step.text)}{_bar(step)}</span></li>'
    )


def _bar(step: JobStep) -> str:
    if step.state != "running" or step.total <= 0:
        return ""
    done = min(step.done, step.total)
    return f'<progress max="{step.total}" value="{done}" aria-label="{escape(step.title)}"></progress>'
