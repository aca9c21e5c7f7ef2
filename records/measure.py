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
    python records/measure.py concentration PATH
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
    python records/measure.py fit-coverage PATH
    python records/measure.py known-geometry PATH
    python records/measure.py training-choices PATH
    python records/measure.py training-choices PATH --only epochs
    python records/measure.py embedded-at-fixed-mass PATH

PATH is the ``output`` folder of a tree with rows of the real TNG100-1 group catalogue, or the published SKIRT image
``broadband_6.fits``. For the records of the whole box it is the folder ``tng100_real`` of the mirror (see
``data_manifest.yaml`` and `tng100_rows`), or, except for the selection, the ``output`` folder of the whole TNG100-1.
For the contraction it is ``TangoSIDM_L025N376_CDM_haloes.hdf5``, for the other simulation the folder that holds
``tng100_real`` and ``eagle``. For SKIRT's own runs (`skirt_runs`; the executable is on PATH or named in DMLIB_SKIRT) it
is the ``output`` folder of the embedded universe of profile quick. For NGC 2903, NGC 6946, SPARC and 3D-Barolo (the
program is found by `dmlib.rotation.barolo`) it is the folder of the mirror that has ``hi_cubes`` and ``sparc``. For the
data set with images of SKIRT, the orientations, the fresh galaxies, the luck and the choices of trainings, and fits
it is the folder ``build`` with ``embedded-quick``, where data sets and networks are made and kept. For the embedded
universe at fixed mass it is the folder ``output`` of what ``mocktng write`` wrote, as the source of that record says.
With ``--only`` one part of a record is measured, and the others stay as they are recorded.
Chapters read a record with `dmlib.load.record`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Its folder is not on the path when a test runs this file, and that of the repository never.
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import contraction
import eagle_rows
import fit_coverage
import fresh_galaxies
import integrated_properties
import known_geometry
import light
import orientations
import other_simulation
import rotation_curves
import skirt_data_set
import skirt_runs
import tng100_rows
import training_choices
import training_luck

from dmlib import __version__, load
from dmlib.errors import DmlibError
from dmlib.evaluation.catalogue import catalogue_table
from dmlib.files import sha256, write_text
from dmlib.published_script_bugs import selection_readings
from dmlib.settings import Settings
from dmlib.universe import FilesUniverse, Universe, open_universe

_TNG = "Nelson et al. 2019, Computational Astrophysics and Cosmology 6, 2 (the IllustrisTNG data release)"

#: Fingerprint of the rows on which the committed record of the selection was measured, and what they are.
_SUBSET_IDENTITY = "c5a2bef31c3ee6542a23edadc444eedb795e69b2ff63903939708306813a4b78"

_SUBSET = (
    "60 consecutive FoF groups and all their subhaloes of the real TNG100-1 group catalogue, snapshot 99, re-indexed "
    "as a catalogue of their own (SubfindIDs from 399391 on); no particles"
)

