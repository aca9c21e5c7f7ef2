"""Parts of a training: architectures, layers, symmetries, loss, scales, calibrated errors, plan."""

from __future__ import annotations

import numpy as np
import pytest

from dmlib.dataset.read import INPUT_SETS
from dmlib.networks import NetworkError, augment
from dmlib.networks.augment import N_ORIENTATIONS, mean_over_orientations, orient, turned_pixels
from dmlib.networks.models import in_convolutions, multiplications
from dmlib.networks.plan import ARCHITECTURES, Schedule, architecture, plan
from dmlib.networks.predictions import calibrate, correlation, sigma_ln
from dmlib.settings import Settings
from network_toys import CHANNELS, paint


@pytest.mark.parametrize(
    ("name", "channels", "pixels"),
    [
        *(("A", CHANNELS, 64), ("A_scripts", ("moment1",), 50), ("B", ("i",), 32)),
        *(("C", CHANNELS, 64), ("C", ("moment1",), 50), ("C", ("i",), 32)),
        *(("E", CHANNELS, 64), ("E", ("moment1",), 50), ("E", ("i",), 32)),
    ],
)
def test_any_channels_and_any_size(keras, name, channels, pixels):
    model = architecture(name).build(channels, pixels)
    out = model(np.random.default_rng(1).random((2, pixels, pixels, len(channels)), dtype=np.float32))
    assert out.shape == (2, 20) and np.isfinite(keras.ops.convert_to_numpy(out)).all()


def test_resnet50():
    model = architecture("ResNet50").build(("u", "moment0", "moment1", "moment2"), 32)
    assert model.output_shape == (None, 20) and model.input_shape == (None, 32, 32, 4)
    # keras.applications' 23.5 million without its head, a stem of four channels instead of three, and 20 outputs.
    parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert parameters == 23_534_592 + 64 * 7 * 7 + 2049 * 20


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (6, 5, 4, 8, 3), (6, 3)], ids=["images", "over the group", "vectors"])
def test_normalisation_is_that_of_keras(keras, shape):
    """Output, gradients and running statistics, in training and after it."""
    from dmlib.networks.architectures.norm import BatchNormalization

    rng = np.random.default_rng(1)
    x, wanted = (rng.normal(3.0, 2.0, shape).astype(np.float32) for _ in range(2))
    found = []
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        model = keras.Sequential([keras.Input(shape[1:]), kind(momentum=0.7)])
        model.compile(keras.optimizers.SGD(0.5), loss="mse")
        for _ in range(3):
            model.train_on_batch(x, wanted)
        found.append([*model.get_weights(), model.predict(x, verbose=0)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)
    assert np.abs(found[0][0] - 1.0).max() > 0.1, "the scales have not been trained"


def test_a_is_the_talks_table(keras):
    """Layer by layer, as the back-up slide has it."""
    model = architecture("A").build(CHANNELS, 64)
    kinds = [type(layer).__name__ for layer in model.layers if type(layer).__name__ not in ("InputLayer", "Flatten")]
    block = ["Conv2D", "MaxPooling2D", "Dropout", "BatchNormalization"]
    dense = ["Dense", "Dropout", "BatchNormalization"]
    assert kinds == [*block, *block, "Conv2D", "BatchNormalization", *dense, *dense, *dense, "Dense"]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [(c.filters, c.kernel_size, c.strides) for c in convolutions] == [
        (n, (5, 5), (2, 2)) for n in (64, 128, 256)
    ]
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [256, 128, 64, 20]
    assert {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)} == {0.5}


def test_cost_of_a_by_hand():
    """First convolution: 32 x 32 places, 5 x 5 x 8 weights, 64 kernels; and so on."""
    by_hand = 32**2 * 25 * 8 * 64 + 8**2 * 25 * 64 * 128 + 2**2 * 25 * 128 * 256
    by_hand += 1024 * 256 + 256 * 128 + 128 * 64 + 64 * 20
    assert multiplications(architecture("A").build(CHANNELS, 64)) == by_hand


