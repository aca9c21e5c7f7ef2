"""A galaxy with a real HI cube: one's own, NGC 2903, or a simulated galaxy where that cube is not available."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

from ..dataset.read import DataSet
from ..dataset.views import Observer
from ..errors import DmlibError, FetchError
from ..manifest.fetch import fetch
from ..observe.cube import Beam
from ..observe.cube_fits import read_cube, write_fits
from ..observe.sky_cube import Emission, SkyCube, galaxy_emission
from .baryons import gas_speed
from .curve import MIN_RINGS, Reason, RejectedGalaxyError, RotationCurve
from .massmodel import MassModel, speeds_of
from .measure import choose_view, measure_view
from .priors import Priors, observed_priors
from .sparc import IMPATIENT, from_sparc, open_sparc
from .velocity_field import VelocityField

#: Pointing centre of the observation, taken for the galaxy's centre (header cards PCRA and PCDEC) [deg, B1950].
_CENTRE = SkyCoord(142.3329, 21.72194, unit="deg", frame="fk4")

#: SPARC's distance [Mpc], used where its table is not available (Lelli et al. 2016).
_DISTANCE = 6.6


@dataclass(frozen=True)
class RealGalaxy:
    """A cube, and what other data say about the galaxy.

    Parameters
    ----------
    name : str
    source : str or None
        Of the cube; None for a simulated galaxy.
    sky : SkyCube
    distance : float
        [Mpc]
    centre : (float, float) or None
        West and North of the middle of the map [arcsec]; None where it is not known.
    references : dict
        Published rotation curves: name -> (radius [kpc], speed [km/s]).
    stars : MassModel or None
        A model with the stellar speeds from other data; of a simulated galaxy the whole mass model.
    note : str
        What is missing and why; "" where nothing is.
    subhalo_id : int or None
        Of a simulated galaxy.
    alone : Emission or None
        Its emission without that of companions in the same island, where they were separated.
    """

    name: str
    source: str | None
    sky: SkyCube
    distance: float
    centre: tuple[float, float] | None
    references: dict[str, tuple[np.ndarray, np.ndarray]]
    stars: MassModel | None
    note: str = ""
    subhalo_id: int | None = None
    alone: Emission | None = None

    @property
    def kpc(self) -> float:
        """Scale [kpc per arcsec]."""
        return self.distance * 1e3 * math.radians(1.0 / 3600.0)

    @property
    def centre_kpc(self) -> tuple[float, float]:
        """The centre [kpc]; where it is not known, that of the emission."""
        west, north = self.centre or self.emission.centroid
        return west * self.kpc, north * self.kpc

    @cached_property
    def emission(self) -> Emission:
        """The galaxy's own emission.

        Raises
        ------
        GalaxyError
            When there is none.
        """
        return self.alone or galaxy_emission(self.sky, self.centre)

    def field(self) -> VelocityField:
        """Maps of the galaxy's emission for fitting rings; differences of velocities are those in the galaxy.

        Raises
        ------
        GalaxyError
            When no line of sight is above the noise.
        """
        surface_density, velocity, dispersion = self.emission.moments()
        if not np.isfinite(velocity).any():
            raise RejectedGalaxyError(f"{self.name} has no HI emission above the noise", Reason.NO_HI)
        beam, middle = self.sky.beam, float(np.nanmedian(velocity))
        stretch = self.sky.stretch(middle)
        return VelocityField(
            self.name,
            surface_density,
            middle + stretch * (velocity - middle),
            stretch * dispersion,
            self.sky.pixel * self.kpc,
            Beam(beam.major * self.kpc, beam.minor * self.kpc, beam.position_angle),
            stretch * self.sky.channel_width,
            self.sky.noise * self.sky.surface_density,
        )


def sky_place(text: str) -> SkyCoord | None:
    """A position on the sky, ICRS: ``143.04,21.50`` in degrees, or ``09:32:10.1,+21:30:03``; None for "".

    Raises
    ------
    DmlibError
        When the text is neither.
    """
    parts = text.replace(",", " ").split()
    if not parts:
        return None
    try:
        if len(parts) == 2 and not set(parts[0]) & set(":hd"):
            return SkyCoord(float(parts[0]) * u.deg, parts[1], unit="deg")
        return SkyCoord(" ".join(parts), unit=(u.hourangle, u.deg))
    except ValueError as error:
        raise DmlibError(f"a centre is RA,DEC in degrees or as 09:32:10.1,+21:30:03, not '{text}'") from error


def open_galaxy(
    path: str | Path, distance: float, centre: str = "", *, name: str = "", stars: MassModel | None = None, **how: Any
) -> RealGalaxy:
    """A galaxy with a cube of its own.

    Parameters
    ----------
    path : path
        FITS file.
    distance : float
        [Mpc]
    centre : str
        See `sky_place`; "" where it is not known.
    name : str
        That of the file by default.
    stars : MassModel, optional
        See `dmlib.rotation.own_stars`.
    **how
        See `dmlib.observe.cube_fits.read_cube`.

    Raises
    ------
    CubeError
        When the file cannot be read as an HI cube.
    """
    if not 0.01 <= distance <= 2000.0:
        raise DmlibError(f"a distance of {distance:g} Mpc is not that of a galaxy: give it in Mpc")
    sky, place = read_cube(path, **how), sky_place(centre)
    middle = None if place is None else sky.offset_of(place)
    half = 0.5 * sky.pixel * np.array(sky.data.shape[:0:-1])
    if middle is not None and not np.all(np.abs(middle) <= half):
        raise DmlibError(f"{Path(path).name} does not reach the centre {centre}: check it, or leave it out")
    return RealGalaxy(name or sky.name, Path(path).name, sky, distance, middle, {}, stars)


def load_real(
    dataset: DataSet, observer: Observer, cube: str = "", distance: float = 0.0, centre: str = ""
) -> RealGalaxy:
    """NGC 2903 with its WHISP cube; a simulated galaxy where the cube can be neither downloaded nor found in a mirror.

    Parameters
    ----------
    dataset : DataSet
        Its training galaxies include the stand-in.
    observer : Observer
        The one that made the data set.
    cube, distance, centre : str, float, str
        Another galaxy instead, see `open_galaxy`; "" for none.
    """
    if cube:
        return open_galaxy(cube, distance, centre)
    try:
        sky = read_cube(fetch("ngc2903-cube", downloader=IMPATIENT))
    except FetchError as error:
        return _stand_in(dataset, observer, f"The cube of NGC 2903 could not be obtained ({str(error).rstrip('.')}).")
    references: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    stars, distance, notes = None, _DISTANCE, []
    found = open_sparc()
    if isinstance(found, str):
        notes.append(f"SPARC could not be obtained ({found.rstrip('.')}).")
    else:
        stars, table1 = from_sparc(*found, "NGC2903"), found[1]
        distance = float(table1["distance"][table1["galaxy"] == "NGC2903"].to_value(u.Mpc)[0])
        references["SPARC"] = (stars.radius, stars.v_obs)
    try:
        radius, speed = read_tirific(fetch("ngc2903-model", downloader=IMPATIENT))
        kept = (radius > 0) & (speed > 0)
        references["pyFAT"] = (radius[kept] * distance * 1e3 * math.radians(1 / 3600), speed[kept])
    except FetchError as error:
        notes.append(f"The published model could not be obtained ({str(error).rstrip('.')}).")
    source = "WHISP cube of NGC 2903 (WSRT)"
    return RealGalaxy("NGC 2903", source, sky, distance, sky.offset_of(_CENTRE), references, stars, " ".join(notes))


def read_tirific(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Radii [arcsec] and rotation speeds [km/s] of a tilted-ring model in TiRiFiC's format.

    Raises
    ------
    FetchError
        When the file does not have both lists with equal lengths.
    """
    lists = {}
    for name in ("RADI", "VROT"):
        match = re.search(rf"^\s*{name}\s*=\s*(.+)$", Path(path).read_text(errors="replace"), re.MULTILINE)
        lists[name] = np.array(match[1].split(), dtype=float) if match else np.zeros(0)
    if len(lists["RADI"]) < 2 or len(lists["RADI"]) != len(lists["VROT"]):
        raise FetchError(f"{Path(path).name} is not a tilted-ring model with RADI and VROT: fetch it again")
    return lists["RADI"], lists["VROT"]


