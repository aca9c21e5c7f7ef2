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
# (embedded-universe)=
# # The embedded universe
#
# **Objective: get to know the small universe that this book is made from, and find out how far its galaxies can be trusted.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Rotation curves and circular speed | the test of its gas | {doc}`01_introduction` |
# | The relations between mass, size, gas and star formation of galaxies | they are what is checked | explained where they come up |
# | How a group catalogue and a snapshot are laid out | not needed here | {doc}`03_simulation_and_selection` |
#
# You will be able to
#
# 1. say what the embedded universe is made from, and which parts are drawn, which computed;
# 2. read a scaling relation: its median, its scatter, its offset from a published one;
# 3. say where the motion of gas tells the mass, and where it does not;
# 4. list what may not be concluded from this universe.
#
# Reading takes about 20 minutes, running about one; the universe itself is written in another two when it is not there yet.

# %% [markdown]
# The settings say where galaxies come from and how much is computed; the same four stand at the top of every chapter.
# This chapter is about the embedded universe whatever they say.

# %% tags=["parameters"]
universe = "embedded"  # the other chapters'; or "files", a TNG tree on disk
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
n_measured = 300  # galaxies measured for the relations (our choice)
n_rotation = 150  # gas-rich galaxies measured for rotation (our choice)

# %%
import numpy as np

from dmlib import load, portraits, validation
from dmlib.figures import embedded_universe as figures
from dmlib.figures import show
from dmlib.figures.tables import show_table
from dmlib.results import recorder
from dmlib.settings import Settings
from dmlib.universe.embedded import overview, population

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)

# %% [markdown]
# `written` names the embedded universe; where the other chapters use another one, this chapter's figures and numbers say so.

# %%
written = Settings(universe="embedded", profile=profile, seed=seed, sample=0)
elsewhere = None if universe == "embedded" else written.label
record = recorder(settings, chapter="embedded_universe", universe=elsewhere)

# %% [markdown]
# ## Why a universe of our own
#
# The paper works with TNG100, a cosmological simulation of a box 110 Mpc wide {cite}`Nelson2019`.
# Its data are public, but they are large, and reading them takes an account and a network.
# A book that can be rebuilt by anybody, at any time, needs galaxies that come with it.
#
# So this book writes its own: a set of model galaxies in the file format of the TNG release, field by field.
# They are read back only through the code that reads TNG, so whatever works here works there.
# `open_universe` opens them, and writes them first if they are not there.

# %%
tree = load.universe(written)
drawn = population.draw(written.sizes, written.seed, written.physics)
show_table(overview.census(drawn), rows=9)

# %% [markdown]
# Each row of this table is there for a reason.
# The centrals are what the paper is about.
# Satellites, sub-subhaloes, fragments and groups with nothing bound in them are there because TNG has them, and because a selection
# that never meets them would never be tested.
# The column on the right counts how many of each the paper's selection keeps, which {doc}`03_simulation_and_selection` goes
# through row by row.
#
# ## How a galaxy is made
#
# A galaxy starts as a halo, with a mass drawn from the halo mass function {cite}`Tinker2008`.
# From there on everything follows a published relation *with its scatter*:
#
# - concentration from mass {cite}`Diemer2019`, computed with colossus {cite}`Diemer2018`;
# - stellar mass from halo mass {cite}`Moster2013`; at a given mass, more concentrated haloes hold more stars, as they do in EAGLE
#   {cite}`Matthee2017`;
# - quenched or star-forming from stellar mass {cite}`Peng2010`, and the star-formation rate about the star-forming sequence
#   {cite}`Saintonge2022`;
# - sizes {cite}`vanderWel2014`, HI {cite}`Catinella2018`, H₂ {cite}`Saintonge2017`, the extent of the HI {cite}`Wang2016`, metals in gas
#   {cite}`Curti2020` and in stars {cite}`Gallazzi2005`.
#
# The scatter is the point.
# If stellar mass gave away the halo mass exactly, a network would only have to weigh the light, and every method would look perfect.
#
# Then the numbers become particles.
# The dark halo is contracted by the baryons that have settled in it {cite}`Cautun2020`, more in some galaxies and less in others.
# Positions are drawn from the resulting profiles; velocities come from the gravity of *all* components together, through the Jeans
# equations for the dark matter and the stars, and through the balance of gravity, rotation and pressure for the gas.
# Bars, spiral arms, warps, lopsided discs and a minority of disturbed galaxies are put on top.
#
# ## Look first
#
# Before measuring anything, look. These are five galaxies as their particles are, with no dust, no noise and no telescope.

