"""Audit: the counts of every store that holds events, for the ledger."""
