"""The commands on single galaxies: ``dmlib galaxy``, from an HI cube to a halo, and ``dmlib skirt``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import DmlibError
from .options import tell, with_settings

if TYPE_CHECKING:
    from ..rotation.massmodel import MassModel
    from ..settings import Settings

skirt = typer.Typer(
    help="Radiative transfer of one galaxy with SKIRT 9: write its input files, run it.\n\n"
    "For example: dmlib skirt export 12 --out galaxy, then dmlib skirt run galaxy",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Options by the panel in which the help shows them.
_data = partial(typer.Option, rich_help_panel="The data")
_disc = partial(typer.Option, rich_help_panel="The disc")
_light = partial(typer.Option, rich_help_panel="Stars (without any, dark masses are upper limits)")


@with_settings("universe", "profile", "seed", "base_path", "simulation", "snapshot", "sample")
def galaxy(
    settings: Settings,
    cube: Annotated[Path, typer.Argument(help="HI cube, a FITS file.")],
    distance: Annotated[str, typer.Option(help="For example 8.9Mpc.")],
    out: Annotated[Path, typer.Option(help="Folder to write, made where it is missing.")],
    name: Annotated[str, typer.Option(help="Of the galaxy; by default that of the file.")] = "",
    centre: Annotated[
        str,
        typer.Option(
            metavar="RA,DEC", help="ICRS: 143.04,21.50 in degrees, or 09:32:10.1,+21:30:03; else the brightest."
        ),
    ] = "",
    velocities: Annotated[str | None, _data(metavar="LOW:HIGH", help="Read these channels only, in km/s.")] = None,
    field: Annotated[float | None, _data(metavar="ARCMIN", help="Read this field only, about the centre.")] = None,
    beam: Annotated[
        str | None, _data(metavar="MAJOR,MINOR,PA", help="Instead of the file's, in arcsec and deg.")
    ] = None,
    noise: Annotated[float | None, _data(help="Of a voxel, in Jy/beam, for masked cubes.")] = None,
    mask: Annotated[Path | None, _data(help="Where the galaxy's emission is: FITS, pixels of the cube.")] = None,
    inclination: Annotated[float | None, _disc(min=0, max=90, help="Keep it fixed, in deg.")] = None,
    engine: Annotated[Literal["rings", "barolo"], _disc(help="Our tilted rings, or those of 3D-Barolo.")] = "rings",
    stars: Annotated[Path | None, _light(help="Table radius, v_disk, v_bulge for M/L = 1, or a file of SPARC.")] = None,
    upsilon: Annotated[float | None, _light(help="M/L of the disc in --stars (else 0.5) or of one --image.")] = None,
    m_star: Annotated[str | None, _light(metavar="MSUN,KPC", help="Mass and scale length of a disc.")] = None,
    image: Annotated[
        str | None,
        _light(metavar="g=FILE,r=FILE", help="Images in g and r, g and i, K, W1, 3.6; or in u to K and --upsilon."),
    ] = None,
    network: Annotated[
        str, typer.Option(help="Ensemble of a built book that predicts the profile too; none: no network.")
    ] = "C/hi",
    force: Annotated[bool, typer.Option("--force", help="Fit haloes even if the curve is not accepted.")] = False,
) -> None:
    """Measure a galaxy with an HI cube of your own: maps, rotation curve, mass model, haloes, on one page.

    For example: dmlib galaxy NGC2903.fits --distance 6.6Mpc --stars NGC2903_rotmod.dat --out ngc2903
    """
    from ..figures.rotation_curves import page
    from ..files import atomic_path
    from ..networks.opinion import opinion_of
    from ..observe.cube_fits import CutOut
    from ..rotation.own_galaxy import analyse, report, summary, write
    from ..rotation.realcube import open_galaxy, sky_place

    place, band = sky_place(centre), _numbers(velocities, "--velocities", 2, ":")
    far = _megaparsec(distance)
    if sum(way is not None for way in (stars, m_star, image)) > 1:
        raise DmlibError("stars come from one of --stars, --m-star and --image: give one")
    if upsilon is not None and stars is None and image is None:
        raise DmlibError("--upsilon is the mass-to-light ratio of --stars or of one --image: give one of them")
    known, pictures = _stars(stars, upsilon, m_star, far), _images(image)
    cut = CutOut((band[0], band[1]) if band else None, place, field)
    axes = _numbers(beam, "--beam", 3)
    given: dict[str, Any] = {"beam": tuple(axes) if axes else None, "noise": noise, "mask": mask, "cut": cut}
    target = open_galaxy(cube, far, centre, name=name, stars=known, **given)
    out.mkdir(parents=True, exist_ok=True)
    how: dict[str, Any] = {"inclination": inclination, "images": pictures, "engine": engine, "force": force}
    found = analyse(target, upsilon=upsilon, seed=settings.seed, **how)
    opinion = opinion_of(settings, found, network)
    said = f"{summary(found)}\nnetwork: {opinion.said}"
    typer.echo(f"{report(found)}\n{said}")
    for note in found.notes:
        typer.echo(f"note: {note}")
    drawn = page(found, said, opinion.ln_m_dm)
    paths = write(found, out, {"network": opinion.verdict()})
    for ending in ("pdf", "png"):
        paths.append(out / f"page.{ending}")
        with atomic_path(paths[-1]) as temporary:
            drawn.savefig(temporary)
    tell(f"written to {out}: {', '.join(path.name for path in paths)}")


def _numbers(text: str | None, option: str, n: int, separator: str = ",") -> list[float] | None:
    """`n` numbers with separators between."""
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(separator)]
    except ValueError:
        values = []
    if len(values) != n:
        raise DmlibError(f"{option} takes {n} numbers separated by '{separator}', not '{text}'")
    return values


def _megaparsec(text: str) -> float:
    """A distance with or without a unit [Mpc]."""
    from astropy import units as u

    try:
        value = u.Quantity(text)
        return float(value.value if value.unit == u.dimensionless_unscaled else value.to_value(u.Mpc))
    except (TypeError, ValueError) as error:
        raise DmlibError(f"--distance takes a length as 8.9Mpc, not '{text}'") from error


def _stars(table: Path | None, upsilon: float | None, mass: str | None, distance: float) -> MassModel | None:
    """The stars, where they are given as a table or as a mass."""
    from ..rotation.own_stars import stars_from_mass, stars_from_table

    if table is not None:
        return stars_from_table(table, distance, upsilon)
    if (disc := _numbers(mass, "--m-star", 2)) is None:
        return None
    if not (1e4 <= disc[0] <= 1e14 and 0 < disc[1] < 1e3):
        raise DmlibError(
            f"--m-star takes a mass [Msun] and a scale length [kpc] of a galaxy, as 1e10,2.5, not '{mass}'"
        )
    return stars_from_mass(*disc)


def _images(text: str | None) -> dict[str, Any] | None:
    """Band -> path."""
    from ..rotation.own_stars import BANDS

    if text is None:
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(band and path for band, _, path in pairs):
        raise DmlibError(f"--image takes BAND=FILE, more than one separated by commas, not '{text}'")
    paths = {band.strip(): Path(path.strip()) for band, _, path in pairs}
    for band, path in paths.items():
        if band not in BANDS:
            raise DmlibError(f"there is no band '{band}': choose of {', '.join(BANDS)}")
        if not path.is_file():
            raise DmlibError(f"{path} is no file: give an image in FITS")
    return paths


@skirt.command("export")
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
        f"{stars} stars, {young} young regions, {gas} cells, {len(seen)} view{'s' * (len(seen) > 1)}, "
        f"{written.settings.packets:.2g} packets"
    )
    if written.budget is not None:
        ratios = ", ".join(f"{band} {ratio:.3f}" for band, ratio in zip(UGRIZ, written.budget, strict=True))
        typer.echo(f"light of the spectra over particle light: {ratios}")
    tell(f"written: {written.ski}")


@skirt.command("run")
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
