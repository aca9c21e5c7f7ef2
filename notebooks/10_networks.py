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
# (networks)=
# # Architectures A, B, C and ResNet50
#
# **Objective: train the paper's architectures on the same galaxies, and find out how good they are, compared with each other and with formulas that need no network.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | The data set and its split | what is trained on, and what is kept for the test | {doc}`07_data_set` |
# | Fit, validation, overfitting | how to read a training curve | {doc}`08_supervised_learning` |
# | Convolutions and pooling | what an architecture is made of | {doc}`09_convolutions` |
#
# You will be able to
#
# 1. say what the architectures have in common, and where ours are our own;
# 2. read training curves, and check a network before it is trained;
# 3. compute the error measure of the talk, and say what it is an error *of*;
# 4. give an error its uncertainty, and compare two methods on the same galaxies;
# 5. judge a network by opponents that are hard to beat, and tell whether more galaxies would help more than more layers.
#
# Reading takes about 25 minutes. The first run trains all networks of the book, which takes minutes to a quarter of an hour at profile `quick`; after that the
# chapter takes about a minute.

# %% tags=["parameters"]
universe = "embedded"  # written here; or "files", a TNG tree on disk
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number: weights, batches, bootstrap
base_path = ""  # the simulation's output folder, for universe "files"
n_steps = 60  # steps on one batch, in the check before the training
n_batch = 32  # views in that batch (paper: 32)

# %%
from functools import partial

import numpy as np
from astropy.table import Table

from dmlib import load
from dmlib.evaluation import Scores, delta_mse, verdict
from dmlib.figures import errors as looks
from dmlib.figures import networks as figures
from dmlib.figures import show
from dmlib.figures.tables import show_table
from dmlib.networks.models import architecture_rows, read_histories, read_index
from dmlib.networks.plan import ARCHITECTURES, BEST_VALUE
from dmlib.networks.train import one_batch, overfit
from dmlib.results import recorder
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="networks")
np.set_printoptions(precision=3)

# %% [markdown]
# ## What is compared
#
# The talk compares four architectures, A, B, C and ResNet50. Only one of them is written down there. We do the following:
#
# - **A** is the talk's table to the letter: three convolutions of 5 × 5 with stride 2, dropout of one half, three dense layers.
# - **A_scripts** is the variant in the authors' scripts: fewer kernels in the last block, dropout of a quarter.
# - **B is our own.** It asks what the conventional improvements bring: many small kernels, shortcuts {cite}`He2016`, averages instead of a long row of pixels.
# - **C is our own**, too. It asks what it brings to tell a network what we know of galaxies: that light and gas are different measurements, and that their
#   amounts in rings about the centre weigh a disc. Beside these rings it has ordinary convolutions.
# - **ResNet50** {cite}`He2016`, without weights from photographs, with as many input channels as we have. How the authors adapted it is not known.
#
# All of them read the same images and maps and give $\ln M_\mathrm{DM}(<R_i)$ at the 20 radii. All are trained to make the mean square error of these logarithms small, each
# radius in units of its spread among the training galaxies, so that a loss of 1 is that of the mean profile.
#
# What differs from the paper is the schedule. The authors train for up to 200 epochs, stop after 30 without an improvement, and repeat this five times on galaxies drawn anew.
# Profile `paper` does that. Profile `quick` has minutes: fewer epochs with a learning rate that falls to zero, fewer members, and of ResNet50, by far the most
# expensive, only a few passes through the data. **So ResNet50 is not judged fairly at `quick`**; its place in the comparison of costs is.

# %%
dataset = load.dataset(settings)
predictions = load.predictions(settings)
index = read_index(load.models(settings))

# %%
rows = architecture_rows(index, dataset)
show_table(
    Table(rows=rows),
    {"multiplications": ".1e", "seconds": ".0f"},
    rows=len(rows),
)

# %% [markdown]
# *Multiplications* are those of one image on its way forward; training takes three times as many. *Seconds* are the wall time of one member on the machine that made this
# copy of the book, several trainings side by side. A has so many parameters because its first dense layer looks at every pixel of the last maps; pooling, as in B
# and C, does without.
#
# ## Before the training: overfitting one batch
#
# A network that cannot overfit 32 views will not learn from hundreds. The authors make this check, and so should everyone: it takes seconds, and finds wrong
# shapes, targets that belong to other images, and gradients that reach nothing. Dropout is off, for it is there to prevent just this.

# %%
batch = one_batch(dataset, n_batch)
channels = dataset.channels("all")
losses = overfit(channels, batch, steps=n_steps, seed=seed)

