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
# (hi)=
# # HI observations: from gas to moment maps
#
# **Objective: observe the hydrogen of a simulated galaxy as a radio interferometer would, and reduce the data cube to the three maps that a network receives.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Rotation curves | the velocity maps contain them | {doc}`01_introduction` |
# | The sample | its gas is observed | {doc}`03_simulation_and_selection` |
# | Circular speed from enclosed mass | the expected speed of the gas | {doc}`04_target_profiles` |
#
# You will be able to
#
# 1. say how much of a gas cell is HI, and which part of that is a model;
# 2. make a data cube with MARTINI, with a beam, channels and noise, and read channel maps;
# 3. reduce a cube to moment maps, and describe the effect of beam and noise on each of them;
# 4. read a position-velocity diagram and a global profile;
# 5. describe how inclination changes the maps, and what the network receives.
#
# Reading takes about 20 minutes, running about half a minute once the universe is written.

# %% [markdown]
# ```{found}
# chapter: hi
# # The book fills this box from the recorded numbers.
# ```

# %% [markdown]
# The paper uses MARTINI {cite}`Oman2019,Oman2024` for its HI data, but we could not find its distance, beam, channels and noise.
# All numbers below are **our choice**.

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
subhalo_id = -1  # galaxy to show; -1: an orderly disc with a high SFR
distance = 70.0  # assumed distance of the galaxies [Mpc] (our choice)
beam = 15.0  # full width at half maximum of the beam [arcsec] (our choice)
noise = 3e-4  # noise of a channel [Jy/beam] (our choice)
channel_width = 10.0  # width of a channel [km/s] (our choice)
n_survey = 60  # galaxies of the sample whose recovered mass is measured

# %%
import numpy as np

from dmlib import load
from dmlib.figures import observations as figures
from dmlib.figures import show
from dmlib.galaxy import load_galaxy
from dmlib.observe.cube import ATOMS_PER_CM2, HISettings
from dmlib.observe.deposit import observe, observe_with_martini
from dmlib.observe.hydrogen import (
    HYDROGEN_FIELDS,
    HIGas,
    disc_profiles,
    hydrogen,
)

# %%
from dmlib.observe.moments import (
    brightest_channel,
    channel_maps,
    find_emission,
    global_profile,
    moment_maps,
    normalise,
    position_velocity,
    recovered_masses,
)
from dmlib.observe.sky import SkyGrid, lines_of_sight
from dmlib.results import recorder
from dmlib.settings import Settings
from dmlib.validation import rotation

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="hi")
telescope = HISettings(
    distance=distance, beam=beam, noise=noise, channel_width=channel_width
)
grid = SkyGrid.of(settings)

# %% [markdown]
# ## How much of the gas is HI?
#
# Radio telescopes observe neutral atomic hydrogen, **HI**, in its 21 cm line, which arises when the spin of the electron flips relative to that of the proton.
# Hot gas is ionised and dense cold gas is molecular; neither emits the line.
# The gas cells of the simulation have a density, an energy and a neutral fraction, but no molecules, and a star-forming cell represents cold clouds and
# hot medium together {cite}`Springel2003`.
# The HI mass of a cell therefore takes three steps:
#
# 1. where no stars form, use the neutral fraction that the simulation computed;
# 2. where stars form, compute the fraction in cold clouds from the cell's energy {cite}`Stevens2019,Diemer2018HI`;
# 3. of the neutral gas, a fraction $1/(1+R)$ is HI, with $R = (P/P_0)^\alpha$, an observed relation with the pressure of the gas
#    {cite}`Leroy2008`.
#
# We take a galaxy with a high star formation rate. Of five such galaxies it is the one whose gas rotates in the most orderly way, so that the figures show
# a disc before {doc}`15_rotation_curves` shows what disturbs one.

# %%
tree = load.universe(settings)
sample = load.sample(settings)


def order(subhalo_id):
    """Net over summed angular momentum: 1 if all gas rotates alike."""
    gas = load_galaxy(tree, subhalo_id, ["gas"]).gas
    spin = gas.mass[:, None] * np.cross(gas.position, gas.velocity)
    return np.linalg.norm(spin.sum(0)) / np.linalg.norm(spin, axis=1).sum()


# %%
if subhalo_id < 0:
    centrals = sample[sample["is_true_central"]]
    by_sfr = centrals["subhalo_id"][np.argsort(centrals["sfr"])]
    some = by_sfr[int(0.9 * len(by_sfr)) :][:5].tolist()
    subhalo_id = max(some, key=order)

