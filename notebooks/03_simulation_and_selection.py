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
# (selection)=
# # The simulation and the selection
#
# **Objective: from millions of subhaloes in a simulated piece of the Universe, select the galaxies that the paper learns from, and understand what each
# row of its selection table does.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | What dark matter and stellar mass are | the selection uses them | {doc}`01_introduction` |
# | What the embedded universe is and is not | most numbers here are counted in it | {doc}`02_embedded_universe` |
# | NumPy masks | a cut is a mask | [NumPy for beginners](https://numpy.org/doc/stable/user/absolute_beginners.html) |
#
# You will be able to
#
# 1. describe TNG100: box, particles, groups, subhaloes, and the units of its catalogue;
# 2. read catalogue columns through one interface, whatever universe is behind it;
# 3. apply the paper's table as a sequence of cuts and say what each row removes;
# 4. say how many galaxies of the whole TNG100 the table selects;
# 5. explain why `SubhaloParent = 0` does not mean *central*, and how a misplaced factor $h$ changes a mass limit.
#
# Reading takes about 15 minutes, running a few seconds once the universe is written.

# %% [markdown]
# ```{found}
# chapter: selection
# # The book fills this box from the recorded numbers.
# ```

# %% [markdown]
# The first four settings are those of every chapter; the other five are the criteria of the paper's table, and you can change them.
# They are part of the settings: `dmlib run -p m_star_min=2e10` rebuilds the whole book for another sample, including data set, networks and rotation curves.

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
m_star_min = 1e10  # minimum stellar mass [Msun] (section 2 of the talk)
m_star_max = 1e12  # maximum stellar mass [Msun] (section 2 of the talk)
sfr_min = 0.1  # minimum star formation rate [Msun/yr] (section 2 of the talk)
centrals = "paper"  # SubhaloParent is 0; or "true": GroupFirstSub, or "any"
aperture = "all"  # all bound stars; or "2rhalf": within 2 half-mass radii

# %%
from textwrap import fill

import numpy as np

from dmlib import load
from dmlib.evaluation.catalogue import catalogue_table
from dmlib.figures import sample as figures
from dmlib.figures import show, show_table
from dmlib.published_script_bugs import (
    mass_limit_as_published,
    selection_readings,
)
from dmlib.results import ARITHMETIC, recorder
from dmlib.sample import select
from dmlib.settings import Criteria, Settings
from dmlib.universe.release import RUNS, dm_particle_mass

# %%
criteria = Criteria(
    m_star_min=m_star_min,
    m_star_max=m_star_max,
    sfr_min=sfr_min,
    centrals=centrals,
    aperture=aperture,
)
settings = Settings(
    universe=universe,
    profile=profile,
    seed=seed,
    base_path=base_path,
    selection=criteria,
)

# %% [markdown]
# ## A piece of the Universe in a box
#
# **IllustrisTNG** is a set of three simulations, TNG50, TNG100 and TNG300, each of which follows a cube of the Universe from redshift $z=127$ to today.
# It computes gravity for all matter and gas dynamics with magnetic fields for the gas, and uses recipes for processes too small to be resolved: star
# formation, supernovae, and the growth of black holes {cite}`Pillepich2018,Nelson2018,Springel2018`.
# The paper uses **TNG100**, the middle one in size, which starts with $1820^3$ particles of dark matter and as many gas cells.
# The box is periodic: opposite faces of the cube are the same place, and a galaxy that leaves on the right re-enters on the left.
#
# Lengths in the files are *comoving* and in units of kpc$/h$, with the Hubble constant $H_0 = 100\,h$ km/s/Mpc and $h = 0.6774$ {cite}`Planck2016`;
# masses are in $10^{10}\,M_\odot/h$.
# The side of the box is 75000 such units. How long is that, and how heavy is a particle?

# %%
box, n_side = RUNS["TNG100-1"].box, RUNS["TNG100-1"].n_side
box_mpc, box_illustris = box / 1000 / 0.6774, box / 1000 / 0.704
m_dm = dm_particle_mass(
    omega_m=0.3089, omega_b=0.0486, h=0.6774, box=box, n_side=n_side
)
print(f"side {box_mpc:.1f} Mpc, particle {m_dm:.3g} Msun")
print(f"the same side with the h of Illustris: {box_illustris:.1f} Mpc")

