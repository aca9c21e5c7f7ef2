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
# (dataset)=
# # The data set and its split
#
# **Objective: collect every view of every galaxy in one file, with its target, and split it so that the test set is independent.**
#
# | Prerequisite | Why | Where |
# |---|---|---|
# | The sample and its selection | these galaxies are observed | {doc}`03_simulation_and_selection` |
# | The target profiles | what is to be predicted | {doc}`04_target_profiles` |
# | Images of starlight | five of the eight inputs | {doc}`05_photometry_with_skirt` |
# | HI moment maps | the other three | {doc}`06_hi_with_martini` |
#
# You will be able to
#
# 1. describe the contents of a view, and read views from the file in physical units or as a network reads them;
# 2. account for every galaxy between the catalogue and the data set;
# 3. explain why galaxies of one group must be on the same side of the split;
# 4. recognise a leak between training and test by its effect on a regressor that only memorises.
#
# Reading takes about 15 minutes.
# Running takes a few minutes if the views have to be observed first, otherwise seconds.

# %% [markdown]
# ```{found}
# chapter: dataset
# # The book fills this box from the recorded numbers.
# ```

# %% tags=["parameters"]
universe = "embedded"  # generated here; or "files" or "api": the real TNG
profile = "quick"  # how much is computed: "smoke", "quick" or "paper"
seed = 1  # root of every random number: lines of sight, noise, split
base_path = ""  # the simulation's output folder, for universe "files"
n_examples = 8  # galaxies on the page of examples
n_splits = 20  # random splits in the demonstration of a leak

# %%
import numpy as np
from astropy import units as u
from astropy.table import Table

from dmlib import load
from dmlib.dataset import SPLITS, straddling
from dmlib.dataset.leak import REGRESSORS, WAYS, demonstrate
from dmlib.figures import dataset as figures
from dmlib.figures import show, show_table
from dmlib.results import recorder
from dmlib.settings import Settings

settings = Settings(
    universe=universe, profile=profile, seed=seed, base_path=base_path
)
record = recorder(settings, chapter="dataset")

# %% [markdown]
# ## Contents of a view
#
# The paper observes each galaxy along three lines of sight.
# For each of them the data set contains what a telescope would see: images of the starlight in five bands, and three maps of the HI line, all seen from
# the *same* direction and on the same pixels.
# Both use the matter of the whole FoF group, because a telescope cannot distinguish which stars are bound to which galaxy; a companion in the field
# therefore appears in the image.
# Each view also records properties that the network does not receive, such as its inclination.
#
# `load.dataset` observes the whole sample if necessary, in parallel and one block of galaxies at a time; a run that is killed continues where it stopped.

# %%
dataset = load.dataset(settings)
print(
    f"{len(dataset)} views of {dataset.n_galaxies} galaxies, "
    f"{dataset.grid.pixels} pixels of {dataset.grid.pixel_size:g} kpc a side"
)

# %%
columns = {
    "subhalo_id": "d",
    "view": "d",
    "split": "d",
    "inclination": ".0f",
    "position_angle": ".0f",
    "m_star": ".2e",
    "m_hi": ".2e",
}
show_table(
    dataset.table[list(columns)],
    columns,
    caption="First views of the data set, three of each galaxy; `split` is "
    "0 for training, 1 for validation, 2 for the test, 3 for calibration.",
    rows=6,
    source=settings.label,
)

# %% [markdown]
# Images and maps are stored in physical units: fluxes in maggies (the flux of magnitude zero), solar masses per square parsec, kilometres per second.
# Blank pixels, and only these, are NaN. We show a view with a median amount of HI.

