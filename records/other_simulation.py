"""Formulas of integrated properties, fitted to the galaxies of TNG100 and applied to those of EAGLE, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import eagle_rows
import numpy as np
import tng100_rows
from astropy.table import Table
from integrated_properties import rows_of
from threadpoolctl import threadpool_limits

from dmlib.bootstrap import Bootstrap
from dmlib.evaluation import integrated_light
from dmlib.evaluation.scores import per_view

#: Range of stellar mass in which all stars of a galaxy, which TNG lists, lie within 30 kpc, where EAGLE counts them.
_COMMON_MASS = (1e10, 1e11)

#: Inputs that both simulations have: name -> columns.
_COMMON_INPUTS = {"M*": ("m_star",), "M*, r_half": ("m_star", "r_half")}

#: Galaxies of one simulation: inputs (n, f), natural logarithm of the target (n,), and FoF group of each (n,).
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def measure(folder: Path) -> dict:
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
    bound: np.ndarray
    m200: np.ndarray
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
            fitted = integrated_light.model("ridge", x.shape[1]).fit(x, y)
        for test, (asked, truth, groups) in samples.items():
            found = integrated_light.predict(x, y, group, "ridge") if test == train else fitted.predict(asked)
            draw = Bootstrap(groups, 400, 1)
            relative = draw.mean(per_view(np.exp(truth), np.exp(found), "relative"))
            bias = draw.mean(found - truth)
            numbers = (float(number) for e in (relative, bias) for number in (e.value, e.error))
            rows.append((train, test, len(y), len(truth), *numbers, float(np.std(found - truth))))
    names = ("train", "test", "n_train", "n", "relative", "error", "bias", "bias_error", "scatter")
    return Table(rows=rows, names=names)


def _sample(galaxies: dict[str, np.ndarray], columns: tuple[str, ...], target: str) -> Sample:
    low, high = _COMMON_MASS
    chosen = (galaxies["m_star"] >= low) & (galaxies["m_star"] < high) & (galaxies[target] > 0)
    x = np.stack([np.log10(galaxies[name][chosen]) for name in columns], axis=1)
    return x, np.log(galaxies[target][chosen]), galaxies["group"][chosen]
