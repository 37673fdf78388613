"""Explanations: facts about nodes, KPIs, alerts and forecasts, and the text made of them."""
