"""Lessons: what a notebook calls: its parameters, predictions, and exercises that are checked.

parameters       the parameters of every lesson and their check
parameter_types  the types of these parameters
predictions      compares a reader's guess with the result
course           the calls of the exercises: given, check, hint, solution
exercise         what an exercise consists of
exercises        the exercises, a module for each lesson
checks           how answers are judged, a module for each kind
judging          from an answer to a verdict
verdict          what a learner reads
running          runs an answer within bounds, by sandbox (a process of its own) or bounds (the notebook's Spark)
progress, state  what a learner has answered, in the state folder
report           progress by lesson
headless         executes lessons without a browser
cells            writes exercises into the notebooks
hidden_event     a ledger that fails on purpose
"""

from rtlib.lessons.course import check, given, hint, solution
from rtlib.lessons.hidden_event import ledger_without_one_event
from rtlib.lessons.parameters import PARAMETERS, parameters
from rtlib.lessons.predictions import predict

__all__ = ["PARAMETERS", "check", "given", "hint", "ledger_without_one_event", "parameters", "predict", "solution"]
