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
# **Objective: understand what machine learning means, how it can fail by fitting too well, and how to detect that, using simple formulas in which nothing is hidden.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | The target profiles | what is to be predicted | {doc}`04_target_profiles` |
# | The data set and its split | which galaxies to learn from, and which to test on | {doc}`07_data_set` |
# | Fitting a line by least squares, derivatives | learning repeats this many times | any first course |
#
# You will be able to
#
# 1. define a loss, and find its minimum by gradient descent;
# 2. explain why inputs are brought to a common scale before any learning;
# 3. recognise overfitting, and choose the flexibility of a formula with galaxies that it was not fitted to;
# 4. restrain a formula that is too flexible, by a penalty or by early stopping;
# 5. distinguish training, validation and test sets, and explain why the test set is used once;
# 6. say how well a galaxy's total light, colour and size already predict its dark matter, in the real TNG100.
#
# Reading takes about 25 minutes, running less than a minute once the data set exists.

# %% [markdown]
# ```{found}
# chapter: learning
# # The book fills this box from the recorded numbers.
# ```

# %% [markdown]
# This chapter contains no network.
# Everything that it says about one line through a cloud of points also holds for the networks of the later chapters with their hundreds of thousands of
# weights; with a line it is visible.

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
radius = 38.0  # radius whose enclosed dark mass is predicted first [kpc]
n_few = 20  # galaxies in the experiments on overfitting
degree = 12  # degree of the polynomial that is too flexible
n_draws = 100  # repetitions of each experiment with other galaxies

# %%
from textwrap import fill

import numpy as np
from astropy.table import Table

from dmlib import embedded, load
from dmlib.evaluation import catalogue, fixed_mass, integrated_light
from dmlib.figures import learning as figures
from dmlib.figures import show, show_table
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
# **Supervised learning** starts from examples: galaxies with a known property, the *input* $x$, and a property that we want to predict, the *target* $y$.
# A formula $f$ with adjustable numbers, its *weights*, must convert one into the other, also for new galaxies whose target is unknown.
#
# We begin with a single number as input, the stellar mass, and a single number as target: the logarithm of the dark mass within a radius.

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
# To say how good a formula is, we need *one* number, the **loss**.
# The usual choice is the mean squared error,
#
# $$L = \frac1N\sum_{j=1}^N\big(f(x_j)-y_j\big)^2 .$$
#
# It is small when the predictions of the formula are close to the targets, and it penalises one large error more than several small ones.

# %%
show(
    figures.task(x, y, radius),
    settings,
    "learning_task",
    caption="Left: the training galaxies with the mean of their targets and "
    "the best straight line; sticks show the errors of the line for some of "
    "them. Right: the mean of the squared errors when the line is rotated "
    "about the middle of the cloud.",
    alt="Left, a rising cloud of points with a horizontal dashed line and a "
    "rising line, and short vertical sticks from the line to some points. "
    "Right, a parabola; the point for the mean is high on its left side, "
    "that of the best line at its minimum.",
    n=len(x),
)

# %%
line = np.polyfit(x, y, 1)
error_line = learning.rms(np.polyval(line, x) - y)
here = {"figure": "learning_task", "n": len(x)}
record("learning-radius", radius, unit="kpc", statement="Radius of the target")
record("learning-slope", line[0], statement="Slope, ln M_DM per dex", **here)
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
for id, error in (("mean", y.std()), ("line", error_line)):
    record(
        f"learning-{id}-factor",
        np.exp(error),
        statement=f"Error of M_DM of the {id}, training galaxies, as a factor",
        **here,
    )

# %% [markdown]
# In {numref}`fig-learning-task` each stick is one galaxy's error.
# Without any information about the galaxy the error is {num}`learning-mean-error:.2f` in $\ln M$ (root mean square), a factor of {num}`learning-mean-factor:.1f` in the mass; with the line it is {num}`learning-line-error:.2f`, a factor of {num}`learning-line-factor:.2f`.
# Learning means finding the weights for which the loss on the right is lowest.
# The loss itself does not depend on the form of the formula.
#
# ## Gradient descent
#
# For a line, the best weights follow from an equation.
# For a network there is no such equation, so the weights are found step by step: determine the direction in which the loss falls, take a small step in
# that direction, repeat.
# The direction is given by the gradient, the vector of the slopes in all weights, and the method is **gradient descent**,
#
# $$\mathbf w \leftarrow \mathbf w - \eta\,\frac{\partial L}{\partial\mathbf w},$$
#
# with a *learning rate* $\eta$ that sets the step size.
# Our line has two weights, a constant $b$ and a slope $w$, so the loss is a surface over a plane.
# We descend twice: with the raw input ("as it comes"), counted from $10^{10}\,M_\odot$, and with the same input *standardised*, that is, shifted and
# scaled so that the training galaxies have mean 0 and standard deviation 1.

# %%
target = learning.standardise(y, y)
inputs = {
    "as it comes": x - 10.0,
    "standardised": learning.standardise(x, x),
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
    "the slope of the loss computed from all galaxies, or from eight drawn "
    "anew at each step. Right: the loss along the paths.",
    alt="Left, an elongated valley in which the path jumps between the walls "
    "and then moves slowly along the floor. Middle, a round valley in which "
    "one path goes straight to the star, and a second wanders about it. "
    "Right, the loss against step on logarithmic axes: the standardised input "
    "reaches the minimum in fewer steps; with small batches the loss keeps "
    "fluctuating.",
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
        statement=f"Steps until the loss is within 1% of the minimum, {name}",
        figure="learning_descent",
        n=len(x),
    )

# %% [markdown]
# Both paths in {numref}`fig-learning-descent` end at the same line, because the task is the same.
# With the raw input, changing the constant and changing the slope have nearly the same effect on the predictions, and the loss is a long narrow valley.
# A learning rate that suits its steep walls is far too small for its floor: it takes {num}`learning-steps-as` steps until the loss is within 1% of the
# minimum, compared with {num}`learning-steps-standardised` for the standardised input.
# A slightly larger rate would make the descent diverge.
# **This is why inputs and targets are brought to order one before training** ({doc}`07_data_set`), and why networks contain layers that do the same
# internally (*batch normalisation*, {doc}`09_convolutions`).
#
# The orange path uses only eight galaxies at each step.
# Its steps are noisy, but each costs a fraction of the work.
# This is **stochastic gradient descent**; the few galaxies are a *batch*, and one pass through all of them is an *epoch*.
# The paper uses batches of 32 and *Adam* {cite}`Kingma2015`, which also adapts a learning rate for each weight, so that long valleys slow it down less.
#
# ## Overfitting
#
# Is a straight line the right formula? A polynomial can bend, more so with higher degree.
# We fit polynomials of several degrees to the same {num}`learning-few` galaxies, and then predict others.
# We exclude the galaxies of the test set and use only one galaxy per group, so that the other galaxies are independent.
# Where the sample has the central of a group, it is this one, so that few satellites remain: {num}`learning-satellites` of {num}`learning-satellites.n` galaxies.
# The dark matter around a satellite is harder to infer from its stars, because a part of it was stripped or belongs to the host.
# Errors from here to the learning curves must therefore not be compared with those of {numref}`fig-learning-task`, where all satellites take part.

