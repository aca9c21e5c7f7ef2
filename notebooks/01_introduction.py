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
# (introduction)=
# # Rotation curves and the missing mass
#
# **Objective: find out from the rotation of a galaxy how much of its mass cannot be seen, and why one would want a machine to
# learn it from pictures.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Newton's law of gravitation, circular orbits | everything here follows from $V^2/R = GM/R^2$ | any first course in mechanics |
# | Python with NumPy | to read the cells; you can also skip them | [NumPy for beginners](https://numpy.org/doc/stable/user/absolute_beginners.html) |
# | Astronomy | none; one kiloparsec (kpc) is 3262 light years, and $M_\odot$ is the mass of the Sun | |
#
# You will be able to
#
# 1. take a rotation curve apart into what stars, gas and dark matter contribute;
# 2. turn a speed into an enclosed mass, and say how far the visible mass falls short;
# 3. tell which part of that answer is measured, and which part is assumed;
# 4. say what the paper behind this book predicts, from what, and how this book checks it.
#
# Reading takes about 20 minutes, running a few seconds.

# %% [markdown]
# The settings say where galaxies come from and how much is computed; the same four stand at the top of every chapter.

# %% tags=["parameters"]
universe = "embedded"  # written here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
galaxy = "NGC6503"  # SPARC name; NGC 6503 as in section 1 of the talk

# %%
from textwrap import fill

from dmlib import load
from dmlib.figures import introduction as figures
from dmlib.figures import show
from dmlib.results import recorder
from dmlib.rotation.massmodel import outer_slope
from dmlib.rotation.sparc_sample import load_example, load_population, relate
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)

# %% [markdown]
# ## A galaxy that turns too fast
#
# A spiral galaxy is a thin disc of stars and gas that goes round its centre.
# How fast it goes at each distance can be measured: the hydrogen gas shines at a wavelength of 21 cm, and where it comes towards
# us or recedes, that wavelength is shifted.
# The speed against the distance from the centre is the **rotation curve**.
#
# A body stays on a circle of radius $R$ at the speed $V$ when it falls with $V^2/R$ towards the centre. Gravity supplies that,
# $G\,M(<R)/R^2$ with the mass $M(<R)$ inside the orbit. So the speed tells the mass:
#
# $$ M(<R) = \frac{V^2 R}{G} . $$ (eq-enclosed-mass)
#
# In the Solar System nearly all the mass is in the Sun, so $M$ is the same for every planet and $V \propto R^{-1/2}$: Neptune is
# slower than the Earth.
# The light of a galaxy too is gathered at its centre.
# If mass went with light, the outer gas should orbit like Neptune.
# It does not, as was seen in galaxy after galaxy from the 1970s on {cite}`Rubin1980,Begeman1987`; the textbook picture of it, which
# the talk of the paper opens with as well {cite}`Freese2009`, is the curve of **NGC 6503**, a small spiral that lies
# at a distance of 6 Mpc.
#
# Its measurements are part of SPARC, a collection of 175 galaxies with rotation curves and near-infrared photometry
# {cite}`Lelli2016`.
# The next line finds them in a local copy or downloads them; the archive is verified by its checksum.

# %%
sample, simulation = load.sample(settings), load.universe(settings)
example = load_example(sample, simulation, galaxy)
source = f"{example.galaxy} from {example.source}"
print(fill(example.note or source, 79))

# %% [markdown]
# If the line above says that SPARC could not be obtained, this copy of the book was made with no network. Then the curves below are those
# of a calm disc galaxy of the universe that the settings name, by default the {doc}`embedded one <02_embedded_universe>`, measured on
# its cold gas; and the last figure shows all the dark matter bound to its galaxies against their stellar mass.
# Every caption says which it is. The argument is the same, the numbers are not.

# %%
show(
    figures.rotation_curve(example),
    settings,
    "intro_rotation_curve",
    caption="Rotation curve (points), and the speeds that stars, gas and the "
    "missing mass alone would give. Bands, where there are any: what the "
    "unknown mass of the stars leaves open.",
    alt="Rotation speed against radius. The points rise steeply and stay "
    "high to the last radius; the curve of stars and gas peaks inside and "
    "falls; the curve of the dark matter carries the outer part.",
    n=f"{len(example.radius)} measured radii",
    source=example.source,
)

