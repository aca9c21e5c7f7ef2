"""Measure on real TNG100-1 galaxies the relations from which the universe is drawn, and write ``data/tng100.json``.

    python mocktng/calibrate.py FOLDER

FOLDER has rows of the TNG100-1 catalogue at z = 0 (Nelson et al. 2019): ``centrals_z0.csv.gz`` (centrals of the whole
box), ``galaxies_z0.txt.gz`` (stellar mass and group of all galaxies) and ``massive_group_members.csv.gz`` (subhaloes of
groups of 4e12 to 2e14 Msun); and the concentrations of Anbajagane et al. (2022). The rows are not part of this package.
What is written are quantiles, slopes and rank correlations.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

H = 0.6774
#: Quantile levels of the tables; the ends are the extremes of some 150 galaxies.
LEVELS = np.array([0.003, 0.01, 0.025, 0.05, *np.arange(0.1, 0.95, 0.05), 0.95, 0.975, 0.99, 0.997]).round(3)
NODES = {
    "centrals": [9.6, 9.8, 10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 10.7, 10.85, 11.0, 11.2, 11.4, 11.65, 11.95],
    "satellites": [9.7, 9.9, 10.1, 10.3, 10.5, 10.7, 10.95, 11.25],
}
#: Galaxies of a node: those within the reach [dex], or the nearest where these are too few. Slopes need a longer lever.
FEWEST, REACH, LEVER = 60, 0.10, 0.25
FORMING = 0.1  # Msun/yr, the paper's limit
SFR_ZERO = -5.0  # log10 of the rate that stands for none


def read(path: Path) -> dict[str, np.ndarray]:
    """Columns of a compressed CSV file; empty cells become NaN."""
    with gzip.open(path, "rt") as file:
        head, *rows = list(csv.reader(file))
    flag = {"True": 1.0, "False": 0.0, "": np.nan}
    return {
        name: np.array([flag[row[i]] if row[i] in flag else float(row[i]) for row in rows])
        for i, name in enumerate(head)
    }


def log(values: np.ndarray, floor: float) -> np.ndarray:
    """log10, with a floor for zeros."""
    return np.log10(np.maximum(values, floor))


def centrals(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """log10 of the stellar mass, and the variables at given stellar mass, of the centrals."""
    c = read(folder / "centrals_z0.csv.gz")
    good = (c["Mstar"] > 2e9) & np.isfinite(c["f_disk_2d"])
    c = {name: values[good] for name, values in c.items()}
    return np.log10(c["Mstar"]), {
        "m_dm": np.log10(c["Mdm"]),
        "r_half": np.log10(c["rh_kpc"]),
        "sfr": log(c["SFR"], 10**SFR_ZERO),
        "m_gas": log(c["Mgas"], 1e8),
        "v_max": np.log10(c["Vmax"]),
        "m_dm_half": np.log10(c["Mdm_rh"]),
        "g_r": c["M_g"] - c["M_r"],
        "r_k": c["M_r"] - c["M_K"],
        "m_bh": log(c["Mbh"], 1e6),
        "m_gas_half": log(c["Mgas_rh"], 1e6),
        "disc": c["f_disk_2d"],
    }


def satellites(folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """As `centrals`, for the satellites of massive groups, and all rows of these groups."""
    m = read(folder / "massive_group_members.csv.gz")
    centre = {int(g): i for i, g in enumerate(m["SubhaloGrNr"]) if m["is_first"][i]}
    box = 75000.0
    host = np.array([centre.get(int(g), -1) for g in m["SubhaloGrNr"]])
    position = np.stack([m[f"SubhaloPos_{k}"] for k in range(3)], axis=1)
    away = position - position[host]
    away -= box * np.round(away / box)
    m["distance"] = np.linalg.norm(away, axis=1) / H / m["group_R_Crit200_kpc"]
    m["m_star"] = m["SubhaloMassType_4"] * 1e10 / H
    m["host_m_star"] = np.where(host >= 0, m["m_star"][host], np.nan)
    good = (m["is_first"] == 0) & (host >= 0) & (m["SubhaloFlag"] == 1) & (m["SubhaloMassType_1"] > 0)
    good &= (m["m_star"] > 4e9) & (m["SubhaloMassInHalfRadType_1"] > 0)
    m = {name: values[good] for name, values in m.items()}
    mass = {name: m[f"Subhalo{name}"] * 1e10 / H for name in ("MassType_0", "MassType_1", "MassType_5")}
    return (
        np.log10(m["m_star"]),
        {
            "m_dm": np.log10(mass["MassType_1"]),
            "r_half": np.log10(m["SubhaloHalfmassRadType_4"] / H),
            "sfr": log(m["SubhaloSFR"], 10**SFR_ZERO),
            "m_gas": log(mass["MassType_0"], 1e8),
            "v_max": np.log10(m["SubhaloVmax"]),
            "m_dm_half": np.log10(m["SubhaloMassInHalfRadType_1"] * 1e10 / H),
            "g_r": m["SubhaloStellarPhotometrics_4"] - m["SubhaloStellarPhotometrics_5"],
            "r_k": m["SubhaloStellarPhotometrics_5"] - m["SubhaloStellarPhotometrics_3"],
            "m_bh": log(mass["MassType_5"], 1e6),
            "m_gas_half": log(m["SubhaloMassInHalfRadType_0"] * 1e10 / H, 1e6),
            "m_host": np.log10(m["group_M_Crit200_Msun"]),
            "distance": log(m["distance"], 1e-2),
        },
        m,
    )


def by_class(log_m: np.ndarray, values: dict[str, np.ndarray], nodes: list[float]) -> dict[str, Any]:
    """`at_nodes` of the galaxies that the selection keeps by their star-formation rate, and of the others."""
    forming = values["sfr"] >= np.log10(FORMING)
    out: dict[str, Any] = {}
    for name, mine in (("forming", forming), ("quiet", ~forming)):
        out[name] = at_nodes(log_m[mine], {key: x[mine] for key, x in values.items()}, nodes)
    return out


def logistic(features: np.ndarray, outcome: np.ndarray) -> list[float]:
    """Coefficients of a logistic regression, by Newton's method with a trace of regularisation."""
    x = np.column_stack([np.ones(len(features)), features])
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(w))
        w = w + np.linalg.solve(curvature, x.T @ (outcome - p) - 1e-3 * w)
    return w.round(4).tolist()


