# ---
# jupyter:
#   jupytext:
#     formats: notebooks//ipynb,notebooks/py//py:percent
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
# # 08 Alerts: calling people, once
#
# You will learn
#
# - why a threshold alone calls people twenty times, and what calls them once
# - what a card for Microsoft Teams is made of, and what a webhook refuses
# - how a message survives a crash between finding it and sending it
# - what "at least once" means for the person who is called
#
# The stack must be running (`rtlib up`). No Teams is needed: a small receiver on your machine answers as Teams does,
# with the same limits. This lesson takes twenty minutes or so.

# %% [markdown]
# What you may change: with `surge = True` the lesson sends a real surge through the whole pipeline near its end, and
# waits for the card. That takes three minutes more.

# %% tags=["parameters"]
surge = False
seed = 7

# %% [markdown]
# Papermill runs a lesson with other values, as in `papermill 08_alerts.ipynb done.ipynb -p surge True`. The next line
# checks them, so that a value that cannot work is refused here and not somewhere in the middle.

# %%
from rtlib.lessons import check

surge, seed = check("08_alerts", surge=surge, seed=seed)

# %% [markdown]
# We ask whether the receiver and the warehouse answer; if one does not, the last line of the error says what to type.
# And, as before, predict before you run a cell: replace `None` by your guess.

# %%
from rtlib.config import load_settings
from rtlib.pipeline.monitoring import health

settings = load_settings()
print(f"the receiver {health.receiver(settings)}; the warehouse {health.warehouse(settings)}")

def compare(guess, truth):
    verdict = "no guess yet" if guess is None else "as you said" if guess == truth else f"you said {guess!r}"
    print(f"{truth!r} ({verdict})")

# %% [markdown]
# ## A threshold is not a rule
#
# Each domain says of some of its KPIs when somebody should be called. We take the first of these rules of the domain
# that your stack runs.

# %%
import matplotlib.pyplot as plt
import numpy as np

from rtlib.alerts import rules_of
from rtlib.domains import load_domain

domain = load_domain(settings.domain)
rule = rules_of(domain)[0]
print(f"{domain.title}: {rule.title} is bad from {rule.threshold:g} {rule.unit} on ({rule.direction} is the bad side)")

# %% [markdown]
# Here are two hours of that number at one site: it creeps up to the threshold, trembles around it, and comes down
# again. One bad stretch, as a person would say.

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
# Suppose that a message goes out each time the line crosses the threshold upwards. **Predict:** how many messages is
# that?

# %%
my_guess = None  # for instance 1
crossings = int(((values[1:] >= rule.threshold) & (values[:-1] < rule.threshold)).sum())
compare(my_guess, crossings)

# %% [markdown]
# Whoever gets so many messages about one thing mutes the channel, and then misses the next one that matters. Three
# remedies, all of them older than computers:
#
# - **for**: it must last, so that one bad minute calls nobody
# - **hysteresis**: it is over only when the number has left a second, better threshold behind
# - **cooldown**: after its end the same thing calls nobody for a while
#
# The rules of a domain have all three. They are data, beside its KPIs.

# %%
import pandas as pd

pd.DataFrame(domain.alerts).drop(columns="advice").set_index("name")

# %% [markdown]
# Two of these measures are no KPIs. `people_short` is what the staffing plan lacks in the next two hours. And
# `load_of_forecast` holds what came in the last half hour against the upper bound of its forecast. It says nothing on
# your machine before the live stream is more than a day old: until then the forecast knows only the loaded history,
# which is hundreds of times sparser than the live events, and every half hour would be an alarm. An alert that
# compares two different things is worse than none. Silence is no proof that all is well, so ask it what it knows:

# %%
from datetime import UTC, datetime

from rtlib.warehouse.connection import connect
from rtlib.warehouse.plan_status import load_of_forecast

connection = connect(settings)
load = load_of_forecast(connection, domain.name, kinds=domain.staffing.kinds, now=datetime.now(UTC))
connection.close()
print(f"{load.percent:.0f} % of the upper bound" if load else "nothing to compare yet: no forecast of a live day")

# %% [markdown]
# To try a rule out we need no two hours. `step` is a pure function: it gets what was remembered and one value, and
# returns what to remember and what changed. So it can be tried on any history without waiting for one. `judged` goes
# through our two hours with it and notes every message.

# %%
from datetime import UTC, datetime, timedelta

from rtlib.alerts import QUIET, Change, step

begin = datetime(2026, 3, 2, 12, tzinfo=UTC)

# %% [markdown]
# It says in which minute it would call, and whether something has begun or is over:

# %%
def judged(rule):
    state, messages = QUIET, []
    for minute, value in enumerate(values):
        state, change = step(rule, state, at=begin + timedelta(minutes=minute), value=value)
        if change is not Change.NOTHING:
            messages.append((minute, change.value))
    return messages


# %% [markdown]
# **Predict:** how many messages are there now, those that say it is over included?

# %%
my_guess = None  # for instance 18
messages = judged(rule)
compare(my_guess, len(messages))
expected = ["raised", "recovered"] * len(messages)
assert [change for _, change in messages] == expected[: len(messages)], "who was called must be told when it is over"
messages

# %% [markdown]
# **Try it:** take all three remedies away, and count again. Then give back one of them, hysteresis alone.
#
# ```python
# from dataclasses import replace
# bare = replace(rule, clear=rule.threshold, lasting=timedelta(0), cooldown=timedelta(0))
# len(judged(bare)), len(judged(replace(bare, clear=rule.clear)))
# ```
#
# <details><summary>A hint</summary>
#
# Without remedies each crossing is one message when it begins and one when it is over. You know how often the line
# crosses.
#
# </details>
# <details><summary>The answer</summary>
#
# Twice as many messages as there are crossings: 18, with the seed 7. With hysteresis alone it is 2. Taking one remedy
# away hardly shows, because the other two do its work: with `replace(rule, clear=rule.threshold)` it is still 2. In
# earnest one wants all three, for each is there for another kind of trembling.
#
# </details>

