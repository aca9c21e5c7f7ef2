"""Properties of the galaxy in one halo, drawn from scaling relations with their scatter.

Nothing is fixed by the halo alone: stellar mass scatters at given halo mass, gas at given stellar mass, size at given
mass and type. Where two properties are known to vary together their residuals are correlated: stellar mass with
concentration, gas with star formation, ages and metallicity with quenching. Docstrings say "our choice" of everything
that is not from a published relation.

All functions fill columns of the structured array `s` of subhaloes (`population.SUBHALO_COLUMNS`) in place.
"""

from __future__ import annotations

import numpy as np

from . import relations
from .photometry import remaining_fraction
from .population import Rows
from .relations import SCATTER
from .units import BARYON_FRACTION

#: Hydrogen mass over the mass of cold gas, for metal-rich gas.
COLD_HYDROGEN = 0.75

#: Largest fraction of a halo's cosmic baryons, minus its stars, that can be cold gas (our choice).
COLD_LIMIT = 0.8

#: Factors of the two versions of the physics; the alternative represents another simulation in tests of robustness.
PHYSICS = {
    "fiducial": {"contraction": 1.0, "core": 0.0, "hot": 1.0, "hi": 1.0},
    "alternative": {"contraction": 0.2, "core": 0.35, "hot": 0.5, "hi": 1.6},
}


#: Ways in which the gas of the disturbed minority departs from a regular disc.
DISTURBANCES = ("displaced", "counter-rotating", "tilted", "out-of-balance")


def dex(rng: np.random.Generator, sigma: float, size: int) -> np.ndarray:
    """Factors with a log-normal scatter of `sigma` dex."""
    return 10 ** rng.normal(0.0, sigma, size)


def directions(rng: np.random.Generator, n: int) -> np.ndarray:
    """Isotropic unit vectors, shape (n, 3)."""
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def draw_dark_halo(rng: np.random.Generator, s: Rows, physics: str) -> np.ndarray:
    """Concentration, shape and response to the baryons of haloes of given mass ``m200``.

    Returns
    -------
    ndarray
        Concentration residuals in units of the scatter; `draw_stars` correlates the stellar mass with them.
    """
    n = s.size
    residual = rng.normal(size=n)
    s["r200"] = relations.r200_of(s["m200"])
    s["c200"] = relations.concentration(s["m200"]) * 10 ** (SCATTER["concentration"] * residual)
    # Our choice: rounder than haloes in simulations without baryons.
    s["axis_ratios"][:, 0] = np.clip(rng.normal(0.90, 0.06, n), 0.65, 1.0)
    s["axis_ratios"][:, 1] = s["axis_ratios"][:, 0] * np.clip(rng.normal(0.85, 0.08, n), 0.60, 1.0)
    mean = PHYSICS[physics]["contraction"]
    s["contraction"] = np.clip(mean * rng.normal(1.0, 0.25, n), 0.0, 2.0)
    return residual


def draw_stars(rng: np.random.Generator, s: Rows, residual: np.ndarray) -> None:
    """Stellar mass and whether the galaxy is quenched.

    The residual of stellar mass is correlated with that of concentration: haloes that formed early have more stars
    (Matthee et al. 2017, in EAGLE; the correlation fades above 10^12.5 Msun). It is 0.45 at low mass, our reading of
    their figures. Of the satellites that would form stars, 40 per cent are quenched (van den Bosch et al. 2008).
    """
    n = s.size
    rho = 0.45 / (1.0 + (s["m200"] / 10**12.5) ** 2)
    residual = rho * residual + np.sqrt(1.0 - rho**2) * rng.normal(size=n)
    s["m_star"] = relations.stellar_mass(s["m200"]) * 10 ** (SCATTER["stellar_mass"] * residual)
    fraction = relations.quenched_fraction(s["m_star"])
    fraction = np.where(s["kind"] == "satellite", fraction + 0.4 * (1.0 - fraction), fraction)
    s["quenched"] = rng.random(n) < fraction


