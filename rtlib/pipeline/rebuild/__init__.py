"""Rebuild: restoring a damaged warehouse or checkpoint from what the other places still hold."""
