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
# **Objective: measure, from the particles of each galaxy, the numbers that a network will predict, and learn how reliable these numbers are themselves.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Groups, subhaloes, centrals and satellites | which dark matter is counted | {doc}`03_simulation_and_selection` |
# | $M(<R) = V^2R/G$ | circular speeds measure mass | {doc}`01_introduction` |
# | Standard deviation, Poisson noise | errors of counts | any first course in statistics |
#
# You will be able to
#
# 1. load one galaxy, centred and at rest, and decompose its circular speed;
# 2. define the target of the paper exactly, and say how it differs between centrals and satellites;
# 3. say at which radii the number of particles or the softening of gravity limits the target;
# 4. see what a wrong periodic wrap does to a profile;
# 5. state the error that a predictor reaches without looking at any galaxy.
#
# Reading takes about 20 minutes, running a minute if the targets have to be measured first.

# %% [markdown]
# ```{found}
# chapter: targets
# # The book fills this box from the recorded numbers.
# ```

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
subhalo_id = -1  # galaxy to show; -1: a central of median stellar mass
n_haloes = 12  # haloes that are drawn many times, to measure their noise
n_draws = 60  # times that each of them is drawn

# %%
import numpy as np

from dmlib import embedded, load
from dmlib import published_script_bugs as bugs
from dmlib.bootstrap import median_of_views
from dmlib.figures import sample as figures
from dmlib.figures import show
from dmlib.galaxy import load_galaxy
from dmlib.results import ARITHMETIC, recorder
from dmlib.settings import PROFILES, RADII_KPC, Settings
from dmlib.targets import (
    COUNTED,
    baseline_errors,
    count_noise,
    group_over_subhalo,
    ln_mass,
    ln_profile,
)
from dmlib.universe.release import RUNS, dm_particle_mass

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)

# %% [markdown]
# ## One galaxy
#
# A galaxy is read from the snapshot: the particles bound to its subhalo, with positions relative to its centre (the most bound particle) and velocities
# relative to the galaxy's own.
# Some galaxies lie across a face of the periodic box, with one half at each end of the coordinate range; their halves are joined first.

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
# The mass within a radius gives the speed of a circular orbit there, $V_\mathrm{circ} = \sqrt{G M(<R)/R}$.
# Since masses add, the squares of the speeds of the components add too.
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
    "stays high to the outer radii; that of the stars peaks at small radii "
    "and falls; gas contributes least where the stars are.",
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
    statement=f"Dark fraction of the mass within {RADII_KPC[inside]:.1f} kpc",
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
# {numref}`fig-v-circ` reverses the approach of {doc}`01_introduction`.
# There the total was measured and the dark matter inferred; here each component is counted, particle by particle.
# Within {num}`dark-radius:.1f`, {num}`dark-part:.0f` of this galaxy's mass is dark.
#
# ## The quantity to be predicted
#
# According to the authors' scripts, the target of the paper is the **dark-matter mass within twenty radii** $R_i$ of each galaxy's centre.
# Three details matter:
#
# - it is *enclosed* mass, a sum from the centre outwards, not density;
# - it counts **all dark matter of the friends-of-friends group**, not only what is bound to the galaxy;
# - networks are trained on its natural logarithm, $\ln M_i$.
#
# We measure it for all galaxies of the sample, for the group and for the subhalo alone, together with stars and gas.
# The result is the file `targets.hdf5`.

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
    "line per galaxy, coloured by stellar mass. Mean and spread are those of "
    "$\\ln M$.",
    alt="Enclosed dark-matter mass against radius, both logarithmic, one "
    "line for each galaxy. All lines rise steadily, and many cross each "
    "other; galaxies with more stars lie higher. The mean and the spread "
    "about it are overlaid.",
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
ln_inner = ln_mass(targets.m_dm[:, 0])
both = np.isfinite(ln_inner)
r = np.corrcoef(ln_inner[both], ln_dark[both])[0, 1]
of = "Correlation of ln M_DM(<1 kpc) with ln M_DM(<100 kpc)"
record("targets-r-ends", r, statement=of, **of_all)

# %% [markdown]
# From 1 to 100 kpc the median mass grows from {num}`targets-inner:.1e` to {num}`targets-outer:.1e` ({numref}`fig-target-profiles`).
# If galaxies differed only in *how much* dark matter they have, the lines would be parallel. They are not: they form a bundle that is narrowest at
# {num}`baseline-best-radius:.0f`, and a galaxy with much dark matter within 1 kpc need not have much within 100 kpc (the correlation of the two logarithms is
# {num}`targets-r-ends:.2f`).
# The dark mass also correlates with the stellar mass, with a coefficient of {num}`targets-r-star:.2f` (in logarithms, within 100 kpc).
# A network can therefore do well just by weighing the stars.
# Later chapters must show whether it does more.
#
# {num}`targets-aside` galaxies had to be set aside because they lack dark matter.
#
# ## Group or subhalo?
#
# Around a central galaxy the difference is small: most matter that belongs to the group but not to the galaxy is far out, in satellites and between them.
# Around a satellite, 100 kpc can extend deep into the halo of its host.

