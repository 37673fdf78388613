"""Alerts: when a number needs a person's attention, and how that person is notified.

rules         what raises an alert and what ends it; pure
evaluator     applies the rules to every finished window, once; pure
nearness      how near each site is to each rule; pure
card          an alert as an Adaptive Card for Microsoft Teams; pure
teams         sends cards to a Workflows webhook, within its rate limit and with retries
receiver      a local substitute for Teams, with its answers and limits
receiver_web  serves the receiver and its page
sanitize      the parts of a foreign card that are kept; pure
address       the receiver's addresses and the secret in them
"""

from rtlib.alerts.card import card, message
from rtlib.alerts.evaluator import EvaluatorState, RuleEvaluator
from rtlib.alerts.nearness import RuleLevel, SiteLevel, nearness
from rtlib.alerts.rules import QUIET, Alert, Change, Rule, State, rules_of, step
from rtlib.alerts.teams import Delivery, Teams

__all__ = [
    "Alert",
    "Change",
    "Delivery",
    "EvaluatorState",
    "QUIET",
    "Rule",
    "RuleEvaluator",
    "RuleLevel",
    "SiteLevel",
    "State",
    "Teams",
    "card",
    "message",
    "nearness",
    "rules_of",
    "step",
]
