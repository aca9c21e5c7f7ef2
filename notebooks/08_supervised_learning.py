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
# (learning)=
# # Learning from examples
#
# **Objective: understand what it means that a machine learns, how it can fail by learning too well, and how one finds out, with
# formulas so simple that nothing is hidden.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | The target profiles | what is to be predicted | {doc}`04_target_profiles` |
# | The data set and its split | whom to learn from, whom to be tested on | {doc}`07_data_set` |
# | Fitting a line by least squares, derivatives | learning is that, repeated | any first course |
#
# You will be able to
#
# 1. say what a loss is, and find its lowest point by walking downhill;
# 2. explain why inputs are brought to a common scale before any learning;
# 3. recognise overfitting, and choose how flexible a formula should be, by galaxies that it was not fitted to;
# 4. hold back a formula that is too flexible, by a penalty or by stopping early;
# 5. tell training, validation and test apart, and say why the last is used once.
#
# Reading takes about 20 minutes, running a few seconds once the data set is there.

# %% [markdown]
# No network occurs in this chapter. All that is said here about one line through a cloud of points holds, word for word, for the networks
# of the later chapters with their hundreds of thousands of weights; with a line one can see it.

# %% tags=["parameters"]
universe = "embedded"  # written here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
radius = 38.0  # radius whose enclosed dark mass is predicted first [kpc]
n_few = 20  # galaxies of the experiments on overfitting
degree = 12  # of the polynomial that is too flexible
n_draws = 100  # times that each experiment is repeated with other galaxies

# %%
import numpy as np

from dmlib import load
from dmlib.figures import learning as figures
from dmlib.figures import show
from dmlib.primer import learning
from dmlib.results import recorder
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="learning")

# %% [markdown]
# ## A task, and a loss
#
# In **supervised learning** there are examples: galaxies with something that we know of each, the *input* $x$, and something that we
# want to know, the *target* $y$. A formula $f$ with adjustable numbers, its *weights*, shall turn the one into the other, also for
# galaxies that come later and whose target nobody tells.
#
# To begin with, the input is a single number, the stellar mass, and the target a single number too: the logarithm of the dark mass within a
# radius.

# %%
dataset = load.dataset(settings)
galaxies = learning.Galaxies.of(load.sample(settings), dataset)
k = int(np.abs(galaxies.radii - radius).argmin())
radius = float(galaxies.radii[k])

# %%
train, validation = galaxies.rows("train"), galaxies.rows("validation")
x = galaxies.column("m_star")[train]
y = galaxies.ln_m_dm[train, k]
print(f"{len(x)} galaxies to learn from, target at {radius:.1f} kpc")

# %% [markdown]
# How good is a formula? We need *one* number for that, the **loss**. The usual choice is the mean squared error,
#
# $$L = \frac1N\sum_{j=1}^N\big(f(x_j)-y_j\big)^2 .$$
#
# It is small when the formula's predictions lie close to the targets, and it dislikes one large error more than several small ones.

# %%
show(
    figures.task(x, y, radius),
    settings,
    "learning_task",
    caption="Left: the training galaxies with the mean of their targets and "
    "the best straight line; sticks show the errors of the line for some of "
    "them. Right: the mean of the squared errors when the line is turned "
    "about the middle of the cloud.",
    alt="Left, a rising cloud of points with a horizontal dashed line and a "
    "rising line, and short vertical sticks from the line to some points. "
    "Right, a parabola; the point for the mean lies up on its left flank, "
    "that of the best line at its bottom.",
    n=len(x),
)

# %%
line = np.polyfit(x, y, 1)
error_line = learning.rms(np.polyval(line, x) - y)
here = {"figure": "learning_task", "n": len(x)}
record("learning-radius", radius, unit="kpc", statement="Radius of the target")
record("learning-slope", line[0], statement="Slope, ln M_DM a dex", **here)
record(
    "learning-mean-error",
    y.std(),
    statement="Error of ln M_DM of the mean, training galaxies",
    **here,
)
record(
    "learning-line-error",
    error_line,
    statement="Error of ln M_DM of the straight line, training galaxies",
    **here,
)

