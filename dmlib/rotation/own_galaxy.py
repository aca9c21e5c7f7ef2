"""From the HI cube of one galaxy to its rotation curve, its mass model and its haloes, with the reasons for a refusal.

The way is that of chapters 15 and 18, for any cube: NGC 2903, a galaxy of a simulation, or a reader's own. `write`
stores the result as tables, maps and a verdict that a program can read, all with units.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable
from scipy import ndimage

from ..errors import DmlibError, GalaxyError
from ..files import atomic_path, write_text
from ..observe.cube_header import LIGHT
from ..observe.sky_companion import without_companions
from ..observe.sky_cube import Emission
from ..units import HUBBLE
from .barolo import fit_barolo, needs_barolo
from .curve import MAX_REPLACED, Reason, RejectedGalaxyError, Rejection, RotationCurve, rejection, sentences
from .fit import Fit, fit
from .halos import HALOS
from .massmodel import MassModel
from .own_stars import stars_from_images
from .realcube import RealGalaxy, mass_model, priors_for
from .rings import NONCIRCULAR, fit_rings, model_field
from .velocity_field import Tilt, VelocityField

#: Halo models that are fitted.
HALOES = ("nfw", "burkert")

#: Distance from the centre of the velocity field at which a given centre is doubted [beams].
WRONG_CENTRE = 1.0

#: Times that gas of companions is sought, each about the centre of the rings without it, and change of the centre
#: [beams], and of the systemic velocity relative to usual streaming, at which it is found.
ROUNDS, SETTLED = 8, 0.05

#: Largest inclination that may be given [deg]: that of an edge-on disc would fill its rings with one line of sight.
MOST_TILTED = 88.0

#: Redshift beyond which angular and luminosity distance differ by more than the errors of either.
FAR = 0.015

#: Distance from which on the Hubble flow tells it roughly [Mpc], and distance of the emission's middle from the centre
#: of the rings at which a reader is told [beams].
LOCAL, OFF_CENTRE = 15.0, 0.5

#: Length over which bright emission may meet the edge of the map [beams], and share of the peak at the band's ends.
CUT_OFF, CUT_BAND = 1.0, 0.25


@dataclass(frozen=True)
class Analysis:
    """What was measured on one galaxy.

    Parameters
    ----------
    galaxy : RealGalaxy
    maps : VelocityField or None
        Of the galaxy alone; None where no emission was found.
    curve : RotationCurve or None
        None where no rings could be fitted.
    model : ndarray or None, shape (y, x)
        Velocities of the rings in the pixels of `maps` [km/s].
    mass : MassModel or None
    fits : dict of str to Fit
        Halo model -> posterior; empty where the curve was not accepted and no fit was asked for.
    without_stars : Fit or None
        Of the first halo model with no stars subtracted: what the dark mass cannot exceed where the curve reaches.
    reasons : tuple of Rejection
        Why the curve is not accepted; empty where it is.
    notes : tuple of str
        What was assumed, and what a reader should know.
    """

    galaxy: RealGalaxy
    maps: VelocityField | None = None
    curve: RotationCurve | None = None
    model: np.ndarray | None = None
    mass: MassModel | None = None
    fits: dict[str, Fit] = field(default_factory=dict)
    without_stars: Fit | None = None
    reasons: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether there is a rotation curve that passes the quality cuts."""
        return self.curve is not None and not self.reasons

    @property
    def upper_limit(self) -> bool:
        """Whether the dark mass includes the stars, because nothing is known of them."""
        return self.mass is not None and not np.any(self.mass.v_stars() != 0)

    @property
    def place(self) -> tuple[float, float]:
        """Right ascension and declination of the centre of the rings, else of the emission [deg], ICRS."""
        sky, kpc = self.galaxy.sky, self.galaxy.kpc
        x, y = self.curve.centre if self.curve else (kpc * offset for offset in self.galaxy.emission.centroid)
        return sky.place(x / kpc, y / kpc)

    @property
    def m_hi(self) -> float:
        """HI mass in the maps [Msun]."""
        if self.maps is None:
            return 0.0
        return float(np.nansum(self.maps.surface_density) * self.maps.pixel**2 * 1e6)


