# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 Alerts: notify people, once
#
# You will learn
#
# - why a bare threshold sends twenty messages about one problem, and how to send one
# - what a card for Microsoft Teams consists of, and what a webhook refuses
# - how a message survives a crash between finding it and sending it
# - what "at least once" means for the person who is notified
#
# The stack must be running (`rtlib up`). You do not need Teams: a local receiver gives the same answers with the same
# limits. The lesson takes about twenty minutes.

# %% [markdown]
# The parameters of this lesson. With `surge = True`, the last part sends a real surge of events through the whole
# pipeline and waits for the card, which takes three more minutes. `seed` fixes the random numbers.

# %% tags=["parameters"]
surge = False
seed = 7

# %% [markdown]
# Papermill can run the lesson with other values, for example `papermill 08_alerts.ipynb done.ipynb -p surge True`.
# `parameters` validates them. `predict` prints a result next to your guess.

# %%
from rtlib.lessons import parameters, predict

surge, seed = parameters("08_alerts", surge=surge, seed=seed)

# %% [markdown]
# First a health check of the receiver and the warehouse. If one of them does not answer, the last line of the error
# says what to type.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"the receiver {health.receiver(settings)}; the warehouse {health.warehouse(settings)}")

# %% [markdown]
# ## A threshold is not a rule
#
# A domain defines alert rules for some of its KPIs. Take the first rule of your stack's domain.

# %%
import matplotlib.pyplot as plt
import numpy as np

from rtlib.alerts import rules_of
from rtlib.domains import load_domain

domain = load_domain(settings.domain)
rule = rules_of(domain)[0]
print(f"{domain.title}: the threshold of {rule.title} is {rule.threshold:g} {rule.unit}; {rule.direction} is bad")

# %% [markdown]
# Here are two simulated hours of that KPI at one site. It rises to the threshold, fluctuates around it, and falls
# again. A person would call that a single bad period.

# %%
wave = 0.5 + 0.55 * np.sin(np.pi * np.arange(120) / 120)
values = rule.threshold * (wave + np.random.default_rng(seed).normal(0, 0.06, 120))
figure, axis = plt.subplots(figsize=(9, 2.6))
axis.plot(values, color="#0072B2")
axis.axhline(rule.threshold, color="#D55E00", linestyle="--", label="threshold")
axis.set(title=f"{rule.title} at one site", xlabel="minute", ylabel=f"{rule.title}, {rule.unit}")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# Suppose that every upward crossing of the threshold sends a message.
#
# **Predict:** how many messages is that?

# %%
my_guess = None  # for example 1
crossings = int(((values[1:] >= rule.threshold) & (values[:-1] < rule.threshold)).sum())
predict("08.a", my_guess, crossings)

# %% [markdown]
# People who receive that many messages about one problem mute the channel, and then miss the next important message.
# There are three established remedies:
#
# - **for**: the value must stay bad for some time, so that a single bad minute sends no message
# - **hysteresis**: the alert ends only when the value has passed a second, better threshold
# - **cooldown**: for some time after its end, the same rule raises no new alert
#
# The rules of a domain use all three. They are data, next to its KPIs.

# %%
import pandas as pd

pd.DataFrame(domain.alerts).drop(columns="advice").set_index("name")

# %% [markdown]
# Two of these measures are not KPIs. `people_short` is the number of people by which the need, as now forecast, exceeds
# the staffing plan in the next two hours. A gap that the plan accepted to save cost does not count: to call people for
# it would undo the plan. `load_of_forecast` compares the load of the last ten minutes with the upper bound of their
# forecast. It has no value without a forecast, or while the stream is paused: an alert that compares two different
# things is worse than no alert. But silence does not prove that all is well, so print its current value:

# %%
from datetime import UTC, datetime

from rtlib.warehouse.connection import connect
from rtlib.warehouse.recent_load import load_of_forecast

connection = connect(settings)
load = load_of_forecast(connection, domain.name, kinds=domain.staffing.kinds, now=datetime.now(UTC))
connection.close()
print(f"{load.percent:.0f} % of the upper bound" if load else "nothing to compare: there is no forecast of now")

# %% [markdown]
# You do not need to wait two hours to test a rule. `step` is a pure function: it takes the previous state and a value,
# and returns the new state and what changed. So a rule can be tested on any history. `messages_of` applies `step` to
# the two hours above and collects every message, with its minute.

# %%
from datetime import UTC, datetime, timedelta

from rtlib.alerts import QUIET, Change, step

start = datetime(2026, 3, 2, 12, tzinfo=UTC)

def messages_of(rule):
    state, messages = QUIET, []
    for minute, value in enumerate(values):
        state, change = step(rule, state, at=start + timedelta(minutes=minute), value=value)
        if change is not Change.NOTHING:
            messages.append((minute, change.value))
    return messages


# %% [markdown]
# **Predict:** how many messages does the rule send, including the message that the alert is over?