# %% [markdown]
# We read all the gas of its group, because all of it can be in the beam.

# %%
group = load_galaxy(
    tree, subhalo_id, ["gas"], scope="group", extra={"gas": HYDROGEN_FIELDS}
)
cells, gas = group.gas, HIGas.of(group)
print(f"{len(cells)} gas cells hold {gas.mass:.2e} Msun of HI;")
print(f"{len(gas.m_hi)} of them hold 99.9% of it")

# %% [markdown]
# The pressure law is measured, but it varies between studies.
# A second law {cite}`Blitz2006` shows how sensitive the result is.

# %%
edges = np.linspace(0.0, 40.0, 21)
axis = gas.spin_axis()
rings = disc_profiles(cells, axis, edges)
leroy, blitz = (hydrogen(cells.fields, p) for p in ("leroy08", "blitz06"))
ratio = blitz.m_hi.sum() / leroy.m_hi.sum()

# %%
show(
    figures.partition(edges, rings),
    settings,
    "hi_partition",
    caption="Atomic and molecular hydrogen of one galaxy in rings, seen "
    "face-on, for two pressure laws.",
    alt="Surface density against radius on a logarithmic scale. Molecular "
    "hydrogen is concentrated in the inner part, where there is as much of "
    "it as of HI; HI changes slowly and dominates further out. The second "
    "pressure law gives less molecular hydrogen and a little more HI.",
    n=1,
)

# %%
here = {"figure": "hi_partition", "n": 1}
record(
    "hi-blitz-leroy",
    ratio,
    statement="HI mass with Blitz & Rosolowsky over that with Leroy et al.",
    **here,
)
record(
    "hi-top",
    rings["leroy08"]["HI"].max(),
    unit="Msun/pc²",
    statement="Largest HI surface density",
    **here,
)
# %% [markdown]
# Here the HI surface density does not exceed {num}`hi-top:.0f` ({numref}`fig-hi-partition`): more gas means more pressure, and the surplus is molecular.
# In observed galaxies the same happens near $10\,M_\odot\,\mathrm{pc}^{-2}$ {cite}`Leroy2008`.
# The second law gives {num}`hi-blitz-leroy:.2f` times the HI mass.
# That factor is a systematic error of every HI map made from a simulation, and a network trained on one recipe has learned that recipe.
# (TNG100 itself has about twice the neutral gas that is observed {cite}`Diemer2019HI`.)
#
# ## The telescope
#
# We place the galaxy at a distance, rotate it to the line of sight, and observe it on a grid of pixels and channels.

# %%
(view,) = lines_of_sight(subhalo_id, axis, seed=seed, mode=[(60, 30)])
n_hi = telescope.noise_column
print(f"beam {telescope.beam_kpc:.1f} kpc, pixel {grid.pixel_size:g} kpc,")
print(f"noise of a channel {n_hi:.1e} atoms/cm2")

# %%
record(
    "hi-beam",
    telescope.beam_kpc,
    unit="kpc",
    statement="Width of the beam at the galaxy",
)
record(
    "hi-noise",
    n_hi,
    unit="cm⁻²",
    statement="Column density of the noise in a channel",
)
record(
    "hi-noise-sd",
    n_hi / ATOMS_PER_CM2,
    unit="Msun/pc²",
    statement="Surface density of the noise in a channel",
)

# %% [markdown]
# The beam is {num}`hi-beam:.1f` wide, the noise {num}`hi-noise:.1e` ({num}`hi-noise-sd:.2f`).
# Surveys of many galaxies have such a beam: WHISP {cite}`vanderHulst2001` 15 arcsec at its full resolution, MeerKAT's MIGHTEE {cite}`Maddox2021` 12 arcsec at best.
# Our choice of the noise lies between the two: in 10 km/s it is about $9\times10^{19}\,\mathrm{cm}^{-2}$ in WHISP, by its
# [observing parameters](http://www.astro.rug.nl/~whisp/WhispProject/ProjectDescription/ObservingParameters/observing_parameters.html), and a few
# $10^{18}\,\mathrm{cm}^{-2}$ in MIGHTEE {cite}`Heywood2024`.
# With the noise of WHISP more of the HI would be missed than below.
# Nearby galaxies can be observed with ten times better resolution {cite}`Walter2008`, but neither our gas cells nor our pixels would support that.
# (The images of {doc}`05_photometry_with_skirt` are made for a larger distance.
# Their pixels have the same size in kpc, so the distance only sets the resolution and the depth of each.)
#
# **Conventions.** North is up and East is left, as on the sky.
# Velocities are relative to the galaxy's, and positive where the gas recedes.
# The inclination is 0 face-on and 90 degrees edge-on; the position angle is that of the receding side of the disc, counted from North through East.
# Here they are 60 and 30 degrees.
#
# The line of each cell has a velocity dispersion of 7 km/s, that of warm neutral gas.
#
# MARTINI does four things: it smooths every cell over the pixels around it, spreads its line over the channels, adds noise, and convolves each channel with the beam.