def analyse(
    galaxy: RealGalaxy,
    *,
    inclination: float | None = None,
    images: Mapping[str, Path] | None = None,
    upsilon: float | None = None,
    haloes: tuple[str, ...] = HALOES,
    engine: Literal["rings", "barolo"] = "rings",
    force: bool = False,
    seed: int = 1,
) -> Analysis:
    """Moment maps, tilted rings, mass model and haloes of one galaxy.

    Parameters
    ----------
    galaxy : RealGalaxy
    inclination : float, optional
        Kept fixed where given [deg].
    images : mapping, optional
        Band -> image on which the stars are weighed, see `dmlib.rotation.own_stars`.
    upsilon : float, optional
        Mass-to-light ratio of the one image [Msun/Lsun].
    haloes : tuple of str
        Keys of `dmlib.rotation.halos.HALOS`.
    engine : {"rings", "barolo"}
        Our rings, or those that 3D-Barolo fits from them, which must be installed; it takes no fixed inclination.
    force : bool
        Fit haloes although the curve is not accepted.
    seed : int
        Of the sampler.

    Returns
    -------
    Analysis
        A galaxy that cannot be measured has the reasons in `reasons`; it does not raise an error.

    Raises
    ------
    DmlibError
        When 3D-Barolo is asked for and not installed, or asked to keep an inclination.
    """
    if engine == "barolo":
        needs_barolo()
        if inclination is not None:
            raise DmlibError("3D-Barolo fits its own inclination: leave it out, or take our rings")
    notes = galaxy.sky.notes + ((galaxy.note,) if galaxy.note else ())
    found = Analysis(galaxy, notes=notes)
    try:
        emission = galaxy.emission
    except GalaxyError as error:
        return replace(found, reasons=(Rejection(Reason.NO_HI, detail=str(error)),))
    try:
        maps = galaxy.field().about(galaxy.centre_kpc)
        found = replace(found, maps=maps, notes=notes + emission.notes)
        curve, said = _rings(galaxy, maps, inclination)
        galaxy, curve, merged, more = _alone(galaxy, curve, inclination)
        emission, maps, said = galaxy.emission, galaxy.field().about(galaxy.centre_kpc), said + more
        found = replace(found, galaxy=galaxy, maps=maps)
        if engine == "barolo":
            how: dict[str, Any] = {"distance": galaxy.distance, "mask": emission.mask}
            curve = fit_barolo(emission.sky, curve, stretch=galaxy.sky.stretch(curve.v_sys), **how)
            said += ("rings of 3D-Barolo, from our centre and radii; its errors take the two sides from our rings",)
    except GalaxyError as error:
        return replace(found, reasons=(rejection(error),))
    # What is wrong with the data comes first: it may be the cause of what is wrong with the rings.
    cause = (Reason.LOPSIDED, Reason.COMPANION)
    disc = sorted(curve.reasons + merged, key=lambda one: not merged or one.reason not in cause)
    reasons = (*_cut_off(emission), *disc)
    hubble = LIGHT * (z := galaxy.sky.redshift(curve.v_sys)) / (100.0 * HUBBLE)
    if hubble > LOCAL and not 0.4 < galaxy.distance / hubble < 2.5:
        said += (f"the distance given is {galaxy.distance:g} Mpc, and the redshift tells {hubble:.0f} Mpc: check it",)
    off = np.hypot(*np.subtract(galaxy.kpc * np.array(emission.centroid), curve.centre)) / curve.beam
    if off > OFF_CENTRE:
        said += (f"the middle of the emission is {off:.1f} beams from the centre: it is lopsided, or of two galaxies",)
    if z > FAR:
        said += (f"one distance is used for sizes and masses; at z = {z:.3f} they differ by {(1 + z) ** 2 - 1:.0%}",)
    found = replace(found, curve=curve, model=model_field(curve, maps), reasons=reasons, notes=found.notes + said)
    if found.reasons and not force:
        return found
    try:
        if images:
            north = galaxy.sky.north(*(offset / galaxy.kpc for offset in curve.centre))
            stars = stars_from_images(images, found.place, curve, galaxy.distance, north=north, upsilon=upsilon)
            galaxy = replace(galaxy, stars=stars)
        mass = mass_model(galaxy, curve)
    except GalaxyError as error:
        return replace(found, notes=(*found.notes, f"no stars: {error}"))
    if mass is None:
        return replace(found, notes=(*found.notes, "too few good rings for a mass model"))
    fits = {halo: fit(mass, halo, priors_for(mass), seed=seed) for halo in haloes}
    found = replace(found, mass=mass, fits=fits)
    if found.upper_limit or not haloes:
        return found
    none = np.zeros_like(mass.v_disk)
    bare = replace(mass, v_disk=none, v_bulge=none)
    return replace(found, without_stars=fit(bare, haloes[0], priors_for(bare), seed=seed))