# %% [markdown]
# In {numref}`fig-learning-task` each stick is one galaxy's error. Without any knowledge of the galaxy one errs by
# {num}`learning-mean-error:.2f` in $\ln M$ (root mean square, so about that fraction of the mass); with the line by {num}`learning-line-error:.2f`.
# Learning means: find the weights for which the loss on the right is lowest. The loss itself does not care what the formula is.
#
# ## Walking downhill
#
# For a line there is a formula for the best weights. For a network there is none, so it is done step by step: feel in which direction the
# loss falls, go a little that way, repeat. The direction is the gradient, the collection of the slopes in all weights, and the method is
# **gradient descent**,
#
# $$\mathbf w \leftarrow \mathbf w - \eta\,\frac{\partial L}{\partial\mathbf w},$$
#
# with a *learning rate* $\eta$ that says how far to go. Our line has two weights, a constant $b$ and a slope $w$, so the loss is a
# landscape over a plane. We descend twice, with the input counted from $10^{10}\,M_\odot$ as it comes, and with the same input *standardised*,
# shifted and stretched so that the training galaxies have mean 0 and spread 1.

# %%
target = learning.Scale.of(y)(y)
inputs = {
    "as it comes": x - 10.0,
    "standardised": learning.Scale.of(x)(x),
}
features = {name: learning.with_constant(v) for name, v in inputs.items()}

# %%
valleys, paths = {}, {}
for name, f in features.items():
    valleys[name] = f, learning.fit(f, target)
    rate = (0.92 if name == "as it comes" else 0.3) * learning.largest_rate(f)
    how = {"rate": rate, "steps": 200, "start": [1.2, -1.0]}
    paths[name] = {"all examples": learning.descend(f, target, **how)}
paths["standardised"]["batches of 8"] = learning.descend(
    features["standardised"], target, batch=8, seed=seed, **how
)

# %%
show(
    figures.descent(valleys, target, paths),
    settings,
    "learning_descent",
    caption="Gradient descent on the loss of a straight line (dark is low; "
    "the star is the lowest point). Left: input counted from "
    "$10^{10}\\,M_\\odot$. Middle: the same input standardised, with "
    "the slope of the loss taken from all galaxies, or from eight drawn anew "
    "at each step. Right: the loss along the paths.",
    alt="Left, an elongated valley in which the path jumps between the walls "
    "and then creeps along the floor. Middle, a round valley in which one "
    "path goes straight to the star, and a second wanders about it. Right, "
    "the loss against step on logarithmic axes: the standardised input "
    "reaches the bottom in fewer steps; with small batches the loss keeps "
    "jittering.",
    n=len(x),
)

# %%
for name in features:
    losses = learning.loss(features[name], target, paths[name]["all examples"])
    lowest = valleys[name][1]
    goal = 1.01 * learning.loss(features[name], target, lowest)
    record(
        f"learning-steps-{name.split()[0]}",
        learning.steps_until(losses, goal),
        statement=f"Steps until the loss is within 1% of the least, {name}",
        figure="learning_descent",
        n=len(x),
    )

# %% [markdown]
# Both walks in {numref}`fig-learning-descent` end at the same line, because it is the same task. But as the input comes, changing the constant and
# changing the slope do nearly the same to the predictions, and the loss is a long narrow valley. A learning rate that suits its steep walls
# is far too small for its floor: {num}`learning-steps-as` steps until the loss is within 1% of the least, where the
# standardised input takes {num}`learning-steps-standardised`. A rate not much larger than this one would throw the walker out of the valley altogether.
# **That is why inputs and targets are brought to order one before training** ({doc}`07_data_set`), and why networks hold layers that do so again
# inside (*batch normalisation*, {doc}`09_convolutions`).
#
# The orange path looks at eight galaxies only at each step. Its steps are noisy, but each costs a fraction of the work, and the noise averages
# out over the walk. With images nobody can afford to look at all galaxies before each step: this is **stochastic gradient descent**, the few galaxies are a
# *batch*, and once through all of them is an *epoch*. The paper uses batches of 32 and *Adam* {cite}`Kingma2015`, which in addition keeps a
# learning rate for each weight, to be less at the mercy of long valleys.
#
# ## Learning too well
#
# Is a straight line the right formula? A polynomial can bend, and the higher its degree the more. Let us fit polynomials of several degrees to
# the same {num}`learning-few` galaxies, and then ask them about others. Galaxies of the test set take no part, and of each group only one does, so
# that the others really are others.

# %%
rows = learning.one_per_group(galaxies)
x, y = galaxies.column("m_star")[rows], galaxies.ln_m_dm[rows, k]
few, rest = learning.draw(len(rows), n_few, 1, seed)[0]
record(
    "learning-few", n_few, statement="Galaxies that polynomials are fitted to"
)

# %%
curves, span = {}, (x.min(), x.max())
for d in (1, 4, degree):
    f = learning.polynomials(x, d, span)
    w = learning.fit(f[few], y[few])
    seen, unseen = (learning.rms((f @ w - y)[part]) for part in (few, rest))
    curves["straight line" if d == 1 else f"degree {d}"] = w, seen, unseen

