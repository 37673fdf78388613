# ---
# jupyter:
#   jupytext:
#     formats: notebooks//ipynb,notebooks/py//py:percent
#     notebook_metadata_filter: title
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   title: rtlib, the pipeline live
# ---

# %%
from functools import partial

from rtlib import faults, pipeline
from rtlib.config import load_settings, requested_part
from rtlib.pipeline.explainer import answers
from rtlib.pipeline.pages import Pages
from rtlib.pipeline.transforming import models
from rtlib.widgets import dashboard

# %%
settings = load_settings()
monitor = pipeline.monitor(settings)

# %%
dashboard(
    monitor,
    explain=pipeline.explainer(settings),
    hurt=faults.button(settings),
    models=partial(models, settings),
    ask=answers(settings, monitor),
    pages=Pages(settings),
    selected=requested_part(),
)
