"""Our own galaxies through SKIRT 9 itself: fluxes without dust, dimming with dust, and where the column model differs.

The column model (`dmlib.observe.images.dust`) and a SKIRT run differ in three ways, which are told apart by changing
the model in steps:

- ``model``: as the book uses it;
- ``no_birth_clouds``: without the clouds around young stars, which a self-contained run of SKIRT does not have either;
- ``same_dust``: with the dust of the SKIRT run instead of that of Nelson et al. (2018): 0.3 of the metals in cells that
  form stars, extinction, albedo and asymmetry of Draine (2003). What remains then is the transfer: the depth
  tau_ext [h sqrt(1 - omega) + (1 - h)(1 - omega)] of Calzetti et al. (1994), with h = (1 + g) / 2 of the scattering
  forward and no light scattered in from elsewhere;
- ``same_dust_absorbed``: the same with absorption only, as if all scattered light went on towards the observer;
- ``same_dust_escape``: the same dust, with scattered light that escapes in all directions. With E(n) the share of the
  galaxy's light that leaves in direction n without an encounter, exp(-tau_ext) averaged over the stars, and E its mean
  over directions, a share omega (1 - E) of the light has been scattered once and leaves, or not, as the starlight does,
  so that F(n) = E(n) / [1 - omega (1 - E)] leaves in direction n (Varosi & Dwek 1999).
"""

from __future__ import annotations

import base64
import re
import resource
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u

from dmlib.galaxy import Galaxy, load_galaxy
from dmlib.observe.hydrogen import SPLINE_FWHM, cell_fwhm
from dmlib.observe.images import UGRIZ, per_band
from dmlib.observe.images.dust import Dust, columns_in_front
from dmlib.observe.images.light import ParticleLight, star_luminosities
from dmlib.observe.skirt import SkirtSettings
from dmlib.observe.skirt.export import export
from dmlib.observe.skirt.source import FIELDS, OUT, run_folder
from dmlib.observe.skirt.tables import dust_mix
from dmlib.observe.sky import SkyGrid, View, lines_of_sight
from dmlib.sample import select
from dmlib.universe import Universe

INCLINATIONS = (0, 50, 90)
GRID = SkyGrid(60.0, 120)

#: Photon packets without and with dust: noise of the galaxy's flux in a band of 0.1 and 0.3 per cent.
PACKETS = (1e7, 1e6)

#: Ranks in star formation rate of the centrals that are run.
RANKS = (0.5, 0.75, 0.9)

#: Directions over which the escape of light is averaged.
_DIRECTIONS = 12

_G_PER_CM2 = float((u.Msun / u.kpc**2).to(u.g / u.cm**2))


