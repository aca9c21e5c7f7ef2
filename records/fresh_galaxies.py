"""The posteriors of chapter 13 on galaxies of another seed, which nothing was fitted to, chosen on or looked at before.

A third of the book's test galaxies is too few to tell 68 per cent from 60. Here are ten times as many, of the same
generator. The folder ``build`` holds ``embedded-quick``, the book, and ``seed-2``, written by
``DMLIB_BUILD=build/seed-2 dmlib run --seed 2 --only dataset --no-book``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold

from dmlib.bootstrap import Bootstrap, Estimate
from dmlib.dataset.read import DataSet, ln_mass, read_dataset
from dmlib.evaluation import bins, posteriors
from dmlib.evaluation.posteriors import LEVEL, energy_score, inside, rank_of_truth
from dmlib.evaluation.scores import REGIONS
from dmlib.networks.models import read_ensemble
from dmlib.networks.plan import POSTERIOR
from dmlib.settings import Settings

#: Properties by which the views are divided into thirds.
BY = {"inclination": "inclination", "stellar_mass": "log m_star", "gas": "log gas fraction"}

#: A stretch that depends on the stated width: its powers that are tried; 0 is the same stretch for all.
POWERS = (-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1)


def measure(build_root: Path) -> dict:
    """Coverage on the fresh galaxies, by radius and in thirds, and what a stretch that depends on the width does."""
    settings = Settings(build_root=str(build_root))
    book = read_dataset(settings.dataset_path)
    fresh = read_dataset(build_root / "seed-2" / settings.build.name / settings.dataset_path.name)
    networks = read_ensemble(settings.models_dir, POSTERIOR)
    ln_m, galaxy = ln_mass(book.dm_profile), np.asarray(book.table["subhalo_id"])
    parts = {
        "calibration": (book, posteriors.rows_of_calibration(book)),
        "fresh": (fresh, np.arange(len(fresh))),
    }
    members = posteriors.trained_members(networks, book, settings.seed)
    for member in members:
        for part, (dataset, rows) in parts.items():
            member.look(part, rows, None if dataset is book else dataset)
    rows = parts["calibration"][1]
    bootstrap = Bootstrap(galaxy[rows])
    found: dict = {"galaxies": fresh.n_galaxies, "views": len(fresh), "calibration_galaxies": bootstrap.n_galaxies}
    for kind in posteriors.KINDS:
        factor, luck = posteriors.calibrate(members, kind, "calibration", ln_m[rows], bootstrap)
        found[kind] = {
            "factor": factor,
            "luck_of_factor": luck,
            **_coverage(fresh, posteriors.draws_of(members, kind, "fresh", factor), luck),
            "by_width": _by_width(book, rows, posteriors.draws_of(members, kind, "calibration", 1.0), networks[0].std),
        }
    return found | {"numbers": numbers_of(found), "rows": rows_of(found)}


def numbers_of(found: dict) -> dict[str, dict]:
    """What the chapter quotes."""
    numbers = {}
    for kind in posteriors.KINDS:
        one = found[kind]
        every = [part for parts in one["thirds"].values() for part in parts]
        worst = max(every, key=lambda part: abs(part["coverage"]["value"] - LEVEL))
        gas, whole, several = one["thirds"]["gas"][-1], found["galaxies"], found["calibration_galaxies"]
        share = "Share in the 68% interval, galaxies of another seed"
        off = "Largest deviation from 68%, galaxies of another seed"
        chance = {"value": one["chance"], "error": None}
        for name, number, n, say in (
            ("within", one["coverage"], whole, share),
            ("off", _with_luck(one), whole, f"{share} less 68%; error of them and of those that set the factor"),
            ("chance", chance, whole, f"{off}, at any radius, 95th percentile if all were right"),
            ("gas", gas["coverage"], gas["galaxies"], f"{share}, third richest in gas"),
            ("worst", _off(one["worst_radius"]), whole, f"{off}, at any radius"),
            ("third", _off(worst["coverage"]), worst["galaxies"], f"{off}, in any third by inclination, mass or gas"),
            ("width", one["by_width"]["energy_less_one"], several, "Energy score, stretch by width less one for all"),
        ):
            both = {"value": number["value"], "error": number["error"]}
            numbers[f"{name}-{kind}"] = both | {"n": n, "statement": f"{say}, {kind}"}
    return numbers


def rows_of(found: dict) -> list[dict]:
    """The chapter's table: coverage in each third."""
    return [
        {"third by": f"{name.replace('_', ' ')}: {place}", "galaxies": found["flow"]["thirds"][name][k]["galaxies"]}
        | {
            kind: "{value:.3f} ± {error:.3f}".format(**found[kind]["thirds"][name][k]["coverage"])
            for kind in reversed(posteriors.KINDS)
        }
        for name in BY
        for k, place in enumerate(("low", "middle", "high"))
    ]