# %%
cube = observe_with_martini(gas, view, grid, telescope, seed=seed)
print(f"{cube.data.shape} (channels, y, x)")
print(f"brightest voxel {1e3 * cube.data.max():.1f} mJy/beam")

# %% [markdown]
# The cube has the unit of the telescope, flux density per beam.
# The sum of the flux over pixels and channels gives a mass: HI is nearly always transparent to its own line, so that every atom counts,
#
# $$
# \frac{M_\mathrm{HI}}{M_\odot} = 2.36\times10^5 \left(\frac{D}{\mathrm{Mpc}}\right)^2
# \int \frac{S(v)}{\mathrm{Jy}}\,\frac{\mathrm{d}v}{\mathrm{km/s}}.
# $$
#
# We inspect a cube channel by channel: each map shows the gas at one velocity.

# %%
half_width = 50.0  # of the maps shown [kpc]
channel_velocities, maps = channel_maps(cube, 12)

# %%
show(
    figures.channels(cube, channel_velocities, maps, half_width),
    settings,
    "hi_channels",
    caption="Channel maps of one galaxy; the contour is three times the "
    "noise, the hatched circle the beam.",
    alt="Twelve small maps at velocities from approaching to receding. The "
    "emission starts at the lower right end of the disc, opens into "
    "a bent band through the centre at zero velocity, and ends at the upper "
    "left.",
    n=1,
)

# %% [markdown]
# In {numref}`fig-hi-channels` the emission moves along the disc from channel to channel.
# A ring of the disc at inclination $i$ has the velocity $V(R)\sin i\cos\theta$ at the azimuth $\theta$ from the receding side; where the curve $V(R)$
# is flat, one velocity corresponds to one azimuth: a narrow wedge.
# Together the wedges of a cube contain the whole rotation curve.
#
# ## The same cube, faster
#
# The data set needs thousands of cubes.
# `dmlib.observe.deposit` makes the same cube with less generality: it visits only the pixels of a cell's kernel and the channels of its line.
# It uses the same particles, kernels and random numbers. Are the cubes the same?

# %%
fast = observe(gas, view, grid, telescope, seed=seed)
difference = np.abs(fast.data - cube.data).max() / cube.data.max()

# %%
record(
    "hi-difference",
    difference,
    n=1,
    statement="Largest difference between a voxel of MARTINI's cube and of "
    "ours, over the brightest",
)

# %% [markdown]
# The largest difference of any voxel is {num}`hi-difference:.0e` of the brightest one, which is rounding.
# We use the faster method from here on (`make bench` prints how much faster it is).
#
# A data set of thousands of views stores maps only.
# If you need the cube itself, for example to fit rotation curves, `dmlib.observe.cube_fits.write_fits(fast, "cube.fits")` writes it in a form that radio
# astronomy software can read.
#
# ## Moment maps
#
# Three numbers per pixel summarise its spectrum $S(v)$:
#
# $$
# \begin{aligned}
# M_0 &= \int S\,\mathrm{d}v, \\
# M_1 &= \frac{1}{M_0}\int v\,S\,\mathrm{d}v, \\
# M_2 &= \left[\frac{1}{M_0}\int (v-M_1)^2 S\,\mathrm{d}v\right]^{1/2}:
# \end{aligned}
# $$
#
# the amount of HI, its mean velocity, and its velocity dispersion.
# Most of a cube is empty, and its noise would spoil the integrals: $M_1$ and $M_2$ are ratios.
# We therefore first search for emission in a smoothed cube, and integrate only over what is found; all other pixels are **blank**.
#
# To see the effects of the instrument, we observe three times: with cells and pixels only, with the beam, and with beam and noise.

# %%
telescopes = {
    "no beam": telescope.without("beam"),
    "beam": telescope.without("noise"),
    "beam and noise": telescope,
}
observations = {
    name: moment_maps(observe(gas, view, grid, one, seed=seed))
    for name, one in telescopes.items()
}

