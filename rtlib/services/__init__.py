"""Services: the local stack as supervised processes."""