def _with_luck(one: dict) -> dict[str, float]:
    """Coverage over all radii less `LEVEL`, with the error that is due to the choice of the galaxies of the factor."""
    share = one["coverage"]
    return {"value": share["value"] - LEVEL, "error": float(np.hypot(share["error"], one["luck_of_factor"]))}


def _off(share: dict) -> dict[str, float]:
    return {"value": abs(share["value"] - LEVEL), "error": share["error"]}


def _coverage(dataset: DataSet, draws: np.ndarray, luck: float) -> dict:
    """Share of the truth in the intervals: over all radii, at the worst, and in thirds of the views.

    Of posteriors that are right, with a factor that galaxies like those that set it leave uncertain by `luck`, one in
    twenty deviates at some radius by more than ``chance``.
    """
    truth, bootstrap = ln_mass(dataset.dm_profile), Bootstrap(np.asarray(dataset.table["subhalo_id"]))
    within = inside(rank_of_truth(truth, draws), LEVEL)
    share, at_radii = np.nanmean(within, axis=1), bootstrap.mean(within)
    worst = int(np.abs(at_radii.value - LEVEL).argmax())
    low, high = np.quantile(draws, [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL], axis=0)
    middle = (dataset.radii >= REGIONS["intermediate"][0]) & (dataset.radii <= REGIONS["intermediate"][1])
    off = (truth - np.median(draws, axis=0))[:, middle]
    numbers = {"coverage": share, "offset": off.mean(axis=1), "error": np.abs(off).mean(axis=1)}
    numbers["half_width"] = 0.5 * (high - low)[:, middle].mean(axis=1)
    kind = bins.properties(dataset, np.arange(len(dataset)))
    thirds = {name: bins.thirds(kind[column]) for name, column in BY.items()}
    return {
        "coverage": _pair(bootstrap.mean(share)),
        "worst_radius": _pair(Estimate(*(np.asarray(part)[worst] for part in vars(at_radii).values()))),
        "worst_radius_kpc": float(dataset.radii[worst]),
        "chance": bootstrap.largest_by_chance(within, common=luck),
        "thirds": {
            name: [
                {"galaxies": len(np.unique(bootstrap.subhalo_id[third == k]))}
                | {label: _pair(bootstrap.mean(values, third == k)) for label, values in numbers.items()}
                for k in range(3)
            ]
            for name, third in thirds.items()
        },
    }


def _by_width(dataset: DataSet, rows: np.ndarray, draws: np.ndarray, scale: np.ndarray) -> dict:
    """A stretch by a power of the stated width beside one for all, cross-validated on the calibration galaxies.

    Draws of ln M are stretched about their median; the power is that of the smallest energy score.
    """
    truth, table = ln_mass(dataset.dm_profile)[rows], dataset.table[rows]
    middle = np.median(draws, axis=0)
    low, high = np.quantile(draws, [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL], axis=0)
    z = np.abs(truth - middle) / np.where(truth > middle, high - middle, middle - low)
    width = (high - low).mean(axis=1)
    width /= np.median(width)

    def score(stretch: np.ndarray, some: np.ndarray) -> np.ndarray:
        stretched = middle[some] + stretch[:, None] * (draws[::4, some] - middle[some])
        return energy_score(truth[some], stretched, scale)

    scores = {name: np.empty(len(rows)) for name in ("one", "power")}
    chosen = []
    for fit, held in GroupKFold(5).split(z, groups=np.asarray(table["group_id"])):
        tried = {p: np.nanquantile(z[fit] / width[fit, None] ** p, LEVEL) for p in POWERS}
        best = min(POWERS, key=lambda p: score(tried[p] * width[fit] ** p, fit).mean())
        chosen.append(best)
        scores["one"][held] = score(np.full(len(held), tried[0.0]), held)
        scores["power"][held] = score(tried[best] * width[held] ** best, held)
    bootstrap = Bootstrap(np.asarray(table["subhalo_id"]))
    return {
        "powers": chosen,
        "energy": _pair(bootstrap.mean(scores["one"])),
        "energy_less_one": _pair(bootstrap.difference(scores["power"], scores["one"])),
    }


def _pair(found: Estimate) -> dict[str, float]:
    return {key: float(getattr(found, key)) for key in ("value", "error", "low", "high")}
