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
# (targets)=
# # The target profiles
#
# **Objective: measure, from the particles of each galaxy, the numbers that a network will be asked for, and know how far these numbers
# themselves can be trusted.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Groups, subhaloes, centrals and satellites | whose dark matter is counted | {doc}`03_simulation_and_selection` |
# | $M(<R) = V^2R/G$ | circular speeds are masses in disguise | {doc}`01_introduction` |
# | Standard deviation, Poisson noise | errors of counts | any first course in statistics |
#
# You will be able to
#
# 1. load one galaxy, centred and at rest, and take its circular speed apart;
# 2. say exactly what the target of the paper is, and how it differs between centrals and satellites;
# 3. tell at which radii the target is limited by the number of particles or by the softening of gravity;
# 4. see what a wrong periodic wrap does to a profile;
# 5. name the error that a predictor reaches without looking at any galaxy.
#
# Reading takes about 20 minutes, running a minute when the targets have to be measured first.

# %% tags=["parameters"]
universe = "embedded"  # written here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
subhalo_id = -1  # galaxy to look at; -1: a central of median stellar mass

# %%
import numpy as np

from dmlib import load
from dmlib import published_script_bugs as bugs
from dmlib.figures import show
from dmlib.figures import targets as figures
from dmlib.galaxy import load_galaxy
from dmlib.results import ARITHMETIC, recorder
from dmlib.settings import RADII_KPC, Settings
from dmlib.targets import (
    baseline_errors,
    group_over_subhalo,
    ln_profile,
    poisson_error,
)
from dmlib.universe.checks import RUNS
from dmlib.universe.fields import dm_particle_mass

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)

# %% [markdown]
# ## One galaxy
#
# A galaxy is read from the snapshot: the particles that are bound to its subhalo, relative to its centre (the most bound
# particle), with the galaxy's own velocity taken off.
# Some galaxies lie across a face of the periodic box, with one half at either end of the coordinate; their halves are put together
# first.

