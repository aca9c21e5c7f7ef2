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
# **Objective: learn what the small universe behind this book is made of, and how far its galaxies can be trusted.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Rotation curves and circular speed | to test its gas | {doc}`01_introduction` |
# | The relations between mass, size, gas and star formation of galaxies | they are what is checked | explained where they are used |
# | The layout of a group catalogue and a snapshot | not needed here | {doc}`03_simulation_and_selection` |
#
# You will be able to
#
# 1. say what the embedded universe consists of, and which parts are drawn at random and which are computed;
# 2. read a scaling relation: its median, its scatter, its offset from a published one;
# 3. say where the motion of gas traces the mass, and where it does not;
# 4. list the conclusions that this universe does not support.
#
# Reading takes about 20 minutes, running about one; writing the universe takes another two if it does not exist yet.

# %% [markdown]
# ```{found}
# chapter: embedded_universe
# # The book fills this box from the recorded numbers.
# ```

# %% [markdown]
# The settings choose the source of the galaxies and the amount of computation; every chapter starts with the same four.
# Whatever they say, this chapter is about the embedded universe.

# %% tags=["parameters"]
universe = "embedded"  # the other chapters'; or "files", a TNG tree on disk
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
n_measured = 300  # galaxies measured for the relations (our choice)
n_rotation = 80  # gas-rich galaxies measured for rotation (our choice)

# %%
import numpy as np
from astropy.table import Table

from dmlib import embedded, load, validation
from dmlib.bootstrap import Bootstrap
from dmlib.figures import embedded_universe as figures
from dmlib.figures import show, show_table
from dmlib.observe.images.portraits import portrait
from dmlib.results import ARITHMETIC, recorder
from dmlib.settings import Settings
from dmlib.units import cosmology

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)

# %% [markdown]
# `written` names the embedded universe; if the other chapters use a different one, the figures and numbers of this chapter say so.

# %%
written = Settings(universe="embedded", profile=profile, seed=seed, sample=0)
elsewhere = None if universe == "embedded" else written.label
record = recorder(settings, chapter="embedded_universe", universe=elsewhere)

# %% [markdown]
# ## Why we write our own universe
#
# The paper works with TNG100, a cosmological simulation of a cube {num}`box-side:.0f` on a side {cite}`Nelson2019`.
# Its data are public, but they are large, and reading them requires an account and a network.
# A book that anybody can rebuild at any time needs galaxies that come with it.
#
# This book therefore writes its own: a set of model galaxies in the file format of the TNG release, field by field.
# They are read back only through the code that reads TNG, so whatever works here works there.
# `load.universe` opens them, and writes them first if they do not exist.

# %%
tree = load.universe(written)
drawn = embedded.population(written)
show_table(
    embedded.census(drawn),
    caption="What the universe of this chapter contains.",
    rows=9,
)

