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
# **Objective: use the rotation of a galaxy to measure how much of its mass is invisible, and see why it is worth training a machine to infer that mass from images.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Newton's law of gravitation, circular orbits | everything here follows from $V^2/R = GM/R^2$ | any first course in mechanics |
# | Python with NumPy | to read the code cells, which you can also skip | [NumPy for beginners](https://numpy.org/doc/stable/user/absolute_beginners.html) |
# | Astronomy | none needed; one kiloparsec (kpc) is 3262 light years, and $M_\odot$ is the mass of the Sun | |
#
# You will be able to
#
# 1. decompose a rotation curve into the contributions of stars, gas and dark matter;
# 2. convert a speed into an enclosed mass, and say how far the visible mass falls short;
# 3. distinguish the measured part of that answer from the assumed part;
# 4. state what the paper behind this book predicts, from which data, and how this book tests it.
#
# Reading takes about 20 minutes; running takes a few seconds.

# %% [markdown]
# ```{found}
# chapter: introduction
# # The book fills this box from the recorded numbers.
# ```

# %% [markdown]
# The settings choose the source of the galaxies and the amount of computation; every chapter starts with the same four.

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
galaxy = "NGC6503"  # SPARC name; NGC 6503 as in section 1 of the talk

# %%
from textwrap import fill

from dmlib import load
from dmlib.figures import show
from dmlib.figures import sparc as figures
from dmlib.results import recorder
from dmlib.rotation.massmodel import outer_slope
from dmlib.rotation.sparc import load_example, load_population
from dmlib.rotation.sparc_analysis import relate
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)

# %% [markdown]
# ## A galaxy that rotates too fast
#
# A spiral galaxy is a thin disc of stars and gas that rotates about its centre.
# Its speed at each radius can be measured: hydrogen gas emits at a wavelength of 21 cm, and motion towards us or away from us shifts that wavelength.
# The speed as a function of radius is the **rotation curve**.
#
# A body on a circular orbit of radius $R$ and speed $V$ accelerates towards the centre at $V^2/R$.
# Gravity provides this acceleration, $G\,M(<R)/R^2$, where $M(<R)$ is the mass inside the orbit.
# The speed therefore gives the mass:
#
# $$ M(<R) = \frac{V^2 R}{G} . $$ (eq-enclosed-mass)
#
# In the Solar System nearly all the mass is in the Sun, so $M$ is the same for every planet and $V \propto R^{-1/2}$: Neptune is
# slower than the Earth.
# The light of a galaxy is also concentrated at its centre.
# If mass followed light, the outer gas should orbit like Neptune.
# From the 1970s on, observations of one galaxy after another showed that it does not {cite}`Rubin1980,Begeman1987`.
# The textbook example, with which reviews {cite}`Freese2009` and the talk on the paper begin, is the curve of **NGC 6503**, a small spiral at a
# distance of 6 Mpc.
#
# Its measurements are part of SPARC, a collection of 175 galaxies with rotation curves and near-infrared photometry
# {cite}`Lelli2016`.
# The next cell reads them from a local copy or downloads them, and verifies the archive by its checksum.

# %%
sample, simulation = load.sample(settings), load.universe(settings)
example = load_example(sample, simulation, galaxy)
source = f"{example.galaxy} from {example.source}"
light, heavy = example.upsilon_range
bands = "Bands: the range allowed by the uncertain mass of the stars."
bands = bands if light < heavy else "The mass of the stars is known."
print(fill(example.note or source, 79))

# %% [markdown]
# If the line above says that SPARC could not be obtained, this copy of the book was built without a network.
# The curves below are then those of an undisturbed disc galaxy of the chosen universe, by default the
# {doc}`embedded one <02_embedded_universe>`, measured from its cold gas; the last figure shows all the dark matter bound to its
# galaxies against their stellar mass.
# Every caption states the source. The argument is the same; the numbers are not.

# %%
show(
    figures.rotation_curve(example),
    settings,
    "intro_rotation_curve",
    caption="Rotation curve (points), and the speeds that stars, gas and the "
    f"missing mass would give on their own. {bands}",
    alt="Rotation speed against radius. The points rise steeply and stay "
    "high to the last radius; the curve of stars and gas peaks in the inner "
    "part and falls; the curve of the dark matter dominates the outer part.",
    n=f"{len(example.radius)} measured radii",
    source=example.source,
)