# %%
show(
    figures.overfit(losses),
    settings,
    "networks_overfit",
    caption="Loss of one batch that is shown again and again. Dashed: what "
    "the mean of the training galaxies would give on average.",
    alt="One falling line for each of four architectures on a logarithmic "
    "axis, from about one downwards.",
    n=len(np.unique(batch.galaxy)),
)

# %%
record(
    "networks-overfit",
    max(loss[-1] / loss[0] for _, loss in losses.values()),
    figure="networks_overfit",
    statement="Loss of one batch after overfitting over that at the start, "
    "for the architecture that learns least of it",
)

# %% [markdown]
# After {numref}`fig-networks-overfit`'s few steps the slowest of them is down to {num}`networks-overfit:.2g` of its first loss. ResNet50 is left out here only because it takes a
# minute.
#
# ## Training
#
# Now the training itself. `load_predictions` above has done it, if it had not been done before. Each epoch shows every training view once, turned and reflected at
# random: the sky has no preferred direction, so a galaxy turned on the sky has the same halo, and its velocity map stays one, because velocities along the line of sight do not
# change when the sky is turned. (A reflection turns the sense of rotation, which says nothing of the mass.)

# %%
histories = {
    name: read_histories(load.models(settings), f"{name}/all")
    for name in ARCHITECTURES
}

# %%
show(
    figures.histories(histories),
    settings,
    "networks_histories",
    caption="Loss of the training and of the validation galaxies against the "
    "epoch; thin lines are further members of an ensemble. Dots: the epoch "
    "whose weights are kept. Dashed: the mean training profile.",
    alt="One panel for each architecture with two falling lines, training "
    "and validation, on a logarithmic axis, and a dot at the lowest point "
    "of the validation loss.",
    n=int(index[f"{BEST_VALUE}/all"]["galaxies"]),
)

# %% [markdown]
# Three things are to be seen in {numref}`fig-networks-histories`. Where both lines still fall at the end, more epochs would help. Where the validation loss stays while the training loss
# falls, the network begins to remember. And where the training loss lies *above* the other, dropout is at work: it handicaps the network in training only.
# The validation loss takes part in a choice, that of the epoch, so it is not the number to report. From here on we speak of the test galaxies.
#
# ## What is an error?
#
# The talk gives
#
# $$\Delta_\mathrm{MSE}(R_i)=\Big[\frac1N\sum_j\Big(\frac{\mu_j(R_i)-\hat\mu_j(R_i)}{\hat\mu_j(R_i)}\Big)^2\Big]^{1/2}$$
#
# at each radius. That leaves three questions, and the answers matter.
#
# - *Is $\mu$ the mass or its logarithm?* The slides do not say, and the scripts compute both. $\ln(M/M_\odot)$ is about 25, so that an error of 30 per cent in the mass is one of about one per cent
#   in the logarithm; and that number would change if one weighed in kilograms. We mean the mass, unless we say otherwise.
# - *Is the hat the truth or the estimate?* Elsewhere a hat is an estimate; in the scripts the denominator is the truth. We divide by the truth.
# - *Is it a mean square error?* It is the *root* of one, of the relative error. Where the conclusions say "mean square error below 0.2", we take it for this quantity.

# %%
best = f"{BEST_VALUE}/all"
print("of M   ", delta_mse(predictions.truth, predictions[best].m_dm)[::4])
print(
    "of ln M",
    delta_mse(predictions.truth, predictions[best].m_dm, of="ln_m")[::4],
)

# %% [markdown]
# Beside it the scripts compute three more: the means of $|\Delta M/M|$, $(\Delta\mu/\mu)^2$ and $|\Delta\mu/\mu|$. The second is the least upset by a few bad galaxies, and the one of the
# abstract's "mean absolute error"; we use it for comparisons.
#
# **How sure is such a number?** There are few test galaxies, each seen three times, and three views of a galaxy share its halo: they are not three measurements. So we draw *galaxies* with
# replacement, with all their views, a thousand times, and take the scatter of the result {cite}`Efron1979`. The same draws serve all methods, so that two of them are compared on the same galaxies.
#
# ## Opponents
#
# The authors compare with a **random draw**: at each radius a number from a normal distribution with the mean and the spread of the training galaxies. It knows no galaxy, and makes an error on
# top of that. The **mean training profile** knows no galaxy either, and does not gamble. To beat these two is the least.
#
# The honest question is another: *is a network needed?* An astronomer would measure what catalogues hold: fluxes, colours, radii that hold half of the light, the axis ratio of the image and
# the inclination it suggests, HI mass and size, width of the HI line. On these we train a **linear** formula (ridge regression) and **boosted trees**, on the same training galaxies.
# The strength of the penalty and the size and number of the trees are chosen by cross-validation among them. The trees' learning rate and how many times they are drawn were set by hand, for
# speed, with the test errors in view; that can only help the opponents.