# %% [markdown]
# Each row of this table has a purpose. The centrals are the subject of the paper.
# Satellites, sub-subhaloes, fragments and groups without any bound subhalo are included because TNG has them, and because a selection that never meets
# them would never be tested.
# The column on the right counts how many of each the paper's selection keeps; {doc}`03_simulation_and_selection` explains that selection row by row.
#
# ## How a galaxy is made
#
# A galaxy starts as a stellar mass, drawn from those of the galaxies of TNG100.
# What TNG's catalogue lists is then drawn *jointly* at that stellar mass: the mass of dark matter, the rate of star formation, the size, two
# colours, the gas, the black hole, the kinematic disc, the largest circular speed, and the dark matter and the gas within the stellar half-mass radius.
# We measured quantiles and rank correlations of all of these on real TNG100 galaxies {cite}`Nelson2019`, separately for those that form stars and those
# that do not, and for centrals and satellites; the universe has these numbers, and no row of the catalogue.
# {doc}`08_supervised_learning` draws the medians and scatters of both universes at fixed stellar mass, and counts those that agree.
# Satellites are as numerous as in TNG100, in groups of up to $2\times10^{14}\,M_\odot$.
#
# What the catalogue does not list follows published relations *with their scatter*: HI at a given star-formation rate {cite}`Catinella2018`,
# H₂ {cite}`Saintonge2017`, the extent of the HI {cite}`Wang2016` and metals in the gas {cite}`Curti2020`.
#
# The scatter is essential.
# If stellar mass determined the halo mass exactly, a network would only have to weigh the light, and every method would look perfect.
#
# The numbers are then turned into particles.
# The baryons contract the dark halo as they settle in it {cite}`Cautun2020`. How concentrated a halo was before, and how strongly it contracted, is what the
# circular speed and the inner dark matter of that galaxy require.
# (Correlations pair by pair do not know that nothing in a galaxy rotates faster than its largest circular speed. Where size, inner dark matter and largest
# speed exclude each other, in one galaxy in four, the inner dark matter gives way.)
# Particles are drawn independently from the resulting profiles; velocities follow from the gravity of *all* components together, through the Jeans equations
# for the dark matter and the stars, and through the balance of gravity, rotation and pressure for the gas.
#
# Last comes what a smooth disc lacks: bars, spiral arms, rings, complexes of gas, central holes in the cold gas, warps,
# lopsided discs, and a minority of disturbed galaxies.
# Their frequencies are near those observed where these are known, and our choice where not. A hole is as large as the gas within the stellar half-mass
# radius requires; the HI of a quenched galaxy can then lie in a wide, thin ring.
# Each can be switched off (`mocktng write --without holes`), so its effect on any result of this book can be measured.
#
# ## Look first
#
# We start with pictures.
# They show five galaxies directly from their particles, without dust, noise or a telescope.

# %%
chosen = embedded.examples(drawn.subhalos)
pictures = {
    title: portrait(tree, subhalo_id) for title, subhalo_id in chosen.items()
}

# %%
show(
    figures.gallery(pictures),
    settings,
    "embedded_gallery",
    caption="Galaxies of the embedded universe. Starlight is a composite of "
    "the $i$, $r$ and $g$ bands; HI velocities are along a line of sight "
    "inclined by 60 degrees to the axis of the stars. Each row has its own "
    "scale.",
    alt="Rows of pictures: a spiral, a barred spiral, a warped disc, a "
    "disturbed galaxy and a quenched one. The first have thin discs and "
    "extended hydrogen, with velocities from blue to red across the disc, "
    "along a bent line in the warped galaxy, and irregular or reversed in the "
    "disturbed one; the quenched galaxy is yellow, with few blue knots and "
    "little hydrogen.",
    n=len(pictures),
    source=elsewhere,
)

# %% [markdown]
# {numref}`fig-embedded-gallery` shows what a network will be given to look at.
# Star-forming galaxies have blue knots where particles are young, and HI that extends far beyond the light.
# In the velocity fields, follow the line from the bluest to the reddest points: it is straight in a quiet disc and bent in a warped one.
# In the disturbed galaxy the gas does not follow the stars.
#
# ## Haloes and stars
#
# Now we measure.
# From here on we ignore how the galaxies were made and treat them as TNG: a catalogue and particles on disk.
# For every galaxy, `measure` fits the dark matter's concentration, finds the radius that contains half of the $r$-band light face-on, converts gas into HI, and so on.

# %%
ids = validation.centrals(tree, at_most=n_measured)
table = validation.measure(tree, ids)

# %% [markdown]
# `scaling_relations` compares them with published medians of real galaxies and of haloes without baryons.
# Four in five groups without any galaxy of the paper's selection were left out of the universe, because they would take space and then be dropped.
# Where a relation mixes galaxies that form stars with others, the galaxies of such groups count five times.

# %%
weights = embedded.weights(drawn)[np.asarray(table["subhalo_id"])]
found = validation.scaling_relations(table, weights=weights)

