"""Relations of real TNG100-1 galaxies, from which the properties of a universe's galaxies are drawn jointly.

``data/tng100.json`` holds, for centrals and for satellites of massive groups, and in each for galaxies that form at
least 0.1 Msun/yr of stars and for the others, the distribution of several properties at fixed stellar mass: at nodes in
log M*, quantiles of each property about a local slope and the rank correlations of all.
It was measured by ``mocktng/calibrate.py`` on catalogue rows (Nelson et al. 2019), which are not part of the package.

A draw takes correlated normal scores (a Gaussian copula), turns them into quantile levels and reads each property from
its table. Medians, scatters and rank correlations at fixed stellar mass are those of TNG100. What a Gaussian copula
does not keep are dependences of another shape, for instance two populations that overlap in every single property.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

#: log10 of the star-formation rate that stands for none; quantiles below `NO_SFR` + 1 count as none.
NO_SFR = -5.0


@cache
def table() -> dict[str, Any]:
    """Content of ``data/tng100.json``."""
    return dict(json.loads((resources.files("mocktng") / "data" / "tng100.json").read_text(encoding="utf-8")))


def central_stellar_masses(rng: np.random.Generator, n: int) -> np.ndarray:
    """Stellar masses of centrals above 10^9.6 Msun [Msun], shape (n,), as numerous as in the whole box."""
    return 10 ** np.interp(rng.random(n), table()["mass_levels"], table()["log_m_star"])


def satellite_numbers(rng: np.random.Generator, m_host: np.ndarray) -> np.ndarray:
    """Number of satellites above 10^9.7 Msun of stars in groups of mass `m_host` [Msun], with Poisson noise."""
    fit, log_m = table()["members"], np.log10(m_host)
    mean = 10 ** np.interp(log_m, fit["log_m_of_number"], fit["log_number"])
    return rng.poisson(np.where(log_m < fit["log_m_of_number"][0], 0.0, mean))


def satellite_stellar_masses(rng: np.random.Generator, m_host: np.ndarray) -> np.ndarray:
    """Stellar mass of one satellite of each of the groups [Msun], above 10^9.7."""
    fit, levels = table()["members"], table()["levels"]
    row = _nearest_node(rng, np.log10(m_host), np.array(fit["log_m_host"]))
    u = rng.random(len(m_host))
    return 10 ** np.array([np.interp(x, levels, fit["log_m_star"][i]) for x, i in zip(u, row, strict=True)])


def stellar_metallicity(m_star: np.ndarray) -> np.ndarray:
    """Median metal mass fraction of the stars of a galaxy of stellar mass `m_star` [Msun]."""
    fit = table()["metals"]
    return 10 ** np.interp(np.log10(m_star), fit["log_m_star"], fit["log_z"])


def concentration(m200: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of log10 c200c and its scatter [dex] in the run without baryons: Anbajagane et al. (2022)."""
    fit, log_m = table()["concentration"], np.log10(m200)
    return np.interp(log_m, fit["log_m200"], fit["log_c"]), np.interp(log_m, fit["log_m200"], fit["scatter"])


def forms_stars(rng: np.random.Generator, m_star: np.ndarray) -> np.ndarray:
    """Whether centrals form at least 0.1 Msun/yr, bool of shape (n,), at their stellar masses [Msun]."""
    fit = table()["centrals"]
    return rng.random(len(m_star)) < np.interp(np.log10(m_star), fit["forming"]["nodes"], fit["forming_share"])


