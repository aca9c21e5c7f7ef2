"""Diagrams of architectures show the registry's layers, each once, and the paths between them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from dmlib.figures import convolutions as figures
from dmlib.figures import style
from dmlib.networks.plan import ARCHITECTURES
from dmlib.networks.profile import NUMBERS
from dmlib.primer import layers

CHANNELS = ("u", "g", "r", "i", "z", "moment0", "moment1", "moment2")


@pytest.fixture(scope="module", params="BCE")
def drawn(request):
    model = ARCHITECTURES[request.param].build(CHANNELS, 48, NUMBERS)
    return request.param, model, layers.steps(model)


def test_steps_have_the_weights_and_the_output_of_the_model(drawn):
    _, model, steps = drawn
    assert sum(step.weights for step in steps) == sum(weight.numpy().size for weight in model.trainable_weights)
    assert (steps[0].words, steps[0].shape) == ("image", (48, 48, 8))
    assert (steps[-1].kind, steps[-1].shape) == ("output", (NUMBERS,))
    assert all(step.after for step in steps[1:])


def test_no_two_boxes_share_a_place_and_all_arrows_lead_down(drawn):
    _, _, steps = drawn
    assert len({(step.row, step.lane) for step in steps}) == len(steps)
    assert all(steps[before].row < step.row for step in steps for before in step.after)


def test_paths_are_those_of_the_designs(drawn):
    name, _, steps = drawn
    kinds = [step.kind for step in steps]
    joined = [[steps[before].words for before in step.after] for step in steps if step.words == "side by side"]
    if name == "B":
        assert sum(step.words == "sum" for step in steps) == 4 and {step.lane for step in steps} == {0, 1}
        assert ["mean over the image", "largest over the image"] in joined
    elif name == "C":
        assert joined[-1] == ["dense", "dense", "moments in apertures"] and kinds.count("fixed") == 1
    else:
        assert joined[-1] == ["means in rings", "means in rings"]
        assert [step.shape[2] for step in steps if step.words.startswith("group")] == [8] * 5


def test_the_drawing_holds_every_step(drawn):
    _, _, steps = drawn
    fig = figures.architecture(steps)
    assert len(fig.axes[0].patches) >= len(steps)
    rows = style.csv_text(fig).splitlines()
    assert len(rows) == len(steps) + 1
    plt.close("all")
