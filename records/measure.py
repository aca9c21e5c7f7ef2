"""Measure the committed records again: what was measured once on data that a reader may not have.

A record is a small JSON file in this folder with its source, date and command. It is written by this command, never by
hand::

    python records/measure.py selection PATH
    python records/measure.py colours PATH
    python records/measure.py image PATH --subhalo-id 6
    python records/measure.py box-selection PATH
    python records/measure.py box-at-fixed-mass PATH
    python records/measure.py box-integrated PATH
    python records/measure.py contraction PATH
    python records/measure.py skirt PATH
    python records/measure.py other-simulation PATH
    python records/measure.py ngc2903 PATH
    python records/measure.py ngc6946 PATH
    python records/measure.py sparc PATH
    python records/measure.py barolo PATH
    python records/measure.py skirt-data-set PATH
    python records/measure.py orientations PATH
    python records/measure.py fresh-galaxies PATH
    python records/measure.py training-luck PATH
    python records/measure.py embedded-at-fixed-mass PATH

PATH is the ``output`` folder of a tree with rows of the real TNG100-1 group catalogue, or the published SKIRT image
``broadband_6.fits``. For the records of the whole box it is the folder ``tng100_real`` of the mirror (see
``data_manifest.yaml`` and `tng100_rows`), or, except for the selection, the ``output`` folder of the whole TNG100-1.
For the contraction it is ``TangoSIDM_L025N376_CDM_haloes.hdf5``, for the other simulation the folder that holds
``tng100_real`` and ``eagle``. For SKIRT's own runs (`skirt_runs`; the executable is on PATH or named in DMLIB_SKIRT) it
is the ``output`` folder of the embedded universe of profile quick. For NGC 2903, NGC 6946, SPARC and 3D-Barolo (the
program is found by `dmlib.rotation.barolo`) it is the folder of the mirror that has ``hi_cubes`` and ``sparc``. For the
data set with images of SKIRT, the orientations, the fresh galaxies and the luck of trainings it is the folder ``build``
with ``embedded-quick``, where data sets and networks are made and kept. For the embedded universe at fixed mass it is
the folder ``output`` of what ``mocktng write`` wrote, as the source of that record says.
Chapters read a record with `dmlib.load.record`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from astropy import units as u
from astropy.table import QTable, Table, vstack
from threadpoolctl import threadpool_limits

# Its folder is not on the path when a test runs this file, and that of the repository never.
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import eagle_rows
import fresh_galaxies
import orientations
import skirt_data_set
import skirt_runs
import tng100_rows
import training_luck

from benchmarks import bench_rotation
from dmlib import __version__
from dmlib.bootstrap import Bootstrap
from dmlib.errors import DmlibError
from dmlib.evaluation import catalogue
from dmlib.evaluation.catalogue import MASS_BINS, at_fixed_mass, catalogue_table, kinds
from dmlib.evaluation.scores import per_view
from dmlib.files import sha256, write_text
from dmlib.observe.images import BANDS as SDSS
from dmlib.observe.images.portraits import catalogue_magnitudes, quiescent
from dmlib.observe.images.published import BANDS, read_broadband
from dmlib.observe.sky import SkyGrid
from dmlib.published_script_bugs import selection_readings
from dmlib.rotation.barolo import fit_barolo, needs_barolo
from dmlib.rotation.curve import RotationCurve
from dmlib.rotation.fit import fit
from dmlib.rotation.massmodel import outer_slope
from dmlib.rotation.own_galaxy import analyse, verdict
from dmlib.rotation.own_stars import stars_from_table
from dmlib.rotation.priors import sparc_priors
from dmlib.rotation.realcube import RealGalaxy, open_galaxy
from dmlib.rotation.rings import fit_rings
from dmlib.rotation.sparc import from_sparc, read_rotmod, read_table1, sample_of
from dmlib.rotation.sparc_analysis import acceleration_scale, accelerations, tully_fisher
from dmlib.rotation.velocity_field import velocity_field
from dmlib.sample import select
from dmlib.settings import PROFILES, Settings
from dmlib.units import PART_TYPE
from dmlib.universe import FilesUniverse, Universe, open_universe
from mocktng import drawing, relations, structure, tng100
from mocktng.units import G

_TNG = "Nelson et al. 2019, Computational Astrophysics and Cosmology 6, 2 (the IllustrisTNG data release)"

#: The cube of NGC 2903 in the mirror.
NGC2903_CUBE = "hi_cubes/NGC2903_WSRT_WHISP_pyFAT.fits"
NGC6946_CUBE = "hi_cubes/NGC6946_WSRT_kapteyn.fits"

#: Fingerprint of the rows on which the committed record of the selection was measured, and what they are.
_SUBSET_IDENTITY = "c5a2bef31c3ee6542a23edadc444eedb795e69b2ff63903939708306813a4b78"
_SUBSET = (
    "60 consecutive FoF groups and all their subhaloes of the real TNG100-1 group catalogue, snapshot 99, re-indexed "
    "as a catalogue of their own (SubfindIDs from 399391 on); no particles"
)


def measure_image(path: str | Path) -> dict:
    """What resampling does to the flux of one published image.

    Parameters
    ----------
    path : path
        A ``broadband_ID.fits``.

    Returns
    -------
    dict
        ``pixels`` a side, ``pixel_size`` and ``field_of_view`` [kpc], ``redshift``, ``counts_per_second`` by band,
        ``flux_change``: largest relative change in a band on a grid (pixels of profile quick) that holds the whole
        image, ``within_common_grid``: share of the flux by band within the field of view of profile quick.

    Raises
    ------
    FetchError
        When the file is missing or damaged.
    """
    image = read_broadband(path)
    total = image.data.sum(axis=(0, 1))
    quick = PROFILES["quick"]
    whole = SkyGrid(1.1 * image.field_of_view, quick.pixels)
    common = SkyGrid(quick.field_of_view, quick.pixels)
    change = np.abs(image.on(whole).sum(axis=(0, 1)) / total - 1.0).max()
    within = image.on(common).sum(axis=(0, 1)) / total
    return {
        "pixels": image.data.shape[0],
        "pixel_size": round(image.pixel_size, 6),
        "field_of_view": round(image.field_of_view, 3),
        "redshift": image.redshift,
        "counts_per_second": {band: round(float(value), 2) for band, value in zip(BANDS, total, strict=True)},
        "flux_change": float(f"{change:.1e}"),
        "within_common_grid": {band: round(float(value), 5) for band, value in zip(BANDS, within, strict=True)},
    }


def measure_colours(universe: Universe) -> dict:
    """Magnitude and colour of the galaxies of the paper's sample and of quiescent ones, without dust.

    Parameters
    ----------
    universe : Universe

    Returns
    -------
    dict
        ``star-forming`` and ``quiescent``, each with lists ``m_r``, ``u_r`` (u from U + 0.79) [mag] and ``log_ml_r``
        (stellar mass over luminosity in r, log10 in solar units).
    """
    measured = {}
    chosen = {"star-forming": np.asarray(select(universe)[0]["subhalo_id"]), "quiescent": quiescent(universe)}
    for name, ids in chosen.items():
        u_band, _, r, *_ = catalogue_magnitudes(universe, ids).T
        mass = universe.subhalos(["SubhaloMassType"], ids)["SubhaloMassType"][:, PART_TYPE["stars"]].to_value(u.Msun)
        columns = {
            "m_r": r,
            "u_r": u_band - r,
            "log_ml_r": np.log10(mass) - 0.4 * (SDSS["r"].m_sun - r),
        }
        measured[name] = {key: [round(float(value), 3) for value in values] for key, values in columns.items()}
    return measured


def measure_at_fixed_mass(table: QTable) -> dict:
    """Medians and scatters of galaxies' properties in bins of stellar mass, see `at_fixed_mass`."""
    table = table.copy()
    # Of the real centrals only those of massive groups have it: no fair sample at a given stellar mass.
    table["m_dm_2rhalf"][np.asarray(table["is_central"])] = np.nan
    return {"bins": list(MASS_BINS), "rows": rows_of(at_fixed_mass(table))}


