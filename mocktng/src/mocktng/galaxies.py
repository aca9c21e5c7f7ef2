"""Properties of galaxies at given stellar mass, drawn jointly from the relations of real TNG100 galaxies.

What the catalogue of TNG100 lists is drawn from it (`tng100`): dark mass, star-formation rate, bound gas, size, colour,
black hole, kinematic disc fraction, and the largest circular speed and the inner dark matter, from which concentration
and contraction follow (`haloes`). What it does not list follows published relations with their scatter (`relations`):
HI and H2, metals, bars, arms. Docstrings say "our choice" of everything else.

All functions fill columns of the structured array `s` of subhaloes (`population.SUBHALO_COLUMNS`) in place.
"""

from __future__ import annotations

import numpy as np

from . import haloes, relations, tng100
from .photometry import BANDS, magnitudes, remaining_fraction
from .population import Rows
from .relations import COLD_HYDROGEN, SCATTER
from .structure import COSMIC_BARYON_FRACTION, SPHEROID_HALF, SPHEROID_SHARE, spheroid_share
from .units import OLDEST, RECENT

#: Largest fraction of the bound gas that can be cold gas (our choice).
COLD_LIMIT = 0.8

#: Mass of a cell of hot gas in units of the target: near the limit of refinement, two, to save particles (our choice).
HOT_CELL = 1.9

#: Half-mass radius of a bulge without a size of its own [kpc]: twice the softening length of TNG100's stars, within
#: which gravity is too weak to hold a cusp. Without it one galaxy in six would turn fastest within 2 kpc, and next to
#: none does in TNG100 (our choice).
SOFTENED = 1.5

#: Range of the core radius of the hot gas in units of r200 (our choice).
HOT_CORES = (0.02, 0.30)

#: Least mean surface density of HI in a ring about an emptied centre [Msun/kpc^2] (our choice).
RING_DENSITY = 1.5e6

#: Half-mass radius of the stellar halo in half-mass radii of all stars (our choice).
STELLAR_HALO_SIZE = 4.5

#: Specific star-formation rate below which a galaxy counts as quenched [1/yr].
QUENCHED_BELOW = 1e-11

#: What a version of the physics changes: factors on the strength of the contraction, the hot gas, the HI, the
#: turbulence of the cold gas (which supports it by pressure) and the mass of the halo; the core of the halo in stellar
#: half-mass radii; and a scatter of the halo's mass at given stars that is added to that of TNG100 [dex].
_FIDUCIAL = {"contraction": 1.0, "core": 0.0, "hot": 1.0, "hi": 1.0, "turbulence": 1.0, "halo": 1.0, "scatter": 0.0}

#: Versions of the physics. The alternative represents another simulation in tests of robustness; the others differ
#: from the fiducial in one respect each, by about as much as simulations differ among each other (our choice).
PHYSICS = {
    "fiducial": _FIDUCIAL,
    "alternative": _FIDUCIAL | {"contraction": 0.2, "core": 0.35, "hot": 0.5, "hi": 1.6},
    "gas": _FIDUCIAL | {"hot": 0.5, "hi": 1.6, "turbulence": 1.8},
    "uncontracted": _FIDUCIAL | {"contraction": 0.0},
    "weakly-contracted": _FIDUCIAL | {"contraction": 0.5},
    "cored": _FIDUCIAL | {"core": 0.35},
    "heavy-haloes": _FIDUCIAL | {"halo": 1.4},
    "scattered-haloes": _FIDUCIAL | {"scatter": 0.2},
}

#: Ways in which the gas of the disturbed minority departs from a regular disc.
DISTURBANCES = ("displaced", "counter-rotating", "tilted", "out-of-balance")

#: Features of galaxies that no catalogue lists, each with the column that is zero without it.
FEATURES = {
    "clumps": "clumpiness",
    "arms": "spiral_amplitude",
    "bars": "bar_strength",
    "rings": "ring_amplitude",
    "holes": "hole_radius",
    "warps": "warp_amplitude",
    "lopsidedness": "lopsidedness",
    "disturbances": "disturbed",
}


