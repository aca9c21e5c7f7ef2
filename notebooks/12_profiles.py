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
# (profiles)=
# # Profiles of single galaxies with uncertainty
#
# **Objective: predict the dark-matter profile of one galaxy, say how sure the prediction is, test whether that is true, and find out where predictions fail.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Target profiles | what is predicted, and how well it is known | {doc}`04_target_profiles` |
# | Errors and their uncertainty | bootstraps over galaxies | {doc}`10_networks` |
# | Photometry and HI | what the network has seen | {doc}`11_inputs` |
#
# You will be able to
#
# 1. recognise bias, scatter and the pull towards the mean in a plot of true against predicted masses;
# 2. say what an ensemble's spread knows of the error, and what it does not;
# 3. derive the circular velocity and the local density from a predicted profile, with their uncertainties;
# 4. test a stated uncertainty by its coverage;
# 5. tell for which galaxies, and from which sides, the predictions are bad, and whether the network is to blame.
#
# Reading takes about 20 minutes; running takes seconds, once the networks are trained.

# %% tags=["parameters"]
universe = "embedded"  # written here; or "files", a TNG tree on disk
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number: bootstrap, drawn profiles
base_path = ""  # the simulation's output folder, for universe "files"
some_radii = "3.4 8.9 18 48"  # radii looked at more closely [kpc]
n_draws = 2000  # profiles drawn from the stated uncertainty
n_bins = 4  # bins of each property in the search for failures

# %%
from functools import partial

import numpy as np

from dmlib import load
from dmlib.evaluation import Scores, bins, coverage, derived, single
from dmlib.evaluation.coverage import EXPECTED, pit_histogram
from dmlib.figures import profiles as figures
from dmlib.figures import show
from dmlib.networks.plan import BEST_VALUE
from dmlib.results import recorder
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="profiles")

# %%
dataset = load.dataset(settings)
predictions = load.predictions(settings)
scores = Scores.of(predictions, seed=seed)
record = partial(record, n=scores.n_galaxies)

# %% [markdown]
# All of this chapter is about architecture C with all inputs, the network of the last two chapters, and about galaxies of the test set, which it has never seen.

# %%
name = f"{BEST_VALUE}/all"
ours, truth, radii = predictions[name], predictions.truth, predictions.radii
wanted = np.array(some_radii.split(), dtype=float)
columns = np.abs(np.log(radii[:, None] / wanted)).argmin(axis=0)

# %% [markdown]
# ## True against predicted

# %%
show(
    figures.true_against_predicted(radii, truth, ours.m_dm, columns),
    settings,
    "profiles_true_predicted",
    caption="Predicted against true dark mass within four radii; one point "
    "a test view, three for each galaxy. Line: equality.",
    alt="Four square panels, one for each radius, with a cloud of points "
    "along the diagonal line.",
    n=scores.n_galaxies,
)

# %% [markdown]
# A perfect network would put all points of {numref}`fig-profiles-true-predicted` on the lines. Look at two things. The *width* of a cloud about the line is the scatter. And a cloud that is *flatter* than the line is the sign of a network that does not know and plays
# safe: whoever minimises a mean square error answers with the mean of all galaxies that look alike, so that the largest masses come out too small and the smallest too large. It is no fault to be mended, but it must be
# known by whoever fits a relation to predicted masses.

# %%
x, y = np.log(truth[:, columns]), ours.ln_m_dm[:, columns]
slopes = [
    np.cov(a, b)[0, 1] / np.var(a, ddof=1)
    for a, b in zip(x.T, y.T, strict=True)
]
for k, slope in zip((0, 3), (slopes[0], slopes[-1]), strict=True):
    say = (
        f"Slope of ln M predicted against true at {radii[columns[k]]:.3g} kpc"
    )
    record(f"profiles-slope-{k}", slope, statement=say)

# %% [markdown]
# The slope of predicted against true $\ln M$ is {num}`profiles-slope-0:.2f` at the smallest of the four radii and {num}`profiles-slope-3:.2f` at the largest; 1 would be no pull to the mean, 0 nothing but the mean.
#
# ## Residuals

# %%
show(
    figures.residuals(scores, name, columns),
    settings,
    "profiles_residuals",
    caption="Logarithm of predicted over true mass. Left: distributions at "
    "four radii, darker outwards; what lies beyond the panel is in the "
    "outermost bins. Right: median and middle 68 per cent at each radius, "
    "of the network and of the mean training profile.",
    alt="Left, four outlines of distributions around zero. Right, two lines "
    "near zero with bands, the wide one of the mean profile and the "
    "narrower one of the network.",
    n=scores.n_galaxies,
)