# %% [markdown]
# {numref}`fig-intro-rotation-curve` shows the whole problem.
# Follow the points out to many scale lengths of the stellar disc (upper axis), where hardly any starlight is left: they rise, and then
# they stay high. In NGC 6503 they stay level to the end: its curve is **flat**.
# The dashed grey curve is what stars and gas alone would give. It explains much of the centre, and then it falls.
#
# ## Taking the curve apart
#
# Forces add, and at a given radius each goes with a $V^2$; so the squares of the speeds that each part alone would give add too:
#
# $$ \begin{aligned} V_\mathrm{obs}^2 = {} & \Upsilon_\mathrm{disc} V_\mathrm{disc}^2 + \Upsilon_\mathrm{bulge} V_\mathrm{bulge}^2 \\
#    & + V_\mathrm{gas}|V_\mathrm{gas}| + V_\mathrm{dark}^2 . \end{aligned} $$ (eq-decomposition)
#
# $V_\mathrm{gas}$ follows from the measured hydrogen, with helium added; where the gas has a hole it pulls outwards, hence the sign.
# $V_\mathrm{disc}$ and $V_\mathrm{bulge}$ follow from the measured light if each solar luminosity weighed one solar mass.
# What it really weighs is the **mass-to-light ratio** $\Upsilon$, and that is not measured here: we take 0.5 for discs and 0.7 for
# bulges at 3.6 µm, as stellar-population models suggest {cite}`McGaugh2014,McGaugh2016`.
# The bands in the figure show discs between 0.2 and 0.7, from what a survey of stellar motions suggests {cite}`Lelli2016` to the
# most that the curves of bright galaxies allow {cite}`Starkman2018`.
#
# How flat is flat? We fit $\ln V$ against $\ln R$ beyond three scale lengths, for the points and for the visible matter.
# A flat curve has a slope of 0; a mass that has ended gives $-1/2$.

# %%
beyond = 3 * example.r_disk
slope, slope_error, visible_slope, n_outer = outer_slope(example, beyond)
print(f"measured: {slope:+.3f} ± {slope_error:.3f}")
print(f"stars and gas alone: {visible_slope:+.2f}")

# %% [markdown]
# Each number that the text quotes is recorded together with where it is from, and looked up when these pages are built.

# %%
record = recorder(settings, chapter="introduction", universe=example.source)
of = "d ln V / d ln R beyond three scale lengths of the disc (n: radii)"
record(
    "intro-slope",
    slope,
    error=slope_error,
    n=n_outer,
    statement=f"Slope {of}, measured",
    figure="intro_rotation_curve",
)
record(
    "intro-slope-visible",
    visible_slope,
    n=n_outer,
    statement=f"Slope {of}, of stars and gas alone",
    figure="intro_rotation_curve",
)

# %% [markdown]
# Beyond three scale lengths the measured slope is {num}`intro-slope:.3f±`.
# Stars and gas alone would fall with {num}`intro-slope-visible:.2f`, on the way to Kepler's $-1/2$ and not quite there because the gas disc goes
# on.
# The error is the formal one of the fit. It takes the points as independent, which they are not: neighbours share a telescope beam
# or, in a simulation, gas that moves together. The true error is larger.
#
# ## How much is missing
#
# Equation {eq}`eq-enclosed-mass` turns the same points into masses.
# It takes the mass as spherical, and so will this book whenever it says "mass within $R$". A disc pulls more in its own plane than
# a sphere that holds as much within that radius: for a thin exponential disc the speed is up to 15 per cent higher, and the mass that we
# read from it up to a third. Where the halo dominates the excess is small. The *ratio* of needed to seen is one of two accelerations at the
# same place, and does not depend on the shape.

# %%
show(
    figures.enclosed_mass(example),
    settings,
    "intro_enclosed_mass",
    caption="Above: mass within each radius, needed by the orbits, seen, and "
    "missing. Below: needed over seen. Bands, where there are any: what the "
    "unknown mass of the stars leaves open.",
    alt="Upper panel: enclosed mass against radius; the needed mass goes on "
    "growing with the radius while the seen mass levels off, and the missing "
    "mass overtakes it. Lower panel: the ratio of needed to seen mass.",
    n=f"{len(example.radius)} measured radii",
    source=example.source,
)

# %% [markdown]
# Look in the upper panel of {numref}`fig-intro-enclosed-mass` for where the missing mass overtakes the seen one.
# Beyond, the seen mass grows little more, and the needed mass goes on; the thin dashed line shows the growth in proportion to $R$
# that a flat curve means.

# %%
needed, needed_error = example.m_dynamical()
ratio, ratio_error = example.discrepancy()
lightest, heaviest = example.upsilon_range
low, high = (example.discrepancy(u)[0][-1] for u in (heaviest, lightest))

# %%
at_end = {"figure": "intro_enclosed_mass"}
speed, speed_error = example.v_obs[-1], example.v_err[-1]
end, where = example.radius[-1], "within the last measured radius"
record("intro-radius", end, unit="kpc", statement="Last radius", **at_end)
record(
    "intro-speed",
    speed,
    error=speed_error,
    unit="km/s",
    statement="Rotation speed at the last measured radius",
    **at_end,
)
record(
    "intro-mass",
    needed[-1],
    error=needed_error[-1],
    unit="Msun",
    statement=f"Mass that the orbits need {where}",
    **at_end,
)