# %% [markdown]
# ## The card
#
# A Teams channel takes *Adaptive Cards*: JSON that says what is to be shown, not how. Ours says what happened, since
# when, and what to do. Here is one as if the rule had called for the domain's first site. Nothing in it can be pressed
# but a link, because behind a webhook nobody listens.

# %%
import json

from rtlib.alerts import Alert, card, message

site, value = domain.sites[0], 1.25 * rule.threshold
alert = Alert(domain.name, site.id, rule, Change.RAISED, value, begin, begin, begin, {"events": 240})
shown = card(alert, site=site.title, advice=rule.advice, link=settings.app_link)
print(json.dumps(shown, indent=1)[:700], "…")
print(f"{len(message(shown)):,} bytes of the 28,672 that Teams takes")

# %% [markdown]
# The address of a webhook is a secret: who knows it can write to the channel. So it is kept where printing it shows
# stars, and taken out only to send. Here it is the receiver of your stack, and sending is one POST of JSON. Teams
# allows four messages a second. **Predict:** which status codes do six messages in a row get? (202 means that it was
# taken, 429 that it was too much.)

# %%
import requests

from rtlib.pipeline.workers.receiver import receiver_address

receiver = receiver_address(settings)
url, json_type = receiver.webhook.get_secret_value(), {"Content-Type": "application/json"}
my_guess = None  # for instance [202, 202, 202, 202, 202, 202]
answers = [requests.post(url, data=message(shown), headers=json_type, timeout=5) for _ in range(6)]
compare(my_guess, [one.status_code for one in answers])
print("asked to wait, in seconds:", answers[-1].headers.get("Retry-After"))
assert answers[0].status_code == 202, "the first of them must be taken; wait a few seconds and run the cell again"

# %% [markdown]
# A sender that takes no for an answer loses alerts at the very moment when there are many. So ours keeps to a slower
# pace, waits as long as it is asked to, tries again after 429 and 5xx, and never after another 4xx: what was wrong
# once is wrong the next time. It needs no luck.

# %%
import time

from rtlib.alerts import Teams

teams, start = Teams(receiver.webhook), time.monotonic()
told = [teams.post(message(shown)) for _ in range(6)]
print([one.taken for one in told], f"{time.monotonic() - start:.1f} s")
assert all(one.taken for one in told), "a sender that waits as long as it is asked to loses nothing"

# %% [markdown]
# The receiver keeps one copy of a card that comes again with the same key; Teams itself would show six. This is how
# the channel looks. Microsoft's own renderer draws it.

# %%
from IPython.display import IFrame

IFrame(receiver.page.get_secret_value(), width="100%", height=330)

# %% [markdown]
# ## Between finding and sending
#
# The alerting service reads the KPI topic, judges each minute once when it is over, and calls people. It may be killed
# at any moment. **Predict:** if it sends first and notes it afterwards, what may happen at a crash? And the other way
# round?

# %% [markdown]
# Sending first may send twice; noting first may lose an alert. Ours writes what it found, and how far it has judged,
# in one transaction of the warehouse. A second step sends what is written there and notes it. So nothing is found
# twice and nothing is lost, and in the worst case a card comes twice. That is *at least once*, and for a call for help
# it is the better of the two.

# %%
connection = connect(settings)
query = "select judged_at, title, change, value, status, reason from OPS.ALERTS order by judged_at desc limit 5"
cursor = connection.cursor().execute(query)
pd.DataFrame(cursor.fetchall(), columns=[column.name.lower() for column in cursor.description])

# %% [markdown]
# The table is empty while all is well. How far the service has judged is in the same warehouse, and a service that is
# started again goes on from there.

# %%
memory = connection.cursor().execute("select domain, memory from OPS.ALERT_MEMORY").fetchall()
for domain, told in memory:
    print(domain, "was judged until", json.loads(told)["until"])
connection.close()

# %% [markdown]
# ## A surge
#
# With `surge = True` one site gets more than it can serve: `rtlib fault surge` does the same. **Predict:**
# after how many seconds is the card there? Windows are a minute long, a rule wants a bad minute that lasts, and a
# minute is judged when it is over.

# %%
from rtlib import faults

if surge:
    done = faults.run(settings, "surge", seed=seed, notify=print)
    print(done.happened)
else:
    print(faults.MENU["surge"].expect)

# %% [markdown]
# **Try it:** open the app, run `rtlib fault surge` in a terminal, and watch the page *Alerts*. How many cards come for
# one surge? Then press *Mute* and send another one: what comes now, and what is kept?
#
# <details><summary>A hint</summary>
#
# A rule calls when something begins and when it is over. To mute is to call nobody; it is not to look away.
#
# </details>
# <details><summary>The answer</summary>
#
# Two: one when two whole minutes were bad, one when it is over. *Mute* calls nobody for an hour, and the alert is kept
# all the same; the page says until when, and *Unmute* takes it back. Who heard of an alert hears of its end, muted
# since or not. *Acknowledge* says that somebody has seen to it. A card that nobody took waits there with the reason:
# *Send again* tries once more.
#
# </details>

# %% [markdown]
# You have learned
#
# - why a threshold alone calls people twenty times, and what calls them once
# - what a card for Microsoft Teams is made of, and what a webhook refuses
# - how a message survives a crash between finding it and sending it
# - what "at least once" means for the person who is called
#
# Next: explanations, and how they are kept honest.
