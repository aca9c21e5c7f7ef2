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
# (comparison)=
# # Networks against rotation curves
#
# **Objective: compare the networks with today's standard method, on the same galaxies, at the same radii, with the same error measure, and say where
# each of them is better.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | The networks and their inputs | one side of the comparison | {doc}`10_networks` |
# | Mass models and their priors | the other side | {doc}`15_sparc` |
# | The split by group | no method was trained or tuned on the test galaxies | {doc}`07_data_set` |
#
# You will be able to
#
# 1. say for which galaxies a rotation curve can be measured, and why the others matter;
# 2. compare two methods fairly on the same galaxies;
# 3. separate the error of a rotation-curve fit due to inclination and baryons from the error due to the shape of the halo;
# 4. check whether an error bar is as large as the errors;
# 5. say what a comparison on simulated galaxies shows, and what it cannot show.
#
# Reading takes about 20 minutes. Running takes some minutes the first time, when rotation curves and networks have to be computed, then seconds.

# %% tags=["parameters"]
universe = "embedded"  # generated here; for "files", a TNG tree on disk
profile = "quick"  # how much is computed, smoke, quick or paper
seed = 1  # of data set, samplers and bootstraps
base_path = ""  # the simulation's output folder, for universe "files"
network = "C"  # architecture of the networks
opponent = "nfw_lcdm"  # rotation-curve variant used to judge the claims
at_radius = 20.0  # radius at which biases are measured [kpc]
sigmas = 2.0  # standard deviations that decide between two methods

# %%
import time

import numpy as np
from astropy.table import Table

from dmlib import load
from dmlib.evaluation import method_comparison
from dmlib.figures import comparison as figures
from dmlib.figures import show, show_table
from dmlib.networks.models import read_ensemble
from dmlib.results import recorder
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="comparison")

# %% [markdown]
# ## The rules
#
# - **Same galaxies.** The test galaxies of the data set, three views of each. No network was trained and no prior was tuned on them.
# - **Same radii, same target.** The dark-matter mass within 20 radii from 1 to 100 kpc.
# - **Same error measure.** The mean of $|\Delta M/M|$, and the talk's $\Delta_\mathrm{MSE}$. Uncertainties are from a bootstrap over galaxies, with all
#   their views; differences between two methods are computed in each bootstrap sample.
# - **Rejections count.** The rotation-curve method may reject a galaxy, *without* using the truth. Rejections are listed, not dropped.
#
# The rotation-curve method uses the HI cube and the images, as {doc}`14_rotation_curves` explains: tilted rings, stellar masses from colours, gas mass
# from the 21 cm line. It then fits haloes as in {doc}`15_sparc`. We compare three variants: NFW and Burkert with flat priors on mass and
# concentration, and NFW with priors from simulations on the concentration {cite}`Dutton2014` and from abundance matching on the stellar mass {cite}`Moster2013` of a halo.
# The networks use images and moment maps of the same galaxy, on their grid.

# %%
benchmark = load.benchmark(settings)
predictions = load.predictions(settings)
dataset = load.dataset(settings)

# %%
titles = {
    f"{network}/photometry": f"network {network}, images",
    f"{network}/hi": f"network {network}, HI maps",
    f"{network}/all": f"network {network}, all",
    "baseline/mean": "mean training profile",
    "baseline/boosted": "boosted trees, on observables",
}
match = method_comparison.assemble(benchmark, predictions, network, titles)
yes, best_network = match.judged(), f"{network}/all"
if match.is_fallback:
    print("No view is accepted: below, all that have a fit.")
galaxies = len(np.unique(match.subhalo_id))
n_yes = len(np.unique(match.subhalo_id[yes]))
n_accepted = int(match.accepted.sum())
print(f"{len(match)} views of {galaxies} galaxies, {n_accepted} accepted")

# %% [markdown]
# ## Which galaxies have a rotation curve?
#
# A disc that is nearly face-on shows no rotation, and one that is edge-on mixes many radii along each line of sight; a small disc is not resolved by the beam; a
# disturbed one does not rotate in circles. An astronomer would exclude them, and so does the code.

# %%
counts = method_comparison.count_reasons(match)
show(
    figures.funnel(match, counts),
    settings,
    "comparison_funnel",
    caption="Left: test views and galaxies, and those with an accepted "
    "rotation curve. Right: reasons for rejecting views; one view may have "
    "several reasons.",
    alt="Left, bars of the numbers of views and galaxies, all and accepted. "
    "Right, horizontal bars of rejected views by reason.",
    n=galaxies,
)