# %%
scores = Scores.of(predictions, seed=seed)
record = partial(record, n=scores.n_galaxies)
floor = looks.counting_floor(
    dataset.radii, predictions.truth, dataset.attributes["m_dm_particle"]
)

# %%
names = {
    **{f"{name}/all": name for name in ARCHITECTURES},
    "baseline/boosted": "boosted trees on observables",
    "baseline/linear": "linear, on observables",
    "baseline/mean": "mean training profile",
    "baseline/random": "random draw",
}

# %%
show(
    figures.errors(scores, names, floor),
    settings,
    "networks_errors",
    caption="Errors at each radius. Left: $\\Delta_\\mathrm{MSE}$ of the "
    "talk, of the mass. Right: mean of $|\\Delta M/M|$. The shading of C is "
    "the middle 68 per cent over draws of galaxies. Dotted: what counting "
    "particles in the target costs at least. The random draw is off the "
    "left panel's scale.",
    alt="Two panels of error against radius from 1 to 100 kpc. Coloured "
    "lines are networks, grey ones plain predictions. All have their "
    "largest errors at small radii, where a dotted floor rises, too.",
    n=scores.n_galaxies,
)

# %%
for name, label in names.items():
    id = name.replace("/all", "").replace("/", "-").lower()
    for region in ("inner", "intermediate", "outer"):
        found = scores.over(region, name)
        say = f"Mean |dM/M| over {region} radii, {label}, all inputs"
        record(f"net-{id}-{region}", found, statement=say)

# %% [markdown]
# Averaged from 5 to 50 kpc, which we shall call *intermediate* radii (the talk does not define them), the mean $|\Delta M/M|$ is
#
# | method | 1–5 kpc | 5–50 kpc | 50–100 kpc |
# |---|---|---|---|
# | A | {num}`net-a-inner:.3f±` | {num}`net-a-intermediate:.3f±` | {num}`net-a-outer:.3f±` |
# | A_scripts | {num}`net-a_scripts-inner:.3f±` | {num}`net-a_scripts-intermediate:.3f±` | {num}`net-a_scripts-outer:.3f±` |
# | B | {num}`net-b-inner:.3f±` | {num}`net-b-intermediate:.3f±` | {num}`net-b-outer:.3f±` |
# | C | {num}`net-c-inner:.3f±` | {num}`net-c-intermediate:.3f±` | {num}`net-c-outer:.3f±` |
# | ResNet50 | {num}`net-resnet50-inner:.3f±` | {num}`net-resnet50-intermediate:.3f±` | {num}`net-resnet50-outer:.3f±` |
# | boosted trees | {num}`net-baseline-boosted-inner:.3f±` | {num}`net-baseline-boosted-intermediate:.3f±` | {num}`net-baseline-boosted-outer:.3f±` |
# | linear formula | {num}`net-baseline-linear-inner:.3f±` | {num}`net-baseline-linear-intermediate:.3f±` | {num}`net-baseline-linear-outer:.3f±` |
# | mean profile | {num}`net-baseline-mean-inner:.3f±` | {num}`net-baseline-mean-intermediate:.3f±` | {num}`net-baseline-mean-outer:.3f±` |
# | random draw | {num}`net-baseline-random-inner:.3f±` | {num}`net-baseline-random-intermediate:.3f±` | {num}`net-baseline-random-outer:.3f±` |
#
# Two warnings before reading it. The uncertainties are those of the *galaxies*: two rows may differ by less than either's uncertainty and still be told apart, because both meet the same galaxies.
# And at the smallest radii part of the error belongs to the target: where the mass within $R$ is a few dozen particles, their number scatters, and no method can know how.
#
# The scripts' other measures, over intermediate radii, for the record:

# %%
show_table(
    Table(rows=scores.table(names)),
    rows=len(names),
)

# %% [markdown]
# ### On the same galaxies
#
# So compare pair by pair: for each test view the error of the network less that of the best opponent, and the mean of *that* with its uncertainty.

# %%
opponent = "baseline/boosted"
nets = {name: label for name, label in names.items() if name.endswith("/all")}
show(
    figures.against(scores, nets, opponent, "boosted trees"),
    settings,
    "networks_against",
    caption="Mean $|\\Delta M/M|$ of each network less that of the boosted "
    "trees, on the same galaxies. Bars: one standard deviation over draws "
    "of galaxies.",
    alt="Markers with bars about a horizontal line at zero, one series for "
    "each architecture, against radius.",
    n=scores.n_galaxies,
)

