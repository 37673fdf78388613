"""Workers: the supervised processes that run in Python, each from its start to SIGTERM."""