# %% [markdown]
# The rejected views on the right of {numref}`fig-comparison-funnel` are part of the result: for them a network makes a prediction, and the rotation-curve method
# does not.

# %%
here = {"n": galaxies, "figure": "comparison_funnel"}
record(
    "contest-views",
    len(match),
    statement="Test views",
    n=galaxies,
    figure=None,
)
record(
    "contest-accepted",
    100 * match.accepted.mean(),
    unit="%",
    statement="Test views with an accepted rotation curve",
    **here,
)
converged = benchmark[opponent].converged[yes].mean()
record(
    "contest-converged",
    100 * converged,
    unit="%",
    statement="Accepted views whose chains converged",
    **here,
)

# %% [markdown]
# Of {num}`contest-views` views {num}`contest-accepted:.0f` have an accepted rotation curve; the chains of {num}`contest-converged:.0f` of those
# converged.
#
# ## Error against radius
#
# From here on all errors are for the accepted views, for every method; the networks get neither credit nor blame for galaxies that the
# rotation-curve method rejects. The baselines set the standard for success: the mean of all training profiles is the best guess
# without any observation of the galaxy, and the boosted trees use a handful of numbers measured on it.

# %%
panels = {
    "rotation curves": ("nfw", "burkert", "nfw_lcdm"),
    "networks and baselines": tuple(titles),
}
show(
    figures.errors(match, panels, yes, seed),
    settings,
    "comparison_errors",
    caption="Error of the enclosed dark-matter mass on the views with an "
    "accepted rotation curve. Bands: bootstrap over galaxies, 68 per cent.",
    alt="Four panels of error against radius on logarithmic axes. Left, "
    "three variants of the rotation-curve method; right, networks and "
    "baselines. Upper row mean relative error, lower row root mean square.",
    n=n_yes,
)

# %%
columns = [0, 6, 12, 15, 19]
names = ["nfw", "burkert", "nfw_lcdm", *titles]
heads = ("method", *(f"{match.radii[k]:.3g} kpc" for k in columns))
table = method_comparison.error_table(match, names, yes, seed, columns)
print("mean |dM/M| in per cent, accepted views")
show_table(
    Table(rows=table, names=heads), dict.fromkeys(heads[1:], ".0f"), rows=9
)

# %% [markdown]
# In {numref}`fig-comparison-errors` compare the shapes rather than single points. A rotation curve measures the *total* mass
# over the radii that it covers; the dark matter is what remains after stars and gas are subtracted, and in the centre this is a small difference between two large
# numbers. Outside, the halo model extrapolates. A network interpolates between its training galaxies, at all radii.

# %%
where = int(np.argmin(np.abs(match.radii - at_radius)))
shorts = {best_network: "network", "baseline/mean": "mean"}
for name in ("nfw", "burkert", "nfw_lcdm", best_network, "baseline/mean"):
    found = match.error(name, yes, seed)
    short = shorts.get(name, name.replace("_", "-"))
    for label, k in (("middle", where), ("outside", -1)):
        record(
            f"contest-{short}-{label}",
            found.value[k],
            error=found.error[k],
            n=n_yes,
            statement=f"Mean |dM/M| within {match.radii[k]:.0f} kpc, "
            f"{match.entries[name].title}, accepted views",
            figure="comparison_errors",
        )

# %% [markdown]
# | mean $\lvert\Delta M/M\rvert$, accepted views | near 20 kpc | 100 kpc |
# |---|---|---|
# | NFW, flat priors | {num}`contest-nfw-middle:.2f±` | {num}`contest-nfw-outside:.2f±` |
# | Burkert, flat priors | {num}`contest-burkert-middle:.2f±` | {num}`contest-burkert-outside:.2f±` |
# | NFW, simulations' priors | {num}`contest-nfw-lcdm-middle:.2f±` | {num}`contest-nfw-lcdm-outside:.2f±` |
# | network, all inputs | {num}`contest-network-middle:.2f±` | {num}`contest-network-outside:.2f±` |
# | mean training profile | {num}`contest-mean-middle:.2f±` | {num}`contest-mean-outside:.2f±` |
#
# ## Which method is better at which radius?
#
# The errors of two methods on the same galaxies are correlated, so their difference is known better than either error. We call a radius decided when the
# difference is more than two standard deviations from zero. Twenty radii are not twenty independent decisions, because the masses are nested.