# %%
chosen = overview.examples(drawn.subhalos)
pictures = {
    title: portraits.take(tree, subhalo_id)
    for title, subhalo_id in chosen.items()
}

# %%
show(
    figures.gallery(pictures),
    settings,
    "embedded_gallery",
    caption="Galaxies of the embedded universe. Starlight is a composite of "
    "the $i$, $r$ and $g$ bands; HI velocities are those along a line of "
    "sight inclined by 60 degrees to the axis of the stars. Each row has its "
    "own scale.",
    alt="Rows of pictures: a spiral, a barred spiral, a warped disc, a "
    "disturbed galaxy and a quenched one. The first have thin discs and "
    "extended hydrogen, with velocities from blue to red across the disc, "
    "twisted in the warped galaxy and irregular in the disturbed one; the "
    "quenched galaxy is yellow and smooth with little hydrogen.",
    n=len(pictures),
    source=elsewhere,
)

# %% [markdown]
# {numref}`fig-embedded-gallery` shows what a network will be given to look at.
# Star-forming galaxies have blue knots where particles are young, and HI that reaches far beyond the light.
# In the velocity fields, follow the line where blue turns to red: straight in a quiet disc, bent in a warped one.
# In the disturbed galaxy the gas does not do what the stars do.
#
# ## Haloes and stars
#
# Now measure. From here on we forget how the galaxies were made and treat them as TNG: a catalogue and particles on disk.
# For every galaxy, `measure` fits the dark matter's concentration, finds the radius that holds half of the $r$-band light face-on,
# turns gas into HI, and so on.

# %%
ids = validation.centrals(tree, at_most=n_measured)
table = validation.measure(tree, ids)

# %% [markdown]
# `scaling_relations` puts the published medians beside them. Where a relation mixes both types, quenched galaxies count twice: of them
# every second was left out of the universe, because the selection would drop most of them anyway.

# %%
weight = 1 / (1 - population.QUENCHED_LEFT_OUT)
found = validation.scaling_relations(table, quenched_weight=weight)

# %% [markdown]
# A relation has three numbers: where its median lies, how far galaxies scatter about it, and how well the median is known from so
# many galaxies (by bootstrap). We keep all three for each.

# %%
for name, relation in found.items():
    record(
        f"embedded.{name}.offset",
        relation.offset,
        error=relation.offset_error,
        unit="dex",
        n=relation.n,
        statement=f"{name}: median offset from the published relation",
    )
    record(
        f"embedded.{name}.scatter",
        relation.scatter,
        unit="dex",
        n=relation.n,
        statement=f"{name}: scatter about the published relation",
    )

# %% [markdown]
# The first six panels compare haloes and stars.

# %%
stars = ["stellar_to_halo", "concentration", "size"]
stars += ["sequence", "stellar_metallicity", "age"]

# %%
show(
    figures.relations(found, stars),
    settings,
    "embedded_stars",
    caption="Haloes and stars of central galaxies beside published "
    "relations, in reading order: {cite:t}`Moster2013`, {cite:t}`Diemer2019`, "
    "{cite:t}`vanderWel2014` (one line a type), {cite:t}`Saintonge2022` "
    "(star-forming only), {cite:t}`Gallazzi2005` (two panels). Grey band: the "
    "published scatter, where there is one. Offset and scatter in dex.",
    alt="Six panels of points with a dashed median and a grey band: stellar "
    "mass against halo mass, concentration against halo mass, size, "
    "star-formation rate, stellar metallicity and age against stellar mass. "
    "The points follow the dashed lines, except for ages, which lie above it "
    "at low mass.",
    n=len(table),
    source=elsewhere,
)

