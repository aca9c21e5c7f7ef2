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
# (conclusions)=
# # Conclusions, claim by claim
#
# **Objective: say for each conclusion of the paper, and for each item of its future work, what this book found, on which galaxies, and how surely.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | None | this chapter can be read first | |
# | Any chapter | each section links to the one that measured its numbers | {doc}`/claims` has all claims in one table |
#
# You will be able to
#
# 1. state the paper's six conclusions and its three items of future work;
# 2. quote for each a number with its error, its sample and its universe, and the verdict that follows;
# 3. tell a result on the embedded universe from one on real simulations or real galaxies;
# 4. name what none of these results can tell, and begin one of three open projects.
#
# Reading takes about 15 minutes, running a second: everything on this page was measured by the chapters before it, and written into it when the book was built.

# %% [markdown]
# The paper {cite}`deLosRios2023` trains convolutional networks on images of galaxies of IllustrisTNG, in starlight and in the 21 cm line, to predict the dark-matter mass within 20 radii from 1 to 100 kpc. This book repeats it on galaxies that anybody can generate. In short:
#
# ```{found}
# chapter: conclusions
# ```
#
# **How to read this page.** Each section quotes the paper, then gives our number and the verdict that is computed from it. *Met*, *not met* and *undecided within the error* refer to a criterion that was fixed with the chapter; the table prints it where it was changed later. A verdict is given where our number is at least one standard deviation σ away from the criterion; the table says how many. The box above calls a difference decided from two σ on.
# Unless a section says otherwise, numbers are from the universe of this copy, by default the **embedded universe**: galaxies that this project draws from measured relations. A verdict there says that the method can, or cannot, do this on galaxies of that kind. It is no result on TNG.
# An estimate of the least error that is attainable there, the information floor, stands beside the error where there is one.

# %% tags=["parameters"]
universe = "embedded"  # whose numbers the page shows
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # the simulation's output folder, for universe "files"

# %%
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
print(f"Conclusions from: {settings.label}.")

