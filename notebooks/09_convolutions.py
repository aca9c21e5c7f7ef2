# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.format_version,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (convolutions)=
# # Neural networks, convolution and pooling
#
# **Objective: understand what each layer of the paper's architecture does to the image of a galaxy, and follow an image through it to the final 20 numbers.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Loss, gradient descent, overfitting | the training of networks uses them | {doc}`08_supervised_learning` |
# | The channels of the data set | the input of a network | {doc}`07_data_set` |
# | The chain rule, matrices | backpropagation is the first, layers are the second | any first course |
#
# You will be able to
#
# 1. write a neuron, a layer and its backpropagation in numpy, and check the gradient;
# 2. describe what a convolution, its stride and its padding, and a pooling layer do to an image;
# 3. explain the purpose of dropout and batch normalisation, and why both behave differently in training and in use;
# 4. compute shapes, numbers of weights and receptive fields of an architecture by hand;
# 5. train a small convolutional network and inspect what its first layer has learned.
#
# Reading takes about 25 minutes, running about half a minute, most of it for the training at the end.

# %% [markdown]
# ```{found}
# chapter: convolutions
# # The book fills this box from the recorded numbers.
# ```

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
n_hidden = 8  # neurons of the network that learns a rotation curve
n_steps = 4000  # steps of that training
n_epochs = 12  # epochs of the small convolutional network

# %%
import numpy as np
from astropy.table import Table

from dmlib import load
from dmlib.figures import convolutions as figures
from dmlib.figures import show, show_table
from dmlib.networks.architectures.published import talk
from dmlib.primer import layers
from dmlib.results import ARITHMETIC, recorder
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="convolutions")
exact = recorder(settings, chapter="convolutions", universe=ARITHMETIC)

# %% [markdown]
# ## A neuron and a layer
#
# A neuron multiplies each of its inputs by a weight, adds them up with a constant, and applies a nonlinear function:
#
# $$a = \phi\Big(\sum_k w_k x_k + b\Big).$$
#
# Without this function $\phi$, its *activation*, the neuron is the straight line of {doc}`08_supervised_learning`.

# %%
show(
    figures.neuron(),
    settings,
    "convolutions_neuron",
    caption="Left: a neuron with three inputs. Right: three activations; this "
    "book uses ReLU, which passes positive values and sets others to zero.",
    alt="Left, three circles with arrows to a sum, which has a constant as "
    "another input and leads to an activation and an output. Right, three "
    "curves: ReLU is zero left of zero and a rising line right of it; tanh "
    "and sigmoid are smooth steps.",
    source="arithmetic",
)

# %% [markdown]
# A **layer** is a row of neurons that all receive the same inputs ({numref}`fig-convolutions-neuron`).
# With the inputs as a row vector, it is a product with a matrix followed by the activation, $\mathbf a=\phi(\mathbf x\,W+\mathbf b)$.
# A **network** is a sequence of layers, each with the outputs of the previous one as its inputs.
#
# Why are activations needed?
# Two consecutive linear layers are one linear layer, since $\mathbf x\,W_1W_2$ is $\mathbf x\,W$.
# With an activation between them, they can produce curves.
# We show this with a familiar curve: the velocity of HI along the major axis of a galaxy.

# %%
dataset = load.dataset(settings)
row = layers.typical_view(dataset)
position, velocity = layers.major_axis(dataset, row)
x, y = (position / 32.0)[:, None], velocity / 200.0
print(f"{len(y)} pixels of view {row}, from {position[0]:.0f} kpc on")

# %% [markdown]
# The network has one input (position), a layer of a few ReLU neurons, and one output (velocity).
# The weights start at random values and are trained by gradient descent.