# %%
of = f"Mass needed over mass seen {where}"
record("intro-ratio", ratio[-1], error=ratio_error[-1], statement=of, **at_end)
record("intro-ratio-low", low, statement=f"{of}, heaviest stars", **at_end)
record("intro-ratio-high", high, statement=f"{of}, lightest stars", **at_end)

# %% [markdown]
# Within {num}`intro-radius:.1f`, where the gas still moves at {num}`intro-speed:.0f±`, the orbits need {num}`intro-mass:.1e±`.
# That is {num}`intro-ratio:.1f±` times what stars and gas provide.
# The error comes from the speed at that radius alone. In a real galaxy the unknown mass of the stars matters as much: the ratio is
# {num}`intro-ratio-low:.1f` if the disc is as heavy as it can be, {num}`intro-ratio-high:.1f` if it is as light as has been
# suggested (two equal numbers if a simulated galaxy stands here, whose stars have been weighed).
# Either way, most of the mass is not seen.
#
# :::{admonition} What is measured, and what is inferred
# :class: note
# Measured are wavelengths and brightnesses. The speeds assume circular orbits in a disc of known inclination; the stars'
# curve assumes one mass-to-light ratio at all radii; the missing mass assumes Newton's law at accelerations near and below
# $10^{-10}\,\mathrm{m\,s^{-2}}$, far below those of the Solar System.
# That the missing mass is *matter* is the reading of this book and of the paper, for reasons that lie outside galaxies as well:
# clusters, gravitational lenses, the cosmic microwave background {cite}`Freese2009`.
# :::
#
# ## Light knows something about the dark
#
# One galaxy tells how much is missing there. What about another, of which nobody has a rotation curve?
# Images exist of very many more galaxies than resolved rotation curves.
# So here is the question of the paper in its smallest form: **what does the light say about the dark mass?**
#
# Take the good rotation curves of SPARC that reach a radius of 10 kpc, and the missing mass inside that radius
# (without SPARC, the galaxies of the universe and their dark matter).

# %%
population = load_population(sample)
light, dark = population["light"].value, population["m_dark"].value
relation = relate(light, dark, seed=seed)

# %%
show(
    figures.light_and_dark(population, relation, highlight=example.galaxy),
    settings,
    "intro_light_and_dark",
    caption="Dark mass against light; the colour is the rotation speed. "
    "Dotted: the mean, the best guess of someone who looks at nothing. Line "
    "and band: the best straight line and the scatter about it.",
    alt="Dark mass against luminosity, both logarithmic. Brighter galaxies "
    "have more dark mass, with a wide scatter about a straight line; at one "
    "luminosity the faster rotators lie higher.",
    n=len(population),
    source=population.meta["source"],
)

# %% [markdown]
# A machine that has to guess the dark mass of a galaxy and may look at nothing does best with the mean of all others (dotted line of
# {numref}`fig-intro-light-and-dark`).
# One that may look at the luminosity does best with something like the straight line.

# %%
of_all = {"universe": population.meta["source"], "n": relation.n}
of_all |= {"unit": "dex", "figure": "intro_light_and_dark"}
of = "Root mean square error of log dark mass, predicted by"
record(
    "intro-spread",
    relation.spread,
    error=relation.spread_error,
    statement=f"{of} the mean",
    **of_all,
)
record(
    "intro-scatter",
    relation.scatter,
    error=relation.scatter_error,
    statement=f"{of} a straight line in the light",
    **of_all,
)