# %% [markdown]
# In {numref}`fig-embedded-stars` most panels look as if nothing could go wrong, for these relations were put in. They are a check of
# the whole chain: drawing, sampling, writing, cataloguing, reading. The offsets that remain can be explained.
#
# - **Stars in a halo**: {num}`embedded.stellar_to_halo.offset:.2f±`. The relation was calibrated on haloes of simulations without gas. Feedback has
#   driven part of the gas out of ours, as it does in TNG, so the measured halo mass is lower, and the points move to the left.
# - **Concentration**: {num}`embedded.concentration.offset:.2f±`, fitted beyond a tenth of $R_{200}$, where contraction matters little.
# - **Size**: {num}`embedded.size.offset:.2f±`. Mass was distributed to have 0.8 of the published half-light radius; light is more extended than mass,
#   because the young stars are outside.
# - **Star formation**: {num}`embedded.sequence.offset:.2f±`.
# - **Metals in stars**: {num}`embedded.stellar_metallicity.offset:.2f±`.
# - **Age**: {num}`embedded.age.offset:.2f±`, and by far more at low mass. Stars of star-forming galaxies below $10^{10.5}\,M_\odot$ would have to be younger than
#   their present star-formation rates allow; we kept the rates.
#
# What does contraction do? Fitting from 0.02 $R_{200}$ instead of 0.1 raises the concentration by a median factor that tells.

# %%
tightening = np.nanmedian(np.asarray(table["c_all"] / table["c_outer"]))
record(
    "embedded.tightening",
    tightening,
    n=len(table),
    statement="Median ratio of concentrations, fit from 0.02 and 0.1 R200",
)

# %% [markdown]
# The inner fit finds concentrations {num}`embedded.tightening:.2f` times as high. A rotation curve, which sees the inner halo, will find haloes more
# concentrated than a simulation without baryons has them.
#
# ## Gas
#
# HI is what the paper's spectroscopic inputs are made of. The simulation's cells do not say how much of their gas is atomic: that is a
# recipe on top, for TNG as for us (star-forming cells by their temperature, then a pressure law for H₂).

# %%
gas = ["hi_mass", "hi_at_ssfr", "hi_size", "gas_metallicity"]

# %%
show(
    figures.relations(found, gas),
    settings,
    "embedded_gas",
    caption="Gas of central galaxies beside published relations, in reading "
    "order: {cite:t}`Catinella2018` (two panels), {cite:t}`Wang2016`, "
    "{cite:t}`Curti2020` (star-forming only). Quenched galaxies count twice "
    "in the first panel's offset, for every second was left out. Grey band: "
    "the published scatter, where there is one. Offset and scatter in dex.",
    alt="Four panels of points with a dashed median: HI mass over stellar "
    "mass against stellar mass and against specific star-formation rate, HI "
    "diameter against HI mass with very small scatter, and gas metallicity "
    "against stellar mass.",
    n=len(table),
    source=elsewhere,
)

# %% [markdown]
# In {numref}`fig-embedded-gas` the HI fraction at a given stellar mass spreads over two orders of magnitude, as in the survey: star-forming and quenched
# galaxies differ. At a given star-formation rate the spread is {num}`embedded.hi_at_ssfr.scatter:.2f`, with an offset of
# {num}`embedded.hi_at_ssfr.offset:.2f±`. Part of that offset is deliberate: the survey's medians of quenched galaxies lie at its
# detection limit, and half of ours were drawn below.
#
# The size of the HI follows its mass almost without freedom, here ({num}`embedded.hi_size.scatter:.2f`) as in real galaxies ({cite:t}`Wang2016` find 0.06 dex).
# Beware what that means for a network: the HI's extent on the sky gives its mass, but nothing that its flux had not told already.
#
# TNG itself differs here: it holds about twice the neutral gas that is observed at z = 0 {cite}`Diemer2019HI`.
#
# ## Does the gas feel the mass?
#
# The test that matters most for this book. A rotation curve takes the gas's speed for the circular speed $\sqrt{GM(<R)/R}$.
# Both can be measured here: the mass by counting all particles within $R$, the speed from the HI.

# %%
everyone = validation.centrals(tree)
s = drawn.subhalos[everyone]
rich = everyone[(s["m_hi"] > 2e9) & (s["m_star"] < 1e12)]

# %% [markdown]
# The list of what was drawn tells which of them are disturbed; with real galaxies one would have to find out.
# We take all of those, and quiet ones evenly along the catalogue.