def test_weights_of_a_are_mostly_in_its_convolutions():
    model = architecture("A").build(CHANNELS, 64)
    by_hand = 25 * (8 * 64 + 64 * 128 + 128 * 256) + 64 + 128 + 256
    assert in_convolutions(model) == pytest.approx(by_hand / model.count_params()) == pytest.approx(0.77, abs=0.02)


def test_architectures_that_cannot_be_built_are_errors():
    with pytest.raises(NetworkError, match="ResNet50"):
        architecture("D")
    with pytest.raises(NetworkError, match="16 pixels"):
        architecture("A").build(CHANNELS, 16)
    with pytest.raises(NetworkError, match="channel"):
        architecture("C").build((), 64)


def test_the_eight_orientations_are_eight():
    picture = np.arange(9.0).reshape(1, 3, 3, 1)
    assert len({orient(picture, k).tobytes() for k in range(N_ORIENTATIONS)}) == N_ORIENTATIONS
    for k, pixels in enumerate(turned_pixels(3)):
        np.testing.assert_array_equal(picture.ravel()[pixels], orient(picture[0], k).ravel())


def test_images_are_kept_where_the_network_computes(keras, fit):
    """A batch is made there of numbers: of the right images, each in its orientation, and it is no weight."""
    images = np.random.default_rng(1).random((5, 4, 4, 2), dtype=np.float32)
    image = keras.Input((4, 4, 2))
    model = keras.Model(image, keras.layers.Flatten()(image))
    rows, elements = np.array([4, 0, 4, 2, 1], dtype=np.int32), np.array([7, 0, 2, 5, 1], dtype=np.int32)
    found = fit.on_views(model, images).predict_on_batch([rows, elements])
    expected = [orient(images[row], element).ravel() for row, element in zip(rows, elements, strict=True)]
    np.testing.assert_array_equal(found, expected)
    assert not model.weights


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_weights_are_updated_as_keras_does(keras, fit, decay):
    rng, found = np.random.default_rng(1), []
    x, y = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)
    for optimiser in (fit.Adam(1e-2, weight_decay=decay or None), keras.optimizers.AdamW(1e-2, weight_decay=decay)):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(2)])
        model.compile(optimiser, loss="mse", jit_compile=False)
        model.fit(x, y, epochs=30, batch_size=4, shuffle=False, verbose=0)
        found.append(model.get_weights())
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


def test_turning_moves_velocities_and_keeps_their_sign():
    """A disc that recedes on the right recedes at the top after a quarter turn, and on the left in the mirror."""
    velocity = np.zeros((1, 3, 3, 1))
    velocity[0, 1, :, 0] = (-1.0, 0.0, 1.0)
    assert sorted(orient(velocity, 1)[0, :, 1, 0]) == [-1.0, 0.0, 1.0]
    np.testing.assert_array_equal(orient(velocity, 4)[0, 1, :, 0], (1.0, 0.0, -1.0))


def test_the_mean_over_orientations_does_not_depend_on_the_orientation():
    rng = np.random.default_rng(2)
    picture, weights = rng.random((2, 4, 4, 1)), rng.random((16, 3))

    def predict(images):
        return images.reshape(len(images), -1) @ weights

    expected = mean_over_orientations(predict, picture)
    for k in range(8):
        np.testing.assert_allclose(mean_over_orientations(predict, orient(picture, k)), expected)
    assert not np.allclose(predict(picture), expected)


def test_the_mean_over_orientations_asks_for_one_shape_and_mixes_no_images(monkeypatch):
    monkeypatch.setattr(augment, "AT_ONCE", 4)
    rng = np.random.default_rng(2)
    pictures, weights = rng.random((10, 4, 4, 1)), rng.random((16, 3))
    shapes = set()

    def predict(images):
        shapes.add(images.shape)
        return images.reshape(len(images), -1) @ weights

    each = [sum(predict(orient(pictures[k : k + 1], element)) for element in range(8))[0] / 8 for k in range(10)]
    shapes.clear()
    np.testing.assert_allclose(mean_over_orientations(predict, pictures), each)
    assert shapes == {(32, 4, 4, 1)}


