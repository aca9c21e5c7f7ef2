"""Occlusion: how a prediction changes when a part of the image is replaced; a test of saliency without derivatives."""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np

from ..observe.sky import SkyGrid
from .saliency import predicted
from .saliency_summary import RING_EDGES, Sensitivity


def exchange_rings(sensitivity: Sensitivity, *, seed: int) -> np.ndarray:
    """Change of every output when one ring of the image is replaced by another galaxy's.

    Returns
    -------
    ndarray, shape (n, all outputs, ring)
    """
    return hide_rings(sensitivity, fill=strangers(sensitivity, seed))


def exchange_groups(sensitivity: Sensitivity, *, seed: int) -> dict[str, np.ndarray]:
    """R.m.s. change of each output when one kind of input is another galaxy's, name -> shape (all outputs,)."""
    net, inputs = sensitivity.net, sensitivity.inputs
    other, before = strangers(sensitivity, seed), predicted(net.model, inputs)
    changes = {}
    for name, k in sensitivity.groups.items():
        altered = inputs.copy()
        altered[..., k] = other[..., k]
        change = (predicted(net.model, altered) - before) * net.std
        changes[name] = np.sqrt((change**2).mean(axis=0))
    return changes


def hide_rings(sensitivity: Sensitivity, *, fill: np.ndarray) -> np.ndarray:
    """Change of every output when one ring of the image is hidden, shape (n, all outputs, ring).

    Parameters
    ----------
    sensitivity : Sensitivity
    fill : ndarray
        What is put in its place: the mean image, see `Sensitivity`, or `dmlib.networks.saliency.empty_sky`.
    """
    net = sensitivity.net
    change = occlude(net.model, sensitivity.inputs, sensitivity.dataset.input_grid, fill=fill)
    return (change * net.std).transpose(0, 2, 1)


def strangers(sensitivity: Sensitivity, seed: int) -> np.ndarray:
    """A view of another galaxy for each view, shape of the inputs."""
    rng = np.random.default_rng(seed)
    galaxy = sensitivity.galaxy
    return sensitivity.inputs[[rng.choice(np.flatnonzero(galaxy != one)) for one in galaxy]]


def occlude(
    model: keras.Model, inputs: np.ndarray, grid: SkyGrid, *, fill: np.ndarray, edges: np.ndarray = RING_EDGES
) -> np.ndarray:
    """Change of every output when one ring of the image is replaced: a test of gradients without gradients.

    Parameters
    ----------
    model : keras.Model
    inputs : ndarray, shape (n, y, x, channel)
    grid : SkyGrid
    fill : ndarray
        Content of the ring: an empty sky, shape (channel,), or other views, shape of `inputs`.
    edges : ndarray
        Of the rings [kpc]; a pixel belongs to the ring in which its centre lies.

    Returns
    -------
    ndarray, shape (n, ring, k)
        New prediction minus the old one.
    """
    radius = np.hypot(*grid.mesh())[..., None]
    before = predicted(model, inputs)
    changes = []
    for low, high in pairwise(edges):
        altered = np.where((radius >= low) & (radius < high), np.asarray(fill, dtype=np.float32), inputs)
        changes.append(predicted(model, altered) - before)
    return np.stack(changes, axis=1)
