"""Summaries of saliency over many views: stacks, rings of the image, kinds of input, likeness."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.stats import spearmanr

from ..dataset.read import DataSet
from ..embedded import relations
from ..observe.sky import SkyGrid, central_part
from . import saliency
from .architectures.c import ring_weights
from .augment import N_ORIENTATIONS, orient
from .models import Network
from .saliency import Saliency

#: Maximum number of training views from which the spread of a pixel is measured (each in eight orientations).
SPREAD_VIEWS = 900

#: Views whose slopes for all outputs are held at a time.
VIEWS = 32

#: Edges of rings on the sky [kpc], as fine as pixels of 2 kpc allow at the centre; the image's corners are left out.
RING_EDGES = np.array([0.0, 2.0, 4.0, 6.0, 8.5, 12.0, 16.5, 22.0, 29.0, 38.0, 50.0, 64.0])


class Sensitivity:
    """A network's slopes for the test views.

    Parameters
    ----------
    net : Network
    dataset : DataSet
    radii : sequence of float
        The outputs nearest to these radii [kpc] are compared.
    n_views : int, optional
        Only the first views; default all.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Rows of the data set.
    inputs : ndarray, shape (n, y, x, channel)
    outputs : list of int
        Indices of the outputs that are compared.
    of_outputs : Saliency
        Saliency of these outputs.
    slopes : ndarray, shape (n, compared outputs, y, x, channel)
        d(ln M)/d(input).
    spread : ndarray, shape (y, x, channel)
        Typical difference between galaxies in each pixel, see `typical_spread`.
    mean : ndarray, shape (y, x, channel)
        Mean image of the training views in all orientations, for `hide_rings`.
    rings : ndarray, shape (n, all outputs, ring, channel)
        Sum of the absolute slopes, each times the `spread` of its pixel, in rings about the centre, see `by_ring`.
    plain_rings : ndarray, shape (n, all outputs, ring)
        The same of the absolute slopes alone, over all channels.
    total : ndarray, shape (all outputs, channel)
        Mean over views of the sum of the absolute slopes times the spread over the whole image.
    groups : dict
        Indices of the channels by kind of input, see `kinds`.
    galaxy : ndarray of int, shape (n,)
        Galaxy of each view.
    n : int
        Number of galaxies.

    Raises
    ------
    NetworkError
        When network and data set do not belong together.
    SaliencyError
        See `Saliency`.
    """

    def __init__(self, net: Network, dataset: DataSet, radii: Sequence[float], *, n_views: int | None = None) -> None:
        net.check_dataset(dataset)
        self.net, self.dataset = net, dataset
        self.rows = dataset.rows("test")[:n_views]
        self.inputs = dataset.inputs(self.rows, net.channels)
        self.outputs = [int(np.abs(dataset.radii - radius).argmin()) for radius in radii]
        self.of_outputs = Saliency(net.model, self.outputs, net.std)
        train = dataset.rows("train")
        some = dataset.inputs(train[:: -(-len(train) // SPREAD_VIEWS)], net.channels)
        self.spread = typical_spread(some)
        self.mean = np.mean([orient(some.mean(axis=0), element) for element in range(N_ORIENTATIONS)], axis=0)
        self._measure(Saliency(net.model, range(len(dataset.radii)), net.std))
        self.groups = kinds(net.channels)
        self.galaxy = np.asarray(dataset.table["subhalo_id"])[self.rows]
        self.n = len(np.unique(self.galaxy))

    @property
    def radii(self) -> np.ndarray:
        """Radii of the outputs that are compared [kpc]."""
        return self.dataset.radii[self.outputs]

    def _measure(self, every: Saliency) -> None:
        """Sum the slopes of all outputs over rings, some views at a time: all of them would need gigabytes."""
        spread, found = self.spread.astype(np.float32), []
        for start in range(0, len(self.inputs), VIEWS):
            slopes = every.gradient(self.inputs[start : start + VIEWS])
            compared = slopes[:, self.outputs]
            size = np.abs(slopes, out=slopes)
            plain = by_ring(size.sum(axis=-1), self.dataset.input_grid)
            size *= spread
            rings = np.stack([by_ring(size[..., c], self.dataset.input_grid) for c in range(size.shape[-1])], axis=-1)
            found.append((compared, rings, plain, size.sum(axis=(2, 3))))
        self.slopes, self.rings, self.plain_rings, total = map(np.concatenate, zip(*found, strict=True))
        self.total = total.mean(axis=0)

    @property
    def seen(self) -> np.ndarray:
        """Pixels with HI, shape (n, y, x)."""
        return central_part(self.dataset.hi(self.rows), self.dataset.input_grid.pixels)[..., 0] > 0

    def hide_rings(self, fill: np.ndarray) -> np.ndarray:
        """Change of every output when one ring of the image is hidden, shape (n, all outputs, ring).

        Parameters
        ----------
        fill : ndarray
            What is put in its place: the `mean` image, or `dmlib.networks.saliency.empty_sky`.
        """
        grid = self.dataset.input_grid
        change = saliency.occlude(self.net.model, self.inputs, grid, fill=fill, edges=RING_EDGES)
        return (change * self.net.std).transpose(0, 2, 1)

    def exchange_rings(self, seed: int) -> np.ndarray:
        """`hide_rings` with the ring of another galaxy in its place."""
        return self.hide_rings(self.strangers(seed))

    def exchange_groups(self, seed: int) -> dict[str, np.ndarray]:
        """R.m.s. change of each output when one kind of input is another galaxy's, name -> shape (all outputs,)."""
        other, before = self.strangers(seed), saliency.predicted(self.net.model, self.inputs)
        changes = {}
        for name, k in self.groups.items():
            altered = self.inputs.copy()
            altered[..., k] = other[..., k]
            change = (saliency.predicted(self.net.model, altered) - before) * self.net.std
            changes[name] = np.sqrt((change**2).mean(axis=0))
        return changes

    def strangers(self, seed: int) -> np.ndarray:
        """A view of another galaxy for each view, shape of the inputs."""
        rng = np.random.default_rng(seed)
        return self.inputs[[rng.choice(np.flatnonzero(self.galaxy != one)) for one in self.galaxy]]

    def typical(self, among: int | None = None) -> int:
        """Index of a view with much HI and an inclination near 55 degrees, among the first ones."""
        table = self.dataset.table[self.rows[:among]]
        gas, inclination = table["m_hi"].value, table["inclination"].to_value("deg")
        return int((np.abs(inclination - 55.0) + 90.0 * (gas < np.median(gas))).argmin())