# %%
record = recorder(settings, chapter="selection")
published = {"universe": "TNG100-1 (its published parameters)"}
record(
    "box-side",
    box_mpc,
    unit="Mpc",
    statement="Side of the TNG100 box",
    paper=106.5,
    **published,
)
record(
    "box-illustris",
    box_illustris,
    unit="Mpc",
    statement="75 Mpc/h with the h of Illustris, 0.704",
    universe=ARITHMETIC,
)
record(
    "m-dm-tng",
    m_dm,
    unit="Msun",
    statement="Mass of a dark-matter particle",
    paper=7.5e6,
    **published,
)

# %%
record(
    "snapshots",
    100,
    statement="Snapshots that TNG stores (Nelson et al. 2019)",
    paper=136,
    **published,
)

# %% [markdown]
# The side of TNG100 is {num}`box-side:.1f`, and the mass of its dark-matter particles {num}`m-dm-tng:.2e`.
# The paper's talk gives 106.5 Mpc and 136 snapshots.
# Both belong to the older **Illustris** simulation, whose box has the same 75 Mpc$/h$ but $h=0.704$ ({num}`box-illustris:.1f`) and which stored 136
# snapshots {cite}`Vogelsberger2014,Nelson2015`; TNG stored {num}`snapshots`, numbered 0 to 99 {cite}`Nelson2019`.
# Nothing in the analysis depends on this: the scripts request snapshot 99 of TNG100-1, the last one, at $z=0$.
#
# ## Groups and subhaloes
#
# Two programs identify structure in each snapshot.
# *Friends of friends* (FoF) joins particles that are close to each other into **groups**; within each group *Subfind* then finds the gravitationally
# bound lumps, the **subhaloes**.
# The first subhalo of a group, usually the most massive, is its **central**; the others are **satellites**.
# What we call a galaxy is a subhalo with its stars, gas and dark matter.
#
# ```{image} /_static/diagrams/groups.svg
# :alt: A dashed outline around a large clump of particles and three small ones, the central and three satellites, with grey particles between them.
# :class: sketch
# ```
#
# The settings determine which universe is opened: the embedded universe, which is written first if it does not exist, or a TNG simulation on disk.

# %%
tree = load.universe(settings)
header = tree.header
print(f"{header.simulation}, particles of {header.m_dm:.3g} Msun:")
print(f"{header.n_groups} groups, {header.n_subhalos} subhaloes")

# %% [markdown]
# Catalogue columns are requested by their TNG names and returned with physical units, without $h$.
# `SubhaloMassType` has six columns: gas, dark matter, one unused, tracers, stars, black holes; the display shows only the first and the last.

# %%
fields = ["SubhaloMassType", "SubhaloSFR"]
fields += ["SubhaloParent", "SubhaloGrNr", "SubhaloFlag"]
subhalos = tree.subhalos(fields)
show_table(
    subhalos,
    {"SubhaloMassType": ".2e", "SubhaloSFR": ".2f"},
    caption="First rows of the catalogue of subhaloes.",
    rows=4,
    source=settings.label,
)

# %% [markdown]
# ## The paper's selection, cut by cut
#
# :::{table} The selection of the paper, and where the catalogue holds each property.
#
# | Property | Criterion | Field in the catalogue |
# |---|---|---|
# | snapshot | 99 ($z=0$) | |
# | stellar mass | $10^{10} \le M_\star/M_\odot \le 10^{12}$ | `SubhaloMassType[:, 4]` |
# | star formation rate | SFR $\ge 0.1\,M_\odot$/yr | `SubhaloSFR` |
# | central galaxy | `SubhaloParent` = 0 | `SubhaloParent` |
# | cosmological origin | `SubhaloFlag` = 1 | `SubhaloFlag` |
# :::
#
# We could not find *which* stellar mass is meant.
# We take it to be that of all stars bound to the subhalo; the stars within twice the half-mass radius are another common choice, available as an option
# (`aperture="2rhalf"`).
# The last row removes lumps that are not separate galaxies, such as fragments of a disc that Subfind has identified as a subhalo.

# %%
table, funnel = select(tree, criteria)
true_centrals = criteria.model_copy(update={"centrals": "true"})
_, funnel_true = select(tree, true_centrals)
print(funnel)

# %% [markdown]
# That was the universe of this copy of the book.
# What does the same table do to the real TNG100?
# The whole catalogue requires an account and disk space.
# When this book was made, {num}`real-groups` of its groups, with all their {num}`real-all` subhaloes, were available; the counts for them are kept in
# the repository, with their date and the command that repeats them.

