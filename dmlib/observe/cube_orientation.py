"""Bringing the pixels of a cube to one orientation: North up, West to the right, velocities first."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage

from .cube_beam import CubeError
from .cube_header import Described

#: Turn of a map against North that is neglected [deg].
_UPRIGHT = 0.5

#: Slices along right ascension, declination and velocity.
Box = tuple[slice, slice, slice]


def scale_of(name: str, sky: WCS) -> tuple[np.ndarray, float]:
    """From steps of a pixel along the two axes to degrees West and North, shape (2, 2), and the side of a pixel ["]."""
    matrix = np.array([[-1.0], [1.0]]) * sky.pixel_scale_matrix
    width, height = 3600.0 * np.sqrt(np.sum(matrix**2, axis=0))
    if abs(width / height - 1) > 0.01 or abs(np.sum(matrix[:, 0] * matrix[:, 1])) > 0.01 * abs(np.linalg.det(matrix)):
        raise CubeError(f"{name} has pixels of {width:.3g} by {height:.3g} arcsec: regrid it to square ones")
    if not 0.01 <= width <= 600.0:
        raise CubeError(
            f"{name} has pixels of {width:.4g} arcsec: CDELT or CUNIT of its sky axes is wrong (it means deg)"
        )
    return matrix, float(width)


def is_turned(matrix: np.ndarray) -> bool:
    """Whether neither axis of the pixels points North, to `_UPRIGHT`."""
    return float(np.degrees(np.min(np.abs(np.arctan2(*np.sort(np.abs(matrix[:, 0]))))))) > _UPRIGHT


class Orientation:
    """Bring arrays of the file to (velocity, North, West), North up and West to the right."""

    def __init__(self, described: Described, box: Box, matrix: np.ndarray, pixel: float):
        self.described, self.box = described, box
        unit = matrix * 3600.0 / pixel  # a turn, perhaps mirrored: pixels -> West, North in pixels
        self.turn = 0.0
        nx, ny = (part.stop - part.start for part in box[:2])
        middle = np.array([(nx - 1) / 2, (ny - 1) / 2])
        if not is_turned(matrix):
            unit = np.round(unit)
            shape = np.abs(unit) @ np.array([nx, ny])
        else:
            self.turn = float(np.degrees(np.arctan2(-unit[0, 1], unit[1, 1])))
            shape = np.ceil(np.abs(unit) @ np.array([nx, ny]))
        self.unit, self.shape = unit, (int(shape[1]), int(shape[0]))
        new = np.array([(shape[0] - 1) / 2, (shape[1] - 1) / 2])
        self._offset = middle - unit.T @ new
        old = described.sky.wcs
        self.wcs = WCS(naxis=2)
        for key in ("ctype", "crval", "cunit", "radesys", "equinox", "lonpole", "latpole"):
            setattr(self.wcs.wcs, key, getattr(old, key))
        self.wcs.wcs.set_pv(old.get_pv())
        self.wcs.wcs.cdelt = [-pixel / 3600.0, pixel / 3600.0]
        start = np.array([box[0].start, box[1].start])
        self.wcs.wcs.crpix = unit @ (old.crpix - 1 - start - middle) + new + 1
        self.wcs.wcs.set()

    def read(self, hdu: Any, header: fits.Header, channels: bool = True) -> np.ndarray:
        """The part of an image that is wanted, as (velocity, second axis, first axis)."""
        n = int(header["NAXIS"])
        axes = self.described.axes if channels else self.described.axes[:2]
        parts: list[Any] = [slice(0, 1)] * n
        for axis, part in zip(axes, self.box, strict=False):
            parts[n - axis] = part
        data = np.asarray(hdu.section[tuple(parts)])
        left = [axis for axis in range(n, 0, -1) if axis in axes]
        data = data.reshape([data.shape[n - axis] for axis in left])
        data = data.transpose([left.index(axis) for axis in reversed(axes)])
        return data if channels else data[None]

    def __call__(self, data: np.ndarray, blank: float) -> np.ndarray:
        """Flip, or turn, the sky axes; `blank` lies outside the map."""
        if not self.turn:
            if self.unit[0, 0] == 0:
                data = data.transpose(0, 2, 1)
                signs = self.unit[0, 1], self.unit[1, 0]
            else:
                signs = self.unit[0, 0], self.unit[1, 1]
            return np.array(data[:, :: int(signs[1]), :: int(signs[0])], dtype=float)
        # ndimage counts (row, column) = (y, x).
        inverse, offset = self.unit.T[::-1, ::-1], self._offset[::-1]
        out = np.full((len(data), *self.shape), blank)
        how: dict[str, Any] = {"offset": offset, "output_shape": self.shape}
        for k, channel in enumerate(data):
            bad = ~np.isfinite(channel)
            turned = ndimage.affine_transform(np.where(bad, 0.0, channel).astype(float), inverse, order=3, **how)
            lost = ndimage.affine_transform(bad.astype(float), inverse, order=1, cval=1.0, **how)
            out[k] = np.where(lost > 0.5, blank, turned)
        return out
