"""The commands that get and describe data: ``dmlib select``, ``fetch``, ``universe`` and ``serve-tng``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import DmlibError
from .options import COMMON, SOURCE_NAMES, make_settings, parameters_of, print_table, shown, tell, with_settings

if TYPE_CHECKING:
    from ..settings import Settings


@with_settings(*COMMON)
def select(
    settings: Settings,
    out: Annotated[Path, typer.Option("--out", help="Table to write, FILE.ecsv.")],
    centrals: Annotated[
        Literal["paper", "true", "any"] | None,
        typer.Option(
            help="paper: SubhaloParent = 0, the default. true: first subhalo of its group (GroupFirstSub). any: all."
        ),
    ] = None,
    aperture: Annotated[
        Literal["all", "2rhalf"] | None,
        typer.Option(
            help="Stars that count: all bound ones, the default, or those within twice the stellar half-mass radius."
        ),
    ] = None,
) -> None:
    """Select galaxies as the paper does, print how many each cut leaves, and write the table.

    For example: dmlib select --universe files --base-path ~/sims.TNG/TNG100-1/output --out sample.ecsv
    """
    from .. import load
    from ..sample import select_to_file

    given = {"centrals": centrals, "aperture": aperture}
    criteria = settings.selection.model_copy(update={name: value for name, value in given.items() if value})
    funnel = select_to_file(load.universe(settings), out, criteria, settings.sample)
    typer.echo(str(funnel))
    tell(f"written: {out}")


@with_settings("profile", "simulation", "snapshot", "sample")
def fetch(
    settings: Settings,
    names: Annotated[
        list[str] | None, typer.Argument(help="Entries of data_manifest.yaml; all open ones if none.")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Say what there is, and what is here already.")] = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="For entries with blanks, as subhalo_id=6."),
    ] = None,
    universe: Annotated[
        str | None,
        typer.Option(metavar=SOURCE_NAMES, help="api: everything that a run on the TNG web API reads, and no entries."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="With --universe api: say how many requests, bytes and hours. Fetch nothing.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="With --universe api: check what is here, and remove what is damaged.")
    ] = False,
    images: Annotated[
        Literal["none", "each", "archive"],
        typer.Option(help="With --universe api: published SKIRT images, one by one or as the archive."),
    ] = "none",
) -> None:
    """Get data from elsewhere, verified; what is here already is not downloaded again. Safe to stop and continue.

    For example: dmlib fetch --list, or dmlib fetch sparc-rotmod, or dmlib fetch --universe api --plan
    """
    from ..manifest.fetch import table

    if universe is not None:
        chosen = settings.model_dump(include={"profile", "simulation", "snapshot", "sample"}, exclude_unset=True)
        _fetch_universe(make_settings(universe=universe, **chosen), plan=plan, verify=verify, pictures=images)
    elif plan or verify or images != "none":
        raise DmlibError("--plan, --verify and --images go with --universe api")
    elif show_list:
        keys = ("name", "state", "access", "size", "licence", "chapters", "title")
        print_table(keys, [tuple(row[key] for key in keys) for row in table()])
    else:
        _fetch_entries(names or [], parameters_of(parameter))


def _fetch_entries(names: list[str], parameters: dict[str, Any]) -> None:
    from ..manifest import load_manifest
    from ..manifest.fetch import fetch

    if not names:
        entries = load_manifest().entries
        names = [entry.name for entry in entries if entry.access == "open" and not entry.parameters]
    failures = []
    for name in names:
        try:
            tell(f"{name}: {fetch(name, **parameters)}")
        except DmlibError as error:
            failures.append(str(error))
    if failures:
        raise DmlibError("\n".join(failures))


def _fetch_universe(
    settings: Settings, *, plan: bool, verify: bool, pictures: Literal["none", "each", "archive"]
) -> None:
    """Estimate a download from the TNG web API, check what is here, or download everything that a run reads."""
    from .. import download_plan
    from ..environment import readable

    if verify:
        whole, removed = download_plan.verify(settings)
        typer.echo(f"{whole} files are whole, {len(removed)} were damaged and are removed")
        for name in removed:
            typer.echo(f"  {name}")
        return
    typer.echo(str(download_plan.plan(settings, pictures)))
    if not plan:
        universe = download_plan.fetch_all(settings, pictures)
        tell(f"everything is here: {len(universe.cache)} files, {readable(universe.cache.size)}")


@with_settings("profile", "seed", "physics")
def universe(
    settings: Settings,
    plan: Annotated[bool, typer.Option("--plan", help="Write nothing; say what it would be, and need.")] = False,
) -> None:
    """Write the embedded universe where it is missing or out of date, and describe it.

    For example: dmlib universe --profile smoke, or dmlib universe --profile paper --plan
    """
    from .. import load
    from ..embedded import describe

    if not plan:
        load.universe(settings)
    facts = describe(settings) | {"folder": shown(settings.universe_dir)}
    print_table(("", ""), [(name, _readable(value)) for name, value in facts.items()])


def _readable(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if isinstance(value, float) else str(value)


@with_settings("profile", "seed")
def serve_tng(
    settings: Settings,
    options: Annotated[
        list[str] | None, typer.Argument(help="Options of `mocktng serve`: --port, --key, --fail-every, ...")
    ] = None,
) -> None:
    """Serve the embedded universe as the TNG web API does, on this machine: for teaching and trials without an account.

    For example: dmlib serve-tng --profile smoke --fail-every 5 --fail-as error,cut,busy
    """
    from .. import embedded, load

    name = load.universe(settings).name
    typer.echo("in another terminal, with the address and the key that follow:")
    typer.echo("  export DMLIB_TNG_URL=ADDRESS TNG_API_KEY=KEY")
    typer.echo(f"  dmlib run --universe api --simulation {name} --profile {settings.profile}")
    raise typer.Exit(embedded.serve(settings, options or []))