def dex(rng: np.random.Generator, sigma: float, size: int) -> np.ndarray:
    """Factors with a log-normal scatter of `sigma` dex."""
    return 10 ** rng.normal(0.0, sigma, size)


def directions(rng: np.random.Generator, n: int) -> np.ndarray:
    """Isotropic unit vectors, shape (n, 3)."""
    vectors = rng.normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def draw_catalogue(rng: np.random.Generator, s: Rows, m_host: np.ndarray) -> dict[str, np.ndarray]:
    """Properties that the catalogue of TNG100 lists, at given stellar mass.

    Those of satellites are conditional on the mass of the group, `m_host` (n,) [Msun]. The dark matter that a satellite
    had before it fell in is that of a central of the same size and colour, and at least what it has now.

    Returns
    -------
    dict of ndarray, shape (n,)
        ``v_max`` [km/s], ``m_dm_half``, ``m_gas``, ``m_gas_half`` [Msun], ``g_r`` [mag], ``distance`` from the centre
        of the group (in r200), and normal scores: ``gas_score`` of the bound gas, ``size_score``, and ``metal_score``
        of the colour r - K at given g - r.
    """
    satellite = s["kind"] == "satellite"
    names = ("v_max", "m_dm_half", "g_r", "m_gas", "m_gas_half")
    found = {name: np.ones(s.size) for name in (*names, "distance")}
    found |= {name: np.zeros(s.size) for name in ("gas_score", "size_score", "metal_score")}
    for kind, mine in (("centrals", ~satellite), ("satellites", satellite)):
        m_star, known = s["m_star"][mine], {}
        if kind == "centrals":
            forming = tng100.forms_stars(rng, m_star)
        else:
            distance, forming = tng100.satellite_places(rng, m_star, m_host[mine])
            known = {"m_host": np.log10(m_host[mine]), "distance": np.log10(distance)}
        values, scores = tng100.draw(rng, kind, m_star, forming, known)
        for name in ("m_dm", "r_half", "sfr", "m_bh"):
            s[name][mine] = values[name]
        for name in names:
            found[name][mine] = values[name]
        found["gas_score"][mine], found["size_score"][mine] = scores["m_gas"], scores["r_half"]
        blue, red = scores["g_r"], scores["r_k"]
        shared = np.corrcoef(blue, red)[0, 1] if blue.size > 2 else 0.0
        found["metal_score"][mine] = (red - shared * blue) / np.sqrt(1.0 - min(shared**2, 0.99))
        if kind == "centrals":
            s["bulge_fraction"][mine] = 1.0 - values["disc"]
            continue
        found["distance"][mine] = distance
        like = {"r_half": np.log10(values["r_half"]), "g_r": values["g_r"]}
        before, _ = tng100.draw(rng, "centrals", m_star, forming, like)
        s["bulge_fraction"][mine] = 1.0 - before["disc"]
        s["m200"][mine] = np.maximum(before["m_dm"], values["m_dm"] / 0.9) / (1.0 - COSMIC_BARYON_FRACTION)
    s["quenched"] = s["sfr"] < QUENCHED_BELOW * s["m_star"]
    s["m_bh"] = np.where(s["m_bh"] < 1.1e6, 0.0, s["m_bh"])
    return found


