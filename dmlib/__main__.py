"""``python -m dmlib`` is the command ``dmlib``."""

from .cli import main

main()