# %% [markdown]
# The mean errs by {num}`intro-spread:.2f±`, the line by {num}`intro-scatter:.2f±`; a dex is a factor of ten.
# So the light *does* know something about the dark, and one number per galaxy uses only little of what an image holds: its shape,
# its colours, its bulge, bar and arms.
# And the colours of the points show that motion knows more still. In SPARC that is no wonder, for the dark mass was computed from it.
#
# This is **supervised learning** in miniature. There are examples with known answers; there is a rule with free numbers (here two); the
# numbers are chosen such that the answers come out best; and the rule is judged by how much better it does than knowing nothing.
# Two warnings of this toy hold for the whole book.
# The line was judged on the galaxies that chose it; with two free numbers that flatters little, with the millions of a
# neural network it would flatter without bound, which is why all later chapters judge on galaxies that no network has seen.
# And where the galaxies are real, the answers themselves were inferred, with a mass-to-light ratio that somebody assumed.
#
# ## The idea of the paper
#
# In a simulation the answers are known. {cite:t}`deLosRios2023` therefore
#
# 1. take galaxies from **IllustrisTNG**, a simulation of a piece of the Universe with gas, stars and dark matter
#    {cite}`Nelson2019`;
# 2. **observe** them: images as the SDSS would take them, with starlight traced through dust, and maps of the hydrogen as a radio telescope
#    would make them;
# 3. know for each the **target**: the dark mass within twenty radii from 1 to 100 kpc;
# 4. train **convolutional neural networks** to go from the observation to the target, and compare networks, and kinds of observation.
#
# No shape of the dark-matter profile is assumed, and no equilibrium. The price is that the rule is only as good as the simulation that
# taught it.
# Their conclusions, which this book tests one by one, are that the profile is recovered well at all radii, best at intermediate ones (mean
# square error below 0.2 with all information, below 0.3 with images alone), and with a mean absolute error that is always below about
# 0.25 when both images and HI are given.
# A follow-up with networks that respect rotations of the image does better than the standard ones {cite}`deLosRios2025`.
#
# How the networks compare with the method of this chapter, on the same galaxies, the authors announced as future work. It is the
# second half of this book.
#
# The talk goes on from here to neural networks, convolutions and pooling. This book explains them where they can be run, in the
# chapter on networks.
#
# ## What the book does, and three ways to use it
#
# | Part | Question | Chapters |
# |---|---|---|
# | The problem | how is dark mass measured today? | this one |
# | The data set | which galaxies, seen how, with which answers? | 2 to 7 |
# | Neural networks | how well can the answers be learnt, from what, and what do the networks look at? | 8 to 11 |
# | The rotation-curve method | how well does this chapter's method do on the same galaxies? | 12 and 13 |
# | What follows | does it hold in another simulation, and which claims stand? | 14 and 15 |
#
# The {doc}`front page </index>` lists them by name, and marks those that are not written yet.
#
# **Read it**: every figure and number was made by the code beside it.
# **Run a chapter**: open it in JupyterLab, change its parameters, run it; what is missing is made.
# **Regenerate everything**: `make book` runs all chapters in order and builds these pages.
#
# Real TNG data need an account and much disk, so the book by default runs on the **embedded universe**, a small simulation that it writes
# itself, in the format of TNG.
# Nothing measured there is a result on TNG, and each caption says which of the two it shows.
#
# :::{admonition} What we do not know about the paper
# :class: warning
# We work from the paper's abstract, its talk, and the authors' public scripts.
# Not stated in any of them, as far as we could find: how many galaxies were used, the architectures B and C and how ResNet50 was adapted, the
# field of view of the images, distance, channels, beam and noise of the HI observations, the settings of the
# radiative transfer, and the error at each single radius.
# Where a chapter needs one of these, it makes a choice of its own and says that it is ours.
# :::

# %% [markdown]
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# A **maximum disc** puts as much mass into the stars as the curve allows: the largest $\Upsilon_\mathrm{disc}$ for which the visible
# curve exceeds no measured point.
# Find it for this galaxy with `example.v_visible(upsilon)`. How much mass is then still missing at the last radius?
# And which galaxies of `load_population` would change their place in {numref}`fig-intro-light-and-dark` the most?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# import numpy as np
#
# trial = np.linspace(0.1, 1.5, 141)
# allowed = [
#     upsilon
#     for upsilon in trial
#     if np.all(example.v_visible(upsilon) <= example.v_obs)
# ]
# maximum = max(allowed)
# print(maximum, example.discrepancy(maximum)[0][-1])
# ```
# For NGC 6503 the limit is set by the third point, near the peak of the stars' curve. It lies not far above our 0.5, so that
# even the heaviest disc leaves the outer mass missing several times over: near the centre the stars may be all there is, far out they
# cannot be.
# In the last figure the bright galaxies move most. Their stars make up much of the mass within 10 kpc, so that the missing mass is a small
# difference of two large numbers; the faint galaxies hardly notice what their few stars weigh.
# :::
#
# ## Summary
#
# - Speeds give masses: $M(<R) = V^2R/G$. A flat curve means a mass that grows in proportion to the radius.
# - Stars and gas explain the centres of galaxies, and fail outside by a factor of several; what is missing is called dark matter.
# - The largest uncertainty inside is not the speed but the mass of the stars.
# - Light and dark mass are related, with scatter. To learn that relation, from whole images and HI maps, is what the paper does.
#
# ## What's next
#
# {doc}`02_embedded_universe` writes the galaxies that the rest of the book works with, and checks them against what is known
# of real ones. Readers with TNG data at hand can go on to {doc}`03_simulation_and_selection`.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