def draw_gas(rng: np.random.Generator, s: Rows, found: dict[str, np.ndarray]) -> None:
    """HI, H2 and hot gas, which together are the bound gas of the catalogue.

    HI and H2 follow the specific star-formation rate (xGASS, xCOLD GASS). The residual of HI has a rank correlation of
    0.6 with that of the bound gas (our choice). Bound gas limits the cold gas (`COLD_LIMIT`), which makes satellites in
    massive groups poor in HI; the gas that is not cold is hot.
    """
    n = s.size
    residual = 0.6 * found["gas_score"] + 0.8 * rng.standard_normal(n)
    hi = relations.hi_mass_at_ssfr(s["m_star"], s["sfr"]) * 10 ** (SCATTER["hi_mass"] * residual)
    # The survey's medians of quenched galaxies are near its detection limit: draw half of ours below it.
    below = s["quenched"] & (rng.random(n) < 0.5)
    s["m_hi"] = hi * np.where(below, 10 ** -rng.uniform(0.2, 1.2, n), 1.0)
    s["m_h2"] = relations.h2_mass_at_ssfr(s["m_star"], s["sfr"]) * dex(rng, SCATTER["h2_mass"], n)
    s["m_h2"] = np.where(s["sfr"] > 0.0, np.minimum(s["m_h2"], 1.5 * s["m_hi"]), 0.0)
    kept = np.minimum(1.0, COLD_LIMIT * found["m_gas"] * COLD_HYDROGEN / (s["m_hi"] + s["m_h2"]))
    s["m_hi"], s["m_h2"] = kept * s["m_hi"], kept * s["m_h2"]
    s["r_hi"] = relations.hi_radius(s["m_hi"]) * dex(rng, SCATTER["hi_radius"], n)
    s["m_hot"] = found["m_gas"] - (s["m_hi"] + s["m_h2"]) / COLD_HYDROGEN
    s["gas_dispersion"] = np.clip(rng.normal(9.0, 1.5, n) + 2.5 * np.log10(1.0 + s["sfr"]), 6.0, 20.0)


def empty_centre(s: Rows, gas_half: np.ndarray) -> None:
    """Leave `gas_half` [Msun] of gas within the half-mass radius; fills ``hole_radius`` and ``hot_core``.

    The hole in the cold gas, 1 - exp(-(R/hole)^4), is at most three half-mass radii and 0.8 of the HI radius; smaller
    than a tenth of the half-mass radius it is none. The HI of a quenched galaxy that the relation of sizes would put
    there lies in a wider and thinner ring instead, as long as that has `RING_DENSITY`. What the cold gas lacks the hot
    gas adds, with a core radius within `HOT_CORES`.
    """
    half, size = s["r_half"][:, None], np.geomspace(0.05, 3.0, 100)
    left, widest = haloes.left_by_hole(1.0 / size), np.sqrt(2.0 * s["m_hi"] / (np.pi * RING_DENSITY))
    for _ in range(2):  # in a wider disc less gas is in the way
        expected = haloes.enclosed_cold_gas(s, half, holes=False)[:, 0]
        hole = np.interp(gas_half / np.maximum(expected, 1.0), left[::-1], size[::-1]) * s["r_half"]
        wide = np.maximum(np.minimum(hole / 0.8, widest), s["r_hi"])
        s["r_hi"] = np.where(s["quenched"], wide, s["r_hi"])
    hole = np.minimum(hole, 0.8 * s["r_hi"])
    s["hole_radius"] = np.where(hole > 0.1 * s["r_half"], hole, 0.0)

    r200 = haloes.r200_of_dark(s["m_dm"])
    cores = np.geomspace(*HOT_CORES, 60)
    share = haloes.hot_share(half / r200[:, None], cores)
    wanted = (gas_half - haloes.enclosed_cold_gas(s, half)[:, 0]) / np.maximum(s["m_hot"], 1.0)
    s["hot_core"] = cores[np.argmin(np.abs(share - wanted[:, None]), axis=1)] * r200


