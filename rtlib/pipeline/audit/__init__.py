"""Audit: what each place that counts events holds, for the ledger."""
