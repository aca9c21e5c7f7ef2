"""Architecture E gives the same answer for every orientation; and the measure that would tell if it did not."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.dataset.read import ln_mass, read_dataset
from dmlib.networks import NetworkError
from dmlib.networks.augment import N_ORIENTATIONS, orient
from dmlib.networks.models import (
    equivariance_error,
    in_convolutions,
    multiplications,
    read_network,
    symmetry_rows,
)
from dmlib.networks.plan import ABLATIONS, ARCHITECTURES, Schedule, architecture
from network_toys import CHANNELS

HI = ("moment0", "moment1", "moment2")


def sky(n: int, pixels: int, channels=CHANNELS, seed: int = 1) -> np.ndarray:
    """Noise without any symmetry, to the edges of the image, of unequal strength; a third of the HI is blank."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0.3, 1.0, (n, pixels, pixels, len(CHANNELS))).astype(np.float32)
    images *= np.linspace(0.3, 2.0, n, dtype=np.float32)[:, None, None, None]
    images[rng.random((n, pixels, pixels)) < 1 / 3, 5:] = (-2.0, 0.0, 0.0)
    return images[..., [CHANNELS.index(name) for name in channels]]


def randomise(model, seed: int = 2):
    """Give every weight a random value, among them means and variances of batch normalisation."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.weights:
            if "variance" in weight.path or "gamma" in weight.path:
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
            elif weight.dtype.startswith("float"):
                scale = np.prod(weight.shape[:-1]) ** -0.5 if weight.ndim > 1 else 0.3
                weight.assign(rng.normal(0.0, scale, weight.shape))
    return model


@pytest.fixture
def broken(monkeypatch, e):
    """E with kernels of odd size at stride 2 in its second layer."""
    whole = e._convolve

    def changed(x, filters, kernel, stride):
        return whole(x, filters, 3 if (kernel, stride, filters) == (4, 2, 8) else kernel, stride)

    monkeypatch.setattr(e, "_convolve", changed)


def spread(model, images, **how) -> float:
    """Largest standard deviation over the eight orientations [standard deviations of the target]."""
    each = np.array([np.asarray(model(np.ascontiguousarray(orient(images, k)), **how)) for k in range(8)])
    assert each.std(axis=1).mean() > 0.05, "the network hardly looks at its images"
    return float(each.std(axis=0).max())


@pytest.mark.parametrize("pixels", [64, 128, 50])
@pytest.mark.parametrize("channels", [CHANNELS, HI, ("i",)])
def test_the_answer_does_not_depend_on_the_orientation(keras, pixels, channels):
    model = randomise(architecture("E").build(channels, pixels))
    assert spread(model, sky(6, pixels, channels)) < 1e-5
    assert equivariance_error(model, sky(3, pixels, channels)).max() < 1e-5


@pytest.mark.parametrize("name", sorted({*ARCHITECTURES, *ABLATIONS} - {"ResNet50"}))
def test_parts_that_are_computed_once_leave_the_mean_over_orientations_as_it_is(fit, name, monkeypatch):
    """One orientation is enough for those that are said to be symmetric, and for no other."""
    model, images = randomise(architecture(name).build(CHANNELS, 48)), np.abs(sky(20, 48))  # no negative light
    each = [np.asarray(model(np.ascontiguousarray(orient(images, k)))) for k in range(8)]
    mean = np.mean(each, axis=0)
    assert np.isfinite(mean).all()
    for few in (8, 0):
        monkeypatch.setattr(fit, "_FEW_STEPS", few)
        np.testing.assert_allclose(fit.Averaged(model)(images), mean, rtol=1e-4, atol=1e-4)
    assert (np.abs(each[0] - mean).max() < 1e-4) == architecture(name).symmetric


def test_features_that_are_known_are_not_measured_again(fit):
    model, images = architecture("C_no_convolutions").build(CHANNELS, 48), sky(20, 48)
    once, _ = fit.split(model)
    (scales,) = (layer for layer in model.layers if hasattr(layer, "adapt"))
    fit.adapt(model, images)
    measured = scales.mean.numpy().copy()
    fit.adapt(model, images, (once.output, 2.0 * fit.predict(once, images)))
    np.testing.assert_allclose(scales.mean.numpy(), 2.0 * measured, rtol=1e-5)


def test_what_is_left_is_rounding(fit):
    """In double precision, up to the output, which is rounded to single precision."""
    with fit.precision("float64"):
        model = randomise(architecture("E").build(CHANNELS, 64))
    assert spread(model, sky(6, 64)) < 3e-7


def test_nor_does_it_in_training(keras):
    """Statistics of a batch are those of the turned batch; without dropout, which is random."""
    model = randomise(architecture("E").build(CHANNELS, 64))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    images = sky(6, 64)
    assert spread(model, images, training=True) < 1e-5
    inference, training = (np.asarray(model(images, training=which)) for which in (False, True))
    assert np.abs(inference - training).max() > 1e-2  # the batch's statistics were used


def test_kernels_of_odd_size_at_stride_2_break_the_symmetry(keras, broken):
    assert spread(randomise(architecture("E").build(CHANNELS, 64)), sky(6, 64)) > 1e-3


def test_blank_pixels_are_like_the_padding(keras):
    """A side of 50 pixels is padded to 56: as if it had been observed with blank sky about it."""
    images = sky(2, 50, HI)
    framed = np.full((2, 56, 56, 3), (-2.0, 0.0, 0.0), dtype=np.float32)
    framed[:, 3:-3, 3:-3] = images
    small, large = (randomise(architecture("E").build(HI, pixels)) for pixels in (50, 56))
    np.testing.assert_allclose(small(images), large(framed), atol=1e-5)


def test_opposite_velocities_give_the_same_mass_without_light(keras):
    turned = np.array([1.0, -1.0, 1.0], dtype=np.float32)
    images = sky(4, 64, HI)
    model = randomise(architecture("E").build(HI, 64))
    first = np.asarray(model(images))
    np.testing.assert_allclose(model(images * turned), first, atol=1e-5 * first.std(axis=0).mean())
    assert np.abs(np.asarray(model(images * np.maximum(turned, 0.0))) - first).max() > 1e-2  # velocities matter
    signs = np.array([-1.0 if name == "moment1" else 1.0 for name in CHANNELS], dtype=np.float32)
    with_light, images = randomise(architecture("E").build(CHANNELS, 64)), sky(4, 64)
    assert np.abs(np.asarray(with_light(images * signs)) - np.asarray(with_light(images))).max() > 1e-2


def test_a_stored_network_answers_the_same(keras, tmp_path):
    for channels in (CHANNELS, HI):
        model = randomise(architecture("E").build(channels, 32))
        model.save(tmp_path / "e.keras")
        again = keras.saving.load_model(tmp_path / "e.keras", compile=False)
        images = sky(2, 32, channels)
        np.testing.assert_array_equal(again(images), model(images))


def test_the_group_is_that_of_the_augmentation(e):
    """Element g after the quotient of r by g does what r does; the turns are a subgroup."""
    picture, quotients = np.arange(9.0).reshape(3, 3, 1), e.quotients()
    for g in range(N_ORIENTATIONS):
        assert sorted(quotients[g]) == list(range(N_ORIENTATIONS))
        for r in range(N_ORIENTATIONS):
            np.testing.assert_array_equal(orient(orient(picture, quotients[g, r]), g), orient(picture, r))


def test_maps_turn_and_permute_with_the_image(keras, e):
    """A lifting and a group convolution: the maps of a turned image are the turned maps of the quotients."""
    image = np.random.default_rng(3).normal(size=(1, 8, 8, 2)).astype(np.float32)
    lift, convolve = e.GroupConvolution(3, 4, 2), e.GroupConvolution(2, 3)
    maps = np.asarray(convolve(lift(image)))
    for h in range(N_ORIENTATIONS):
        turned = np.asarray(convolve(lift(np.ascontiguousarray(orient(image, h)))))
        for g in range(N_ORIENTATIONS):
            np.testing.assert_allclose(turned[..., g, :], orient(maps[..., e.quotients()[h, g], :], h), atol=1e-5)


def test_cost_of_e_by_hand():
    """At each place eight kernels a feature, over eight maps a feature of the layer before."""
    model = architecture("E").build(CHANNELS, 64)
    by_hand = 32**2 * 8 * 16 * 8 * 4 + 16**2 * 8 * 16 * 64 * 8 + 8**2 * 8 * (16 * 64 * 16 + 9 * 128 * 16)
    dense = 4 * 24 * 128 + 128 * 64 + 64 * 20
    assert multiplications(model) == by_hand + dense
    weights = 16 * 8 * 4 + 16 * 64 * 8 + 16 * 64 * 16 + 9 * 128 * 16
    assert in_convolutions(model) == pytest.approx(weights / model.count_params())


def test_odd_sides_are_an_error():
    with pytest.raises(NetworkError, match="even"):
        architecture("E").build(CHANNELS, 65)


def test_the_error_of_a_network_that_sees_one_side_only(keras):
    """The output is the value of the first pixel: its spread over orientations is that of the four corners."""
    image = keras.Input((32, 32, 1))
    corner = keras.layers.Reshape((1,))(keras.layers.Cropping2D(((0, 31), (0, 31)))(image))
    images = sky(5, 32, ("i",))
    by_hand = np.sqrt(np.mean(images[:, [0, 0, -1, -1], [0, -1, 0, -1], 0].var(axis=1)))
    assert equivariance_error(keras.Model(image, corner), images)[0] == pytest.approx(by_hand, rel=1e-5)


def test_e_learns_and_stays_symmetric(keras, fit, painted):
    """Gradients reach the kernels through all their copies."""
    inputs, ln_m, galaxy = painted
    standard = fit.Standard.of(ln_m)
    train, held = (
        fit.Views(inputs[rows], standard.scale(ln_m[rows]), galaxy[rows], standard)
        for rows in (slice(0, 96), slice(96, 120))
    )
    schedule = Schedule(epochs=6, members=1, patience=None, batch=16, bagging="none", augment=False)
    model, history = fit.fit(architecture("E"), CHANNELS, train, held, schedule, seed=1)
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert equivariance_error(model, held.inputs).max() < 1e-5
    with fit.precision("float32"):
        fit.make_deterministic(1)
        fresh = fit.network(architecture("E"), CHANNELS, train)
    moved = [
        np.abs(np.asarray(new.kernel) - np.asarray(old.kernel)).max()
        for new, old in zip(model.layers, fresh.layers, strict=True)
        if hasattr(new, "kernel")
    ]
    assert len(moved) == 8 and min(moved) > 0


def test_what_averaging_over_orientations_removes(built):
    """Mean square error of one orientation = that of the mean + the square of the equivariance error."""
    dataset = read_dataset(built.dataset_path)
    (row,) = symmetry_rows(built.models_dir, dataset, ["tiny"], views=6, seed=1)
    rows = np.random.default_rng(1).permutation(dataset.rows("validation"))[:6]
    network, inputs = read_network(built.models_dir, "tiny/all"), dataset.inputs(rows, "all")
    truth = (ln_mass(dataset.dm_profile[rows]) - np.array(network.card.mean)) / network.std
    each = [np.asarray(network.model(np.ascontiguousarray(orient(inputs, k)))) - truth for k in range(8)]
    assert row["trained"] > 0 and row["untrained"] > 0
    assert np.mean(np.square(each)) == pytest.approx(row["error"] ** 2 + row["trained"] ** 2, rel=1e-4)