def draw_structure(rng: np.random.Generator, s: Rows, found: dict[str, np.ndarray]) -> None:
    """Bulge, disc and stellar halo, orientation, the centre of the gas, and the dark halo.

    The bulge is what the kinematic disc leaves. Its half-mass radius is our choice: a quarter of the galaxy's for a
    small bulge, the galaxy's where there is no disc, and with `SOFTENED` added in quadrature at most the galaxy's. The
    scale length of the disc follows from the half-mass radius. The share of the stellar halo is our choice; TNG100 has
    still more stars beyond two half-mass radii.
    The spin of the halo is log-normal about 0.035 with 0.22 dex (Bullock et al. 2001); its rank correlation with size
    is 0.4 (our choice; Rodriguez-Gomez et al. 2022 find a correlation in TNG100).
    The gas within the stellar half-mass radius is that of the catalogue, as far as that is possible (`empty_centre`):
    in TNG100 massive black holes have emptied many centres (Weinberger et al. 2018; Diemer et al. 2019).
    """
    n = s.size
    log_m = np.log10(s["m_star"])
    s["halo_star_fraction"] = np.clip(0.08 * 10 ** (log_m - 10.5) * dex(rng, 0.25, n), 0.005, 0.30)
    s["bulge_fraction"] = np.clip(s["bulge_fraction"] - s["halo_star_fraction"], 0.03, 0.97 - s["halo_star_fraction"])
    relative = 0.25 + 0.75 * np.clip((s["bulge_fraction"] - 0.3) / 0.6, 0.0, 1.0) ** 2
    s["r_bulge"] = np.minimum(np.hypot(relative * s["r_half"], SOFTENED), s["r_half"]) / SPHEROID_HALF
    s["r_star_halo"] = STELLAR_HALO_SIZE * s["r_half"] / SPHEROID_HALF
    s["r_disc"] = disc_scale_length(s["r_half"], s["r_bulge"], s["bulge_fraction"], s["halo_star_fraction"])
    s["h_disc"] = s["r_disc"] * np.clip(rng.normal(0.14, 0.03, n), 0.07, 0.25) * np.where(s["quenched"], 1.5, 1.0)
    s["spin_axis"] = directions(rng, n)
    s["halo_axes"] = _halo_axes(rng, s["spin_axis"])
    # Our choice: rounder than haloes in simulations without baryons.
    s["axis_ratios"][:, 0] = np.clip(rng.normal(0.90, 0.06, n), 0.65, 1.0)
    s["axis_ratios"][:, 1] = s["axis_ratios"][:, 0] * np.clip(rng.normal(0.85, 0.08, n), 0.60, 1.0)
    spin = 0.4 * found["size_score"] + np.sqrt(1 - 0.4**2) * rng.standard_normal(n)
    s["halo_spin"] = 0.035 * 10 ** (0.22 * spin)
    empty_centre(s, found["m_gas_half"])
    haloes.fit(s, found["v_max"], found["m_dm_half"])


def change_physics(rng: np.random.Generator, s: Rows, physics: str) -> None:
    """Apply the changes of `PHYSICS` to haloes and gas; stars stay as they are.

    A heavier halo has the same concentration.
    """
    change = PHYSICS[physics]
    s["contraction"] *= change["contraction"]
    s["core_radius"] = change["core"] * s["r_half"] * dex(rng, 0.1, s.size)
    s["m_hot"] *= change["hot"]
    s["r_hi"] *= relations.hi_radius(change["hi"] * s["m_hi"]) / relations.hi_radius(s["m_hi"])
    s["m_hi"] *= change["hi"]
    s["gas_dispersion"] *= change["turbulence"]
    heavier = np.full(s.size, change["halo"])
    if change["scatter"]:
        heavier = heavier * dex(rng, change["scatter"], s.size)
    s["m_dm"] *= heavier
    s["m200"] *= heavier
    s["r200"] *= np.cbrt(heavier)


