"""The command ``dmlib galaxy``: from the HI cube of a galaxy to its rotation curve and its halo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DmlibError
from .options import tell

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord


def galaxy(
    cube: Annotated[Path, typer.Argument(help="HI cube, a FITS file.")],
    distance: Annotated[str, typer.Option("--distance", help="For example 8.9Mpc.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write, made where it is missing.")],
    centre: Annotated[
        str | None, typer.Option(metavar="RA,DEC", help="ICRS: 143.04,21.50 [deg], or 09:32:10.1,+21:30:03.")
    ] = None,
    beam: Annotated[
        str | None, typer.Option(metavar="MAJOR,MINOR,PA", help="In arcsec and deg, instead of the file's.")
    ] = None,
    inclination: Annotated[float | None, typer.Option(min=0, max=90, help="Keep it fixed [deg].")] = None,
    name: Annotated[str | None, typer.Option(help="Of the galaxy; by default that of the file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Fit haloes even if the curve is not accepted.")] = False,
    seed: Annotated[int, typer.Option(help="Of the sampler.")] = 1,
) -> None:
    """Measure a galaxy with an HI cube of your own: maps, rotation curve, mass model, haloes, on one page.

    For example: dmlib galaxy NGC2903.fits --distance 6.6Mpc --out ngc2903
    """
    from ..figures.own_galaxy import page
    from ..files import atomic_path
    from ..observe.cube_fits import read_cube
    from ..rotation.own_galaxy import analyse
    from ..rotation.own_galaxy_files import summary, write
    from ..rotation.realcube import RealGalaxy

    sky = read_cube(cube, beam=_numbers(beam, "--beam", 3))
    where = None
    if centre is not None:
        place = _place(centre)
        where = sky.offset(place.ra.deg, place.dec.deg)
    target = RealGalaxy(name or sky.name, cube.name, sky, _megaparsec(distance), where, {}, None)
    found = analyse(target, inclination=inclination, force=force, seed=seed)
    said = summary(found)
    typer.echo(said)
    drawn = page(found, said)
    paths = write(found, out)
    for ending in ("pdf", "png"):
        paths.append(out / f"page.{ending}")
        with atomic_path(paths[-1]) as temporary:
            drawn.savefig(temporary)
    tell(f"written to {out}: {', '.join(path.name for path in paths)}")


def _numbers(text: str | None, option: str, n: int) -> tuple | None:
    """`n` numbers separated by commas."""
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != n:
        raise DmlibError(f"{option} takes {n} numbers separated by commas, not '{text}'")
    return values


def _megaparsec(text: str) -> float:
    """A distance with or without a unit [Mpc]."""
    from astropy import units as u

    try:
        value = u.Quantity(text)
        distance = value.value if value.unit == u.dimensionless_unscaled else value.to_value(u.Mpc)
    except (TypeError, ValueError) as error:
        raise DmlibError(f"--distance takes a length as 8.9Mpc, not '{text}'") from error
    if not 0.01 <= distance <= 2000.0:
        raise DmlibError(f"--distance {text} is not that of a galaxy: give Mpc")
    return float(distance)


def _place(text: str) -> SkyCoord:
    """A position on the sky, in degrees or sexagesimal."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    parts = text.replace(",", " ").split()
    try:
        if len(parts) == 2 and all(":" not in part and "h" not in part for part in parts):
            return SkyCoord(float(parts[0]), float(parts[1]), unit="deg")
        return SkyCoord(text.replace(",", " "), unit=(u.hourangle, u.deg))
    except ValueError as error:
        raise DmlibError(f"--centre takes RA,DEC in degrees or as 09:32:10.1,+21:30:03, not '{text}'") from error
