"""What several commands share: the options that make the settings, and how lines and tables are printed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
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

_WHERE = f"Where galaxies come from {SOURCE_NAMES}: written here, a TNG tree on disk, the TNG web API."
_HOW_MUCH = "How much is computed: smoke shows that all runs, quick is the book, paper is all."
_BASE = "For --universe files: the simulation's output folder, .../TNG100-1/output."
_RUN = "Name of the simulation, for --universe files or api; else $DMLIB_SIMULATION, by --base-path, or TNG100-1."
_FEW = "Use this many galaxies of the selection, as a trial in a build folder of its own; else $DMLIB_SAMPLE, or all."

#: Option of a command -> type, default, help. Without the last three, `dmlib.settings` takes the environment's.
SETTINGS: dict[str, tuple[Any, Any, str]] = {
    "universe": (str, "embedded", _WHERE),
    "profile": (Literal["smoke", "quick", "paper"], "quick", _HOW_MUCH),
    "seed": (int, 1, "Root of every random number."),
    "physics": (Literal["fiducial", "alternative"], "fiducial", "alternative: weaker contraction, cores, other gas."),
    "base_path": (str, "", _BASE),
    "simulation": (str | None, None, _RUN),
    "snapshot": (int | None, None, "Number of the snapshot; else $DMLIB_SNAPSHOT, or 99."),
    "sample": (int | None, None, _FEW),
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
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[kind, typer.Option(help=text)],
            )
            for name, (kind, default, text) in SETTINGS.items()
            if name in names
        ]
        # Typer asks for both, and would otherwise look behind the wrapper.
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
        raise DmlibError("; ".join(_fault(found, choices) for found in error.errors())) from None


def _fault(found: Mapping[str, Any], choices: Mapping[str, Any]) -> str:
    """What pydantic found, with the variable where the value comes from one."""
    from ..settings import ENVIRONMENT

    name, text = str(next(iter(found["loc"]), "")), str(found["msg"]).removeprefix("Value error, ")
    return f"{ENVIRONMENT[name]}: {text}" if name in ENVIRONMENT and choices.get(name) is None else text


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