# %%
rivals = ("nfw", "burkert", "nfw_lcdm")
differences = {
    name: match.difference(best_network, name, yes, seed) for name in rivals
}
won = {
    name: method_comparison.winners(found, sigmas)
    for name, found in differences.items()
}

# %%
show(
    figures.duel(match, differences, won),
    settings,
    "comparison_duel",
    caption="Mean relative error of the network with all inputs minus that of "
    "three rotation-curve variants, same views. Filled: more than two "
    "standard deviations from zero.",
    alt="Three lines of the difference of mean errors against radius, "
    "with error bars; below zero the error of the network is smaller.",
    n=n_yes,
)

# %% [markdown]
# Filled points of {numref}`fig-comparison-duel` mark decided radii. As ranges of radii:

# %%
for name in rivals:
    print(f"network {network}, all, against {match.entries[name].title}")
    for span, who in method_comparison.spans(
        match.radii, won[name], ("network", "rotation curve")
    ):
        print(f"    {span:18s} {who}")

# %%
for name in rivals:
    short = name.replace("_", "-")
    for label, verdict in (("network", -1), ("curve", 1), ("open", 0)):
        record(
            f"contest-won-{short}-{label}",
            int((won[name] == verdict).sum()),
            n=n_yes,
            statement=f"Of 20 radii, {label}: mean |dM/M| of network "
            f"{network}/all against {match.entries[name].title}",
            figure="comparison_duel",
        )
gain = match.bootstrap(yes, seed).ratio(
    np.nanmean(match.values(best_network)[yes], axis=1),
    np.nanmean(match.values(opponent)[yes], axis=1),
)

# %%
record(
    "contest-ratio",
    gain.value,
    error=gain.error,
    n=n_yes,
    statement="Mean |dM/M| over all radii, network with all inputs over the "
    "rotation curve with simulations' priors, accepted views",
    figure="comparison_duel",
)

# %% [markdown]
# | of the 20 radii, against | network is better | rotation curve is better | undecided |
# |---|---|---|---|
# | NFW, flat priors | {num}`contest-won-nfw-network` | {num}`contest-won-nfw-curve` | {num}`contest-won-nfw-open` |
# | Burkert, flat priors | {num}`contest-won-burkert-network` | {num}`contest-won-burkert-curve` | {num}`contest-won-burkert-open` |
# | NFW, simulations' priors | {num}`contest-won-nfw-lcdm-network` | {num}`contest-won-nfw-lcdm-curve` | {num}`contest-won-nfw-lcdm-open` |
#
# Over all radii together the network's mean error is {num}`contest-ratio:.2f±` times that of the NFW halo with the simulations' priors. The list
# above shows at which radii each is better.
#
# ## Sources of error of the rotation-curve method
#
# In the simulation the true inclination and the true gravity of stars and gas are known. Fitting the *same measured speeds* with both known
# separates two sources of error. One view of each galaxy is enough for this.

# %%
both = match.judged(match.perfect)
n_both = len(np.unique(match.subhalo_id[both]))
pairs = [(name, f"{name}_perfect") for name in rivals]
show(
    figures.knowledge(match, pairs, both, seed),
    settings,
    "comparison_knowledge",
    caption="Error of the rotation-curve method as observed, and with "
    "inclination, position angle and the gravity of stars and gas taken from "
    "the simulation, on the same views.",
    alt="Three panels, one for each halo model. In each, error against radius "
    "as a line for the observed case and a dotted line for the known case.",
    n=n_both,
)

# %% [markdown]
# The distance of a line from its dotted counterpart in {numref}`fig-comparison-knowledge` is the error due to wrong inclinations and wrong masses of stars and gas.
# It may be negative: two errors can cancel by chance.

# %%
of_pair = match.bootstrap(both, seed).ratio(
    match.values("nfw_lcdm_perfect")[both], match.values("nfw_lcdm")[both]
)
for label, k in (("inside", 6), ("middle", where)):
    record(
        f"contest-perfect-{label}",
        of_pair.value[k],
        error=of_pair.error[k],
        n=n_both,
        statement=f"Mean |dM/M| within {match.radii[k]:.3g} kpc, geometry "
        "and baryons known over observed, NFW with simulations' priors",
        figure="comparison_knowledge",
    )