# %% [markdown]
# We record three numbers for each relation: the offset of its median, the scatter of the galaxies about it, and the uncertainty of the median for this
# number of galaxies (by bootstrap).

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
    caption="Haloes and stars of central galaxies compared with published "
    "relations, in reading order: {cite:t}`Moster2013`, {cite:t}`Diemer2019`, "
    "{cite:t}`vanderWel2014` (one line per type), {cite:t}`Saintonge2022` "
    "(star-forming only), {cite:t}`Gallazzi2005` (two panels). Offset and "
    "scatter in dex.",
    alt="Six panels of points with a dashed median: stellar "
    "mass against halo mass, concentration against halo mass, size, "
    "star-formation rate, stellar metallicity and age against stellar mass. "
    "The points scatter about the dashed lines; massive haloes have more "
    "stars than the line, and small galaxies more metals.",
    n=len(table),
    source=elsewhere,
)

# %% [markdown]
# In {numref}`fig-embedded-stars` the galaxies follow TNG100, and where TNG100 differs from the published relation so do they.
#
# - **Stars in a halo**: {num}`embedded.stellar_to_halo.offset:.2f±`, with a scatter of {num}`embedded.stellar_to_halo.scatter:.2f` about a relation that
#   is steeper than TNG's above $10^{12}\,M_\odot$.
# - **Concentration**: {num}`embedded.concentration.offset:.2f±`, fitted beyond a tenth of $R_{200}$, where contraction matters little.
# - **Size**: {num}`embedded.size.offset:.2f±`. Half-mass radii are those of TNG100; the relation is for light.
# - **Star formation**: {num}`embedded.sequence.offset:.2f±`.
# - **Metals in stars**: {num}`embedded.stellar_metallicity.offset:.2f±`. They are those of TNG100, whose small galaxies are richer in metals than observed ones.
# - **Age**: {num}`embedded.age.offset:.2f±`. Ages were chosen to give the colours of TNG100.
#
# What is the effect of contraction?
# We compare the concentration fitted from 0.02 $R_{200}$ with that from 0.1.

# %%
tightening = np.nanmedian(np.asarray(table["c_all"] / table["c_outer"]))
record(
    "embedded.tightening",
    tightening,
    n=len(table),
    statement="Median ratio of concentrations, fit from 0.02 and 0.1 R200",
)

# %% [markdown]
# The inner fit gives concentrations {num}`embedded.tightening:.2f` times as high.
# It is this concentration, with the effect of stars and gas in it, that TNG100's run with full physics gives for haloes of each mass {cite}`Anbajagane2022`, a record.

# %%
full = load.record("tng100_concentration")["measured"]
log_m = np.log10(np.asarray(table["m200"].to_value("Msun")))
expected = np.interp(log_m, full["log_m200"], full["log_c"])
off = np.log10(np.asarray(table["c_all"])) - expected
ours = Bootstrap(np.asarray(table["subhalo_id"]), seed=seed)

# %%
told = "log10 c of the dark matter, fit from 0.02 R200, less TNG100's at M200"
for id, number, words in (
    ("offset", ours.quantile(off, 0.5), "median"),
    ("scatter", ours.scatter(off), "half the middle 68%"),
):
    record(
        f"embedded.full_concentration.{id}",
        number,
        unit="dex",
        n=len(table),
        statement=f"{told}: {words}",
    )
record(
    "embedded.full_concentration.tng",
    np.median(np.interp(log_m, full["log_m200"], full["scatter"])),
    unit="dex",
    statement="Scatter of log10 c in TNG100 with full physics",
    universe="TNG100-1 (records/tng100_concentration.json)",
)