def disc_scale_length(
    r_half: np.ndarray, r_bulge: np.ndarray, bulge_fraction: np.ndarray, halo_fraction: np.ndarray
) -> np.ndarray:
    """Scale length [kpc] of the thin exponential disc that puts half of all stars within `r_half`.

    The other stars are a bulge of scale radius `r_bulge` and a halo. Found by bisection. The arguments are arrays of
    equal length: two radii [kpc] and two mass fractions.
    """
    others = bulge_fraction * spheroid_share(r_half, r_bulge) + halo_fraction * spheroid_share(
        1.0, STELLAR_HALO_SIZE / SPHEROID_HALF
    )
    wanted = np.clip((0.5 - others / SPHEROID_SHARE) / (1.0 - bulge_fraction - halo_fraction), 0.02, 0.98)
    low, high = np.full_like(r_half, 0.02), np.full_like(r_half, 50.0)
    for _ in range(50):
        x = 0.5 * (low + high)
        inside = (1.0 - (1.0 + x) * np.exp(-x)) / 0.983  # the disc ends at 6 scale lengths
        low, high = np.where(inside < wanted, x, low), np.where(inside < wanted, high, x)
    return 1.02 * r_half / (0.5 * (low + high))  # the table of a disc counts a ring as within its middle


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


def draw_populations(rng: np.random.Generator, s: Rows, found: dict[str, np.ndarray]) -> None:
    """Metallicities, ages and their gradients.

    Stars have the metallicity of TNG100 at their galaxy's mass. Its scatter, 0.08 dex, follows the colour r - K at
    given g - r, which in TNG100 tells of the halo what g - r does not. The mean age gives the colour g - r for the
    metallicity and the star-formation rate of today, as far as an age can (`age_of_colour`). Gas gradients are -0.1 dex
    per half-mass radius (Sanchez et al. 2014).
    """
    n = s.size
    oxygen = relations.gas_metallicity(s["m_star"]) + rng.normal(0.0, SCATTER["gas_metallicity"], n)
    s["z_gas"] = relations.oxygen_to_mass_fraction(oxygen)
    s["z_gas_gradient"] = -rng.normal(0.10, 0.03, n) / s["r_half"]
    s["z_star"] = tng100.stellar_metallicity(s["m_star"]) * 10 ** (0.08 * found["metal_score"])
    s["z_star_gradient"] = -np.abs(rng.normal(0.12, 0.05, n)) / s["r_half"]
    s["sfh_shape"] = rng.uniform(2.6, 5.0, n)
    s["age"] = age_of_colour(s, found["g_r"])
    s["age_gradient"] = -rng.normal(0.7, 0.3, n) / s["r_half"]


def age_of_colour(s: Rows, g_r: np.ndarray) -> np.ndarray:
    """Mass-weighted mean age [Gyr] with which the stars of a row have the colour `g_r` [mag], without dust.

    The colour determines the age to about 1.5 Gyr only: where stars form, an old galaxy is as blue as a young one. Of
    the ages with about the right colour the nearest to the usual one is taken: 6.6 Gyr, quenched 9.2, at 10^10.5 Msun.
    """
    # Here, since it takes half as long as all else to import, and few of those who import this draw galaxies.
    from scipy.stats import beta

    ages = np.linspace(2.5, 12.5, 41)
    middle = np.linspace(RECENT, OLDEST, 41)
    middle = 0.5 * (middle[1:] + middle[:-1])
    bands = [BANDS.index("g"), BANDS.index("r")]
    z = s["z_star"][:, None]

    def light(age: np.ndarray) -> np.ndarray:
        return 10 ** (-0.4 * magnitudes(age, np.broadcast_to(z, (s.size, age.size)), 1.0)[..., bands].astype(float))

    old, young = light(middle), light((np.arange(25) + 0.5) / 25 * RECENT).mean(axis=1)
    left = remaining_fraction(6.0)
    share = np.minimum(s["sfr"] * RECENT * 1e9 * left / s["m_star"], 0.5)[:, None]
    colour = np.empty((s.size, ages.size))
    shape = s["sfh_shape"][:, None]
    for k, mean in enumerate(ages):
        m = (np.clip((mean - share * RECENT / 2) / (1 - share), RECENT + 0.3, OLDEST - 0.2) - RECENT) / (
            OLDEST - RECENT
        )
        weight = beta.pdf((middle - RECENT) / (OLDEST - RECENT), shape * m, shape * (1 - m))
        weight /= weight.sum(axis=1, keepdims=True)
        flux = (1 - share) * np.einsum("nk,nkb->nb", weight, old) + share * young
        colour[:, k] = -2.5 * np.log10(flux[:, 0] / flux[:, 1])
    usual = np.where(s["sfr"] < QUENCHED_BELOW * s["m_star"], 9.2, 6.6) + 0.8 * (np.log10(s["m_star"]) - 10.5)
    cost = ((colour - g_r[:, None]) / 0.02) ** 2 + ((ages - usual[:, None]) / 1.5) ** 2
    return ages[np.argmin(cost, axis=1)]