def _rings(galaxy: RealGalaxy, maps: VelocityField, inclination: float | None) -> tuple[RotationCurve, tuple[str, ...]]:
    """The rings about the centre that is given, if the velocities agree with it; else about their own."""
    if inclination is not None and not 0 < inclination <= MOST_TILTED:
        reason = Reason.EDGE_ON if inclination else Reason.FACE_ON
        raise RejectedGalaxyError(f"at an inclination of {inclination:g} deg, as given, there are no rings", reason)
    free = fit_rings(maps, centre=None, inclination=inclination)
    if galaxy.centre is None:
        return free, ("no centre was given: that of the velocity field is taken",)
    fixed = fit_rings(maps, centre=galaxy.centre_kpc, inclination=inclination)
    free = replace(free, optical_centre=galaxy.centre_kpc)
    if (off := free.off_centre) > WRONG_CENTRE and free.residual < 0.9 * fixed.residual:
        return free, (f"the given centre is {off:.1f} beams from that of the velocity field, which is taken",)
    return fixed, ()


def _alone(
    galaxy: RealGalaxy, curve: RotationCurve, inclination: float | None
) -> tuple[RealGalaxy, RotationCurve, tuple[Rejection, ...], tuple[str, ...]]:
    """The galaxy without gas of companions, its rings, whether too much of it was theirs, and what is said of it."""
    first, island, apart, moved = (galaxy, curve), galaxy.emission, None, np.inf
    for _ in range(ROUNDS):
        west, north = (offset / galaxy.kpc for offset in curve.centre)
        found = without_companions(island, (west, north), curve.v_sys)
        if found is None or moved < SETTLED:
            break
        apart, before, galaxy = found, curve, replace(galaxy, alone=found)
        maps = galaxy.field().about(galaxy.centre_kpc)
        curve, _ = _rings(galaxy, maps, inclination)
        moved = float(np.hypot(*np.subtract(curve.centre, before.centre)) / curve.beam)
        moved = max(moved, abs(curve.v_sys - before.v_sys) / NONCIRCULAR)
    if apart is None or apart.replaced is None:
        return *first, (), ()
    x, y = maps.mesh()
    turned = np.degrees(np.unwrap(np.radians(curve.position_angle)))
    place = Tilt(*curve.centre, curve.radius, curve.inclination, turned).deproject(x, y)
    ring = np.where(maps.seen, np.rint(place.radius / curve.radius[0]), 0)
    share = ndimage.mean(apart.replaced, ring, np.arange(1, len(curve) + 1))
    covered = float(apart.replaced[ring > 0].mean())
    if covered > MAX_REPLACED:  # too much of the disc is a copy of its other end
        return *first, (Rejection(Reason.COMPANION, covered),), apart.notes[-1:]
    return galaxy, replace(curve, replaced=share), (), apart.notes[-1:]


def _cut_off(emission: Emission) -> tuple[Rejection, ...]:
    """Whether foreground hides a part of the galaxy, and whether the map or the band ends within it."""
    words = f"emission reaches the end of the band, where it has {emission.band:.0%} of its peak"
    checks = (
        (Reason.FOREGROUND, emission.hidden, 0, ""),
        (Reason.GAPS, emission.gaps, 0, ""),
        (Reason.MAP_EDGE, emission.cut_off, CUT_OFF, ""),
        (Reason.MAP_EDGE, emission.band, CUT_BAND, words),
    )
    return tuple(Rejection(reason, float(value), said) for reason, value, most, said in checks if value > most)


_KMS, _DENSITY = u.km / u.s, u.Msun / u.pc**2

#: Columns of the quantiles of `dmlib.rotation.fit.Fit`.
_QUANTILES = ("q025", "q16", "median", "q84", "q975")