# %%
row = int(np.argsort(dataset.table["m_hi"])[len(dataset) // 2])
image, maps = dataset.images([row])[0], dataset.hi([row])[0]
print(
    f"image {image.shape} [{dataset.image_unit}], bands "
    f"{' '.join(dataset.bands)}, brightest {image.max():.2e}"
)
print(
    f"maps {maps.shape}, {np.isfinite(maps[..., 0]).mean():.0%} of the pixels "
    "with HI"
)

# %% [markdown]
# We draw the lines of sight at random, uniformly over the sphere.
# The cosine of the inclination is then uniform between 0 and 1: edge-on discs are common and face-on ones rare, as on the real sky.

# %%
cosine = np.cos(np.radians(dataset.table["inclination"].to_value(u.deg)))
n = dataset.n_galaxies

# %%
record("dataset-views", len(dataset), n=n, statement="Views in the data set")
record("dataset-galaxies", n, n=n, statement="Galaxies in the data set")
record(
    "dataset-cosine",
    cosine.mean(),
    error=np.sqrt(1 / 12 / len(cosine)),
    n=n,
    statement="Mean cos i of all views",
)

# %% [markdown]
# The mean of $\cos i$ is {num}`dataset-cosine:.2f±`; the expected value is $1/2$.
#
# ## Which galaxies are included
#
# Between the catalogue and the data set galaxies are lost in three steps: the selection, the target, and the observation.
# The first is the paper's. The other two should lose few galaxies, and must report which.

# %%
sample, targets = load.sample(settings), load.targets(settings)
counts = {
    "subhaloes": sample.meta["subhalos_in_catalogue"],
    "selected": len(sample),
    "with a target": len(targets),
    "observed": dataset.n_galaxies,
    "views": len(dataset),
}

# %%
show(
    figures.funnel(counts, figures.sides(dataset)),
    settings,
    "dataset_funnel",
    caption="From the catalogue to views, and how the galaxies are divided.",
    alt="Left, horizontal bars: the number of subhaloes, of selected "
    "galaxies, of those with a target, of those observed, and of views, three "
    "for each galaxy. Right, galaxies for training, validation, test and "
    "calibration; a small fraction of each are satellites.",
    n=dataset.n_galaxies,
)

# %% [markdown]
# The file records why each galaxy was set aside ({numref}`fig-dataset-funnel` has the numbers).
# A galaxy without gas has no HI maps, one with few gas cells would show the smoothing kernel instead of the galaxy, and a damaged file removes the
# galaxies in it but does not stop the run.

# %%
print(f"{len(dataset.set_aside)} of {len(sample)} galaxies set aside")
for row in dataset.set_aside[:20]:
    print(f"- {row['stage']}: {row['reason']}")

undetected = dataset.table["subhalo_id"][dataset.table["m_hi"] == 0]

# %%
record(
    "dataset-sample",
    len(sample),
    statement="Galaxies of the sample that should be observed",
)
record(
    "dataset-aside",
    len(dataset.set_aside),
    n=len(sample),
    statement="Galaxies of the sample that are not in the data set",
)
record(
    "dataset-blank",
    len(np.unique(undetected)),
    n=dataset.n_galaxies,
    statement="Galaxies with a view in which no HI is detected",
)

# %% [markdown]
# {num}`dataset-aside` of {num}`dataset-sample` galaxies are set aside here.
# A galaxy whose HI is too faint to be detected is *not* among them: its maps are blank, because that is what the telescope saw.
# There are {num}`dataset-blank` galaxies with such a view.
#
# ## Network inputs
#
# The inputs of a network should be of order one.
# The scaling must be the same for all galaxies and must not be learned from any.
# Dividing each image by its own maximum would discard the brightness, which measures the stellar mass; subtracting the mean of the training images
# would be allowed, but the mean must then never include a test image.
# We use scales fixed in advance: an inverse hyperbolic sine of the brightness {cite}`Lupton1999`, the logarithm of the HI column, velocities over 200
# and dispersions over 50 km/s.
#
# Networks see the middle of the field only, 96 of 128 kpc at profile `quick`, because it costs less and most of the margin is empty. Is anything lost? The networks A and C of {doc}`10_networks` were trained with the schedule of `quick` on the full field, on its middle and on the innermost 64 kpc, with {num}`field-seeds` seeds each, and compared on the validation galaxies, seed by seed.
# The choice had been made before, from one training of each; this measurement tests it. It is a record (`records/training_choices.json`).

# %%
choices = "records/training_choices.json"
kept = load.record("training_choices")["measured"]
for name, number in kept["numbers"]["field"].items():
    record(f"field-{name}", universe=f"embedded ({choices})", **number)

# %%
show_table(
    Table(rows=kept["rows"]),
    caption="Mean $|\\Delta M/M|$ of the validation galaxies from 5 to 50 kpc "
    "by the field that networks see, less the same on the field of the book, "
    "and the speed of the training on one core. With HI: share of the pixels "
    "of an HI map that are not blank.",
    rows=len(kept["rows"]),
    source=f"embedded universe, a record ({choices})",
)

# %% [markdown]
# On the full field {num}`field-hi-128:.0%` of the pixels of an HI map are not blank, on 96 kpc {num}`field-hi-96:.0%` and on 64 kpc {num}`field-hi-64:.0%`.
# With the full field the error of A changes by {num}`field-a-128:+.4f±` and that of C by {num}`field-c-128:+.4f±` (negative: the full field is better), for {num}`field-a-128-cost:.1f` and {num}`field-c-128-cost:.1f` times the computing time; with 64 kpc by {num}`field-a-64:+.4f±` and {num}`field-c-64:+.4f±`, for {num}`field-a-64-cost:.1f` and {num}`field-c-64-cost:.1f` times.
# These errors are those of galaxies and seeds together. For the same galaxies seeds alone scatter less: with {num}`field-c-128-lower` of {num}`field-seeds` seeds C errs less on the full field than on its middle, A with {num}`field-a-128-lower`. Where that is so with all seeds, the margin holds something for the network on these galaxies, such as companions; whether on others as well, the errors above say. (The epoch that is kept is chosen on the same galaxies, which flatters all alike.)
# The book keeps the middle also because its reference trainings were made on it. Pixels of another size were not tried.

# %%
train = dataset.rows("train")
inputs = dataset.inputs(train)
print(
    f"{inputs.shape} (view, y, x, channel), {inputs.dtype}, "
    f"{dataset.input_grid.field_of_view:g} kpc wide; "
    f"channels {' '.join(dataset.channels('all'))}"
)

# %%
show(
    figures.channels(dataset, inputs),
    settings,
    "dataset_channels",
    caption="Values of the eight channels in the training views: number of "
    "pixels over that in the highest bin, on a logarithmic scale. Values "
    "are those that a network reads, without units: asinh magnitudes over "
    "ln 10 in the bands (where above 0.05), and, where HI was found, the "
    r"logarithm of the column [$M_\odot\,\mathrm{pc}^{-2}$], the velocity "
    "over 200 km/s and the dispersion over 50 km/s.",
    alt="Eight histograms with logarithmic height. The five bands fall from "
    "zero to about three. Moment 0 is a broad hump between minus one and "
    "two, moment 1 is symmetric about zero, moment 2 peaks below one half "
    "with a tail to larger values.",
    n=len(np.unique(dataset.table["subhalo_id"][train])),
)

# %% [markdown]
# In {numref}`fig-dataset-channels` all channels are within a few units of zero.
# The tails are real: the brightest centres, the fastest edge-on discs, and the pixels where the beam mixes both sides of a steep rotation curve.
#
# Sets of inputs have names.
# This book uses `all`, `photometry` and `hi`; the authors' names work too.

# %%
for name in ("photometry", "hi", "SDSS_I", "SDSS_URZ_HI_012"):
    print(f"{name:16s} {' '.join(dataset.channels(name))}")

# %% [markdown]
# The next figure shows everything that a network receives about a galaxy, and the target that it must predict.

# %%
first = np.flatnonzero(dataset.table["view"] == 0)
by_mass = first[np.argsort(dataset.table["m_star"][first])]
rows = by_mass[
    np.linspace(0.02 * len(by_mass), 0.98 * len(by_mass), n_examples).astype(
        int
    )
]

# %%
show(
    figures.examples(dataset, rows, dataset.inputs(rows)),
    settings,
    "dataset_examples",
    caption="Views of the data set, one per row, from the least to the most "
    "massive galaxy (log stellar mass and inclination on the left): five "
    "bands, HI column, velocity (blue approaches), dispersion, and the "
    "target, dark mass against radius from 1 to 100 kpc on logarithmic axes, "
    "with the middle 96 per cent of all views (shaded).",
    alt="Eight rows of nine small panels on the networks' field of view. In "
    "each row the same disc appears in five bands, in HI, and as a velocity "
    "field with a blue and a red half. The HI extends beyond the stars. The "
    "last panel shows a rising curve within a grey band.",
    n=len(rows),
)

# %% [markdown]
# Try to rank the galaxies of {numref}`fig-dataset-examples` by their dark matter from the pictures alone.
# Brightness is the first clue and the velocity field the second, but inclination confuses it: a face-on disc hides its rotation.
# Part of the dispersion is caused by the beam ({doc}`06_hi_with_martini`).
#
# ## Splitting by group
#
# The authors use 70, 20 and 10 per cent for training, for the choices made during training (**validation**), and for the test.
# We add a fourth part, which the paper does not have: one seventh of the training galaxies are set apart for **calibration**.
# On them the stated uncertainty of a prediction is adjusted until it agrees with the errors ({doc}`12_profiles`).
# The errors of the training galaxies are far too small for this purpose, and those of the validation galaxies slightly so, because the training was
# stopped where they happened to be smallest.
# The price is that the networks learn from 60 instead of 70 per cent; the galaxies for validation and test are the same as without this part.
#
# But per cent of *what*?
#
# - Not of views. Three views of a galaxy have the same target, and nearly the same light.
# - Not even of galaxies. The target is the dark matter of the whole FoF group, so two galaxies of one group share part of their
#   targets and, if they are close, each appears in the other's image.
#
# We therefore split by **FoF group**.
# Within this constraint we distribute groups evenly in stellar mass, and treat those with satellites separately, because a random tenth of a small
# sample can lack massive galaxies or satellites altogether.
# The split does not use the *targets*.

# %%
table = dataset.table
sides = np.asarray(table["split"])
two_sided = {
    key: len(straddling(np.asarray(table[key]), sides))
    for key in ("subhalo_id", "group_id")
}
print("on two sides:", two_sided)

# %%
record(
    "dataset-two-sides",
    sum(two_sided.values()),
    n=dataset.n_galaxies,
    statement="Galaxies and groups that are on two sides of the split",
)

# %%
for side in SPLITS:
    n = len(np.unique(table["subhalo_id"][dataset.rows(side)]))
    record(f"dataset-{side}", n, n=n, statement=f"Galaxies for {side}")
views_of_group = np.unique(table["group_id"], return_counts=True)[1]
record(
    "dataset-shared",
    (views_of_group > dataset.recipe.n_views).sum(),
    statement="Groups with several galaxies of the data set",
)

# %% [markdown]
# The number of galaxies and groups on two sides of the split is {num}`dataset-two-sides`.
# Here {num}`dataset-shared` groups contain more than one galaxy of the data set; in TNG100, with its clusters, there are more.

# %%
show(
    figures.targets(dataset),
    settings,
    "dataset_targets",
    caption="Targets of the four sides. Left: dark mass within each radius "
    "over the median for training; thick lines are medians, the shading "
    "and the thin lines the middle 68 per cent. Right: distribution of the "
    "mass within 100 kpc.",
    alt="Left, four lines near one across most radii, with ranges of about "
    "two thirds to one and a half that widen beyond 50 kpc. Right, four "
    "rising step curves close to each other.",
    n=dataset.n_galaxies,
)

# %% [markdown]
# The {num}`dataset-train` galaxies for training, {num}`dataset-validation` for validation, {num}`dataset-calibration` for calibration and {num}`dataset-test`
# for the test have similar targets ({numref}`fig-dataset-targets`); where a side has few galaxies the ends of its range are uncertain.
# The test set is small, so we give its errors with their uncertainty.
#
# ## The effect of a leak
#
# In the authors' scripts the random indices of the split are computed but never used: validation and test galaxies are also training galaxies.
# What is the effect? We test it on two simple, transparent regressors.
# Each view is reduced to the mean and the root mean square of every channel in eight rings.
# Then
#
# - the **nearest neighbour** predicts the target of the most similar training view: pure memory;
# - **ridge regression** is a linear formula with a penalty on large coefficients: hardly any memory.
#
# We train and test both in three ways, on many random splits.
# We use only galaxies that are not for the test.
# The real test set is not used, not even for a demonstration.

# %%
errors = demonstrate(dataset, seed=seed, repeats=n_splits)
tested = np.unique(dataset.table["subhalo_id"][dataset.rows("test")])
untested = dataset.n_galaxies - len(tested)

# %%
show(
    figures.leak(dataset.radii, errors),
    settings,
    "dataset_leak",
    caption="Root mean square error of $\\ln M$ of two simple regressors, for "
    "three ways to split, and of the mean profile. Bands: standard "
    "deviation over splits. The information floor is that of the test "
    "galaxies of one split, and is in {doc}`/notebooks/10_networks`.",
    alt="Two panels of error against radius. For the nearest neighbour the "
    "error is zero when all views are trained on, intermediate when split by "
    "view, and largest when split by group, there above that of the mean "
    "profile at small radii. For ridge regression the three lines lie "
    "close together, in the same order, well below the mean profile.",
    n=untested,
)

# %%
here = {"figure": "dataset_leak", "n": untested}
for name in (*REGRESSORS, "mean"):
    for way in WAYS:
        values = errors[way, name].mean(axis=1)
        statement = f"Error of ln M over all radii, {name}, {WAYS[way]}"
        id = f"leak-{name.split()[0]}-{way}"
        record(
            id,
            values.mean(),
            error=values.std(ddof=1),
            statement=statement,
            **here,
        )

# %% [markdown]
# Consider the left panel of {numref}`fig-dataset-leak`.
# If every view is trained on, the nearest neighbour makes no error at all: it finds the same view again.
# That is what a test on training galaxies measures.
# Split by view, its error is {num}`leak-nearest-view:.2f±` on average over the radii, because it often finds the same galaxy from another direction.
# Split by group, its error is {num}`leak-nearest-group:.2f±`, against {num}`leak-mean-group:.2f±` of the mean profile.
# How much of its apparent skill was memory?

# %%
left = {
    way: errors[way, "mean"].mean() - errors[way, "nearest neighbour"].mean()
    for way in WAYS
}
for way in ("script", "view"):
    record(
        f"leak-memory-{way}",
        1 - left["group"] / left[way],
        statement="Share of what the nearest neighbour gains over the mean "
        f"profile, {WAYS[way]}, that is lost when split by group",
        **here,
    )

# %% [markdown]
# Of the skill that the split by view suggested {num}`leak-memory-view:.0%` was memory, of that in the scripts' way {num}`leak-memory-script:.0%`.
#
# The linear formula cannot memorise much, and so gains little: {num}`leak-ridge-script:.2f±`, {num}`leak-ridge-view:.2f±` and {num}`leak-ridge-group:.2f±`.
# With a proper split it is by far the better of the two; with the leak of the scripts, the worse one wins.
# **A leak not only makes results look too good: it reverses the ranking**, in favour of whichever method memorises best.
#
# A deep network is between the two.
# With dropout and early stopping it memorises less, but early stopping itself fails when the validation galaxies are trained on.
# We cannot tell how much of the paper's published performance is due to this: we have the script, but do not know which version of it made the figures.
#
# The ridge regression is also a baseline.
# Any convolutional network trained on these data should be compared with eight rings and a linear formula.
#
# ## Another data set
#
# A recipe defines what is observed, and how, and the file stores its recipe.
# Another recipe makes another file: here with three fixed lines of sight, the same for every galaxy (inclination and position angle), and images as the
# SDSS would have taken them.
#
# ```python
# from dmlib.dataset.build import build
# from dmlib.dataset.read import read_dataset
# from dmlib.dataset.views import Recipe
#
# angles = [(30, 0), (60, 0), (85, 0)]
# path = settings.build / "fixed_views.hdf5"
# build(settings, recipe=Recipe(orientation=angles, images="sdss"), path=path)
# fixed = read_dataset(path)
# ```
#
# `orientation` may also be `"random"`, `"face-on"` or `"edge-on"`; `dust=False` omits the dust, and `hi=HISettings(...)` selects another telescope, or
# another pressure law for the molecules.
# The file contains maps only.
# If a full HI cube is needed, it is computed again, including its noise:
#
# ```python
# from dmlib.dataset.views import Observer
#
# observer = Observer(
#     load.universe(settings), dataset.recipe, dataset.grid, settings.seed
# )
# cube = observer.cube(subhalo_id=dataset.table["subhalo_id"][0], view=0)
# ```
#
# ## Exercise
#
# :::{admonition} Exercise
# :class: tip
# Which inputs does the linear formula depend on?
# Run `demonstrate` with `inputs="photometry"` and `inputs="hi"`, and compare the error at each radius with that of all inputs, for the split by group.
# Where does the HI help?
# :::
#
# :::{admonition} Solution
# :class: dropdown
# ```python
# for inputs in ("all", "photometry", "hi"):
#     errors = demonstrate(dataset, seed=seed, inputs=inputs)
#     error = errors["group", "ridge"].mean(axis=0)
#     print(f"{inputs:10s}", " ".join(f"{value:.2f}" for value in error[::4]))
# ```
# The photometry alone measures the stellar mass, which is already a good predictor, as in {doc}`04_target_profiles`; it is most useful at large radii,
# where the total mass of the halo matters.
# The HI alone provides the rotation speed, but does worse at every radius of the embedded universe, by an eighth in the centre and by two fifths or more from 7 kpc on.
# Both together are hardly better than the photometry alone.
# Rings do not contain the shape of a disc, so the formula cannot correct the speed for the inclination; a network might.
# :::
#
# ## Summary
#
# - The data set has {num}`dataset-views` views of {num}`dataset-galaxies` galaxies: five bands and three HI maps each, from the same direction, in physical units, and
#   the target.
# - {num}`dataset-aside` galaxies were set aside, each with its reason.
# - Inputs are scaled by constants; nothing is learned from any galaxy.
# - The split is by FoF group; no galaxy and no group is on two sides.
# - A leak gives the nearest neighbour a perfect score and reverses its rank relative to a sound method.
#
# ## What's next
#
# The networks of the paper are trained on these views, and the rotation-curve method reads the HI cubes of the same galaxies.
# {doc}`08_supervised_learning` explains, without any network, what it means to learn from examples.
#
# ## References
#
# ```{bibliography}
# :filter: docname in docnames
# ```