# %% [markdown]
# {numref}`fig-intro-rotation-curve` shows the whole problem.
# Follow the points out to many scale lengths of the stellar disc (upper axis), where hardly any starlight is left: they rise, and then
# they stay high. In NGC 6503 they stay constant to the last point: its curve is **flat**.
# The dashed grey curve is what stars and gas alone would give. It comes closest to the points in the inner part, and falls short of
# them further out.
#
# ## Decomposing the curve
#
# Forces add, and at a given radius each force is proportional to $V^2$.
# The squares of the speeds that each component would give on its own therefore add too:
#
# $$ \begin{aligned} V_\mathrm{obs}^2 = {} & \Upsilon_\mathrm{disc} V_\mathrm{disc}^2 + \Upsilon_\mathrm{bulge} V_\mathrm{bulge}^2 \\
#    & + V_\mathrm{gas}|V_\mathrm{gas}| + V_\mathrm{dark}^2 . \end{aligned} $$ (eq-decomposition)
#
# $V_\mathrm{gas}$ follows from the measured hydrogen, with helium added; where the gas has a hole it pulls outwards, hence the sign.
# $V_\mathrm{disc}$ and $V_\mathrm{bulge}$ follow from the measured light, for one solar mass per solar luminosity.
# The true mass per luminosity is the **mass-to-light ratio** $\Upsilon$, which is not measured here: we take 0.5 for discs and 0.7 for
# bulges at 3.6 µm, as stellar-population models suggest {cite}`McGaugh2014,McGaugh2016`.
# The bands in the figure show discs between 0.2, the value that a survey of stellar motions suggests {cite}`Lelli2016`, and 0.7, the
# most that the curves of bright galaxies allow {cite}`Starkman2018`.
#
# How flat is flat? We fit $\ln V$ against $\ln R$ beyond three scale lengths, for the points and for the visible matter.
# A flat curve has a slope of 0; beyond the edge of a finite mass the slope is $-1/2$.
# A curve that first rises and then falls also has a slope near zero on the whole, and is not flat; we therefore fit the outer half of these radii as well,
# and call a curve nearly flat if both slopes are within 0.1 of zero.