# %%
show(
    figures.scopes(targets),
    settings,
    "target_scopes",
    caption="Dark matter of the whole group over dark matter bound to the "
    "galaxy, within each radius of the galaxy's centre; one line per galaxy.",
    alt="Ratio of group to subhalo dark mass against radius, one line per "
    "galaxy. Lines of centrals stay close to one; lines of satellites depart "
    "from it at some radius, and some of them rise steeply.",
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
# Within 100 kpc the group of a central contains {num}`scope-central:.2f` times the dark mass bound to the galaxy (median), that of a satellite
# {num}`scope-satellite:.2f` times, and in the worst case {num}`scope-largest:.0f` times ({numref}`fig-target-scopes`).
# Where a satellite is close to its host, the paper's target at large radii is the profile of the host's halo about an off-centre point; an image of the
# satellite can hardly show this.
# How many satellites are that close depends on the simulation; the embedded universe places its satellites by construction, so these numbers say nothing about TNG.
# Since the criterion `SubhaloParent = 0` includes satellites ({doc}`03_simulation_and_selection`), this is part of the paper's task, and part of its error.
# {doc}`10_networks` gives errors for centrals and satellites separately.
#
# ## How accurate is the target itself?
#
# **Particles.** A simulated halo is one random realisation of a smooth distribution.
# If its particles are independent of each other, a mass counted from $N$ of them has a relative error of $1/\sqrt N$, Poisson's law.
# The embedded universe draws them independently, so here the law can be tested: we draw the same haloes many times, each time anew, and look at the scatter
# of the mass within each radius.
# We do so with the particle mass of each profile of this book; that of `paper` is the one of TNG100-1.
#
# In a simulation proper the particles of a halo are not drawn, but have moved in its potential for many orbits, and hence are mixed as if they had been.
#
# **Softening.** Gravity between two particles is weakened below a softening length, 0.74 kpc for dark matter and stars in TNG100-1 {cite}`Nelson2019`,
# because a few particles must not scatter like stars.
# The force is exact only beyond 2.8 times that length {cite}`Springel2005`, 2.1 kpc, and profiles are commonly trusted only from somewhat further out,
# where enough particles have had time to relax {cite}`Power2003`.

# %%
box, n_side = RUNS["TNG100-1"].box, RUNS["TNG100-1"].n_side
m_dm_tng = dm_particle_mass(
    omega_m=0.3089, omega_b=0.0486, h=0.6774, box=box, n_side=n_side
)

# %%
plan = embedded.population(settings)
ids = embedded.selected(plan, settings.selection)
by_mass = ids[np.argsort(plan.subhalos["m_dm"][ids])]
ranks = np.linspace(0.1, 0.9, min(n_haloes, len(ids)))
haloes = by_mass[(ranks * (len(ids) - 1)).astype(int)]

# %%
noise = {}
for name, each in PROFILES.items():
    drawn = embedded.realise(
        settings, haloes, RADII_KPC, n_draws, m_dm=each.m_dm
    )
    noise[name] = count_noise(RADII_KPC, drawn, each.m_dm, seed=seed)

# %%
labels = {
    f"{name}: {found.m_particle / 1e6:.3g} million M$_\\odot$": found
    for name, found in noise.items()
}
show(
    figures.noise(RADII_KPC, labels),
    settings,
    "target_noise",
    caption="Relative scatter of the dark mass within each radius over many "
    "realisations of the same haloes, for the particle mass of each profile "
    "of the book. Points and bars: median halo and the middle 68 per cent; "
    "lines: Poisson's law $1/\\sqrt{N}$ for the median. Shaded: radii where "
    "the force in TNG100-1 is softened.",
    alt="Relative scatter against radius, falling steeply from 1 kpc to 100 "
    "kpc; three series of points, lower for lighter particles, each on its "
    "own line. The innermost radii are shaded.",
    n=len(haloes),
)

# %% [markdown]
# Compare the points of {numref}`fig-target-noise`, which are measured, with the lines, which are $1/\sqrt N$: they should agree as long as the radius holds only a
# small part of the halo.

# %%
of_drawn = {"figure": "target_noise", "n": len(haloes), "universe": "embedded"}
for name, found in noise.items():
    mass = f"particles of {found.m_particle:.3g} Msun"
    record(
        f"target-noise-{name}",
        np.nanmedian(100 * found.relative[:, 0]),
        unit="%",
        statement=f"Scatter of the target at 1 kpc, median halo, {mass}",
        **of_drawn,
    )
    record(
        f"target-noise-{name}-ratio",
        found.over_poisson,
        statement=f"Scatter of the target over Poisson's law within "
        f"{COUNTED:g} kpc, {mass}",
        **of_drawn,
    )

# %%
found = noise[profile]
middle, error = median_of_views(
    found.relative, np.arange(len(haloes)), seed=seed
)
record(
    "target-noise-1kpc",
    middle[0],
    error=error[0],
    statement="Relative scatter of the target at 1 kpc, median halo",
    **of_drawn,
)
record(
    "target-noise-radius",
    RADII_KPC[np.argmax(middle < 0.05)],
    unit="kpc",
    statement="First radius with a scatter of the target below 5 per cent, "
    "median halo",
    **of_drawn,
)

# %%
record(
    "mass-offset",
    100 * (bugs.M_DM_PUBLISHED / m_dm_tng - 1),
    unit="%",
    statement="Excess of the scripts' particle mass over the simulation's",
    universe="TNG100-1 (its published parameters)",
)

# %% [markdown]
# Within 5 kpc the scatter of the realised haloes is {num}`target-noise-quick-ratio:.3f±` times $1/\sqrt N$ with the particles of `quick`, and
# {num}`target-noise-paper-ratio:.3f±` times with those of TNG100-1 ({numref}`fig-target-noise`): the target is a Poisson count, as expected.
# Further out the points fall below the line, because the number of particles of the whole halo does not vary.
#
# At 1 kpc the scatter of the median halo is {num}`target-noise-smoke:.0f` with the particles of `smoke`, {num}`target-noise-quick:.0f` with those of
# `quick` and {num}`target-noise-paper:.0f` with those of TNG100-1.
# No predictor can foresee it: it is an error of the target, which adds to that of the prediction, even of a perfect one.
# In this copy it is below 5 per cent from {num}`target-noise-radius:.1f` on.
# The galaxies of the embedded universe are drawn from smooth profiles without softening; in TNG the shaded radii say more about the code than about galaxies.
#
# The authors' scripts count particles of $7.5\times10^6\,M_\odot$ where the simulation has $7.46\times10^6$.
# All masses are therefore {num}`mass-offset:.1f` too large.
# This does not affect a comparison of predictions with targets, but it matters for any comparison with other data.
# We use the mass given in the file.
#
# ## A periodic box, and a wrap that tears galaxies apart
#
# In a periodic box, the separation of two points is the *shortest* one: $\Delta x \to \Delta x - L\,\mathrm{round}(\Delta x/L)$, with $L$ and $\Delta
# x$ in the same unit.
# The authors' scripts instead move each *position* above 32500 by $-75000$, and then each below $-32500$ by $+75000$.
# Both numbers are meant for the catalogue's kpc$/h$, but the positions have already been divided by $h$, so that the box is 110717 long.
# Follow a few positions through the two steps: 32501 goes to $-42499$ and comes back; 42501 goes to $-32499$ and stays there.
# A galaxy across the plane at 42500 kpc is therefore torn in two, and one across the face of the box is not joined.
#
# A periodic box has no preferred origin, so we may place our galaxy anywhere.
# We put it near each of the two planes and measure its profile.

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
    caption="Fraction of a galaxy's dark matter left by the wrap of the "
    "authors' scripts, for several distances of its centre from the plane "
    "(left) or from the face of the box (right).",
    alt="Two panels of the fraction of dark mass found against radius. With "
    "the centre half a kiloparsec from the plane about half is lost beyond "
    "the innermost radii; at 10 and 30 kiloparsecs the loss begins at that "
    "radius.",
    n=1,
)