#: Records of the whole box: name -> statement.
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
        measured = {
            "at_fixed_mass": integrated_properties.measure_at_fixed_mass,
            "integrated": integrated_properties.measure_integrated,
        }[what](table)
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
        contraction.measure,
        files=("",),
        id="eagle_contraction",
    ),
    "concentration": Kind(
        "Concentration of haloes with full physics against their mass, and its scatter",
        "TNG100-1",
        f"published fits in {tng100_rows.CONCENTRATION}",
        "Anbajagane et al. 2022, MNRAS 509, 3441",
        tng100_rows.measure_concentration,
        files=(tng100_rows.CONCENTRATION,),
        id="tng100_concentration",
    ),
    "ngc2903": Kind(
        "Rotation curve and haloes of NGC 2903 from its WHISP cube, beside SPARC's curve",
        _OBSERVED,
        "WHISP cube of NGC 2903 as distributed with pyFAT; stars and the curve to compare with of SPARC",
        "van der Hulst et al. 2001; Lelli et al. 2016, AJ 152, 157",
        rotation_curves.measure_ngc2903,
        files=(rotation_curves.NGC2903_CUBE,),
    ),
    "ngc6946": Kind(
        "Rotation curve of NGC 6946 from a WSRT cube of another dialect, beside SPARC's curve",
        _OBSERVED,
        "WSRT cube of NGC 6946 as distributed with the Kapteyn package; stars and curve of SPARC",
        "Boomsma et al. 2008, A&A 490, 555; Lelli et al. 2016, AJ 152, 157",
        rotation_curves.measure_ngc6946,
        files=(rotation_curves.NGC6946_CUBE,),
    ),
    "barolo": Kind(
        "Rotation curves of our rings and of 3D-Barolo from the same cubes",
        "none: analytic discs, and an observation",
        "exponential discs of benchmarks/bench_rotation.py; WHISP cube of NGC 2903 beside SPARC's curve",
        "Di Teodoro & Fraternali 2015, MNRAS 451, 3021; van der Hulst et al. 2001",
        rotation_curves.measure_barolo,
        files=(rotation_curves.NGC2903_CUBE,),
    ),
    "sparc": Kind(
        "Outer slope and halo of NGC 6503, and the relations of the galaxies of SPARC",
        "none: observations",
        "SPARC: mass models (Rotmod_LTG) and Table 1",
        "Lelli et al. 2016, AJ 152, 157",
        rotation_curves.measure_sparc,
        files=("sparc/SPARC_Lelli2016c.mrt",),
    ),
    "other-simulation": Kind(
        "Formulas of integrated properties of galaxies, fitted to one simulation, applied to another",
        "TNG100-1, EAGLE Ref-L0100N1504 and SWIFT-EAGLE (25 Mpc)",
        f"{tng100_rows.SOURCE}; {eagle_rows.SOURCE}",
        f"{_TNG}; {tng100_rows.CITATION}; {eagle_rows.CITATION}",
        other_simulation.measure,
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
    "fit-coverage": Kind(
        "Coverage of fits to rotation curves drawn from their own model, on the test galaxies of the book",
        _QUICK,
        "mass models of the test views with an accepted curve; speeds drawn from the priors of each kind of fit",
        _OURS,
        fit_coverage.measure,
    ),
    "known-geometry": Kind(
        "Fits with the population's priors, geometry and baryons known, with the inclination fixed and free",
        _QUICK,
        "test views that are accepted with and without perfect knowledge",
        _OURS,
        known_geometry.measure,
    ),
    "training-choices": Kind(
        "Errors of A and C by how much of the field they see, and by the precision in which they are trained; of all "
        "networks but C by the number of epochs",
        _QUICK,
        "data set of the book",
        _OURS,
        training_choices.measure,
    ),
    "embedded-at-fixed-mass": Kind(
        "Medians and scatters of galaxies' properties at fixed stellar mass, of more galaxies than the book has",
        "an embedded universe of this project, with the particle masses of profile quick",
        integrated_properties.WRITE,
        _OURS,
        integrated_properties.measure_embedded_at_fixed_mass,
    ),
}


def record_of(what: str, path: Path, subhalo_id: int, skirt_source: str = "unknown source", only: str = "") -> dict:
    """Measure one record, with its source, citation and the command that repeats it."""
    shared: dict = {"date": datetime.date.today().isoformat(), "dmlib": __version__}
    if what.startswith("box-"):
        return record_of_box(what.removeprefix("box-").replace("-", "_"), path, shared)
    if what in _KINDS:
        return record_of_files(what, path, shared, skirt_source, only)
    if what == "image":
        measured = light.measure_image(path)
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
            "measured": light.measure_colours(universe),
        }
    whole = f"{header.simulation} group catalogue, snapshot {header.snapshot}: {header.n_subhalos} subhaloes"
    return {
        "id": "selection_tng100_subset",
        "statement": "What the paper's cuts leave of real rows of the TNG100-1 group catalogue",
        "source": _SUBSET if header.identity == _SUBSET_IDENTITY else whole,
        **shared,
        "measured": selection_readings(universe),
    }


def record_of_files(what: str, path: Path, shared: dict, skirt_source: str, only: str = "") -> dict:
    """One of the records of `_KINDS`, or with only a part of it measured again, see `_PARTS`."""
    kind = _KINDS[what]
    id = kind.id or what.replace("-", "_")
    files = {Path(name).name: sha256(path / name) for name in kind.files}
    return {
        "id": id,
        "statement": kind.statement,
        "simulation": kind.simulation,
        "source": kind.source.format(skirt_source=skirt_source),
        "citation": kind.citation,
        **({"sha256": files if len(files) > 1 else next(iter(files.values()))} if files else {}),
        "command": f"python records/measure.py {what} PATH",
        **shared,
        "measured": _PARTS[what, only](path, load.record(id)["measured"]) if only else kind.measure(path),
    }


#: Parts of records that can be measured alone: record and part -> PATH and the measured numbers to all of them anew.
_PARTS: dict[tuple[str, str], Callable[[Path, dict], dict]] = {
    ("training-choices", training_choices.EPOCHS): training_choices.measure_epochs
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
    parser.add_argument("--only", default="", help="part of the record to measure; the others stay as recorded")
    parser.add_argument("--out", type=Path, help="file to write; default records/<id>.json")
    given = parser.parse_args(arguments)
    if given.only and (given.what, given.only) not in _PARTS:
        parser.error(f"--only measures {', '.join(f'{part} of {what}' for what, part in _PARTS)}")
    try:
        record = record_of(given.what, given.path, given.subhalo_id, given.skirt_source, given.only)
    except (DmlibError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    out = given.out or Path(__file__).parent / f"{record['id']}.json"
    write_text(out, json.dumps(record, indent=1) + "\n")
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
