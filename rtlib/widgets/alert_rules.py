"""Alert rules: every rule of the domain with its threshold, and how near each site is to it, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rtlib import formatting
from rtlib.alerts import Rule, RuleLevel, SiteLevel

NEAR = 0.7  # of the threshold


def rules_html(levels: Sequence[RuleLevel]) -> str:
    """A block for each rule: what raises it, and a bar for each site, the nearest to the threshold first."""
    blocks = "".join(_block(level) for level in levels)
    return (
        f'<div class="rt"><h3>How near each site is to an alert</h3><div class="rt-rules">{blocks}</div></div>'
        if levels
        else ""
    )


def condition(rule: Rule) -> str:
    """What raises an alert, for instance ``Mean wait at or above 10 min for 60 s``."""
    side = "at or above" if rule.direction == "high" else "at or below"
    seconds = rule.lasting.total_seconds()
    lasting = f" for {seconds:.0f} s" if seconds else ""
    return f"{rule.title} {side} {_quantity(rule, rule.threshold)}{lasting}"


def _block(level: RuleLevel) -> str:
    sites = "".join(_site(level.rule, site) for site in level.sites)
    wide = " rt-rule-short" if len(level.sites) == 1 else ""
    return (
        f'<section class="rt-rule-box{wide}"><h4>{escape(condition(level.rule))}</h4>'
        f'<ul class="rt-levels">{sites}</ul></section>'
    )


def _site(rule: Rule, site: SiteLevel) -> str:
    if site.value is None:
        text, style = "no value yet", "none"
    elif site.share is None:
        text, style = f"{_quantity(rule, site.value)} of {_quantity(rule, rule.threshold)}", "good"
    else:
        text = f"{_quantity(rule, site.value)}, {100 * min(site.share, 9.99):.0f} %"
        style = "watch" if site.share >= NEAR else "good"
    if site.raised_at is not None:
        text, style = f"■ alert, {_now(rule, site)}", "act"
    elif site.bad_since is not None:
        text, style = f"▲ beyond, {_now(rule, site)}", "act"
    share = min(1.0, site.share or 0.0)
    return (
        f'<li class="rt-{style}"><span class="rt-level-name" title="{escape(site.title)}">{escape(site.title)}</span>'
        f'<span class="rt-level-bar" aria-hidden="true"><i style="width: {100 * share:.0f}%"></i></span>'
        f'<span class="rt-level-value">{escape(text)}</span></li>'
    )


def _now(rule: Rule, site: SiteLevel) -> str:
    return "no value" if site.value is None else _quantity(rule, site.value)


def _quantity(rule: Rule, value: float) -> str:
    if rule.unit == "share":
        return f"{formatting.format_number(100 * value)} %"
    return formatting.format_quantity(value, rule.unit)
