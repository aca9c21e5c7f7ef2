"""The commands ``dmlib skirt export`` and ``dmlib skirt run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import DmlibError
from .options import tell, with_settings

if TYPE_CHECKING:
    from ..settings import Settings

app = typer.Typer(
    help="Radiative transfer of one galaxy with SKIRT 9: write its input files, run it.\n\n"
    "For example: dmlib skirt export 12 --out galaxy, then dmlib skirt run galaxy",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("export")
@with_settings("universe", "profile", "seed", "base_path", "simulation", "snapshot")
def export_galaxy(
    settings: Settings,
    subhalo_id: Annotated[int, typer.Argument(help="Which subhalo.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write, made where it is missing.")],
    library: Annotated[
        Literal["resources", "self-contained"],
        typer.Option(help="Spectra, bands and dust of SKIRT's resource packs, or dmlib's own tables."),
    ] = "resources",
    dust: Annotated[bool, typer.Option("--dust/--no-dust", help="Whether there is dust.")] = True,
    views: Annotated[
        Literal["random", "face-on", "edge-on", "box"], typer.Option("--views", help="Lines of sight.")
    ] = "random",
    n_views: Annotated[int, typer.Option("--n-views", min=1, help="How many lines of sight.")] = 3,
    packets: Annotated[
        float | None, typer.Option("--packets", help="Photon packets; else as many as --signal-to-noise needs.")
    ] = None,
    signal_to_noise: Annotated[
        float, typer.Option("--signal-to-noise", help="Of the brightest pixels, in a band without dust.")
    ] = 20.0,
    whole_group: Annotated[
        bool,
        typer.Option("--group/--subhalo", help="All stars and gas of the FoF group, or those bound to the subhalo."),
    ] = False,
) -> None:
    """Write a galaxy's stars, star-forming regions and dusty gas for SKIRT, and the parameter file.

    For example: dmlib skirt export 12 --library self-contained --out galaxy
    """
    from pydantic import ValidationError

    from .. import load
    from ..galaxy import load_galaxy
    from ..observe.images import UGRIZ
    from ..observe.skirt import SkirtSettings
    from ..observe.skirt.export import GAS_FIELDS, STAR_FIELDS, export
    from ..observe.sky import SkyGrid, lines_of_sight

    # A mesh restores the cells of TNG; those of the embedded universe were never one.
    medium: Literal["particles", "voronoi"] = "particles" if settings.is_embedded else "voronoi"
    try:
        recipe = SkirtSettings(
            library=library, dust=dust, packets=packets, signal_to_noise=signal_to_noise, medium=medium
        )
    except ValidationError as error:
        raise DmlibError("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())) from None
    scope: Literal["group", "subhalo"] = "group" if whole_group else "subhalo"
    opened = load.universe(settings)
    if abs(opened.header.redshift) > 0.01:
        raise DmlibError(
            f"snapshot {settings.snapshot} is at redshift {opened.header.redshift:.2f}, and stars are exported with "
            "their ages today: take snapshot 99"
        )
    galaxy = load_galaxy(
        opened, subhalo_id, scope=scope, extra={"stars": STAR_FIELDS, "gas": GAS_FIELDS}, components=("stars", "gas")
    )
    seen = lines_of_sight(subhalo_id, galaxy.spin_axis(), n_views, seed=settings.seed, mode=views)
    written = export(galaxy, seen, SkyGrid.of(settings), recipe, out)
    stars, young, gas = written.rows.values()
    typer.echo(
        f"{stars} stars, {young} star-forming regions, {gas} gas cells, {len(seen)} lines of sight, "
        f"{written.settings.packets:.2g} photon packets"
    )
    if written.budget is not None:
        ratios = ", ".join(f"{band} {ratio:.3f}" for band, ratio in zip(UGRIZ, written.budget, strict=True))
        typer.echo(f"light of the spectra over particle light: {ratios}")
    tell(f"written: {written.ski}")


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

    from ..observe.images import UGRIZ
    from ..observe.skirt.source import OUT, described, run_folder

    images = run_folder(folder, executable=executable, threads=threads, timeout=timeout)
    said = described(folder)
    typer.echo("apparent AB magnitudes within the field")
    typer.echo("view  " + "  ".join(f"{band:>6}" for band in UGRIZ))
    for view, image in zip(said["views"], images, strict=True):
        with np.errstate(divide="ignore"):
            magnitudes = -2.5 * np.log10(image.sum(axis=(0, 1)))
        typer.echo(f"{view['index']:<4}  " + "  ".join(f"{value:6.2f}" for value in magnitudes))
    tell(f"frames and logs: {folder / OUT}")