# %% [markdown]
# We record the dispersion in the centre, the effect of the noise on the velocities, and the HI mass in the field.

# %%
middle = np.hypot(*grid.mesh()) < 4.0
sigma = {
    name: np.nanmedian(maps.dispersion[middle])
    for name, maps in observations.items()
}
ideal, noisy = observations["beam"], observations["beam and noise"]
change = np.nanstd(noisy.velocity - ideal.velocity)
offset = np.abs(view.project(gas.positions)[:, :2]).max(axis=1)
in_field = gas.m_hi[offset < grid.field_of_view / 2].sum()

# %%
v_max = 200.0
show(
    figures.moments(observations, half_width, v_max),
    settings,
    "hi_moments",
    caption="Moments 0, 1 and 2 of one galaxy at 60 degrees inclination; grey "
    "is blank.",
    alt="Three rows of three maps. The surface density is an inclined disc; "
    "the velocity is blue on one side and red on the other; the "
    "dispersion peaks in the centre. With the beam all maps are smoother and "
    "the central peak is larger; with noise the outer edge is lost.",
    n=1,
)

# %%
here = {"figure": "hi_moments", "n": 1}
for name in ("no beam", "beam"):
    statement = f"Median dispersion within 4 kpc, {name}"
    record(
        f"hi-sigma-{name.replace(' ', '-')}",
        sigma[name],
        unit="km/s",
        statement=statement,
        **here,
    )
# %% [markdown]
# **The beam** ({numref}`fig-hi-moments`, second row) mixes velocities.
# Where they change steeply, in the centre, this looks like dispersion: {num}`hi-sigma-no-beam:.0f` within 4 kpc become {num}`hi-sigma-beam:.0f`.
# The beam also flattens the velocity gradient: inner rotation curves measured from a velocity map are too low.
# This **beam smearing** is the main problem of the rotation-curve method, and a network that receives moment maps loses the same information.

# %%
record(
    "hi-velocity-error",
    change,
    unit="km/s",
    statement="Change of moment 1 by noise, over the map",
    **here,
)
for id, maps in (("hi-present", ideal), ("hi-found", noisy)):
    record(
        id,
        100 * maps.m_hi / in_field,
        unit="%",
        statement="HI mass in moment 0 over that in the field, "
        f"{'without' if maps is ideal else 'with'} noise",
        **here,
    )

# %% [markdown]
# **The noise** removes the outskirts and changes velocities by {num}`hi-velocity-error:.0f` (standard deviation over the map).
# In a galaxy as rich in gas as this one little mass is lost with them: without noise moment 0 contains {num}`hi-present:.1f` of the HI in the field, with noise
# {num}`hi-found:.1f`. The end of this chapter shows galaxies that lose more.
# At the edge only the peak of the line rises above the noise, so the dispersion there is too small: dark rims in the third row.
# We set a lower limit to it, the dispersion of a line within one channel, which is the channel width over $\sqrt{12}$.
#
# ## Position-velocity diagram
#
# A cut through the cube along the major axis keeps what the moments lose: the shape of the line.
# We overplot the circular speed of the enclosed mass, from the particles ({doc}`04_target_profiles`), times $\sin i$, and compare the brightest channel with it.
# Beside it we measure the mean rotation of all HI in rings, which only a simulation shows.

# %%
galaxy = load_galaxy(tree, subhalo_id)
radius = np.linspace(1.0, half_width, 60)
speed = galaxy.v_circ(radius)["total"] * np.sin(np.radians(view.inclination))
offsets, diagram = position_velocity(fast, view.position_angle)
brightest = brightest_channel(fast, diagram) * np.sign(offsets)

# %%
at = np.abs(offsets)
disc = (at > 10.0) & (at < 40.0)  # [kpc]
cut = brightest[disc] / np.interp(at[disc], radius, speed)
curve = rotation(tree, subhalo_id)
disc = (curve.radius > 10.0) & (curve.radius < 40.0)
ring = curve.v_phi[disc] / curve.v_circ[disc]

# %%
show(
    figures.position_velocity(
        fast, offsets, diagram, radius, speed, half_width
    ),
    settings,
    "hi_pv",
    caption="Position-velocity diagram along the major axis. Line: circular "
    "speed of the enclosed mass times $\\sin i$.",
    alt="Brightness against offset and velocity: an S-shaped band through the "
    "centre that flattens at both ends. A line runs along the band, near its "
    "outer edge, and rises more steeply in the centre.",
    n=1,
)