def tables(found: Analysis) -> dict[str, QTable]:
    """The tables: ``rotation_curve``, ``mass_model`` and ``dark_matter``, as far as they could be measured."""
    out = {}
    about = {"galaxy": found.galaxy.name, "distance": found.galaxy.distance * u.Mpc}
    if (curve := found.curve) is not None:
        columns: dict[str, Any] = {"radius": curve.radius * u.kpc}
        speeds = ("v_rot", "v_err", "v_circ", "v_approaching", "v_receding", "dispersion")
        columns |= {name: getattr(curve, name) * _KMS for name in speeds}
        columns |= {"surface_density": curve.surface_density * _DENSITY}
        columns |= {name: getattr(curve, name) * u.deg for name in ("inclination", "position_angle")}
        columns |= {"coverage": curve.coverage, "flag": np.array([flag or "good" for flag in curve.flags])}
        out["rotation_curve"] = QTable(columns, meta=about)
    if (mass := found.mass) is not None:
        names = ("v_obs", "v_err", "v_gas", "v_disk", "v_bulge")
        columns = {"radius": mass.radius * u.kpc, **{name: getattr(mass, name) * _KMS for name in names}}
        for halo, one in found.fits.items():
            for what, values in (("model", one.v_model), ("dark", one.v_dark)):
                columns |= {f"{halo}_{what}_{q}": v * _KMS for q, v in zip(_QUANTILES[1:4], values, strict=True)}
        ratios = {"upsilon_disk": mass.upsilon_disk, "upsilon_bulge": mass.upsilon_bulge}
        out["mass_model"] = QTable(columns, meta=about | ratios)
    if found.fits:
        first = next(iter(found.fits.values()))
        columns = {"radius": first.radii * u.kpc, "measured": first.measured}
        for halo, one in found.fits.items():
            columns |= {f"{halo}_{q}": m * u.Msun for q, m in zip(_QUANTILES, one.quantiles, strict=True)}
        if (bare := found.without_stars) is not None:
            named = zip(_QUANTILES, bare.quantiles, strict=True)
            columns |= {f"{bare.halo}_stars_not_subtracted_{q}": m * u.Msun for q, m in named}
        out["dark_matter"] = QTable(columns, meta=about | {"includes_stars": found.upper_limit})
    return out


def read_as(found: Analysis) -> dict[str, Any]:
    """What the header of the cube says, as it was understood; units are in the names."""
    sky = found.galaxy.sky
    ny, nx = sky.data.shape[1:]
    return {
        "pixels": [nx, ny],
        "pixel_arcsec": sky.pixel,
        "beam_arcsec": [sky.beam.major, sky.beam.minor],
        "beam_position_angle_deg": sky.beam.position_angle,
        "channels": len(sky.velocities),
        "channel_kms": sky.channel_width,
        "velocities_kms": [float(sky.velocities[0]), float(sky.velocities[-1])],
        "velocity_convention": sky.convention,
        "velocity_frame": sky.frame or None,
        "noise_jy_per_beam": sky.noise or None,
        "masked": sky.masked,
    }


def report(found: Analysis) -> str:
    """The same in a line for a reader."""
    said = read_as(found)
    noise = "masked" if said["masked"] else f"noise {1e3 * found.galaxy.sky.noise:.3g} mJy/beam"
    return (
        f"read: {said['pixels'][0]} x {said['pixels'][1]} pixels of {said['pixel_arcsec']:.3g} arcsec, beam "
        f"{said['beam_arcsec'][0]:.3g} x {said['beam_arcsec'][1]:.3g} arcsec, {said['channels']} channels of "
        f"{said['channel_kms']:.3g} km/s from {said['velocities_kms'][0]:.0f} to {said['velocities_kms'][1]:.0f} km/s "
        f"({said['velocity_convention']}, {said['velocity_frame'] or 'frame unknown'}), {noise}"
    )