# %%
rows = learning.one_per_group(galaxies)
record(
    "learning-satellites",
    int((~galaxies.is_central[rows]).sum()),
    n=len(rows),
    statement="Satellites among the galaxies of the experiments",
)
x, y = galaxies.column("m_star")[rows], galaxies.ln_m_dm[rows, k]
few, rest = learning.draw(len(rows), n_few, 1, seed)[0]
record(
    "learning-few", n_few, statement="Number of galaxies in a polynomial fit"
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
    figures.fits(x, y, (few, rest), curves),
    settings,
    "learning_fits",
    caption="Polynomials fitted to the same few galaxies (blue), with the "
    "other galaxies that they must then predict (grey). The numbers are "
    "root mean square errors of $\\ln M$.",
    alt="Three panels of the same cloud of points, with a straight line, a "
    "curve of degree four and one of high degree. The last passes through or "
    "near all blue points and swings far out of the panel between them.",
    n=len(rows),
)

# %% [markdown]
# The most flexible curve of {numref}`fig-learning-fits` comes closest to the galaxies that it was fitted to, but is useless for all others.
# Was this an unlucky choice of galaxies?
# We repeat the experiment with many other choices, and for every degree.

# %%
degrees = list(range(degree + 1))
splits = learning.draw(len(x), n_few, n_draws, seed)
seen, unseen = learning.flexibility(x, y, splits, degrees)
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
    "degree zero to a low degree, then rises out of the panel.",
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
# The flexible curve has not learned how dark mass depends on stellar mass; it has memorised {num}`learning-few` galaxies.
# This is **overfitting**, and the loss on the training galaxies does not reveal it: in {numref}`fig-learning-flexibility` that loss falls throughout,
# down to {num}`learning-high-seen:.2f` at the highest degree, where the error on other galaxies is {num}`learning-high-unseen:.2g`.
# The best degree for the others is {num}`learning-best-degree`, with {num}`learning-best-unseen:.2f`.
#
# The opposite also occurs: degree 0, the mean, is too stiff to use its input.
# It *underfits*, and both errors are high.
#
# The quality of a formula must therefore be measured on galaxies that it was not fitted to, the **validation** galaxies.
# All choices (here the degree; later the layers of a network, its learning rate, the length of its training) are made with them.
#
# ## Regularisation
#
# We can also keep the flexible formula and restrain it, as is usual for networks.
# There are two ways:
#
# - **Penalty.** Add to the loss the sum of the squared weights, times a strength. Large weights, which wild swings require, must then reduce the error enough to
#   outweigh the penalty. In statistics this is *ridge regression*, in networks *weight decay*.
# - **Early stopping.** Start with all weights zero, descend, and stop before reaching the minimum. The descent learns the broad trend first and the
#   swings last.

# %%
strengths = 10.0 ** np.arange(-7.0, 2.1, 0.5)
steps = np.unique(np.geomspace(1, 1e6, 25).astype(int))
by_penalty = learning.penalties(x, y, splits, degree, strengths)
by_step = learning.stopping(x, y, splits, degree, steps)