# %%
real = load.record("selection_tng100_subset")
measured = real["measured"]
print(fill(real["source"], 79))
print(f"{real['date']}; repeat with: {real['command']}")

# %%
cuts = {
    "all": "Subhaloes in the catalogue",
    "mass": "Subhaloes in the mass range",
    "sfr": "Subhaloes in the mass range that form stars",
    "central": "Of these, with SubhaloParent = 0",
    "flag": "Of these, with SubhaloFlag = 1",
}
paper, true = (measured["funnels"]["all"][key] for key in ("paper", "true"))
record_real = recorder(
    settings,
    chapter="selection",
    universe="TNG100-1, 60 groups (records/selection_tng100_subset.json)",
)

# %%
show(
    figures.funnel(funnel, funnel_true, real),
    settings,
    "funnel",
    caption="Galaxies left after each row of the table. Left: the universe "
    "of this book. Right: measured once on real rows of TNG100-1, the "
    f"subhaloes of {measured['n_groups']} groups of 4 to 5 "
    "$\\times10^{12}\\,M_\\odot$. Narrow bars: with true centrals instead of "
    "`SubhaloParent` = 0.",
    alt="Two bar charts of the number of subhaloes left after each cut. On "
    "the real rows the mass limit removes nearly all; of the rest, about "
    "half form stars; SubhaloParent = 0 removes one of these, while only half "
    "of them are true centrals; the flag removes none.",
    n=len(table),
)

# %%
for name, what in cuts.items():
    count, shown = funnel.counts[name], {"figure": "funnel"}
    record(f"funnel-{name}", count, statement=what, **shown)
    record_real(f"real-{name}", paper[name], statement=what, **shown)
record_real("real-groups", measured["n_groups"], statement="Groups")

# %% [markdown]
# {numref}`fig-funnel` shows which cuts remove galaxies.
# On the real rows the mass limit removes nearly all subhaloes, because most are small; the embedded universe has few small ones to begin with.
# Of the {num}`real-mass` real ones that remain, {num}`real-sfr` form enough stars; the rest are *quenched*.
# The last two rows do almost nothing on the real rows: {num}`real-central`, then {num}`real-flag`.
#
# Some comparisons are not valid.
# The real rows are consecutive massive groups, so they contain many satellites and no low-mass centrals; the embedded universe was made so that each
# row has something to remove.
# The *fractions* on the left and right of the figure therefore differ, and say nothing about either simulation.
#
# ### The whole box
#
# How many galaxies does the table find in all of TNG100?
# The paper does not say.
# We could count the centrals: public copies of the group catalogue list all of them with their masses, and we recorded what the cuts leave.
# For the satellites of the whole box these copies do not give the star formation rate, so we cannot apply the whole table to them; we take the true
# centrals first and cut on star formation afterwards.

# %%
box = load.record("tng100_selection")["measured"]
everything = catalogue_table(tree, criteria)
true_central = np.asarray(everything["is_central"])
forms = np.asarray(everything["forms_stars"])
here = {
    "mass": len(everything),
    "centrals": int(true_central.sum()),
    "selected_centrals": int((true_central & forms).sum()),
}
there = box["box"] | {"mass": box["box"]["mass_as_compiled"]}

# %%
show(
    figures.whole_box(here, header.simulation, there),
    settings,
    "whole_box",
    caption="Galaxies in the paper's range of stellar mass, those of them "
    "that are the first subhalo of their group, and those that also form at "
    f"least {sfr_min} solar masses a year. Left: the universe of this book. "
    "Right: the whole of TNG100-1, measured once. All have `SubhaloFlag` = 1.",
    alt="Two bar charts with three bars each, which become shorter downwards. "
    "In TNG100 the second bar is well below two thirds of the first, the "
    "third at three quarters of the second.",
    n=here["selected_centrals"],
)

# %%
record_box = recorder(
    settings,
    chapter="selection",
    universe="TNG100-1, whole box (records/tng100_selection.json)",
)
shown = {"figure": "whole_box"}
of = "Galaxies in the mass range, as counted by those who compiled the rows"
record_box("tng100-in-mass-range", there["mass"], statement=of, **shown)
of = "True centrals in the mass range"
record_box("tng100-centrals", there["centrals"], statement=of, **shown)
of = "True centrals that pass the paper's table"
selected = there["selected_centrals"]
record_box("tng100-selected-centrals", selected, statement=of, **shown)
share = 1 - selected / there["centrals"]
of = "Share of the centrals that form too few stars"
record_box("tng100-quenched", share, n=there["centrals"], statement=of)
of = "True centrals of the embedded universe that pass the paper's table"
record("here-selected-centrals", here["selected_centrals"], statement=of)

