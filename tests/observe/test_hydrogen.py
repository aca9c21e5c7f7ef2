"""HI of gas cells: limits of the recipe, and equality with MARTINI's own TNG source where that works."""

import h5py
import numpy as np
import pytest
from astropy import units as u
from martini.sources import TNGSource

import image_toys
from analytic_disc import SPIN, disc
from dmlib.errors import GalaxyError
from dmlib.galaxy import Component
from dmlib.observe import hydrogen as hi
from dmlib.observe.cube import HISettings
from dmlib.units import CodeUnits, wrap

UNITS = CodeUnits()


def tng_cells(n=400, seed=1):
    """Gas in catalogue units with cold, star-forming and hot cells, as a snapshot stores it."""
    rng = np.random.default_rng(seed)
    n_h = 10 ** rng.uniform(-3, 1, n)  # hydrogen atoms per cm^3
    forming = n_h > hi.N_H_STAR_FORMATION
    metals = np.zeros((n, 10))
    metals[:, 0] = rng.uniform(0.70, 0.76, n)
    metals[:, 1] = 1 - metals[:, 0]
    density = n_h / hi.hydrogen_density(1.0, metals[:, 0])  # Msun/kpc^3
    energy = np.where(forming, rng.uniform(150.0, 900.0, n), 10 ** rng.uniform(2, 4.5, n))
    return {
        "Coordinates": rng.uniform(20000, 20200, (n, 3)),
        "CenterOfMass": np.float32(rng.uniform(20000, 20200, (n, 3))),
        "Velocities": np.float32(rng.normal(0, 150, (n, 3))),
        "Masses": np.float32(rng.uniform(0.5, 2.0, n) * 1.4e6 / UNITS.mass),
        "Density": np.float32(density / UNITS.density),
        "InternalEnergy": np.float32(energy),
        "ElectronAbundance": np.float32(rng.uniform(0, 1.2, n)),
        "NeutralHydrogenAbundance": np.float32(np.where(forming, 0.9, rng.uniform(0, 1, n))),
        "StarFormationRate": np.float32(np.where(forming, 0.01, 0.0)),
        "GFM_Metals": np.float32(metals),
    }


def physical(cells):
    scale = {"Masses": UNITS.mass, "Density": UNITS.density}
    return {k: np.asarray(cells[k], dtype=float) * scale.get(k, 1.0) for k in hi.HYDROGEN_FIELDS}


def galaxy(cells, position=None, velocity=None):
    """A galaxy of these cells, by default all at its centre and at rest."""
    fields = physical(cells)
    zeros = np.zeros((len(fields["Masses"]), 3))
    position, velocity = (zeros if given is None else given for given in (position, velocity))
    mass = fields.pop("Masses")
    return image_toys.galaxy(gas_part=Component(position, velocity, mass, fields), subhalo_id=5)


def test_equal_to_martini_tng_source(tmp_path):
    cells = tng_cells()
    centre, bulk = np.array([20100.0, 20110.0, 20090.0]), np.array([30.0, -12.0, 5.0])
    # MARTINI finds these files in its cutout folder and asks the network for nothing.
    np.save(tmp_path / "martini-cutout-grnr-TNG100-1-99-7.npy", 3)
    with h5py.File(tmp_path / "martini-cutout-TNG100-1-99-3.hdf5", "w") as cutout:
        cutout.create_group("Header").attrs.update({"HubbleParam": UNITS.h, "Redshift": 0.0, "Time": 1.0})
        for name, values in cells.items():
            cutout[f"PartType0/{name}"] = values
        cutout.create_group("7").attrs.update({"pos": centre, "vel": bulk})
    source = TNGSource(
        "TNG100-1", 99, 7, api_key="not used", cutout_dir=str(tmp_path), distance=70 * u.Mpc, ra=0 * u.deg
    )
    position = wrap(np.asarray(cells["CenterOfMass"], dtype=float) - centre, UNITS.box) * UNITS.length
    ours = hi.HIGas.of(
        galaxy(cells, position, np.asarray(cells["Velocities"], dtype=float) - bulk), HISettings(negligible=0.0)
    )
    theirs = source.mHI_g.to_value(u.Msun)
    keep = theirs > 0
    assert keep.sum() == len(ours.m_hi) == len(theirs)
    assert np.allclose(ours.m_hi, theirs, rtol=2e-5)
    assert ours.mass == pytest.approx(theirs.sum(), rel=1e-5)
    assert np.allclose(ours.fwhm, source.hsm_g.to_value(u.kpc), rtol=1e-5)
    assert np.allclose(ours.temperature, source.T_g.to_value(u.K), rtol=1e-5)
    assert np.allclose(ours.positions, source.coordinates_g.xyz.to_value(u.kpc).T, atol=2e-3)
    assert np.allclose(ours.velocities, source.coordinates_g.differentials["s"].d_xyz.to_value(u.km / u.s).T, atol=1e-3)