# %%
show(
    figures.fits(x, y, few, rest, curves),
    settings,
    "learning_fits",
    caption="Polynomials fitted to the same few galaxies (blue), with the "
    "other galaxies that they are then asked about (grey). The numbers are "
    "root mean square errors of $\\ln M$.",
    alt="Three panels of the same cloud of points, with a straight line, a "
    "curve of degree four and one of high degree. The last passes through or "
    "near all blue points and swings far out of the panel between them.",
    n=len(rows),
)

# %% [markdown]
# The most flexible curve of {numref}`fig-learning-fits` comes closest to the galaxies that it was fitted to, and is of no use for any other. Was this an unlucky choice of
# galaxies? We repeat it with many others, and for every degree.

# %%
degrees = list(range(degree + 1))
options = {"n_train": n_few, "repeats": n_draws, "seed": seed}
seen, unseen = learning.flexibility(x, y, degrees, **options)
best = int(np.median(unseen, axis=0).argmin())

# %%
show(
    figures.flexibility(degrees, seen, unseen),
    settings,
    "learning_flexibility",
    caption="Error of polynomials against their degree, on the galaxies that "
    "they were fitted to and on others: median and middle 68 per cent of many "
    "draws of the galaxies. The vertical axis ends below the largest errors.",
    alt="Two curves against degree on a logarithmic axis. The error on the "
    "galaxies of the fit falls slowly. The error on other galaxies falls from "
    "degree zero to a low degree, then climbs out of the panel.",
    n=len(rows),
)

# %%
here = {"figure": "learning_flexibility", "n": len(rows)}
record(
    "learning-best-degree", best, statement="Best degree for others", **here
)
for name, d in (("best", best), ("high", degree)):
    for part, errors in (("seen", seen), ("unseen", unseen)):
        record(
            f"learning-{name}-{part}",
            np.median(errors[:, d]),
            statement=f"Median error of degree {d}, {part} galaxies",
            **here,
        )

# %% [markdown]
# The flexible curve has not learned how dark mass follows stellar mass, it has learned {num}`learning-few` galaxies. This is **overfitting**, and the loss on the training
# galaxies does not show it: in {numref}`fig-learning-flexibility` that falls all the way, down to {num}`learning-high-seen:.2f` at the highest degree, where the error
# on other galaxies is {num}`learning-high-unseen:.2g`. The best degree for the others is {num}`learning-best-degree`, with
# {num}`learning-best-unseen:.2f`.
#
# The other side exists too: degree 0, the mean, is too stiff to use what it is told. It *underfits*, and both errors are high.
#
# So the quality of a formula is measured on galaxies that it was not fitted to, the **validation** galaxies. Everything that one chooses oneself
# (here the degree; later the layers of a network, its learning rate, how long it is trained) is chosen there.
#
# ## Holding back
#
# One may also keep the flexible formula and restrain it, which is what one does with networks. Two ways:
#
# - **Penalty.** Add to the loss the sum of the squared weights, times a strength. Large weights, without which there are no wild swings, must then earn
#   their keep. In statistics this is *ridge regression*, in networks *weight decay*.
# - **Early stopping.** Begin with all weights zero, descend, and stop before the bottom is reached. The broad strokes are learned first, the
#   swings last.

# %%
strengths = 10.0 ** np.arange(-7.0, 2.1, 0.5)
steps = np.unique(np.geomspace(1, 1e6, 25).astype(int))
options["degree"] = degree
by_penalty = learning.penalties(x, y, strengths, **options)
by_step = learning.stopping(x, y, steps=steps, **options)

# %%
show(
    figures.restraint(strengths, by_penalty, steps, by_step, degree),
    settings,
    "learning_restraint",
    caption="The polynomial that is too flexible, held back by a penalty on "
    "its weights (left, weaker to the right) or by ending gradient descent "
    "early (right): median and middle 68 per cent over draws.",
    alt="Two panels with the same two kinds of curves. The error on the "
    "galaxies of the fit falls to the right; the error on other galaxies has "
    "a minimum in the middle and rises to the right.",
    n=len(rows),
)

# %%
here = {"figure": "learning_restraint", "n": len(rows)}
for name, (_, others) in (("penalty", by_penalty), ("stopping", by_step)):
    middle = np.median(others, axis=0)
    statement = f"Least median error on other galaxies, {name}"
    record(f"learning-{name}-least", middle.min(), statement=statement, **here)