def kinds(channels: Sequence[str]) -> dict[str, list[int]]:
    """Indices of the channels by kind of input: starlight (all bands), HI column, velocity, dispersion."""
    names = {"moment0": "HI column", "moment1": "velocity", "moment2": "dispersion"}
    found: dict[str, list[int]] = {}
    for k, channel in enumerate(channels):
        found.setdefault(names.get(channel, "starlight"), []).append(k)
    return found


def typical_spread(inputs: np.ndarray) -> np.ndarray:
    """Half of the range of the middle 68% of views in each pixel and channel, shape (y, x, channel).

    A slope times this is the effect of a typical difference between galaxies in that pixel. (A standard deviation would
    be dominated by rare companions in the outskirts of the field.) Root mean square over the eight orientations.
    """
    low, high = np.percentile(inputs, [16.0, 84.0], axis=0)
    square = (0.5 * (high - low)) ** 2
    return np.sqrt(np.mean([np.rot90(square[:, ::side], k) for side in (1, -1) for k in range(4)], axis=0))


def four_methods(sensitivity: Sensitivity, n: int, *, draws: int, steps: int, seed: int) -> dict[str, np.ndarray]:
    """Maps of the first `n` views by four methods, see `largest`; shape (n, outputs, y, x) each."""
    few, channels = sensitivity.inputs[:n], sensitivity.net.channels
    maps = sensitivity.of_outputs
    lit, faint = saliency.lit(few, channels), saliency.faint_sky(few, channels)
    return {
        "gradient": largest(sensitivity.slopes[:n]),
        "SmoothGrad": largest(maps.smooth_gradient(few, draws=draws, seed=seed, where=lit)),
        "integrated": largest(maps.integrated_gradient(few, baseline=faint, steps=steps)),
        "Grad-CAM": np.abs(maps.grad_cam(few)),
    }


