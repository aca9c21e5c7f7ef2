"""A galaxy with a real HI cube: NGC 2903, or, where its cube cannot be had, a simulated galaxy in its place."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy import units as u

from ..errors import FetchError
from ..manifest import fetch
from ..observe.cube import Beam, Cube
from ..observe.cube_fits import read_cube, write_fits
from ..observe.moments import moments
from ..settings import Settings
from .baryons import GAS_HEIGHT, HELIUM, finely
from .curve import RotationCurve
from .disc import thick_disc_speed
from .examples import IMPATIENT, sparc_files
from .field import VelocityField
from .lesson import choose_view
from .massmodel import UPSILON_DISK, MassModel, from_sparc
from .pipeline import mass_model, observer_of
from .priors import Normal, Priors
from .sparc import read_table1

#: Pointing centre of the observation, taken for the galaxy's centre (header cards PCRA and PCDEC) [deg, B1950].
_CENTRE = (142.3329, 21.72194)

#: SPARC's distance [Mpc], for when its table is not at hand (Lelli et al. 2016).
_DISTANCE = 6.6


@dataclass(frozen=True)
class RealGalaxy:
    """A cube and what is known of the galaxy from elsewhere.

    Parameters
    ----------
    name : str
    source : str or None
        Of the cube; None where a simulated galaxy stands in.
    sky : Cube
    distance : float
        [Mpc]
    centre : (float, float)
        West and North of the middle of the map [arcsec].
    references : dict
        Published rotation curves: name -> (radius [kpc], speed [km/s]).
    stars : MassModel or None
        A model whose stellar speeds are known from elsewhere.
    note : str
        What is missing and how to get it; "" where nothing is.
    view : (int, int) or None
        Subhalo and view of a stand-in.
    """

    name: str
    source: str | None
    sky: Cube
    distance: float
    centre: tuple[float, float]
    references: dict[str, tuple[np.ndarray, np.ndarray]]
    stars: MassModel | None
    note: str = ""
    view: tuple[int, int] | None = None

    @property
    def kpc(self) -> float:
        """Kpc of an arcsec."""
        return self.distance * 1e3 * math.radians(1.0 / 3600.0)

    @property
    def centre_kpc(self) -> tuple[float, float]:
        """The centre [kpc]."""
        return self.centre[0] * self.kpc, self.centre[1] * self.kpc

    def field(self) -> VelocityField:
        """Maps of the cube as rings are fitted to."""
        surface_density, velocity, dispersion = moments(self.sky)
        beam = self.sky.beam
        return VelocityField(
            self.name,
            surface_density,
            velocity,
            dispersion,
            self.sky.pixel * self.kpc,
            Beam(beam.major * self.kpc, beam.minor * self.kpc, beam.position_angle),
            self.sky.channel_width,
            self.sky.noise * self.sky.surface_density,
        )


def load_real(settings: Settings) -> RealGalaxy:
    """NGC 2903 with its WHISP cube; a simulated galaxy where the cube can be neither fetched nor found in a mirror.

    Parameters
    ----------
    settings : Settings
        Of the stand-in.
    """
    try:
        sky = read_cube(fetch("ngc2903-cube", downloader=IMPATIENT))
    except FetchError as error:
        return _stand_in(settings, f"The cube of NGC 2903 could not be had ({str(error).rstrip('.')}).")
    references: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    stars, distance, notes = None, _DISTANCE, []
    folder, table, reason = sparc_files()
    if folder is None:
        notes.append(f"SPARC could not be had ({reason.rstrip('.')}).")
    else:
        rows = read_table1(table)
        stars = from_sparc(folder / "NGC2903_rotmod.dat", rows)
        distance = float(rows["distance"][rows["galaxy"] == "NGC2903"].to_value(u.Mpc)[0])
        references["SPARC"] = (stars.radius, stars.v_obs)
    try:
        radius, speed = read_tirific(fetch("ngc2903-model", downloader=IMPATIENT))
        kept = (radius > 0) & (speed > 0)
        references["pyFAT"] = (radius[kept] * distance * 1e3 * math.radians(1 / 3600), speed[kept])
    except FetchError as error:
        notes.append(f"The published model could not be had ({str(error).rstrip('.')}).")
    source = "WHISP cube of NGC 2903 (WSRT)"
    return RealGalaxy("NGC 2903", source, sky, distance, sky.offset(*_CENTRE), references, stars, " ".join(notes))


def read_tirific(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Radii [arcsec] and rotation speeds [km/s] of a tilted-ring model in the form of TiRiFiC.

    Raises
    ------
    FetchError
        When the file has no such lists of equal length.
    """
    lists = {}
    for name in ("RADI", "VROT"):
        match = re.search(rf"^\s*{name}\s*=\s*(.+)$", Path(path).read_text(errors="replace"), re.MULTILINE)
        lists[name] = np.array(match[1].split(), dtype=float) if match else np.zeros(0)
    if len(lists["RADI"]) < 2 or len(lists["RADI"]) != len(lists["VROT"]):
        raise FetchError(f"{Path(path).name} is no tilted-ring model with RADI and VROT: fetch it again")
    return lists["RADI"], lists["VROT"]