def at_nodes(log_m: np.ndarray, values: dict[str, np.ndarray], nodes: list[float]) -> dict[str, Any]:
    """Quantiles about a local slope, and rank correlations, of the variables at each node in stellar mass."""
    names = list(values)
    out: dict[str, Any] = {"nodes": nodes, "variables": names, "slopes": [], "quantiles": [], "correlations": []}
    for node in nodes:
        distance = np.abs(log_m - node)
        order = np.argsort(distance)
        n = max(int((distance < REACH).sum()), FEWEST)
        near = order[:n]
        slopes, tables, scores = [], [], []
        wide = order[: max(int((distance < LEVER).sum()), 2 * FEWEST)]
        for name in names:
            x = values[name]
            # Where many do not form stars a slope is that of their number, which the nodes follow.
            steady = name not in ("sfr", "distance", "m_host")
            slope = float(np.polyfit(log_m[wide], x[wide], 1)[0]) if steady else 0.0
            rest = x[near] - slope * (log_m[near] - node)
            slopes.append(round(slope, 3))
            tables.append(np.quantile(rest, LEVELS).round(3).tolist())
            scores.append(norm.ppf((rankdata(rest) - 0.5) / n))
        out["slopes"].append(slopes)
        out["quantiles"].append(tables)
        out["correlations"].append(np.corrcoef(scores).round(3).tolist())
    return out


def members(m: dict[str, np.ndarray], folder: Path) -> dict[str, Any]:
    """Number of satellites above 10^9.7 Msun of stars against the mass of the group, and their stellar masses.

    The numbers are of the whole box; the stellar masses within two half-mass radii, which that file has, are lower by
    0.07 dex than the bound ones.
    """
    galaxies = np.loadtxt(folder / "galaxies_z0.txt.gz")
    c = read(folder / "centrals_z0.csv.gz")
    host_of = dict(zip(c["GrNr"].astype(int), np.log10(c["Mdm"] / 0.99), strict=True))
    log_hosts = np.array(list(host_of.values()))
    satellite = ~np.isin(galaxies[:, 0], c["SubfindID"]) & (galaxies[:, 1] > 10**9.63)
    log_host = np.array([host_of.get(int(g), np.nan) for g in galaxies[satellite, 3]])
    edges = np.array([11.2, 11.5, 11.8, 12.1, 12.4, 12.7, 13.0, 13.3, 13.6, 13.9, 14.3])
    numbers = np.histogram(log_host, edges)[0] / np.histogram(log_hosts, edges)[0]
    tables, centres = [], []
    log_m_host = np.log10(m["group_M_Crit200_Msun"])
    for low, high in itertools.pairwise(edges[4:]):
        bright = (log_m_host >= low) & (log_m_host < high) & (m["m_star"] > 10**9.7)
        centres.append(round(float(low + high) / 2, 3))
        tables.append(np.quantile(np.log10(m["m_star"][bright]), LEVELS).round(3).tolist())
    return {
        "log_m_of_number": (0.5 * (edges[1:] + edges[:-1])).round(3).tolist(),
        "log_number": np.log10(numbers).round(3).tolist(),
        "log_m_host": centres,
        "log_m_star": tables,
        "nested": round(float((m["SubhaloParent"][m["m_star"] > 1e10] != 0).mean()), 3),
    }