def measure_embedded_at_fixed_mass(path: Path) -> dict:
    """The same of an embedded universe, and means of what was drawn, by which a test sees that it is drawn so still."""
    universe = FilesUniverse(path, simulation="mocktng")
    table = catalogue_table(universe)
    return measure_at_fixed_mass(table) | {
        "galaxies": int((table["is_central"] & table["forms_stars"]).sum()),
        "universe_identity": universe.header.identity,
        "drawn": drawn_means(),
    }


def drawn_means() -> dict[str, float]:
    """Means of log10 of properties of the galaxies of the record ``embedded_at_fixed_mass`` as mocktng draws them."""
    rows = drawing.draw(**_MANY).subhalos
    return {
        name: float(np.log10(rows[name][rows[name] > 0]).mean()) for name in ("m200", "c200", "m_star", "r_half", "sfr")
    }


def measure_integrated(table: QTable) -> dict:
    """Errors of regressions of the dark mass on integrated observables, see `dmlib.evaluation.catalogue`."""
    curves = vstack([catalogue.learning_curve(table, *task) for task in catalogue.CURVES])
    counts = {kind: int((members & table["forms_stars"]).sum()) for kind, members in kinds(table).items()}
    return {"galaxies": counts, "rows": rows_of(catalogue.regressions(table)), "curves": rows_of(curves)}


