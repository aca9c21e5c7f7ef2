"""Where predictions fail: errors in bins of the properties of galaxies and of the line of sight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from astropy import units as u

from ..baselines.observables import asymmetry
from ..bootstrap import Bootstrap, Estimate
from ..dataset.read import DataSet

#: Values of each view by name, shape (n,) each: errors by method, properties, or masks of groups by label.
Arrays = Mapping[str, np.ndarray]

#: Fewest galaxies in a bin.
FEWEST = 5


@dataclass(frozen=True)
class Binned:
    """An error in bins of a property.

    Parameters
    ----------
    labels : tuple of str
        Of the bins with enough galaxies.
    centres : ndarray, shape (b,)
        Median of the property in each.
    estimate : Estimate, shape (b,)
        Mean of the error in each.
    n_galaxies : ndarray of int, shape (b,)
        With at least one view in the bin.
    """

    labels: tuple[str, ...]
    centres: np.ndarray
    estimate: Estimate
    n_galaxies: np.ndarray


def properties(dataset: DataSet, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Properties that may affect the error of a view.

    Parameters
    ----------
    dataset : DataSet
    rows : ndarray of int

    Returns
    -------
    dict of ndarray, shape (n,)
        ``inclination`` [deg], ``log m_star`` [dex, Msun], ``log m200`` [dex, Msun], ``log gas fraction`` (HI in the map
        over stars; -inf without HI), ``asymmetry hi`` (fraction of the HI that changes when the map is rotated by 180
        degrees; NaN without HI), ``satellite`` (0 or 1).
    """
    rows = np.asarray(rows, dtype=int)
    table = dataset.table[rows]
    stars, hydrogen = table["m_star"].to_value(u.Msun), table["m_hi"].to_value(u.Msun)
    sigma = np.nan_to_num(dataset.hi(rows)[..., 0], nan=0.0).reshape(len(rows), -1).astype(float)
    with np.errstate(divide="ignore"):
        return {
            "inclination": table["inclination"].to_value(u.deg),
            "log m_star": np.log10(stars),
            "log m200": np.log10(table["m200"].to_value(u.Msun)),
            "log gas fraction": np.log10(hydrogen / stars),
            "asymmetry hi": asymmetry(sigma, np.ones(sigma.shape[1], dtype=bool)),
            "satellite": 1.0 - np.asarray(table["is_true_central"], dtype=float),
        }


def binned(values: np.ndarray, by: np.ndarray, bins: int, bootstrap: Bootstrap) -> Binned:
    """Mean of `values` in bins of a property with equal numbers of views.

    Bins with fewer than `FEWEST` galaxies are left out.

    Parameters
    ----------
    values, by : ndarray, shape (n,)
        A view with a property of NaN lies in no bin.
    bins : int
    bootstrap : Bootstrap
        Of the same n views.
    """
    edges = np.quantile(by[np.isfinite(by)], np.linspace(0.0, 1.0, bins + 1))
    edges[0], edges[-1] = -np.inf, np.inf
    masks = {_range(low, high): (by >= low) & (by < high) for low, high in pairwise(edges)}
    return in_groups(values, masks, bootstrap, by)


def thirds(by: np.ndarray) -> np.ndarray:
    """0, 1 or 2: third of the views to which each belongs by a property, shape (n,)."""
    return np.digitize(by, np.quantile(by[np.isfinite(by)], [1.0 / 3.0, 2.0 / 3.0]))


def in_groups(values: np.ndarray, masks: Arrays, bootstrap: Bootstrap, by: np.ndarray | None = None) -> Binned:
    """Mean of `values` in groups of views, label -> mask; groups with fewer than `FEWEST` galaxies are left out."""
    counts = {k: len(np.unique(bootstrap.subhalo_id[mask & np.isfinite(values)])) for k, mask in masks.items()}
    labels = tuple(label for label, count in counts.items() if count >= FEWEST)
    centres = [np.nan if by is None else float(np.median(by[masks[label]])) for label in labels]
    found = Estimate.joined(bootstrap.mean(values, masks[label]) for label in labels)
    return Binned(labels, np.array(centres), found, np.array([counts[label] for label in labels], dtype=int))


