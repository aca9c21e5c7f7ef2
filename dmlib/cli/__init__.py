"""The command ``dmlib``."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import typer

from .. import environment
from ..errors import DmlibError
from . import data, run
from .galaxy import galaxy, skirt

app = typer.Typer(
    help="The reproduction book of de los Rios et al. (2023), arXiv:2111.08725: run it, see what would run, and use "
    "its parts.\n\nFor example: dmlib run --profile smoke",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("status")(run.status)
app.command("book")(run.book)
app.command("notebooks")(run.notebooks)
app.command("select")(data.select)
app.command("fetch")(data.fetch)
app.command("universe")(data.universe)
app.command("galaxy")(galaxy)
app.command("reference")(run.reference)
app.command("serve-tng", context_settings={"ignore_unknown_options": True})(data.serve_tng)
app.add_typer(skirt, name="skirt")


def main() -> None:
    """Run the command; an error that a user can mend is one sentence on stderr and exit code 1, with no traceback."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has SIGHUP ignored
            signal.signal(number, _interrupt)
    try:
        environment.settle()
        environment.check_checkout()
        app()
    except (DmlibError, OSError) as error:
        if os.environ.get("DMLIB_DEBUG"):
            raise
        typer.echo(f"dmlib: {environment.of_the_system(error) if isinstance(error, OSError) else error}", err=True)
        sys.exit(1)


def _interrupt(number: int, frame: object) -> NoReturn:
    """As Ctrl-C: what is unfinished is cleared away."""
    raise KeyboardInterrupt