def measure_contraction(path: Path) -> dict:
    """Dark matter of the haloes of a hydrodynamical run beside the contraction from which mocktng is made.

    Parameters
    ----------
    path : Path
        ``TangoSIDM_L025N376_CDM_haloes.hdf5``: circular speeds of dark matter, stars and gas of SWIFT-EAGLE haloes.

    Returns
    -------
    dict
        At some radii, the median and the scatter of log10 of the dark matter over that of an NFW halo of the
        concentration of the run without baryons (Anbajagane et al. 2022), as it is and contracted by the halo's own
        stars and gas (Cautun et al. 2020).
    """
    radii = np.array([2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 80.0])
    with h5py.File(path, "r") as file:
        halos, profiles = file["Halo_data"], file["Profile_data"]
        log_star, m200 = halos["Mstar"][:], 10 ** halos["M200c"][:]
        r = profiles["Velocity_radial_bins"][:]
        mass = {
            name: profiles[f"{name}_Circular_Velocity"][:] ** 2 * r[:, None] / G
            for name in ("Dark_matter", "Stars", "Gas")
        }
    chosen = np.flatnonzero(log_star >= 10.0)
    concentration = 10 ** tng100.concentration(m200)[0]
    ratios: dict[str, list[np.ndarray]] = {"uncontracted": [], "contracted": []}
    for i in chosen:
        r200 = float(relations.r200_of(m200[i]))
        before = (1 - structure.COSMIC_BARYON_FRACTION) * structure.nfw_mass(r, m200[i], r200, concentration[i])
        after = structure.contract(before, mass["Stars"][:, i] + mass["Gas"][:, i])
        dark = np.maximum(mass["Dark_matter"][:, i], 1.0)
        for name, model in (("uncontracted", before), ("contracted", after)):
            ratios[name].append(np.interp(radii, r, np.log10(dark / model)))
    columns = {"radius": radii, "n": np.full(radii.size, len(chosen))}
    for name, rows in ratios.items():
        columns |= {name: np.median(rows, axis=0), f"{name}_scatter": np.std(rows, axis=0)}
    return {"rows": rows_of(Table(columns))}


#: Range of stellar mass in which all stars of a galaxy, which TNG lists, lie within 30 kpc, where EAGLE counts them.
_COMMON_MASS = (1e10, 1e11)

#: Inputs that both simulations have: name -> columns.
_COMMON_INPUTS = {"M*": ("m_star",), "M*, r_half": ("m_star", "r_half")}


