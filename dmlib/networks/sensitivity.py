"""On what the predictions of a network depend for the views of the test set: rings of the image, kinds of input.

A `Sensitivity` holds the slopes of a network for these views, and hides parts of them; the functions summarise it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..bootstrap import Bootstrap, Estimate
from ..dataset.read import DataSet
from ..embedded import relations
from ..observe.sky import SkyGrid, central_part
from .augment import N_ORIENTATIONS, orient
from .models import Network
from .saliency import Saliency, cascade, empty_sky, faint_sky, lit, occlude, predicted
from .saliency_measures import align, by_ring, largest, median_radius, rank_correlation, relative_to_mean, shares

#: Maximum number of training views from which the spread of a pixel is measured (each in eight orientations).
SPREAD_VIEWS = 900

#: Views whose slopes for all outputs are held at a time.
VIEWS = 32

#: Edges of rings on the sky [kpc], as fine as pixels of 2 kpc allow at the centre; see `ring_edges`.
RING_EDGES = np.array([0.0, 2.0, 4.0, 6.0, 8.5, 12.0, 16.5, 22.0, 29.0, 38.0, 50.0, 64.0])


def ring_edges(grid: SkyGrid) -> np.ndarray:
    """Edges of the rings of an image [kpc], from its centre to half its side, shape (ring + 1,).

    A ring further out would consist of the image's corners only, so that they are left out. The last ring is at least
    half as wide as in `RING_EDGES`; where less of it is in the image, it is joined to its neighbour.
    """
    half = 0.5 * grid.field_of_view
    middle = 0.5 * (RING_EDGES[1:] + RING_EDGES[:-1])
    return np.append(RING_EDGES[:-1][middle <= half], half)


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
    edges : ndarray, shape (ring + 1,)
        Of the rings [kpc], see `ring_edges`.
    rings : ndarray, shape (n, all outputs, ring, channel)
        Sum of the absolute slopes, each times the `spread` of its pixel, in rings about the centre, see
        `dmlib.networks.saliency_measures.by_ring`.
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
        See `dmlib.networks.saliency.Saliency`.
    """

    def __init__(self, net: Network, dataset: DataSet, radii: Sequence[float], *, n_views: int | None = None) -> None:
        net.check_dataset(dataset)
        self.net, self.dataset = net, dataset
        self.edges = ring_edges(dataset.input_grid)
        self.rows = dataset.rows("test")[:n_views]
        self.inputs = dataset.inputs(self.rows, net.channels)
        self.outputs = [int(np.abs(dataset.radii - radius).argmin()) for radius in radii]
        every = Saliency(net.model, range(len(dataset.radii)), net.std)
        self.of_outputs = every.of(self.outputs)
        train = dataset.rows("train")
        some = dataset.inputs(train[:: -(-len(train) // SPREAD_VIEWS)], net.channels)
        self.spread = typical_spread(some)
        self.mean = _mean_of_orientations(some.mean(axis=0))
        self._measure(every)
        self.groups = kinds(net.channels)
        self.galaxy = np.asarray(dataset.table["subhalo_id"])[self.rows]
        self.n = len(np.unique(self.galaxy))
        self._integrated: dict[tuple[int, int, bool], tuple[np.ndarray, np.ndarray]] = {}

    @property
    def radii(self) -> np.ndarray:
        """Radii of the outputs that are compared [kpc]."""
        return self.dataset.radii[self.outputs]

    def _measure(self, every: Saliency) -> None:
        """Sum the slopes of all outputs over rings, some views at a time: all of them would need gigabytes."""
        in_rings = partial(by_ring, grid=self.dataset.input_grid, edges=self.edges)
        spread, found = self.spread.astype(np.float32), []
        for start in range(0, len(self.inputs), VIEWS):
            slopes = every.gradient(self.inputs[start : start + VIEWS])
            compared = slopes[:, self.outputs]
            size = np.abs(slopes, out=slopes)
            plain = in_rings(size.sum(axis=-1))
            size *= spread
            rings = np.stack([in_rings(size[..., c]) for c in range(size.shape[-1])], axis=-1)
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
            What is put in its place: the `mean` image, `dmlib.networks.saliency.empty_sky`, or the ring of
            other galaxies, see `strangers`.
        """
        grid = self.dataset.input_grid
        change = occlude(self.net.model, self.inputs, grid, fill=fill, edges=self.edges)
        return (change * self.net.std).transpose(0, 2, 1)

    def exchange_groups(self, seed: int) -> dict[str, np.ndarray]:
        """Change of each output when one kind of input is another galaxy's, name -> shape (n, all outputs)."""
        other, before = self.strangers(seed), predicted(self.net.model, self.inputs)
        changes = {}
        for name, k in self.groups.items():
            altered = self.inputs.copy()
            altered[..., k] = other[..., k]
            changes[name] = (predicted(self.net.model, altered) - before) * self.net.std
        return changes

    def strangers(self, seed: int) -> np.ndarray:
        """A view of another galaxy for each view, shape of the inputs."""
        rng = np.random.default_rng(seed)
        return self.inputs[[rng.choice(np.flatnonzero(self.galaxy != one)) for one in self.galaxy]]

    def integrated(self, n: int, *, steps: int, empty: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Integrated gradients of the first `n` views from the faint sky or the empty one, and that sky.

        They are the costliest of all maps, and are kept.
        """
        key = (n, steps, empty)
        if key not in self._integrated:
            few, channels = self.inputs[:n], self.net.channels
            base = empty_sky(channels) if empty else faint_sky(few, channels)
            self._integrated[key] = self.of_outputs.integrated_gradient(few, baseline=base, steps=steps), base
        return self._integrated[key]

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
    return np.sqrt(_mean_of_orientations((0.5 * (high - low)) ** 2))


def _mean_of_orientations(image: np.ndarray) -> np.ndarray:
    return np.mean([orient(image, element) for element in range(N_ORIENTATIONS)], axis=0)


def half_radii(sensitivity: Sensitivity, group: str | None = None) -> np.ndarray:
    """Radius [kpc] with half of the weighted slopes of one kind of input (default all), shape (n, all outputs)."""
    chosen = sensitivity.groups[group] if group else slice(None)
    return median_radius(sensitivity.rings[..., chosen].sum(axis=-1), sensitivity.edges)


def aligned(sensitivity: Sensitivity) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Weighted slopes by kind of input, aligned with the HI disc, as shares of their sum.

    Returns
    -------
    galaxy : ndarray of int, shape (n,)
        Of the views that have a disc of HI.
    maps : dict
        Kind of input -> maps, shape (n, outputs, y, x).
    """
    table = sensitivity.dataset.table[sensitivity.rows]
    angle, m_hi = table["position_angle"].to_value("deg"), table["m_hi"].to_value("Msun")
    size = np.where(m_hi > 0, relations.hi_radius(np.maximum(m_hi, 1.0)), 0.0)
    good = np.isfinite(angle) & (size > 3.0)
    weighted = np.abs(sensitivity.slopes[good]) * sensitivity.spread.astype(np.float32)
    maps = {}
    for name, k in sensitivity.groups.items():
        turned = align(weighted[..., k].sum(axis=-1), sensitivity.dataset.input_grid, angle[good], size[good])
        maps[name] = shares(turned, axis=(-2, -1))
    return sensitivity.galaxy[good], maps


def random_half_radii(sensitivity: Sensitivity, *, seed: int) -> np.ndarray:
    """`half_radii` of the outputs that are compared, of a network of this architecture with random weights, (n, k).

    What it shows of an image is due to the architecture and to the galaxies, and nothing of it was learned.
    """
    net, grid = sensitivity.net, sensitivity.dataset.input_grid
    *_, (_, untrained) = cascade(net.model, seed=seed)
    slopes = sensitivity.of_outputs.gradient(sensitivity.inputs, weights_of=untrained)
    size = (np.abs(slopes) * sensitivity.spread.astype(np.float32)).sum(axis=-1)
    return median_radius(by_ring(size, grid, sensitivity.edges), sensitivity.edges)


def agreement(first: np.ndarray, second: np.ndarray, galaxy: np.ndarray, *, seed: int) -> Estimate:
    """Rank correlation of two measures of what is specific to each output, see `relative_to_mean`.

    Parameters
    ----------
    first : ndarray, shape (n, output, ring)
        Sizes of slopes; each view counts with their shares.
    second : ndarray, shape (n, output, ring)
        Changes of the outputs, of which the root mean square over views is taken.
    galaxy : ndarray of int, shape (n,)
        Galaxies are resampled, not views.
    seed : int
    """
    parts, squares = shares(first), second**2

    def correlation(weights: np.ndarray) -> float:
        means = (np.average(values, axis=0, weights=weights) for values in (parts, squares))
        matrices = [relative_to_mean(m) for m in (next(means), np.sqrt(next(means)))]
        return float(rank_correlation(*(m[None] for m in matrices))[0])

    return Bootstrap(galaxy, draws=300, seed=seed).of(correlation)


def four_methods(sensitivity: Sensitivity, n: int, *, draws: int, steps: int, seed: int) -> dict[str, np.ndarray]:
    """Maps of the first `n` views by four methods, largest value over the channels; shape (n, outputs, y, x) each."""
    few, channels = sensitivity.inputs[:n], sensitivity.net.channels
    maps = sensitivity.of_outputs
    return {
        "gradient": largest(sensitivity.slopes[:n]),
        "SmoothGrad": largest(maps.smooth_gradient(few, draws=draws, seed=seed, where=lit(few, channels))),
        "integrated": largest(sensitivity.integrated(n, steps=steps)[0]),
        "Grad-CAM": np.abs(maps.grad_cam(few)),
    }


def missed(sensitivity: Sensitivity, n: int, *, steps: int, seed: int, empty: bool = False) -> Estimate:
    """Median of `Saliency.incompleteness` over `n` views and the outputs, from the faint sky or the empty one."""
    parts, base = sensitivity.integrated(n, steps=steps, empty=empty)
    gaps = sensitivity.of_outputs.incompleteness(sensitivity.inputs[:n], parts, baseline=base)
    return Bootstrap(np.repeat(sensitivity.galaxy[:n], gaps.shape[1]), seed=seed).quantile(gaps.ravel(), 0.5)


def randomised(sensitivity: Sensitivity, n: int, *, seed: int) -> list[tuple[str, np.ndarray]]:
    """Gradient maps of `n` views as layers are randomised from the output down, starting with the learned ones.

    Every second step is shown, and the last.

    Returns
    -------
    list of (layer, maps)
        Maps of shape (n, outputs, y, x), see `dmlib.networks.saliency_measures.largest`.
    """
    learned = largest(sensitivity.slopes[:n])
    steps = sensitivity.of_outputs.cascade_gradients(sensitivity.inputs[:n], seed=seed, every=2)
    return [("learned", learned), *((name, largest(slopes)) for name, slopes in steps)]