# %%
ratio = scores.views(name, "ln_ratio")
inside = scores.columns("intermediate")
middle = np.nanmean(ratio[:, inside], axis=1)
bias = scores.bootstrap.quantile(middle, 0.5)
spread = scores.bootstrap.scatter(middle)
say = "of ln(predicted / true), averaged over 5 to 50 kpc"
record("profiles-bias", bias, statement=f"Median {say}")
record("profiles-scatter", spread, statement=f"Half of the middle 68% {say}")

# %% [markdown]
# Averaged over 5 to 50 kpc the median of $\ln(M_\mathrm{pred}/M_\mathrm{true})$ is {num}`profiles-bias:+.3f±` and its scatter {num}`profiles-scatter:.3f±` ({numref}`fig-profiles-residuals`). A bias that is larger than its uncertainty would mean that the test galaxies are another population
# than those for training, or that the network had stopped too early.
#
# ## Two galaxies
#
# The talk shows two galaxies of TNG100, subhaloes 108013 and 60744, one easy and one hard. Those are shown here if this copy of the book was made from TNG and they are among the tested. Otherwise two others stand for them, by a rule fixed beforehand: of all test galaxies,
# ranked by their mean $|\Delta M/M|$ from 5 to 50 kpc, the one at 20 and the one at 90 per cent; of their three views the middle one. (The rule looks at the truth of test galaxies. That is allowed for an illustration, and for nothing else.)

# %%
talk = settings.origin == "TNG100-1"
two = single.choose_two(scores, name, talk=talk)
rows = {
    title: single.typical_view(scores, name, number)
    for title, number in two.items()
}
ids, each = single.errors_of_galaxies(scores, name)

# %%
pictures = {}
for title, row in rows.items():
    image, column, velocity = dataset.inputs(
        [predictions.rows[row]], ("i", "moment0", "moment1")
    )[0].transpose(2, 0, 1)
    velocity = np.where(column > -2.0, velocity, np.nan)
    pictures[title] = (image, velocity)
    print(f"{title}: subhalo {two[title]}, view {predictions.view[row]}")

# %%
show(
    figures.views(pictures, dataset.grid.extent),
    settings,
    "profiles_views",
    caption="What the network saw of the two galaxies: the i band and the "
    "velocity of the HI (blue approaches).",
    alt="For each of two galaxies an image of starlight and a velocity field.",
    n=len(two),
)

# %% [markdown]
# {numref}`fig-profiles-views` shows what the predictions are made from. What makes one of them hard may be visible, or may lie in its halo and in nothing that can be seen.
#
# ## How sure?
#
# An **ensemble** is a set of networks that differ by chance only: their seeds, and at profile `paper` the galaxies they were shown {cite}`Lakshminarayanan2017`. Where they disagree, the data did not tell them what to say. Their spread is therefore a part of the error, the part that
# more galaxies would remove. It knows nothing of the other part: two haloes may differ and host discs that look the same, and all members will then agree on the same wrong answer.
#
# So the stated uncertainty has two terms,
#
# $$\sigma_{\ln M}^2(R)=\sigma_0^2(R)+f^2\,s^2(R),$$
#
# with $s$ the spread of the members for this galaxy, and $\sigma_0$ and $f$ chosen so that the errors of the *validation* galaxies are most likely. The test galaxies have no part in it. With one member there is no spread, and all galaxies get the same uncertainty.
#
# From the enclosed mass follow two quantities that people want to know. The **circular velocity** of the dark matter alone, $\sqrt{GM/R}$, halves the relative error. The **local density**,
#
# $$\rho(R)\approx\frac{M(<R_{i+1})-M(<R_i)}{\frac{4\pi}{3}(R_{i+1}^3-R_i^3)},$$
#
# is a difference: errors that both masses share fall out, those of their own are blown up. Hence the errors at different radii must be treated together. We draw whole profiles with the stated $\sigma$ at each radius, and with the correlation that the validation galaxies' errors had, and carry each one through.

# %%
linked = ours.attributes["validation_correlation"]
galaxies = {}
for title, row in rows.items():
    mass, sigma = ours.m_dm[row], ours.sigma_ln[row]
    drawn = derived.draw_profiles(
        mass, sigma, linked, draws=n_draws, seed=seed
    )
    found = derived.bands(radii, mass, drawn)
    galaxies[title] = truth[row], found, np.exp(ours.members_ln[:, row])

# %%
show(
    figures.single(galaxies, radii),
    settings,
    "profiles_single",
    caption="Two galaxies: mass over radius, circular velocity and local "
    "density of the dark matter. Lines and shading: prediction and its "
    "middle 68 per cent; thin lines: members of the ensemble; points: truth.",
    alt="Two columns of three panels each. In each panel a line with a "
    "shaded band and black points of the truth.",
    n=len(two),
)

