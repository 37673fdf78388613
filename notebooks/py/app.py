# ---
# jupyter:
#   title: rtlib, the pipeline live
#   jupytext:
#     formats: notebooks//ipynb,notebooks/py//py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %%
from rtlib import pipeline
from rtlib.config import load_settings
from rtlib.widgets import dashboard

# %%
settings = load_settings()
monitor = pipeline.monitor(settings)

# %%
dashboard(monitor, explain=pipeline.explainer(settings))