# %% [markdown]
# At the mass of each halo it lies off TNG100's by {num}`embedded.full_concentration.offset:+.3f±` in the median, with a scatter of {num}`embedded.full_concentration.scatter:.3f±`; TNG100's is {num}`embedded.full_concentration.tng:.2f`.
# The fits are not the same, ours to the dark matter within 0.02 and 1 $R_{200}$, so that some hundredths of the offset may come from them.
# A rotation curve probes the inner halo, so it will find haloes more concentrated than those of a simulation without baryons.
#
# Does the contraction of Cautun et al. describe simulated galaxies, or only our own?
# We have applied it to haloes of another hydrodynamical simulation, a run of SWIFT-EAGLE {cite}`Correa2024`, the successor of EAGLE {cite}`Schaye2015`: an uncontracted halo
# of the usual concentration for its mass, contracted by the stars and the gas that the simulation has there, beside the dark matter that the simulation has (a record, `records/eagle_contraction.json`).

# %%
eagle = Table(load.record("eagle_contraction")["measured"]["rows"])
formats = {name: "+.2f" for name in ("uncontracted", "contracted")}
show_table(
    eagle["radius", "uncontracted", "contracted"],
    formats,
    caption="Enclosed dark mass of SWIFT-EAGLE over that of the model, "
    "without and with contraction, in dex; radius in kpc.",
    rows=10,
    source="SWIFT-EAGLE, records/eagle_contraction.json",
)

# %%
record_eagle = recorder(
    settings,
    chapter="embedded_universe",
    universe="SWIFT-EAGLE (records/eagle_contraction.json)",
)
for row in eagle[np.isin(eagle["radius"], [2, 5, 50])]:
    for name in ("uncontracted", "contracted"):
        record_eagle(
            f"eagle.{name}.{row['radius']:.0f}",
            row[name],
            error=row[f"{name}_scatter"],
            unit="dex",
            n=row["n"],
            statement="log of SWIFT-EAGLE's dark matter over that of an "
            f"{name} halo, {row['radius']:.0f} kpc (error: scatter)",
        )

# %% [markdown]
# The numbers are medians of $\log_{10}$ of SWIFT-EAGLE's dark matter over the model's, within each radius, for {num}`eagle.contracted.5.n` galaxies above
# $10^{10}\,M_\odot$ of stars.
# At 5 kpc the halo without contraction has too little dark matter, by {num}`eagle.uncontracted.5:.2f`; contracted, it lacks {num}`eagle.contracted.5:.2f`, with a scatter of
# {num}`eagle.contracted.5.error:.2f` from galaxy to galaxy.
# There the mean relation describes these galaxies too.
# At 2 kpc it contracts the halo too much: the offset is {num}`eagle.uncontracted.2:+.2f` without and {num}`eagle.contracted.2:+.2f` with contraction.
# Far out, where haloes have lost baryons, it predicts a slight expansion that these galaxies do not show: at 50 kpc the offset is
# {num}`eagle.uncontracted.50:+.2f` without and {num}`eagle.contracted.50:+.2f` with it.
#
# ## Gas
#
# The paper's spectroscopic inputs are made from HI.
# The cells of the simulation do not give the atomic fraction of their gas: that requires a model, for TNG as for the embedded universe (the temperature
# of star-forming cells, then a pressure law for H₂).

# %%
gas = ["hi_mass", "hi_at_ssfr", "hi_size", "gas_metallicity"]

# %%
show(
    figures.relations(found, gas),
    settings,
    "embedded_gas",
    caption="Gas of central galaxies compared with published relations, in "
    "reading order: {cite:t}`Catinella2018` (two panels), {cite:t}`Wang2016`, "
    "{cite:t}`Curti2020` (star-forming only). Galaxies of groups of which "
    "most were left out count five times in the first panel's offset. "
    "Grey band: published scatter, where given. Offset and scatter in dex.",
    alt="Four panels of points with a dashed median: HI mass over stellar "
    "mass against stellar mass and against specific star-formation rate, HI "
    "diameter against HI mass with very small scatter, and gas metallicity "
    "against stellar mass.",
    n=len(table),
    source=elsewhere,
)