# %%
my_guess = None  # for example 18
messages = messages_of(rule)
predict("08.b", my_guess, len(messages))
expected = ["raised", "recovered"] * len(messages)
assert [change for _, change in messages] == expected[: len(messages)], "each alert must be followed by its end"
messages

# %% [markdown]
# **Try it:** remove all three remedies, and count again. Then restore only the hysteresis.
#
# ```python
# from dataclasses import replace
# bare = replace(rule, clear=rule.threshold, lasting=timedelta(0), cooldown=timedelta(0))
# len(messages_of(bare)), len(messages_of(replace(bare, clear=rule.clear)))
# ```
#
# <details><summary>A hint</summary>
#
# Without the remedies, each crossing sends a message when the alert starts and another when it ends. You know the
# number of crossings.
#
# </details>
# <details><summary>The answer</summary>
#
# Twice the number of crossings: 18 messages with the seed 7. With the hysteresis alone there are 2. Removing one
# remedy hardly changes anything, because the other two still work: with `replace(rule, clear=rule.threshold)` there are
# still 2 messages. In production you want all three, because each handles a different kind of fluctuation.
#
# </details>

# %% [markdown]
# ## The card
#
# A Teams channel displays *Adaptive Cards*: JSON that describes what to show, but not how to draw it. A card of this
# pipeline says what happened, since when, and what to do. The next cell builds one, as if the rule had raised an alert
# for the first site. Its only button opens a link, because a webhook cannot receive an answer.

# %%
import json

from rtlib.alerts import Alert, card, message

site, value = domain.sites[0], 1.25 * rule.threshold
alert = Alert(domain.name, site.id, rule, Change.RAISED, value, start, start, start, {"events": 240})
content = card(alert, site=site.title, advice=rule.advice, link=settings.app_link, zone=site.time_zone)
print(json.dumps(content, indent=1)[:700], "…")
print(f"{len(message(content)):,} bytes of the 28,672 that Teams accepts")

# %% [markdown]
# The URL of a webhook is a secret: anyone with the URL can post to the channel. So it is stored in a type that prints
# as asterisks, and is unwrapped only to send. Here it is the URL of the local receiver, and to send is one POST request
# with JSON. Teams accepts four requests per second. Status 202 means accepted, 429 means too many requests.
#
# **Predict:** which status codes do six requests in a row get?

# %%
import requests

from rtlib.pipeline.workers.receiver import receiver_address

receiver = receiver_address(settings)
url, json_type = receiver.webhook.get_secret_value(), {"Content-Type": "application/json"}
my_guess = None  # for example [202, 202, 202, 202, 202, 202]
responses = [requests.post(url, data=message(content), headers=json_type, timeout=5) for _ in range(6)]
predict("08.c", my_guess, [response.status_code for response in responses])
print("requested wait, in seconds:", responses[-1].headers.get("Retry-After"))
assert responses[0].status_code == 202, "the first card must be accepted; wait a few seconds and run the cell again"

# %% [markdown]
# A sender that gives up at the first refusal loses alerts exactly when there are many. The pipeline's sender keeps a
# slower pace and waits as long as the receiver requests. It retries after 429 and 5xx, but not after another 4xx: a bad
# request stays bad.

# %%
import time

from rtlib.alerts import Teams

teams, began = Teams(receiver.webhook), time.monotonic()
deliveries = [teams.post(message(content)) for _ in range(6)]
print([delivery.taken for delivery in deliveries], f"{time.monotonic() - began:.1f} s")
assert all(delivery.taken for delivery in deliveries), "a sender that waits as requested must not lose a card"

# %% [markdown]
# The receiver stores cards with the same key once; Teams itself would show six. The frame shows the channel, drawn by
# Microsoft's own renderer.

# %%
from IPython.display import IFrame

IFrame(receiver.page.get_secret_value(), width="100%", height=330)

# %% [markdown]
# ## Between finding and sending
#
# The alerting service reads the KPI topic, evaluates each minute once when it is over, and sends the cards. It may be
# killed at any moment.
#
# **Predict:** suppose that it sends a card first and records it afterwards. What can happen at a crash? And what if it
# records the card first?

# %% [markdown]
# If it sends first, it may send twice. If it records first, it may lose an alert. The service uses an *outbox*: one
# transaction writes the alert to the warehouse, together with the progress of the evaluation. A second step sends the
# stored alerts and marks them as sent. So no alert is found twice and none is lost. In the worst case, a card arrives
# twice. That is *at least once*; for an alert it is better than *at most once*.

# %%
connection = connect(settings)
query = "select judged_at, title, change, value, status, reason from OPS.ALERTS order by judged_at desc limit 5"
cursor = connection.cursor().execute(query)
pd.DataFrame(cursor.fetchall(), columns=[column.name.lower() for column in cursor.description])

# %% [markdown]
# The table is empty while all is well. The progress of the evaluation is in the same warehouse, and after a restart the
# service resumes from there.