# %% [markdown]
# TNG100 has {num}`tng100-in-mass-range` galaxies in the mass range ({numref}`fig-whole-box`).
# Of these {num}`tng100-centrals` are centrals, and {num}`tng100-selected-centrals` of the centrals form enough stars; the other {num}`tng100-quenched:.0%` are quenched.
# That is the number of central galaxies from which a network can learn in TNG100, in three views each; the universe of this copy has {num}`here-selected-centrals` of them.
#
# ## Which galaxies are central?
#
# It is suspicious that {num}`real-central` of {num}`real-sfr` galaxies pass as central: {num}`real-groups` groups have at most {num}`real-groups`
# centrals, and many of those are quenched.
# In the data release, `SubhaloParent` is the index, *counted within the group*, of a subhalo's parent subhalo {cite}`Nelson2019`.
# A satellite that orbits in the central's halo has the parent 0, just like the central itself.
# Only a satellite of a satellite has another number.
#
# The definition of *central* is stored with the groups: `GroupFirstSub` is the index of a group's first subhalo.
# All other subhaloes count as satellites here, the fragments with `SubhaloFlag` = 0 too, which {doc}`02_embedded_universe` lists apart.

# %%
counted = selection_readings(tree)
zero, zero_real = counted["parent_zero"], measured["parent_zero"]
print(f"SubhaloParent = 0: {zero['all']}")
print(f"of these satellites: {zero['satellites_among_them']}")
print(funnel_true)

# %%
satellites = int((~table["is_true_central"]).sum())
ours = {
    "parent_zero": zero["all"],
    "parent_zero_satellites": zero["satellites_among_them"],
    "kept": len(table),
    "kept_satellites": satellites,
}

# %%
show(
    figures.centrals(ours, header.simulation, real),
    settings,
    "centrals",
    caption="Centrals and satellites among all subhaloes with "
    "`SubhaloParent` = 0 (left) and among the galaxies that the whole table "
    "keeps (right); the numbers are counts. Real rows: measured once, as in "
    "{numref}`fig-funnel`.",
    alt="Horizontal bars divided into centrals and satellites. Of the real "
    "rows with SubhaloParent 0 nearly all are satellites; of those that the "
    "table keeps, about half are.",
    n=len(table),
)

# %%
shown = {"figure": "centrals"}
share = 100 * zero_real["satellites_among_them"] / zero_real["satellites"]
of = "Fraction of all satellites that have SubhaloParent = 0"
record_real("real-parent-zero", share, unit="%", statement=of, **shown)
of = "True centrals that pass the table"
record_real("real-centrals", true["flag"], statement=of, **shown)
kept = 100 * (paper["flag"] - true["flag"]) / paper["flag"]
of = "Fraction of satellites in the paper's selection"
record_real("real-satellites-kept", kept, unit="%", statement=of, **shown)
of = "Satellites in the selection"
record("satellites-kept", satellites, n=len(table), statement=of, **shown)

# %% [markdown]
# {numref}`fig-centrals` gives the answer.
# On the real rows {num}`real-parent-zero:.0f` of *all* satellites have `SubhaloParent` = 0, so the criterion hardly separates them from centrals.
# Of the {num}`real-flag` galaxies that the table selects there, {num}`real-centrals` are centrals: {num}`real-satellites-kept:.0f` of that sample are satellites.
#
# Is this true of larger groups, too?
# We recorded the members of {num}`tng100-groups` massive groups of TNG100, up to clusters of $2\times10^{14}\,M_\odot$.

# %%
members = box["massive_groups"]
passing = members["satellites_with_parent_zero"]
record_box("tng100-groups", members["groups"], statement="Massive groups")
of = "Satellites of massive groups that pass mass, SFR and flag"
record_box("tng100-satellites", members["satellites"], statement=of)
of = "Share of these satellites that have SubhaloParent = 0"
share = passing / members["satellites"]
record_box("tng100-parent-zero", share, n=members["satellites"], statement=of)
of = "Share of satellites in what the table selects in massive groups"
share = passing / members["parent_zero"]
record_box(
    "tng100-massive-satellites",
    share,
    n=members["parent_zero"],
    statement=of,
)

