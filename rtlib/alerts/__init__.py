"""Alerts: when a number needs somebody, and how they hear of it.

rules     what raises an alert and what ends it; pure
judge     holds every finished window against the rules, once; pure
card      an alert as an Adaptive Card for Microsoft Teams; pure
teams     brings a card to a Workflows webhook, slowly and with patience
receiver  stands in for Teams on this machine, with its answers and limits; receiver_web serves it
sanitize  what is kept of a card, whoever sent it; pure
address   where the receiver listens, and the secret that its addresses carry
"""

from rtlib.alerts.card import card, message
from rtlib.alerts.judge import EvaluatorState, RuleEvaluator
from rtlib.alerts.rules import QUIET, Alert, Change, Rule, State, rules_of, step
from rtlib.alerts.teams import Delivery, Teams

__all__ = [
    "QUIET",
    "Alert",
    "Change",
    "Delivery",
    "EvaluatorState",
    "Rule",
    "RuleEvaluator",
    "State",
    "Teams",
    "card",
    "message",
    "rules_of",
    "step",
]