# %%
kind = drawn.subhalos["disturbed"]
quiet = rich[kind[rich] == ""]
n_quiet = min(n_rotation, len(quiet))
evenly = np.linspace(0, len(quiet) - 1, n_quiet).astype(int)
calm = validation.rotations(tree, quiet[evenly])
rough = validation.rotations(tree, rich[kind[rich] != ""])

# %% [markdown]
# Here are four quiet galaxies, from massive to small, and two of the disturbed ones, different in kind.

# %%
four = [calm[i] for i in np.linspace(0, len(calm) - 1, 4).astype(int)]
picked = four + list({kind[c.subhalo_id]: c for c in rough}.values())[:2]
titles = [f"{c.subhalo_id}, {kind[c.subhalo_id] or 'quiet'}" for c in picked]

# %%
show(
    figures.rotation_curves(dict(zip(titles, picked, strict=True))),
    settings,
    "embedded_rotation",
    caption="Rotation of the HI about its own axis, and the circular speed "
    "of all matter, for subhaloes by number. The dotted line is the radius "
    "where the HI falls to $1\\,M_\\odot\\,\\mathrm{pc}^{-2}$.",
    alt="Small plots of speed against radius. In the quiet galaxies the "
    "points lie near the curve of circular speed; in the disturbed ones they "
    "may leave it, or lie at negative speeds.",
    n=len(picked),
    source=elsewhere,
)

# %% [markdown]
# In the quiet galaxies of {numref}`fig-embedded-rotation` the points follow the line, a few per cent off here and there: their velocities
# were made from that mass, and then disturbed a little, for no real disc is in perfect balance.
# The next figure puts all galaxies together, with the radius in units of the HI's own.

# %%
show(
    figures.rotation_agreement(calm, rough),
    settings,
    "embedded_agreement",
    caption="Speed of the HI over the circular speed, ring by ring, with the "
    "radius in units of the HI's. Lines are medians, bands hold 68 per cent "
    "of the galaxies, points are single galaxies.",
    alt="Ratio of gas speed to circular speed against radius over HI radius. "
    "The quiet galaxies form a narrow band at one; the disturbed ones have a "
    "wide band that reaches far below, most of all inside.",
    n=len(calm) + len(rough),
    source=elsewhere,
)

# %%
for name, curves in (("quiet", calm), ("disturbed", rough)):
    ratio = [curve.agreement() for curve in curves]
    departure = [curve.departure() for curve in curves]
    low, high = np.nanpercentile(ratio, [16, 84])
    shared = {"n": len(curves), "figure": "embedded_agreement"}
    record(
        f"embedded.rotation.{name}",
        np.nanmedian(ratio),
        error=(high - low) / 2,
        statement="HI rotation over circular speed between 0.2 and 1 HI "
        f"radii, {name} galaxies (error: scatter)",
        **shared,
    )
    record(
        f"embedded.departure.{name}",
        np.nanmedian(departure),
        statement="Root mean square departure of HI rotation from circular "
        f"speed, median of {name} galaxies",
        **shared,
    )

# %% [markdown]
# {numref}`fig-embedded-agreement` has the answer: the band of the quiet galaxies is narrow and lies at one, that of the disturbed ones is wide
# inside. In quiet galaxies the ratio is {num}`embedded.rotation.quiet:.3f±`, where the error is the scatter from
# galaxy to galaxy. At middle radii it lies a little above one, because a disc pulls more in its plane than a sphere of its mass would; in
# the centre it lies below, because turbulence and pressure carry part of the gas.
# Ring by ring a quiet galaxy departs from the circular speed by {num}`embedded.departure.quiet:.2f` of it, a disturbed one typically by
# {num}`embedded.departure.disturbed:.2f`. There are two ways to be wrong among the disturbed: gas that has lost its balance and moves at the
# wrong speed, and gas that turns against the rest. Gas that is merely tilted or displaced still tells the mass, to one who knows its axis.
#
# These are averages over whole rings about the gas's own axis, which no observer has.
# A real curve is taken from one line of sight, through arms, bars and warps; how much is lost on the way will be seen when the
# rotation-curve method is applied to mock observations.
#
# ## How dark is the inside?
#
# Last, the quantity that the paper predicts, at one radius: how much of the mass within the stars' half-mass radius is dark.