def metals(m: dict[str, np.ndarray]) -> dict[str, Any]:
    """Median metal mass fraction of all stars of a galaxy against stellar mass."""
    edges = np.array([9.7, 9.9, 10.1, 10.3, 10.5, 10.8, 11.2, 11.6])
    log_m, log_z = np.log10(m["m_star"]), np.log10(m["SubhaloStarMetallicity"])
    medians = [np.median(log_z[(log_m >= low) & (log_m < high)]) for low, high in itertools.pairwise(edges)]
    return {"log_m_star": (0.5 * (edges[1:] + edges[:-1])).round(3).tolist(), "log_z": np.round(medians, 3).tolist()}


def concentrations(folder: Path) -> dict[str, Any]:
    """Mean log10 c200c and scatter [dex] of haloes in the run without baryons (Anbajagane et al. 2022)."""
    table = np.loadtxt(folder / "KLLR_Params_TNG100_DMO_c200c_z0p00.txt")
    log_m = np.log10(table[:, 0])
    nodes = np.arange(11.0, 14.3, 0.3)
    # Columns: mass, mean and its six limits, slope and its six, scatter of ln c.
    mean = np.interp(nodes, log_m, np.log10(table[:, 1]))
    scatter = np.interp(nodes, log_m, table[:, 15]) / np.log(10)
    return {"log_m200": nodes.round(2).tolist(), "log_c": mean.round(4).tolist(), "scatter": scatter.round(4).tolist()}


def main(folder: Path) -> None:
    """Write the table."""
    log_c, values_c = centrals(folder)
    log_s, values_s, rows = satellites(folder)
    above = np.sort(log_c[log_c >= 9.6])
    log_host, distance = values_s["m_host"], values_s["distance"]
    forming_c, forming_s = (v["sfr"] >= np.log10(FORMING) for v in (values_c, values_s))
    share = [float(forming_c[np.argsort(np.abs(log_c - node))[:150]].mean()) for node in NODES["centrals"]]
    x, y = log_s - 10.5, log_host - 13.3
    out = {
        "source": "Quantiles and rank correlations of TNG100-1 subhaloes at z = 0 (Nelson et al. 2019), by "
        "mocktng/calibrate.py; concentrations: Anbajagane et al. 2022",
        "levels": LEVELS.tolist(),
        # Levels that crowd towards the massive end, where the number falls steeply.
        "mass_levels": (tail := 1 - 10.0 ** -np.linspace(0, np.log10(above.size), 80)).round(5).tolist(),
        "log_m_star": np.quantile(above, tail).round(3).tolist(),
        "centrals": by_class(log_c, values_c, NODES["centrals"]) | {"forming_share": np.round(share, 3).tolist()},
        "satellites": by_class(log_s, values_s, NODES["satellites"])
        | {
            # Of the constant, x, x^2, y, y^2, x y, d with x = log M* - 10.5, y = log M200 of the group - 13.3 and
            # d = log10 of the distance from its centre in r200.
            "forming_logit": logistic(np.column_stack([x, x**2, y, y**2, x * y, distance]), forming_s),
            "distance": np.quantile(distance, LEVELS).round(3).tolist(),
        },
        "members": members(rows, folder),
        "metals": metals(rows),
        "concentration": concentrations(folder),
    }
    path = Path(__file__).parent / "src" / "mocktng" / "data" / "tng100.json"
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size, {k: out[k] for k in ("members", "concentration")})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