def satellite_places(rng: np.random.Generator, m_star: np.ndarray, m_host: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of satellites from the centre of their group, and which of them form at least 0.1 Msun/yr.

    Parameters
    ----------
    rng : Generator
    m_star, m_host : ndarray, shape (n,)
        Of the satellite, and M200 of its group [Msun].

    Returns
    -------
    distance : ndarray, shape (n,)
        r200.
    forming : ndarray of bool, shape (n,)
    """
    fit = table()["satellites"]
    distance = np.interp(rng.random(len(m_star)), table()["levels"], fit["distance"])
    x, y = np.log10(m_star) - 10.5, np.log10(m_host) - 13.3
    terms = np.stack([np.ones_like(x), x, x**2, y, y**2, x * y, distance])
    return 10**distance, rng.random(len(x)) < 1.0 / (1.0 + np.exp(-np.array(fit["forming_logit"]) @ terms))


def draw(
    rng: np.random.Generator,
    kind: str,
    m_star: np.ndarray,
    forming: np.ndarray,
    known: dict[str, np.ndarray] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draw the properties of galaxies at given stellar mass.

    Parameters
    ----------
    rng : Generator
    kind : {"centrals", "satellites"}
    m_star : ndarray, shape (n,)
        Msun.
    forming : ndarray of bool, shape (n,)
        Whether at least 0.1 Msun/yr of stars form; the two classes have distributions of their own.
    known : dict of ndarray, optional
        Properties that are given (log10 of their values, but for colours); the others are drawn conditionally on them.

    Returns
    -------
    values : dict of ndarray, shape (n,)
        ``m_dm``, ``m_gas``, ``m_bh`` (bound), ``m_dm_half`` and ``m_gas_half`` (within the stellar half-mass radius)
        [Msun], ``r_half`` [kpc], ``sfr`` [Msun/yr], ``v_max`` [km/s], ``g_r`` and ``r_k`` [mag]; of centrals ``disc``,
        the kinematic disc fraction; of satellites ``m_host`` [Msun], the mass of the group, and ``distance`` from its
        centre [r200].
    scores : dict of ndarray, shape (n,)
        Normal scores of the same properties at fixed stellar mass and class.
    """
    names = table()[kind]["forming"]["variables"]
    values, scores = ({name: np.empty(len(m_star)) for name in names} for _ in range(2))
    for name, mine in (("forming", forming), ("quiet", ~forming)):
        given = {key: x[mine] for key, x in (known or {}).items()}
        drawn = _draw_class(rng, table()[kind][name], np.log10(m_star[mine]), given)
        for k, key in enumerate(names):
            values[key][mine], scores[key][mine] = drawn[0][:, k], drawn[1][:, k]
    out = {name: x if name in ("g_r", "r_k", "disc") else 10**x for name, x in values.items()}
    out["sfr"] = np.where(values["sfr"] < NO_SFR + 1.0, 0.0, out["sfr"])
    return out, scores


def _draw_class(
    rng: np.random.Generator, fit: dict[str, Any], log_m: np.ndarray, known: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Values and normal scores of all variables, shape (n, n_variables)."""
    levels, nodes = np.array(table()["levels"]), np.array(fit["nodes"])
    quantiles, slopes = np.array(fit["quantiles"]), np.array(fit["slopes"])
    fixed = [fit["variables"].index(name) for name in known]
    rest = [k for k in range(len(fit["variables"])) if k not in fixed]
    node = _nearest_node(rng, log_m, nodes)
    score = rng.standard_normal((len(log_m), len(fit["variables"])))
    shift = slopes[node] * (log_m - nodes[node])[:, None]
    value = np.empty_like(score)
    for i in np.unique(node):
        mine = node == i
        correlation = np.array(fit["correlations"][i])
        for column, given in zip(fixed, known.values(), strict=True):
            level = np.interp((given - shift[:, column])[mine], quantiles[i, column], levels)
            score[mine, column] = ndtri(np.clip(level, levels[0], levels[-1]))
        weights = np.linalg.solve(correlation[np.ix_(fixed, fixed)], correlation[np.ix_(fixed, rest)])
        spread = correlation[np.ix_(rest, rest)] - correlation[np.ix_(rest, fixed)] @ weights
        vectors = np.linalg.cholesky(spread + 1e-6 * np.eye(len(rest)))
        score[np.ix_(mine, rest)] = score[np.ix_(mine, fixed)] @ weights + score[np.ix_(mine, rest)] @ vectors.T
        for k, table_of_k in enumerate(quantiles[i]):
            value[mine, k] = np.interp(ndtr(score[mine, k]), levels, table_of_k)
    return value + shift, score


def _nearest_node(rng: np.random.Generator, x: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """One of the two neighbouring nodes, the nearer the more often: a population changes smoothly between them."""
    low = np.clip(np.searchsorted(nodes, x) - 1, 0, nodes.size - 2)
    share = np.clip((x - nodes[low]) / (nodes[low + 1] - nodes[low]), 0.0, 1.0)
    return low + (rng.random(len(x)) < share)
