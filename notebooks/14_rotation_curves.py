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
# (rotation-curves)=
# # Rotation curves from HI cubes
#
# **Objective: go from the HI cube of one galaxy to the dark matter that its rotation asks for, step by step, with the error of every
# step in sight.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | Rotation curves and mass models | what the curve is for | {doc}`01_introduction` |
# | HI cubes and moment maps | what the curve is measured on | {doc}`06_hi_with_martini` |
# | The data set | which galaxies, which side of the split | {doc}`07_data_set` |
#
# You will be able to
#
# 1. fit tilted rings to a velocity field, and read inclination and position angle off the fit;
# 2. say what the beam does to a rotation curve, and how far in it can be undone;
# 3. turn a rotation speed into a circular speed, and say when that matters;
# 4. weigh stars by their colour and gas by its line, and find what is missing;
# 5. name the galaxies for which the method does not hold, and say how many they are.
#
# Reading takes about 20 minutes, running one to two minutes once the data set is made.

# %% tags=["parameters"]
universe = "embedded"  # written here; or "files", a TNG tree on disk
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number
base_path = ""  # for "files", the simulation's output folder
subhalo_id = -1  # galaxy to look at; -1: a training galaxy rich in HI
wide_beam = 30.0  # widest beam through which it is looked at [arcsec]
n_survey = 30  # test galaxies, one view each, in the survey at the end

# %%
import numpy as np
from astropy import units as u

from dmlib import load
from dmlib.figures import rotation_curves as figures
from dmlib.figures import show
from dmlib.results import recorder
from dmlib.rotation.barolo import find_barolo, fit_barolo
from dmlib.rotation.measure import (
    choose_view,
    compare_with_truth,
    measure_view,
    through_beams,
    truth_of,
)
from dmlib.rotation.reasons import LIMITS, sentences
from dmlib.rotation.rings import fit_rings, model_field
from dmlib.rotation.velocity_field import velocity_field
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="rotation_curves")

# %% [markdown]
# ## From the cube to a velocity field
#
# What astronomers do today to find dark matter in a galaxy is what {doc}`01_introduction` told: measure how fast the gas goes round, subtract what
# the visible matter explains, and call the rest dark. There the curve was given. Here we make one.
#
# We take a view from the training side of the data set, because nothing may be tried out on the test galaxies. Of those that are
# neither face-on nor edge-on it is one richer in HI than three quarters of the others.

# %%
dataset, observer = load.dataset(settings), load.observer(settings)
row = choose_view(dataset, subhalo_id)
chosen = int(dataset.table["subhalo_id"][row])
view = int(dataset.table["view"][row])
tilt = {
    name: float(dataset.table[name][row].to_value(u.deg))
    for name in ("inclination", "position_angle")
}

# %%
true_i, of = tilt["inclination"], "of the chosen galaxy"
cube = observer.cube(chosen, view)
field = velocity_field(cube)
print(f"{field.galaxy}: {cube.data.shape} voxels, {field.kind}")

# %% [markdown]
# The velocity of a line of sight can be defined in several ways. `velocity_field` has two: the intensity-weighted mean (moment 1), and the
# peak of a Gauss-Hermite series that follows a skewed line {cite}`vanderMarel1993,deBlok2008`. (For discs close to edge-on others use the edge of the line's
# envelope {cite}`Sofue2001`.) We use moment 1. It is not the best estimate of the speed *on* the line of sight; but it is
# linear in the light, and that will let us undo the beam.
#
# ## Tilted rings
#
# Think of the disc as rings. Gas on a ring of radius $R$ that is inclined by $i$ goes round at $V_\mathrm{rot}$; at the azimuth $\theta$ from the
# major axis we see of it
#
# $$ v(R, \theta) = V_\mathrm{sys} + V_\mathrm{rot}(R)\,\sin i\,\cos\theta . $$ (eq-tilted-ring)
#
# Each ring may have its own $i$ and position angle, since real discs are warped {cite}`Begeman1987,Begeman1989`. So many free numbers are not all
# determined by a blurred map, and the trick is in holding them together: our rings are fitted all at once, the tilt may change with radius only
# slowly, and the same tilt must reproduce the map of the *amount* of gas, whose shape tells the inclination when velocities do not.