# %%
here = {"figure": "hi_pv", "n": 1}
of = "over the circular speed, median between 10 and 40 kpc"
record(
    "hi-pv-cut",
    np.nanmedian(cut),
    statement=f"Velocity of the brightest channel on the major axis {of}",
    **here,
)
record(
    "hi-pv-rings",
    np.nanmedian(ring),
    statement=f"Mean rotation of the HI in rings {of}",
    **here,
)
record(
    "hi-pv-mass",
    np.nanmedian(cut) ** 2,
    statement="Mass from the brightest channel over the enclosed mass",
    **here,
)

# %% [markdown]
# The gas follows the shape of the curve, but need not have its height ({numref}`fig-hi-pv`).
# Between 10 and 40 kpc the brightest channel is at {num}`hi-pv-cut:.2f` times the curve; whoever takes it for the circular speed finds {num}`hi-pv-mass:.2f`
# times the mass.
# Part of this is the gas: its mean rotation in rings is {num}`hi-pv-rings:.2f` times the circular speed, because gas has pressure and turbulence, streams along
# bars and arms, and may have lost its balance. The rest is the observation: the brightest gas on a line of sight, in an arm or beside the major axis, need not move as the
# mean does.
# In the centre the beam smears the curve as well.
# Even perfect data would give the mass only as accurately as the gas orbits are circular.
#
# ## Inclination
#
# We observe the same galaxy from face-on to edge-on:

# %%
angles = (0.0, 30.0, 60.0, 85.0)
mode = [(angle, 30.0) for angle in angles]
turned = lines_of_sight(subhalo_id, axis, seed=seed, mode=mode)
cubes = {
    f"{v.inclination:.0f}°": observe(gas, v, grid, telescope, seed=seed)
    for v in turned
}

# %%
seen = {name: moment_maps(c) for name, c in cubes.items()}
show(
    figures.inclinations(seen, half_width, v_max),
    settings,
    "hi_inclinations",
    caption="Surface density (above) and velocity (below) of one galaxy at "
    "four inclinations.",
    alt="Four columns. The round face-on disc becomes an ellipse and then a "
    "thin bright band; its velocity map, nearly without contrast face-on, "
    "shows a growing difference between the two sides.",
    n=1,
)

# %% [markdown]
# Face-on, the velocity map contains no rotation ({numref}`fig-hi-inclinations`): the mass must then be inferred from other properties.
# Nearly edge-on, each line of sight passes through many radii, and moment 1 is below the rotation speed.
# The spectrum of the whole galaxy shows the rotation in a single line profile.

# %%
spectra = {
    name: global_profile(cube, find_emission(cube))
    for name, cube in cubes.items()
}

# %%
show(
    figures.spectra(spectra),
    settings,
    "hi_spectra",
    caption="Global HI profiles at four inclinations; dotted lines are the "
    "widths at half of the peak.",
    alt="Flux density against velocity. The face-on profile is one narrow "
    "peak; with growing inclination the profiles become wider and "
    "lower, with two horns at the edges.",
    n=1,
)

# %%
here = {"figure": "hi_spectra", "n": 1, "unit": "km/s"}
for name, angle in (("face-on", "0°"), ("inclined", "60°")):
    record(
        f"hi-w50-{name}",
        spectra[angle].width(0.5),
        statement=f"Line width at half of the peak, {angle}",
        **here,
    )
# %% [markdown]
# The width at half of the peak grows from {num}`hi-w50-face-on:.0f` to {num}`hi-w50-inclined:.0f` at 60 degrees ({numref}`fig-hi-spectra`).
# Corrected for inclination it gives the rotation speed of galaxies too small to be resolved.
#
# ## Network inputs
#
# Galaxies are oriented at random relative to us, so we observe every galaxy from three random directions, the same for its images and its HI.
# The maps are brought to a common scale that is fixed in advance and the same for all:
#
# $$
# \log_{10}\frac{\Sigma_\mathrm{HI}}{M_\odot\,\mathrm{pc}^{-2}},\quad \frac{v}{200\ \mathrm{km/s}},\quad \frac{\sigma}{50\ \mathrm{km/s}},
# $$
#
# with $(-2, 0, 0)$ where blank.
# Dividing each map by its own largest value instead, as is usual for photographs, would discard the amplitudes, which carry the information about the mass.