# %% [markdown]
# Of their {num}`tng100-satellites` satellites in the mass range that form stars {num}`tng100-parent-zero:.0%` have `SubhaloParent` = 0, and
# {num}`tng100-massive-satellites:.0%` of the galaxies that the table selects there are satellites.
# In the universe of this copy, {num}`satellites-kept` of the {num}`funnel-flag` selected galaxies are satellites.
#
# This affects the results.
# The target is the dark matter of the *whole group* around the galaxy, and for a satellite that includes its host, as {doc}`04_target_profiles` shows.
#
# **The two galaxies that the talk shows are such satellites.**
# Where do they lie in the catalogue?

# %%
for number, found in box["talk"].items():
    mass, host = found["m_star_2rhalf"], found["m_bound_of_central"]
    print(f"{number}: subhalo {found['rank']} of group {found['group_id']}")
    print(f"  stars {mass:.2g} Msun, half within {found['r_half']:.1f} kpc")
    print(f"  bound to the group's central: {host:.2g} Msun")
    of = f"Bound mass of the central of the group of subhalo {number}"
    record_box(f"tng100-host-{number}", host, unit="Msun", statement=of)
    of = f"Place of subhalo {number} in its group; the central is 0"
    record_box(f"tng100-rank-{number}", found["rank"], statement=of)

# %% [markdown]
# Subhalo 108013 is number {num}`tng100-rank-108013` of its group (the central is number 0), and the central alone binds {num}`tng100-host-108013:.1e`;
# subhalo 60744 is number {num}`tng100-rank-60744` of a group whose central binds {num}`tng100-host-60744:.1e`.
# Both hosts are clusters of galaxies.
# The target of the paper's method for these two galaxies therefore also counts the dark matter of the cluster within 100 kpc of them ({doc}`12_profiles`).
# How much that is depends on their distance from the cluster's centre, which the record does not hold.
#
# The book keeps the paper's criterion, marks each galaxy as central or not (`is_true_central`), and gives results for both where they differ.
#
# ## A factor $h$ in the wrong place
#
# The catalogue's masses are in $10^{10}\,M_\odot/h$.
# A limit of $10^{10}\,M_\odot$ is therefore $h$ in catalogue units: the limit must be multiplied by $h$.
# The authors' download script divides instead, which selects $M_\star > 10^{10}\,M_\odot/h^2$.

# %%
limit = mass_limit_as_published(m_star_min)
shifted = criteria.model_copy(update={"m_star_min": limit})
counts = select(tree, shifted)[1].counts
print(f"above {limit:.3g} Msun: {counts['mass']} galaxies")
print(f"and by the whole table: {counts['flag']}")

# %%
is_kept = np.isin(subhalos["subhalo_id"], table["subhalo_id"])

# %%
show(
    figures.mass_sfr(subhalos, is_kept, criteria, limit),
    settings,
    "mass_sfr",
    caption="Star formation rate against stellar mass. Box: the cuts of the "
    "table. Dashed: the mass limit that results from dividing by $h$ "
    "instead of multiplying. Galaxies with star formation rates below the "
    "lowest row are drawn in that row.",
    alt="Scatter of star formation rate against stellar mass. The selected "
    "galaxies are those inside a box from 1e10 to 1e12 solar masses and "
    "above 0.1 solar masses a year. A dashed vertical line at about twice "
    "the lower mass limit cuts part of them off.",
    n=len(table),
)

# %%
record(
    "limit-h",
    limit,
    unit="Msun",
    statement="Mass limit of the authors' query",
    paper=1e10,
    universe=ARITHMETIC,
)
lost = 100 * (1 - counts["flag"] / funnel.counts["flag"])
of = "Fraction of the selected galaxies lost by the wrong limit"
record("lost-h", lost, unit="%", n=len(table), statement=of)
in_range = funnel.counts["mass"]
lost = 100 * (1 - counts["mass"] / in_range)
of = "Fraction of the galaxies in the mass range lost by the wrong limit"
record("lost-h-mass", lost, unit="%", n=in_range, statement=of)
above = measured["mass_limit"]
lost = 100 * (1 - above["divided_by_h"] / above["right"])
of = "Fraction of galaxies above 1e10 Msun lost by the wrong limit"
record_real("real-lost-h", lost, unit="%", n=above["right"], statement=of)

