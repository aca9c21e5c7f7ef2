"""Images of galaxies: where they come from, and what a telescope makes of them.

Three sources offer the same interface, `ImageSource`: `dmlib.observe.images.light.ParticleLight`, which needs only the
snapshot; `dmlib.observe.images.published.PublishedSkirt`, the radiative transfer of the data release; and
`dmlib.observe.skirt.source.OwnSkirt`, your own runs of SKIRT. What follows does not depend on the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from ...galaxy import ComponentName, Galaxy
from ..grid import SkyGrid
from ..views import View


class ImageSource(Protocol):
    """A way to make images of galaxies."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands in the order of the image's last axis, blue to red."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the pixel values: ``Lsun/kpc2``, ``maggies/pixel`` or ``counts/s/pixel``.

        The first is a surface brightness in solar luminosities of the band, the others are fluxes per pixel of the
        grid.
        """
        ...

    @property
    def fields(self) -> Mapping[ComponentName, Sequence[str]]:
        """TNG fields that the source reads, by component: the argument ``extra`` of `dmlib.galaxy.load_galaxy`.

        Empty for a source that uses no particles.
        """
        ...

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy along one line of sight.

        Parameters
        ----------
        galaxy : Galaxy
            Centred, loaded with `fields`, in the axes of the box.
        view : View
        grid : SkyGrid
            Pixels of the image.

        Returns
        -------
        ndarray, shape (y, x, band)
            In `unit`, rows upwards (North), columns to the right (West).

        Raises
        ------
        GalaxyError
            When this galaxy has no image along this line of sight, or its data are damaged.
        """
        ...


def draw(source: ImageSource, galaxy: Galaxy, views: Sequence[View], grid: SkyGrid) -> Iterator[np.ndarray]:
    """Images of one galaxy along several lines of sight, in order; see `ImageSource.image`.

    A source that has a method ``images`` of the same arguments draws all of them at once.
    """
    together = getattr(source, "images", None)
    if together is not None:
        yield from together(galaxy, views, grid)
    else:
        for view in views:
            yield source.image(galaxy, view, grid)