#: Galaxies of one simulation: inputs (n, f), natural logarithm of the target (n,), and FoF group of each (n,).
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def across(samples: Mapping[str, Sample]) -> Table:
    """Formulas that are fitted to the galaxies of one simulation and applied to those of another.

    Parameters
    ----------
    samples : mapping of Sample
        Simulation -> its galaxies, with the same inputs and the same target.

    Returns
    -------
    Table
        One row for each pair: ``train``, ``test``, ``n_train``, ``n``, ``relative`` (mean abs(dM/M)) and its ``error``,
        ``bias`` (mean of ln(predicted / true)) and its ``bias_error``, and ``scatter``, the standard deviation of that
        logarithm. Within one simulation the predictions are cross-validated.
    """
    rows = []
    for train, (x, y, group) in samples.items():
        with threadpool_limits(1):
            fitted = catalogue.model("ridge", x.shape[1]).fit(x, y)
        for test, (asked, truth, groups) in samples.items():
            found = catalogue.predict(x, y, group, "ridge") if test == train else fitted.predict(asked)
            draw = Bootstrap(groups, 400, 1)
            relative = draw.mean(per_view(np.exp(truth), np.exp(found), "relative"))
            bias = draw.mean(found - truth)
            numbers = (float(number) for e in (relative, bias) for number in (e.value, e.error))
            rows.append((train, test, len(y), len(truth), *numbers, float(np.std(found - truth))))
    names = ("train", "test", "n_train", "n", "relative", "error", "bias", "bias_error", "scatter")
    return Table(rows=rows, names=names)


def measure_other_simulation(folder: Path) -> dict:
    """Formulas of integrated properties, fitted to TNG100 and applied to EAGLE, and the other way round.

    Parameters
    ----------
    folder : Path
        That holds ``tng100_real`` and ``eagle``.

    Returns
    -------
    dict
        ``rows`` of `across` with ``target`` and ``inputs``; ``m200_over_bound``: median and
        standard deviation of log10 of M200c over the bound dark matter of the centrals of TNG100 that have both, the
        first of which turns the bound dark matter of the others into M200c.
    """
    centrals = tng100_rows.read(folder / "tng100_real", tng100_rows.CENTRALS)
    bound, m200 = (np.ma.filled(np.ma.asarray(centrals[name], float), np.nan) for name in ("Mdm", "M200c"))
    ratio = np.log10(m200 / bound)
    median, spread, both = float(np.nanmedian(ratio)), float(np.nanstd(ratio)), int(np.isfinite(ratio).sum())
    tng = {
        "m_star": np.asarray(centrals["Mstar"], float),
        "r_half": np.asarray(centrals["rh_kpc"], float),
        "m_dm_rhalf": np.asarray(centrals["Mdm_rh"], float),
        "v_max": np.asarray(centrals["Vmax"], float),
        "m200": bound * 10.0**median,
        "group": np.asarray(centrals["GrNr"]),
    }
    eagle, swift = (read(folder / "eagle") for read in (eagle_rows.centrals, eagle_rows.haloes))
    others = {"m200": ("EAGLE", eagle), "m_dm_rhalf": ("SWIFT-EAGLE", swift), "v_max": ("SWIFT-EAGLE", swift)}
    rows = []
    for target, (name, other) in others.items():
        for inputs, columns in _COMMON_INPUTS.items():
            found = across({"TNG100": _sample(tng, columns, target), name: _sample(other, columns, target)})
            rows += [{"target": target, "inputs": inputs, **row} for row in rows_of(found)]
    return {"m200_over_bound": {"median": round(median, 4), "scatter": round(spread, 4), "n": both}, "rows": rows}


def _sample(galaxies: dict[str, np.ndarray], columns: tuple[str, ...], target: str) -> Sample:
    low, high = _COMMON_MASS
    chosen = (galaxies["m_star"] >= low) & (galaxies["m_star"] < high) & (galaxies[target] > 0)
    x = np.stack([np.log10(galaxies[name][chosen]) for name in columns], axis=1)
    return x, np.log(galaxies[target][chosen]), galaxies["group"][chosen]


def measure_ngc2903(mirror: Path) -> dict:
    """Rotation curve and haloes of NGC 2903 from its WHISP cube, beside SPARC's curve."""
    galaxy, published = _beside_sparc(mirror, NGC2903_CUBE, "NGC 2903", 6.6)
    found = analyse(galaxy)
    curve = found.curve
    rings = {"radius_kpc": curve.radius, "v_rot_kms": curve.v_rot, "v_err_kms": curve.v_err}
    return {
        "verdict": verdict(found),
        "sparc": _against(curve, published),
        "curve": {name: np.round(values[curve.good], 2).tolist() for name, values in rings.items()},
    }


