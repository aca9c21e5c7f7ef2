"""The commands ``dmlib skirt export`` and ``dmlib skirt run``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .cli_options import (
    BasePathOption,
    ProfileChoice,
    ProfileOption,
    SeedOption,
    SimulationOption,
    SnapshotOption,
    UniverseChoice,
    UniverseOption,
)
from .errors import DmlibError

# Imports of what a command needs stand inside it: `dmlib --help` answers at once.

app = typer.Typer(
    help="Radiative transfer of one galaxy with SKIRT 9: write its input files, run it.\n\n"
    "For example: dmlib skirt export 12 --out galaxy, then dmlib skirt run galaxy",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class LibraryChoice(StrEnum):
    resources = "resources"
    self_contained = "self-contained"


class ViewChoice(StrEnum):
    random = "random"
    face_on = "face-on"
    edge_on = "edge-on"
    box = "box"


@app.command("export")
def export_galaxy(
    subhalo_id: Annotated[int, typer.Argument(help="Which subhalo.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write, made where it is missing.")],
    library: Annotated[
        LibraryChoice,
        typer.Option("--library", help="Spectra, bands and dust of SKIRT's resource packs, or dmlib's own tables."),
    ] = LibraryChoice.resources,
    dust: Annotated[bool, typer.Option("--dust/--no-dust", help="Whether there is dust.")] = True,
    views: Annotated[ViewChoice, typer.Option("--views", help="Lines of sight.")] = ViewChoice.random,
    n_views: Annotated[int, typer.Option("--n-views", min=1, help="How many lines of sight.")] = 3,
    packets: Annotated[float, typer.Option("--packets", help="Photon packets.")] = 5e6,
    whole_group: Annotated[
        bool,
        typer.Option("--group/--subhalo", help="All stars and gas of the FoF group, or those bound to the subhalo."),
    ] = False,
    universe: UniverseOption = UniverseChoice.embedded,
    profile: ProfileOption = ProfileChoice.quick,
    seed: SeedOption = 1,
    base_path: BasePathOption = "",
    simulation: SimulationOption = "TNG100-1",
    snapshot: SnapshotOption = 99,
) -> None:
    """Write a galaxy's stars, star-forming regions and dusty gas for SKIRT, and the parameter file.

    For example: dmlib skirt export 12 --library self-contained --out galaxy
    """
    from pydantic import ValidationError

    from .cli import _settings
    from .galaxy import load_galaxy
    from .observe.grid import SkyGrid
    from .observe.images.published import box_view
    from .observe.skirt.export import GAS_FIELDS, STAR_FIELDS, export
    from .observe.skirt.settings import SkirtSettings
    from .observe.views import lines_of_sight
    from .universe import open_universe

    settings = _settings(
        universe=universe.value,
        profile=profile.value,
        seed=seed,
        base_path=base_path,
        simulation=simulation,
        snapshot=snapshot,
    )
    # A mesh restores the cells of TNG; those of the embedded universe were never one.
    medium = {"medium": "particles"} if settings.origin == "embedded" else {}
    try:
        recipe = SkirtSettings(library=library.value, dust=dust, packets=packets, **medium)
    except ValidationError as error:
        raise DmlibError("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())) from None
    fields = {"stars": STAR_FIELDS, "gas": GAS_FIELDS}
    scope = "group" if whole_group else "subhalo"
    opened = open_universe(settings)
    if abs(opened.header.redshift) > 0.01:
        raise DmlibError(
            f"snapshot {snapshot} is at redshift {opened.header.redshift:.2f}, and stars are exported with their ages "
            "today: take snapshot 99"
        )
    galaxy = load_galaxy(opened, subhalo_id, scope=scope, extra=fields, components=("stars", "gas"))
    axis = galaxy.spin_axis()
    seen = (
        [box_view(subhalo_id, axis)]
        if views is ViewChoice.box
        else lines_of_sight(subhalo_id, axis, n_views, seed=settings.seed, mode=views.value)
    )
    written = export(galaxy, seen, SkyGrid.of(settings), recipe, out)
    rows = written.contents
    typer.echo(f"{rows.old} stars, {rows.young} star-forming regions, {rows.gas} gas cells, {len(seen)} lines of sight")
    if written.budget is not None:
        ratios = ", ".join(f"{band} {ratio:.3f}" for band, ratio in zip(recipe.bands, written.budget, strict=True))
        typer.echo(f"light of the spectra over particle light: {ratios}")
    typer.echo(f"written: {written.ski}", err=True)


@app.command("run")
def run_galaxy(
    folder: Annotated[Path, typer.Argument(help="Folder that dmlib skirt export has written.")],
    executable: Annotated[
        Path | None, typer.Option("--executable", help="The skirt executable; else $DMLIB_SKIRT, else that on PATH.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1)] = 1,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds after which the run is ended.")] = 3600.0,
) -> None:
    """Run SKIRT on an exported galaxy, and print the galaxy's magnitudes along each line of sight.

    For example: dmlib skirt run galaxy --threads 4
    """
    import numpy as np

    from .observe.skirt.settings import SkirtSettings
    from .observe.skirt.source import OUT, described, run_folder

    images = run_folder(folder, executable=executable, threads=threads, timeout=timeout)
    said = described(folder)
    typer.echo("apparent AB magnitudes within the field")
    typer.echo("view  " + "  ".join(f"{band:>6}" for band in SkirtSettings(**said["settings"]).bands))
    for view, image in zip(said["views"], images, strict=True):
        with np.errstate(divide="ignore"):
            magnitudes = -2.5 * np.log10(image.sum(axis=(0, 1)))
        typer.echo(f"{view['index']:<4}  " + "  ".join(f"{value:6.2f}" for value in magnitudes))
    typer.echo(f"frames and logs: {folder / OUT}", err=True)
