"""A network asked about some views: slopes, maps and what they come to, as the chapter on saliency needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..dataset.read import DataSet
from . import attention, saliency, skies
from .models import Network

#: Training views at most from which the typical spread of a pixel is measured (each in eight orientations).
SPREAD_VIEWS = 900


@dataclass(frozen=True)
class Asked:
    """A network, the views that it is asked about, and the slopes of all outputs.

    Parameters
    ----------
    net : Network
    dataset : DataSet
    rows : ndarray of int, shape (n,)
        Of the data set.
    inputs : ndarray, shape (n, y, x, channel)
    outputs : list of int
        The outputs that are compared.
    slopes : ndarray, shape (n, all outputs, y, x, channel)
        d(ln M)/d(input).
    spread : ndarray, shape (y, x, channel)
        Standard deviation of each pixel over the training views, `attention.typical_spread`.
    """

    net: Network
    dataset: DataSet
    rows: np.ndarray
    inputs: np.ndarray
    outputs: list[int]
    slopes: np.ndarray
    spread: np.ndarray

    @property
    def radii(self) -> np.ndarray:
        """Radii of the outputs that are compared [kpc]."""
        return self.dataset.radii[self.outputs]

    @property
    def galaxy(self) -> np.ndarray:
        """Galaxy of each view."""
        return np.asarray(self.dataset.table["subhalo_id"])[self.rows]

    @property
    def n(self) -> int:
        """Galaxies."""
        return len(np.unique(self.galaxy))

    @property
    def channels(self) -> tuple[str, ...]:
        """Of the inputs."""
        return self.net.channels

    @property
    def groups(self) -> dict[str, list[int]]:
        """Channels by what they show."""
        return attention.groups(self.channels)

    @property
    def weighted(self) -> np.ndarray:
        """Sizes of the slopes times what a pixel typically differs by, shape of `slopes`."""
        return np.abs(self.slopes) * self.spread.astype(np.float32)

    @property
    def seen(self) -> np.ndarray:
        """Pixels with HI, shape (n, y, x)."""
        return self.dataset.hi(self.rows)[..., 0] > 0

    def typical(self, inclination: float = 55.0, among: int | None = None) -> int:
        """A view with much HI near some inclination [deg], among the first ones; number in `rows`."""
        table = self.dataset.table[self.rows[:among]]
        gas = table["m_hi"].value
        return int(
            (np.abs(table["inclination"].to_value("deg") - inclination) + 90.0 * (gas < np.median(gas))).argmin()
        )


def ask(
    net: Network, dataset: DataSet, radii: Sequence[float], *, n_views: int | None = None, split: str = "test"
) -> Asked:
    """Ask a network about views of one side of the data set.

    Parameters
    ----------
    net : Network
    dataset : DataSet
    radii : sequence of float
        The outputs nearest to these radii [kpc] are compared.
    n_views : int, optional
        At most so many, from the first.
    split : str

    Raises
    ------
    NetworkError
        When network and data set do not belong together.
    SaliencyError
        See `saliency.gradient`.
    """
    net.check_dataset(dataset)
    rows = dataset.rows(split)[:n_views]
    inputs = dataset.inputs(rows, net.channels)
    outputs = [int(np.abs(dataset.radii - radius).argmin()) for radius in radii]
    slopes = saliency.gradient(net.model, inputs, range(len(dataset.radii)), scale=net.std)
    train = dataset.rows("train")
    spread = attention.typical_spread(dataset.inputs(train[:: -(-len(train) // SPREAD_VIEWS)], net.channels))
    return Asked(net, dataset, rows, inputs, outputs, slopes, spread)


def four_methods(asked: Asked, n: int, *, draws: int, steps: int, seed: int) -> dict[str, np.ndarray]:
    """Maps of the first `n` views by four methods, sizes, the largest over the channels; shape (n, k, y, x) each."""
    model, few, outputs = asked.net.model, asked.inputs[:n], asked.outputs
    how = {"scale": asked.net.std}
    lit, faint = skies.lit(few, asked.channels), skies.faint_sky(few, asked.channels)
    smooth = saliency.smooth_gradient(model, few, outputs, draws=draws, seed=seed, where=lit, **how)
    parts = saliency.integrated_gradient(model, few, outputs, baseline=faint, steps=steps, **how)
    return {
        "gradient": largest(asked.slopes[:n, outputs]),
        "SmoothGrad": largest(smooth),
        "integrated": largest(parts),
        "Grad-CAM": np.abs(saliency.grad_cam(model, few, outputs, **how)),
    }


def largest(slopes: np.ndarray) -> np.ndarray:
    """Largest size over the channels, as in the authors' scripts."""
    return np.abs(slopes).max(axis=-1)


