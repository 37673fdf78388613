"""Rebuild: restoring a damaged warehouse or checkpoint from what the other stores still hold."""