def _stand_in(dataset: DataSet, observer: Observer, reason: str) -> RealGalaxy:
    """A training galaxy, written to a FITS file and read like any other cube."""
    row = choose_view(dataset)
    key = int(dataset.table["subhalo_id"][row]), int(dataset.table["view"][row])
    cube = observer.cube(*key)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cube.fits"
        write_fits(cube, path)
        sky = read_cube(path, additive=True)
    model = measure_view(dataset, observer, *key, cube=cube).model
    name = f"Simulated galaxy, subhalo {key[0]}"
    return RealGalaxy(name, None, sky, dataset.recipe.hi.distance, (0.0, 0.0), {}, model, reason, key[0])


def mass_model(galaxy: RealGalaxy, curve: RotationCurve) -> MassModel | None:
    """The mass model: gas from the cube, stars from SPARC's photometry (of a simulated galaxy, from its image).

    Parameters
    ----------
    galaxy : RealGalaxy
    curve : RotationCurve
        Of its cube.

    Returns
    -------
    MassModel or None
        None where fewer than three rings are good. Without SPARC it has no stars.
    """
    known = galaxy.stars
    if known is None:
        if galaxy.source is None:  # simulated, and its stars could not be weighed
            return None
        # The cube alone.
        none = np.zeros(2)
        known = MassModel(galaxy.name, galaxy.source, 1.0, np.array([0.0, 1e6]), none, none, none, none, none)
    # Speeds due to the stars are interpolated, never continued.
    good = curve.good & (curve.radius >= known.radius[0]) & (curve.radius <= known.radius[-1])
    if good.sum() < MIN_RINGS:
        return None
    radius = curve.radius[good]
    return replace(
        known,
        galaxy=galaxy.name,
        source=galaxy.source,
        v_gas=gas_speed(curve, radius),
        v_disk=np.interp(radius, known.radius, known.v_disk),
        v_bulge=np.interp(radius, known.radius, known.v_bulge),
        **speeds_of(curve, good),
    )


def priors_for(model: MassModel) -> Priors:
    """Priors of the fit: `observed_priors`, with a fixed mass-to-light ratio of the bulge where it is SPARC's."""
    priors = observed_priors(model)
    return replace(priors, log_upsilon_bulge=None) if model.source else priors
