"""What every source of images offers.

Three sources are foreseen. Two are here: `dmlib.observe.images.light.ParticleLight`, which needs nothing but the
snapshot, and `dmlib.observe.images.published.PublishedSkirt`, the radiative transfer of the data release. Runs of SKIRT
of one's own would be a third class with these attributes and this method; nothing downstream would change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from ...galaxy import ComponentName, Galaxy
from ..grid import SkyGrid
from ..views import View


class ImageSource(Protocol):
    """A way to make images of galaxies.

    Attributes
    ----------
    bands : tuple of str
        Names of the bands in the order of the image's last axis, blue to red.
    unit : str
        Unit of the pixel values: ``Lsun/kpc2`` (surface brightness in solar luminosities of the band),
        ``maggies/pixel`` or ``counts/s/pixel``. The last two are fluxes per pixel of the grid asked for.
    fields : mapping
        TNG fields that the source reads from the galaxy, by component: the argument ``extra`` of
        `dmlib.galaxy.load_galaxy`. Empty for a source that does not look at particles.
    """

    bands: tuple[str, ...]
    unit: str
    fields: Mapping[ComponentName, Sequence[str]]

    def image(self, galaxy: Galaxy, view: View, grid: SkyGrid) -> np.ndarray:
        """Image of one galaxy along one line of sight.

        Parameters
        ----------
        galaxy : Galaxy
            Centred, loaded with `fields`, in the axes of the box.
        view : View
        grid : SkyGrid
            Pixels wanted.

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