# %%
curve = fit_rings(field)
model = model_field(curve, field)
print(
    f"{len(curve)} rings, {curve.beams_across:.1f} beams across, "
    f"inclination {curve.mean_inclination:.1f} ± {curve.inclination_err:.1f}"
)

# %%
show(
    figures.velocity_field(field, model, curve),
    settings,
    "rc_velocity_field",
    caption="Velocities of one galaxy about the systemic one: measured, with "
    "every second ring drawn; of the fitted rings, blurred by the beam "
    "(grey, lower left); and the difference, on a narrower scale.",
    alt="Three maps. The first two show the same pattern: one half of the "
    "disc red, the other blue, and white between them along the minor axis. "
    "The third is pale, with irregular patches.",
    n=1,
)

# %%
record("rc-inclination-true", true_i, unit="deg", statement=f"True tilt {of}")
record(
    "rc-inclination",
    curve.mean_inclination,
    error=curve.inclination_err,
    unit="deg",
    statement=f"Inclination {of} from tilted rings",
)
record(
    "rc-residual",
    curve.residual,
    unit="km/s",
    statement=f"Scatter of the velocities {of} about the rings",
)

# %% [markdown]
# The fit finds an inclination of {num}`rc-inclination:.1f±`; the truth is {num}`rc-inclination-true:.1f`. In the right panel of
# {numref}`fig-rc-velocity-field` is what rings cannot follow, with a scatter of {num}`rc-residual:.1f`: streaming along arms and bar, turbulence, noise.
#
# The inclination is the step to worry about. It enters as $1/\sin i$: at 60 degrees an error of 3 degrees moves the speed by 3 per cent and the
# mass by 6; at 30 degrees it is 9 and 18.

# %%
truth = truth_of(observer, chosen, curve.radius)
show(
    figures.curve(curve, truth["total"]),
    settings,
    "rc_curve",
    caption="Above: rotation curve from all of the disc (circles, with "
    "errors; open where flagged), from either side alone (triangles), after "
    "the correction for asymmetric drift (line), and the circular speed of "
    "all the mass in the plane of the disc (black). Below: tilt of the rings.",
    alt="Upper panel: points that rise and level off along a black line; "
    "small triangles scatter about them. Lower panel: two lines, inclination "
    "and change of position angle against radius.",
    n=1,
)

# %% [markdown]
# The error bars in {numref}`fig-rc-curve` add two things in squares: what the residuals of the fit imply, and a quarter of the difference between the two
# sides, a custom of the field {cite}`Swaters2009`. They do not include the inclination, whose error moves all points together; whoever fits a mass
# model must let it float.
# Open circles are flagged: a ring within the beam, a ring at the edge that the beam alone fills, a ring whose sides differ.
#
# ### A second engine
#
# 3D-Barolo {cite}`DiTeodoro2015` fits rings to the whole cube, with beam and channels in the model, and is what many astronomers use. Where it is installed
# (`pip install pyBBarolo`) it is asked the same question. It is given our radii and, to begin with, our tilt.

# %%
if find_barolo() is None:
    print("3D-Barolo is not installed: pip install pyBBarolo")
else:
    second = fit_barolo(cube, curve)
    ours = np.interp(second.radius, curve.radius, curve.v_rot)
    print(f"3D-Barolo: inclination {second.mean_inclination:.1f} deg")
    print(f"its speed over ours: {np.median(second.v_rot / ours):.3f}")

# %% [markdown]
# `make bench` times both on discs whose rotation is known.
#
# ## The beam
#
# A beam as wide as a few kiloparsecs mixes gas of many velocities. Near the centre, where the curve is steep, both sides fall
# into one beam, and the *mean* velocity is drawn to the systemic one. The curve seems to rise gently. Whoever takes that for the truth
# finds less mass in the centre: this is one of the ways to see a core where there is a cusp.
#
# Our fit does not correct the data; it blurs the model. The emission before the beam is estimated first {cite}`Richardson1972,Lucy1974`, then the rings'
# velocities are averaged over the beam with that emission as the weight. Since moment 1 is an average of just this kind, the comparison is fair. To see what
# it does we look at the same galaxy through several beams, and tell the fit the true tilt, so that only the speeds differ.