def verdict(found: Analysis) -> dict[str, Any]:
    """The result in words and numbers that a program can read; units are in the names."""
    galaxy, curve = found.galaxy, found.curve
    dark = "upper limit: it includes the stars" if found.upper_limit else "dark"
    out: dict[str, Any] = {
        "galaxy": galaxy.name,
        "distance_mpc": galaxy.distance,
        "cube": read_as(found),
        "accepted": found.accepted,
        "reasons": [
            {"reason": r.reason, "value": r.value if np.isfinite(r.value) else None, "sentence": str(r)}
            for r in found.reasons
        ],
        "notes": list(found.notes),
        "m_hi_msun": found.m_hi,
        "flux_jy_kms": found.galaxy.emission.flux if found.maps is not None else None,
        "stars": (found.mass.note or "known") if found.mass is not None and not found.upper_limit else "none",
        "dark_mass_is": dark if found.fits else None,
    }
    if curve is not None:
        good = curve.radius[curve.good]
        out["rings"] = {
            "inclination_deg": curve.mean_inclination,
            "inclination_err_deg": curve.inclination_err,
            "position_angle_deg": float(np.median(curve.position_angle)),
            "v_sys_kms": curve.v_sys,
            "good": int(curve.good.sum()),
            "of": len(curve),
            "first_good_kpc": float(good[0]) if len(good) else None,
            "last_good_kpc": float(good[-1]) if len(good) else None,
            "beam_kpc": curve.beam,
            "beams_across": curve.beams_across,
            "asymmetry": curve.asymmetry,
        }
    out["haloes"] = {
        halo: {
            "log10_m200_msun": dict(zip(_QUANTILES, one.interval("log_m200").tolist(), strict=True)),
            "log10_c": dict(zip(_QUANTILES, one.interval("log_c").tolist(), strict=True)),
            "chi2_per_degree_of_freedom": one.chi2,
            "converged": one.converged,
        }
        for halo, one in found.fits.items()
    }
    # JSON has no numbers that are not finite.
    return json.loads(json.dumps(out), parse_constant=lambda _: None)


def summary(found: Analysis) -> str:
    """The result in a few lines of text."""
    lines = ["accepted" if found.accepted else f"NOT ACCEPTED: {sentences(found.reasons)}"]
    lines.append(f"distance {found.galaxy.distance:g} Mpc, HI mass {found.m_hi:.2e} Msun")
    if (curve := found.curve) is not None:
        good = curve.radius[curve.good]
        lines.append(
            f"rings: {curve.good.sum()} good of {len(curve)}, inclination {curve.mean_inclination:.1f} ± "
            f"{curve.inclination_err:.1f} deg, systemic velocity {curve.v_sys:.1f} km/s"
        )
        if len(good):
            lines.append(f"rotation curve from {good[0]:.1f} to {good[-1]:.1f} kpc")
    for halo, one in found.fits.items():
        low, middle, high = one.interval("log_m200")[1:4]
        lines.append(
            f"{HALOS[halo].label} halo: log M200/Msun = {middle:.2f} (+{high - middle:.2f}, -{middle - low:.2f})"
        )
    if found.upper_limit:
        lines.append("the stars are not known: dark masses include them and are upper limits")
    elif found.mass is not None and found.mass.note:
        lines.append(found.mass.note)
    return "\n".join(lines)


def write(found: Analysis, folder: str | Path, more: dict[str, Any] | None = None) -> list[Path]:
    """Write tables (ECSV), maps (FITS) and verdict (JSON).

    Parameters
    ----------
    found : Analysis
    folder : path
        Made where it is missing.
    more : dict, optional
        Further entries of the verdict.

    Returns
    -------
    list of Path
        The files.
    """
    folder = Path(folder)
    paths = []
    for name, table in tables(found).items():
        paths.append(folder / f"{name}.ecsv")
        with atomic_path(paths[-1]) as temporary:
            table.write(temporary, format="ascii.ecsv", overwrite=True)
    if found.maps is not None:
        paths.append(folder / "maps.fits")
        with atomic_path(paths[-1]) as temporary:
            _maps(found).writeto(temporary)
    paths.append(folder / "verdict.json")
    write_text(paths[-1], json.dumps(verdict(found) | (more or {}), indent=1) + "\n")
    return paths


def _maps(found: Analysis) -> fits.HDUList:
    """Moment maps, and the velocities of the rings, with their place on the sky."""
    assert found.maps is not None
    sky, maps = found.galaxy.sky, found.maps
    header = sky.wcs.to_header()
    images = {"MOMENT0": maps.surface_density, "MOMENT1": maps.velocity, "MOMENT2": maps.dispersion}
    if found.model is not None:
        images["RINGS"] = found.model
    out = fits.HDUList([fits.PrimaryHDU()])
    for name, values in images.items():
        out.append(fits.ImageHDU(values.astype(np.float32), header, name=name))
        out[-1].header["BUNIT"] = "Msun/pc2" if name == "MOMENT0" else "km/s"
    return out