# %%
beyond = 3 * example.r_disk
slope, slope_error, visible_slope, n_outer = outer_slope(example, beyond)
far = example.radius[-max(3, n_outer // 2)]
far_slope, far_error, far_visible, n_far = outer_slope(example, 0.999 * far)
print(f"measured: {slope:+.3f} ± {slope_error:.3f}")
print(f"stars and gas alone: {visible_slope:+.2f}")

# %% [markdown]
# Not every copy of this book is made with SPARC at hand. What this code measured on the real NGC 6503 stands in a record of the repository:

# %%
kept = load.record("sparc")["measured"]["ngc6503"]
print(f"NGC 6503, record: {kept['slope']:+.3f} ± {kept['slope_err']:.3f}")
print(f"stars and gas alone: {kept['slope_visible']:+.2f}")

# %% [markdown]
# Where the figure above shows SPARC, both pairs of lines agree: the chapter has measured the galaxy anew.
# Each number quoted in the text is recorded together with its source, and inserted when these pages are built.

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

# %%
of = f"{of}, outer half of these radii"
record(
    "intro-slope-far",
    far_slope,
    error=far_error,
    n=n_far,
    statement=f"Slope {of}, measured",
    figure="intro_rotation_curve",
)
record(
    "intro-slope-far-visible",
    far_visible,
    n=n_far,
    statement=f"Slope {of}, of stars and gas alone",
    figure="intro_rotation_curve",
)

# %% [markdown]
# Beyond three scale lengths the measured slope is {num}`intro-slope:.3f±`.
# The curve of stars and gas alone has a slope of {num}`intro-slope-visible:.2f`.
# Far outside all matter it would be Kepler's $-1/2$; here the gas disc extends further.
# In the outer half of these radii the measured slope is {num}`intro-slope-far:.2f±`, that of stars and gas {num}`intro-slope-far-visible:.2f`.
# The error is the formal error of the fit, which takes the curve for a straight line in the logarithms. It also treats the points as independent, which they are not: neighbouring points share a telescope
# beam or, in a simulation, gas that moves together. The true error is larger.
#
# ## How much is missing
#
# Equation {eq}`eq-enclosed-mass` turns the same points into masses.
# It assumes a spherical mass distribution, and so does this book whenever it says "mass within $R$".
# Beyond its innermost scale length a disc pulls more strongly, in its own plane, than a sphere with the same mass within that radius: for a thin exponential
# disc the speed is up to 15 per cent higher, and the inferred mass up to a third.
# Where the halo dominates, the excess is small.
# The *ratio* of needed to seen mass is a ratio of two accelerations at the same place, and does not depend on the shape.

# %%
show(
    figures.enclosed_mass(example),
    settings,
    "intro_enclosed_mass",
    caption="Above: mass within each radius: needed by the orbits, seen, and "
    f"missing. Below: ratio of needed to seen mass. {bands}",
    alt="Upper panel: enclosed mass against radius; the needed mass grows to "
    "the last radii, and in the outer part the missing mass lies well "
    "above the seen mass. Lower panel: the ratio of needed to seen mass.",
    n=f"{len(example.radius)} measured radii",
    source=example.source,
)

# %% [markdown]
# In the upper panel of {numref}`fig-intro-enclosed-mass`, look for the radius from which on the missing mass exceeds the seen mass. (In a
# galaxy with much dark matter that may be the innermost point.)
# Further out the needed mass grows; the thin dashed line shows the growth in proportion to $R$ that a flat curve implies.
#
# A mass within $R$ cannot fall as $R$ grows.
# If the needed mass falls at the last points, a speed there is too low by its error, or the gas does not move on circles about this mass, which the error
# of the speed does not contain.
# We therefore read it off where it is largest.

# %%
needed, needed_error = example.m_dynamical()
last = needed.argmax()
ratio, ratio_error = example.discrepancy()
lightest, heaviest = example.upsilon_range
low, high = (example.discrepancy(u)[0][last] for u in (heaviest, lightest))

# %%
at_end = {"figure": "intro_enclosed_mass"}
speed, speed_error = example.v_obs[last], example.v_err[last]
where = "within the radius where it is largest"
of = "Radius where the needed mass is largest"
radius, end = example.radius[last], example.radius[-1]
record("intro-radius", radius, unit="kpc", statement=of, **at_end)
record("intro-end", end, unit="kpc", statement="Last radius", **at_end)
record(
    "intro-speed",
    speed,
    error=speed_error,
    unit="km/s",
    statement="Rotation speed where the needed mass is largest",
    **at_end,
)
record(
    "intro-mass",
    needed[last],
    error=needed_error[last],
    unit="Msun",
    statement=f"Mass that the orbits need {where}",
    **at_end,
)

# %%
record(
    "intro-speed-visible",
    example.v_visible()[last],
    unit="km/s",
    statement="Speed that stars and gas alone would give there",
    **at_end,
)
of = "Ratio of needed to seen mass where the needed mass is largest"
record(
    "intro-ratio",
    ratio[last],
    error=ratio_error[last],
    statement=of,
    **at_end,
)
record("intro-ratio-low", low, statement=f"{of}, heaviest stars", **at_end)
record("intro-ratio-high", high, statement=f"{of}, lightest stars", **at_end)

# %% [markdown]
# The needed mass is largest at {num}`intro-radius:.1f`; the last measured radius is {num}`intro-end:.1f`.
# Within {num}`intro-radius:.1f`, where the gas still moves at {num}`intro-speed:.0f±`, the orbits need {num}`intro-mass:.2e±`.
# That is {num}`intro-ratio:.2f±` times what stars and gas provide; these alone would make the gas move at {num}`intro-speed-visible:.0f`.
# This error comes from the speed at that radius alone.
# In a real galaxy the uncertain mass of the stars matters as much: the ratio is {num}`intro-ratio-low:.1f` if the disc is as heavy as it
# can be, and {num}`intro-ratio-high:.1f` if it is as light as has been suggested.
# (The two numbers are equal if this page shows a simulated galaxy, whose stellar mass is known.)
# Either way, most of the mass is not seen.
#
# :::{admonition} What is measured, and what is inferred
# :class: note
# Wavelengths and brightnesses are measured. The speeds assume circular orbits in a disc of known inclination; the stars'
# curve assumes one mass-to-light ratio at all radii; the missing mass assumes Newton's law at accelerations near and below
# $10^{-10}\,\mathrm{m\,s^{-2}}$, far below those of the Solar System.
# This book and the paper interpret the missing mass as *matter*, for reasons that include evidence from outside galaxies:
# clusters, gravitational lenses, the cosmic microwave background {cite}`Freese2009`.
# :::
#
# ## Light carries information about dark matter
#
# One galaxy shows how much mass is missing there. What about another galaxy, without a measured rotation curve?
# Far more galaxies have images than have resolved rotation curves.
# The question of the paper in its smallest form is therefore: **what does the light say about the dark mass?**
#
# We take the good rotation curves of SPARC that reach a radius of 10 kpc, and the missing mass inside that radius
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
    "Dotted: the mean, the best guess without any information. Line and "
    "band: the best straight line and the scatter about it.",
    alt="Dark mass against luminosity (in a simulated universe, stellar mass),"
    " both logarithmic. Brighter galaxies have more dark mass, with a wide "
    "scatter about a straight line; at one luminosity the faster rotators "
    "lie higher.",
    n=len(population),
    source=population.meta["source"],
)

# %% [markdown]
# Without any information about a galaxy, the best guess of its dark mass is the mean of all others (dotted line of
# {numref}`fig-intro-light-and-dark`).
# With the luminosity, the best guess is close to the straight line.
# (In a simulated universe the axis is the stellar mass, and satellites, whose haloes are stripped, lie far below the other galaxies. They pull the line below the
# massive ones.)

# %%
of_all = {"universe": population.meta["source"], "n": relation.n}
of_all |= {"unit": "dex", "figure": "intro_light_and_dark"}
of = "Root mean square error of log dark mass, predicted by"
record(
    "intro-spread",
    relation.values["spread"],
    error=relation.errors["spread"],
    statement=f"{of} the mean",
    **of_all,
)
record(
    "intro-scatter",
    relation.values["scatter"],
    error=relation.errors["scatter"],
    statement=f"{of} a straight line in the light",
    **of_all,
)

# %% [markdown]
# The error of the mean is {num}`intro-spread:.2f±`, that of the line {num}`intro-scatter:.2f±`; a dex is a factor of ten.
# So light *does* carry information about dark mass, and a single number per galaxy uses only a small part of what an image contains: shape,
# colours, bulge, bar and arms.
# The colours of the points show that the motion carries still more. For SPARC that is expected, because the dark mass was computed from it.
#
# This is **supervised learning** in miniature. There are examples with known answers and a rule with free parameters (here two).
# The parameters are chosen to give the best answers, and the rule is judged by how much better it does than a guess without information.
# Two warnings from this toy example apply to the whole book.
# First, the line was judged on the galaxies that it was fitted to.
# With two free parameters the result is only slightly too good; with the millions of a neural network it would be arbitrarily too good.
# All later chapters therefore judge on galaxies that no network has seen.
# Second, for real galaxies the answers themselves were inferred, with an assumed mass-to-light ratio.
#
# ## The idea of the paper
#
# In a simulation the answers are known. {cite:t}`deLosRios2023` therefore
#
# 1. take galaxies from **IllustrisTNG**, a simulation of a piece of the Universe with gas, stars and dark matter
#    {cite}`Nelson2019`;
# 2. **observe** them: images as the SDSS would take them, with starlight traced through dust, and maps of the hydrogen as a radio telescope
#    would make them;
# 3. measure for each the **target**: the dark mass within twenty radii from 1 to 100 kpc;
# 4. train **convolutional neural networks** to predict the target from the observation, and compare networks and types of observation.
#
# The method assumes neither a shape of the dark-matter profile nor equilibrium. In return, the rule is only as good as the simulation that
# it was trained on.
# This book tests their conclusions one by one: the profile is recovered well at all radii and best at intermediate ones (mean
# square error below 0.2 with all information, below 0.3 with images alone), and the mean absolute error is always below about
# 0.25 when both images and HI are given, for galaxies of $10^{11}$ to $10^{13}\,M_\odot$.
# A follow-up with networks that respect rotations of the image does better than the standard ones {cite}`deLosRios2025`.
#
# The authors announced as future work a comparison of the networks with the method of this chapter on the same galaxies.
# That comparison is the fourth part of this book, which ends with {doc}`17_comparison` and a real galaxy.
#
# The talk continues with neural networks, convolutions and pooling. {doc}`08_supervised_learning` and {doc}`09_convolutions` explain them,
# with code that you can run.
#
# ## What the book does, and three ways to use it
#
# :::{table} Parts of the book, and what each asks.
#
# | Part | Question | Chapters |
# |---|---|---|
# | The problem | how is dark mass measured today? | this one |
# | The data set | which galaxies, how observed, with which targets? | 2 to 7 |
# | Neural networks | how well can the targets be learnt, from which data, and what do the networks look at? | 8 to 14 |
# | The rotation-curve method | how well does this chapter's method do on the same galaxies? | 15 to 18 |
# | What follows | does it hold in another simulation, and which claims are confirmed? | 19 and 20 |
# :::
#
# The {doc}`front page </index>` lists them by name. {doc}`20_conclusions` can be read first: it goes through the paper's claims one by one.
#
# **Read it**: every figure and number was made by the code next to it.
# **Run a chapter**: open it in JupyterLab, change its parameters and run it; missing data products are made first.
# **Regenerate everything**: `make book` runs all chapters in order and builds these pages.
#
# Real TNG data require an account and much disk space, so by default the book runs on the **embedded universe**, a small set of model
# galaxies that it writes itself, in the format of TNG.
# Nothing measured there is a result on TNG, and each caption states which of the two it shows.
#
# :::{admonition} What we do not know about the paper
# :class: warning
# We work from the paper's abstract, its talk, and the authors' public scripts.
# As far as we could find, none of them states how many galaxies were used, the architectures B and C and how ResNet50 was adapted, the
# field of view of the images, the distance, channels, beam and noise of the HI observations, the settings of the
# radiative transfer, or the error at each single radius.
# Where a chapter needs one of these, it makes its own choice and says so.
# :::

# %% [markdown]
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# A **maximum disc** puts as much mass into the stars as the curve allows: the largest $\Upsilon_\mathrm{disc}$ for which the visible
# curve does not exceed any measured point.
# Find it for this galaxy with `example.v_visible(upsilon)`. How much mass is then still missing at the last radius?
# And which galaxies of `load_population` would move the most in {numref}`fig-intro-light-and-dark`?
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
# if maximum == trial[-1]:
#     print("no disc of these is too heavy: the curve sets no limit")
# ```
# For NGC 6503 the third point, near the peak of the stars' curve, sets the limit. It is not far above our 0.5, so even the heaviest disc
# leaves the outer mass missing several times over: near the centre, stars may account for everything; far out, they cannot.
# In the last figure the bright galaxies move most. Their stars make up much of the mass within 10 kpc, so that the missing mass is a small
# difference of two large numbers; the faint galaxies hardly move, because they have few stars.
# :::
#
# ## Summary
#
# - Speeds give masses: $M(<R) = V^2R/G$. A flat curve means a mass that grows in proportion to the radius.
# - Stars and gas come closest to what the orbits need in the inner part of a galaxy, and fall short by a factor of several further out; the missing mass is called dark matter.
# - In the inner parts the largest uncertainty is the mass of the stars, not the speed.
# - Light and dark mass are related, with scatter. The paper learns that relation from whole images and HI maps.
#
# ## What's next
#
# {doc}`02_embedded_universe` writes the galaxies that the rest of the book works with, and checks them against known properties
# of real ones. Readers who have TNG data can skip to {doc}`03_simulation_and_selection`.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