def draw_gas(rng: np.random.Generator, s: Rows, physics: str) -> None:
    """Star-formation rate, HI, H2 and hot gas.

    Quenched galaxies have log SFR/M* = -11.9 with a scatter of 0.4 dex; three in ten of them have no star-forming gas,
    as in TNG. HI and H2 follow the specific star-formation rate (xGASS, xCOLD GASS), which correlates the HI residual
    with the distance from the star-forming sequence. Satellites have lost 0.3 dex of HI on average and nearly all hot
    gas (our choice). The hot gas within the edge of the halo is 0.35 of the cosmic share with 0.15 dex of scatter, and
    lower by 0.15 dex in quenched galaxies (our choice; quenched galaxies in TNG have also lost hot gas). No halo has
    more baryons than its cosmic share: where the draws exceed it, cold gas is limited to `COLD_LIMIT` of what the stars
    leave, and hot gas to the rest.
    """
    n = s.size
    satellite = s["kind"] == "satellite"
    sequence = relations.star_forming_sequence(s["m_star"]) * dex(rng, SCATTER["sfr"], n)
    off = s["m_star"] * 10 ** rng.normal(-11.9, 0.4, n)
    s["sfr"] = np.where(s["quenched"], off * (rng.random(n) > 0.3), sequence)
    change = PHYSICS[physics]
    stripped = np.where(satellite, -np.abs(rng.normal(0.3, 0.25, n)), 0.0)
    hi = relations.hi_mass_at_ssfr(s["m_star"], s["sfr"]) * dex(rng, SCATTER["hi_mass"], n)
    # The survey's medians of quenched galaxies are near its detection limit: draw half of ours below it.
    below = s["quenched"] & (rng.random(n) < 0.5)
    s["m_hi"] = hi * 10**stripped * np.where(below, 10 ** -rng.uniform(0.2, 1.2, n), 1.0) * change["hi"]
    s["m_h2"] = relations.h2_mass_at_ssfr(s["m_star"], s["sfr"]) * dex(rng, SCATTER["h2_mass"], n)
    s["m_h2"] = np.where(s["sfr"] > 0.0, np.minimum(s["m_h2"], 1.5 * s["m_hi"]), 0.0)
    room = np.maximum(BARYON_FRACTION * s["m200"] - s["m_star"], 0.0)
    kept = np.minimum(1.0, COLD_LIMIT * room * COLD_HYDROGEN / (s["m_hi"] + s["m_h2"]))
    s["m_hi"], s["m_h2"] = kept * s["m_hi"], kept * s["m_h2"]
    s["r_hi"] = relations.hi_radius(s["m_hi"]) * dex(rng, SCATTER["hi_radius"], n)
    share = 0.35 * BARYON_FRACTION * s["m200"] * dex(rng, 0.15, n) * change["hot"]
    share *= np.where(s["quenched"], 10**-0.15, 1.0)
    share = np.minimum(share, room - (s["m_hi"] + s["m_h2"]) / COLD_HYDROGEN)
    s["m_hot"] = np.where(satellite, 0.05, 1.0) * share
    s["gas_dispersion"] = np.clip(rng.normal(9.0, 1.5, n) + 2.5 * np.log10(1.0 + s["sfr"]), 6.0, 20.0)