# %%
inputs = {}
for v in lines_of_sight(subhalo_id, axis, seed=seed):
    maps = moment_maps(observe(gas, v, grid, telescope, seed=seed))
    inputs[f"i = {v.inclination:.0f}°"] = normalise(maps)

# %%
show(
    figures.maps_as_input(inputs),
    settings,
    "hi_network_input",
    caption="Three random views of one galaxy in the units that a network "
    f"receives, {grid.field_of_view:g} kpc wide (networks see the middle of "
    "it); blank pixels in grey.",
    alt="Three rows of three maps of the whole field of view: the disc, "
    "round or elongated, in the middle of each; the rest is grey.",
    n=1,
)

# %% [markdown]
# {numref}`fig-hi-network-input` shows the whole field of view.
# It was chosen to contain the largest discs, and companions: a large disc fills it, around a small one most of it is blank.
#
# ## The whole sample
#
# Galaxies with little HI may not be detected at all.
# For galaxies across the sample, in one random view each, we compare the HI mass found with the true mass.

# %%
few = sample["subhalo_id"][:: max(1, len(sample) // n_survey)]
table, set_aside = recovered_masses(tree, few, grid, telescope, seed=seed)
print(f"{len(table)} observed, {len(set_aside)} set aside")
print(*set_aside.values(), sep="\n")

# %%
share = (table["m_hi_found"] / table["m_hi_present"]).value
rich = table["m_hi_present"].value > 3e9

# %%
show(
    figures.recovery(table),
    settings,
    "hi_recovery",
    caption="Fraction of the HI mass that is found in maps with noise, "
    "against the HI mass in the field of view.",
    alt="Fraction found against HI mass. Above a few times 1e9 solar masses "
    "the points lie just below one; at lower masses they scatter "
    "downwards, some to zero.",
    n=len(table),
)

# %%
here = {"figure": "hi_recovery", "n": len(table)}
record(
    "hi-share-rich",
    np.median(share[rich]),
    statement="Fraction found, median above 3e9 Msun",
    **here,
)
record(
    "hi-share-poor",
    np.median(share[~rich]),
    statement="Fraction found, median below 3e9 Msun",
    **here,
)
record(
    "hi-undetected",
    int((table["seen"] == 0).sum()),
    statement="Galaxies without any detected pixel",
    **here,
)
# %% [markdown]
# Above $3\times10^9\,M_\odot$ the median fraction is {num}`hi-share-rich:.2f`, below it {num}`hi-share-poor:.2f` ({numref}`fig-hi-recovery`).
# The number of undetected galaxies is {num}`hi-undetected`.
# A blank map is not a missing value: it shows that the galaxy has no HI above the noise, and such views stay in the data set.
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# How small must the beam be?
# Observe the galaxy at 60 degrees with beams of 5, 15 and 45 arcsec without noise, and find the largest velocity in each moment-1 map, within 10 kpc of the
# centre and in the whole map.
# Which of the two falls with the beam, and why?
# What would the beams be for a galaxy at 7 Mpc?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# inner = np.hypot(*grid.mesh()) < 10.0
# for width in (5.0, 15.0, 45.0):
#     sight = telescope.model_copy(update={"beam": width, "noise": 0.0})
#     seen = moment_maps(observe(gas, view, grid, sight, seed=seed))
#     central = np.nanmax(seen.velocity[inner])
#     fastest = np.nanmax(seen.velocity)
#     print(f"{sight.beam_kpc:.1f} kpc: {central:.0f}, {fastest:.0f} km/s")
# ```
# The largest velocity within 10 kpc falls: slowly while the beam is narrower than that, then fast.
# The largest velocity of the whole map hardly changes, because the outer disc, where the curve is flat, is many beams wide.
# What a wide beam loses is the rise of the curve, and with it the mass in the centre.
# At 7 Mpc the same beams are ten times smaller in kpc, and all three resolve this galaxy.
# :::
#
# ## Summary
#
# - The HI in a simulation comes from a model applied to it: another pressure law gives {num}`hi-blitz-leroy:.2f` times the mass.
# - A cube has two axes on the sky and one of velocity; its channel maps show the whole rotation curve.
# - Moment maps are computed where emission is found; the other pixels are marked as blank.
# - The beam turns rotation into dispersion in the centre; the noise removes the outskirts.
# - Inclination determines how much rotation is visible. It is recorded with every view, but the network does not receive it.
#
# ## What's next
#
# {doc}`07_data_set` combines the HI maps with the images of {doc}`05_photometry_with_skirt`, taken from the same directions.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