# %%
for label, title in zip(("first", "second"), two, strict=True):
    error = each[ids == two[title]][0]
    say = f"Mean |dM/M| from 5 to 50 kpc of {title}"
    record(f"profiles-error-{label}", error, statement=say, n=1)
falling = 1.0 - derived.rising(ours.m_dm).mean()
say = "Share of predicted profiles in which the mass falls with radius"
record("profiles-falling", falling, statement=say)

# %% [markdown]
# In {numref}`fig-profiles-single` the mean $|\Delta M/M|$ of the first galaxy is {num}`profiles-error-first:.2f` and that of the second {num}`profiles-error-second:.2f`. The truth should lie in the shading at about two radii of three; but since the errors at neighbouring radii go together, a single galaxy lies within
# it everywhere or outside of it over a wide range. That does not say that its uncertainty is wrong. Only many galaxies can say it.
#
# Nothing forces a network's 20 numbers to rise with radius. Of the predicted profiles {num}`profiles-falling:.1%` fall somewhere, which no mass can do; there the density is negative and is not drawn. The steps in the density are real in another sense: a target that counts particles has them, too.
#
# ## Is the uncertainty true?
#
# A statement like "$\pm\sigma$" can be tested: of many galaxies 68 per cent must lie within, and 95 per cent within twice as much. Better still, ask at which share of the predicted distribution the truth lies (the **probability integral transform** {cite}`Gneiting2007`): it must be as often in the lowest tenth as in any other.

# %%
tested = coverage(truth, ours.m_dm, ours.sigma_ln, scores.bootstrap)
histogram = pit_histogram(tested.pit, scores.bootstrap)

# %%
show(
    figures.coverage(radii, tested, histogram, scores.bootstrap),
    settings,
    "profiles_coverage",
    caption="Left: share of the test views within one and two stated "
    "standard deviations of the prediction; dashed what a normal "
    "distribution has. Right: where in the predicted distribution the truth "
    "lies, over all radii. Errors from draws of galaxies.",
    alt="Left, two lines with bands near two dashed levels. Right, a "
    "histogram with error bars around the level one.",
    n=scores.n_galaxies,
)

# %%
for k in EXPECTED:
    say = f"Share of views and radii within {k} stated standard deviations"
    record(f"profiles-within-{k}", tested.overall[k], statement=say)
say = "Root mean square of (true - predicted) / sigma of ln M, all radii"
record("profiles-stretch", tested.stretch, statement=say)

# %% [markdown]
# Over all radii {num}`profiles-within-1:.1%±` lie within one and {num}`profiles-within-2:.1%±` within two stated standard deviations, where 68.3 and 95.4 are honest. The errors are {num}`profiles-stretch:.2f±` times as large as stated, in the root mean square, which wings affect most ({numref}`fig-profiles-coverage`). The paper shows
# bands for two galaxies and no such test; we take its claim to be that the bands mean what they seem to.
#
# ## Where predictions fail
#
# Which galaxies are hard? Errors are binned by what the galaxy is and by how it is seen; the boosted trees of {doc}`10_networks` stand beside the network. Where both rise, it is the galaxies that are hard.
#
# - **Inclination**: face-on, the rotation cannot be seen; edge-on, the beam mixes the near and the far side, and dust hides.
# - **Mass** and **gas content**: small and gas-poor galaxies have little HI to tell the rotation.
# - **Asymmetry**: gas that is out of order does not rotate on circles.

# %%
kind = bins.properties(dataset, predictions.rows)
error = np.nanmean(scores.views(name)[:, inside], axis=1)
plain = np.nanmean(scores.views("baseline/boosted")[:, inside], axis=1)
both = {"network": error, "boosted trees": plain}

# %%
labels = {
    "inclination": "inclination [deg]",
    "log m_star": r"log$_{10}$ stellar mass",
    "log gas fraction": r"log$_{10}$ HI over stars",
    "asymmetry hi": "asymmetry of the HI",
}
panels = bins.panels(both, kind, labels, n_bins, scores.bootstrap)
kinds = single.groups_of_views(
    kind, scores.subhalo_id, load.disturbed(settings)
)
groups = bins.group_panels(both, kinds, scores.bootstrap)

# %%
show(
    figures.failures(panels, groups),
    settings,
    "profiles_failures",
    caption="Mean $|\\Delta M/M|$ from 5 to 50 kpc in bins with equal "
    "numbers of views, and for kinds of galaxies with their number. Bars: "
    "one standard deviation over draws of galaxies. Bins with fewer than "
    "five galaxies are left out.",
    alt="Panels of error against inclination, stellar mass, gas content "
    "and asymmetry, and for centrals and satellites, with one line for the "
    "network and one for boosted trees.",
    n=scores.n_galaxies,
)