def draw_structure(rng: np.random.Generator, s: Rows, physics: str) -> None:
    """Bulge, disc, sizes and orientation.

    Half-mass radii are 0.8 of half-light radii (our choice; Szomoru et al. 2013 find them smaller by 25 per cent on
    average); the deprojected radius of the spheroid's part is larger by a third. The half-mass radius of the bulge is
    our choice: a quarter of the galaxy's for a small bulge, the galaxy's where there is no disc. The scale length of
    the disc follows from the half-mass radius.
    """
    n = s.size
    log_m = np.log10(s["m_star"])
    mean = np.where(s["quenched"], 0.6, 0.18 + 0.12 * (log_m - 10.5))
    s["bulge_fraction"] = np.clip(rng.normal(mean, np.where(s["quenched"], 0.15, 0.10)), 0.03, 0.90)
    s["halo_star_fraction"] = np.clip(0.04 * 10 ** (0.4 * (log_m - 10.5)) * dex(rng, 0.25, n), 0.005, 0.30)
    # Drawn independently, the two can exceed the mass of the most massive ellipticals: keep a trace of a disc.
    s["bulge_fraction"] = np.minimum(s["bulge_fraction"], 0.99 - s["halo_star_fraction"])
    scatter = np.where(s["quenched"], SCATTER["size_early"], SCATTER["size_late"])
    light = relations.half_light_radius(s["m_star"], s["quenched"]) * 10 ** (scatter * rng.normal(size=n))
    s["r_half"] = 0.8 * light * (1.0 + s["bulge_fraction"] / 3.0)
    relative = 0.25 + 0.75 * np.clip((s["bulge_fraction"] - 0.3) / 0.6, 0.0, 1.0) ** 2
    s["r_bulge"] = relative * s["r_half"] / (1.0 + np.sqrt(2.0))
    s["r_disc"] = disc_scale_length(s["r_half"], s["r_bulge"], s["bulge_fraction"])
    s["h_disc"] = s["r_disc"] * np.clip(rng.normal(0.14, 0.03, n), 0.07, 0.25) * np.where(s["quenched"], 1.5, 1.0)
    s["spin_axis"] = directions(rng, n)
    s["halo_axes"] = _halo_axes(rng, s["spin_axis"])
    s["core_radius"] = PHYSICS[physics]["core"] * s["r_half"] * dex(rng, 0.1, n)
    has_hole = s["m_star"] > 1e9
    hole = relations.black_hole_mass(s["bulge_fraction"] * s["m_star"]) * dex(rng, SCATTER["black_hole_mass"], n)
    s["m_bh"] = np.where(has_hole, np.maximum(hole, 1.18e6), 0.0)


def disc_scale_length(r_half: np.ndarray, r_bulge: np.ndarray, bulge_fraction: np.ndarray) -> np.ndarray:
    """Scale length [kpc] of the thin exponential disc that, with a Hernquist bulge, puts half the mass within `r_half`.

    Found by bisection. The arguments are arrays of equal length: two radii [kpc] and a mass fraction.
    """
    bulge = bulge_fraction * (r_half / (r_half + r_bulge)) ** 2
    wanted = np.clip((0.5 - bulge) / (1.0 - bulge_fraction), 0.02, 0.98)
    low, high = np.full_like(r_half, 0.02), np.full_like(r_half, 50.0)
    for _ in range(50):
        x = 0.5 * (low + high)
        inside = 1.0 - (1.0 + x) * np.exp(-x)
        low, high = np.where(inside < wanted, x, low), np.where(inside < wanted, high, x)
    return r_half / (0.5 * (low + high))


def _halo_axes(rng: np.random.Generator, spin: np.ndarray) -> np.ndarray:
    """Long, middle and short axis in rows; the short axis lies within about 20 degrees of the spin of the disc."""
    n = len(spin)
    tilt = np.radians(np.abs(rng.normal(0.0, 20.0, n)))[:, None]
    side = np.cross(spin, directions(rng, n))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    short = np.cos(tilt) * spin + np.sin(tilt) * side
    long = np.cross(short, directions(rng, n))
    long /= np.linalg.norm(long, axis=1, keepdims=True)
    return np.stack([long, np.cross(short, long), short], axis=1)


