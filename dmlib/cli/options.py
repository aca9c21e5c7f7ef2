"""What several commands share: the options that make the settings, and how lines and tables are printed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import DmlibError
from ..sources import SOURCES

if TYPE_CHECKING:
    from ..settings import Settings

# `dmlib --help` must answer at once: numpy and whatever else a command needs are imported inside the command.

#: Choices of --universe, as the help shows them.
SOURCE_NAMES = f"[{'|'.join(SOURCES)}]"

#: Option of a command -> type and help, default.
SETTINGS: dict[str, tuple[Any, Any]] = {
    "universe": (
        Annotated[
            str,
            typer.Option(
                metavar=SOURCE_NAMES,
                help="Where galaxies come from: written here, a TNG tree on disk, the TNG web API.",
            ),
        ],
        "embedded",
    ),
    "profile": (
        Annotated[
            Literal["smoke", "quick", "paper"],
            typer.Option(help="How much is computed: smoke shows that all runs, quick is the book, paper is all."),
        ],
        "quick",
    ),
    "seed": (Annotated[int, typer.Option(help="Root of every random number.")], 1),
    "base_path": (
        Annotated[str, typer.Option(help="For --universe files: the simulation's output folder, .../TNG100-1/output.")],
        "",
    ),
    # Without these three, `dmlib.settings` takes the environment's.
    "simulation": (
        Annotated[
            str | None,
            typer.Option(
                help="Name of the simulation, for --universe files or api; else $DMLIB_SIMULATION, the name in "
                "--base-path, or TNG100-1."
            ),
        ],
        None,
    ),
    "snapshot": (
        Annotated[int | None, typer.Option(help="Number of the snapshot; else $DMLIB_SNAPSHOT, or 99.")],
        None,
    ),
    "sample": (
        Annotated[
            int | None,
            typer.Option(
                min=0,
                help="Only this many galaxies of the selection, for a quick trial in its own build folder; else "
                "$DMLIB_SAMPLE, or 0, which is all.",
            ),
        ],
        None,
    ),
    "physics": (
        Annotated[
            Literal["fiducial", "alternative"],
            typer.Option(help="alternative: weaker contraction, cores, other gas fractions."),
        ],
        "fiducial",
    ),
}

#: Those of most commands.
COMMON = ("universe", "profile", "seed", "base_path", "simulation", "snapshot", "sample")

ParametersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME=VALUE",
        help="A criterion of the selection, or a parameter of the notebooks, or of one: CHAPTER.NAME=VALUE. "
        "May be repeated.",
    ),
]
BookOption = Annotated[bool, typer.Option("--book/--no-book", help="Build the pages at the end.")]


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of `SETTINGS` that are named, and the settings made of them as first argument."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_options(**given: Any) -> None:
            command(make_settings(**{name: given.pop(name) for name in names}), **given)

        # The settings are no option; their class is not imported here.
        declared = inspect.signature(command, locals={"Settings": object}, eval_str=True).parameters.values()
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in declared][1:]
        options = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in SETTINGS.items()
            if name in names
        ]
        # Typer asks for both, and would look behind the wrapper.
        parameters = [*own, *options]
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        del with_options.__wrapped__
        return with_options

    return decorate


def make_settings(**choices: Any) -> Settings:
    """Settings of a command.

    Raises
    ------
    DmlibError
        When the choices do not go together.
    """
    from pydantic import ValidationError

    from ..settings import Settings

    try:
        return Settings(**{name: value for name, value in choices.items() if value is not None})
    except ValidationError as error:
        raise DmlibError("; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())) from None


def parameters_of(given: list[str] | None) -> dict[str, Any]:
    """``name=value`` with the value as Python reads it: a number, True, a list; anything else is text."""
    parameters = {}
    for item in given or ():
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise DmlibError(f"'{item}' is not NAME=VALUE")
        try:
            parameters[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parameters[name] = value
    return parameters


def tell(line: str) -> None:
    """Print a line about the work, on stderr."""
    typer.echo(line, err=True)


def shown(path: Path) -> str:
    """A path as seen from here, where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of text in columns, under a head unless it is empty."""
    wide = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows] if any(head) else rows:
        typer.echo("  ".join(str(cell).ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip())