# %%
start = layers.start_weights([1, n_hidden, 1], seed)
kept, losses = layers.train(
    start, x, y, steps=n_steps, keep=(0, n_steps // 20, n_steps)
)

# %%
show(
    figures.hinges(x[:, 0], y, kept, losses, (32.0, 200.0)),
    settings,
    "convolutions_hinges",
    caption="A network of one hidden layer learns the velocity of HI along "
    "the major axis of one galaxy. Left: the pixels (grey) and the network "
    "at three stages of its training. Middle: the final contribution of each "
    "neuron (lines that leave the panel cancel each other). Right: the "
    "error.",
    alt="Left, grey points that rise from negative to positive velocity with "
    "flat ends, and three curves, the last of which follows the points. "
    "Middle, eight lines that are each zero up to a corner and straight "
    "beyond it. Right, the error falls with the steps.",
    n=1,
)

# %%
here = {"figure": "convolutions_hinges", "n": 1, "unit": "km/s"}
rms = 200.0 * np.sqrt(losses)
record("conv-hidden", n_hidden, statement="Neurons of the hidden layer")
record("conv-rms-first", rms[0], statement="Error at the start", **here)
record("conv-rms-last", rms[-1], statement="Error after training", **here)

# %% [markdown]
# Each neuron is a hinge: zero up to a point, a straight line beyond ({numref}`fig-convolutions-hinges`).
# The sum of {num}`conv-hidden` hinges is a curve with as many corners, and training moved the corners to where the rotation curve bends.
# The error fell from {num}`conv-rms-first:.0f` to {num}`conv-rms-last:.1f`.
# With enough hinges a network can approximate any continuous curve to any accuracy, and the same is true of functions of many inputs.
# Whether the weights can be *found* from few examples is another question, and the subject of the rest of this chapter.
#
# ## Backpropagation
#
# Gradient descent needs the slope of the loss in every weight.
# The chain rule gives it, layer by layer and *backwards*:
#
# 1. Start at the loss: how does it change if the output changes slightly? For the mean squared error, by twice the error.
# 2. At the last layer: if its *weights* change slightly, how does its output change? In proportion to its input. Multiply the two to obtain the slopes of this layer.
# 3. At the same layer: if its *input* changes slightly, how does its output change? In proportion to its weights. Multiply, and pass the result to the previous layer.
# 4. A ReLU in between passes the gradient where it passed the signal, and stops it where its output was zero.
#
# One forward and one backward pass therefore give the slopes in *all* weights, at about three times the cost of a prediction, whether there are ten
# weights or ten million.
#
# ```{image} /_static/diagrams/backpropagation.svg
# :alt: Boxes for input, two layers and loss; arrows lead forwards to the loss and backwards from it, with the gradients of the weights below.
# :class: sketch
# ```
#
# This is **backpropagation** {cite}`Rumelhart1986`, and `layers.backward` implements it in a dozen lines.
#
# It is easy to program a gradient incorrectly, and a network with a wrong gradient often still learns a little.
# We therefore check it: we change one weight slightly and compare the change of the loss.

# %%
weights = layers.start_weights([1, n_hidden, n_hidden, 1], seed + 1)
slopes = layers.flatten(layers.backward(weights, x, y))
step_sizes = np.geomspace(1e-12, 1e-1, 23)
worst = np.array(
    [
        np.linalg.norm(layers.difference_quotients(weights, x, y, h) - slopes)
        for h in step_sizes
    ]
)
worst /= np.linalg.norm(slopes)

# %%
show(
    figures.gradient_check(step_sizes, worst),
    settings,
    "convolutions_gradient",
    caption="Relative difference between the gradient by backpropagation and "
    "by changing one weight at a time, for all weights of a network of three "
    "layers, against the size of the change.",
    alt="A curve on logarithmic axes: the difference falls steadily as the "
    "change grows from tiny values, reaches a minimum far below one "
    "millionth, and jumps up again for large changes.",
    n=1,
)

# %%
record(
    "conv-gradient",
    worst.min(),
    statement="Smallest relative difference of gradient and quotients",
    figure="convolutions_gradient",
)
record("conv-n-weights", len(slopes), statement="Weights of that network")

# %% [markdown]
# The {num}`conv-n-weights` slopes agree to {num}`conv-gradient:.0e` of their size ({numref}`fig-convolutions-gradient`).
# For tiny changes the rounding of numbers dominates; a large change moves the corner of some hinge across one of the data, where the loss has a kink, and the agreement ends at once.
# Keras, TensorFlow and JAX compute the gradient for every type of layer, and we use them from here on.
# {doc}`14_saliency` follows the gradient one step further back, beyond the first layer into the *pixels*: how would the prediction change if this pixel did?
#
# ## Convolution
#
# An image has many inputs.
# A dense layer gives each pixel of each channel a separate weight for each neuron, has no information about which pixels are neighbours, and must learn
# a spiral arm at every place separately.
# A **convolution** layer looks at a small window, with the same few weights at every place.
# These weights are a *kernel*, and the result of applying the kernel to an image is a *feature map*.
# (Mathematically it is a cross-correlation: the kernel is not flipped, which matters little where its weights are learned.)
# We show this by hand, on a corner of a velocity map:

# %%
channels = ("r", "moment0", "moment1")
view = dataset.inputs([row], channels)[0]
middle = len(view) // 2
patch = 200.0 * view[middle - 3 : middle + 4, middle - 3 : middle + 4, 2]
kernel = layers.KERNELS["left-right change"]

# %%
show(
    figures.by_hand(patch, kernel, (2, 3)),
    settings,
    "convolutions_by_hand",
    caption="A convolution with a kernel of 3 × 3, at the centre of a "
    "velocity map [km/s]. The framed pixels, each times the kernel's number "
    "at the same place, sum to the framed result.",
    alt="Three grids of numbers: seven by seven pixels with a three by three "
    "frame, the kernel with minus numbers on the left and plus numbers on the "
    "right, and five by five results, one of them framed.",
    n=1,
)

# %% [markdown]
# This kernel measures the change from left to right: on a velocity map, the velocity gradient ({numref}`fig-convolutions-by-hand`).
# Other kernels respond to other features.

# %%
blank = np.array([0.0, -2.0, 0.0])  # values of the channels in blank pixels
names = ("starlight, r", "HI column", "velocity")
pictures = dict(zip(names, np.moveaxis(view - blank, -1, 0), strict=True))
show(
    figures.kernels(pictures),
    settings,
    "convolutions_kernels",
    caption="A galaxy's starlight, HI and velocity, and the results of four "
    "kernels (insets on top: the kernels; orange and purple have opposite "
    "signs).",
    alt="Three rows of five pictures. In each row the image itself, a "
    "blurred copy, a map of left-right changes, one of up-down changes, and "
    "one that is strong at small spots and edges.",
    n=1,
)

# %% [markdown]
# In {numref}`fig-convolutions-kernels` we chose the kernels.
# In a network they are weights like all others: they start at random values, and training adjusts them to lower the loss.
# A layer has many kernels, 64 in the first one of the paper, and each kernel covers *all* channels of its input: it can compare the light with the
# velocity at the same place.
# The kernels of the next layer act on these 64 feature maps, and so combine edges into arms, arms into discs.
#
# How much does this sharing save? For the data set's images and 64 neurons or kernels:

# %%
every, pixels = dataset.channels("all"), dataset.input_grid.pixels
traced = layers.trace(talk(every, pixels, 20))
dense = 64 * (pixels**2 * len(every) + 1)
shared = traced[0].weights
exact("conv-dense", dense, statement="Weights of a dense layer on the image")
exact("conv-shared", shared, statement="Weights of the first convolution")

# %% [markdown]
# The dense layer has {num}`conv-dense` weights, the convolution {num}`conv-shared`.
# Sharing has another advantage.
# *If the galaxy is moved, its feature maps move with it, and are otherwise the same*: nothing has to be learned twice.
# We can check this, and see how a stride affects it:

# %%
image = pictures["HI column"]
moved = {}
for stride in (1, 2):
    a = layers.convolve(np.roll(image, 1, axis=1), kernel, stride=stride)
    b = layers.convolve(image, kernel, stride=stride)
    b = np.roll(b, 1, axis=1) if stride == 1 else b
    inner = np.s_[4:-4, 4:-4]
    moved[stride] = np.linalg.norm((a - b)[inner]) / np.linalg.norm(b[inner])

# %%
for stride, difference in moved.items():
    record(
        f"conv-moved-{stride}",
        difference,
        statement=f"Change of maps by a shift of 1 pixel, stride {stride}",
        n=1,
    )

# %% [markdown]
# With stride 1 the shifted image gives the shifted map (relative difference {num}`conv-moved-1:.0e`).
# With stride 2 every other place is skipped, and a shift by one pixel changes the map by {num}`conv-moved-2:.2f` of its size: the symmetry holds only for even shifts.
# (Rotation is not a symmetry of a convolution at all.
# The follow-up work of the authors uses networks that have this symmetry {cite}`deLosRios2025`, and so does E of {doc}`10_networks`; to the others we show each galaxy rotated and
# mirrored during training.)
#
# ## Stride, padding, pooling
#
# Three settings determine the size of the feature maps.

# %%
blur = layers.KERNELS["blur"]
results = {
    "image": image,
    "5×5, no\npadding": layers.convolve(image, blur, padding="valid"),
    "5×5,\npadded": layers.convolve(image, blur),
    "5×5, padded,\nstride 2": layers.convolve(image, blur, stride=2),
    "largest\nof 2×2": layers.pool(image),
    "mean\nof 2×2": layers.pool(image, how=np.mean),
    "largest\nof 8×8": layers.pool(image, 8),
}

# %%
show(
    figures.sizes(results),
    settings,
    "convolutions_sizes",
    caption="The HI map of a galaxy after a convolution with several "
    "paddings and strides, and after pooling; below, the number of pixels.",
    alt="Seven small pictures of the same galaxy with fewer and fewer pixels.",
    n=1,
)

# %% [markdown]
# - **Padding.** A kernel does not fit at the edge. Either the map shrinks, or the image is given a border of zeros (`same`).
# - **Stride.** The kernel moves by two pixels at a time, so that the map has half as many pixels per side.
# - **Pooling.** Of each block of 2 × 2 only the largest value is kept: *that* there was an edge, not exactly where.
#
# Stride and pooling make the maps smaller and the field of view of each later kernel larger ({numref}`fig-convolutions-sizes`).
# They also make the network slightly insensitive to exact positions.
# For a profile with {math}`R` in kpc that is not always an advantage, but a network without either would have to be deeper.
#
# ## Dropout and batch normalisation
#
# Two types of layer in the paper's table do not change the shapes.
# Both make training work, and both behave **differently in training and in use**.
#
# **Dropout** {cite}`Srivastava2014` sets, at each training step, a random half of the values to zero and doubles the others.
# No neuron can rely on the presence of another one, so none can specialise in a single galaxy.
# In use nothing is dropped.
#
# **Batch normalisation** {cite}`Ioffe2015` does to each feature map what we did to the input in {doc}`08_supervised_learning`: it shifts and scales the
# map to mean 0 and standard deviation 1 over all its pixels and the galaxies of the batch, and then by two learned numbers.
# In use there is no batch, and running averages from training replace it.

# %%
rng = np.random.default_rng(seed)
feature = np.maximum(layers.convolve(image, blur), 0.0)
draws = np.stack([layers.dropout(feature, 0.5, rng) for _ in range(400)])
mean = draws.mean(axis=0)
views = dataset.inputs(dataset.rows("train")[:32], "r")[..., 0]
random = rng.normal(size=(6, 5, 5)) * np.geomspace(0.02, 0.3, 6)[:, None, None]
raw = np.stack([[layers.convolve(v, k) for k in random] for v in views])
raw = np.maximum(np.moveaxis(raw, 1, -1), 0.0)

# %%
show(
    figures.chance_and_norm(
        feature, draws[:3], mean, raw, layers.batch_norm(raw)
    ),
    settings,
    "convolutions_chance",
    caption="Above: dropout of a half on a feature map, three draws, and the "
    "mean of many. Below: values of six random kernels on a batch of "
    "galaxies, before and after batch normalisation.",
    alt="Above, a galaxy; three copies with half of the pixels black and the "
    "others brighter; and their mean, which looks like the first. Below left, "
    "six histograms of very different widths; right, the same with similar "
    "widths.",
    n=len(np.unique(dataset.table["subhalo_id"][dataset.rows("train")[:32]])),
)

# %%
company = [layers.batch_norm(raw[s])[0] for s in (np.s_[:8], np.s_[:32])]
record(
    "conv-dropout",
    np.linalg.norm(mean - feature) / np.linalg.norm(feature),
    statement="Relative difference of a feature map and 400 draws of dropout",
    figure="convolutions_chance",
)
record(
    "conv-company",
    np.linalg.norm(company[0] - company[1]) / np.linalg.norm(company[1]),
    statement="Change of a normalised view in a batch of 8 instead of 32",
    figure="convolutions_chance",
)

# %% [markdown]
# The mean of 400 draws differs from the map by {num}`conv-dropout:.2f` of its size, and the difference shrinks with more draws: dropout changes nothing
# on average ({numref}`fig-convolutions-chance`).
# Each single draw, however, is a different, thinned network, so training with dropout trains an ensemble of them at once.
#
# Batch normalisation has a side effect that is easily overlooked: in training, the values of a galaxy depend on the other galaxies in its batch.
# The same view, in a batch of 8 instead of 32, is normalised to values that differ by {num}`conv-company:.2f` of their size.
# Where batches are small or the training is short, running averages and batches disagree, and a network performs worse in use than in training.
# When a validation loss fluctuates strongly while the training loss falls smoothly, check this first.
#
# ## The paper's architecture, layer by layer
#
# We can now read the table of the talk.
# It lists the layers from the image to the 20 numbers; we compute the shapes for our images:

# %%
rows = [
    (t.words, " × ".join(map(str, t.shape)), t.weights, t.field or "all")
    for t in traced
]
names = ("layer", "gives", "weights", "sees [pixel]")
show_table(
    Table(rows=rows, names=names),
    caption="Layers of architecture A, from the image to the 20 numbers, "
    "with the sizes of their outputs, their weights and the width of the "
    "image that one output sees.",
    rows=len(rows),
)

# %%
show(
    figures.volumes(traced, image, len(every)),
    settings,
    "convolutions_volumes",
    caption="Architecture A of the talk as the sizes of its layers' outputs: "
    "pixels × pixels × channels for the convolutions and poolings, neurons "
    "for the dense layers, and finally ln M at 20 radii. Padding as in the "
    "authors' scripts.",
    alt="A galaxy image followed by boxes that become lower and wider from "
    "left to right, with their shapes written below, then three tall thin "
    "bars and a short one for the dense layers.",
    n=1,
)

# %%
total = sum(t.weights for t in traced)
dense_part = sum(t.weights for t in traced if t.kind == "dense")
last = [t for t in traced if t.kind == "conv"][-1]
exact("conv-total", total, statement="Trainable weights of architecture A")
exact(
    "conv-dense-part",
    100 * dense_part / total,
    unit="%",
    statement="Fraction of the weights in dense layers",
)
exact("conv-left", last.shape[0], statement="Pixels per side that remain")
exact(
    "conv-field",
    last.field * dataset.input_grid.pixel_size,
    unit="kpc",
    statement="Receptive field of the last convolution",
)

# %% [markdown]
# After the last convolution {num}`conv-left` × {num}`conv-left` places of the image remain, with 256 features each ({numref}`fig-convolutions-volumes`).
# *Flatten* writes them in one row, and dense layers, as at the beginning of this chapter, turn them into 20 numbers.
# The last layer has no activation, because $\ln M$ may have any value.
# A few hundred galaxies must constrain {num}`conv-total` weights, {num}`conv-dense-part:.0f` of them in dense layers.
# Without regularisation the network could simply memorise them ({doc}`08_supervised_learning`), which is why so much of the table is dropout.
#
# How far does each layer see? One output of a 5 × 5 kernel depends on 5 pixels per side.
# A kernel of the second convolution depends on 5 places of the previous maps, which are several pixels apart, and so on.
# The square of the image on which one output depends is its **receptive field**.

# %%
show(
    figures.receptive(traced, image, dataset.input_grid.field_of_view),
    settings,
    "convolutions_receptive",
    caption="Receptive fields of the convolutions and poolings of "
    "architecture A on one of our galaxies. Dashed: the side of the image.",
    alt="Left, nested squares on a galaxy, the outermost nearly as large as "
    "the image or larger. Right, bars with the side of each square in pixels "
    "and kpc, growing from layer to layer.",
    n=1,
)

# %% [markdown]
# The first kernels see only a piece of an arm, those of the last convolution {num}`conv-field:.0f` ({numref}`fig-convolutions-receptive`; the dashed line is the side of the image).
# To detect that one side of a galaxy approaches and the other recedes, a kernel must see both, or a dense layer must compare them.
# This matters in {doc}`14_saliency`.
#
# ## Training a small network
#
# We now train a network to predict a quantity that a table of fluxes does not contain: the *inclination* of a disc, from its image in one band.
# The network must recognise the shape of the disc, at any angle on the sky.
# It has three convolutions with pooling between them, takes the mean of each feature map over the remaining image, and ends with a single neuron.
# In each epoch each galaxy is shown in another of its eight rotated and mirrored forms.
# Training and validation galaxies are those of the data set; the test galaxies are not used.

# %%
train, validation = (
    layers.pictures(dataset, side, ("r",)) for side in ("train", "validation")
)
trained = layers.learn(train, validation, epochs=n_epochs, seed=seed)
print(f"{trained.model.count_params()} weights, {len(train)} training views")

# %%
show(
    figures.tiny(trained, validation),
    settings,
    "convolutions_tiny",
    caption="A small convolutional network learns the inclination of discs "
    "from r-band images. Left: errors after each epoch, and that of the mean. "
    "Right: its predictions for the validation views.",
    alt="Left, two curves of error against epoch and a dotted line. Right, "
    "predicted against true cosine of the inclination with a dashed diagonal.",
    n=" and ".join(
        f"{len(np.unique(dataset.table['subhalo_id'][part.rows]))} galaxies "
        f"for {use}"
        for part, use in ((train, "training"), (validation, "validation"))
    ),
)

# %%
here = {"figure": "convolutions_tiny"}
n = len(np.unique(dataset.table["subhalo_id"][validation.rows]))
error = float(np.sqrt(np.mean((trained.predicted - validation.cosine) ** 2)))
record(
    "conv-tiny-mean",
    validation.cosine.std(),
    n=n,
    statement="Error of cos i of the mean, validation views",
    **here,
)
record("conv-tiny", error, n=n, statement="The same for the network", **here)
record(
    "conv-tiny-weights",
    trained.model.count_params(),
    statement="Weights of the small network",
    **here,
)

# %% [markdown]
# With {num}`conv-tiny-weights` weights and {num}`dataset-train` training galaxies the error of $\cos i$ is {num}`conv-tiny:.2f`, compared with
# {num}`conv-tiny-mean:.2f` for the mean ({numref}`fig-convolutions-tiny`).
# (In profile `smoke` there are too few galaxies for more than a first sign of learning.
# Since we kept the epoch that was best for these same validation views, the error is slightly too small; see the exercise of {doc}`08_supervised_learning`.)
#
# What have its kernels learned?
# We pass galaxies from edge-on to face-on through the first layer.

# %%
by_cosine = np.argsort(validation.cosine)
some = by_cosine[np.linspace(0, len(by_cosine) - 1, 5).astype(int)]
maps = layers.feature_maps(trained.model, validation.inputs[some])
labels = [f"cos i = {c:.2f}" for c in validation.cosine[some]]

# %%
show(
    figures.features(validation.inputs[some], maps, labels),
    settings,
    "convolutions_features",
    caption="Views from edge-on to face-on, and the outputs of the eight "
    "kernels of the trained first layer (after ReLU, each kernel on its own "
    "scale).",
    alt="Five rows of nine small pictures: a galaxy and eight feature maps of "
    "it, some bright at the disc's rim or on one side of it, some at the "
    "centre, some dark throughout.",
    n=len(some),
)

# %% [markdown]
# These kernels were not designed but learned ({numref}`fig-convolutions-features`).
# Some respond to one side of a disc or to a direction, some to the faint outskirts, and some may be of no use at all.
# Visual inspection cannot show much more: which pixels matter for the *prediction* depends on all later layers, and requires a better method ({doc}`14_saliency`).
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# **What if neighbouring pixels were separated?** Shuffle the pixels of all images in the same way (one permutation for all galaxies, training and
# validation) and train the small network again.
# No information is lost, because the shuffling can be undone.
# Predict what happens before you run it.
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# order = np.random.default_rng(0).permutation(train.inputs[0].size)
# mixed = [
#     layers.Pictures(
#         p.inputs.reshape(len(p), -1)[:, order].reshape(p.inputs.shape),
#         p.cosine,
#         p.rows,
#     )
#     for p in (train, validation)
# ]
# again = layers.learn(*mixed, epochs=n_epochs, seed=seed)
# print(trained.validation.min(), again.validation.min())
# ```
# The network loses most of its accuracy, although the shuffling makes no difference to a dense layer.
# A convolution not only has fewer weights: it *assumes* that neighbours belong together and that all places are alike.
# For images that assumption is right, and it is worth more than many galaxies.
# (The remaining accuracy can come from sums: the mean brightness depends on the inclination through the dust and the faint rim of thin discs.)
# :::
#
# :::{admonition} Exercise
# :class: tip
# Compute by hand, for images of 128 × 128 pixels: the shapes after each convolution and pooling of the talk's table, the total number of weights, and
# the receptive field of the last convolution.
# Which of them depend on the size of the image?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# for t in layers.trace(talk(every, 128, 20)):
#     print(t.words, t.shape, t.weights, t.field)
# ```
# The maps have 64, 32, 16, 8 and 4 pixels per side.
# The convolutions' weights and the receptive field [in pixels] do not depend on the size of the image; those of the first dense layer do, since the row
# has four times as many numbers: $4\cdot4\cdot256$.
# In kpc the receptive field halves when the pixel size does: the same network sees *less far* on finer images.
# :::
#
# ## Summary
#
# - A neuron is a weighted sum and an activation; {num}`conv-hidden` of them reproduced a rotation curve, to {num}`conv-rms-last:.1f`.
# - Backpropagation gives all slopes for the cost of about two more predictions; we checked it to {num}`conv-gradient:.0e`.
# - A convolution shares a few weights over all places ({num}`conv-shared` instead of {num}`conv-dense`), and its feature maps move with the galaxy.
# - Strides and poolings shrink the maps and enlarge the field of view; dropout and batch normalisation make training work, and behave differently in use.
# - Architecture A turns our images into {num}`conv-left` × {num}`conv-left` × 256 numbers, and these into 20, with {num}`conv-total` weights.
# - A network with {num}`conv-tiny-weights` weights learned the inclination to {num}`conv-tiny:.2f` in $\cos i$.
#
# ## What's next
#
# The next chapters train the architectures of the paper on the dark-matter profiles and compare them and their inputs; {doc}`14_saliency` then examines
# which pixels they depend on.
# For a broader view of the field see the review by LeCun, Bengio and Hinton {cite}`LeCun2015`.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
