"""NGC 2903 from its real cube; its stand-in; and whether a galaxy lies within a training set."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.errors import DmlibError, FetchError
from dmlib.networks.training_domain import FEATURES, features, place
from dmlib.rotation import realcube
from dmlib.rotation.rings import fit_rings


@pytest.fixture(scope="module")
def ngc2903(shared_data, smoke_universe):
    if not (shared_data / "hi_cubes" / "NGC2903_WSRT_WHISP_pyFAT.fits").is_file():
        pytest.skip("the WHISP cube is not in the mirror")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DMLIB_MIRROR", str(shared_data))
        return realcube.load_real(smoke_universe)


def test_rotation_curve_of_ngc2903_agrees_with_sparc(ngc2903):
    curve = fit_rings(ngc2903.field(), centre=ngc2903.centre_kpc)
    radius, speed = ngc2903.references["SPARC"]
    beyond = curve.good & (curve.radius > 2 * curve.beam) & (curve.radius <= radius[-1])
    off = curve.v_rot[beyond] / np.interp(curve.radius[beyond], radius, speed) - 1
    assert beyond.sum() > 10 and np.abs(off).max() < 0.10 and abs(np.median(off)) < 0.03
    assert curve.accepted and abs(curve.mean_inclination - 66.0) < 5.0 and abs(curve.v_sys - 556.0) < 10.0
    assert ngc2903.note == "" and "pyFAT" in ngc2903.references


def test_mass_model_of_ngc2903(ngc2903, smoke_universe):
    curve = fit_rings(ngc2903.field(), centre=ngc2903.centre_kpc)
    model = realcube.visible(ngc2903, curve, smoke_universe)
    stars = np.interp(model.radius, ngc2903.stars.radius, ngc2903.stars.v_disk)
    np.testing.assert_allclose(model.v_disk, stars)
    # SPARC weighed the gas from another cube.
    gas = np.interp(model.radius, ngc2903.stars.radius, ngc2903.stars.v_gas)
    outer = model.radius > 10.0
    np.testing.assert_allclose(model.v_gas[outer], gas[outer], rtol=0.35)
    without = realcube.visible(realcube.replace(ngc2903, stars=None), curve, smoke_universe)
    assert np.all(without.v_disk == 0) and np.all(without.v_gas[outer[: len(without.radius)]] > 0)


def test_without_the_cube_a_simulated_galaxy_stands_in(smoke_universe, monkeypatch):
    def refuse(*_, **__):
        raise FetchError("no network.")

    monkeypatch.setattr(realcube, "fetch", refuse)
    galaxy = realcube.load_real(smoke_universe)
    assert galaxy.source is None and "no network" in galaxy.note and galaxy.view is not None
    assert galaxy.field().seen.any()


def test_a_tirific_model_is_read(tmp_path):
    path = tmp_path / "model.def"
    path.write_text("RADI= 0.0 10.0 +2.0E+01\nVROT= 0.00 100.0 150.0 \n# VROT_ERR= 1 2 3\n")
    radius, speed = realcube.read_tirific(path)
    assert list(radius) == [0, 10, 20] and list(speed) == [0, 100, 150]
    path.write_text("RADI= 0.0 10.0\n")
    with pytest.raises(FetchError, match=r"model\.def is no tilted-ring model"):
        realcube.read_tirific(path)


def _maps(n, rng, brightness=5.0):
    y, x = np.mgrid[-32:32, -32:32]
    out = []
    for _ in range(n):
        size, speed = rng.uniform(6, 14), rng.uniform(80, 200)
        r = np.hypot(x, y / rng.uniform(0.4, 1.0))
        density = brightness * rng.uniform(0.5, 2.0) * np.exp(-r / size)
        velocity = speed * x / np.maximum(r, 1.0)
        maps = np.stack([density, velocity, rng.uniform(8, 15) + 30 * np.exp(-r / 4)], axis=-1)
        out.append(np.where((density > 0.3)[..., None], maps, np.nan))
    return np.array(out)


def test_a_galaxy_like_the_others_is_inside_and_another_is_not():
    rng = np.random.default_rng(4)
    train, same = features(_maps(300, rng)), features(_maps(40, rng))
    assert train.shape == (300, len(FEATURES)) and np.isfinite(train).all()
    placed = [place(train, one) for one in same]
    assert np.mean([p.inside for p in placed]) > 0.9
    assert 0.3 < np.mean([p.beyond for p in placed]) < 0.7
    strange = _maps(1, rng)
    strange[..., 1] *= 5.0
    assert not place(train, features(strange)[0]).inside
    # Each feature alone is ordinary, their combination is not.
    twisted = train.mean(axis=0).copy()
    vectors = np.linalg.eigh(np.cov(train.T))[1]
    twisted += 0.9 * train.std(axis=0) * np.sign(vectors[:, 0])
    assert place(train, twisted).beyond < 0.01


def test_a_galaxy_without_hi_cannot_be_placed():
    with pytest.raises(DmlibError, match="nothing can be compared"):
        place(np.ones((300, 7)), features(np.full((1, 8, 8, 3), np.nan))[0])
