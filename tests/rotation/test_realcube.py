"""NGC 2903 from its real cube, and the simulated galaxy that replaces it."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.errors import FetchError
from dmlib.rotation import realcube
from dmlib.rotation.rings import fit_rings


@pytest.fixture(scope="module")
def ngc2903(shared_data):
    if not (shared_data / "hi_cubes" / "NGC2903_WSRT_WHISP_pyFAT.fits").is_file():
        pytest.skip("the WHISP cube is not in the mirror")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DMLIB_MIRROR", str(shared_data))
        return realcube.load_real(None, None)


def test_rotation_curve_of_ngc2903_agrees_with_sparc(ngc2903):
    curve = fit_rings(ngc2903.field(), centre=ngc2903.centre_kpc)
    radius, speed = ngc2903.references["SPARC"]
    beyond = curve.good & (curve.radius > 2 * curve.beam) & (curve.radius <= radius[-1])
    off = curve.v_rot[beyond] / np.interp(curve.radius[beyond], radius, speed) - 1
    assert beyond.sum() > 10 and np.abs(off).max() < 0.10 and abs(np.median(off)) < 0.03
    assert curve.accepted and abs(curve.mean_inclination - 66.0) < 5.0 and abs(curve.v_sys - 556.0) < 10.0
    assert ngc2903.note == "" and "pyFAT" in ngc2903.references


def test_mass_model_of_ngc2903(ngc2903):
    curve = fit_rings(ngc2903.field(), centre=ngc2903.centre_kpc)
    model = realcube.mass_model(ngc2903, curve)
    stars = np.interp(model.radius, ngc2903.stars.radius, ngc2903.stars.v_disk)
    np.testing.assert_allclose(model.v_disk, stars)
    # SPARC weighed the gas from another cube.
    gas = np.interp(model.radius, ngc2903.stars.radius, ngc2903.stars.v_gas)
    outer = model.radius > 10.0
    np.testing.assert_allclose(model.v_gas[outer], gas[outer], rtol=0.35)
    without = realcube.mass_model(realcube.replace(ngc2903, stars=None), curve)
    assert np.all(without.v_disk == 0) and np.all(without.v_gas[outer[: len(without.radius)]] > 0)


def test_without_the_cube_a_simulated_galaxy_is_shown(opened, monkeypatch):
    def refuse(*_, **__):
        raise FetchError("no network.")

    monkeypatch.setattr(realcube, "fetch", refuse)
    galaxy = realcube.load_real(opened.dataset, opened.observer)
    assert galaxy.source is None and "no network" in galaxy.note
    assert galaxy.field().seen.any()
    curve = fit_rings(galaxy.field(), centre=galaxy.centre_kpc)
    known = galaxy.stars
    inside = curve.good & (curve.radius >= known.radius[0]) & (curve.radius <= known.radius[-1])
    assert inside.sum() >= 3
    # Of the curve that was fitted to the file, not of the one that weighed the stars.
    model = realcube.mass_model(galaxy, curve)
    np.testing.assert_array_equal(model.radius, curve.radius[inside])
    np.testing.assert_array_equal(model.v_obs, curve.v_circ[inside])
    np.testing.assert_allclose(model.v_disk, np.interp(model.radius, known.radius, known.v_disk))
    assert realcube.mass_model(realcube.replace(galaxy, stars=None), curve) is None


def test_a_tirific_model_is_read(tmp_path):
    path = tmp_path / "model.def"
    path.write_text("RADI= 0.0 10.0 +2.0E+01\nVROT= 0.00 100.0 150.0 \n# VROT_ERR= 1 2 3\n")
    radius, speed = realcube.read_tirific(path)
    assert list(radius) == [0, 10, 20] and list(speed) == [0, 100, 150]
    path.write_text("RADI= 0.0 10.0\n")
    with pytest.raises(FetchError, match="model"):
        realcube.read_tirific(path)
