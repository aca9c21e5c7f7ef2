"""``python -m dmlib`` is the command ``dmlib``."""

import signal
import sys


def main() -> None:
    """Run the command; Ctrl-C ends it silently, at whatever moment, with the usual code."""
    try:
        from .cli import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        # What is left are the ends of threads and processes, where a second Ctrl-C would print a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