# %% [markdown]
# With geometry and baryons known the error is {num}`contest-perfect-inside:.2f±` times the observed error at 4.3 kpc, and
# {num}`contest-perfect-middle:.2f±` times near 20 kpc. The remaining error is due to the speeds (beam, noise, streaming,
# pressure) and to the halo model: the baryons have contracted the dark matter of these galaxies, which none of the three models includes.
#
# ## Are the error bars correct?

# %%
shares = method_comparison.coverages(
    match, benchmark, (*rivals, best_network), yes, seed
)

# %%
show(
    figures.coverage(match, shares),
    settings,
    "comparison_coverage",
    caption="Share of accepted views whose true mass lies in the stated "
    "interval: credible intervals of the mass models, calibrated one and two "
    "standard deviations of the network's ensemble.",
    alt="Two panels of coverage against radius, for 68 and 95 per cent. A "
    "dashed horizontal line marks the stated share; lines of the methods are "
    "at various heights below or near it.",
    n=n_yes,
)

# %% [markdown]
# Where a line of {numref}`fig-comparison-coverage` is below the dashed one, the truth lies outside the interval more often than stated: the method
# underestimates its uncertainty. Where it is above, the method overestimates it.

# %%
for name, found in shares.items():
    short = shorts.get(name, name.replace("_", "-"))
    record(
        f"contest-cover-{short}",
        100 * np.nanmean(found[68].value),
        error=100 * np.nanmean(found[68].error),
        unit="%",
        n=n_yes,
        statement="Truth within the 68 per cent interval, mean over radii, "
        f"{match.entries[name].title}",
        figure="comparison_coverage",
    )

# %% [markdown]
# Intervals that should contain 68 per cent contain {num}`contest-cover-nfw:.0f±` (NFW), {num}`contest-cover-burkert:.0f±` (Burkert) and
# {num}`contest-cover-nfw-lcdm:.0f±` (NFW, simulations' priors), averaged over the radii.
# The sampler is not the cause: on curves that come from the model its intervals are correct ({doc}`15_sparc`). A posterior is conditional on its model. The models do not include a halo of
# another shape, non-circular motions or the beam, and no scatter parameter can account for these at radii without data.
#
# ## What biases each method?
#
# An error bar that is too small can still be centred on the truth. We test this with the mean of $\ln(M_\mathrm{predicted}/M_\mathrm{true})$ at a
# radius that most curves reach, in bins of three properties. Inclination affects a rotation curve through $1/\sin i$, and the mass through its square; the gas
# fraction is related to the extent of the curve and to the importance of the stellar mass; and an asymmetric disc does not rotate in circles.

# %%
pair = ("nfw", "nfw_lcdm", best_network)
bias = method_comparison.biases(match, dataset, pair, yes, where, seed)

# %%
show(
    figures.biases(match, bias, match.radii[where]),
    settings,
    "comparison_biases",
    caption="Logarithmic error against inclination, gas fraction and "
    "asymmetry of the HI. Dots: views; circles: means in bins with five or "
    "more galaxies.",
    alt="Three panels of logarithmic error, against inclination, gas "
    "fraction and asymmetry: dots for views of two rotation-curve variants "
    "and the network, scattered about zero, and lines of means with error "
    "bars.",
    n=n_yes,
)

# %% [markdown]
# In {numref}`fig-comparison-biases` a constant offset from zero is a global bias; a slope is a dependence on that property.
#
# ## Galaxies without a regular disc
#
# The paper stresses that a network makes no assumption about the shape of the profile, nor about the isolation or dynamical state of the galaxy. The first is true by
# construction: the network returns twenty numbers. The second can be tested on the views that the rotation-curve method rejects.

# %%
no = ~yes if (~yes).any() else yes
error = np.nanmean(match.values(best_network), axis=1)
draws = match.bootstrap(np.ones(len(match), bool), seed)
refused, kept = (draws.mean(error, some) for some in (no, yes))
spread = np.hypot(refused.error / refused.value, kept.error / kept.value)

# %%
record(
    "contest-refused",
    refused.value,
    error=refused.error,
    n=len(np.unique(match.subhalo_id[no])),
    statement="Mean |dM/M| over all radii, network with all inputs, views "
    "that the rotation-curve method rejects",
)
record(
    "contest-refused-ratio",
    refused.value / kept.value,
    error=spread * refused.value / kept.value,
    n=galaxies,
    statement="Mean |dM/M| over all radii, network with all inputs, rejected "
    "views over accepted ones",
)

