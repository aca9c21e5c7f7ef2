"""Tilted rings: the rotation curve of a velocity field, with the beam in the model.

The classic fit (Begeman 1989) gives each ring the speed for which ``V_sys + V_rot sin i cos theta`` is closest to the
measured velocities. A beam mixes neighbouring velocities, weighted by the emission, and that lowers the inner
speeds. Here the *model* is blurred before it is compared: with a speed that is linear between rings,

    v(x) = V_sys + sum_k V_k [B * (S sin i cos theta h_k)](x) / [B * S](x),

where B is the beam, S the emission before the beam (Richardson 1972, Lucy 1974) and h_k the basis functions of linear
interpolation. For a given geometry this is linear in the V_k, which therefore follow from linear least squares, and
only the geometry is searched for (Golub & Pereyra 1973). The same geometry must reproduce the moment-0 map, which
constrains the inclination where velocities hardly do, as in the first guess of 3D-Barolo (Di Teodoro & Fraternali
2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from scipy import ndimage
from scipy.optimize import least_squares
from scipy.stats import median_abs_deviation

from ..observe.cube import Smear
from .curve import Reason, RejectedGalaxyError, RotationCurve
from .velocity_field import Deprojected, Tilt, VelocityField, hats

Geometry = Literal["fixed", "regularised"]

#: Robust standard deviation.
_robust = partial(median_abs_deviation, scale="normal")

#: Distance between rings in beams; not less than a pixel.
STEP = 0.5

#: Number of radii at which a regularised geometry is given.
NODES = 4

#: Standard deviations of the change of inclination and of position angle from node to node [deg].
STIFFNESS = (3.0, 6.0)

#: Standard deviation of the galaxy's centre where it is given, and of the middle of the emission as a centre, in beams.
CENTRE_ERROR, FREE_CENTRE = 0.25, 2.0

#: Scatter of velocities that rings cannot follow, streaming and turbulence [km/s].
NONCIRCULAR = 8.0

#: Scatter of the emission about axial symmetry, relative to the emission.
CLUMPY = 0.3

#: Standard deviation of the curve's second difference relative to its typical speed; it prevents oscillations between
#: rings that the beam does not resolve.
SMOOTH = 0.1


def fit_rings(
    field: VelocityField,
    *,
    geometry: Geometry = "regularised",
    deblur: bool = True,
    inclination: float | None = None,
    position_angle: float | None = None,
    centre: tuple[float, float] | None = (0.0, 0.0),
) -> RotationCurve:
    """Fit rings to a velocity field.

    Parameters
    ----------
    field : VelocityField
    geometry : {"fixed", "regularised"}
        Whether inclination, position angle and centre are given, or fitted; the angles may then change with radius,
        restricted by `STIFFNESS`.
    deblur : bool
        Whether the model is blurred by the beam; False gives the classic fit.
    inclination, position_angle : float, optional
        Kept fixed where given; required for ``geometry="fixed"`` [deg].
    centre : (float, float) or None
        Of the galaxy's light, West and North of the map's centre [kpc]. None where it is not known: the search for the
        kinematic centre then begins at the middle of the emission, and goes further from it.

    Returns
    -------
    RotationCurve
        With the reasons for which it is rejected, if any. The ring at half a beam, which is flagged, comes out too
        fast where a curve bends inside one beam: the model rises linearly from the centre to it, and continues the
        rings outside smoothly inwards.

    Raises
    ------
    GalaxyError
        When there is too little emission for two rings.
    ValueError
        When the geometry is to be fixed and is not given.
    """
    if geometry == "fixed" and (inclination is None or position_angle is None):
        raise ValueError(f"{field.galaxy}: a fixed geometry needs an inclination and a position angle")
    start, error = (_middle(field), FREE_CENTRE) if centre is None else (centre, CENTRE_ERROR)
    search = _Search(field.about(start), deblur, start, (inclination, position_angle), error)
    tilt, inclination_err = search.geometry(geometry)
    return replace(search.curve(tilt, inclination_err), optical_centre=centre)


def _middle(field: VelocityField) -> tuple[float, float]:
    """Mean place of the pixels with emission [kpc], which bright arms and lopsided gas hardly move."""
    x, y = field.mesh()
    return float(x[field.seen].mean()), float(y[field.seen].mean())


def model_field(curve: RotationCurve, field: VelocityField) -> np.ndarray:
    """Velocities of a curve's rings in the pixels of a field, blurred as in the fit.

    Parameters
    ----------
    curve : RotationCurve
    field : VelocityField
        The field to which `curve` was fitted.

    Returns
    -------
    ndarray, shape (y, x)
        [km/s], NaN where the galaxy is blank.
    """
    search = _Search(field.about(curve.centre), True, curve.centre)
    turned = np.degrees(np.unwrap(np.radians(curve.position_angle)))
    search.rings = len(curve)
    columns = search.columns(Tilt(*curve.centre, curve.radius, curve.inclination, turned))
    out = np.full(field.velocity.shape, np.nan)
    out[search.cut] = np.where(search.seen, np.tensordot(curve.v_rot, columns, axes=1) + curve.v_sys, np.nan)
    return out


@dataclass(frozen=True)
class _Linear:
    """A map that is linear in some values, fitted to data by weighted least squares with a penalty on roughness.

    Parameters
    ----------
    columns : ndarray, shape (k, y, x)
        The map per unit of each value.
    weight, fitted : ndarray, shape (y, x)
        Of the data, and the best map.
    rough : ndarray, shape (r, k)
        Roughness per unit of each value.
    values : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
    """

    columns: np.ndarray
    weight: np.ndarray
    rough: np.ndarray
    values: np.ndarray
    covariance: np.ndarray
    fitted: np.ndarray

    @classmethod
    def solve(cls, columns: np.ndarray, data: np.ndarray, weight: np.ndarray, rough: np.ndarray) -> _Linear:
        """Find the values."""
        flat = columns.reshape(len(columns), -1)
        weighted = flat * weight.ravel()
        normal = weighted @ weighted.T + rough.T @ rough
        normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal) / len(normal) + 1e-30
        covariance = np.linalg.inv(normal)
        values = covariance @ (weighted @ (data * weight).ravel())
        return cls(columns, weight, rough, values, covariance, (values @ flat).reshape(data.shape))

    @property
    def penalty(self) -> np.ndarray:
        """Roughness of the values, shape (r,)."""
        return self.rough @ self.values

    def slopes(self, moved: np.ndarray, pulled: np.ndarray, rough: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How the best map, (p, y, x), and its roughness, (p, r), change with p parameters of the columns.

        The values change as well: what keeps the gradient of the least squares at zero follows from how it moves
        (Golub & Pereyra 1973).

        Parameters
        ----------
        moved : ndarray, shape (p, y, x)
            Change of the map for the same values.
        pulled : ndarray, shape (p, k)
            Change of the columns, times the weighted residuals ``weight^2 (data - fitted)``.
        rough : ndarray, shape (p, r, k)
            Change of `rough`.
        """
        flat, bent = self.columns.reshape(len(self.columns), -1), rough @ self.values
        right = pulled - (moved * self.weight**2).reshape(len(moved), -1) @ flat.T
        right = right - bent @ self.rough - np.einsum("prk,r->pk", rough, self.penalty)
        change = right @ self.covariance
        return moved + (change @ flat).reshape(moved.shape), bent + change @ self.rough.T