# %% [markdown]
# The wrong limit is {num}`limit-h:.2e`, the dashed line of {numref}`fig-mass-sfr`.
# On the real rows it loses {num}`real-lost-h:.0f` of the galaxies above $10^{10}\,M_\odot$; they contain no low-mass centrals.
# In the universe of this copy it loses {num}`lost-h-mass:.0f` of the galaxies in the mass range and {num}`lost-h:.0f` of the selected ones, all at the low-mass end
# where galaxies are most numerous.
# We cannot know whether the published sample was cut there: the script is one of several, and the paper's table says $10^{10}$.
#
# The figure shows two more things.
# The mass limit cuts through the sequence of star-forming galaxies, so small ones just above it dominate the sample, and a network sees few massive galaxies.
# The star-formation limit removes the quenched galaxies, so the rest of the book is about galaxies with gas.
#
# ## The sample
#
# The selected galaxies are stored in one table, `sample.ecsv`, in plain text with units and with the criteria in its header.
# It follows the criteria at the head of this chapter, and all later chapters start from it.

# %%
sample = load.sample(settings)
columns = {"subhalo_id": "", "m_star": ".2e", "m_dm": ".2e", "sfr": ".2f"}
columns |= {"m200": ".2e", "r_half_star": ".1f", "is_true_central": ""}
show_table(
    sample[list(columns)],
    columns,
    caption="First rows of the sample.",
    source=settings.label,
)

# %% [markdown]
# The same selection can be applied to any TNG catalogue from the command line, here to the real one on the TNG JupyterLab:
#
# ```bash
# dmlib select --universe files --out sample.ecsv \
#     --base-path /home/tnguser/sims.TNG/TNG100-1/output
# ```
#
# For the exercise below, we also record what the other definition of *stellar mass* leaves of the real rows.

# %%
other = measured["funnels"]["2rhalf"]
of = "With the stars within twice the half-mass radius:"
for name, count, what in (
    ("mass", other["paper"]["mass"], "in the mass range"),
    ("flag", other["paper"]["flag"], "that pass the table"),
    ("centrals", other["true"]["flag"], "true centrals that pass it"),
):
    record_real(f"real-{name}-2rhalf", count, statement=f"{of} {what}")

# %% [markdown]
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# The paper does not say which stellar mass it cuts on.
# Select with the stars within twice the half-mass radius instead (`Criteria(aperture="2rhalf")`).
# How many galaxies enter or leave the sample, and at which masses?
# Then look up in the record what happens on the real rows.
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# other, funnel_other = select(tree, Criteria(aperture="2rhalf"))
# lost = set(table["subhalo_id"]) - set(other["subhalo_id"])
# changed = table[np.isin(table["subhalo_id"], list(lost))]
# print(funnel_other, len(lost), changed["m_star"])
# print(measured["funnels"]["2rhalf"])
# ```
# The smaller aperture contains less mass, so galaxies can only drop out at the lower limit (and enter at the upper one, where there are hardly any):
# all that change are just above $10^{10}\,M_\odot$.
# On the real rows {num}`real-mass-2rhalf` instead of {num}`real-mass` pass the mass limit, and {num}`real-flag-2rhalf` instead of {num}`real-flag` the
# whole table; the number of true centrals is {num}`real-centrals-2rhalf` in both cases, because the centrals of these groups are far above the limit.
# :::
#
# ## Summary
#
# - TNG100 is a periodic box of {num}`box-side:.1f` with particles of {num}`m-dm-tng:.2e`; the talk's 106.5 Mpc and 136 snapshots belong to
#   Illustris.
# - Catalogue units contain $h$; dmlib removes it when it reads the catalogue.
# - The whole of TNG100 has {num}`tng100-in-mass-range` galaxies in the mass range; {num}`tng100-selected-centrals` are centrals that pass the table.
# - `SubhaloParent = 0` keeps most satellites, among them both example galaxies of the talk. On the rows of {num}`real-groups` groups it leaves {num}`real-flag` galaxies, {num}`real-centrals` of them central.
# - Dividing a mass limit by $h$ instead of multiplying shifts it by $1/h^2$, to {num}`limit-h:.1e`.
#
# ## What's next
#
# {doc}`04_target_profiles` measures the quantity to be predicted for these galaxies: their dark mass within twenty radii.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