best_step = steps[np.median(by_step[1], axis=0).argmin()]
record("learning-best-step", best_step, statement="Steps to stop at", **here)

# %% [markdown]
# Both panels of {numref}`fig-learning-restraint` are valleys. With the right penalty the polynomial of high degree errs by
# {num}`learning-penalty-least:.2f` on other galaxies, and by {num}`learning-stopping-least:.2f` when it is stopped after
# {num}`learning-best-step` steps, compared with {num}`learning-high-unseen:.2g` in full freedom and {num}`learning-best-unseen:.2f` for the best degree.
# So what counts is not how many weights a formula has, but how freely it may use them.
#
# The right panel is the picture that you will see of every network in this book: the training loss falls and falls, the validation loss turns. The
# paper trains for at most 200 epochs, stops when the validation loss has not improved for 30, and keeps the weights of the best epoch. A third kind of restraint,
# *dropout*, comes in {doc}`09_convolutions`, and a fourth with the networks themselves: turned and mirrored copies of each image. Anything helps that makes it
# harder to remember single galaxies {cite}`Hastie2009`.
#
# ## More examples
#
# The best cure for overfitting is more galaxies.

# %%
sizes = np.unique(np.geomspace(12, len(rows) // 2, 8).astype(int))
some = [0, 1, 3, 8]
curves = learning.more_examples(x, y, sizes, some, repeats=n_draws, seed=seed)

# %%
show(
    figures.examples_needed(sizes, some, *curves),
    settings,
    "learning_curve",
    caption="Error against the number of galaxies that were learned from, "
    "for polynomials of several degrees. Solid: on other galaxies, with the "
    "middle 68 per cent over draws; dotted: on the galaxies of the fit.",
    alt="Pairs of curves against the number of galaxies. For the mean they "
    "run together high up; for the straight line they meet far below. For "
    "the highest degree the solid curve comes down from above the panel "
    "while the dotted one rises.",
    n=len(rows),
)

# %%
last = np.median(curves[1][:, -1], axis=-1)
for d, error in zip(some, last, strict=True):
    record(
        f"learning-most-{d}",
        error,
        statement=f"Median error of degree {d} with the most galaxies",
        figure="learning_curve",
        n=int(sizes[-1]),
    )
record("learning-most", sizes[-1], statement="Most galaxies of the curve")

# %% [markdown]
# {numref}`fig-learning-curve` is a **learning curve**, and it answers a question that comes up in every project: get more data, or a better model?
# Where the solid and the dotted curve of a model have met, more galaxies bring nothing; the model is too stiff, or its input does
# not say more. Where they are far apart, more galaxies help. With {num}`learning-most` galaxies the errors are
# {num}`learning-most-0:.2f` (mean), {num}`learning-most-1:.2f` (line), {num}`learning-most-3:.2f` (degree 3) and
# {num}`learning-most-8:.2g` (degree 8).
#
# A flexible formula needs more examples before it pays. Networks are very flexible formulas.
#
# ## More inputs, twenty outputs, and one exam
#
# What remains after the line is not noise: galaxies of one stellar mass do have different haloes, and their stellar mass does not say which. Something else
# may. So let us give the formula four properties that a survey could measure: stellar mass, size, star formation rate and HI mass. And let us ask for what the
# networks are asked for, all 20 radii at once. The formula is a straight line again, in four dimensions, with a penalty whose strength is
# chosen on the validation galaxies.

# %%
truth, scale = galaxies.ln_m_dm, learning.Scale.of(galaxies.properties[train])
everything = learning.with_constant(scale(galaxies.properties))
sets = {"stellar mass": everything[:, :2], "four properties": everything}

# %%
predicted = {"mean profile": np.tile(truth[train].mean(0), (len(truth), 1))}
for name, f in sets.items():
    trial = {s: f @ learning.fit(f[train], truth[train], s) for s in strengths}
    errors = {
        s: learning.rms(p[validation] - truth[validation])
        for s, p in trial.items()
    }
    predicted[name] = trial[min(errors, key=errors.get)]

# %% [markdown]
# Having chosen among {num}`learning-n-strengths` penalties by the validation error, we may no longer quote that error as the quality of the result: the best of many tries is
# in part the luckiest. For this there is a third set of galaxies, the **test**. It was not fitted, and nothing was chosen by it. It is asked once.

# %%
test = galaxies.rows("test")
exam = {
    name: learning.bootstrap_rms((p - truth)[test], seed=seed)
    for name, p in predicted.items()
}
record("learning-n-strengths", len(strengths), statement="Penalties tried")

# %%
show(
    figures.exam(galaxies.radii, exam),
    settings,
    "learning_exam",
    caption="Error of $\\ln M_\\mathrm{DM}(<R)$ on the test galaxies against "
    "radius: mean profile of the training galaxies, and linear formulas of "
    "catalogue properties. Bands: standard error (bootstrap over galaxies).",
    alt="Three curves against radius. The mean profile is highest, above all "
    "at large radii; the formulas of the stellar mass and of four properties "
    "lie below it.",
    n=len(test),
)

# %%
for name, (value, error) in exam.items():
    record(
        f"learning-exam-{name.split()[0]}",
        value[k],
        error=error[k],
        statement=f"Test error of ln M_DM at {radius:.0f} kpc, {name}",
        figure="learning_exam",
        n=len(test),
    )

# %% [markdown]
# At {num}`learning-radius:.0f` the errors on the {num}`dataset-test` galaxies of the test set are {num}`learning-exam-mean:.2f±` for the mean profile,
# {num}`learning-exam-stellar:.2f±` for the stellar mass alone and {num}`learning-exam-four:.2f±` for four properties ({numref}`fig-learning-exam`).
# Whatever a network is to be praised for, it must be better than that.
#
# What could it use that these numbers do not have? The *rotation*: the velocity map of the HI weighs the matter in each radius directly
# ({doc}`01_introduction`). And shapes: from which side the disc is seen, a warp, a companion, where the light lies. None of this is in a table of four
# columns. One could compute more columns from the images, and be clever about it. The idea of a convolutional network is to let the training choose the columns:
# its first layers turn an image into some hundred numbers, its last layer is the linear formula that you have just seen, and *all* weights are found by walking downhill.
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# **How lucky is the best of many?** Predict the validation galaxies by pure chance: add to the mean of the training targets some noise of standard deviation
# 0.02, drawn with 1000 different seeds, and keep the seed with the lowest validation error. By how much does it seem to beat the mean there, and by how much on
# the *training* galaxies, which these "models" have not seen either?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# mean = truth[train, k].mean()
# tries = []
# for trial in range(1000):
#     noise = 0.02 * np.random.default_rng(trial).normal(size=len(truth))
#     error = mean + noise - truth[:, k]
#     tries.append(
#         [learning.rms(error[part]) for part in (validation, train)]
#     )
# tries = np.array(tries)
# best = tries[:, 0].argmin()
# for part, column in ((validation, 0), (train, 1)):
#     plain = learning.rms(mean - truth[part, k])
#     print(f"{plain:.4f} -> {tries[best, column]:.4f}")
# ```
# The best of the thousand beats the mean on the galaxies by which it was chosen, and is no better, in fact a trifle worse, on the others. The gain is small here because the
# noise is, but it grows with the number of tries and shrinks with the number of validation galaxies, and a project that compares dozens of networks by one small validation set
# collects it without noticing. Hence the test set, once.
# :::
#
# :::{admonition} Exercise
# :class: tip
# Set `n_few` to 200 in the parameters (with profile `quick`) and run the chapter again. What happens to the best degree, and to the valleys of the two restraints?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# With more galaxies the polynomials of high degree are tied down by the data themselves: the curve of the other galaxies in the figure of flexibility rises later and
# far less, and the valleys become shallow basins whose floor lies where the errors of the straight line are, or a little below. Restraint matters where examples are few for the
# flexibility. That is the situation of a network with a million weights and some hundred galaxies.
# :::
#
# ## Summary
#
# - A loss says how wrong a formula is on average; learning walks it downhill, by the gradient, a batch at a time.
# - Standardised inputs make round valleys, in which {num}`learning-steps-standardised` steps do what took {num}`learning-steps-as`.
# - The error on the galaxies of the fit says nothing about others: at degree {num}`learning-degree` it was {num}`learning-high-seen:.2f`, and on others {num}`learning-high-unseen:.2g`.
# - Choices are made on validation galaxies, and the result is quoted on test galaxies that took part in neither.
# - A penalty or an early stop make a flexible formula behave; more galaxies make it better.
# - The bar for networks at {num}`learning-radius:.0f`: {num}`learning-exam-four:.2f±` in $\ln M$ with four catalogue properties.

# %%
record("learning-degree", degree, statement="Degree of the free polynomial")

# %% [markdown]
# ## What's next
#
# {doc}`09_convolutions` replaces the polynomial by layers of neurons, shows how the gradient is found through them, and what a convolution does to an image of a galaxy.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