# %%
positions = load.sample(settings)["position"].to_value("kpc")
affected = int(bugs.near_planes(positions).sum())
torn_real = load.record("selection_tng100_subset")["measured"]["torn_by_wrap"]
of = "Galaxies whose profile is torn by the wrap"
record("torn-here", affected, n=len(positions), statement=of)
record(
    "torn-expected",
    100 * bugs.expected_torn(),
    unit="%",
    statement=f"{of}: fraction expected for a uniform distribution in a box",
    universe=ARITHMETIC,
)
record(
    "torn-real",
    torn_real["paper"],
    n=torn_real["of"],
    statement=f"{of}, in the paper's selection of real rows",
    universe="TNG100-1, 60 groups (records/selection_tng100_subset.json)",
)

# %% [markdown]
# Close to a plane half the galaxy is lost ({numref}`fig-target-torn`); further away the loss begins at the radius that reaches the plane.
# The two panels agree, because the tear is the same.
# For galaxies spread evenly over the box, the probability of being affected is {num}`torn-expected:.1f`.
# Of this copy's sample {num}`torn-here` would be affected; of the {num}`real-flag` real galaxies of {doc}`03_simulation_and_selection`, {num}`torn-real` is.
# These are few enough to go unnoticed in an average, but each is a wrong target in the training set. dmlib wraps separations, in one unit, and tests
# that a halo on the corner of the box has the same profile as in its middle.
#
# ## Baselines that look at no galaxy
#
# When is a prediction good? Two predictors that look at no galaxy set the scale.
# One predicts the **mean** $\ln M_i$ of the other galaxies.
# Its error is the spread of the targets.
# The other, the authors' *random baseline*, predicts a random draw from a normal distribution with that mean and spread; its own scatter adds to the
# error, so it should be worse by $\sqrt2$.