def draw_populations(rng: np.random.Generator, s: Rows) -> None:
    """Metallicities, ages and their gradients.

    Mass-weighted ages are our choice: 6.6 Gyr for star-forming and 9.2 Gyr for quenched galaxies at 10^10.5 Msun, so
    that light-weighted ages are as near those of Gallazzi et al. (2005) as star-formation histories that end at today's
    rate allow. Gas gradients are -0.1 dex per half-mass radius (Sanchez et al. 2014).
    """
    n = s.size
    log_m = np.log10(s["m_star"])
    oxygen = relations.gas_metallicity(s["m_star"]) + rng.normal(0.0, SCATTER["gas_metallicity"], n)
    s["z_gas"] = relations.oxygen_to_mass_fraction(oxygen)
    s["z_gas_gradient"] = -rng.normal(0.10, 0.03, n) / s["r_half"]
    shift = np.where(s["quenched"], 0.0, -0.05)
    s["z_star"] = relations.stellar_metallicity(s["m_star"]) * 10**shift * dex(rng, SCATTER["stellar_metallicity"], n)
    s["z_star_gradient"] = -np.abs(rng.normal(0.12, 0.05, n)) / s["r_half"]
    age = np.where(s["quenched"], 9.2, 6.6) + 0.8 * (log_m - 10.5) + rng.normal(0.0, 0.8, n)
    s["age"] = np.clip(age, 4.0, 12.0)
    s["age_gradient"] = -rng.normal(0.7, 0.3, n) / s["r_half"]
    s["sfh_shape"] = rng.uniform(2.6, 5.0, n)


def draw_asymmetries(rng: np.random.Generator, s: Rows) -> None:
    """Bars, arms, warps, lopsided and disturbed discs, with frequencies near the observed ones (our choice).

    Half of the discs have a bar, half of the HI discs are warped, and one galaxy in twelve is disturbed.
    """
    n = s.size
    disc = s["bulge_fraction"] < 0.55
    barred = disc & (rng.random(n) < 0.5)
    s["bar_strength"] = np.where(barred, rng.uniform(0.15, 0.5, n), 0.0)
    s["bar_length"] = s["r_disc"] * rng.uniform(0.8, 1.5, n)
    s["bar_angle"] = rng.uniform(0.0, np.pi, n)
    s["spiral_amplitude"] = np.where(s["quenched"], rng.uniform(0.0, 0.1, n), rng.uniform(0.15, 0.55, n)) * disc
    s["spiral_arms"] = rng.choice([2, 3, 4], n, p=[0.6, 0.25, 0.15])
    s["spiral_pitch"] = rng.uniform(12.0, 28.0, n)
    s["spiral_phase"] = rng.uniform(0.0, 2 * np.pi, n)
    s["warp_radius"] = 3.2 * s["r_disc"] * rng.uniform(0.8, 1.3, n)
    s["warp_amplitude"] = np.where(rng.random(n) < 0.5, np.abs(rng.normal(0.0, 12.0, n)), 0.0)
    s["warp_node"] = rng.uniform(0.0, 2 * np.pi, n)
    s["lopsidedness"] = np.minimum(rng.rayleigh(0.10, n), 0.5)
    s["lopsided_phase"] = rng.uniform(0.0, 2 * np.pi, n)
    kinds = np.array(DISTURBANCES)[rng.integers(0, len(DISTURBANCES), n)]
    s["disturbed"] = np.where(rng.random(n) < 1.0 / 12.0, kinds, "")


def count_particles(s: Rows, m_dm: float, m_baryon: float) -> None:
    """Numbers of particles from the masses; they determine the order on disk before any particle is drawn."""
    s["n_dm"] = np.maximum(np.rint(s["m_dm"] / m_dm), 0)
    cold = (s["m_hi"] + s["m_h2"]) / COLD_HYDROGEN
    s["n_gas"] = np.rint((s["m_hot"] + cold) / m_baryon)
    s["n_star"] = np.rint(s["m_star"] / (m_baryon * remaining_fraction(s["age"])))
    winds = np.maximum(2.0, np.rint(0.02 * cold / m_baryon))
    s["n_wind"] = np.where(s["sfr"] > 0.1, winds, 0.0)
    s["n_bh"] = s["m_bh"] > 0.0