def measure_ngc6946(mirror: Path) -> dict:
    """The same of NGC 6946, behind gas of the Milky Way: with its tilt fitted, and with the inclination of SPARC."""
    galaxy, published = _beside_sparc(mirror, NGC6946_CUBE, "NGC 6946", 5.52)
    table = read_table1(mirror / "sparc" / "SPARC_Lelli2016c.mrt")
    tilt = float(table["inclination"].value[list(table["galaxy"]).index("NGC6946")])
    out = {}
    for name, inclination in (("fitted", None), ("inclination_of_sparc", tilt)):
        found = analyse(galaxy, inclination=inclination, haloes=())
        out[name] = {"verdict": verdict(found), "sparc": _against(found.curve, published)}
    return out


def measure_barolo(mirror: Path) -> dict:
    """Our rings and those of 3D-Barolo on the same cubes: discs with known rotation, and NGC 2903 beside SPARC.

    Rings without a flag beyond two beams; of the discs, the error of the speed half a beam within the end of the gas.
    """
    discs = []
    for inclination in (40.0, 50.0, 60.0, 75.0):
        cube = bench_rotation.cube_at(inclination)
        ours = fit_rings(velocity_field(cube))
        for engine, curve in (("rings", ours), ("barolo", fit_barolo(cube, ours))):
            outer = (
                curve.good & (curve.radius > 2 * curve.beam) & (curve.radius < bench_rotation.END - 0.5 * curve.beam)
            )
            off = curve.v_rot[outer] / bench_rotation.speed(curve.radius[outer]) - 1
            row = {"engine": engine, "inclination_true_deg": inclination, "inclination_deg": curve.mean_inclination}
            discs.append(row | {"rings": int(outer.sum()), **_off(off)})
    galaxy, published = _beside_sparc(mirror, NGC2903_CUBE, "NGC 2903", 6.6)
    real = []
    for engine in ("rings", "barolo"):
        curve = analyse(galaxy, haloes=(), engine=engine).curve
        row = {"engine": engine, "inclination_deg": curve.mean_inclination, "v_sys_kms": curve.v_sys}
        real.append(row | _against(curve, published))
    version = subprocess.run([needs_barolo(), "-v"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\S+)", version)
    return {"program": f"3D-Barolo {found[1] if found else 'unknown version'}", "discs": discs, "ngc2903": real}


def _off(off: np.ndarray) -> dict[str, float]:
    """The median and the largest of relative differences."""
    return {"median": float(np.median(off)), "worst": float(np.abs(off).max())}


def _against(curve: RotationCurve, published: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Unflagged rings beyond two beams relative to a published curve, radii [kpc] and speeds [km/s]."""
    radius, speed = published
    beyond = curve.good & (curve.radius > 2 * curve.beam) & (curve.radius <= radius[-1])
    off = curve.v_rot[beyond] / np.interp(curve.radius[beyond], radius, speed) - 1
    return {"rings": int(beyond.sum()), **_off(off)}


def _beside_sparc(
    mirror: Path, cube: str, name: str, distance: float
) -> tuple[RealGalaxy, tuple[np.ndarray, np.ndarray]]:
    """A galaxy [Mpc] with the stars of SPARC, and SPARC's radii [kpc] and speeds [km/s]."""
    path = mirror / "sparc" / "Rotmod_LTG" / f"{name.replace(' ', '')}_rotmod.dat"
    galaxy = open_galaxy(mirror / cube, distance, name=name, stars=stars_from_table(path, distance))
    table = read_rotmod(path)
    return galaxy, (table["radius"].value, table["v_obs"].value)


def measure_sparc(mirror: Path) -> dict:
    """NGC 6503's outer slope and halo, and the relations of all SPARC galaxies."""
    folder, table1 = mirror / "sparc" / "Rotmod_LTG", read_table1(mirror / "sparc" / "SPARC_Lelli2016c.mrt")
    model = from_sparc(folder, table1, "NGC6503")
    slope, error, visible, n = outer_slope(model, 3 * model.r_disk)
    ratio, ratio_error = (values[-1] for values in model.discrepancy())
    nfw = fit(model, "nfw", sparc_priors(table1[table1["galaxy"] == "NGC6503"][0]))
    survey = sample_of(folder, table1)
    relations = {
        "acceleration": acceleration_scale(accelerations(survey), seed=1),
        "tully_fisher": tully_fisher(survey, seed=1),
    }
    return {
        "ngc6503": {
            "slope": slope,
            "slope_err": error,
            "slope_visible": visible,
            "radii": n,
            "last_radius_kpc": float(model.radius[-1]),
            "last_speed_kms": float(model.v_obs[-1]),
            "discrepancy": float(ratio),
            "discrepancy_err": float(ratio_error),
            "nfw_log10_m200_msun": nfw.interval("log_m200").tolist(),
            "nfw_log10_c": nfw.interval("log_c").tolist(),
        },
        "relations": {
            name: {"values": one.values, "errors": one.errors, "galaxies": one.n} for name, one in relations.items()
        },
    }


def rows_of(table: Table) -> list[dict]:
    """Rows of a table of measured numbers, to four digits after the point."""
    columns = [
        np.round(table[name], 4).tolist() if table[name].dtype.kind == "f" else table[name].tolist()
        for name in table.colnames
    ]
    return [dict(zip(table.colnames, row, strict=True)) for row in zip(*columns, strict=True)]


#: Records of the whole box: name -> statement, and the function of the folder or of the table that measures it.
_BOX = {
    "selection": "What the paper's cuts leave of the whole TNG100-1, and where the talk's two galaxies lie",
    "at_fixed_mass": "Medians and scatters of galaxies' properties at fixed stellar mass",
    "integrated": "How well plain regressions on a galaxy's integrated properties predict its dark mass",
}


def record_of_box(what: str, path: Path, shared: dict) -> dict:
    """One of the records of the whole box, `_BOX`, from the mirror's rows or from the whole group catalogue."""
    about = {"simulation": "TNG100-1", "snapshot": 99, "source": tng100_rows.SOURCE}
    about["citation"] = f"{_TNG}; {tng100_rows.CITATION}"
    if what == "selection":
        measured = tng100_rows.measure_selection(path)
    else:
        if (path / tng100_rows.CENTRALS).is_file():
            table = tng100_rows.real_table(path)
        else:
            tree = open_tree(path)
            table = catalogue_table(tree)
            about = {"simulation": tree.name, "snapshot": tree.header.snapshot, "source": "the whole group catalogue"}
            about["citation"] = _TNG
        measured = {"at_fixed_mass": measure_at_fixed_mass, "integrated": measure_integrated}[what](table)
    files = {name: sha256(path / name) for name in tng100_rows.FILES if (path / name).is_file()}
    return {
        "id": f"tng100_{what}",
        "statement": _BOX[what],
        **about,
        "sha256": files,
        "command": f"python records/measure.py box-{what.replace('_', '-')} PATH",
        **shared,
        "measured": measured,
    }


def open_tree(path: Path) -> Universe:
    """A tree on disk."""
    return open_universe(Settings(universe="files", base_path=str(path)))


@dataclass(frozen=True)
class Kind:
    """What a record of the files in PATH says of itself, and what measures it.

    Parameters
    ----------
    statement, simulation, source, citation : str
    measure : callable
        PATH to the measured numbers.
    files : tuple of str
        Names of the files in PATH that were measured, empty for PATH itself: their checksums are kept.
    id : str
        Name of the record, where it is not that of the command.
    """

    statement: str
    simulation: str
    source: str
    citation: str
    measure: Callable[[Path], dict]
    files: tuple[str, ...] = ()
    id: str = ""


#: The population of the record ``embedded_at_fixed_mass``: particle masses [Msun] of profile quick, another seed.
_MANY = {"n_galaxies": 3500, "seed": 2, "m_dm": PROFILES["quick"].m_dm, "m_baryon": PROFILES["quick"].m_baryon}

_OBSERVED = "none: an observation"
_QUICK = "the embedded universe of this project, profile quick"
_OURS = "none: an experiment of this project"

#: Records of files: name in the command -> what they are.
_KINDS = {
    "contraction": Kind(
        "Dark matter of haloes of a hydrodynamical simulation beside the contraction of Cautun+2020",
        "SWIFT-EAGLE, 25 Mpc, cold dark matter",
        "haloes with at least 1e10 Msun of stars of TangoSIDM_L025N376_CDM_haloes.hdf5",
        "Correa et al. 2024; Schaye et al. 2015, MNRAS 446, 521",
        measure_contraction,
        files=("",),
        id="eagle_contraction",
    ),
    "ngc2903": Kind(
        "Rotation curve and haloes of NGC 2903 from its WHISP cube, beside SPARC's curve",
        _OBSERVED,
        "WHISP cube of NGC 2903 as distributed with pyFAT; stars and the curve to compare with of SPARC",
        "van der Hulst et al. 2001; Lelli et al. 2016, AJ 152, 157",
        measure_ngc2903,
        files=(NGC2903_CUBE,),
    ),
    "ngc6946": Kind(
        "Rotation curve of NGC 6946 from a WSRT cube of another dialect, beside SPARC's curve",
        _OBSERVED,
        "WSRT cube of NGC 6946 as distributed with the Kapteyn package; stars and curve of SPARC",
        "Boomsma et al. 2008, A&A 490, 555; Lelli et al. 2016, AJ 152, 157",
        measure_ngc6946,
        files=(NGC6946_CUBE,),
    ),
    "barolo": Kind(
        "Rotation curves of our rings and of 3D-Barolo from the same cubes",
        "none: analytic discs, and an observation",
        "exponential discs of benchmarks/bench_rotation.py; WHISP cube of NGC 2903 beside SPARC's curve",
        "Di Teodoro & Fraternali 2015, MNRAS 451, 3021; van der Hulst et al. 2001",
        measure_barolo,
        files=(NGC2903_CUBE,),
    ),
    "sparc": Kind(
        "Outer slope and halo of NGC 6503, and the relations of the galaxies of SPARC",
        "none: observations",
        "SPARC: mass models (Rotmod_LTG) and Table 1",
        "Lelli et al. 2016, AJ 152, 157",
        measure_sparc,
        files=("sparc/SPARC_Lelli2016c.mrt",),
    ),
    "other-simulation": Kind(
        "Formulas of integrated properties of galaxies, fitted to one simulation, applied to another",
        "TNG100-1, EAGLE Ref-L0100N1504 and SWIFT-EAGLE (25 Mpc)",
        f"{tng100_rows.SOURCE}; {eagle_rows.SOURCE}",
        f"{_TNG}; {tng100_rows.CITATION}; {eagle_rows.CITATION}",
        measure_other_simulation,
        files=(f"tng100_real/{tng100_rows.CENTRALS}", *(f"eagle/{name}" for name in eagle_rows.FILES)),
    ),
    "skirt-data-set": Kind(
        "Networks trained on images of SKIRT 9 and on particle light of the same 40 true centrals",
        _QUICK,
        "40 true centrals of embedded-quick, not TNG, evenly in rank of stellar mass, with self-contained tables; "
        "SKIRT built from {skirt_source}",
        "Camps & Baes 2020; Rodriguez-Gomez et al. 2019",
        skirt_data_set.measure,
    ),
    "orientations": Kind(
        "An equivariant network, its ordinary twin, augmentation and averaging, by number of galaxies",
        _QUICK,
        "data set and galaxies of the reference trainings",
        f"{_OURS}; the network after Cohen & Welling 2016",
        orientations.measure,
    ),
    "fresh-galaxies": Kind(
        "Coverage of the posteriors on galaxies of another seed, by radius and by kind of galaxy",
        f"{_QUICK}, seeds 1 (networks) and 2 (galaxies)",
        "networks of a run of the book, and a data set of another seed",
        _OURS,
        fresh_galaxies.measure,
    ),
    "training-luck": Kind(
        "The networks that chapter 19 trains in each universe, trained again with other seeds",
        "embedded universes of this project, profile quick, drawn in memory",
        "galaxies and networks of chapter 19",
        _OURS,
        training_luck.measure,
    ),
    "embedded-at-fixed-mass": Kind(
        "Medians and scatters of galaxies' properties at fixed stellar mass, of more galaxies than the book has",
        "an embedded universe of this project, with the particle masses of profile quick",
        f"mocktng write FOLDER --galaxies {_MANY['n_galaxies']} --seed {_MANY['seed']} "
        f"--particle-mass {_MANY['m_dm']:g} {_MANY['m_baryon']:g}",
        _OURS,
        measure_embedded_at_fixed_mass,
    ),
}


def record_of(what: str, path: Path, subhalo_id: int, skirt_source: str = "unknown source") -> dict:
    """Measure one record, with its source, citation and the command that repeats it."""
    shared = {"date": datetime.date.today().isoformat(), "dmlib": __version__}
    if what.startswith("box-"):
        return record_of_box(what.removeprefix("box-").replace("-", "_"), path, shared)
    if what in _KINDS:
        return record_of_files(what, path, shared, skirt_source)
    if what == "image":
        measured = measure_image(path)
        return {
            "id": f"skirt_tng100_subhalo_{subhalo_id}",
            "statement": "What resampling does to the flux of a published SKIRT image",
            "simulation": "TNG100-1",
            "snapshot": 99,
            "source": f"published SKIRT image broadband_{subhalo_id}.fits (SDSS g r i z) of TNG100-1, snapshot 99",
            "citation": f"Rodriguez-Gomez et al. 2019, MNRAS 483, 4140; {_TNG}",
            "sha256": sha256(path),
            "command": f"python records/measure.py image PATH --subhalo-id {subhalo_id}",
            **shared,
            "measured": measured,
        }
    universe = open_tree(path) if what != "skirt" else FilesUniverse(path, simulation="embedded")
    header = universe.header
    shared |= {
        "simulation": header.simulation,
        "snapshot": header.snapshot,
        "citation": _TNG,
        "universe_identity": header.identity,
        "command": f"python records/measure.py {what} PATH",
    }
    if what == "skirt":
        return {
            "id": "skirt_own_runs",
            "statement": "Galaxies of the embedded universe through SKIRT 9 itself, and by the column model of dust",
            "source": f"{len(skirt_runs.RANKS)} centrals of {header.simulation}, not TNG, with self-contained tables; "
            f"SKIRT built from {skirt_source}",
            **shared,
            "citation": "Camps & Baes 2020, Astronomy and Computing 31, 100381 (SKIRT 9); Draine et al. 2003 (dust)",
            "measured": skirt_runs.measure_skirt(universe),
        }
    if what == "colours":
        return {
            "id": "colours_tng100_subset",
            "statement": "Magnitudes and colours, without dust, of real galaxies of the TNG100-1 group catalogue",
            "source": f"{header.n_groups} FoF groups and all their {header.n_subhalos} subhaloes",
            **shared,
            "measured": measure_colours(universe),
        }
    whole = f"{header.simulation} group catalogue, snapshot {header.snapshot}: {header.n_subhalos} subhaloes"
    return {
        "id": "selection_tng100_subset",
        "statement": "What the paper's cuts leave of real rows of the TNG100-1 group catalogue",
        "source": _SUBSET if header.identity == _SUBSET_IDENTITY else whole,
        **shared,
        "measured": selection_readings(universe),
    }


def record_of_files(what: str, path: Path, shared: dict, skirt_source: str) -> dict:
    """One of the records of `_KINDS`."""
    kind = _KINDS[what]
    files = {Path(name).name: sha256(path / name) for name in kind.files}
    return {
        "id": kind.id or what.replace("-", "_"),
        "statement": kind.statement,
        "simulation": kind.simulation,
        "source": kind.source.format(skirt_source=skirt_source),
        "citation": kind.citation,
        **({"sha256": files if len(files) > 1 else next(iter(files.values()))} if files else {}),
        "command": f"python records/measure.py {what} PATH",
        **shared,
        "measured": kind.measure(path),
    }


#: What can be measured.
CHOICES = ("selection", "colours", "image", "skirt", *_KINDS, *(f"box-{name.replace('_', '-')}" for name in _BOX))


def main(arguments: list[str] | None = None) -> int:
    """Measure a record and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=CHOICES, help="which record")
    parser.add_argument("path", type=Path, help="an output folder with a group catalogue, or a published image")
    parser.add_argument("--subhalo-id", type=int, default=6, help="subhalo of the image")
    parser.add_argument("--skirt-source", default="unknown source", help="what SKIRT was built from")
    parser.add_argument("--out", type=Path, help="file to write; default records/<id>.json")
    given = parser.parse_args(arguments)
    try:
        record = record_of(given.what, given.path, given.subhalo_id, given.skirt_source)
    except (DmlibError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    out = given.out or Path(__file__).parent / f"{record['id']}.json"
    write_text(out, json.dumps(record, indent=1) + "\n")
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