# %% [markdown]
# In {numref}`fig-embedded-gas` the HI fraction at a given stellar mass spreads over two orders of magnitude, as in the survey, because star-forming and
# quenched galaxies differ.
# At a given star-formation rate the spread is {num}`embedded.hi_at_ssfr.scatter:.2f`, with an offset of {num}`embedded.hi_at_ssfr.offset:+.2f±`.
# Two choices lower it: the survey's medians for quenched galaxies are at its detection limit, and half of our quenched galaxies were drawn below it;
# and no galaxy has more cold gas than the bound gas of TNG100 allows.
# At a given stellar mass the HI lies {num}`embedded.hi_mass.offset:+.2f±` from the survey's median.
# It follows the star formation, which lies {num}`embedded.sequence.offset:+.2f±` from the observed sequence (above), and was not adjusted to the HI that is
# observed at a given stellar mass.
#
# The size of the HI disc is almost fixed by its mass, both here (scatter {num}`embedded.hi_size.scatter:.2f`) and in real galaxies ({cite:t}`Wang2016` find 0.06 dex).
# For a network this means that the HI extent on the sky gives its mass, but nothing beyond what its flux gives already.
#
# TNG itself contains about twice the neutral gas that is observed at z = 0 {cite}`Diemer2019HI`.
#
# ## Does the gas trace the mass?
#
# This test matters most for this book.
# A rotation curve assumes that the gas moves at the circular speed $\sqrt{GM(<R)/R}$.
# Here we can measure both: the mass by counting all particles within $R$, and the speed from the HI.

# %%
everyone = validation.centrals(tree)
s = drawn.subhalos[everyone]
rich = everyone[(s["m_hi"] > 2e9) & (s["m_star"] < 1e12)]

# %% [markdown]
# The list of drawn properties shows which galaxies are disturbed; for real galaxies this would have to be inferred.
# We take all disturbed galaxies, and quiet ones evenly spaced along the catalogue.

# %%
kind = drawn.subhalos["disturbed"]
quiet = rich[kind[rich] == ""]
n_quiet = min(n_rotation, len(quiet))
evenly = np.linspace(0, len(quiet) - 1, n_quiet).astype(int)
calm = validation.rotations(tree, quiet[evenly])
rough = validation.rotations(tree, rich[kind[rich] != ""])

# %% [markdown]
# We show four quiet galaxies, from massive to small, and two disturbed ones of different kinds.

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
    "from all matter; titles give the subhalo number. The dotted line is the "
    "radius where the HI falls to $1\\,M_\\odot\\,\\mathrm{pc}^{-2}$.",
    alt="Small plots of speed against radius. In the quiet galaxies the "
    "points lie near the curve of circular speed; in the disturbed ones they "
    "may depart from it, or lie at negative speeds.",
    n=len(picked),
    source=elsewhere,
)

# %% [markdown]
# In the quiet galaxies of {numref}`fig-embedded-rotation` the points follow the line, with deviations of some per cent and larger ones in the centre: their
# velocities were computed from that mass, and then perturbed, because no real disc is in perfect balance.
# A ring in the central hole of a gas disc holds a few stray cells only; their mean speed, which may be near zero, says nothing about the mass.
# The next figure combines all galaxies, with the radius in units of the HI radius.