# %%
show(
    figures.restraint((strengths, by_penalty), (steps, by_step), degree),
    settings,
    "learning_restraint",
    caption="The polynomial that is too flexible, restrained by a penalty on "
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
    statement = f"Lowest median error on other galaxies, {name}"
    record(f"learning-{name}-least", middle.min(), statement=statement, **here)
best_step = steps[np.median(by_step[1], axis=0).argmin()]
record("learning-best-step", best_step, statement="Best stopping step", **here)

# %% [markdown]
# Both panels of {numref}`fig-learning-restraint` show a minimum.
# With the right penalty the error of the high-degree polynomial on other galaxies is {num}`learning-penalty-least:.2f`, and
# {num}`learning-stopping-least:.2f` when it is stopped after {num}`learning-best-step` steps, compared with {num}`learning-high-unseen:.2g` without
# restraint and {num}`learning-best-unseen:.2f` for the best degree.
# How freely a formula may use its weights matters, then, and not only how many it has.
#
# A network that is trained for long behaves as in the right panel: the training loss keeps falling, while the validation loss reaches a minimum and rises.
# The paper trains for at most 200 epochs, stops when the validation loss has not improved for 30, and keeps the weights of the best epoch.
# Two more kinds follow in later chapters, *dropout* and rotated copies of each image: anything that makes it harder to memorise single galaxies helps {cite}`Hastie2009`.
#
# ## More examples
#
# The best cure for overfitting is more galaxies.

# %%
sizes = np.unique(np.geomspace(12, len(rows) // 2, 8).astype(int))
some = [0, 1, 3, 8]
halves = learning.draw(len(x), len(x) // 2, n_draws, seed)
curves = learning.more_examples(x, y, halves, sizes, some)

# %%
show(
    figures.examples_needed(sizes, some, *curves),
    settings,
    "learning_curve",
    caption="Error against the number of galaxies used for the fit, "
    "for polynomials of several degrees. Solid: on other galaxies, with the "
    "middle 68 per cent over draws; dotted: on the galaxies of the fit.",
    alt="Pairs of curves against the number of galaxies. For the mean they "
    "run together at a high error; for the straight line they meet far below. "
    "For the highest degree the solid curve comes down from above the panel "
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
record("learning-most", sizes[-1], statement="Largest number of galaxies")

# %% [markdown]
# {numref}`fig-learning-curve` is a **learning curve**: it tells whether more data would help, or a better model.
# Where the solid and the dotted curve of a model have met, more galaxies bring no improvement; the model is too stiff, or its input contains no more information.
# Where they are far apart, more galaxies help.
# With {num}`learning-most` galaxies the errors are {num}`learning-most-0:.2f` (mean), {num}`learning-most-1:.2f` (line), {num}`learning-most-3:.2f`
# (degree 3) and {num}`learning-most-8:.2g` (degree 8).
# Flexible formulas, and so networks, need more examples before they pay off.
#
# ## More inputs, twenty outputs, and one test
#
# The scatter about the line is not noise: galaxies of the same stellar mass do have different haloes, and their stellar mass does not distinguish them.
# Another property may.
# We therefore give the formula four properties that a survey could measure: stellar mass, size, star formation rate and HI mass.
# As for the networks, the target is the profile at all 20 radii.
# The formula is again a straight line, in four dimensions, with a penalty whose strength is chosen on the validation galaxies.

# %%
truth, properties = galaxies.ln_m_dm, galaxies.properties
everything = learning.with_constant(
    learning.standardise(properties, properties[train])
)
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
# Having chosen among {num}`learning-n-strengths` penalties by the validation error, we can no longer quote that error as the quality of the result: the
# best of many attempts is partly the luckiest.
# We therefore need a third set of galaxies, the **test** set.
# Nothing was fitted to it or chosen with it, and it is used once.

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
    "catalogue properties. Bands: standard error (bootstrap over galaxies). "
    "The information floor is that of images and HI maps, not of these "
    "properties, and is in {doc}`/notebooks/10_networks`.",
    alt="Three curves against radius. The mean profile is highest, especially "
    "at large radii; the formulas of the stellar mass and of four properties "
    "lie below it.",
    n=len(test),
)

# %%
for name, (value, error) in exam.items():
    for at, end in ((k, ""), (0, "-inner")):
        say = f"Test error of ln M_DM at {galaxies.radii[at]:.0f} kpc, {name}"
        record(
            f"learning-exam-{name.split()[0]}{end}",
            value[at],
            error=error[at],
            statement=say,
            figure="learning_exam",
            n=len(test),
        )

# %% [markdown]
# At {num}`learning-radius:.0f` the errors on the {num}`dataset-test` galaxies of the test set are {num}`learning-exam-mean:.2f±` for the mean profile,
# {num}`learning-exam-stellar:.2f±` for the stellar mass alone and {num}`learning-exam-four:.2f±` for four properties ({numref}`fig-learning-exam`).
# A network is useful only if it does better than that.
#
# Which of the three further properties does it, where they help?
# We leave out one at a time, and compare the errors at the smallest radius on the validation galaxies, so that the test set stays unused.

# %%
strength = min(errors, key=errors.get)
without = {"all": everything}
for name, j in {"size": 2, "sfr": 3, "hi": 4}.items():
    without[name] = np.delete(everything, j, axis=1)

# %%
for name, f in without.items():
    fitted = f @ learning.fit(f[train], truth[train, 0], strength)
    record(
        f"learning-{'with' if name == 'all' else 'without'}-{name}",
        learning.rms((fitted - truth[:, 0])[validation]),
        statement="Validation error of ln M_DM at the smallest radius, "
        f"{'four properties' if name == 'all' else 'without ' + name}",
        figure="learning_exam",
        n=len(validation),
    )

# %% [markdown]
# With all four the error is {num}`learning-with-all:.3f`, without the size {num}`learning-without-size:.3f`, without the star formation rate {num}`learning-without-sfr:.3f`, without the HI mass {num}`learning-without-hi:.3f`.
#
# A network could use what these numbers do not contain: the *rotation*, which measures the mass within each radius ({doc}`01_introduction`), and the shape of the disc.
# We could compute more columns from the images by hand.
# A convolutional network learns them instead: its first layers turn an image into a list of numbers, its last layer is the linear
# formula of this chapter, and *all* weights are found by gradient descent.
#
# ## What integrated light tells
#
# An image also tells what a plain catalogue lists: how bright a galaxy is, in which colours, and how large.
# How much of the dark matter do these few numbers predict in the **real TNG100**, without any picture?
# Only what a network does *better* shows that it sees more.
#
# Public copies of the group catalogue {cite}`Nelson2019` contain these numbers.
# Most of their sources state no licence, so the rows are not part of this book; what we measured on them is a record, with the command that repeats it.

# %%
real = load.record("tng100_integrated")
print(fill(real["source"], 79))
print(f"{real['date']}; repeat with: {real['command']}")
print(real["measured"]["galaxies"])

# %% [markdown]
# The galaxies are those of the paper's table: stellar masses of $10^{10}$ to $10^{12}\,M_\odot$ that form at least $0.1\,M_\odot$ a year.
# Centrals are from the whole box; satellites are from groups above $4\times10^{12}\,M_\odot$, and are always treated apart.
# There are four targets: the dark mass within the stellar half-mass radius $r_{1/2}$, within twice that radius, and all that is bound to the galaxy; and $V_\mathrm{max}$, the largest circular speed of all its matter.
#
# The formula is the one of this chapter with squares and products added: a **quadratic polynomial with a penalty**, chosen by *cross-validation*.
# The galaxies are divided into ten parts, and each part is predicted by a formula fitted to the other nine, which has not seen any galaxy of the same groups.
# We also tried boosted trees, which can bend in any way ({doc}`10_networks`), and measured the same in the universe of this copy of the book.

# %%
table = catalogue.catalogue_table(load.universe(settings))
used = [name for name in integrated_light.INPUTS if "morphology" not in name]
n_here = int((table["is_central"] & table["forms_stars"]).sum())
tng, here = "real TNG100", "this book's universe"
errors = {
    tng: Table(real["measured"]["rows"]),
    here: integrated_light.regressions(
        table, inputs=used, methods=("ridge",), seed=seed
    ),
}

# %% [markdown]
# What we call an error is the mean of $|\Delta M/M|$, that is, of the predicted over the true mass minus one, without its sign.

# %%
formula = {
    name: found[found["method"] != "trees"] for name, found in errors.items()
}

# %%
show(
    figures.light_tells(formula, list(integrated_light.INPUTS)),
    settings,
    "integrated_light",
    caption="Mean error of predictions by a quadratic formula from more and "
    "more observables of a galaxy, from the top. Rows with a + add to "
    "magnitudes, colours and radius; the last two also have the SFR. "
    "Filled symbols: centrals; "
    "open: satellites of groups above $4\\times10^{12}\\,M_\\odot$; within "
    "$2\\,r_{1/2}$ the centrals, too, are those of such groups. Squares: real "
    "TNG100, a record; circles: the universe of this book. Cross-validated "
    "by group; bars: standard error (bootstrap over groups). Nobody knows the "
    "information floor of real TNG100, and that of this universe "
    "({doc}`/notebooks/10_networks`) is of other targets.",
    alt="Four panels of errors on a logarithmic axis against sets of inputs. "
    "For the dark matter within the half-mass radius the error falls "
    "steeply when the radius is added to the stellar mass; for all bound "
    "dark matter it falls slowly.",
    n=n_here,
)

# %% [markdown]
# The further left a symbol lies, the better the prediction.
# In each panel of {numref}`fig-integrated-light`, note where the squares stop moving to the left: there further observables tell nothing new about this target.

# %%
record_real = recorder(
    settings,
    chapter="learning",
    universe="TNG100-1, whole box (records/tng100_integrated.json)",
)

# %%
light = "magnitudes, colours, r_half"
quoted = {
    "mdm-rh-mass": ("m_dm_rhalf", "M*"),
    "mdm-rh": ("m_dm_rhalf", "M*, r_half"),
    "mdm-none": ("m_dm", "nothing"),
    "mdm-mass": ("m_dm", "M*"),
    "mdm-size": ("m_dm", "M*, r_half"),
    "mdm-colour": ("m_dm", "M*, r_half, g - r"),
    "mdm": ("m_dm", light),
    "mdm-leak": ("m_dm", "+ all bound gas (a leak)"),
    "vmax-size": ("v_max", "M*, r_half"),
    "vmax": ("v_max", light),
}

# %%
shown = {"figure": "integrated_light"}
for id, (target, inputs) in quoted.items():
    say = f"Mean |dM/M| of {catalogue.TARGETS[target]} from {inputs}: "
    say += "centrals, quadratic formula"
    found = integrated_light.error_of(errors[tng], target, inputs)
    record_real(f"tng100-{id}-error", found, statement=say, **shown)
    found = integrated_light.error_of(errors[here], target, inputs)
    record(f"integrated-{id}-error", found, statement=say, n=n_here, **shown)

# %%
central, trees = {"kind": "central"}, {"method": "trees"}
satellite = {"kind": "satellite"}
for id, target, inputs, which in (
    ("mdm-morphology", "m_dm", "+ kinematic morphology", central),
    ("mdm-trees", "m_dm", light, trees),
    ("mdm-rh-trees", "m_dm_rhalf", "M*, r_half", trees),
    ("mdm-satellites", "m_dm", light, satellite),
    ("mdm-2rh", "m_dm_2rhalf", "M*, r_half", central),
    ("mdm-2rh-many", "m_dm_2rhalf", "+ kinematic morphology", central),
    ("mdm-2rh-satellites", "m_dm_2rhalf", "M*, r_half", satellite),
):
    found = integrated_light.error_of(errors[tng], target, inputs, **which)
    what = ", ".join([inputs, *which.values()])
    say = f"Mean |dM/M| of {catalogue.TARGETS[target]} from {what}"
    record_real(f"tng100-{id}-error", found, statement=say, **shown)

# %%
for kind, count in real["measured"]["galaxies"].items():
    say = f"Galaxies of the regressions in TNG100: {kind}s"
    record_real(f"tng100-used-{kind}s", count, statement=say)

# %% [markdown]
# First the real TNG100, the squares of {numref}`fig-integrated-light`, with {num}`tng100-used-centrals` centrals.
#
# - **Within $r_{1/2}$.** Stellar mass alone predicts the dark mass to {num}`tng100-mdm-rh-mass-error:.0%±`, with the radius to {num}`tng100-mdm-rh-error:.1%±`. Much of this is geometry: a larger sphere contains more of everything.
# - **All bound dark matter.** Without any input the error is {num}`tng100-mdm-none-error:.0%±`, with stellar mass {num}`tng100-mdm-mass-error:.1%±`, with the radius too {num}`tng100-mdm-size-error:.1%±`, and with all magnitudes, colours and the radius {num}`tng100-mdm-error:.1%±`; one colour, $g-r$, brings little of that ({num}`tng100-mdm-colour-error:.1%±`), and morphology {cite}`Jagvaral2022,HuertasCompany2019` nothing more ({num}`tng100-mdm-morphology-error:.1%±`). The magnitudes of the catalogue have neither dust nor noise.
# - **$V_\mathrm{max}$** is predicted to {num}`tng100-vmax-error:.1%±`.
# - **A leak.** The last row adds the gas that is bound to the galaxy, and the error of the total falls to {num}`tng100-mdm-leak-error:.1%±`. No telescope measures that gas, and *bound* means bound by the halo that is to be predicted: an input can give the answer away without anybody having intended it.
# - **Satellites** of massive groups ({num}`tng100-used-satellites`; open symbols) have lost an unknown part of their haloes: the error of all their dark matter is {num}`tng100-mdm-satellites-error:.0%±`, within $2\,r_{1/2}$ it is {num}`tng100-mdm-2rh-satellites-error:.1%±` (centrals of such groups {num}`tng100-mdm-2rh-error:.1%±`).
# - **Too many inputs.** For the few centrals of massive groups the formula with kinematic morphology has more weights than half the number of galaxies, and its error within $2\,r_{1/2}$ is {num}`tng100-mdm-2rh-many-error:.1%±`: overfitting.
# - **Trees** are worse than the quadratic formula in nearly all rows, {num}`tng100-mdm-trees-error:.1%±` for the total and {num}`tng100-mdm-rh-trees-error:.1%±` within $r_{1/2}$: the relations are smooth, and a parabola needs fewer galaxies to follow them.
#
# Every claim that a network sees dark matter in an image must be measured against these numbers.
#
# ### Is the embedded universe as hard?
#
# The rest of this book trains networks in the embedded universe.
# If its dark matter is easier or harder to guess than that of TNG100, their errors are not those that they would have there.
# We compare the two, regression by regression.

# %%
both = integrated_light.compare_errors(errors[here], errors[tng])
central = both[both["kind"] == "central"]

# %%
show_table(
    integrated_light.grid_of_ratios(both),
    caption="Ratio of the errors of the quadratic formula for centrals, this "
    "universe over the real TNG100. A star marks a ratio that is not 1 to 15 "
    "per cent, by one standard deviation, and a question mark one of which "
    "that cannot be said.",
    rows=len(integrated_light.INPUTS),
    source="a record of TNG100, and this run",
)

# %%
gas = "+ all bound gas (a leak)"
asked = {
    "mdm-rh": ("central", "m_dm_rhalf", "M*, r_half"),
    "mdm-rh-light": ("central", "m_dm_rhalf", light),
    "mdm-rh-sfr": ("central", "m_dm_rhalf", "+ SFR"),
    "mdm-size": ("central", "m_dm", "M*, r_half"),
    "mdm": ("central", "m_dm", light),
    "mdm-sfr": ("central", "m_dm", "+ SFR"),
    "mdm-leak": ("central", "m_dm", gas),
    "vmax": ("central", "v_max", light),
    "vmax-sfr": ("central", "v_max", "+ SFR"),
    "mdm-2rh-none": ("central", "m_dm_2rhalf", "nothing"),
    "mdm-2rh-mass": ("central", "m_dm_2rhalf", "M*"),
    "mdm-2rh": ("central", "m_dm_2rhalf", light),
    "mdm-satellites": ("satellite", "m_dm", light),
}

# %%
compared = {(row["kind"], row["target"], row["inputs"]): row for row in both}
asked = {id: task for id, task in asked.items() if task in compared}

# %%
for id, task in asked.items():
    row = compared[task]
    say = f"Error of {', '.join(task[1:])}, {task[0]}s: embedded over real "
    record(
        f"integrated-{id}-ratio",
        row["ratio"],
        error=row["ratio_error"],
        statement=f"{say}TNG100",
        n=row["n"],
    )

# %%
verdicts = {"equal": "yes", "differ": "no", "open": "undecided"}
for id, word in verdicts.items():
    record(
        f"integrated-{id}",
        int(sum(central["agrees"] == word)),
        n=len(central),
        statement="Regressions of centrals whose errors agree within 15%, "
        f"embedded and real: {word}",
    )

# %%
say = "Regressions compared, embedded and real"
record("integrated-compared", len(central), statement=say)

# %% [markdown]
# Of {num}`integrated-compared` errors {num}`integrated-equal` agree within 15 per cent, {num}`integrated-differ` do not, and {num}`integrated-open` cannot be decided, by one standard deviation.
# For the dark matter within $r_{1/2}$ the error from stellar mass and radius is {num}`integrated-mdm-rh-ratio:.2f±` times that of the real TNG100, and from magnitudes, colours and radius {num}`integrated-mdm-rh-light-ratio:.2f±` times ({num}`integrated-mdm-rh-sfr-ratio:.2f±` with the SFR too). For all bound dark matter it is {num}`integrated-mdm-ratio:.2f±` times, and for $V_\mathrm{max}$ {num}`integrated-vmax-ratio:.2f±` times, from the same light.
# A ratio above 1 means that a formula that is given the same numbers errs more in this universe than in TNG100, a ratio below 1 that it errs less.
# The errors of the networks in this book must therefore not be read as errors for TNG100.
#
# The number of galaxies to learn from differs too; learning curves show what it does.

# %%
curves = {}
kept = Table(real["measured"]["curves"])
for task in integrated_light.CURVES:
    ours = integrated_light.learning_curve(table, *task, seed=seed)
    columns = zip(("kind", "target", "inputs"), task, strict=True)
    of_task = np.all([kept[name] == word for name, word in columns], axis=0)
    curves[task] = {tng: kept[of_task], here: ours}

# %%
paneled = {task[1]: curves[task] for task in integrated_light.CURVES[:3]}
show(
    figures.galaxies_needed(paneled),
    settings,
    "integrated_curve",
    caption="Error of the quadratic formula on other galaxies against the "
    "number of central galaxies that it is fitted to; left from stellar mass "
    "and radius, in the other panels from magnitudes, colours and radius. "
    "Median and middle 68 per cent over draws of the galaxies.",
    alt="Three panels with two falling curves each, which become flat with "
    "a few hundred galaxies.",
    n=n_here,
)

# %% [markdown]
# In the real TNG100 two numbers need hardly more than {num}`tng100-few` galaxies: the error within $r_{1/2}$ is {num}`tng100-mdm-rh-few:.1%` with these and {num}`tng100-mdm-rh-many:.1%` with {num}`tng100-many` ({numref}`fig-integrated-curve`).
# Eight numbers, with all their squares and products, need more: {num}`tng100-mdm-few:.1%` and {num}`tng100-mdm-many:.1%` for all bound dark matter.

# %%
for k, label in ((3, "few"), (-1, "many")):
    for id, target in (("mdm-rh", "m_dm_rhalf"), ("mdm", "m_dm")):
        row = paneled[target][tng][k]
        say = f"Error of {catalogue.TARGETS[target]}, {row['n']} galaxies"
        record_real(f"tng100-{id}-{label}", row["relative"], statement=say)
    say = "Galaxies to learn from"
    record_real(f"tng100-{label}", row["n"], statement=say)

# %%
for id in ("mdm-rh", "mdm-rh-light", "mdm", "vmax"):
    ours, theirs = curves[asked[id]][here][-1], curves[asked[id]][tng]
    (row,) = theirs[theirs["n"] == ours["n"]]
    ratio = ours["relative"] / row["relative"]
    say = f"Error of {', '.join(asked[id][1:])}: embedded over real TNG100"
    say += ", with equally many galaxies to learn from"
    record(f"integrated-{id}-ratio-equal", ratio, n=ours["n"], statement=say)

# %%
say = "Galaxies to learn from in both universes"
record("integrated-equal-n", ours["n"], statement=say)

# %%
for id in [id for id in ("mdm-2rh", "mdm-satellites") if id in asked]:
    row, theirs = compared[asked[id]], curves[asked[id]][tng]
    ratio, error = integrated_light.over_equally_many(row, theirs)
    record(
        f"integrated-{id}-ratio-equal",
        ratio,
        error=error,
        n=row["n"],
        statement=f"Error of {', '.join(asked[id][1:])}, {row['kind']}s: "
        "embedded over real TNG100, with equally many galaxies to learn from",
    )

# %% [markdown]
# With {num}`integrated-equal-n` galaxies to learn from in both, the error in this book's universe is {num}`integrated-mdm-rh-ratio-equal:.2f` times that in the real TNG100 within $r_{1/2}$ from stellar mass and radius, and {num}`integrated-mdm-rh-light-ratio-equal:.2f` times from light; from light it is {num}`integrated-mdm-ratio-equal:.2f` times for all bound dark matter, and {num}`integrated-vmax-ratio-equal:.2f` times for $V_\mathrm{max}$. So the number of galaxies explains only a part of a ratio.
#
# ### Where the difference comes from
#
# The galaxies of the embedded universe were drawn from relations that were fitted to TNG100: how every property is distributed at fixed stellar mass, and how the ranks of each two are correlated ({doc}`02_embedded_universe`).
# Haloes were then fitted to what was drawn, and particles made of them. To see which of these steps loses what, we repeat the regressions on the numbers as drawn, once with as many galaxies as the real box has and once with as many as this universe has.

# %%
lost = integrated_light.where_lost(
    errors[here], errors[tng], embedded.drawn_centrals
)
factors = {
    "whole": "this universe / TNG100",
    "draw": "drawn / TNG100",
    "number": "drawn: few / many",
    "rest": "this universe / drawn",
}
ratios = Table({"target": [catalogue.TARGETS[t] for t in lost["target"]]})
for part, label in factors.items():
    ratios[label] = [
        f"{row[part]:.2f} ± {row[f'{part}_error']:.2f}" for row in lost
    ]

# %%
show_table(
    ratios,
    caption="Ratio of the errors of a quadratic formula of stellar mass, "
    "radius and colour for centrals, in this universe over the real TNG100, "
    "and the three factors of which it is the product: the numbers as drawn "
    "over the real rows; as many drawn galaxies as this universe has over as "
    "many as the real box has; this universe over as many drawn galaxies.",
    source="a record of TNG100, and this run",
)

# %%
words = {
    "whole": "this universe over real TNG100",
    "draw": "as drawn over real TNG100",
    "number": "as drawn, as many galaxies as here over as many as there",
    "rest": "this universe over equally many galaxies as drawn",
}
for id, target in (("mdm-rh", "m_dm_rhalf"), ("vmax", "v_max")):
    (row,) = lost[lost["target"] == target]
    for part in factors:
        say = f"Error of {catalogue.TARGETS[target]} from M*, r_half and "
        record(
            f"integrated-{id}-{part}",
            row[part],
            error=row[f"{part}_error"],
            n=n_here,
            statement=f"{say}g - r: {words[part]}",
        )

# %%
inner = table[table["is_central"] & table["forms_stars"]]["m_dm_rhalf"]
particles = inner.value / load.universe(settings).header.m_dm
record(
    "integrated-mdm-rh-noise",
    100 * np.median(1 / np.sqrt(particles[particles > 0])),
    unit="%",
    n=n_here,
    statement="Poisson noise of the dark matter within the stellar half-mass "
    "radius, median of centrals",
)

# %% [markdown]
# From stellar mass, radius and colour $V_\mathrm{max}$ is predicted with {num}`integrated-vmax-whole:.2f±` times the error of TNG100. The draw accounts for a factor of {num}`integrated-vmax-draw:.2f±`: two ranks and their correlation do not keep the *shape* in which $V_\mathrm{max}$ depends on the radius, and what a draw blurs no formula can use. The smaller number of galaxies makes {num}`integrated-vmax-number:.2f±`, and all that follows on the draw {num}`integrated-vmax-rest:.2f±`.
# For the dark matter within $r_{1/2}$ the draw accounts for {num}`integrated-mdm-rh-draw:.2f±`, and what follows on it for {num}`integrated-mdm-rh-rest:.2f±`. Among the reasons are the noise of few particles, {num}`integrated-mdm-rh-noise:.1f` in the median galaxy, and that a halo cannot have every pair of $V_\mathrm{max}$ and inner dark matter that is drawn.
#
# The other rows that differ contain magnitudes and colours, except within $2\,r_{1/2}$ (see below). What do these tell beyond the stellar mass that they give away? We give the formula the true stellar mass as well, and also ask how well light predicts the stellar mass.

# %%
known = {
    tng: Table(real["measured"]["beyond_mass"]),
    here: integrated_light.beyond_mass(table, seed=seed),
}

# %%
ids = {
    ("m_star", "light"): "mstar",
    ("m_dm_rhalf", "M* and light"): "mdm-rh",
    ("m_dm", "M* and light"): "mdm",
    ("v_max", "M* and light"): "vmax",
    ("m_dm", "M* and bound gas"): "mdm-gas",
}

# %%
for name, prefix in ((tng, "tng100"), (here, "integrated")):
    for row in known[name]:
        id = ids[row["target"], row["inputs"]]
        (record_real if name == tng else record)(
            f"{prefix}-{id}-known",
            row["relative"],
            error=row["relative_error"],
            n=row["n"],
            statement=f"Mean error of {row['target']} from {row['inputs']}: "
            "centrals, quadratic formula",
        )

# %%
spread = real["measured"]["spread_of_hosts"]
say = "Scatter of log10 M200 of centrals above 4e12 Msun"
record_real(
    "tng100-host-spread",
    spread["value"],
    error=spread["error"],
    unit="dex",
    statement=say,
)

# %%
if "mdm-2rh" in asked:
    ours = integrated_light.spread_of_hosts(table, seed=seed)
    record("integrated-host-spread", ours, unit="dex", statement=say)

# %% [markdown]
# **The light of this universe tells less of the halo.** In TNG100 all magnitudes and colours, added to stellar mass and radius, lower the error within $r_{1/2}$ from {num}`tng100-mdm-rh-error:.1%±` to {num}`tng100-mdm-rh-known:.1%±`, that of all bound dark matter from {num}`tng100-mdm-size-error:.1%±` to {num}`tng100-mdm-known:.1%±`, and that of $V_\mathrm{max}$ from {num}`tng100-vmax-size-error:.1%±` to {num}`tng100-vmax-known:.1%±`.
# Here the same errors go from {num}`integrated-mdm-rh-error:.1%±` to {num}`integrated-mdm-rh-known:.1%±`, from {num}`integrated-mdm-size-error:.1%±` to {num}`integrated-mdm-known:.1%±`, and from {num}`integrated-vmax-size-error:.1%±` to {num}`integrated-vmax-known:.1%±`. Only two colours were drawn with a link to the halo; the other bands follow from the stars that give these two.
# The same simplicity makes the stellar mass itself easier to read from light: to {num}`integrated-mstar-known:.1%±` here, to {num}`tng100-mstar-known:.1%±` in TNG100.
#
# So three things add up where the formula has all the light: what stellar mass and radius lose already (within $r_{1/2}$ a ratio of {num}`integrated-mdm-rh-ratio:.2f±`, for all bound dark matter {num}`integrated-mdm-size-ratio:.2f±`), light that tells less, and fewer galaxies for more weights.
# The rows below contain this light, and their ratios need no other cause: with the SFR the ratios are {num}`integrated-mdm-rh-sfr-ratio:.2f±` within $r_{1/2}$, {num}`integrated-mdm-sfr-ratio:.2f±` for all bound dark matter and {num}`integrated-vmax-sfr-ratio:.2f±` for $V_\mathrm{max}$. In the row with the leak it is {num}`integrated-mdm-leak-ratio:.2f±` for all bound dark matter, although from stellar mass and bound gas *alone* the error is {num}`integrated-mdm-gas-known:.1%±` here and {num}`tng100-mdm-gas-known:.1%±` in TNG100.
#
# ```{recorded} integrated-mdm-2rh-ratio
# **Within $2\,r_{1/2}$** there are only {num}`integrated-mdm-2rh-ratio.n` centrals of massive groups here. From light the error is {num}`integrated-mdm-2rh-ratio:.2f±` times that in TNG100, with equally many galaxies to learn from {num}`integrated-mdm-2rh-ratio-equal:.2f±` times. Without any input it is {num}`integrated-mdm-2rh-none-ratio:.2f±` times and from stellar mass {num}`integrated-mdm-2rh-mass-ratio:.2f±` times. The $\log M_{200}$ of these groups scatters by {num}`integrated-host-spread:.2f±` here and by {num}`tng100-host-spread:.2f±` in TNG100, and in a narrower range there is less to guess.
# ```
#
# ```{recorded} integrated-mdm-satellites-ratio
# **Satellites** are not in the table. The error of all their bound dark matter from light is {num}`integrated-mdm-satellites-ratio:.2f±` times that in TNG100, with equally many galaxies to learn from {num}`integrated-mdm-satellites-ratio-equal:.2f±` times; that number varies much with the galaxies drawn.
# ```
#
# Finally, do galaxies of the two universes look alike at a given stellar mass?
# We compare median and scatter in five bins.

# %%
ours = fixed_mass.at_fixed_mass(table, seed=seed)
box = load.record("tng100_at_fixed_mass")["measured"]["rows"]
fixed = {tng: Table(box), here: ours}
matched = fixed_mass.compare_at_fixed_mass(fixed[here], fixed[tng])

# %%
show(
    figures.at_fixed_mass(fixed),
    settings,
    "integrated_fixed_mass",
    caption="Centrals that form stars at fixed stellar mass: median (symbol) "
    "and middle 68 per cent (bar) in five bins, at the centre of each bin. "
    "Squares: real TNG100, a record; circles: the universe of this book. "
    "Masses in $M_\\odot$, $r_{1/2}$ in kpc, SFR in $M_\\odot$ a year, "
    "$V_\\mathrm{max}$ in km/s. Bins with fewer than ten galaxies are left "
    "out. Lower right: share of all centrals that form stars, with its error.",
    alt="Nine small panels against stellar mass with squares and circles "
    "and vertical bars.",
    n=n_here,
)

# %%
counts = fixed_mass.tally(matched)
for what, words in counts.items():
    for word, count in words.items():
        say = (
            f"Comparisons of a {what} at fixed stellar mass, centrals: {word}"
        )
        record(
            f"fixed-mass-{what}-{word}",
            count,
            n=sum(words.values()),
            statement=f"{say} (agree within 0.05 dex, or 15%, by 1 sigma)",
        )

# %% [markdown]
# We say that two medians *agree* where their difference is within 0.05 dex (of the colour: mag) even with one standard deviation added, that they do not where it is beyond even with one taken off, and that the rest cannot be decided; of scatters the same with 15 per cent. One standard deviation is little, and many are compared: about one
# decision in six may be wrong. Of {num}`fixed-mass-median-yes.n` medians of {numref}`fig-integrated-fixed-mass` (dark matter, gas, both also within $r_{1/2}$, radius, star formation rate, $V_\mathrm{max}$ and colour) {num}`fixed-mass-median-yes` agree, {num}`fixed-mass-median-no` do not, and {num}`fixed-mass-median-undecided` cannot be decided.
# Of {num}`fixed-mass-scatter-yes.n` scatters {num}`fixed-mass-scatter-yes` agree, {num}`fixed-mass-scatter-no` do not, and {num}`fixed-mass-scatter-undecided` cannot be decided.
#
# Galaxies of one run are too few for most of the scatters. The same generator was therefore measured once on many more, with the particle masses of profile `quick` and another seed.

# %%
many = load.record("embedded_at_fixed_mass")["measured"]
sharper = fixed_mass.compare_at_fixed_mass(Table(many["rows"]), fixed[tng])
words = ("yes", "no", "undecided")
made = {"universe": "embedded (records/embedded_at_fixed_mass.json)"}
for what, counts in fixed_mass.tally(sharper).items():
    for word in words:
        record(
            f"fixed-mass-many-{what}-{word}",
            counts[word],
            statement=f"Comparisons of a {what} at fixed stellar mass, "
            f"{many['galaxies']} galaxies: {word}",
            n=sum(counts.values()),
            **made,
        )
record(
    "fixed-mass-many-n",
    many["galaxies"],
    statement="Centrals that form stars in the record of more galaxies",
    **made,
)

# %%
five = fixed_mass.tally(sharper, quantities=fixed_mass.SET_OUT)["median"]
record(
    "fixed-mass-many-five-yes",
    five["yes"],
    statement="Of them medians of bound dark matter, radius, SFR, bound gas "
    "and V_max: yes",
    n=sum(five.values()),
    **made,
)

# %% [markdown]
# The quantities that the universe was set out to match, in the five bins, from the two records:

# %%
each = sharper[sharper["kind"] == "central"]
each = each[each["quantity"] == "v_max"]
numbers = f"{sum(each['n'])} centrals of the embedded universe and "
numbers += f"{sum(each['n_other'])} of the real TNG100"

# %%
beside = fixed_mass.side_by_side(sharper)
show_table(
    beside,
    caption="Medians at fixed stellar mass of the quantities that the "
    f"embedded universe was set out to match, for {numbers} that form stars: "
    "log10 of masses in $M_\\odot$, radius in kpc, star formation rate in "
    "$M_\\odot$ a year and speed in km/s. A difference is embedded less "
    "real; the verdict is on 0.05 dex, by one standard deviation.",
    rows=len(beside),
    source="records: embedded universe, and real TNG100",
)

# %%
beside = fixed_mass.side_by_side(sharper, "scatter")
show_table(
    beside,
    caption="Scatters at fixed stellar mass, half of the middle 68 per cent "
    "in dex, of the same quantities and galaxies. A ratio is embedded over "
    "real; the verdict is on 15 per cent, by one standard deviation.",
    rows=len(beside),
    source="records: embedded universe, and real TNG100",
)

# %% [markdown]
# The next table has all quantities that were looked at, and of them only what differs.

# %%
differing = fixed_mass.differing(sharper)
show_table(
    differing,
    {"real": ".3f", "embedded": ".3f", "difference": ".3f", "error": ".3f"},
    caption="Where centrals of the embedded universe differ from those of "
    "the real TNG100 at fixed stellar mass: medians by more than 0.05 dex, "
    "scatters by more than 15 per cent (their difference is that of the ratio "
    "from 1).",
    rows=len(differing),
    source="records: embedded universe, and real TNG100",
)

# %% [markdown]
# With {num}`fixed-mass-many-n` centrals {num}`fixed-mass-many-median-yes` of {num}`fixed-mass-many-median-yes.n` medians agree (by one standard deviation), {num}`fixed-mass-many-median-no` do not and {num}`fixed-mass-many-median-undecided` are undecided; of the {num}`fixed-mass-many-scatter-yes.n` scatters {num}`fixed-mass-many-scatter-yes` agree, {num}`fixed-mass-many-scatter-no` do not and {num}`fixed-mass-many-scatter-undecided` are undecided.
# (Bound dark matter, radius, star formation rate, bound gas and $V_\mathrm{max}$ the universe was set out to match: {num}`fixed-mass-many-five-yes` of {num}`fixed-mass-many-five-yes.n` medians agree. The others were looked at besides.)
# The last table lists those that do not. Particles more massive than those of TNG100 add noise to the scatter of speeds and colours.
#
# To agree to 0.05 dex is not to be equal: {num}`fixed-mass-many-beyond` of the medians differ by more than two standard deviations. We look at two quantities more closely.

# %%
for id, some, about in (("", matched, {}), ("-many", sharper, made)):
    record(
        f"fixed-mass{id}-beyond",
        fixed_mass.beyond(some),
        statement="Medians at fixed stellar mass that differ by more than two "
        "standard deviations, however little",
        **about,
    )
    central = some[some["kind"] == "central"]
    colour = central[central["quantity"] == "g_r"]
    if not len(colour):
        continue
    record(
        f"fixed-mass{id}-colour",
        np.mean(colour["difference"]),
        error=np.linalg.norm(colour["difference_error"]) / len(colour),
        unit="mag",
        n=len(colour),
        statement="Colour g - r of centrals at fixed stellar mass, embedded "
        "less real TNG100, mean over the bins (n)",
        **about,
    )

# %%
for id, some, about in (("", matched, {}), ("-many", sharper, made)):
    gas = some[
        (some["kind"] == "central") & (some["quantity"] == "m_gas_rhalf")
    ]
    if not len(gas):
        continue
    most = gas[np.argmax(np.abs(gas["difference"]))]
    factor = 10 ** most["difference"]
    say = "gas within the stellar half-mass radius of centrals at fixed "
    say += "stellar mass, embedded and real TNG100"
    record(
        f"fixed-mass{id}-inner-gas",
        factor,
        error=np.log(10) * factor * most["difference_error"],
        n=most["n"],
        statement=f"Ratio of medians of the {say}, where farthest from 1",
        **about,
    )
    record(
        f"fixed-mass{id}-inner-gas-no",
        sum(gas["median_agrees"] == "no"),
        n=len(gas),
        statement=f"Medians that do not agree of the {say}",
        **about,
    )

# %% [markdown]
# In $g-r$ the galaxies of the embedded universe differ from those of TNG100 by {num}`fixed-mass-many-colour:+.3f±` in the mean of the bins. The gas within $r_{1/2}$ is {num}`fixed-mass-many-inner-gas:.1f±` times that of TNG100 in the median at the stellar mass where it is farthest off. In massive galaxies it scatters less than there: the black holes of TNG100 leave many of them next to none.
# What the row *+ SFR, gas within $r_{1/2}$* of {numref}`fig-integrated-light` says of massive galaxies is therefore about the embedded universe only.
#
# The share of centrals that form stars (lower right) is larger in the embedded universe, where four in five groups without a galaxy of the selection were left out ({doc}`02_embedded_universe`).
# Where they differ, a number of this book that depends on them is a number about the embedded universe only; the same chapter says what is not matched.
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# **How lucky is the best of many?** Predict the validation galaxies purely at random: add to the mean of the training targets noise with a standard
# deviation of 0.02, drawn with 1000 different seeds, and keep the seed with the lowest validation error.
# By how much does it seem to beat the mean there, and by how much on the *training* galaxies, which these "models" have not seen either?
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
# The best of the thousand beats the mean on the galaxies that selected it, and is no better, in fact slightly worse, on the others.
# The gain is small here because the noise is, but it grows with the number of attempts and shrinks with the number of validation galaxies.
# A project that compares dozens of networks on one small validation set makes this gain without noticing.
# This is why the test set is needed, and used only once.
# :::
#
# :::{admonition} Exercise
# :class: tip
# Set `n_few` to 200 in the parameters (with profile `quick`) and run the chapter again.
# What happens to the best degree, and to the minima of the two kinds of regularisation?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# With more galaxies the data themselves constrain the polynomials of high degree: in the figure of error against degree, the curve of the other
# galaxies rises later and far less.
# The minima become shallow, and their lowest errors are those of the straight line, or slightly below.
# Regularisation matters where examples are few for the flexibility.
# That is the situation of a network with a million weights and a few hundred galaxies.
# :::
#
# ## Summary
#
# - A loss measures how wrong a formula is on average; learning reduces it by gradient descent, one batch at a time.
# - Standardised inputs make the valley round: {num}`learning-steps-standardised` steps suffice instead of {num}`learning-steps-as`.
# - The error on the galaxies of the fit says nothing about others: at degree {num}`learning-degree` it was {num}`learning-high-seen:.2f`, and on others {num}`learning-high-unseen:.2g`.
# - Choices are made on validation galaxies, and the result is quoted for test galaxies that took part in neither fit nor choice.
# - A penalty or early stopping makes a flexible formula usable; more galaxies improve it.
# - In the real TNG100 stellar mass and radius predict the dark matter within $r_{1/2}$ to {num}`tng100-mdm-rh-error:.0%`, and light all the bound dark matter to {num}`tng100-mdm-error:.0%`: what a network must improve on.
# - The baseline for networks at {num}`learning-radius:.0f`: {num}`learning-exam-four:.2f±` in $\ln M$ with four catalogue properties.

# %%
record("learning-degree", degree, statement="Highest degree of polynomial")

# %% [markdown]
# ## What's next
#
# {doc}`09_convolutions` replaces the polynomial by layers of neurons, shows how their gradient is computed, and what a convolution does to an image of a galaxy.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