# %%
beams = wide_beam / np.array([3.0, 2.0, 1.0])
curves = through_beams(observer, chosen, view, beams, **tilt)
show(
    figures.smearing(curves, curve.radius, truth["total"]),
    settings,
    "rc_smearing",
    caption="Rotation speeds of the same galaxy through beams of different "
    "width. Left: the classic fit, which takes the velocities as they are. "
    "Right: rings that are blurred before they are compared.",
    alt="Two panels of rotation speed against radius with a black line for "
    "the truth. Left, the curves rise the more slowly, the wider the beam. "
    "Right, they follow the black line from smaller radii on.",
    n=1,
)

# %% [markdown]
# On the left of {numref}`fig-rc-smearing` follow the curves inwards: each beam has its own. On the right compare how far in they stay together.
# Let us put a number on the rings between 0.75 and 2 beams from the centre.

# %%
inner = {}
for beam, pair in curves.items():
    for name, one in zip(("classic", "blurred"), pair, strict=True):
        where = (one.radius > 0.75 * one.beam) & (one.radius < 2 * one.beam)
        true = np.interp(one.radius[where], curve.radius, truth["total"])
        inner[name, beam] = np.mean(one.v_rot[where] / true) - 1

# %%
record("rc-smear-beam", wide_beam, unit="arcsec", statement="Widest beam")
for name in ("classic", "blurred"):
    record(
        f"rc-smear-{name}",
        100 * inner[name, wide_beam],
        unit="%",
        n=1,
        figure="rc_smearing",
        statement=f"Error within two beams, widest beam, {name} rings",
    )

# %% [markdown]
# Between 0.75 and 2 beams from the centre, with the widest beam ({num}`rc-smear-beam:.0f`), the classic fit is off by
# {num}`rc-smear-classic:.0f` and the one that knows the beam by {num}`rc-smear-blurred:.0f`.
# Something remains, for two reasons: gas cells of a simulation have a width of their own, which blurs like a second beam of which the fit knows nothing;
# and a pixel is not small beside the beam.
#
# ## From rotation to circular speed
#
# Gas is held up against gravity by its rotation and, a little, by its random motion. Where the dispersion is $\sigma$,
#
# $$ V_\mathrm{circ}^2 = V_\mathrm{rot}^2 - \sigma^2\,\frac{\mathrm{d}\ln(\Sigma\sigma^2)}{\mathrm{d}\ln R} , $$ (eq-drift)
#
# the **asymmetric drift** {cite}`Iorio2017`. The dispersion of the map holds the beam's smearing too; the blurred model says how much of it, and that is
# taken off. The line in {numref}`fig-rc-curve` is the corrected curve.

# %%
good = curve.good
drift = np.median((curve.v_circ / curve.v_rot)[good] - 1)
sigma = np.nanmedian(curve.dispersion[good])
off = np.median((curve.v_circ / truth["total"])[good] - 1)

# %%
record("rc-sigma", sigma, unit="km/s", statement=f"Dispersion {of}")
record("rc-drift", 100 * drift, unit="%", statement="Asymmetric drift, median")
record(
    "rc-error",
    100 * off,
    unit="%",
    n=int(good.sum()),
    figure="rc_curve",
    statement=f"Circular speed {of} over the true one less 1, median (n: "
    "rings)",
)