# %%
tree = load.universe(settings)
targets = load.targets(settings)
if subhalo_id < 0:
    centrals = np.flatnonzero(targets.is_true_central)
    by_mass = centrals[np.argsort(targets.m_star[centrals])]
    subhalo_id = int(targets.subhalo_id[by_mass[len(by_mass) // 2]])

# %%
galaxy = load_galaxy(tree, subhalo_id)
print(f"{galaxy.name}: {len(galaxy.dm)} particles of dark matter,")
print(f"{len(galaxy.stars)} of stars, {len(galaxy.gas)} gas cells")

# %% [markdown]
# The mass within a radius gives the speed of a circular orbit there, $V_\mathrm{circ} = \sqrt{G M(<R)/R}$, and since masses add, so do the
# squares of the speeds of the components.
# The twenty radii are the authors': from 1 to 100 kpc in equal steps of $\ln R$.

# %%
speeds = galaxy.v_circ(RADII_KPC)

# %%
show(
    figures.v_circ(RADII_KPC, speeds),
    settings,
    "v_circ",
    caption="Circular speed of one galaxy, from the mass within each radius, "
    "and what each component contributes.",
    alt="Circular speed against radius from 1 to 100 kpc for dark matter, "
    "stars, gas and their total. The curve of the dark matter rises and "
    "stays high to the outer radii; that of the stars peaks inside and "
    "falls; gas adds least where the stars are.",
    n=1,
)

# %%
inside = int(np.searchsorted(RADII_KPC, 10.0))
dark = 100 * (speeds["dm"][inside] / speeds["total"][inside]) ** 2
record = recorder(settings, chapter="targets")
record(
    "dark-part",
    dark,
    unit="%",
    n=1,
    statement=f"Dark part of the mass within {RADII_KPC[inside]:.1f} kpc",
    figure="v_circ",
)
record(
    "dark-radius",
    RADII_KPC[inside],
    unit="kpc",
    statement="First of the twenty radii beyond 10 kpc",
    universe=ARITHMETIC,
)

# %% [markdown]
# {numref}`fig-v-circ` is the picture of {doc}`01_introduction` from the other side. There the total was measured and the dark matter inferred;
# here each part is counted, particle by particle. Within {num}`dark-radius:.1f`, {num}`dark-part:.0f` of this galaxy's mass is dark.
#
# ## What is to be predicted
#
# The target of the paper, as the authors' scripts have it, is for each galaxy the **dark-matter mass within twenty radii**
# $R_i$ of the galaxy's centre, with three particulars:
#
# - it is *enclosed* mass, a sum from the centre outwards, and not density;
# - it counts **all dark matter of the friends-of-friends group**, not only what is bound to the galaxy;
# - networks are trained on its natural logarithm, $\ln M_i$.
#
# We measure it for all galaxies of the sample, for the group and for the subhalo alone, with stars and gas beside it. The result
# is the file `targets.hdf5`.

# %%
print(f"{len(targets)} galaxies, {len(targets.set_aside)} set aside")
print(*targets.set_aside.values(), sep="\n")
mean, spread = ln_profile(targets.m_dm)

# %%
show(
    figures.profiles(targets, mean, spread),
    settings,
    "target_profiles",
    caption="The targets: dark matter of the group within each radius, one "
    "line a galaxy, coloured by stellar mass. Mean and spread are those of "
    "$\\ln M$.",
    alt="Enclosed dark-matter mass against radius, both logarithmic, one "
    "line for each galaxy. All lines rise steadily, about parallel; galaxies "
    "with more stars lie higher. The mean and the spread about it are "
    "overlaid.",
    n=len(targets),
)

# %%
of_all = {"figure": "target_profiles", "n": len(targets)}
of = "Galaxies of the sample without a profile"
record("targets-aside", len(targets.set_aside), statement=of, **of_all)
for name, i in (("inner", 0), ("outer", -1)):
    middle = np.median(targets.m_dm[:, i])
    of = f"Median dark mass within {RADII_KPC[i]:.0f} kpc"
    record(f"targets-{name}", middle, unit="Msun", statement=of, **of_all)
ln_star, ln_dark = np.log(targets.m_star), np.log(targets.m_dm[:, -1])
r = np.corrcoef(ln_star, ln_dark)[0, 1]
of = "Correlation of ln M_DM(<100 kpc) with ln M_star"
record("targets-r-star", r, statement=of, **of_all)

# %% [markdown]
# From 1 to 100 kpc the median mass grows from {num}`targets-inner:.1e` to {num}`targets-outer:.1e` ({numref}`fig-target-profiles`).
# The lines are nearly parallel: what tells galaxies apart is mostly *how much* dark matter there is and less its run with radius.
# And it goes with the stars: the correlation with the stellar mass is {num}`targets-r-star:.2f` (in logarithms, within 100 kpc).
# A network can therefore go far by weighing the stars. Whether it does more is the question to keep in mind in later chapters.
#
# {num}`targets-aside` galaxies had to be set aside for want of dark matter.
#
# ## The group, or the subhalo?
#
# Around a central galaxy the difference is small: what belongs to the group but not to the galaxy is mostly far out, in satellites and between
# them. Around a satellite, 100 kpc can reach deep into the halo of its host.

# %%
show(
    figures.scopes(targets),
    settings,
    "target_scopes",
    caption="Dark matter of the whole group over dark matter bound to the "
    "galaxy, within each radius of the galaxy's centre; one line a galaxy.",
    alt="Ratio of group to subhalo dark mass against radius, one line a "
    "galaxy. Lines of centrals stay close to one; lines of satellites leave "
    "it at some radius, and some of them rise steeply.",
    n=len(targets),
)

# %%
ratio = group_over_subhalo(targets)[:, -1]
is_central = targets.is_true_central
of = "ratio of group to subhalo dark mass within 100 kpc"
for name, mask in (("central", is_central), ("satellite", ~is_central)):
    record(
        f"scope-{name}",
        np.median(ratio[mask]),
        n=int(mask.sum()),
        statement=f"Median {of}, {name}s",
        figure="target_scopes",
    )
record(
    "scope-largest",
    np.max(ratio),
    n=len(targets),
    statement=f"Largest {of}",
    figure="target_scopes",
)

# %% [markdown]
# Within 100 kpc a central's group holds {num}`scope-central:.2f` times what is bound to the galaxy (median), a satellite's
# {num}`scope-satellite:.2f` times, and in the worst case {num}`scope-largest:.0f` times ({numref}`fig-target-scopes`).
# Where a satellite is close to its host, the paper's target is, outside, the profile of somebody else's halo about an off-centre point; an
# image of the satellite can hardly tell.
# How many are that close depends on the simulation; the embedded universe puts its satellites where it was told to, so these numbers say nothing
# about TNG.
# Since the criterion `SubhaloParent = 0` lets satellites in ({doc}`03_simulation_and_selection`), this is part of the paper's task, and
# part of its error. Later chapters give errors for centrals and satellites apart.
#
# ## How well is the target itself known?
#
# **Particles.** A mass that is counted in $N$ equal particles has a relative error of $1/\sqrt N$: the simulated halo is one draw of a
# smooth distribution.
#
# **Softening.** Gravity between two particles is weakened below a softening length, 0.74 kpc for dark matter and stars in TNG100-1
# {cite}`Nelson2019`, since a few particles must not scatter like stars. The force is exact only beyond 2.8 times that {cite}`Springel2005`,
# 2.1 kpc, and profiles are commonly trusted from somewhat further out, where enough particles have had time to relax
# {cite}`Power2003`.

# %%
box, n_side = RUNS["TNG100-1"]
m_dm_tng = dm_particle_mass(
    omega_m=0.3089, omega_b=0.0486, h=0.6774, box=box, n_side=n_side
)

# %%
show(
    figures.resolution(targets, m_dm_tng),
    settings,
    "target_resolution",
    caption="Relative error of the target from the number of particles: "
    "median galaxy, and the range of the middle 68 per cent. Shaded on the "
    "left: radii within the softened force of TNG100-1.",
    alt="Relative error against radius, falling steeply from 1 kpc to 100 "
    "kpc, for the particles used here and for those of TNG100-1. The "
    "innermost radii are shaded.",
    n=len(targets),
)

# %%
median = np.median(targets.m_dm, axis=0)
for name, particle in (("here", targets.m_dm_particle), ("tng", m_dm_tng)):
    record(
        f"noise-{name}",
        100 * poisson_error(median, particle)[0],
        unit="%",
        n=len(targets),
        statement="Particle noise of the target at 1 kpc, median galaxy, "
        f"particles of {particle:.3g} Msun",
        figure="target_resolution",
    )
record(
    "mass-offset",
    100 * (bugs.M_DM_PUBLISHED / m_dm_tng - 1),
    unit="%",
    statement="Excess of the scripts' particle mass over the simulation's",
    universe="TNG100-1 (its published parameters)",
)

# %% [markdown]
# At 1 kpc the particles leave the target of a median galaxy uncertain by {num}`noise-here:.0f` in this copy; with those of
# TNG100-1 it would be {num}`noise-tng:.0f` ({numref}`fig-target-resolution`).
# No predictor can do better than the target's own noise, so errors at the two or three innermost radii must be read with that
# in mind.
# The galaxies of the embedded universe are drawn from smooth profiles and know no softening; in TNG the shaded radii say more about the code
# than about galaxies.
#
# The authors' scripts count particles of $7.5\times10^6\,M_\odot$ where the simulation has $7.46\times10^6$. That makes all masses
# {num}`mass-offset:.1f` too large, the same for all: harmless for a comparison of predictions with targets, and not to be
# forgotten when comparing with anything else. We use the mass that stands in the file.
#
# ## A box without edges, and a wrap that tears
#
# In a periodic box, the separation of two points is the *shortest* one: $\Delta x \to \Delta x - L\,\mathrm{round}(\Delta x/L)$, with $L$ and
# $\Delta x$ in the same unit.
# The authors' scripts instead move each *position* above 32500 by $-75000$, and then each below $-32500$ by $+75000$.
# Both numbers are meant for the catalogue's kpc$/h$, while the positions have been divided by $h$ before, so that the box is 110717 long.
# Follow a few positions through the two steps: 32501 goes to $-42499$ and comes back; 42501 goes to $-32499$ and stays there.
# So a galaxy that lies across the plane at 42500 kpc is torn in two, and one that lies across the box's face is not put together.
#
# A periodic box is the same everywhere, so we may put our galaxy where we like. Let us put it near either plane and measure.

# %%
host = load_galaxy(tree, subhalo_id, scope="group", velocities=False)
distances = (0.5, 10.0, 30.0)  # of the galaxy's centre from the plane [kpc]
planes = {f"plane at {bugs.TEAR:.0f} kpc": bugs.TEAR}
planes["face of the box"] = 0.0
cases = {
    title: [bugs.tear(host, distance, plane=at) for distance in distances]
    for title, at in planes.items()
}

# %%
show(
    figures.torn(RADII_KPC, cases),
    settings,
    "target_torn",
    caption="Dark matter that the wrap of the authors' scripts leaves of one "
    "galaxy, by the distance of its centre from the plane (left) or from the "
    "face of the box (right).",
    alt="Two panels of the fraction of dark mass found against radius. With "
    "the centre half a kiloparsec from the plane about half is lost at "
    "nearly all radii; at 10 and 30 kiloparsecs the loss begins at that "
    "radius.",
    n=1,
)

# %%
positions = load.sample(settings)["position"].to_value("kpc")
affected = int(bugs.near_planes(positions).sum())
torn_real = load.record("selection_tng100_subset")["measured"]["torn_by_wrap"]
of = "Galaxies whose profile the wrap tears"
record("torn-here", affected, n=len(positions), statement=of)
record(
    "torn-expected",
    100 * bugs.expected_torn(),
    unit="%",
    statement=f"{of}: share expected of galaxies spread evenly over a box",
    universe=ARITHMETIC,
)
record(
    "torn-real",
    torn_real["paper"],
    n=torn_real["of"],
    statement=f"{of}, of the paper's selection from real rows",
    universe="TNG100-1, 60 groups (records/selection_tng100_subset.json)",
)

# %% [markdown]
# Close to a plane half the galaxy is lost ({numref}`fig-target-torn`); further away the loss begins at the radius that reaches the plane. The two
# panels agree, because the tear is the same.
# Galaxies spread evenly over the box are touched by it with a chance of {num}`torn-expected:.1f`: {num}`torn-here` of this copy's sample
# would be, and of the {num}`real-flag` real galaxies of {doc}`03_simulation_and_selection` {num}`torn-real` is.
# Few enough to pass unnoticed in an average, and each of them a wrong answer in the training set.
# dmlib wraps separations, in one unit, and tests that a halo on the corner of the box has the profile of the same halo in its middle.
#
# ## What one can do without looking
#
# How good is a good prediction? Two predictors that look at no galaxy set the scale.
# One answers with the **mean** $\ln M_i$ of the other galaxies. Its error is the spread of the targets.
# The other, the authors' *random baseline*, answers with a random draw from a normal distribution of that mean and spread; it errs by its own
# scatter as well, and so should come out worse by $\sqrt2$.

# %%
errors = baseline_errors(targets.m_dm, seed=seed)

# %%
show(
    figures.baselines(targets, errors),
    settings,
    "target_baselines",
    caption="Root mean square error of $\\ln M$ of two predictors that look "
    "at nothing, with bootstrap errors over galaxies (bands), and the "
    "particle noise of the targets.",
    alt="Error of ln M against radius for the random draw, the mean profile "
    "and the particle noise. The random draw lies highest, the mean profile "
    "lower, the noise falls steeply from the inner radius outwards.",
    n=len(targets),
)

# %%
best = int(np.argmin(errors["mean"]))
radius, shown = RADII_KPC[best], {"figure": "target_baselines"}
of = "Radius of the smallest spread"
record("baseline-best-radius", radius, unit="kpc", statement=of, **shown)
for name, i in (("inner", 0), ("best", best), ("outer", -1)):
    record(
        f"baseline-{name}",
        errors["mean"][i],
        error=errors["mean_error"][i],
        n=errors["used"][i],
        statement=f"Error of ln M of the mean at {RADII_KPC[i]:.1f} kpc",
        **shown,
    )
worse = np.mean(errors["random"] / errors["mean"])
of = "Error of the random draw over that of the mean, all radii"
record("baseline-random", worse, statement=of, **shown)

# %% [markdown]
# The mean profile errs by {num}`baseline-inner:.2f±` at 1 kpc, {num}`baseline-best:.2f±` at {num}`baseline-best-radius:.0f`, where the
# galaxies of this copy are most alike, and {num}`baseline-outer:.2f±` at 100 kpc ({numref}`fig-target-baselines`).
# (An error of 0.3 in $\ln M$ is about 30 per cent in $M$.)
# The random draw is worse by a factor {num}`baseline-random:.2f`, on average over the radii.
#
# This is why the book gives every error next to the mean profile's. An error of 0.4 may be a great success or nothing at all: it depends
# on how different the galaxies were to begin with, and that is a property of the *sample*.
# The paper's "below 0.2" and "below 0.3" at intermediate radii are errors of TNG galaxies. Its comparison is the spread there, which we have not
# measured, as it takes the particles of TNG; the numbers above belong to the universe of this copy and to no other.
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# How much does a predictor gain that knows the stellar mass and nothing else? Fit a straight line of $\ln M_i$ against $\ln M_\star$ at
# each radius, and compare the scatter about the line with the error of the mean profile. At which radii does the stellar mass help most?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# x = np.log(targets.m_star)
# scatter = []
# for i in range(len(RADII_KPC)):
#     used = targets.m_dm[:, i] > 0
#     y = np.log(targets.m_dm[used, i])
#     line = np.polyfit(x[used], y, 1)
#     scatter.append(np.std(y - np.polyval(line, x[used]), ddof=2))
# for radius, line, mean in zip(RADII_KPC, scatter, errors["mean"]):
#     print(f"{radius:6.1f} kpc  {line:.2f}  {mean:.2f}")
# ```
# The gain is least in the centre, where galaxies of one mass still differ in how concentrated their haloes are and where few particles are
# counted. It grows outwards to some tens of kpc, where the enclosed mass follows the mass of the whole halo, which goes with the stars; at the
# last radii the neighbours of satellites spoil it a little.
# A network that sees images must beat *this* line before one may say that it has learnt more than to weigh the stars.
# :::
#
# ## Summary
#
# - The target is the dark matter of the whole FoF group within twenty radii from 1 to 100 kpc of the galaxy's centre, learnt as $\ln M$.
# - For satellites it includes the host: up to {num}`scope-largest:.0f` times the bound mass within 100 kpc in this copy's universe.
# - At 1 kpc the target has a noise of {num}`noise-here:.0f` here and would have {num}`noise-tng:.0f` with the particles of TNG100-1, inside the
#   softened force.
# - A wrap of positions in the wrong unit tears galaxies at two planes an axis; separations must be wrapped.
# - The mean profile, which looks at nothing, errs by {num}`baseline-best:.2f` at best. That is the bar.
#
# ## What's next
#
# The next chapters observe the galaxies: {doc}`images of their stars <05_photometry_with_skirt>`, and
# {doc}`maps of their hydrogen <06_hi_with_martini>`.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
