"""``python -m rtlib`` is ``rtlib``."""

from rtlib.cli import main

main()