# %%
for name, label in nets.items():
    for other in ("linear", "boosted"):
        found = scores.better("intermediate", name, f"baseline/{other}")
        id = f"net-{label.lower()}-less-{other}"
        say = f"Mean |dM/M| from 5 to 50 kpc, {label} less {other}"
        record(id, found, statement=say)
        print(f"{label:10s} against {other:8s} {verdict(found)}")

# %% [markdown]
# In {numref}`fig-networks-against` a network wins where its bars lie below zero. From 5 to 50 kpc C differs from the boosted trees by {num}`net-c-less-boosted:+.3f±` and from
# the linear formula by {num}`net-c-less-linear:+.3f±`; A by {num}`net-a-less-boosted:+.3f±` and {num}`net-a-less-linear:+.3f±`. (Negative: the network is better. The cell above says in words
# which differences exceed twice their uncertainty.) **A network that does not beat a formula on a dozen catalogue numbers has not learned from the pixels**, however well it does against a random draw.
#
# ## What it costs
#
# Accuracy has a price, in minutes and in parameters.

# %%
ends = {
    row["name"]: scores.over("intermediate", f"{row['name']}/all")
    for row in rows
}
plain = {
    name: scores.over("intermediate", name)
    for name in ("baseline/linear", "baseline/boosted")
}

# %%
show(
    figures.cost(rows, ends, plain),
    settings,
    "networks_cost",
    caption="Mean $|\\Delta M/M|$ from 5 to 50 kpc against the time that one "
    "member's training took, and against its number of parameters. "
    "Horizontal lines: the regressions on observables, fitted in seconds.",
    alt="Two panels with one marker for each architecture, error upwards, "
    "training time or number of parameters to the right; horizontal lines "
    "mark the two regressions.",
    n=scores.n_galaxies,
)

# %%
for row in rows:
    id, say = f"net-{row['name'].lower()}", f"one member of {row['name']}"
    record(
        f"{id}-seconds", row["seconds"], unit="s", statement=f"Time of {say}"
    )
    record(
        f"{id}-parameters", row["parameters"], statement=f"Weights of {say}"
    )

# %% [markdown]
# One member of C took {num}`net-c-seconds:.0f` and has {num}`net-c-parameters` parameters, A {num}`net-a-seconds:.0f` and {num}`net-a-parameters`, ResNet50 {num}`net-resnet50-seconds:.0f` for the few
# epochs it was given, and {num}`net-resnet50-parameters`. {numref}`fig-networks-cost` shows whether size buys anything. With hundreds of galaxies one should not expect it: parameters must be pinned down
# by examples, and ResNet50 was made for a million photographs.
#
# ### Seeds
#
# A training is a draw of lots. How much of the differences above is luck? Members of an ensemble differ by nothing but their seeds and, at profile `paper`, by the galaxies they were shown.

# %%
each = scores.of_members(predictions[best].members_ln)
print(each)

# %%
record(
    "net-seeds-range",
    np.ptp(each),
    n=scores.n_galaxies,
    statement="Largest less least mean |dM/M| from 5 to 50 kpc among the "
    "members of the ensemble of C",
)
record("net-members", len(each), statement="Members of the ensemble of C")

# %% [markdown]
# The ensemble of C has {num}`net-members` member(s), whose errors differ by {num}`net-seeds-range:.3f` at most; the ensemble answers with the mean of their logarithms. Differences of that size
# between two architectures, each trained once, mean nothing.
#
# ## More galaxies, or more layers?
#
# The learning curve answers what to do next. The same network is trained on a part of the training galaxies; the linear formula as well.

# %%
numbers = sorted(map(int, predictions.under("learning_curve")))
n_all = int(index[best]["galaxies"])
networks = [*(f"learning_curve/{n}" for n in numbers), best]
formulas = [f"linear/learning_curve/{n}" for n in numbers]
curves = {
    f"network {BEST_VALUE}": scores.curve(networks),
    "linear formula": scores.curve([*formulas, "baseline/linear"]),
}

# %%
show(
    figures.learning_curve(
        [*numbers, n_all],
        curves,
        scores.over("intermediate", "baseline/mean"),
    ),
    settings,
    "networks_learning_curve",
    caption="Mean $|\\Delta M/M|$ of the test galaxies from 5 to 50 kpc "
    "against the number of galaxies trained on.",
    alt="Two falling lines with bars, a network and a linear formula, "
    "against the number of galaxies on a logarithmic axis, below the "
    "horizontal line of the mean profile.",
    n=scores.n_galaxies,
)

