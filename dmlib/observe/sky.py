"""The plane of the sky: lines of sight to a galaxy, and the common grid of its images and HI maps.

**The observer frame** is right-handed and is the same everywhere in `dmlib.observe`:

- ``x`` points right in the image, which is *West* (right ascension falls to the right, as on any chart of the sky);
- ``y`` points up, which is *North*;
- ``z`` points *towards the observer*.

So a particle with larger ``z`` lies in front, and the velocity that a radio telescope calls positive (receding) is
``-v_z``. Because the frame is right-handed no galaxy is mirrored: trailing spirals stay trailing.

Images are arrays ``[row, column] = [y, x]`` with the origin below and left (``imshow(..., origin="lower")``).

**The choice of the field of view** (ours: the paper's is unknown). The target reaches R = 100 kpc, but the visible
matter does not: the HI disc of a galaxy with 1e10 Msun of HI ends (1 Msun/pc^2) at a diameter of 58 kpc, with 4e10 Msun
at 118 kpc (Wang et al. 2016, log D_HI = 0.506 log M_HI - 3.293), and almost all starlight lies well within. A side of
128 kpc covers the HI discs of all but the rarest galaxies, with nearby satellites and tails; a wider field would add
blank pixels and make the pixels larger. With 64 pixels (profiles ``smoke`` and ``quick``) a pixel is 2 kpc: nearly
three times the softening of TNG100 (0.74 kpc), about the size of a gas cell in a disc at ``quick`` resolution, and fine
enough to sample a beam of 6 kpc three times. ``paper`` has the authors' 128 pixels of 1 kpc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.table import QTable

from ..errors import GalaxyError
from ..settings import Settings
from ..workers import bar


@dataclass(frozen=True)
class SkyGrid:
    """A square of square pixels centred on the galaxy, in physical kpc on the plane of the sky.

    Pixel (row, column) = (0, 0) is at the lower left. The axes are those of `dmlib.observe.sky`: columns run to the
    right (West), rows upwards (North). The galaxy's centre is the centre of the array, between pixels where their
    number is even.

    Parameters
    ----------
    field_of_view : float
        Side [kpc].
    pixels : int
        Pixels per side.
    """

    field_of_view: float
    pixels: int

    def __post_init__(self) -> None:
        if not self.field_of_view > 0 or self.pixels < 1:
            raise ValueError(f"sky grid: {self.field_of_view} kpc and {self.pixels} pixels must be positive")

    @classmethod
    def of(cls, settings: Settings) -> SkyGrid:
        """The grid of a profile."""
        return cls(settings.sizes.field_of_view, settings.sizes.pixels)

    def central(self, pixels: int) -> SkyGrid:
        """The grid of the pixels in the middle, `pixels` a side; see `central_part`.

        Raises
        ------
        ValueError
            When there are fewer, or an odd number would be cut away.
        """
        if pixels > self.pixels or (self.pixels - pixels) % 2:
            raise ValueError(f"sky grid: the middle of {self.pixels} pixels cannot be {pixels} pixels wide")
        return SkyGrid(self.pixel_size * pixels, pixels)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels, self.pixels

    @property
    def pixel_size(self) -> float:
        """Side of a pixel [kpc]."""
        return self.field_of_view / self.pixels

    @property
    def pixel_area(self) -> float:
        """Area of a pixel [kpc^2]."""
        return self.pixel_size**2

    @cached_property
    def edges(self) -> np.ndarray:
        """Edges of the pixels along either axis [kpc], shape (pixels + 1,)."""
        return (np.arange(self.pixels + 1) - self.pixels / 2) * self.pixel_size

    @cached_property
    def centres(self) -> np.ndarray:
        """Centres of the pixels along either axis [kpc], shape (pixels,)."""
        return (np.arange(self.pixels) - (self.pixels - 1) / 2) * self.pixel_size

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top [kpc], for ``imshow(origin="lower", extent=...)``."""
        half = self.field_of_view / 2
        return -half, half, -half, half

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x and y of every pixel's centre [kpc], each shape (pixels, pixels)."""
        x, y = np.meshgrid(self.centres, self.centres)
        return x, y

    def to_pixels(self, offset: np.ndarray) -> np.ndarray:
        """Position along an axis [kpc] as a pixel coordinate: the centre of pixel k is at k."""
        return np.asarray(offset) / self.pixel_size + (self.pixels - 1) / 2


