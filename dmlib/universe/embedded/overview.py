"""The population at a glance: how many of what, and which galaxies to look at first."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from .population import Population, passes


def examples(subhalos: np.ndarray) -> dict[str, int]:
    """Rows of galaxies that show the variety: what to look at first.

    Returns
    -------
    dict of int
        Title -> row (the subhalo id): a quiet spiral, a barred, a warped, a disturbed and a quenched galaxy; of each
        kind the one with the most star particles, below 1.5e11 Msun of stars.
    """
    s = subhalos
    central = (s["kind"] == "central") & (s["m_star"] < 1.5e11)
    forming = central & ~s["quenched"] & (s["m_hi"] > 2e9) & (s["bulge_fraction"] < 0.5)
    quiet = forming & (s["disturbed"] == "") & (s["warp_amplitude"] < 5.0)
    chosen = {
        "spiral": quiet & (s["bar_strength"] == 0.0) & (s["spiral_amplitude"] > 0.4),
        "barred spiral": quiet & (s["bar_strength"] > 0.3),
        "warped disc": forming & (s["disturbed"] == "") & (s["warp_amplitude"] > 10.0),
        "disturbed": forming & (s["disturbed"] != ""),
        "quenched": central & s["quenched"] & (s["bulge_fraction"] > 0.5),
    }
    return {
        title: int(np.flatnonzero(mask)[np.argmax(s["n_star"][mask])]) for title, mask in chosen.items() if mask.any()
    }


def census(population: Population) -> Table:
    """What the universe holds, kind by kind, and how many of each the paper's selection keeps (as planned).

    Returns
    -------
    astropy.table.Table
        Columns kind, number, selected (masked for groups).
    """
    s, g = population.subhalos, population.groups
    kinds = {
        "FoF groups": None,
        "groups without a subhalo": None,
        "centrals": s["kind"] == "central",
        "satellites (SubhaloParent = 0)": (s["kind"] == "satellite") & (s["parent_rank"] == 0),
        "sub-subhaloes (SubhaloParent > 0)": s["parent_rank"] != 0,
        "fragments (SubhaloFlag false)": s["kind"] == "fragment",
    }
    kept = passes(s)
    counts = [int(mask.sum()) if mask is not None else 0 for mask in kinds.values()]
    counts[:2] = len(g), int((g["n_subs"] == 0).sum())
    selected = [int((mask & kept).sum()) if mask is not None else 0 for mask in kinds.values()]
    table = Table({"kind": list(kinds), "number": counts, "selected": selected}, masked=True)
    table["kind"].format = "<"
    table["selected"].mask[:2] = True
    return table