def test_apertures_do_not_depend_on_the_orientation(keras, c):
    rng = np.random.default_rng(3)
    inputs = paint(2)[0] + 0.0
    gas = inputs[..., 5] > -1.99
    inputs[..., 6] += np.where(gas, rng.normal(0, 0.2, gas.shape), 0.0).astype(np.float32)
    inputs[..., :5] *= rng.random(inputs[..., :5].shape, dtype=np.float32)
    layer = c.Apertures(CHANNELS)
    expected = keras.ops.convert_to_numpy(layer(inputs))
    assert np.ptp(expected, axis=0).max() > 0.1
    for k in range(1, 8):
        np.testing.assert_allclose(layer(np.ascontiguousarray(orient(inputs, k))), expected, atol=2e-3, rtol=1e-4)


def test_apertures_measure_flux_size_and_axis_ratio(c):
    """Of a Gaussian image with half-widths 0.2 and 0.1 of half the side, in the widest aperture."""
    side = (np.arange(64) + 0.5) / 32 - 1.0
    flux = 5.0 * np.exp(-0.5 * ((side[None, :] / 0.2) ** 2 + (side[:, None] / 0.1) ** 2))
    image = (np.arcsinh(flux) / np.log(10.0)).astype(np.float32)[None, :, :, None]
    measured = np.asarray(c.Apertures(("r",))(image)).reshape(3, 5)[:, -1]
    assert np.exp(measured[0]) == pytest.approx(5.0 * 2.0 * np.pi * 0.2 * 0.1 * 32**2, rel=0.01)
    assert np.exp(measured[1]) == pytest.approx(0.2**2 + 0.1**2, rel=0.02)
    ellipticity = (0.2**2 - 0.1**2) / (0.2**2 + 0.1**2)
    assert measured[2] == pytest.approx(np.log((1.03 - ellipticity) / (1.03 + ellipticity)), abs=0.02)


def test_apertures_are_the_same_on_finer_pixels(c):
    coarse = paint(1)[0][:1]
    fine = np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2)
    np.testing.assert_allclose(c.Apertures(CHANNELS)(fine), c.Apertures(CHANNELS)(coarse), atol=0.05)


def test_apertures_are_finite_in_the_dark(c):
    dark = np.zeros((1, 32, 32, 8), dtype=np.float32)
    dark[..., 5] = -2.0
    assert np.isfinite(np.asarray(c.Apertures(CHANNELS)(dark))).all()


def test_ring_means(c):
    weights = c.ring_weights(32, (0.0, 0.5, 1.42))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert weights[:, 0].sum() / 32**2 == pytest.approx(np.pi * 0.25 / 4, rel=0.01)
    image = np.ones((2, 32, 32, 2), dtype=np.float32) * np.array([1.0, 2.0], dtype=np.float32)
    np.testing.assert_allclose(np.asarray(c.RingMeans()(image))[0], [1] * 4 + [2] * 4, rtol=1e-5)


