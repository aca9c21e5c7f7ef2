"""Rotations and reflections of the sky: eight orientations of each view.

**Why they are allowed.** The target, the mass within spheres about the galaxy's centre, does not change when the
observer turns the camera, nor when the galaxy is replaced by its mirror image. A *rotation* of the picture is another
roll angle of the camera: pixels move, and their values stay. That holds for the velocity map too: a line-of-sight
velocity points along the axis of the rotation, so it keeps its value and its sign.

A *reflection* of the picture about a line through the centre is what the same observer would see of the galaxy's mirror
image in the plane that holds this line and the line of sight. The mirror turns positions and velocities alike: the
components in the sky normal to the line change sign, and the component along the line of sight, which lies in the
plane, does not. So again pixels move and values stay. The mirror image is just as possible a galaxy: gravity, gas
dynamics and the emission of light have no handedness (a galaxy with trailing spirals becomes one with trailing spirals
that turns the other way). It would *not* be allowed to reflect the picture without moving the velocities with it.

One more symmetry is not used: reflection along the line of sight (velocities change sign, pixels stay) is exact for
an optically thin line without dust, but dust in front of a bulge distinguishes the near side from the far side.

Only the eight elements of the dihedral group D4 are used, quarter turns and reflections. They move pixels onto pixels,
so nothing is interpolated, and a blank pixel of a map stays blank.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Number of elements of D4.
N_ORIENTATIONS = 8

#: Images whose eight orientations are predicted at a time.
AT_ONCE = 16


def orient(images: np.ndarray, element: int) -> np.ndarray:
    """Images turned by one element of D4.

    Parameters
    ----------
    images : ndarray, shape (..., y, x, channel)
        Square.
    element : int
        0-3: that many quarter turns; 4-7: the same after a reflection left to right.

    Returns
    -------
    ndarray
        A view of `images`, not a copy.
    """
    if element & 4:
        images = images[..., :, ::-1, :]
    return np.rot90(images, element & 3, axes=(-3, -2))


def turned_pixels(side: int) -> np.ndarray:
    """Numbers of the pixels of an image, row by row, in the order of each of the eight turned images.

    Parameters
    ----------
    side : int
        Of the image [pixel].

    Returns
    -------
    ndarray of int, shape (8, side**2)
        ``pixels[turned_pixels(side)[element]]`` is what `orient` makes of an image's ``pixels``, shape (side**2, ...).
    """
    numbers = np.arange(side * side).reshape(side, side, 1)
    return np.stack([orient(numbers, element).ravel() for element in range(N_ORIENTATIONS)])


def mean_over_orientations(predict: Callable[..., np.ndarray], images: np.ndarray, *same: np.ndarray) -> np.ndarray:
    """Mean of a prediction over the eight orientations of its input, so that it is the same for all of them.

    Parameters
    ----------
    predict : callable
        Images, shape (n, y, x, channel), to an array of shape (n, k). It is called with all orientations of a few
        images, always the same number, so that a compiled function is compiled for one shape.
    images : ndarray, shape (n, y, x, channel)
    *same : ndarray, shape (n, ...)
        Further arguments of `predict`, which are the same for all orientations of an image.
    """
    # As many at a time that few have to be repeated.
    size = -(-len(images) // -(-len(images) // AT_ONCE))
    found, turned = [], turned_pixels(images.shape[1])
    for start in range(0, len(images), size):
        # The last images are repeated to fill the last batch.
        some = np.minimum(np.arange(start, start + size), len(images) - 1)
        # Pixels are taken by their numbers: to copy turned views of an array takes six times as long.
        pixels = images[some].reshape(size, -1, images.shape[-1])
        every = np.concatenate([pixels.take(places, axis=1) for places in turned]).reshape(-1, *images.shape[1:])
        repeated = (np.concatenate([each[some]] * N_ORIENTATIONS) for each in same)
        answers = np.asarray(predict(every, *repeated), dtype=float).reshape(N_ORIENTATIONS, size, -1)
        found.append(answers.mean(axis=0)[: len(images) - start])
    return np.concatenate(found)