# %% [markdown]
# ## The paper's conclusions
#
# ### Conclusion 1: the profile is reconstructed with high performance throughout the galaxy
#
# ```{claims-table} paper
# :claims: whole-profile
# ```
#
# The paper gives no number, so the criterion is ours: at the worst radius, at most half of the variance of $\ln M$ may remain unexplained. The inner radii are hard here whatever the network: the target itself is a count of particles and scatters by {num}`target-noise-1kpc:.0%±` at 1 kpc
# with the particles of this copy ({doc}`04_target_profiles`). The floor in the same measure is given beside our number. {doc}`10_networks` has the error at every radius, for each architecture, beside boosted trees on catalogue quantities.
#
# ### Conclusion 2: it is best at intermediate radii, with a mean square error below 0.2 from all photometric and spectroscopic information
#
# ```{claims-table} paper
# :claims: intermediate-all
# ```
#
# The slides do not say what the error is relative to, nor whether the mean square is of the mass or of its logarithm, nor which radii are intermediate. We take 5 to 50 kpc and give each reading its own verdict, the strictest first. From 5 to 50 kpc the mean absolute error of the ensemble is {num}`inputs-all-intermediate:.1%±`, that of A, the architecture of the talk, {num}`net-a-intermediate:.1%±` ({doc}`10_networks`);
# the difference of the ensemble to boosted trees on the same galaxies is {num}`inputs-all-less-boosted:+.1%±` (negative where the network is better, {doc}`11_inputs`). A network should be compared with such trees, not with zero.
#
# ### Conclusion 3: even without spectroscopy the error is below 0.3 at intermediate radii
#
# ```{claims-table} paper
# :claims: intermediate-photometry
# ```
#
# What does the 21 cm line add? On the same galaxies the HI maps change the mean error at intermediate radii by {num}`inputs-gain-hi-intermediate:+.1%±` (negative: they help; {doc}`11_inputs`). How much they *can* add is built into the embedded universe, where gas rotates in the potential of the halo, less its pressure support.
#
# ### Conclusion 4: the mean absolute error is always below about 0.25, for $10^{11}$ to $10^{13}\,M_\odot$
#
# ```{claims-table} paper
# :claims: mae-all-radii
# ```
#
# "Always" makes this the strictest claim: it is decided by the worst radius, {num}`inputs-mae-at:.1f` here. The range of masses is that of the abstract.
#
# ### Conclusions 5 and 6: nothing is assumed on the shape of the profile, nor on isolation or dynamical state
#
# ```{claims-table} paper
# :claims: no-assumption
# ```
#
# As a statement on the code it is true: twenty masses come out, and no halo model is in between. As a statement on results it needs a test: are the errors the same where a fit would have to assume something? The rows compare galaxies with disturbed and with regular gas, and satellites and centrals, at the same inclinations, for our ring network C and for A, the architecture of the talk ({doc}`17_comparison`). A ratio below 1 would be no advantage of disturbed gas, for which we know no reason: these galaxies are few, and are matched in inclination only.
# What a network does assume is its training set. In universes whose haloes differ in their inner parts from those of its training, by their contraction or by a core, a network errs {num}`rob-inner-inner-halo:.2f±` times as much within 5 kpc as one that was trained there, and {num}`rob-network-mean-inner-halo:.2f±` times from 5 to 50 kpc ({doc}`19_robustness`). Where such a ratio exceeds 1, the shape of the profile is not assumed but learned.
#
# ### Further claims of the slides, the abstract and the follow-up
#
# ```{claims-table} paper
# :claims: uncertainty saliency equivariant
# ```
#
# The factor over the mean profile is {num}`net-gain-mean:.1f±` for C and {num}`net-gain-a:.1f±` for A, the architecture of the talk ({doc}`10_networks`).
#
# ## Its future work
#
# ### Comparison with rotation curves
#
# ```{claims-table} paper
# :claims: rotation-curves
# ```
#
# {doc}`17_comparison` lets a fit of the rotation curve learn from the galaxies that the network was trained on, and judges both on the same galaxies and radii. Of all test views {num}`contest-accepted:.0f` have an accepted rotation curve; for the others only the network has an answer. On real galaxies nobody knows the population so well: with priors from published relations the error within 11 to 19 kpc is
# {num}`contest-perfect-nfw-lcdm-observed:.1%±` instead of {num}`contest-perfect-population-observed:.1%±`, and without any priors {num}`contest-perfect-nfw-observed:.1%±`, of which {num}`contest-perfect-nfw:.1%±` would remain if the inclination and the masses of stars and gas were known.
#
# ### Robustness to the hydrodynamical simulation
#
# ```{claims-table} paper
# :claims: other-simulation
# ```
#
# {doc}`19_robustness` changes one thing at a time, with the same {num}`rob-test` test galaxies in all universes. Where the observation differs, the error of the network is {num}`rob-network-mean-observation:.2f±` times that of one trained there; where haloes differ at given stars, {num}`rob-network-mean-stars-and-haloes:.2f±` times. (These networks had {num}`rob-train` training galaxies and one short training each, whose luck is part of these errors: over {num}`rob-luck.n` seeds the mean of all universes is {num}`rob-seeds-network-mean-all:.2f±`, of those observed in another way {num}`rob-seeds-network-mean-observation:.2f±` and of those with other haloes {num}`rob-seeds-network-mean-stars-and-haloes:.2f±`, with the scatter of one seed.)
# Of {num}`rob-large` pairs of universes with a large error the network's own alarm is silent in {num}`rob-silent`.
# Two **real** simulations differ in their haloes at given stars: a formula of the stellar mass that was fitted to TNG100 is biased by {num}`rob-real-bias-m200-tng-eagle:+.2f±` in the logarithm of the halo mass when it is applied to EAGLE, while within the stellar half-mass radius its bias is {num}`rob-real-bias-rhalf-tng-eagle:+.2f±`.
#
# ### Real galaxies
#
# ```{recorded} real-agree
# :::{table} The paper's plan for real galaxies.
#
# | What the paper says | What was done | On | Verdict |
# |---|---|---|---|
# | to be applied to real galaxies | a network on HI maps applied to the WHISP cube of NGC 2903, matched to the training data ({doc}`18_real_cubes`) | one galaxy | none: its dark matter is not known |
# :::
# ```
#
# ```{not-recorded} real-agree
# :::{table} The paper's plan for real galaxies.
#
# | What the paper says | What was done | On | Verdict |
# |---|---|---|---|
# | to be applied to real galaxies | this copy was made without the cube of NGC 2903, so that a network on HI maps was applied to a cube of one of its own training galaxies, as a telescope would deliver it ({doc}`18_real_cubes`) | no real galaxy | none |
# :::
# ```
#
# Of the views that the network was trained on, {num}`real-beyond:.1f` lie further from their mean than this galaxy.
#
# ```{recorded} real-ratio-20
# The dark mass that the network predicts for it near 5 kpc is {num}`real-ratio-5:.2f` times that of a mass model of its rotation curve, near 20 kpc {num}`real-ratio-20:.2f` times. The network was trained on the universe of this copy.
# ```
#
# ```{recorded} real-true-20
# The galaxy is simulated: near 20 kpc the mass model has {num}`real-true-20:.2f` times its true dark mass.
# ```
#
# ```{not-recorded} real-true-20
# Where network and mass model disagree, one real galaxy does not tell which is wrong.
# ```
#
# ## The scripts
#
# Checks of the authors' public scripts are not conclusions of the paper, but they bear on them. The most consequential: the indices of the split are computed and never used, so that validation and test galaxies are also training galaxies ({doc}`07_data_set`), and the cut `SubhaloParent = 0` does not select centrals ({doc}`03_simulation_and_selection`).
#
# ```{claims-tally} scripts
# ```
#
# ## What none of this can tell
#
# - **How the paper's networks perform on TNG100.** Its images, HI cubes and weights are not public, and neither are the particles without an account. The embedded universe has TNG's relations between catalogue quantities, as far as they were measured. What an image tells beyond these is decided by how it is drawn.
# - **Whether the network or the rotation curve is better on the sky.** Both are judged here with motions and noise that we chose.
# - **Which architecture is best for a million galaxies.** All trainings here have a few hundred.
# - **Whether anything but the training set protects a network.** Ten controlled universes are not all universes. They can show that a difference hurts; they cannot show that it is harmless elsewhere.
# - **What a verdict at profile `quick` would be at `paper`.** Errors are stated for the galaxies that were used; the finite training is part of the result.
#
# ## Three open projects
#
# **1. The same book on TNG.** With an account, everything above is measured on real simulated galaxies, without a change of code. Estimate first:
#
# ```bash
# export TNG_API_KEY=...
# dmlib fetch --plan --universe api
# dmlib run --universe api --sample 100
# ```
#
# **2. Two real simulations, with images.** {doc}`19_robustness` stops where particles are needed. TNG50-1 and TNG100-1 share their code and differ in resolution, the original Illustris also in its physics; all three have the same format.
#
# ```bash
# DMLIB_SIMULATION=TNG50-1 dmlib fetch --plan --universe api
# DMLIB_SIMULATION=Illustris-1 DMLIB_SNAPSHOT=135 \
#   dmlib fetch --plan --universe api
# ```
#
# **3. A universe of your own.** Which difference does a network survive? Add a version of the physics to `PHYSICS` in `mocktng/galaxies.py` and a line to `VARIATIONS` in `dmlib/evaluation/universes.py`, and the matrix of {doc}`19_robustness` has one more row and column.
#
# ```bash
# mocktng write my_universe --galaxies 40 --physics cored
# dmlib run --profile smoke --only 19_robustness
# ```
#
# :::{admonition} Exercise
# :class: tip
# Read one number of this page back to its origin: open `results.json` in the build folder, find its id, and name the chapter, the universe, the number of galaxies and the figure.
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# import json
#
# rows = json.loads(settings.results_path.read_text())
# print(next(row for row in rows if row["id"] == "winner-measured"))
# ```
# In the book, hovering over a number shows the same. Each row says on what it was measured, so that a number on the embedded universe cannot pass for one on TNG.
# :::

# %% [markdown]
# ## Summary
#
# ```{claims-tally} paper
# ```
#
# ## What's next
#
# {doc}`/claims` has every claim with its criterion in one table, {doc}`/with_tng` says how to run the book on TNG, {doc}`/real_data` on your own data.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