def missed(asked: Asked, n: int, *, steps: int, empty: bool = False) -> float:
    """Share of the difference of two predictions that integrated gradients miss, median over `n` views and outputs.

    Parameters
    ----------
    empty : bool
        From an empty sky instead of the faint one.
    """
    few = asked.inputs[:n]
    base = skies.empty_sky(asked.channels) if empty else skies.faint_sky(few, asked.channels)
    how = {"baseline": base, "scale": asked.net.std}
    parts = saliency.integrated_gradient(asked.net.model, few, asked.outputs, steps=steps, **how)
    return float(np.median(saliency.incompleteness(asked.net.model, few, asked.outputs, parts, **how)))


def walk(asked: Asked, n: int, *, seed: int, every: int = 2) -> list[tuple[str, np.ndarray]]:
    """Gradient maps of `n` views as layers are made random from the output down; the learned ones first.

    Returns
    -------
    list of (layer, maps)
        Maps of shape (n, k, y, x) as `largest` makes them.
    """
    few = asked.inputs[:n]
    steps = saliency.cascade_gradients(asked.net.model, few, asked.outputs, seed=seed, every=every)
    return [("learned", largest(asked.slopes[:n, asked.outputs])), *((name, largest(s)) for name, s in steps)]


def stack(asked: Asked) -> dict[str, np.ndarray]:
    """Weighted slopes by group of channels, turned and scaled to the HI disc, mean share over views; (k, y, x) each."""
    table = asked.dataset.table[asked.rows]
    angle, m_hi = table["position_angle"].to_value("deg"), table["m_hi"].to_value("Msun")
    size = np.where(m_hi > 0, attention.hi_radius(np.maximum(m_hi, 1.0)), 0.0)
    good = np.isfinite(angle) & (size > 3.0)
    weighted = asked.weighted[good][:, asked.outputs]
    return {
        name: attention.shares(
            attention.align(weighted[..., k].sum(axis=-1), asked.dataset.grid, angle[good], size[good])
        ).mean(axis=0)
        for name, k in asked.groups.items()
    }


def axis_ratio(maps: np.ndarray, strip: int = 4) -> np.ndarray:
    """What lies along the horizontal axis over what lies along the vertical one, of maps (k, y, x); shape (k,)."""
    middle = maps.shape[-1] // 2
    band = slice(middle - strip, middle + strip)
    return maps[:, band].sum(axis=(1, 2)) / maps[:, :, band].sum(axis=(1, 2))


def half_radii(asked: Asked, group: str | None = None) -> np.ndarray:
    """Image radius that holds half of the weighted slopes of a group of channels (or of all), shape (n, outputs)."""
    chosen = list(range(len(asked.channels))) if group is None else asked.groups[group]
    size = np.einsum("nkyxc,yxc->nkyx", np.abs(asked.slopes[..., chosen]), asked.spread[..., chosen])
    return attention.median_radius(attention.by_ring(size, asked.dataset.grid))


def exchange_rings(asked: Asked, *, seed: int) -> np.ndarray:
    """Change of every output when one ring is another galaxy's, shape (n, all outputs, ring)."""
    change = attention.occlude(
        asked.net.model, asked.inputs, asked.dataset.grid, fill=strangers(asked, seed), scale=asked.net.std
    )
    return change.transpose(0, 2, 1)


def exchange_groups(asked: Asked, *, seed: int) -> dict[str, np.ndarray]:
    """Root mean square change of every output when one kind of input is another galaxy's, shape (all outputs,) each."""
    changes = {}
    for name, k in asked.groups.items():
        altered = asked.inputs.copy()
        altered[..., k] = strangers(asked, seed)[..., k]
        model, std = asked.net.model, asked.net.std
        change = (saliency.predicted(model, altered) - saliency.predicted(model, asked.inputs)) * std
        changes[name] = np.sqrt((change**2).mean(axis=0))
    return changes


def strangers(asked: Asked, seed: int) -> np.ndarray:
    """For each view a view of another galaxy, shape of the inputs."""
    rng = np.random.default_rng(seed)
    galaxy = asked.galaxy
    order = np.array([rng.choice(np.flatnonzero(galaxy != one)) for one in galaxy])
    return asked.inputs[order]


def particular(matrix: np.ndarray) -> np.ndarray:
    """A matrix (output, ring) with rows summing to 1, over the mean row: what is particular to each output."""
    matrix = attention.row_shares(matrix)
    return matrix / matrix.mean(axis=0)
