"""The command ``dmlib``."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_options import (
    ApertureChoice,
    BasePathOption,
    BookOption,
    CentralChoice,
    ImagesChoice,
    ParametersOption,
    PhysicsChoice,
    ProfileChoice,
    ProfileOption,
    SampleOption,
    SeedOption,
    SimulationOption,
    SnapshotOption,
    UniverseChoice,
    UniverseOption,
)
from .cli_skirt import app as skirt
from .cli_tng import serve
from .errors import DmlibError, of_the_system

# Imports of what a command needs stand inside it: `dmlib --help` answers at once.

app = typer.Typer(
    help="The reproduction book of de los Rios et al. (2023), arXiv:2111.08725: run it, ask what would run, and use "
    "its parts.\n\nFor example: dmlib run --profile smoke",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def run(
    universe: UniverseOption = UniverseChoice.embedded,
    profile: ProfileOption = ProfileChoice.quick,
    seed: SeedOption = 1,
    base_path: BasePathOption = "",
    simulation: SimulationOption = "TNG100-1",
    snapshot: SnapshotOption = 99,
    sample: SampleOption = 0,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="STEP", help="Only this step and what it needs. May be repeated."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also what is up to date: everything, or the steps named by --only.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="After a failure run what does not need it, and report all failures.")
    ] = False,
    parameter: ParametersOption = None,
    book: BookOption = True,
) -> None:
    """Make what is missing or out of date: data products, notebooks, the book.

    For example: dmlib run --profile smoke, or dmlib run --only 03 --force
    """
    from .pipeline.run import run as run_steps

    settings = _settings(
        universe=universe.value,
        profile=profile.value,
        seed=seed,
        base_path=base_path,
        simulation=simulation,
        snapshot=snapshot,
        sample=sample,
    )
    outcomes = run_steps(
        settings,
        parameters=_parameters(parameter),
        only=only or (),
        force=force,
        keep_going=keep_going,
        book=book,
        tell=_tell,
    )
    ran = sum(outcome.state == "ran" for outcome in outcomes)
    _tell(f"{ran} of {len(outcomes)} steps ran; outputs are in {_shown(settings.build)}")
    if any(outcome.step.kind == "book" for outcome in outcomes):
        _tell("the book is book/_build/html/index.html")


@app.command()
def status(
    universe: UniverseOption = UniverseChoice.embedded,
    profile: ProfileOption = ProfileChoice.quick,
    seed: SeedOption = 1,
    base_path: BasePathOption = "",
    simulation: SimulationOption = "TNG100-1",
    snapshot: SnapshotOption = 99,
    sample: SampleOption = 0,
    parameter: ParametersOption = None,
    book: BookOption = True,
) -> None:
    """Say what a run would do, and why. Runs nothing.

    For example: dmlib status --profile smoke
    """
    from .pipeline.run import status as status_of_all

    settings = _settings(
        universe=universe.value,
        profile=profile.value,
        seed=seed,
        base_path=base_path,
        simulation=simulation,
        snapshot=snapshot,
        sample=sample,
    )
    rows = [
        (
            found.step.name,
            "up to date" if found.up_to_date else "would run",
            "; ".join(found.reasons) or _made(found.record),
        )
        for found in status_of_all(settings, _parameters(parameter), book=book)
    ]
    _table(("step", "state", "why"), rows)


@app.command("book")
def build_book(
    universe: UniverseOption = UniverseChoice.embedded,
    profile: ProfileOption = ProfileChoice.quick,
    seed: SeedOption = 1,
    base_path: BasePathOption = "",
    simulation: SimulationOption = "TNG100-1",
    snapshot: SnapshotOption = 99,
    sample: SampleOption = 0,
) -> None:
    """Build the pages from the notebooks as they were executed.

    For example: dmlib book --profile smoke
    """
    from .pipeline.run import build_book as build

    settings = _settings(
        universe=universe.value,
        profile=profile.value,
        seed=seed,
        base_path=base_path,
        simulation=simulation,
        snapshot=snapshot,
        sample=sample,
    )
    build(settings, tell=_tell)


@app.command()
def select(
    out: Annotated[Path, typer.Option("--out", help="Table to write, FILE.ecsv.")],
    universe: UniverseOption = UniverseChoice.embedded,
    base_path: BasePathOption = "",
    centrals: Annotated[
        CentralChoice,
        typer.Option("--centrals", help="paper: SubhaloParent = 0. true: first subhalo of its group (GroupFirstSub)."),
    ] = CentralChoice.paper,
    aperture: Annotated[
        ApertureChoice,
        typer.Option("--aperture", help="Stars that count: all bound ones, or within twice the stellar half-mass."),
    ] = ApertureChoice.all,
    profile: ProfileOption = ProfileChoice.quick,
    seed: SeedOption = 1,
    simulation: SimulationOption = "TNG100-1",
    snapshot: SnapshotOption = 99,
    sample: SampleOption = 0,
) -> None:
    """Select galaxies as the paper does, print how many each cut leaves, and write the table.

    For example: dmlib select --universe files --base-path ~/sims.TNG/TNG100-1/output --out sample.ecsv
    """
    from .sample import Criteria, select_to_file

    settings = _settings(
        universe=universe.value,
        profile=profile.value,
        seed=seed,
        base_path=base_path,
        simulation=simulation,
        snapshot=snapshot,
        sample=sample,
    )
    funnel = select_to_file(settings, out, Criteria(centrals=centrals.value, aperture=aperture.value))
    typer.echo(str(funnel))
    _tell(f"written: {out}")


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Entries of data_manifest.yaml; all open ones if none.")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Say what there is, and what is here already.")] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="For entries with blanks, as subhalo_id=6."),
    ] = None,
    universe: Annotated[
        UniverseChoice | None,
        typer.Option("--universe", help="api: all that a run on the TNG web API reads, and no entries."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="With --universe api: say how many requests, bytes and hours. Fetch nothing.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="With --universe api: read what is here again, remove what is damaged.")
    ] = False,
    images: Annotated[
        ImagesChoice,
        typer.Option("--images", help="With --universe api: published SKIRT images, one by one or as the archive."),
    ] = ImagesChoice.none,
    profile: ProfileOption = ProfileChoice.quick,
    simulation: SimulationOption = "TNG100-1",
    snapshot: SnapshotOption = 99,
    sample: SampleOption = 0,
) -> None:
    """Get data from elsewhere, verified; what is here already is not downloaded again. Safe to stop and go on.

    For example: dmlib fetch --list, or dmlib fetch sparc-rotmod, or dmlib fetch --universe api --plan
    """
    from . import manifest

    if universe is not None:
        from .cli_tng import fetch_universe

        settings = _settings(
            universe=universe.value, profile=profile.value, simulation=simulation, snapshot=snapshot, sample=sample
        )
        fetch_universe(settings, plan=plan, verify=verify, pictures=images.value)
        return
    if plan or verify or images is not ImagesChoice.none:
        raise DmlibError("--plan, --verify and --images go with --universe api")

    if show_list:
        keys = ("name", "state", "access", "size", "licence", "chapters", "title")
        _table(keys, [tuple(row[key] for key in keys) for row in manifest.table()])
        return
    given = _parameters(parameter)
    if not names:
        entries = manifest.load_manifest().entries
        names = [entry.name for entry in entries if entry.access == "open" and not entry.parameters]
    failures = []
    for name in names:
        try:
            path = manifest.fetch(name, **given)
        except DmlibError as error:
            failures.append(str(error))
        else:
            _tell(f"{name}: {path}")
    if failures:
        raise DmlibError("\n".join(failures))


app.command("serve-tng")(serve)
app.add_typer(skirt, name="skirt")


@app.command("universe")
def describe_universe(
    profile: ProfileOption = ProfileChoice.quick,
    seed: SeedOption = 1,
    physics: Annotated[
        PhysicsChoice, typer.Option("--physics", help="alternative: weaker contraction, cores, other gas fractions.")
    ] = PhysicsChoice.fiducial,
    plan: Annotated[bool, typer.Option("--plan", help="Write nothing; say what it would be, and need.")] = False,
) -> None:
    """Write the embedded universe where it is missing or out of date, and describe it.

    For example: dmlib universe --profile smoke, or dmlib universe --profile paper --plan
    """
    from .pipeline.steps import ensure
    from .universe.embedded import describe

    settings = _settings(universe="embedded", profile=profile.value, seed=seed, physics=physics.value)
    if not plan:
        ensure(settings, "universe")
    facts = describe(settings) | {"folder": _shown(settings.universe_dir)}
    _table(("", ""), [(name, _readable(value)) for name, value in facts.items()])


@app.command("notebooks")
def twins() -> None:
    """Write or renew the .ipynb twin of each notebook; JupyterLab keeps the pair in step.

    For example: dmlib notebooks, then jupyter lab notebooks
    """
    import jupytext.cli

    from .pipeline.notebooks import discover
    from .settings import repository_root

    paths = discover(repository_root())
    if not paths:
        raise DmlibError("there are no notebooks/NN_name.py here: run this inside the checkout")
    for path in paths:
        jupytext.cli.jupytext(["--quiet", "--sync", str(path)])
        _tell(f"{path.stem}.ipynb")


def main() -> None:
    """Run the command; an error that a user can mend is one sentence on stderr and exit code 1, with no traceback."""
    try:
        app()
    except (DmlibError, OSError) as error:
        if os.environ.get("DMLIB_DEBUG"):
            raise
        typer.echo(f"dmlib: {of_the_system(error) if isinstance(error, OSError) else error}", err=True)
        sys.exit(1)


def _settings(**choices: Any):
    from pydantic import ValidationError

    from .settings import Settings

    try:
        return Settings(**choices)
    except ValidationError as error:
        raise DmlibError("; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())) from None


def _parameters(given: list[str] | None) -> dict[str, Any]:
    """``name=value`` as Python sees the value: a number, True, a list; anything else is text."""
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


def _readable(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if isinstance(value, float) else str(value)


def _made(record: dict[str, Any]) -> str:
    return f"made {record['finished'][:16].replace('T', ' ')} UTC in {record['seconds']:.1f} s"


def _shown(path: Path) -> str:
    """A path as seen from here, where that is shorter."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    wide = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in ([head] if any(head) else []) + rows:
        typer.echo("  ".join(str(cell).ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip())


if __name__ == "__main__":
    main()
