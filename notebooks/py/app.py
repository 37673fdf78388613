# ---
# jupyter:
#   jupytext:
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

from rtlib import faults, ledger
from rtlib.config import load_settings, requested_part
from rtlib.pipeline.dbt import models
from rtlib.pipeline.explanations.explainer import answers, explainer
from rtlib.pipeline.job_process import start_in_background
from rtlib.pipeline.monitoring.observe import start_monitor
from rtlib.pipeline.page_data import PageData
from rtlib.widgets import dashboard
from rtlib.widgets.tour import Seen

# %%
settings = load_settings()
monitor = start_monitor(settings)

# %%
dashboard(
    monitor,
    explain=explainer(settings),
    inject_fault=faults.button(settings),
    run_job=partial(start_in_background, settings),
    models=partial(models, settings),
    ask=answers(settings, monitor),
    pages=PageData(settings),
    take_ledger=lambda notify: ledger.take(settings, notify=notify),
    selected=requested_part(),
    seen=Seen(settings.home),
)