# %%
show(
    figures.rotation_agreement(calm, rough),
    settings,
    "embedded_agreement",
    caption="Speed of the HI over the circular speed, ring by ring, against "
    "radius over the HI radius. Lines are medians, bands contain 68 per cent "
    "of the galaxies, points are single galaxies. The vertical axis ends "
    "above the lowest values of the disturbed galaxies.",
    alt="Ratio of gas speed to circular speed against radius over HI radius. "
    "The quiet galaxies form a narrow band at one; the disturbed ones have a "
    "wide band that extends far below one, mostly at small radii.",
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
# In {numref}`fig-embedded-agreement` the band of the quiet galaxies is narrow and close to one, while that of the disturbed ones is wide at small radii.
# In quiet galaxies the ratio is {num}`embedded.rotation.quiet:.3f±`, where the error is the scatter from galaxy to galaxy.
# Two effects shift it in opposite directions: beyond its innermost scale length a disc pulls more strongly, in its plane, than a sphere of the same mass, which raises the speed; turbulence
# and pressure support part of the gas, which lowers it, most of all in the centre.
# Ring by ring, a quiet galaxy departs from the circular speed by a fraction {num}`embedded.departure.quiet:.2f`, a disturbed one typically by
# {num}`embedded.departure.disturbed:.2f`.
# The disturbed galaxies fail in two ways: gas that has lost its balance moves at the wrong speed, and some gas counter-rotates.
# Gas that is merely tilted or displaced still traces the mass, provided that its axis is known.
#
# These are averages over whole rings about the gas's own axis, which no observer can measure.
# An observed curve comes from a single line of sight through arms, bars and warps; {doc}`15_rotation_curves` applies the method to mock observations
# and shows how much is lost.
#
# ## How dark is the centre?
#
# Last, we measure the quantity that the paper predicts at one radius: the dark fraction of the mass within the stellar half-mass radius.

# %%
quenched = (table["sfr"] / table["m_star"]).value < validation.QUENCHED_BELOW
f_dm = np.asarray(table["f_dm"])

# %%
show(
    figures.dark_fraction(table, quenched),
    settings,
    "embedded_dark_fraction",
    caption="Dark-matter fraction of the mass within the stellar half-mass "
    "radius. Shaded: the medians of TNG are at least 0.5 at all masses "
    "{cite}`Lovell2018`.",
    alt="Dark-matter fraction against stellar mass. The points scatter "
    "widely around a median near one half, lower at intermediate stellar "
    "masses; quenched galaxies lie lower than star-forming ones.",
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
# In TNG the medians are lowest, but nowhere below 0.5, for galaxies like the Milky Way, whose haloes turn most of their gas into stars {cite}`Lovell2018`.
# Look for that minimum in the black line of {numref}`fig-embedded-dark-fraction`.

# %%
log_mass, medians = validation.median_dark_fraction(table)
lowest = np.argmin(medians)
of = "dark-matter fraction within the stellar half-mass radius"
here = {"n": len(table), "figure": "embedded_dark_fraction"}
record(
    "embedded.f_dm.lowest",
    medians[lowest],
    statement=f"Lowest median {of} in bins of stellar mass",
    **here,
)
record(
    "embedded.f_dm.lowest-mass",
    10 ** log_mass[lowest],
    unit="Msun",
    statement=f"Stellar mass where the median {of} is lowest",
    **here,
)

# %% [markdown]
# The black line has its minimum, {num}`embedded.f_dm.lowest:.2f`, at {num}`embedded.f_dm.lowest-mass:.1e`.
#
# One more number, for the list that follows: baryons are drawn at a given stellar mass, and nothing keeps their share of a halo below the cosmic one.

# %%
parts = tree.subhalos(["SubhaloMassType"], everyone)["SubhaloMassType"]
bound = parts.sum(axis=1)
share = (1 - parts[:, 1] / bound).value
cosmic = cosmology().Ob0 / cosmology().Om0
heavy = np.argsort(bound)[-10:]

# %%
of = "centrals that bind more baryons than the cosmic share"
for name, some in (("all", share), ("heavy", share[heavy])):
    record(
        f"embedded.baryons.{name}",
        int((some > cosmic).sum()),
        n=len(some),
        statement=f"Number of {of}, {name}",
    )
record(
    "embedded.baryons.largest",
    share.max(),
    n=len(share),
    statement="Largest share of baryons in the bound mass of a central",
)
record(
    "embedded.baryons.cosmic",
    cosmic,
    statement="Cosmic share of baryons in the matter",
    universe=ARITHMETIC,
)

# %% [markdown]
# ## Limitations
#
# - It is **not a simulation**. Nothing evolved. No galaxy has merged and no gas has cooled; anything not in a relation above is absent.
# - It is **not TNG**, and no number in this book that was made from it is a result on TNG.
# - It is **not a volume**. It has the galaxies of a part of TNG100's box, but four in five groups without a galaxy of the selection are missing, so its
#   counts are not a mass function; its groups do not cluster.
# - Its correlations at a given stellar mass are **those of TNG100's catalogue, pair by pair**, and of a Gaussian form. What the light and the gas of a
#   galaxy show *beyond* the catalogue's numbers (the shape of a bulge, the edge of an HI disc) is tied to the halo only through them. In TNG it may be
#   tied more closely, or less.
# - The HI of its galaxies is that of **real galaxies at their star-formation rate**, with a link to the bound gas that is our choice (a rank correlation of
#   0.6). How much HI adds to photometry depends on it.
# - Its galaxies are **in equilibrium**, except for the disturbed minority; the rotation-curve method has an easier task here than in TNG.
# - The **gas within the stellar half-mass radius** varies too little between its massive galaxies: the black holes of TNG100 leave many of them next to none there, and a cold disc with a hole always some. In the median it is {num}`fixed-mass-many-inner-gas:.1f±` times that of TNG100 at the stellar mass where it is farthest off ({doc}`08_supervised_learning`).
# - Its **colours** differ from those of TNG100 by {num}`fixed-mass-many-colour:+.3f±` in $g-r$ at the same stellar mass ({doc}`08_supervised_learning`).
# - Its **light tells less of the halo**. Magnitudes and colours, added to stellar mass and radius, lower the error of all bound dark matter from {num}`tng100-mdm-size-error:.1%` to {num}`tng100-mdm-known:.1%` in TNG100, and from {num}`integrated-mdm-size-error:.1%±` to {num}`integrated-mdm-known:.1%±` here; and the stellar mass can be read from light to {num}`integrated-mstar-known:.1%±` here, to {num}`tng100-mstar-known:.1%` there ({doc}`08_supervised_learning`). What a network gains from photometry here is therefore not what it would gain in TNG.
# - {num}`embedded.baryons.all` of {num}`embedded.baryons.all.n` centrals bind **more baryons than the cosmic share** of {num}`embedded.baryons.cosmic:.3f`, up to
#   {num}`embedded.baryons.largest:.3f`; so do {num}`embedded.baryons.heavy` of the ten most massive.
#
# Its purpose: every line of code, every figure and every error measure of this book runs on it, with a known truth.
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# The selection keeps galaxies above $10^{10}\,M_\odot$ in stars.
# Take haloes between $10^{11.4}$ and $10^{11.6}\,M_\odot$, and compare the offset of the stellar-to-halo relation with and without that cut.
# Which galaxies pass the cut, and what will a network trained on them infer for small haloes?
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
# The network sees small haloes only with too many stars, and will assign a galaxy just above the limit to a small halo.
# This bias is part of the training set, in TNG as here; it does no harm as long as the network is used on galaxies selected in the same way.
# :::
#
# ## Summary
#
# - The embedded universe is a set of model galaxies in TNG's format, drawn jointly from relations measured on TNG100, and from published ones where the
#   catalogue is silent.
# - Read back like TNG, its stellar masses lie {num}`embedded.stellar_to_halo.offset:+.2f±` from the published relation with halo mass, and its HI masses
#   {num}`embedded.hi_mass.offset:+.2f±` from the survey's at a given stellar mass.
# - In quiet galaxies the rotation of the gas over the circular speed is {num}`embedded.rotation.quiet:.3f±`; some of the disturbed minority are far off.
# - It is neither a simulation nor TNG; it shows that the methods run, and what they do when the truth is known.
#
# ## What's next
#
# {doc}`03_simulation_and_selection` turns to TNG100 itself, and applies the paper's selection to both universes.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
