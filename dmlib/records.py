"""Committed records: what was measured once on data that a reader may not have.

A record is a small JSON file in ``records/`` with its source, date and the command that repeats it. It is written by
that command, never by hand::

    python -m dmlib.records --base-path PATH

where PATH is the ``output`` folder of a tree with rows of the real TNG100-1 group catalogue.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

import numpy as np
from astropy import units as u

from . import __version__
from .errors import DmlibError
from .published_script_bugs import mass_limit_as_published, near_planes
from .files import write_text
from .sample import Criteria, is_true_central, select
from .settings import Settings, repository_root
from .universe import Universe, open_universe

#: Name of the record of the selection on real rows.
SELECTION = "selection_tng100_subset"

_COMMAND = "python -m dmlib.records --base-path PATH"

#: Fingerprint of the rows that the committed record was measured on, and what they are.
_SUBSET_IDENTITY = "c5a2bef31c3ee6542a23edadc444eedb795e69b2ff63903939708306813a4b78"
_SUBSET = (
    "60 consecutive FoF groups and all their subhaloes of the real TNG100-1 group catalogue, snapshot 99, re-indexed "
    "as a catalogue of their own (SubfindIDs from 399391 on); no particles"
)
_CITATION = "Nelson et al. 2019, Computational Astrophysics and Cosmology 6, 2 (the IllustrisTNG data release)"


def measure_selection(universe: Universe) -> dict:
    """Count what the cuts leave, in every reading of the paper's table.

    Parameters
    ----------
    universe : Universe

    Returns
    -------
    dict
        ``n_groups``, ``n_subhalos``, ``group_mass_range`` [Msun]; ``funnels``: for each aperture and each meaning of
        central the counts after each cut; ``parent_zero``: subhaloes with SubhaloParent = 0, how many of them are
        satellites, and how many satellites there are; ``flag_false``: rows with SubhaloFlag = 0, and those among them
        above 1e10 Msun in stars; ``mass_limit``: rows above 1e10 Msun, and above 1e10/h^2 Msun, which is what a query
        asks for that divides by h where it should multiply; ``torn_by_wrap``: galaxies of the paper's sample that reach
        across a plane where the wrap of the authors' scripts tears.
    """
    subhalos = universe.subhalos(("SubhaloParent", "SubhaloGrNr", "SubhaloMassType", "SubhaloFlag"))
    groups = universe.groups(("GroupFirstSub", "GroupMass"))
    central = is_true_central(subhalos, groups)
    parent_zero = np.asarray(subhalos["SubhaloParent"]) == 0
    m_star = subhalos["SubhaloMassType"][:, 4].to_value(u.Msun)
    flag = np.asarray(subhalos["SubhaloFlag"])
    mass = groups["GroupMass"].to_value(u.Msun)
    sample = select(universe)[0]
    return {
        "n_groups": universe.header.n_groups,
        "n_subhalos": universe.header.n_subhalos,
        "group_mass_range": [float(f"{mass.min():.4g}"), float(f"{mass.max():.4g}")],
        "funnels": {
            aperture: {
                centrals: select(universe, Criteria(aperture=aperture, centrals=centrals))[1].counts
                for centrals in ("paper", "true")
            }
            for aperture in ("all", "2rhalf")
        },
        "parent_zero": {
            "all": int(parent_zero.sum()),
            "satellites_among_them": int((parent_zero & ~central).sum()),
            "satellites": int((~central).sum()),
        },
        "flag_false": {"all": int((~flag).sum()), "above_1e10": int((~flag & (m_star >= 1e10)).sum())},
        "mass_limit": {
            "right": int((m_star >= 1e10).sum()),
            "divided_by_h": int((m_star >= mass_limit_as_published(1e10)).sum()),
        },
        "torn_by_wrap": {"paper": int(near_planes(sample["position"].to_value(u.kpc)).sum()), "of": len(sample)},
    }


def write_selection(base_path: str, out: Path | None = None) -> Path:
    """Measure the selection on a catalogue and write the record; gives the path."""
    universe = open_universe(Settings(universe="files", base_path=base_path))
    header = universe.header
    whole = f"{header.simulation} group catalogue, snapshot {header.snapshot}: {header.n_subhalos} subhaloes"
    record = {
        "id": SELECTION,
        "statement": "What the paper's cuts leave of real rows of the TNG100-1 group catalogue",
        "simulation": header.simulation,
        "snapshot": header.snapshot,
        "source": _SUBSET if header.identity == _SUBSET_IDENTITY else whole,
        "citation": _CITATION,
        "universe_identity": header.identity,
        "date": datetime.date.today().isoformat(),
        "command": _COMMAND,
        "dmlib": __version__,
        "measured": measure_selection(universe),
    }
    path = out or repository_root() / "records" / f"{SELECTION}.json"
    write_text(path, json.dumps(record, indent=1) + "\n")
    return path


def main(arguments: list[str] | None = None) -> int:
    """Command line of ``python -m dmlib.records``."""
    parser = argparse.ArgumentParser(prog="python -m dmlib.records", description=__doc__.split("\n")[0])
    parser.add_argument("--base-path", required=True, help="output folder with the real rows")
    parser.add_argument("--out", type=Path, help=f"where to write (default records/{SELECTION}.json)")
    given = parser.parse_args(arguments)
    try:
        print(write_selection(given.base_path, given.out))
    except DmlibError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
