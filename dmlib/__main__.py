"""``python -m dmlib`` is the command ``dmlib``."""

import os
import signal
import sys

from .environment import begin_again, check_imports, check_interpreter
from .errors import DmlibError


def main() -> None:
    """Run the command; Ctrl-C ends it silently, at whatever moment, with the usual code."""
    try:
        begin_again()
        _open_standard_streams()
        check_interpreter()
        check_imports()  # before packages that other packages of the user may replace
        from .cli import main as command

        command()
    except DmlibError as error:
        sys.exit(f"dmlib: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        # What is left are the ends of threads and processes, where a second Ctrl-C would print a traceback.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _open_standard_streams() -> None:
    """Give closed ones (``2>&-``) a place: else the next file gets their number, and messages are written into it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))


if __name__ == "__main__":
    main()