def test_a_missing_target_neither_counts_nor_spoils_the_gradient(keras, fit):
    truth = np.array([[1.0, np.nan], [np.nan, np.nan]], dtype=np.float32)
    predicted = np.array([[3.0, 7.0], [1.0, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(fit.masked_mse(truth, predicted), [4.0, 0.0])
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", loss=fit.masked_mse)
    model.fit(predicted, truth, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_targets_are_standardised_over_finite_values(fit):
    ln_m = np.array([[1.0, np.nan], [3.0, 5.0], [5.0, 7.0]])
    standard = fit.Standard.of(ln_m)
    np.testing.assert_allclose(standard.mean, [3.0, 6.0])
    np.testing.assert_allclose(np.nanstd(standard.scale(ln_m), axis=0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(standard.unscale(standard.scale(ln_m)), ln_m, rtol=1e-6)
    with pytest.raises(NetworkError, match="radius 1"):
        fit.Standard.of(ln_m[:2])
    with pytest.raises(NetworkError, match="radius 0"):
        fit.Standard.of(np.ones((4, 2)))


def test_calibrated_errors_cover():
    """Errors have a common part that the members share, and one in which they differ."""
    rng = np.random.default_rng(4)
    truth = rng.normal(24.0, 0.5, (4000, 3))
    own = rng.uniform(0.05, 0.4, (4000, 1))
    mean = truth + rng.normal(0.0, 0.2, truth.shape) + own * rng.normal(size=truth.shape)
    members = mean + own * rng.normal(size=(5, *truth.shape))
    floor, factor = calibrate(members[:, :2000], truth[:2000])
    z = (members.mean(axis=0) - truth)[2000:] / sigma_ln(members, floor, factor)[2000:]
    assert np.mean(np.abs(z) < 1.0) == pytest.approx(0.683, abs=0.02)
    assert factor > 0.7 and (floor < 0.3).all()
    # The members' spread alone is too small by far.
    naive = (members.mean(axis=0) - truth)[2000:] / members.std(axis=0, ddof=1)[2000:]
    assert np.mean(np.abs(naive) < 1.0) < 0.55


def test_one_member_has_the_validation_error():
    rng = np.random.default_rng(5)
    truth = rng.normal(24.0, 0.5, (500, 2))
    member = (truth + rng.normal(0.0, (0.1, 0.3), truth.shape))[None]
    floor, factor = calibrate(member, truth)
    np.testing.assert_allclose(sigma_ln(member, floor, factor)[0], (0.1, 0.3), rtol=0.1)
    assert factor == 0.0


def test_correlation_of_errors_includes_a_common_bias():
    own = np.random.default_rng(3).standard_normal((4000, 3))
    np.testing.assert_allclose(correlation(own), np.eye(3), atol=0.06)
    assert correlation(own + 3.0)[0, 1] == pytest.approx(0.9, abs=0.03)
    own[0, 0] = np.nan
    assert np.isfinite(correlation(own)).all()


def test_bagging_is_over_galaxies(fit):
    galaxy = np.repeat(np.arange(200), 3)
    counts = fit.galaxy_counts(galaxy, "bootstrap", seed=1).reshape(200, 3)
    assert (np.ptp(counts, axis=1) == 0).all() and counts.sum() == 600
    assert (counts[:, 0] == 0).mean() == pytest.approx(1 / np.e, abs=0.08)
    assert not np.array_equal(counts.ravel(), fit.galaxy_counts(galaxy, "bootstrap", seed=2))


def test_the_learning_rate_falls_to_zero(fit):
    schedule = Schedule(epochs=10, decay="cosine")
    rates = [fit.learning_rate(schedule, epoch) for epoch in range(10)]
    assert rates[0] == 1e-3 and rates == sorted(rates, reverse=True) and 0 < rates[-1] < 5e-5
    assert fit.learning_rate(Schedule(), 150) == 1e-3


@pytest.mark.parametrize("profile", ["smoke", "quick", "paper"])
def test_plans(profile):
    entries = plan(Settings(profile=profile), n_train=490)
    names = [entry.name for entry in entries]
    assert len(set(names)) == len(names)
    assert {f"{name}/all" for name in ARCHITECTURES} <= set(names)
    known = {"all", "photometry", *INPUT_SETS}
    assert all(entry.inputs in known for entry in entries)
    assert [name for name in names if name.startswith("learning_curve/")] == [
        f"learning_curve/{n}" for n in (61, 122, 245)
    ]


def test_the_papers_schedule_is_the_papers():
    for name in ("A", "A_scripts", "B", "C", "E", "ResNet50"):
        schedule = architecture(name).schedule("paper")
        assert (schedule.learning_rate, schedule.batch, schedule.epochs, schedule.patience) == (1e-3, 32, 200, 30)
        assert (schedule.members, schedule.bagging, schedule.weight_decay) == (5, "bootstrap", 0.0)
        assert schedule.decay == "constant"