# %% [markdown]
# With a dispersion of {num}`rc-sigma:.0f` the correction is {num}`rc-drift:.1f` of the speed. In a dwarf that turns at
# 50 km/s the same dispersion would be everything.
# In the median over the good rings the circular speed is off by {num}`rc-error:.1f`.
#
# ## What is seen
#
# **Gas.** Moment 0, made face-on by the tilt and freed of the beam by the same fit, times 1.33 for helium. Molecules and ionised gas do not
# shine at 21 cm; they are missing from this budget, as they are from most.
#
# **Stars.** Two bands tell the colour, and the colour tells how much a star's light weighs:
# $\log M_* = 1.15 + 0.70\,(g-i) - 0.4\,M_i$ {cite}`Taylor2011`. It comes with a scatter of 0.1 dex, and with the systematic error
# that our stars need not be those it was made for. Light above the outer exponential is taken as a round bulge.
#
# **Their pull.** A disc does not pull like a sphere. `thick_disc_speed` integrates over a disc of any surface density and finite thickness
# {cite}`Casertano1983`; the bulge is deprojected as a sphere {cite}`Kent1986`.

# %%
measured = measure_view(dataset, observer, chosen, view)
print(f"accepted: {measured.accepted}; {sentences(measured.reasons)}")

# %%
model = measured.model
show(
    figures.baryons(model, truth_of(observer, chosen, model.radius)),
    settings,
    "rc_mass_model",
    caption="Mass model of the galaxy: what an observer finds (points) and "
    "what the particles give (lines of the same colour).",
    alt="Speed against radius. Black points on a black line; orange squares "
    "for stars and green diamonds for gas somewhat below their lines; blue "
    "triangles for the missing part somewhat above the blue line.",
    n=1,
)

# %%
parts = truth_of(observer, chosen, model.radius)
stars = np.median(model.v_stars() / parts["stars"])
gas = np.median(model.v_gas / parts["gas"])
dark = np.nanmedian(model.v_dark() / parts["dm"])
for name, value in (("stars", stars), ("gas", gas), ("dark", dark)):
    record(
        f"rc-{name}",
        value,
        n=len(model.radius),
        figure="rc_mass_model",
        statement=f"Speed of the {name} part over the true one, median (n: "
        "rings)",
    )

# %% [markdown]
# Speeds go with the root of the mass. The stars' speed comes out {num}`rc-stars:.2f` times the true one, the gas's {num}`rc-gas:.2f` times: what is not
# seen is not weighed. What the visible parts lack goes to the missing part, which is {num}`rc-dark:.2f` times that of the dark matter.
# This is the subtraction at the heart of the method, and its weakness: an error of the stars becomes one of the dark matter, largest where the stars
# dominate.
#
# In a simulation we can also hand the method what it cannot measure: the true tilt, the true pull of stars and gas. We call that **perfect knowledge**;
# {doc}`16_comparison` uses it to separate what is lost where.
#
# ## Where the method does not hold
#
# Nothing above works for a galaxy seen face-on, where there is no rotation to see; for one seen edge-on, where every line of sight crosses
# the whole disc; for one that is a few beams across; for one that is disturbed. `fit_rings` says so, with the reason, from what an observer has:

# %%
for what, limit in LIMITS.items():
    print(f"{what:40s} {limit}")

# %% [markdown]
# How many galaxies remain? We run the method over galaxies of the test, one view each. No choice here was made on them.

# %%
rows = dataset.rows("test")
rows = rows[np.asarray(dataset.table["view"])[rows] == 0][:n_survey]
table = compare_with_truth(dataset, observer, rows)

# %%
names, counts = np.unique(table["reason"], return_counts=True)
for name, count in zip(names, counts, strict=True):
    print(f"{count:4d}  {name or 'accepted'}")

# %%
show(
    figures.survey(table),
    settings,
    "rc_survey",
    caption="The method over the test galaxies. Left: inclination found "
    "against the true one; the band is where the method stands by its "
    "result. Right: error of the circular speed (median over the rings) of "
    "galaxies that the method accepts (circles), of the same with the true "
    "tilt (plus signs), and of those that it rejects (crosses, as far as "
    "they lie on the axes).",
    alt="Left, points along the diagonal that fall below it for discs close "
    "to edge-on. Right, circles near zero; crosses far from it at small "
    "inclinations.",
    n=len(np.unique(table["subhalo_id"])),
)

# %% [markdown]
# The left panel of {numref}`fig-rc-survey` compares inclinations, the right one speeds. What do they come to for the galaxies that are accepted?