def largest(slopes: np.ndarray) -> np.ndarray:
    """Largest absolute value over the channels (the last axis), as in the authors' scripts."""
    return np.abs(slopes).max(axis=-1)


def missed(sensitivity: Sensitivity, n: int, *, steps: int, empty: bool = False) -> float:
    """Median of `Saliency.incompleteness` over `n` views and the outputs, from the faint sky or the empty one."""
    few, channels, maps = sensitivity.inputs[:n], sensitivity.net.channels, sensitivity.of_outputs
    base = saliency.empty_sky(channels) if empty else saliency.faint_sky(few, channels)
    parts = maps.integrated_gradient(few, baseline=base, steps=steps)
    return float(np.median(maps.incompleteness(few, parts, baseline=base)))


def randomised(sensitivity: Sensitivity, n: int, *, seed: int) -> list[tuple[str, np.ndarray]]:
    """Gradient maps of `n` views as layers are randomised from the output down, starting with the learned ones.

    Every second step is shown, and the last.

    Returns
    -------
    list of (layer, maps)
        Maps of shape (n, outputs, y, x), see `largest`.
    """
    learned = largest(sensitivity.slopes[:n])
    steps = sensitivity.of_outputs.cascade_gradients(sensitivity.inputs[:n], seed=seed, every=2)
    return [("learned", learned), *((name, largest(slopes)) for name, slopes in steps)]


def stack(sensitivity: Sensitivity) -> dict[str, np.ndarray]:
    """Weighted slopes by kind of input, aligned with the HI disc, mean share over views; (outputs, y, x) each."""
    table = sensitivity.dataset.table[sensitivity.rows]
    angle, m_hi = table["position_angle"].to_value("deg"), table["m_hi"].to_value("Msun")
    size = np.where(m_hi > 0, relations.hi_radius(np.maximum(m_hi, 1.0)), 0.0)
    good = np.isfinite(angle) & (size > 3.0)
    weighted = np.abs(sensitivity.slopes[good]) * sensitivity.spread.astype(np.float32)
    stacks = {}
    for name, k in sensitivity.groups.items():
        turned = align(weighted[..., k].sum(axis=-1), sensitivity.dataset.input_grid, angle[good], size[good])
        stacks[name] = shares(turned, axis=(-2, -1)).mean(axis=0)
    return stacks


def align(
    maps: np.ndarray,
    grid: SkyGrid,
    position_angle: np.ndarray,
    radius: np.ndarray,
    *,
    reach: float = 1.5,
    pixels: int = 48,
) -> np.ndarray:
    """Maps turned so that the receding side of each disc's major axis points right, and scaled to a common radius.

    Parameters
    ----------
    maps : ndarray, shape (n, ..., y, x)
    grid : SkyGrid
    position_angle : ndarray, shape (n,)
        Of the receding side, from North through East [deg].
    radius : ndarray, shape (n,)
        Length that becomes 1 [kpc], for example the radius of the HI.
    reach : float
        Half side of the result in these lengths; 0 outside the image.
    pixels : int
        Side of the result.

    Returns
    -------
    ndarray, shape (n, ..., pixels, pixels)
        Interpolated values, not rescaled.
    """
    steps = (np.arange(pixels) + 0.5) / pixels * 2.0 * reach - reach
    along, up = np.meshgrid(steps, steps)
    out = np.empty((*maps.shape[:-2], pixels, pixels), dtype=float)
    for k, (angle, length) in enumerate(zip(np.radians(position_angle), radius, strict=True)):
        # The receding side lies at (-sin, cos): North is up, East is left.
        x = length * (-np.sin(angle) * along - np.cos(angle) * up)
        y = length * (np.cos(angle) * along - np.sin(angle) * up)
        places = np.stack([grid.to_pixels(y), grid.to_pixels(x)])
        for index in np.ndindex(maps.shape[1:-2]):
            out[(k, *index)] = map_coordinates(maps[(k, *index)], places, order=1, mode="constant")
    return out