# %%
errors = baseline_errors(targets.m_dm, seed=seed)

# %%
show(
    figures.baselines(targets, errors),
    settings,
    "target_baselines",
    caption="Root mean square error of $\\ln M$ of two predictors that look "
    "at no galaxy, with bootstrap errors over galaxies (bands), and the "
    "particle noise of the targets. The information floor, of an observer "
    "who looks at each galaxy, is in {doc}`/notebooks/10_networks`.",
    alt="Error of ln M against radius for the random draw, the mean profile "
    "and the particle noise. The random draw has the largest error, the mean "
    "profile a smaller one; the noise falls steeply from the inner radius.",
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
# The error of the mean profile is {num}`baseline-inner:.2f±` at 1 kpc, {num}`baseline-best:.2f±` at {num}`baseline-best-radius:.0f`, where the galaxies
# of this copy are most alike, and {num}`baseline-outer:.2f±` at 100 kpc ({numref}`fig-target-baselines`).
# (An error of 0.3 in $\ln M$ is about 30 per cent in $M$.)
# The random draw is worse by a factor {num}`baseline-random:.2f`, on average over the radii.
# Centrals and satellites may differ from their own kind by different amounts, so we compute the error of the mean among each kind alone:

# %%
for name, mask in (("central", is_central), ("satellite", ~is_central)):
    if mask.sum() < 3:
        continue
    alone = baseline_errors(targets.m_dm[mask], seed=seed)
    for where, i in (("inner", 0), ("outer", -1)):
        record(
            f"baseline-{name}-{where}",
            alone["mean"][i],
            error=alone["mean_error"][i],
            n=alone["used"][i],
            statement=f"Error of ln M of the mean of {name}s among {name}s "
            f"at {RADII_KPC[i]:.0f} kpc",
        )
    ends = (alone["mean"][0], alone["mean"][-1])
    print(
        f"{mask.sum()} {name}s: {ends[0]:.2f} at 1, {ends[1]:.2f} at 100 kpc"
    )

# %% [markdown]
# Within 100 kpc satellites also differ by the hosts that they are in, and by their places in them.
#
# For this reason the book gives every error together with that of the mean profile.
# An error of 0.4 may be a great success or worthless: it depends on how different the galaxies are, and that is a property of the *sample*.
# The paper's "below 0.2" and "below 0.3" at intermediate radii are errors for TNG galaxies.
# They must be compared with the spread in TNG, which we have not measured because that requires the particles of TNG; the numbers above apply only to
# the universe of this copy.
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# How much does a predictor gain from the stellar mass alone?
# Fit a straight line of $\ln M_i$ against $\ln M_\star$ at each radius, and compare the scatter about the line with the error of the mean profile.
# At which radii does the stellar mass help most?
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
# The gain is smallest in the centre, where galaxies of the same mass still differ in the concentration of their haloes and where few particles are counted.
# It grows outwards to some tens of kpc, where the enclosed mass follows the mass of the whole halo, which correlates with the stars; at the last radii
# the neighbours of satellites reduce it slightly.
# A network that sees images must do better than *this* line before we can say that it has learnt more than to weigh the stars.
# :::
#
# ## Summary
#
# - The target is the dark matter of the whole FoF group within twenty radii from 1 to 100 kpc of the galaxy's centre, learnt as $\ln M$.
# - For satellites it includes the host: up to {num}`scope-largest:.0f` times the bound mass within 100 kpc in this copy's universe.
# - The target is a count of particles, with Poisson noise: at 1 kpc it scatters by {num}`target-noise-quick:.0f` at profile `quick`, and by
#   {num}`target-noise-paper:.0f` with the particles of TNG100-1, where the force is softened at that radius besides.
# - A wrap of positions in the wrong unit tears galaxies at two planes per axis; separations must be wrapped instead.
# - The mean profile, which looks at no galaxy, has an error of {num}`baseline-best:.2f` at best. Predictions must do better than this.
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