def panels(
    values: Arrays, kind: Arrays, labels: Mapping[str, str], bins: int, bootstrap: Bootstrap
) -> dict[str, dict[str, Binned]]:
    """Errors of several methods in bins of several properties with equal numbers of views.

    Parameters
    ----------
    values : mapping
        Method -> error of each view, shape (n,).
    kind : mapping
        See `properties`.
    labels : mapping
        Property -> label.
    bins : int
    bootstrap : Bootstrap

    Returns
    -------
    dict
        Label of the property -> method -> error in bins.
    """
    return {
        label: {method: binned(error, kind[name], bins, bootstrap) for method, error in values.items()}
        for name, label in labels.items()
    }


def group_panels(values: Arrays, groups: Mapping[str, Arrays], bootstrap: Bootstrap) -> dict[str, dict[str, Binned]]:
    """The same for groups of views, title -> label -> mask; titles with a single group are left out."""
    found = {
        title: {method: in_groups(error, masks, bootstrap) for method, error in values.items()}
        for title, masks in groups.items()
    }
    return {title: methods for title, methods in found.items() if len(next(iter(methods.values())).labels) > 1}


def upper_less_lower(values: np.ndarray, by: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Mean of `values` where a property is above its median minus the mean where it is below, draw by draw."""
    middle = np.median(by[np.isfinite(by)])
    return bootstrap.contrast(values, by > middle, by <= middle)


def share_of_views(values: np.ndarray, bootstrap: Bootstrap, over: np.ndarray | None = None) -> Estimate:
    """Fraction of the variance of an error between the views of one galaxy; the rest is between galaxies.

    Parameters
    ----------
    values : ndarray, shape (n, r)
    bootstrap : Bootstrap
        Of the same n views.
    over : ndarray of bool, shape (r,), optional
        Radii over which the fraction is averaged.

    Returns
    -------
    Estimate, shape (r,), or one number for `over`
        0 when all views of a galaxy have the same error (due to the galaxy), 1 when they have nothing in common (due to
        the view). From a one-way analysis of variance.
    """
    ids, member = np.unique(bootstrap.subhalo_id, return_inverse=True)
    alone = np.eye(len(ids))[member].T
    means = alone @ values / alone.sum(axis=1, keepdims=True)

    def share(weights: np.ndarray) -> np.ndarray:
        views, galaxies = weights.sum(), (weights / alone.sum(axis=1)[member]).sum()
        within = weights @ (values - means[member]) ** 2 / max(views - galaxies, 1)
        middle = weights @ values / views
        among = weights @ (means[member] - middle) ** 2 / max(galaxies - 1, 1)
        found = within / (within + np.maximum(among - within, 0.0) / (views / galaxies))
        return found if over is None else np.nanmean(found[over])

    return bootstrap.of(share)


def groups_of_views(kind: Arrays, subhalo_id: np.ndarray, disturbed: np.ndarray | None = None) -> dict[str, Arrays]:
    """Groups of views whose errors are compared.

    Parameters
    ----------
    kind : dict of ndarray
        See `properties`.
    subhalo_id : ndarray of int
        Of each view.
    disturbed : ndarray of bool, optional
        Whether each subhalo of the catalogue has disturbed gas, where that is known.

    Returns
    -------
    dict
        Title -> label -> mask: satellites and centrals, and, where known, disturbed and regular gas.
    """
    satellite = kind["satellite"] > 0
    groups: dict[str, Arrays] = {"place in the group": {"central": ~satellite, "satellite": satellite}}
    if disturbed is not None:
        upset = disturbed[subhalo_id]
        groups["gas (truth)"] = {"in order": ~upset, "disturbed": upset}
    return groups


def _range(low: float, high: float) -> str:
    if not np.isfinite(low):
        return f"< {high:.3g}"
    if not np.isfinite(high):
        return f"> {low:.3g}"
    return f"{low:.3g} to {high:.3g}"
