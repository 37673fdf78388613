"""Explanations: plain English made from measured numbers alone."""