# %%
for id, key in (
    ("inclination", "inclination"),
    ("mass", "log m_star"),
    ("gas", "log gas fraction"),
    ("asymmetry", "asymmetry hi"),
):
    found = bins.upper_less_lower(error, kind[key], scores.bootstrap)
    say = f"Mean |dM/M| of the upper half in {key} less that of the lower"
    record(f"profiles-by-{id}", found, statement=say)

# %% [markdown]
# Halves are compared in one number each: the mean $|\Delta M/M|$ of the views above the median of a property less that of the views below it. It is {num}`profiles-by-inclination:+.3f±` for the inclination, {num}`profiles-by-mass:+.3f±` for the stellar mass, {num}`profiles-by-gas:+.3f±` for the gas fraction and {num}`profiles-by-asymmetry:+.3f±` for the asymmetry of
# the HI (positive: more of it is harder). In {numref}`fig-profiles-failures` the dependence need not be a straight one, so look there before believing a half.
#
# In the embedded universe we know which galaxies have gas that is out of order, about one in twelve. They are few among the tested, and are shown only if there are at least five.
#
# ### The galaxy or the view?
#
# Three views of one galaxy have one truth. If they err alike, something about the galaxy misled the network: more views would not help. If they err each in its own way, the line of sight is to blame, and averaging views would.

# %%
shares = {
    label: single.share_of_views(
        scores.views(other, "ln_ratio"), scores.subhalo_id
    )
    for label, other in (("network", name), ("boosted", "baseline/boosted"))
}

# %%
show(
    figures.share_of_views(radii, shares),
    settings,
    "profiles_views_share",
    caption="Share of the variance of "
    "$\\ln(M_\\mathrm{pred}/M_\\mathrm{true})$ that lies between the views "
    "of one galaxy.",
    alt="Two lines of a share against radius, of the network and of the "
    "boosted trees.",
    n=scores.n_galaxies,
)

# %%
share = np.nanmean(shares["network"][inside])
say = "Share of the variance of ln(predicted / true) between views of one "
record("profiles-views", share, statement=say + "galaxy, 5 to 50 kpc")

# %% [markdown]
# From 5 to 50 kpc {num}`profiles-views:.0%` of the variance lies between the views of one galaxy ({numref}`fig-profiles-views-share`); the rest is the galaxy's. That is why errors in this book are bootstrapped over galaxies.
#
# ## Exercises
#
# :::{admonition} Exercise
# :class: tip
# Predict the uncertainty of the local density at 8 kpc as if the errors at all radii were independent: draw profiles with the unit matrix in place of `linked`. How does it change, and why?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# row = next(iter(rows.values()))
# k = np.abs(radii - 8.0).argmin()
# for matrix in (linked, np.eye(len(radii))):
#     drawn = derived.draw_profiles(
#         ours.m_dm[row], ours.sigma_ln[row], matrix, draws=n_draws
#     )
#     band = derived.bands(radii, ours.m_dm[row], drawn)["density"]
#     print(band.value[k], band.low[k], band.high[k])
# ```
# With independent errors the density would be uncertain by about as much as its value: neighbouring masses differ by some 30 per cent, so that an error of 15 per cent in each of them is most of their difference. In truth neighbouring masses err together, and the difference is much better known than either.
# :::
#
# :::{admonition} Exercise
# :class: tip
# Average the predicted $\ln M$ over the three views of each galaxy. By how much should the error fall, by the share of variance above? Try it.
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# views = ours.ln_m_dm.reshape(-1, 3, len(radii))
# mean = np.exp(views.mean(axis=1))
# error = np.abs(mean / truth[::3] - 1)[:, inside].mean()
# print(error, scores.over("intermediate", name).value)
# ```
# (The views of a galaxy follow one another in the test set.) With a share $w$ of the variance between views, averaging three leaves $1-\frac23w$ of it. One has one line of sight to a real galaxy, though.
# :::
#
# ## Summary
#
# - Averaged over 5 to 50 kpc, the bias in $\ln M$ is {num}`profiles-bias:+.3f±` and the scatter {num}`profiles-scatter:.3f±`.
# - The spread of an ensemble is only a part of the error; calibrated on the validation galaxies, the stated uncertainty covers {num}`profiles-within-1:.1%±` within one standard deviation.
# - Circular velocities and densities follow with uncertainties that take account of how errors at different radii go together.
# - Errors depend on what a galaxy is and how it is seen, as measured above; {num}`profiles-views:.0%` of their variance is due to the line of sight.
#
# ## What's next
#
# What in the images do these predictions come from? {doc}`13_saliency` asks them.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