# %% [markdown]
# On the rejected views the network's mean error over all radii is {num}`contest-refused:.2f±`, which is {num}`contest-refused-ratio:.2f±` times its error on the
# accepted ones.
#
# ## Computing time
#
# Computing time seldom decides which method to use, but future surveys will have more galaxies than anyone can inspect individually. We measure the processor time from
# the cube to the mass model and the time to fit one halo; for the ensemble of networks, we measure the time to predict and the time to train.

# %%
curve_seconds = np.nanmedian(benchmark.seconds[yes])
fit_seconds = np.nanmedian(benchmark[opponent].seconds[yes])
training = float(predictions[best_network].attributes["seconds"])

# %%
ensemble = read_ensemble(load.models(settings), best_network)
inputs = dataset.inputs(match.rows, ensemble[0].channels)
for _ in range(2):  # the first round compiles, the second is timed
    begin = time.perf_counter()
    answers = [member.predict_ln(inputs) for member in ensemble]
network_seconds = (time.perf_counter() - begin) / len(match)

# %%
for id, seconds, what in (
    ("curve", curve_seconds, "rings and baryons of a view, processor time"),
    ("fit", fit_seconds, "halo fit of a view, processor time"),
    ("network", network_seconds, "prediction of a view, wall time"),
    ("training", training, "training of the ensemble, wall time, once"),
):
    record(
        f"contest-seconds-{id}",
        seconds,
        unit="s",
        n=galaxies,
        statement=f"Time for {what}",
    )

# %% [markdown]
# A rotation curve and its baryons take {num}`contest-seconds-curve:.2g`, a halo fit {num}`contest-seconds-fit:.2g`; the network takes
# {num}`contest-seconds-network:.2g` per view, after {num}`contest-seconds-training:.3g` of training. Neither includes the cost of the data: nights at a
# telescope for one, a simulation with thousands of galaxies for the other.
#
# ## What this shows, and what it does not
#
# :::{admonition} Read this before you quote the result
# :class: warning
# - In the embedded universe these are *not* TNG galaxies, nor real ones. Their haloes are NFW haloes contracted by the baryons, a shape close
#   to the assumption of the NFW variants; a recipe makes their gas streaming, warped and lopsided. The errors of the rotation curves depend on
#   that recipe.
# - The network was trained on galaxies of the *same* universe, which is an advantage that the rotation-curve method does not have. The chapter on another
#   simulation examines its performance on galaxies of a different universe.
# - The priors of the third variant come from dark-matter simulations and abundance matching, as do the relations of the embedded universe itself. That favours this variant.
# - The beam, the noise and the field of view are one choice ({doc}`06_hi_with_martini`). A sharper beam improves rotation curves more than networks.
# :::
# :::

# %% [markdown]
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# An astronomer who fully trusts neither method could average them. Take the mean of the network's $\ln M$ and of the rotation curve's, weighted by $1/\sigma^2$
# of each, and compare its mean $|\Delta M/M|$ with that of both. Where does averaging help, and what does the coverage above tell you about the weights?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# from dmlib.evaluation import per_view
#
# one, other = predictions["C/all"], benchmark["nfw_lcdm"]
# w = [1 / x.sigma_ln[yes] ** 2 for x in (one, other)]
# logs = [np.log(x.m_dm[yes]) for x in (one, other)]
# both = np.exp((w[0] * logs[0] + w[1] * logs[1]) / (w[0] + w[1]))
# draws = match.bootstrap(yes, seed)
# for m in (one.m_dm[yes], other.m_dm[yes], both):
#     error = draws.mean(per_view(match.truth[yes], m, "relative"))
#     print(error.value.round(2))
# ```
# Weights from intervals that are too narrow favour the overconfident method. Before averaging, rescale each $\sigma$ until its coverage is correct on
# validation galaxies.
# :::
#
# ## Summary
#
# - Both methods are compared with the truth on the same galaxies and radii with the same measure, and rejections are counted.
# - A rotation curve is most accurate over the radii that it covers and where the dark matter dominates; elsewhere it is as good as its prior.
# - A network makes a prediction for every galaxy, within the universe on which it was trained.
# - Credible intervals are conditional on the halo model; comparison with the truth shows by how much they are too narrow.
#
# ## What's next
#
# {doc}`15_sparc` treats real galaxies; the next chapter goes from a real HI cube to a dark-matter profile.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