def draw_asymmetries(rng: np.random.Generator, s: Rows) -> None:
    """Bars, arms, rings, clumps, warps, lopsided and disturbed discs, with frequencies near the observed ones.

    Half of the discs have a bar (Eskridge et al. 2000), a fifth a ring (Buta & Combes 1996), half of the HI discs a
    warp (Garcia-Ruiz et al. 2002), and a third are lopsided by more than 0.2 (Zaritsky & Rix 1997; Bournaud et al.
    2005). Gas is clumped into complexes: between a tenth and a half of it (our choice). One central in eight and one
    satellite in four is disturbed (our choice).
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
    s["ring_radius"] = s["r_disc"] * rng.uniform(1.0, 3.0, n)
    s["ring_amplitude"] = np.where(disc & (rng.random(n) < 0.2), rng.uniform(0.1, 0.35, n), 0.0)
    s["clumpiness"] = rng.uniform(0.1, 0.5, n)
    s["warp_radius"] = 3.2 * s["r_disc"] * rng.uniform(0.8, 1.3, n)
    s["warp_amplitude"] = np.where(rng.random(n) < 0.5, np.abs(rng.normal(0.0, 12.0, n)), 0.0)
    s["warp_node"] = rng.uniform(0.0, 2 * np.pi, n)
    s["lopsidedness"] = np.minimum(rng.rayleigh(0.13, n), 0.5)
    s["lopsided_phase"] = rng.uniform(0.0, 2 * np.pi, n)
    kinds = np.array(DISTURBANCES)[rng.integers(0, len(DISTURBANCES), n)]
    share = np.where(s["kind"] == "satellite", 1.0 / 4.0, 1.0 / 8.0)
    s["disturbed"] = np.where(rng.random(n) < share, kinds, "")


def leave_out(s: Rows, features: tuple[str, ...]) -> None:
    """Switch off features (`FEATURES`); everything else, and every random number, stays as it is."""
    for column in map(FEATURES.__getitem__, features):
        s[column] = "" if column == "disturbed" else 0.0


def planned_gas(s: Rows) -> np.ndarray:
    """Mass of all gas of one or more rows [Msun]."""
    return s["m_hot"] + (s["m_hi"] + s["m_h2"]) / COLD_HYDROGEN


def count_particles(s: Rows, m_dm: float, m_baryon: float) -> None:
    """Numbers of particles from the masses; they determine the order on disk before any particle is drawn."""
    s["n_dm"] = np.maximum(np.rint(s["m_dm"] / m_dm), 0)
    cold = (s["m_hi"] + s["m_h2"]) / COLD_HYDROGEN
    s["n_gas"] = np.rint((s["m_hot"] / HOT_CELL + cold) / m_baryon)
    s["n_star"] = np.rint(s["m_star"] / (m_baryon * remaining_fraction(s["age"])))
    winds = np.maximum(2.0, np.rint(0.02 * cold / m_baryon))
    s["n_wind"] = np.where(s["sfr"] > 0.1, winds, 0.0)
    s["n_bh"] = s["m_bh"] > 0.0