def overlap(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Share of each source pixel that lies within each target pixel, along one axis.

    Parameters
    ----------
    source, target : ndarray, shapes (n + 1,) and (m + 1,)
        Increasing edges, in the same unit.

    Returns
    -------
    ndarray, shape (m, n)
        Each column sums to the share of the source pixel that the target covers: 1 inside.
    """
    low = np.maximum(target[:-1, None], source[None, :-1])
    high = np.minimum(target[1:, None], source[None, 1:])
    return np.clip(high - low, 0.0, None) / np.diff(source)


def resample(image: np.ndarray, pixel_size: float, grid: SkyGrid) -> np.ndarray:
    """Resample an image onto a grid with its flux conserved.

    Both grids are square, aligned and centred on the galaxy, so the area shared by two pixels is the product of two
    overlaps along the axes: exact area-weighted resampling is two small matrix products.

    Parameters
    ----------
    image : ndarray, shape (n, n, band)
        Flux per pixel, centred on the galaxy.
    pixel_size : float
        Side of its pixels [kpc].
    grid : SkyGrid

    Returns
    -------
    ndarray, shape (grid.pixels, grid.pixels, band)
        Flux per pixel of `grid`; its sum is the flux of `image` within the field, to rounding. It is zero beyond the
        edge of `image`.
    """
    n = image.shape[0]
    shares = overlap((np.arange(n + 1) - n / 2) * pixel_size, grid.edges)
    return np.einsum("an,nmk,bm->abk", shares, image, shares, optimize=True)


def central_part(images: np.ndarray, pixels: int) -> np.ndarray:
    """Middle of images, from shape (..., y, x, channel) to (..., pixels, pixels, channel)."""
    margin = (images.shape[-2] - pixels) // 2
    inside = slice(margin, margin + pixels)
    return images[..., inside, inside, :]


#: Mixed into the seed to give orientations a random stream of their own.
_STREAM = 0x76696577

Mode = str | Sequence[Sequence[float]]


@dataclass(frozen=True, eq=False)
class View:
    """One line of sight to one galaxy.

    Parameters
    ----------
    subhalo_id : int
    index : int
        Number of the view, from 0.
    rotation : ndarray, shape (3, 3)
        Proper rotation from the box frame to the observer frame of this module: ``observer = rotation @ box``.
    inclination : float
        Angle between the spin axis and the line of sight [deg], 0 (face-on) to 90 (edge-on). NaN where the galaxy
        has no spin axis.
    position_angle : float
        Where the disc recedes on its major axis, from North through East [deg], 0 to 360. NaN where undefined (no
        spin axis, or exactly face-on).
    """

    subhalo_id: int
    index: int
    rotation: np.ndarray
    inclination: float
    position_angle: float

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Rotate box-frame vectors, shape (n, 3), into the observer frame (right, up, towards the observer)."""
        return np.asarray(vectors) @ self.rotation.T


def orientation(rotation: np.ndarray, spin_axis: np.ndarray | None) -> tuple[float, float]:
    """Inclination and position angle of the receding side [deg] of a disc seen under a rotation.

    A disc that rotates about the unit vector s (observer frame) has the receding velocity
    ``-(s x r)_z = s_y x - s_x y``, which rises fastest along ``(s_y, -s_x)``. With North = +y and East = -x this is the
    position angle ``atan2(-s_y, -s_x)``.

    Parameters
    ----------
    rotation : ndarray, shape (3, 3)
        Box frame to observer frame.
    spin_axis : ndarray, shape (3,), or None
        Direction of the angular momentum in the box frame, of any length.

    Returns
    -------
    inclination, position_angle : float
        Degrees, as in `View`.
    """
    if spin_axis is None:
        return float("nan"), float("nan")
    s = rotation @ _unit(spin_axis)
    tilt = float(np.hypot(s[0], s[1]))
    # arctan2 keeps its precision near 0 and 90 degrees, where arccos loses it.
    inclination = float(np.degrees(np.arctan2(tilt, abs(s[2]))))
    if tilt < 1e-9:
        return inclination, float("nan")
    # Adding 0.0 turns -0.0 into 0.0, which arctan2 would tell apart.
    return inclination, float(np.degrees(np.arctan2(-s[1] + 0.0, -s[0] + 0.0)) % 360.0)


def rotation_to(
    spin_axis: np.ndarray, inclination: float, position_angle: float = 0.0, azimuth: float = 0.0
) -> np.ndarray:
    """Rotation that shows a disc at a given inclination and position angle.

    Parameters
    ----------
    spin_axis : ndarray, shape (3,)
        Direction of the angular momentum in the box frame.
    inclination : float
        Degrees. 0: the spin points at the observer, who sees the disc rotate anticlockwise; 90: edge-on; values up to
        180 show the other face.
    position_angle : float
        Of the receding side, from North through East [deg].
    azimuth : float
        Rotation of the galaxy about its spin axis before it is inclined [deg]; it decides from which side a bar is
        seen.

    Returns
    -------
    ndarray, shape (3, 3)
        Box frame to observer frame.
    """
    spin = _unit(spin_axis)
    # Azimuth is counted from a fixed direction in the disc, given by the box axis furthest from the spin.
    e1 = _unit(np.cross(spin, np.eye(3)[np.argmin(np.abs(spin))]))
    e2 = np.cross(spin, e1)
    a, i, pa = np.radians([azimuth, inclination, position_angle])
    galaxy = np.array([np.cos(a) * e1 + np.sin(a) * e2, -np.sin(a) * e1 + np.cos(a) * e2, spin])
    s = np.array([-np.sin(i) * np.cos(pa), -np.sin(i) * np.sin(pa), np.cos(i)])
    major = np.array([-np.sin(pa), np.cos(pa), 0.0])
    return np.column_stack([major, np.cross(s, major), s]) @ galaxy


def lines_of_sight(
    subhalo_id: int, spin_axis: np.ndarray | None, n: int = 3, *, seed: int, mode: Mode = "random"
) -> list[View]:
    """Lines of sight to one galaxy; the same for its light and its HI.

    Parameters
    ----------
    subhalo_id : int
    spin_axis : ndarray, shape (3,), or None
        Direction of the disc's angular momentum in the box frame. May be None for random and box views, whose
        inclination and position angle are then NaN.
    n : int
        Number of views; a list of angles has its own length.
    seed : int
        Root seed. Random views depend on it and on `subhalo_id` alone, not on the order of work or on the rest of the
        sample, and the first views of a galaxy stay the same when more are drawn.
    mode : {"random", "face-on", "edge-on", "box"} or sequence
        ``random``: isotropic in all three angles. ``face-on``, ``edge-on``: the disc rotated about its axis in n equal
        steps, receding side North. ``box``: one view along the box's z axis, x right, y up. A sequence of
        ``(inclination, position_angle)`` or ``(inclination, position_angle, azimuth)`` [deg] fixes them, see
        `rotation_to`.

    Returns
    -------
    list of View

    Raises
    ------
    GalaxyError
        When the mode needs a spin axis and the galaxy has none.
    ValueError
        For an unknown mode.
    """
    if isinstance(mode, str) and mode in ("random", "box"):
        rotations = [np.eye(3)] if mode == "box" else _isotropic(subhalo_id, n, seed)
        return [_view(subhalo_id, k, rotation, spin_axis) for k, rotation in enumerate(rotations)]
    if isinstance(mode, str):
        if mode not in ("face-on", "edge-on"):
            raise ValueError(f"lines of sight: unknown mode '{mode}'; use random, box, face-on, edge-on, or angles")
        inclination = 0.0 if mode == "face-on" else 90.0
        angles: list[Sequence[float]] = [(inclination, 0.0, 360.0 * k / n) for k in range(n)]
    else:
        angles = list(mode)
    if spin_axis is None or not np.all(np.isfinite(spin_axis)) or not np.any(spin_axis):
        raise GalaxyError(f"subhalo {subhalo_id} has no spin axis, so no {mode} view: take random lines of sight")
    return [_view(subhalo_id, k, rotation_to(spin_axis, *angle), spin_axis) for k, angle in enumerate(angles)]


def tabulate(
    measure: Callable[[int], tuple], subhalo_ids: Iterable[int], columns: Mapping[str, str | None], *, label: str
) -> tuple[QTable, dict[int, str]]:
    """Measure galaxies one by one.

    Parameters
    ----------
    measure : callable
        From a subhalo id to the values of `columns`; raises `GalaxyError` where there are none.
    subhalo_ids : iterable of int
    columns : mapping
        Unit by name; None for numbers.
    label : str
        Of the progress bar.

    Returns
    -------
    QTable
        ``subhalo_id`` and the columns.
    set_aside : dict
        Reason by subhalo id, for the galaxies that could not be measured.
    """
    rows, set_aside = [], {}
    for subhalo_id in bar([int(one) for one in subhalo_ids], label=label, unit="galaxy"):
        try:
            rows.append((subhalo_id, *measure(subhalo_id)))
        except GalaxyError as error:
            set_aside[subhalo_id] = str(error)
    units = {name: unit for name, unit in columns.items() if unit}
    return QTable(rows=rows, names=("subhalo_id", *columns), units=units), set_aside


def _view(subhalo_id: int, index: int, rotation: np.ndarray, spin_axis: np.ndarray | None) -> View:
    rotation.setflags(write=False)
    return View(int(subhalo_id), index, rotation, *orientation(rotation, spin_axis))


def _isotropic(subhalo_id: int, n: int, seed: int) -> np.ndarray:
    """Rotations of uniform (Haar) measure, shape (n, 3, 3): unit quaternions of normal deviates (Shoemake 1992)."""
    rng = np.random.default_rng([seed, _STREAM, int(subhalo_id)])
    q = rng.standard_normal((n, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)


def _unit(vector: np.ndarray) -> np.ndarray:
    vector = np.asarray(vector, dtype=float)
    return vector / np.linalg.norm(vector)