# %%
kept = np.asarray(table["reason"]) == ""
angle = (table["fitted"] - table["inclination"]).to_value(u.deg)[kept]
n = int(kept.sum())
record("rc-tried", len(table), statement="Test views given to the method")
record("rc-accepted", n, n=len(table), statement="Views that it accepts")
columns = {name: np.asarray(table[name])[kept] for name in table.colnames[5:9]}
columns["tilt"] = angle

# %%
for name, values in columns.items():
    values = values[np.isfinite(values)]
    scale = 100 if name.startswith("error") else 1
    low, middle, high = np.percentile(scale * values, [16, 50, 84])
    of = f"{name} of accepted test views"
    more = {"n": len(values), "figure": "rc_survey"}
    record(f"rc-survey-{name}", middle, statement=f"Median {of}", **more)
    half = (high - low) / 2
    record(
        f"rc-spread-{name}",
        half,
        statement=f"Half the range of the middle 68%: {of}",
        **more,
    )

# %% [markdown]
# Of {num}`rc-tried` views the method accepts {num}`rc-accepted`; the printed list has the reasons. It has to be kept in mind when the network, which predicts for every
# galaxy, is compared with a method that declines some.
# For those accepted the inclination is off by {num}`rc-survey-tilt:.1f` degrees in the median (scatter {num}`rc-spread-tilt:.1f`), the circular speed by
# {num}`rc-survey-error:.1f` per cent (scatter {num}`rc-spread-error:.1f`), and with the true tilt by {num}`rc-survey-error_perfect:.1f` per cent (scatter
# {num}`rc-spread-error_perfect:.1f`).
#
# Two things stand out in {numref}`fig-rc-survey`. Discs close to edge-on look less inclined than they are, because the layer of gas is thick (in a simulation with
# large cells, thicker than in nature), so that some of them pass as acceptable. And the stars' speed comes out {num}`rc-survey-stars:.2f` times the true one
# in the median: the published colour relation does not know the stars and the dust of this universe. An observer has no way to notice.
#
# :::{admonition} Exercise
# :class: tip
# Fit the rings with the classic method (`RingSettings(deblur=False)`) and the true tilt. By how much is the innermost good ring off? Then try
# `velocity_field(cube, "hermite")`.
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# for kind in ("moment1", "hermite"):
#     maps = velocity_field(cube, kind)
#     how = RingSettings(geometry="fixed", deblur=False)
#     one = fit_rings(maps, how, **tilt)
#     k = int(np.flatnonzero(one.good)[0])
#     true = truth_of(observer, chosen, one.radius)["total"][k]
#     print(kind, one.radius[k], one.v_rot[k] / true - 1)
# ```
# The peak of a skewed line lies nearer to the rotation speed than its mean, so the Gauss-Hermite velocities lose less in the centre. Neither
# undoes the beam.
# :::
#
# :::{admonition} Exercise
# :class: tip
# How large an error of the inclination (in degrees) makes an error of 20% in the mass within a radius, at $i$ = 35, 50 and 70 degrees?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# $M \propto V^2 \propto 1/\sin^2 i$, so $|\delta M / M| = 2\,\delta i / \tan i$, and $\delta i = 0.1 \tan i$ in radians: 4.0, 6.8 and 15.7 degrees.
# :::

# %% [markdown]
# ## Summary
#
# - Rings turn a velocity field into a curve: here {num}`rc-error:.1f` from the truth, with an inclination of {num}`rc-inclination:.1f±` for a true
#   {num}`rc-inclination-true:.1f`.
# - The beam slows the centre down; a model that is blurred likewise gets back most of it.
# - The missing part inherits the errors of the stars and of the gas that does not shine.
# - The method stands by {num}`rc-accepted` of {num}`rc-tried` test views, and says why not by the others.
#
# ## What's next
#
# {doc}`15_sparc` fits haloes to real curves; {doc}`16_comparison` fits them to the curves made here, and sets the result beside the networks'.
# {doc}`17_real_cubes` does with a real cube what this chapter did with a simulated one.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