# %%
gain = scores.better("intermediate", best, networks[-2])
record(
    "net-doubling",
    gain,
    n=scores.n_galaxies,
    figure="networks_learning_curve",
    statement="Change of the mean |dM/M| from 5 to 50 kpc of C when the "
    "number of training galaxies is doubled for the last time",
)

# %% [markdown]
# The last doubling of the number of galaxies changed the error of C by {num}`net-doubling:+.3f±` ({numref}`fig-networks-learning-curve`). (Part of this is the ensemble: the last point has
# {num}`net-members` member(s), the others one.) A formula with few coefficients is soon as good as it can be; a network goes on learning. That is why a comparison of architectures on few galaxies says
# little about one on many, and why the paper's TNG100, with its thousands, may rank them differently.
#
# ## The paper's claims
#
# *"The dark-matter profile is reconstructed with high performance throughout the galaxy."* To make that a statement which can fail, we ask that at **every** radius the best network explain at least half of the
# variance of $\ln M$: its mean square error must be at most half of the mean profile's, at the worst radius as well.
#
# *The follow-up:* a mean square error *"about three times below its value under the training distribution"*. The value under the training distribution may be that of the mean profile or that of a random draw from it, which is twice as large. We take the first, which is harder.

# %%
worst = scores.worst_ratio("all", best, "baseline/mean")
gains = {
    other: scores.ratio("all", f"baseline/{other}", best)
    for other in ("mean", "random")
}

# %%
record(
    "net-unexplained",
    worst,
    n=scores.n_galaxies,
    figure="networks_errors",
    statement="Mean square error of ln M of C over that of the mean "
    "training profile, at the radius where this is largest",
)
for other, found in gains.items():
    say = f"Mean square error of ln M over all radii, {other} baseline over C"
    record(f"net-gain-{other}", found, statement=say)

# %% [markdown]
# At its worst radius C leaves {num}`net-unexplained:.2f±` of the variance unexplained. Over all radii its mean square error is {num}`net-gain-mean:.1f±` times below that of the mean training profile, and {num}`net-gain-random:.1f±` times below that of the random
# draw. The claims on intermediate radii belong to the next chapter, where inputs are taken away.
#
# ## Exercises
#
# :::{admonition} Exercise
# :class: tip
# The mean of $|\Delta M/M|$ punishes a prediction that is twice too large by 1 and one that is twice too small by 1/2. Networks minimise the square of $\ln M$, for which both are alike. Compute the median of $\ln(M_\mathrm{pred}/M_\mathrm{true})$ at each radius for C. Would multiplying all its masses by one factor make the mean $|\Delta M/M|$ smaller? Which way?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# ratio = np.log(predictions["C/all"].m_dm / predictions.truth)
# print(np.nanmedian(ratio, axis=0).round(3))
# for factor in (0.9, 0.95, 1.0, 1.05):
#     error = np.abs(factor * predictions["C/all"].m_dm / predictions.truth - 1)
#     print(factor, np.nanmean(error[:, columns]).round(4))
# ```
# A factor slightly below one usually helps: large overestimates cost most. It must not be chosen on the test galaxies, of course; it would have to come from the validation galaxies.
# :::
#
# :::{admonition} Exercise
# :class: tip
# Pretend that the three views of each galaxy were independent: give `Bootstrap` a different id for each view. By how much do the error bars of {numref}`fig-networks-errors` shrink? What would you have concluded wrongly from {numref}`fig-networks-against`?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# from dmlib.evaluation import Bootstrap
#
# values = scores.views("C/all")
# naive = Bootstrap(np.arange(len(values))).mean(values)
# print((naive.error / scores.bootstrap.mean(values).error).round(2))
# ```
# Between 0.58, which is $1/\sqrt3$, where the views of a galaxy err together, and 1, where each errs on its own. The small bars would turn chance differences into discoveries.
# :::
#
# ## Summary
#
# - A and A_scripts are the authors'; B and C are our own, since the paper's are not known; ResNet50 is adapted plainly.
# - From 5 to 50 kpc the mean $|\Delta M/M|$ is {num}`net-a-intermediate:.3f±` for A, {num}`net-c-intermediate:.3f±` for C, {num}`net-baseline-boosted-intermediate:.3f±` for boosted trees on catalogue observables, {num}`net-baseline-mean-intermediate:.3f±` for the mean profile.
# - Errors are given with bootstraps over galaxies, and methods compared in pairs.
# - The talk's measure is a root mean square; of the mass and of its logarithm it differs by a factor of about 25.
# - None of these numbers is a result on TNG unless this copy of the book was made from TNG.
#
# ## What's next
#
# Which inputs carry the information? {doc}`11_inputs` takes them away one by one.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
