"""Single galaxies: which to show, whether views of one agree, and which are out of order."""

from __future__ import annotations

import numpy as np

from .. import embedded
from ..settings import Settings
from .scores import Scores

#: Subhaloes of TNG100-1 whose profiles the talk shows.
OF_THE_TALK = (108013, 60744)

#: Ranks of the galaxies that stand for them elsewhere: the error of a good and of a hard one among all tested.
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


def choose_two(scores: Scores, name: str, universe: str) -> dict[str, int]:
    """Two galaxies to look at, by a rule.

    On TNG those of the talk where both are among the tested; otherwise the galaxies at ranks `GOOD` and `HARD` of the
    mean |dM/M| at intermediate radii. The rule uses the truth of test galaxies, for nothing but this illustration.

    Parameters
    ----------
    scores : Scores
    name : str
        Prediction by whose error galaxies are ranked.
    universe : str
        ``embedded``, ``files`` or ``api``.

    Returns
    -------
    dict of int
        What the galaxy is, and its subhalo id.
    """
    ids, error = errors_of_galaxies(scores, name)
    if universe != "embedded" and np.isin(OF_THE_TALK, ids).all():
        return {f"subhalo {number} of the talk": number for number in OF_THE_TALK}
    order = ids[np.argsort(error)]
    ranks = {"a good one": GOOD, "a hard one": HARD}
    return {title: int(order[round(rank * (len(order) - 1))]) for title, rank in ranks.items()}


def typical_view(scores: Scores, name: str, subhalo_id: int) -> int:
    """Row of the view of a galaxy whose error at intermediate radii is in the middle of its views."""
    rows = np.flatnonzero(scores.subhalo_id == subhalo_id)
    error = np.nanmean(scores.views(name)[rows][:, scores.columns("intermediate")], axis=1)
    return int(rows[np.argsort(error)[len(rows) // 2]])


def share_of_views(values: np.ndarray, subhalo_id: np.ndarray) -> np.ndarray:
    """Share of the variance of an error that lies between the views of one galaxy, the rest between galaxies.

    Parameters
    ----------
    values : ndarray, shape (n, r)
    subhalo_id : ndarray of int, shape (n,)

    Returns
    -------
    ndarray, shape (r,)
        0 when the views of a galaxy always err alike (the galaxy is to blame), 1 when they have nothing in common (the
        view is). From the one-way analysis of variance; may leave these bounds by chance.
    """
    ids, member, count = np.unique(subhalo_id, return_inverse=True, return_counts=True)
    sums = np.zeros((len(ids), values.shape[1]))
    np.add.at(sums, member, values)
    means = sums / count[:, None]
    within = ((values - means[member]) ** 2).sum(axis=0) / max(len(values) - len(ids), 1)
    among = (count[:, None] * (means - values.mean(axis=0)) ** 2).sum(axis=0) / max(len(ids) - 1, 1)
    galaxies = np.maximum(among - within, 0.0) / count.mean()
    return within / (within + galaxies)


def disturbed(settings: Settings, subhalo_id: np.ndarray) -> np.ndarray | None:
    """Which galaxies have gas that is out of order, from the plan of the embedded universe; None for other universes.

    The network is never told. In real data such galaxies would have to be recognised by their asymmetry.
    """
    if settings.universe != "embedded":
        return None
    return embedded.disturbed(settings, subhalo_id)


def groups_of_views(settings: Settings, kind: dict[str, np.ndarray], subhalo_id: np.ndarray) -> dict[str, dict]:
    """Kinds of views among which errors are compared.

    Parameters
    ----------
    settings : Settings
    kind : dict of ndarray
        See `bins.properties`.
    subhalo_id : ndarray of int

    Returns
    -------
    dict
        Title -> label -> mask: by satellite, and, where known, by disturbance.
    """
    satellite = kind["satellite"] > 0
    groups = {"place in the group": {"central": ~satellite, "satellite": satellite}}
    upset = disturbed(settings, subhalo_id)
    if upset is not None:
        groups["gas (truth)"] = {"in order": ~upset, "disturbed": upset}
    return groups
