"""Lines of sight: handedness, isotropy, the position angle of the receding side, and the common grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlib.errors import GalaxyError
from dmlib.observe.sky import SkyGrid, lines_of_sight, rotation_to
from dmlib.settings import Settings

SPIN = np.array([0.3, -0.8, 0.5])

angle = st.floats(0.5, 89.5)
turn = st.floats(0.0, 359.9)


def test_random_views_depend_on_galaxy_and_seed_only():
    three = lines_of_sight(7, SPIN, seed=1)
    assert [v.index for v in three] == [0, 1, 2]
    again = lines_of_sight(7, None, n=5, seed=1)
    for a, b in zip(three, again, strict=False):
        assert np.array_equal(a.rotation, b.rotation)
    assert not np.allclose(three[0].rotation, lines_of_sight(8, SPIN, seed=1)[0].rotation)
    assert not np.allclose(three[0].rotation, lines_of_sight(7, SPIN, seed=2)[0].rotation)


def test_rotations_are_proper_and_isotropic():
    views = [v for k in range(3000) for v in lines_of_sight(k, SPIN, n=1, seed=3)]
    r = np.array([v.rotation for v in views])
    assert np.allclose(r @ r.transpose(0, 2, 1), np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(r), 1.0)
    # cos i is uniform on 0..1 and the position angle on 0..360 for random lines of sight.
    cos_i = np.cos(np.radians([v.inclination for v in views]))
    assert abs(cos_i.mean() - 0.5) < 4 / np.sqrt(12 * len(views))
    pa = np.radians([v.position_angle for v in views])
    assert abs(np.exp(1j * pa).mean()) < 4 / np.sqrt(len(views))


@given(inclination=angle, position_angle=turn, azimuth=turn)
def test_a_rotating_disc_recedes_where_the_position_angle_says(inclination, position_angle, azimuth):
    (view,) = lines_of_sight(1, SPIN, seed=0, mode=[(inclination, position_angle, azimuth)])
    assert view.inclination == pytest.approx(inclination)
    assert np.cos(np.radians(view.position_angle - position_angle)) == pytest.approx(1.0)
    spin = SPIN / np.linalg.norm(SPIN)
    phi = np.linspace(0, 2 * np.pi, 721)[:-1]
    e1 = np.cross(spin, [1.0, 0, 0])
    e1 /= np.linalg.norm(e1)
    ring = np.cos(phi)[:, None] * e1 + np.sin(phi)[:, None] * np.cross(spin, e1)
    velocity = 200.0 * np.cross(spin, ring)
    x, y, _ = view.project(ring).T
    v = -view.project(velocity)[:, 2]
    top = np.argmax(v)
    assert v[top] == pytest.approx(200.0 * np.sin(np.radians(inclination)), rel=1e-4)
    # East is -x, North is +y; the step of the ring is half a degree.
    measured = np.degrees(np.arctan2(-x[top], y[top]))
    assert np.cos(np.radians(measured - position_angle)) > np.cos(np.radians(0.6))


def test_face_on_turns_anticlockwise_and_edge_on_is_thin():
    face = lines_of_sight(1, SPIN, seed=0, mode="face-on")
    assert len(face) == 3
    for view in face:
        assert view.inclination == pytest.approx(0.0, abs=1e-6)
        assert view.project(SPIN)[2] > 0
    for view in lines_of_sight(1, SPIN, n=4, seed=0, mode="edge-on"):
        assert view.inclination == pytest.approx(90.0)
        assert view.position_angle == pytest.approx(0.0, abs=1e-6) or view.position_angle == pytest.approx(360.0)
    # The steps of azimuth turn the galaxy about its axis: three face-on views differ by 120 degrees.
    turned = face[1].rotation @ face[0].rotation.T
    assert np.trace(turned) == pytest.approx(1 + 2 * np.cos(np.radians(120)))


def test_no_spin_axis():
    assert np.isnan(lines_of_sight(1, None, seed=0)[0].inclination)
    with pytest.raises(GalaxyError, match="subhalo 12 has no spin axis"):
        lines_of_sight(12, None, seed=0, mode="face-on")
    with pytest.raises(ValueError, match="unknown mode"):
        lines_of_sight(12, SPIN, seed=0, mode="sideways")


def test_other_face():
    assert np.allclose((rotation_to(SPIN, 180.0) @ SPIN)[2], -np.linalg.norm(SPIN))


def test_grid():
    grid = SkyGrid.of(Settings(profile="quick"))
    assert grid.shape == (64, 64) and grid.pixel_size == 2.0
    assert grid.edges[0] == -64.0 and grid.edges[-1] == 64.0
    assert np.allclose(grid.centres, 0.5 * (grid.edges[1:] + grid.edges[:-1]))
    assert np.allclose(grid.to_pixels(grid.centres), np.arange(64))
    x, y = grid.mesh()
    assert x[0, -1] == grid.centres[-1] and y[0, -1] == grid.centres[0]
    with pytest.raises(ValueError, match="must be positive"):
        SkyGrid(0.0, 10)