def optics() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Extinction [cm2/g], albedo and mean cosine of the dust of the SKIRT runs in u g r i z."""
    x, kappa, albedo, cosine = dust_mix().values()
    pivot = per_band("wavelength") / 1e3
    # m2/kg -> cm2/g
    kappa, albedo, cosine = (np.interp(pivot, x, values) for values in (10.0 * kappa, albedo, cosine))
    return kappa, albedo, cosine


def depth(galaxy: Galaxy, view: View, settings: SkirtSettings) -> np.ndarray:
    """Extinction depth of the dust of the SKIRT run in front of each star, shape (n, band)."""
    gas = galaxy.gas.where(np.asarray(galaxy.gas.extra["StarFormationRate"]) > 0)
    mass = settings.dust_to_metals * gas.mass * gas.extra["GFM_Metallicity"]
    support = cell_fwhm(gas.mass, gas.extra["Density"]) / SPLINE_FWHM
    column = columns_in_front(
        view.project(galaxy.stars.position), view.project(gas.position), support, mass[:, None], Dust().pixel_size
    )
    return column * _G_PER_CM2 * optics()[0]


def model_dimmings(galaxy: Galaxy, views: list[View], settings: SkirtSettings) -> list[dict[str, list[float]]]:
    """Dimming of the whole galaxy by each variant of the model [mag], u g r i z, for each view."""
    light = star_luminosities(galaxy)
    _, albedo, cosine = optics()
    forward = 0.5 * (1.0 + cosine)

    def passes(share: np.ndarray) -> np.ndarray:
        return (light * share).sum(axis=0) / light.sum(axis=0)

    # Directions of equal solid angles on the hemisphere; the other one is much the same.
    tilts = np.degrees(np.arccos((np.arange(_DIRECTIONS) + 0.5) / _DIRECTIONS))
    angles = [(float(tilt), 60.0, 137.5 * k % 360.0) for k, tilt in enumerate(tilts)]
    around = lines_of_sight(galaxy.subhalo_id, galaxy.spin_axis(), seed=1, mode=angles)
    mean = np.mean([passes(np.exp(-depth(galaxy, view, settings))) for view in around], axis=0)
    found = []
    for view in views:
        tau = depth(galaxy, view, settings)
        variants = {
            "model": passes(Dust().transmission(galaxy, view)),
            "no_birth_clouds": passes(Dust(birth_clouds=False).transmission(galaxy, view)),
            "same_dust": passes(np.exp(-tau * (forward * np.sqrt(1.0 - albedo) + (1.0 - forward) * (1.0 - albedo)))),
            "same_dust_absorbed": passes(np.exp(-tau * (1.0 - albedo))),
            "same_dust_escape": passes(np.exp(-tau)) / (1.0 - albedo * (1.0 - mean)),
        }
        found.append({name: (-2.5 * np.log10(share)).round(3).tolist() for name, share in variants.items()})
    return found


def run(galaxy: Galaxy, views: list[View], settings: SkirtSettings) -> tuple[np.ndarray, dict]:
    """Images of SKIRT [maggies per pixel], shape (view, y, x, band), and what the run was."""
    with tempfile.TemporaryDirectory(prefix="dmlib-skirt-") as name:
        folder = Path(name)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        written = export(galaxy, views, GRID, settings, folder)
        images = run_folder(folder, threads=1, timeout=3600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        log = next((folder / OUT).glob("*_log.txt")).read_text(encoding="utf-8", errors="replace")
    cells = re.search(r"TOTAL *: *(\d+)", log)
    version = re.search(r"SKIRT v(\S+)", log)
    assert written.settings.cell is not None
    about = {
        "packets": float(f"{written.settings.packets:.3g}"),
        "cell_kpc": round(float(written.settings.cell), 3),
        "cpu_seconds": round(after.ru_utime - before.ru_utime, 1),
        **({"cells": int(cells[1])} if cells and settings.dust else {}),
        "rows": written.rows,
        "version": version[1] if version else "",
    }
    return np.array(images), about


#: Lines of sight of the record of SKIRT's own runs.
_WHERE = {"face": "face-on", "flat": "at 50 degrees", "edge": "edge-on"}

#: Variants of dimming in the record of SKIRT's own runs: short name -> key of the record, and what it is.
_VARIANTS = {
    "skirt": ("skirt", "by SKIRT"),
    "model": ("model", "by the column model"),
    "unborn": ("no_birth_clouds", "by the column model without birth clouds"),
    "same": ("same_dust", "by columns of the dust that SKIRT has"),
    "escape": ("same_dust_escape", "by columns of this dust with scattered light that escapes in all directions"),
}


def numbers_of(galaxies: list[dict[str, Any]], band: str = "g") -> dict[str, dict[str, Any]]:
    """What the runs say in one band, as rows for `dmlib.results.recorder`.

    Returns
    -------
    dict
        Name -> ``value``, ``unit`` and ``statement``: galaxies, the largest difference of fluxes without dust [%], and
        the mean dimming in a band by each variant at each inclination [mag].
    """
    k = UGRIZ.index(band)
    ratios = np.array([one["flux_ratio"] for one in galaxies])
    rows = [
        ("galaxies", len(galaxies), "", "Galaxies of the embedded universe that were run through SKIRT"),
        (
            "flux",
            100 * np.abs(ratios - 1).max(),
            "%",
            "Flux without dust, SKIRT against particle light, largest difference in five bands at three inclinations; "
            "criterion: at most 1 %",
        ),
    ]
    mean = {}
    for name, (key, what) in _VARIANTS.items():
        mean[name] = np.mean([np.array(one["dimming"][key])[:, k] for one in galaxies], axis=0)
        for where, value in zip(("face", "flat", "edge"), mean[name], strict=True):
            rows.append((f"{name}-{where}", value, "mag", f"Mean dimming in {band} {what}, {_WHERE[where]}"))
    scattered = mean["same"][0] - mean["skirt"][0]
    rows.append(
        (
            "scattered",
            scattered,
            "mag",
            f"Mean dimming in {band} face-on by columns of SKIRT's dust, less that by SKIRT",
        )
    )
    return {
        name: {"value": float(value), "unit": unit, "statement": statement} for name, value, unit, statement in rows
    }


#: Steps of a packed picture [dex of brightness]: a few hundredths of a magnitude, less than its noise.
_STEP = 0.02


def pack(images: np.ndarray) -> dict[str, Any]:
    """Pictures as one byte a number, for a record; any shape, not negative."""
    logarithm = np.log10(images, out=np.full(images.shape, -np.inf), where=images > 0)
    least = float(logarithm.max() - 254 * _STEP)
    levels = np.clip(np.rint((logarithm - least) / _STEP) + 1, 0, 255).astype(np.uint8)
    content = base64.b64encode(zlib.compress(levels.tobytes(), 9)).decode()
    return {"shape": list(images.shape), "log10_of_level_1": least, "dex_per_level": _STEP, "levels": content}


def measure_skirt(universe: Universe) -> dict:
    """Run SKIRT on a few galaxies of the sample.

    Returns
    -------
    dict
        ``bands``, ``version``, ``inclinations`` [deg], a ``picture``, the ``numbers`` of the chapter, and ``galaxies``,
        of each the ``flux_ratio`` of SKIRT over particle light without dust and the ``dimming`` [mag] by ``skirt`` and
        by each variant of the model, shape (view, band).
    """
    table, _ = select(universe)
    centrals = table[table["is_true_central"]]
    order = np.argsort(np.asarray(centrals["sfr"]))
    galaxies = []
    version = ""
    for rank in RANKS:
        subhalo_id = int(centrals["subhalo_id"][order[int(rank * len(order))]])
        galaxy = load_galaxy(universe, subhalo_id, ("stars", "gas"), extra=FIELDS)
        angles = [(inclination, 60) for inclination in INCLINATIONS]
        views = lines_of_sight(subhalo_id, galaxy.spin_axis(), seed=1, mode=angles)
        own = SkirtSettings(library="self-contained", packets=PACKETS[1])
        bare_images, about = run(galaxy, views, own.model_copy(update={"dust": False, "packets": PACKETS[0]}))
        dusty_images, dust_about = run(galaxy, views, own)
        bare, dusty = bare_images.sum(axis=(1, 2)), dusty_images.sum(axis=(1, 2))
        light = ParticleLight(dust=None, unit="maggies/pixel")
        particles = np.array([light.image(galaxy, view, GRID).sum(axis=(0, 1)) for view in views])
        model = model_dimmings(galaxy, views, own)
        version = about.pop("version")
        dust_about.pop("version")
        galaxies.append(
            {
                "subhalo_id": subhalo_id,
                "stars": len(galaxy.stars),
                "without_dust": about,
                "with_dust": dust_about,
                "flux_ratio": (bare / particles).round(4).tolist(),
                "dimming": {
                    "skirt": (-2.5 * np.log10(dusty / bare)).round(3).tolist(),
                    **{name: [one[name] for one in model] for name in model[0]},
                },
            }
        )
        # Two pixels become one, and the last galaxy's picture is kept, face-on and edge-on.
        n = GRID.pixels // 2
        pair = np.stack([bare_images, dusty_images], axis=1)[[0, -1]]
        picture = pack(pair.reshape(2, 2, n, 2, n, 2, len(UGRIZ)).sum(axis=(3, 5)))
    return {
        "bands": list(UGRIZ),
        "inclinations": list(INCLINATIONS),
        "version": version,
        "galaxies": galaxies,
        "numbers": numbers_of(galaxies),
        "picture": {
            "subhalo_id": galaxies[-1]["subhalo_id"],
            "axes": "face-on and edge-on, without and with dust, y, x, band [maggies per pixel]",
            "field_of_view": GRID.field_of_view,
            **picture,
        },
    }