# %%
quenched = (table["sfr"] / table["m_star"]).value < validation.QUENCHED_BELOW
f_dm = np.asarray(table["f_dm"])

# %%
show(
    figures.dark_fraction(table, quenched),
    settings,
    "embedded_dark_fraction",
    caption="Dark matter's share of the mass within the stellar half-mass "
    "radius. Shaded: the medians of TNG are at least 0.5 at all masses "
    "{cite}`Lovell2018`.",
    alt="Dark-matter fraction against stellar mass. The points scatter "
    "widely around a median near one half, lower where galaxies are neither "
    "small nor very massive; quenched galaxies lie lower than star-forming "
    "ones.",
    n=len(table),
    source=elsewhere,
)

# %%
for name, mask in (("forming", ~quenched), ("quenched", quenched)):
    record(
        f"embedded.f_dm.{name}",
        np.median(f_dm[mask]),
        error=f_dm[mask].std(),
        n=int(mask.sum()),
        statement="Median dark-matter fraction within the stellar half-mass "
        f"radius, {name} centrals (error: scatter)",
        figure="embedded_dark_fraction",
    )

# %% [markdown]
# Star-forming galaxies have a dark fraction of {num}`embedded.f_dm.forming:.2f±`, quenched ones of {num}`embedded.f_dm.quenched:.2f±` (errors are the scatter).
# In TNG the medians are lowest for galaxies like the Milky Way, whose haloes turn most of their gas into stars {cite}`Lovell2018`; look for
# that minimum in the black line of {numref}`fig-embedded-dark-fraction`.
# TNG's medians are higher and its scatter, at most about 0.1, is smaller {cite}`Lovell2018`: our quenched galaxies are as compact as observed ones, and our haloes
# contract by different amounts. So the profiles to be predicted are *more* diverse here than in TNG.
#
# ## What it is not
#
# - It is **not a simulation**. Nothing evolved. No galaxy has merged, no gas has cooled; what is not in a relation above is not there.
# - It is **not TNG**, and no number of this book that was made from it is a result on TNG.
# - It is **not a volume**. Haloes are thinned towards both ends of the mass range, and of those with quenched centrals every second was left out, so its
#   counts are no mass function; its groups do not cluster.
# - Its correlations are **those we put in**. A real galaxy's halo may show in its light in ways nobody has written down; here it cannot. A network
#   can do better or worse on TNG than here, and the direction is not known beforehand.
# - Its galaxies are **in equilibrium**, but for the disturbed minority; the rotation-curve method has an easier time here than in TNG.
#
# What it is good for: every line of code, every figure and every error measure of this book runs on it, with a truth that is known.
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# The selection keeps galaxies above $10^{10}\,M_\odot$ of stars. Take haloes between $10^{11.4}$ and $10^{11.6}\,M_\odot$, and compare the offset of
# the stellar-to-halo relation with and without that cut. Which galaxies does the cut let through, and what will a network trained on them
# believe about small haloes?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# relation = found["stellar_to_halo"]
# small = (relation.x > 11.4) & (relation.x < 11.6)
# residual = relation.y - relation.expected
# passing = small & (relation.y > 10)
# print(np.median(residual[small]), np.median(residual[passing]))
# ```
# Near the limit only haloes with more stars than usual pass, so the second number is the larger one.
# The network sees small haloes with too many stars, and will take a galaxy just above the limit for one in a small halo. The bias is
# part of the training set, in TNG as here; it does no harm as long as the network is used on galaxies that were selected in the same way.
# :::
#
# ## Summary
#
# - The embedded universe is a set of model galaxies in TNG's format, drawn from published relations with their scatter.
# - Read back like TNG, it follows most of those relations closely. To be taken with care are the ages, off by
#   {num}`embedded.age.offset:+.2f±`, and the HI at a given stellar mass, off by {num}`embedded.hi_mass.offset:+.2f±`.
# - The rotation of its gas gives the circular speed to {num}`embedded.rotation.quiet:.3f±` in quiet galaxies; some of the disturbed minority are far off.
# - It is no simulation and not TNG; it shows that the methods run, and what they do when the truth is known.
#
# ## What's next
#
# {doc}`03_simulation_and_selection` turns to TNG100 itself, and puts both universes through the paper's selection.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