def test_limits_of_the_two_phase_model():
    x, n_h = 0.75, np.array([0.2, 5.0])
    t_hot = 1e3 + 5.73e7 / (1 + 573 * (n_h / 0.13) ** -0.8)
    boltzmann = 1.380649e-23 / 1.67262192369e-27 / 1e6  # (km/s)^2 / K
    cold = 1.5 * boltzmann * 1e3 * (1 + 3 * x) / 4
    hot = 1.5 * boltzmann * t_hot * (3 + 5 * x) / 4
    assert np.allclose(hi.cloud_fraction(np.array([cold, cold]), n_h, x), 1.0)
    assert np.allclose(hi.cloud_fraction(hot, n_h, x), 0.0, atol=1e-6)
    assert np.allclose(hi.cloud_fraction(0.5 * (cold + hot), n_h, x), 0.5, rtol=1e-4)
    assert np.all(hi.cloud_fraction(2 * hot, n_h, x) == 0.0)


def test_partition():
    assert hi.atomic_fraction(0.0) == 1.0
    assert hi.atomic_fraction(1.7e4) == pytest.approx(0.5)
    assert hi.atomic_fraction(4.3e4, "blitz06") == pytest.approx(0.5)
    cells = physical(tng_cells())
    parts = hi.hydrogen(cells)
    assert np.allclose(parts.m_hi + parts.m_h2, parts.m_neutral)
    assert np.all(parts.m_neutral <= cells["Masses"] * cells["GFM_Metals"][:, 0])
    assert hi.hydrogen(physical(tng_cells()), "blitz06").m_hi.sum() > parts.m_hi.sum()


def test_units():
    # One proton mass of hydrogen per cm^3 is 2.4757e7 Msun/kpc^3.
    assert hi.hydrogen_density(2.47e7, 1.0) == pytest.approx(1.0, rel=3e-3)
    # Fully ionised primordial gas (mu = 0.588) at 1e6 K has u = 1.5 k T / (mu m_p) = 2.10e4 (km/s)^2.
    assert hi.temperature(2.104e4, 0.76, 1.158) == pytest.approx(1e6, rel=3e-3)
    # A cell of 4 pi/3 kpc^3 has a radius of 1 kpc.
    assert hi.cell_fwhm(4 * np.pi / 3 * 1e6, 1e6) == pytest.approx(2.5 * 0.72235, rel=1e-4)


def test_negligible_cells_are_dropped_and_their_mass_kept():
    toy = galaxy(tng_cells(2000))
    full, lean = (hi.HIGas.of(toy, HISettings(negligible=share)) for share in (0.0, 1e-2))
    assert len(lean.m_hi) < len(full.m_hi)
    assert lean.mass == pytest.approx(full.mass, rel=1e-12)
    assert lean.m_hi.max() / full.m_hi.max() == pytest.approx(1.0, abs=0.0102)


def test_spin_axis_and_rings_of_a_disc():
    gas = disc(20000, m_hi=8e9, scale=8.0, r_max=35.0)
    assert gas.spin_axis() @ SPIN / np.linalg.norm(SPIN) == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(GalaxyError, match="no rotating HI"):
        gas.spin_axis(1e-6)


def test_rings_of_a_disc():
    """Cold neutral cells at negligible pressure are HI, all of it."""
    disc_gas = disc(20000, m_hi=8e9, scale=8.0, r_max=35.0)
    n, zeros = len(disc_gas.m_hi), np.zeros(20000)
    metals = np.zeros((n, 10))
    metals[:, 0] = 1.0
    fields = dict.fromkeys(hi.HYDROGEN_FIELDS[1:], zeros) | {
        "Density": zeros + 1e-3,
        "NeutralHydrogenAbundance": zeros + 1.0,
        "GFM_Metals": metals,
    }
    gas = Component(disc_gas.positions, disc_gas.velocities, disc_gas.m_hi, fields)
    edges = np.linspace(0, 34, 18)
    profile = hi.disc_profiles(gas, disc_gas.spin_axis(), edges)["leroy08"]
    held = 1.0 - np.exp(-35.0 / 8.0) * (1.0 + 35.0 / 8.0)
    enclosed = 8e9 / held * (1.0 - np.exp(-edges / 8.0) * (1.0 + edges / 8.0))
    assert np.allclose(profile["HI"], np.diff(enclosed) / (np.pi * np.diff(edges**2) * 1e6), rtol=0.01)
    assert np.all(profile["H2"] == 0)


def test_galaxies_that_cannot_be_observed():
    cells = tng_cells(10)
    with pytest.raises(GalaxyError, match="subhalo 5 has no gas cells"):
        hi.HIGas.of(image_toys.galaxy(subhalo_id=5))
    broken = cells | {"Density": np.where(np.arange(10) == 3, np.nan, cells["Density"])}
    with pytest.raises(GalaxyError, match="subhalo 5: gas field Density holds 1 values"):
        hi.HIGas.of(galaxy(broken))
    ionised = cells | {"NeutralHydrogenAbundance": np.zeros(10), "StarFormationRate": np.zeros(10)}
    with pytest.raises(GalaxyError, match="10 gas cells but no HI"):
        hi.HIGas.of(galaxy(ionised))