@lru_cache(maxsize=64)
def _bends(n: int, columns: int) -> np.ndarray:
    """Second differences of the first n of some values, shape (n - 2, columns)."""
    return np.diff(np.eye(n, columns), 2, axis=0)


class _Search:
    """The fit of one galaxy: data cut to the emission and weighted, and the model for any geometry."""

    def __init__(
        self,
        field: VelocityField,
        deblur: bool,
        centre: tuple[float, float],
        given: tuple[float | None, float | None] = (None, None),
        centre_error: float = CENTRE_ERROR,
    ):
        self.field, self.deblur, self.centre, self.given = field, deblur, centre, given
        seen = field.seen
        if np.count_nonzero(seen) < 12:
            raise RejectedGalaxyError(f"{field.galaxy} has emission in {seen.sum()} pixels only", Reason.NO_HI)
        margin = int(np.ceil(field.beam.major / field.pixel)) + 1
        box = ndimage.find_objects(seen.astype(int))[0]
        cut = tuple(slice(max(0, part.start - margin), part.stop + margin) for part in box)
        self.cut, self.seen = cut, seen[cut]
        self.x, self.y = (axis[cut] for axis in field.mesh())
        self.sigma0, self.velocity, self.dispersion = (
            np.where(self.seen, values[cut], 0.0)
            for values in (field.surface_density, field.velocity, field.dispersion)
        )
        self.smear = Smear(field.beam, self.seen.shape, field.pixel)
        self.step = max(STEP * field.beam.fwhm, field.pixel)
        self.per_beam: float = max(1.0, field.beam.area / field.pixel**2)  # correlated pixels
        self.source = self._deblurred() if self.deblur else self.sigma0
        self.blurred_source = self.smear(self.source) if self.deblur else self.source
        noise = 2.0 * field.noise
        with np.errstate(divide="ignore", invalid="ignore"):
            thermal = self.dispersion * noise / self.sigma0
        error = np.hypot(NONCIRCULAR, np.where(self.seen, thermal, 0.0))
        self.weight = self.seen / error / np.sqrt(self.per_beam)
        error0 = np.hypot(noise + 1e-3 * self.sigma0.max(), CLUMPY * self.sigma0)
        self.weight0 = 1.0 / error0 / np.sqrt(self.per_beam)
        moved = np.abs(self.velocity - np.median(self.velocity[self.seen]))
        self.spread = float(np.percentile(moved[self.seen], 90))
        self.rings = 0
        self._last: tuple[Tilt, Deprojected] | None = None
        self.centre_error = centre_error * field.beam.fwhm

    def place(self, tilt: Tilt) -> Deprojected:
        """The pixels in the disc; those of the last tilt are kept, as both maps are modelled with each tilt."""
        if self._last is None or self._last[0] is not tilt:
            self._last = tilt, tilt.deproject(self.x, self.y)
        return self._last[1]

    def _deblurred(self, rounds: int = 8) -> np.ndarray:
        """Emission before the beam by Richardson-Lucy deconvolution; zero where the map is blank."""
        estimate = np.maximum(self.sigma0, 0.0)
        for _ in range(rounds):
            blurred = self.smear(estimate)
            ratio = np.divide(self.sigma0, blurred, out=np.zeros_like(blurred), where=self.seen & (blurred > 0))
            estimate = np.maximum(estimate * self.smear(np.clip(ratio, 0.0, 5.0)), 0.0) * self.seen
        return estimate

    def geometry(self, kind: Geometry) -> tuple[Tilt, float]:
        """The tilt that fits both maps best, and the standard deviation of the inclination [deg]."""
        inclination, angle = self.given
        angle = self._gradient() if angle is None else angle
        if inclination is None:
            tries = np.array([25.0, 40.0, 52.0, 62.0, 70.0, 78.0])
            costs = []
            for value in tries:
                tilt = Tilt.flat(value, angle, *self.centre)
                self.rings = self._reach(tilt)
                costs.append(np.sum(self._residuals(tilt) ** 2) / max(self.rings, 1))
            inclination = float(tries[int(np.argmin(costs))])
        tilt = Tilt.flat(inclination, angle, *self.centre)
        self.rings = self._reach(tilt)
        if kind == "fixed":
            return tilt, 0.0
        tilt, error = self._search(tilt, 1)
        self.rings = self._reach(tilt)
        self._leave_out(tilt)
        tilt, error = self._search(tilt, NODES if self.rings >= 4 else 1)
        self.rings = self._reach(tilt)
        return tilt, error

    def _gradient(self) -> float:
        """Position angle of the velocity gradient [deg], from a plane fitted to the field."""
        use = self.seen & (self.sigma0 > np.median(self.sigma0[self.seen]))
        columns = np.stack([np.ones(use.sum()), self.x[use], self.y[use]], axis=1)
        slope = np.linalg.lstsq(columns, self.velocity[use], rcond=None)[0]
        return float(np.degrees(np.arctan2(-slope[1], slope[2])))

    def _reach(self, tilt: Tilt) -> int:
        """Number of rings that are at least half filled with emission."""
        inside = self.place(tilt).radius[self.seen]
        last = max(2, int(np.ceil(np.quantile(inside, 0.99) / self.step)))
        filled = np.flatnonzero(self._coverage(tilt, np.arange(1, last + 1) * self.step) >= 0.5)
        return max(2, int(filled.max(initial=0)) + 1)

    def _coverage(self, tilt: Tilt, radius: np.ndarray) -> np.ndarray:
        """Fraction of each ring with emission."""
        place = self.place(tilt)
        cos_i = np.cos(np.radians(tilt.at(radius)[0]))
        area = np.pi * ((radius + self.step / 2) ** 2 - (radius - self.step / 2) ** 2) * cos_i
        edges = np.concatenate([radius - self.step / 2, [radius[-1] + self.step / 2]])
        # Half of the azimuth, about the major axis: along the minor axis the beam widens an inclined disc.
        near = self.seen & (np.abs(place.cosine) > np.sqrt(0.5))
        pixels, _ = np.histogram(place.radius[near], edges)
        return np.minimum(1.0, pixels * self.field.pixel**2 / (0.5 * area))

    def _leave_out(self, tilt: Tilt) -> None:
        """Give zero weight to velocities far from the rings, which belong to something else in the field."""
        off = np.where(self.seen, self.velocity - self._speeds(tilt, self.weight).fitted, np.nan)
        self.weight = np.where(np.abs(off) > 4.0 * max(_robust(off[self.seen]), NONCIRCULAR), 0.0, self.weight)

    def _search(self, start: Tilt, nodes: int) -> tuple[Tilt, float]:
        """Least squares over centre and angles."""
        radii = np.zeros(1) if nodes == 1 else np.linspace(0.2, 1.0, nodes) * self.rings * self.step
        angles = [values if nodes > 1 or len(values) == 1 else values.mean(keepdims=True) for values in start.at(radii)]
        fixed_i, fixed_angle = (value is not None for value in self.given)
        spread_i, spread_angle = STIFFNESS

        def unpack(p: np.ndarray) -> Tilt:
            inclination = angles[0] if fixed_i else p[2 : 2 + nodes]
            return Tilt(p[0], p[1], radii, inclination, angles[1] if fixed_angle else p[-nodes:])

        def stiff(p: np.ndarray) -> np.ndarray:
            tilt = unpack(p)
            bends = np.diff(tilt.inclination) / spread_i, np.diff(tilt.position_angle) / spread_angle
            return np.concatenate([(p[:2] - self.centre) / self.centre_error, *bends])

        @lru_cache(maxsize=1)  # the derivatives are asked for where the residuals have just been
        def models(key: bytes) -> tuple[Tilt, _Linear, _Linear]:
            tilt = unpack(np.frombuffer(key))
            return tilt, self._speeds(tilt, self.weight), self._densities(tilt)

        def residuals(p: np.ndarray) -> np.ndarray:
            _, *both = models(p.tobytes())
            return np.concatenate([self._off(*both), stiff(p)])

        def slopes(p: np.ndarray) -> np.ndarray:
            tilt, *both = models(p.tobytes())
            return np.concatenate([self._slopes(tilt, free, *both), constant], axis=1).T

        free = np.repeat([True, not fixed_i, not fixed_angle], [2, nodes, nodes])
        guess = [start.x, start.y, *([] if fixed_i else angles[0]), *([] if fixed_angle else angles[1])]
        low, high = np.full(len(guess), -np.inf), np.full(len(guess), np.inf)
        if not fixed_i:
            low[2 : 2 + nodes], high[2 : 2 + nodes] = 3.0, 88.0
        p0 = np.clip(guess, low + 0.1, high - 0.1)
        scale = [self.centre_error] * 2 + [5.0] * (len(p0) - 2)
        constant = np.array([stiff(p0 + one) - stiff(p0) for one in np.eye(len(p0))])
        found = least_squares(
            residuals, p0, slopes, bounds=(low, high), x_scale=scale, ftol=1e-3, xtol=1e-3, max_nfev=12
        )
        tilt = unpack(found.x)
        if fixed_i:
            return tilt, 0.0
        worse = max(1.0, float(np.sum(found.fun**2)) * self.per_beam / max(1, 2 * int(self.seen.sum())))
        covariance = np.linalg.pinv(found.jac.T @ found.jac) * worse
        mean = np.zeros(len(p0))
        mean[2 : 2 + nodes] = 1.0 / nodes
        return tilt, float(np.sqrt(mean @ covariance @ mean))

    def _residuals(self, tilt: Tilt) -> np.ndarray:
        """Weighted differences between both maps and their best models, and the penalties on roughness."""
        return self._off(self._speeds(tilt, self.weight), self._densities(tilt))

    def _off(self, speeds: _Linear, densities: _Linear) -> np.ndarray:
        velocity = ((speeds.fitted - self.velocity) * self.weight)[self.seen]
        density = ((densities.fitted - self.sigma0) * self.weight0).ravel()
        return np.concatenate([velocity, speeds.penalty, density, densities.penalty])

    def _slopes(self, tilt: Tilt, free: np.ndarray, speeds: _Linear, densities: _Linear) -> np.ndarray:
        """Change of `_off` with the free ones of the parameters of `Tilt.slopes`, shape (p, residuals).

        A map is blurred once for each parameter, and not once for each of its rings as in a difference of `_off`: what
        the rings contribute to the change of their values is found by blurring the residuals instead.
        """
        n, shape, size = self.rings, self.seen.shape, self.seen.size
        pull = self.weight**2 * (self.velocity - speeds.fitted)
        if self.deblur:
            pull = self.source * self.smear(self._over_source(pull))
        residuals = self.weight0**2 * (self.sigma0 - densities.fitted)
        common = self.smear(np.stack([residuals, self.sigma0, np.ones(shape)])).reshape(3, size).T
        # Values at 0, step, ..., (n + 1) step: the speed rises from zero and then stays; the disc ends.
        v, s = np.append(0.0, speeds.values[[*range(n), n - 1]]), np.append(densities.values, 0.0)
        # The basis has kinks, but its sums over many pixels hardly: differences over a small step.
        place, slopes = self.place(tilt), tilt.slopes(self.x, self.y)
        step = np.where(np.arange(len(free)) < 2, 0.01 * self.centre_error, 0.05)[free]
        change = np.append(0.0, step)[:, None, None]
        radius, cosine, sin_i = (
            now + change * np.concatenate([[np.zeros(shape)], slope[free]])
            for now, slope in zip(vars(place).values(), vars(slopes).values(), strict=True)
        )
        basis = hats(radius, self.step, n + 1).reshape(n + 2, -1, size).swapaxes(0, 1)
        turned = (sin_i * cosine).reshape(-1, size)
        pulled, pulled0 = basis @ (pull.ravel() * turned)[..., None], basis @ common
        last = pulled[:, n:].sum(axis=1)
        # As in `_densities`, where no pixel lies the level is that of the whole map.
        level = (pulled0[:, :-1, 1] + 1e-12 * self.sigma0.mean()) / (pulled0[:, :-1, 2] + 1e-12)
        moved, moved0, pulled, pulled0, rough, rough0 = (
            (values[1:] - values[0]) / step.reshape(-1, *([1] * (values.ndim - 1)))
            for values in (
                (v @ basis * turned).reshape(-1, *shape),
                (s @ basis).reshape(-1, *shape),
                np.concatenate([pulled[:, 1:n, 0], last, np.zeros_like(last)], axis=1),
                pulled0[:, :-1, 0],
                self._rough_speeds(sin_i, n + 1),
                self._rough_densities(level),
            )
        )
        if self.deblur:
            moved = self._over_source(self.smear(moved * self.source))
        fitted, penalty = speeds.slopes(moved, pulled, rough)
        fitted0, penalty0 = densities.slopes(self.smear(moved0), pulled0, rough0)
        density = (fitted0 * self.weight0).reshape(len(step), size)
        return np.concatenate([(fitted * self.weight)[:, self.seen], penalty, density, penalty0], axis=1)

    def columns(self, tilt: Tilt) -> np.ndarray:
        """Velocity in every pixel per km/s of each ring's speed, shape (rings, y, x)."""
        place = self.place(tilt)
        basis = hats(place.radius, self.step, self.rings)[1:] * (place.sin_i * place.cosine)
        if self.deblur:
            basis = self._over_source(self.smear(basis * self.source))
        return basis

    def _over_source(self, blurred: np.ndarray) -> np.ndarray:
        """A blurred map, weighted by the emission, over the blurred emission."""
        return blurred / np.maximum(self.blurred_source, 1e-9 * self.blurred_source.max())

    def _speeds(self, tilt: Tilt, weight: np.ndarray, v_sys: float | None = None) -> _Linear:
        """Model of the velocities; its values are ``[V_1 .. V_n, V_sys]``, or those of the rings if V_sys is given."""
        columns = self.columns(tilt)
        if v_sys is None:
            columns = np.concatenate([columns, np.ones((1, *columns.shape[1:]))])
        data, rough = self.velocity - (v_sys or 0.0), self._rough_speeds(self.place(tilt).sin_i, len(columns))
        return _Linear.solve(columns, data, weight, rough)

    def _rough_speeds(self, sin_i: np.ndarray, columns: int) -> np.ndarray:
        """Second differences of curves over `SMOOTH` times their typical speed, (..., y, x) -> (..., r, columns)."""
        typical = np.maximum(30.0, self.spread / np.maximum(np.median(sin_i, axis=(-2, -1)), 0.3))
        return _bends(self.rings, columns) / (SMOOTH * typical[..., None, None])

    def _densities(self, tilt: Tilt) -> _Linear:
        """Model of moment 0; its values are the emission at ``0, step, ...``."""
        place = self.place(tilt)
        basis = hats(place.radius, self.step, self.rings + 1)
        basis = self.smear(basis[:-1])  # the disc ends one step beyond the last ring
        flat = basis.reshape(len(basis), -1)
        share = np.maximum(flat, 1e-12)
        level = (share * self.sigma0.ravel()).sum(axis=1) / share.sum(axis=1)
        return _Linear.solve(basis, self.sigma0, self.weight0, self._rough_densities(level))

    def _rough_densities(self, level: np.ndarray) -> np.ndarray:
        """Second differences of the emission in units of its scatter about a `level`, (..., k) -> (..., k - 2, k)."""
        scatter = CLUMPY * np.maximum(level[..., 1:-1], 0.01 * level.max(axis=-1, keepdims=True))
        return _bends(level.shape[-1], level.shape[-1]) / scatter[..., None]

    def curve(self, tilt: Tilt, inclination_err: float) -> RotationCurve:
        """The rotation curve for the geometry found."""
        n = self.rings
        model = self._speeds(tilt, self.weight)
        fitted, speeds, v_sys = model.fitted, model.values[:n], float(model.values[n])
        if np.median(speeds) < 0:  # the search began on the wrong side
            return self.curve(replace(tilt, position_angle=tilt.position_angle + 180.0), inclination_err)
        off, used = self.velocity - fitted, self.weight > 0
        worse = max(0.05, self.per_beam * (1.4826 * float(np.median(np.abs(off * self.weight)[used]))) ** 2)
        formal = np.sqrt(np.diag(model.covariance)[:n] * worse)
        place = self.place(tilt)
        sides = []
        for side in (place.cosine < 0, place.cosine > 0):
            if np.count_nonzero(self.weight * side) < 3:
                sides.append(np.full(n, np.nan))
                continue
            one = self._speeds(tilt, self.weight * side, v_sys)
            # A speed that the data of this side do not constrain comes from the smoothing alone.
            known = np.diag(one.covariance) * worse < (0.3 * np.maximum(np.abs(one.values), 30.0)) ** 2
            sides.append(np.where(known, one.values, np.nan))
        radius = np.arange(1, n + 1) * self.step
        apart = np.where(np.isfinite(sides[0] - sides[1]), sides[0] - sides[1], 0.0)
        v_err = np.hypot(formal, 0.25 * apart)
        density = np.maximum(self._densities(tilt).values[1:], 0.0)
        inclination, angle = tilt.at(radius)
        wide = radius >= self.field.beam.fwhm
        # Half of a difference between the sides goes into the systemic velocity, unless the minor axis tells.
        shift = 2.0 * self._minor_axis(place, off) / np.median(place.sin_i)
        asymmetry = np.abs(apart[wide] + shift) / np.maximum(np.abs(speeds[wide]), 1e-9)
        return RotationCurve(
            galaxy=self.field.galaxy,
            radius=radius,
            v_rot=speeds,
            v_err=v_err,
            v_approaching=sides[0],
            v_receding=sides[1],
            dispersion=self._dispersion(place, fitted, speeds, v_sys),
            surface_density=density * np.cos(np.radians(inclination)),
            inclination=inclination,
            position_angle=angle % 360.0,
            inclination_err=inclination_err,
            centre=(float(tilt.x), float(tilt.y)),
            v_sys=v_sys,
            beam=self.field.beam.fwhm,
            coverage=self._coverage(tilt, radius),
            residual=float(_robust(off[used])),
            asymmetry=float(np.median(asymmetry)) if asymmetry.size else float("nan"),
        )

    def _minor_axis(self, place: Deprojected, off: np.ndarray) -> float:
        """Velocity on the minor axis less the systemic one that was fitted; 0 within the error [km/s]."""
        near = (self.weight > 0) & (place.radius > self.field.beam.fwhm)
        if np.count_nonzero(near) < 24:
            return 0.0
        # With one speed for both sides, what is left over rises with distance from the minor axis, on either side.
        (_, found), covariance = np.polyfit(np.abs(place.cosine[near]), off[near], 1, cov="unscaled")
        error = _robust(off[near]) * np.sqrt(covariance[1, 1] * self.per_beam)
        return float(found) if abs(found) > max(2.0, 2.5 * error) else 0.0

    def _dispersion(self, place: Deprojected, fitted: np.ndarray, speeds: np.ndarray, v_sys: float) -> np.ndarray:
        """Median dispersion of each ring, corrected for beam smearing and channel width [km/s]."""
        variance = self.dispersion**2 - self.field.channel_width**2 / 12.0
        if self.deblur:
            sharp = np.tensordot(speeds, hats(place.radius, self.step, self.rings)[1:], axes=1)
            sharp = sharp * place.sin_i * place.cosine + v_sys
            square = self._over_source(self.smear(self.source * sharp**2))
            variance = variance - np.maximum(square - fitted**2, 0.0)
        ring, rings = np.where(self.seen, np.rint(place.radius / self.step), 0), np.arange(1, self.rings + 1)
        median = ndimage.median(variance, ring, rings)
        return np.where(np.isin(rings, ring), np.sqrt(np.maximum(median, 0.0)), np.nan)
