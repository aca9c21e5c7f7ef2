"""The networks of chapter 19, trained again with other seeds on the same galaxies.

The chapter trains one network in each universe, and its error bars are those of the test galaxies. Here each is
trained with further seeds, which change its first weights, the order of its batches and, for the mixture, the universe
that each galaxy is taken from, and nothing else. The folder ``build`` holds ``embedded-quick``, the book.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from dmlib.bootstrap import Estimate
from dmlib.evaluation.robustness import Robustness, read_robustness
from dmlib.evaluation.transfer import SCHEDULES, TARGETS, WAYS, _networks
from dmlib.evaluation.universes import KINDS, observe_all
from dmlib.settings import Settings

#: Seeds of the trainings beside that of the book.
SEEDS = (2, 3, 4, 5)

#: Numbers of the chapter that depend on trainings, by their id, as functions of the product.
QUOTED: dict[str, Callable[[Robustness], Estimate | float]] = {
    "rob-network-mean-all": lambda found: found.abroad("network"),
    **{
        f"rob-network-mean-{kind.replace(' ', '-')}": partial(Robustness.abroad, method="network", kinds=(kind,))
        for kind in KINDS[1:]
    },
    "rob-network-mean-accepted": lambda found: found.abroad("network", like="rotation"),
    "rob-network-less-rotation": lambda found: found.abroad_less("network", "rotation"),
    "rob-inner-inner-halo": lambda found: found.abroad("network", "inner", kinds=("inner halo",)),
    "rob-large": lambda found: float(found.large().sum()),
    "rob-silent": lambda found: float(found.silent().sum()),
    **{
        f"rob-gain-{way}-{kind}": partial(Robustness.gain_over, targets=targets, way=way)
        for way in (*WAYS[1:3], "target")
        for kind, targets in {"observation": TARGETS[:2], "haloes": TARGETS[2:]}.items()
    },
}


def measure(build_root: Path) -> dict:
    """Scatter over seeds of what the chapter quotes, and of the error at home."""
    settings = Settings(build_root=str(build_root))
    book = read_robustness(settings.robustness_path)
    found = [book, *trained_again(settings, book)]
    home = np.stack([np.diagonal(each.errors("network").value) for each in found])
    ratios = np.stack([each.ratio("network").value for each in found])
    away = ~np.eye(len(book.names), dtype=bool)
    return {
        "galaxies": dict(book.galaxies),
        "universes": len(book.names),
        "epochs": SCHEDULES[settings.profile].epochs,
        "seeds": [settings.seed, *SEEDS],
        "error_at_home": {
            "by_seed": home.mean(axis=1).tolist(),
            "relative_scatter_of_one_training": _scatter(home / home.mean(axis=0)),
        },
        "ratio_of_one_pair": {"relative_scatter": _scatter((ratios / ratios.mean(axis=0))[:, away])},
        "quoted": {name: _over_seeds([value(each) for each in found]) for name, value in QUOTED.items()},
    }


def trained_again(settings: Settings, book: Robustness) -> Iterator[Robustness]:
    """The product with the networks of each further seed in place of its own."""
    with tempfile.TemporaryDirectory() as folder:
        observed, blocks = observe_all(settings, Path(folder) / settings.robustness_path.name)
        np.save(blocks.folder / "inputs.npy", observed.inputs)
        tests = observed.rows("test")
        if not np.array_equal(observed.truth[:, tests], book.truth):
            raise ValueError("the galaxies are not those of the book: build it anew with this code")
        small = replace(observed, inputs=np.empty(0))
        for seed in SEEDS:
            masses, sigma = np.full_like(book.masses["network"], np.nan), np.full_like(book.masses["network"], np.nan)
            alarm = np.full_like(book.alarms["latent"], np.nan)
            adapted = {way: np.full_like(values, np.nan) for way, values in book.adapted.items()}
            again = settings.model_copy(update={"seed": seed})
            for lesson, result in _networks(again, small, blocks.folder / "inputs.npy", None):
                if lesson.way == "plain":
                    masses[lesson.universe], sigma[lesson.universe] = result["m_dm"], result["sigma_ln"]
                    alarm[lesson.universe] = result["alarm"]
                else:
                    adapted[lesson.way][TARGETS.index(observed.names[lesson.universe])] = result["m_dm"]
            yield replace(
                book,
                masses=dict(book.masses) | {"network": masses},
                sigma_ln=dict(book.sigma_ln) | {"network": sigma},
                alarms=dict(book.alarms) | {"latent": alarm},
                adapted=adapted,
            )
        blocks.remove()


def _over_seeds(found: Sequence[Estimate | float]) -> dict:
    """Mean over seeds, its error, and the scatter of one seed; the error from the choice of galaxies, which is common.

    The last is that of the first training, the book's.
    """
    galaxies = {"error_of_galaxies": float(found[0].error)} if isinstance(found[0], Estimate) else {}
    values = [float(one.value) if isinstance(one, Estimate) else one for one in found]
    scatter = float(np.std(values, ddof=1))
    return {
        "by_seed": values,
        "mean": float(np.mean(values)),
        "error_of_mean": scatter / len(values) ** 0.5,
        "scatter": scatter,
    } | galaxies


def _scatter(relative: np.ndarray) -> float:
    """R.m.s. over columns of the standard deviation over seeds (rows)."""
    return float(np.sqrt(np.mean(np.var(relative, axis=0, ddof=1))))