def _stand_in(settings: Settings, reason: str) -> RealGalaxy:
    """A training galaxy of the settings' universe, through a FITS file like any other."""
    dataset, observer = observer_of(settings)
    row = choose_view(dataset)
    key = int(dataset.table["subhalo_id"][row]), int(dataset.table["view"][row])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cube.fits"
        write_fits(observer.cube(*key), path)
        sky = read_cube(path)
    name = f"Simulated galaxy, subhalo {key[0]}"
    return RealGalaxy(name, None, sky, dataset.recipe.hi.distance, (0.0, 0.0), {}, None, reason, key)


def visible(galaxy: RealGalaxy, curve: RotationCurve, settings: Settings) -> MassModel | None:
    """The mass model: gas from the cube, stars from SPARC's photometry (or, of a stand-in, from its image).

    Parameters
    ----------
    galaxy : RealGalaxy
    curve : RotationCurve
        Of its cube.
    settings : Settings

    Returns
    -------
    MassModel or None
        None where fewer than three rings are good. Without SPARC there are no stars in it.
    """
    if galaxy.view is not None:
        return mass_model(settings, *galaxy.view).model
    known = galaxy.stars
    if known is None:  # only what the cube itself tells
        none = np.zeros(2)
        known = MassModel(galaxy.name, galaxy.source, 1.0, np.array([0.0, 1e6]), *([none] * 5))
    good = curve.good & (curve.radius <= known.radius[-1])
    if good.sum() < 3:
        return None
    radius = curve.radius[good]
    gas = finely(curve.radius, HELIUM * curve.surface_density)
    return replace(
        known,
        source=galaxy.source,
        radius=radius,
        v_obs=curve.v_circ[good],
        v_err=np.hypot(curve.v_err, 0.5 * (curve.v_circ - curve.v_rot))[good],
        v_gas=thick_disc_speed(radius, *gas, GAS_HEIGHT),
        v_disk=np.interp(radius, known.radius, known.v_disk),
        v_bulge=np.interp(radius, known.radius, known.v_bulge),
        inclination=curve.mean_inclination,
        inclination_err=curve.inclination_err,
    )


def priors_for(model: MassModel) -> Priors:
    """What is believed before the fit: the stars' weight to 0.1 dex, the inclination to its error and 2 deg."""
    stars = Normal(math.log10(UPSILON_DISK if model.source else 1.0), 0.1)
    error = float(np.hypot(model.inclination_err, 2.0))
    return Priors(
        log_upsilon_disk=stars,
        log_upsilon_bulge=None if model.source else stars,
        inclination=Normal(model.inclination, error, 5.0, 90.0),
        nominal_inclination=model.inclination,
    )
