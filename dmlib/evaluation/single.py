"""Single galaxies: which to show, whether the views of one agree, and groups of views."""

from __future__ import annotations

import numpy as np

from .scores import Scores

#: Subhaloes of TNG100-1 whose profiles the talk shows.
OF_THE_TALK = (108013, 60744)

#: Ranks of the galaxies shown for other simulations, by error among all test galaxies: an easy and a hard one.
GOOD, HARD = 0.2, 0.9


def errors_of_galaxies(scores: Scores, name: str, region: str = "intermediate") -> tuple[np.ndarray, np.ndarray]:
    """Mean |dM/M| of each galaxy over its views and the radii of a region.

    Returns
    -------
    subhalo_id, error : ndarray, shape (g,)
    """
    values = np.nanmean(scores.views(name)[:, scores.columns(region)], axis=1)
    ids, member = np.unique(scores.subhalo_id, return_inverse=True)
    return ids, np.bincount(member, values) / np.bincount(member)


def choose_two(scores: Scores, name: str, *, talk: bool) -> dict[str, int]:
    """Choose two galaxies to show.

    Those of the talk where both are among the test galaxies; otherwise the galaxies at ranks `GOOD` and `HARD` of the
    mean |dM/M| at intermediate radii. The rule uses the truth of test galaxies, only for this illustration.

    Parameters
    ----------
    scores : Scores
    name : str
        Prediction whose error ranks the galaxies.
    talk : bool
        Whether the simulation is the talk's, TNG100-1.

    Returns
    -------
    dict of int
        Description of the galaxy -> subhalo id.
    """
    ids, error = errors_of_galaxies(scores, name)
    if talk and np.isin(OF_THE_TALK, ids).all():
        return {f"subhalo {number} of the talk": number for number in OF_THE_TALK}
    order = ids[np.argsort(error)]
    ranks = {"a good one": GOOD, "a hard one": HARD}
    return {title: int(order[round(rank * (len(order) - 1))]) for title, rank in ranks.items()}


def typical_view(scores: Scores, name: str, subhalo_id: int) -> int:
    """Row of the view of a galaxy with the median error at intermediate radii."""
    rows = np.flatnonzero(scores.subhalo_id == subhalo_id)
    error = np.nanmean(scores.views(name)[rows][:, scores.columns("intermediate")], axis=1)
    return int(rows[np.argsort(error)[len(rows) // 2]])


def share_of_views(values: np.ndarray, subhalo_id: np.ndarray) -> np.ndarray:
    """Fraction of the variance of an error between the views of one galaxy; the rest is between galaxies.

    Parameters
    ----------
    values : ndarray, shape (n, r)
    subhalo_id : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (r,)
        0 when all views of a galaxy have the same error (due to the galaxy), 1 when they have nothing in common (due to
        the view). From a one-way analysis of variance.
    """
    ids, member, count = np.unique(subhalo_id, return_inverse=True, return_counts=True)
    sums = np.zeros((len(ids), values.shape[1]))
    np.add.at(sums, member, values)
    means = sums / count[:, None]
    within = ((values - means[member]) ** 2).sum(axis=0) / max(len(values) - len(ids), 1)
    among = (count[:, None] * (means - values.mean(axis=0)) ** 2).sum(axis=0) / max(len(ids) - 1, 1)
    galaxies = np.maximum(among - within, 0.0) / count.mean()
    return within / (within + galaxies)


def groups_of_views(
    kind: dict[str, np.ndarray], subhalo_id: np.ndarray, disturbed: np.ndarray | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """Groups of views whose errors are compared.

    Parameters
    ----------
    kind : dict of ndarray
        See `bins.properties`.
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
    groups = {"place in the group": {"central": ~satellite, "satellite": satellite}}
    if disturbed is not None:
        upset = disturbed[subhalo_id]
        groups["gas (truth)"] = {"in order": ~upset, "disturbed": upset}
    return groups