# %%
progress = connection.cursor().execute("select domain, memory from OPS.ALERT_MEMORY").fetchall()
for domain_name, memory in progress:
    print(domain_name, "is evaluated up to", json.loads(memory)["until"])
connection.close()

# %% [markdown]
# ## A surge
#
# With `surge = True`, one site receives more events than it can handle; `rtlib fault surge` does the same. A window is
# a minute long, it is evaluated when it is over, and the rule requires the value to stay bad.
#
# **Predict:** after how many seconds does the card arrive?

# %%
from rtlib import faults

if surge:
    report = faults.run(settings, "surge", seed=seed, notify=print)
    print(report.happened)
else:
    print(faults.MENU["surge"].expect)

# %% [markdown]
# **Try it:** open the app, run `rtlib fault surge` in a terminal, and watch the page *Alerts*. How many cards does one
# surge send? Then press *Mute* and start another surge: which cards arrive now, and which alerts are recorded?
#
# <details><summary>A hint</summary>
#
# A rule sends a card when an alert starts and when it ends. A mute stops the cards, but not the evaluation.
#
# </details>
# <details><summary>The answer</summary>
#
# Two: the first after two bad minutes, the second when the alert is over. *Mute* stops the cards for an hour, but the
# alert is still recorded. The page shows when the mute ends, and *Unmute* ends it early. If the first card of an alert
# was sent, its second card is sent too, even during a mute. *Acknowledge* records that a person is dealing with the
# alert. An undelivered card stays on the page with the reason, and *Send again* retries it.
#
# </details>

# %% [markdown]
# ## Your turn
#
# Four exercises on what you have seen. Replace the blanks, and run the cell: `check` says whether your answer is right
# and, if it is not, which belief it shows. A cell that you leave as it is counts as not answered yet. No message leaves
# this notebook.

# %%
from rtlib.lessons import check, given, hint, solution

# %% [markdown] exercise="08.1"
# ### Exercise 08.1: two thresholds
#
# An alert begins when the value reaches 20, and ends when it falls below 15. In between it stays what it was. Complete
# the line.
#
# *About 4 minutes (complete a line). Help: `hint("08.1")`, and after a try `solution("08.1")`.*

# %% exercise="08.1"
### BEGIN SOLUTION
def is_bad(was_bad, value):
    limit = 15 if was_bad else 20
    return value >= limit
### END SOLUTION
check("08.1", is_bad)


# %% [markdown] exercise="08.2"
# ### Exercise 08.2: bad for three minutes
#
# `values` has a value for each minute. An alert is raised in the minute in which the value has been at or above the
# threshold for the third minute *in a row*, and once for each such period. Return the list of these minutes (the places
# in `values`).
#
# *About 7 minutes (write your own). Help: `hint("08.2")`, and after a try `solution("08.2")`.*

# %% exercise="08.2"
### BEGIN SOLUTION
def raised_at(values, threshold):
    minutes, bad = [], 0
    for minute, value in enumerate(values):
        bad = bad + 1 if value >= threshold else 0
        if bad == 3:
            minutes.append(minute)
    return minutes
### END SOLUTION
check("08.2", raised_at)


# %% [markdown] exercise="08.3"
# ### Exercise 08.3: an outbox in order
#
# The service may be killed between any two steps, and begins again at the first. Order them such that no alert is lost;
# a card may arrive twice. One step does not belong to it.
#
# - **A** send the card
# - **B** evaluate the rule on the minute that is over
# - **C** mark the alert as sent
# - **D** in one transaction, write the alert and how far the evaluation is
# - **E** delete the alert
#
# Answer with the letters.
#
# *About 4 minutes (put in order). Help: `hint("08.3")`, and after a try `solution("08.3")`.*

# %% exercise="08.3"
### BEGIN SOLUTION
outbox = "BDAC"
### END SOLUTION
check("08.3", outbox)


# %% [markdown] exercise="08.4"
# ### Exercise 08.4: a sender that waits
#
# *At least once*, as in lesson 01, now for a webhook. `post(card)` returns a status and the seconds after which to try
# again. 202 means accepted. After 429, wait as long as requested by `wait(seconds)` and repeat; after a status of 500
# or more repeat as well. Any other status is final: a bad request stays bad. Make at most five requests; return whether
# the card was accepted.
#
# *About 10 minutes (join two lessons). Help: `hint("08.4")`, and after a try `solution("08.4")`.*

# %% exercise="08.4"
### BEGIN SOLUTION
def deliver(post, card, wait):
    for _ in range(5):
        status, retry_after = post(card)
        if status != 429 and status < 500:
            return status == 202
        wait(retry_after)
    return False
### END SOLUTION
check("08.4", deliver)


# %% [markdown]
# You have learned
#
# - why a bare threshold sends twenty messages about one problem, and how to send one
# - what a card for Microsoft Teams consists of, and what a webhook refuses
# - how a message survives a crash between finding it and sending it
# - what "at least once" means for the person who is notified
#
# Next: `09_explain`, explanations and how they are kept honest.