def axis_ratio(maps: np.ndarray, strip: int = 4) -> np.ndarray:
    """Sum in a strip along the horizontal axis over that along the vertical one, of maps (k, y, x); shape (k,)."""
    middle = maps.shape[-1] // 2
    band = slice(middle - strip, middle + strip)
    return maps[:, band].sum(axis=(1, 2)) / maps[:, :, band].sum(axis=(1, 2))


def shares(values: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """Absolute values over their sum along some axes, so that all galaxies or outputs weigh the same."""
    size = np.abs(values)
    total = size.sum(axis=axis, keepdims=True)
    return size / np.where(total > 0, total, 1.0)


def relative_to_mean(matrix: np.ndarray) -> np.ndarray:
    """Shares of the rings for each output, shape (output, ring), over their mean: what is specific to each output."""
    matrix = shares(matrix)
    return matrix / matrix.mean(axis=0)


def by_ring(maps: np.ndarray, grid: SkyGrid, edges: np.ndarray = RING_EDGES) -> np.ndarray:
    """Sum of absolute maps, shape (..., y, x), in rings, shape (..., ring)."""
    weights = ring_weights(grid.pixels, edges / (0.5 * grid.field_of_view))
    return np.abs(maps).reshape(*maps.shape[:-2], -1) @ weights


def median_radius(rings: np.ndarray, edges: np.ndarray = RING_EDGES) -> np.ndarray:
    """Radius [kpc] that holds half of the sum over rings, interpolated in radius.

    Parameters
    ----------
    rings : ndarray, shape (..., ring)
    edges : ndarray, shape (ring + 1,)
        [kpc]

    Returns
    -------
    ndarray, shape (...)
        NaN where the sum is 0.
    """
    inside = np.concatenate([np.zeros((*rings.shape[:-1], 1)), np.cumsum(rings, axis=-1)], axis=-1)
    flat = inside.reshape(-1, inside.shape[-1])
    found = [np.interp(0.5 * row[-1], row, edges) if row[-1] > 0 else np.nan for row in flat]
    return np.array(found).reshape(rings.shape[:-1])


def half_radii(sensitivity: Sensitivity, group: str | None = None) -> np.ndarray:
    """`median_radius` of the weighted slopes of one kind of input (default all), shape (n, all outputs)."""
    chosen = sensitivity.groups[group] if group else slice(None)
    return median_radius(sensitivity.rings[..., chosen].sum(axis=-1))


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of the absolute values of two sets of maps, shape (n,); 0 for a constant map.

    Parameters
    ----------
    first, second : ndarray, shape (n, ...)
    """
    found = []
    for a, b in zip(first, second, strict=True):
        a, b = np.abs(a).ravel(), np.abs(b).ravel()
        found.append(0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a, b).statistic))
    return np.array(found)


def similarity(first: np.ndarray, second: np.ndarray, *, width: float = 1.5) -> np.ndarray:
    """Structural similarity (SSIM, Wang et al. 2004) of the absolute values of two sets of maps, shape (n,).

    Parameters
    ----------
    first, second : ndarray, shape (n, y, x)
        Each is divided by its 99th percentile and clipped at 1.
    width : float
        Of the Gaussian window [pixel].
    """
    smooth = partial(gaussian_filter, sigma=width)
    found = []
    for pair in zip(first, second, strict=True):
        a, b = (np.clip(np.abs(m) / max(np.percentile(np.abs(m), 99.0), 1e-30), 0.0, 1.0) for m in pair)
        mean_a, mean_b = smooth(a), smooth(b)
        var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
        both = smooth(a * b) - mean_a * mean_b
        top = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
        found.append(float(np.mean(top / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))))
    return np.array(found)


def likeness(steps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Likeness of maps along a cascade, shape (n, y, x) each, to the first, the learned ones.

    Returns
    -------
    rank_correlation, ssim : ndarray, shape (steps,)
        Means over the n maps; the first are 1.
    """
    ranks = [rank_correlation(steps[0], step).mean() for step in steps]
    return np.array(ranks), np.array([similarity(steps[0], step).mean() for step in steps])
