"""Trees that open and are wrong: files that do not belong together, locks, other ways to store masses, other runs."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
import threading
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from dataset_tree import copy_tree, few_galaxies
from dmlib import embedded, load
from dmlib import targets as target_module
from dmlib.dataset.build import build
from dmlib.errors import GalaxyError, UniverseError
from dmlib.galaxy import load_galaxy
from dmlib.sample import select
from dmlib.settings import Criteria, Settings
from dmlib.sources import simulation_of_path
from dmlib.targets import read_targets
from dmlib.universe import FilesUniverse, open_universe
from dmlib.universe.release import FULL_SNAPSHOTS, check_run, dm_particle_mass
from tiny_tng import M_DM, H, TinyGroup, TinySubhalo, dm, toy_groups, write_tree
from tng_server import arrays_of


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr("dmlib.universe.release.PAUSES", (0.0, 0.3))


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "sim", toy_groups())


def chunk(tree, i=0):
    return tree / "snapdir_099" / f"snap_099.{i}.hdf5"


def offsets(tree):
    return tree.parent / "postprocessing" / "offsets" / "offsets_099.hdf5"


def change(path, name, change):
    """Replace a data set by a function of it."""
    with h5py.File(path, "r+") as handle:
        values = change(handle[name][()])
        del handle[name]
        handle[name] = values


@contextmanager
def locked(path):
    """Another program's lock on a file."""
    handle = os.open(path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield handle
    finally:
        os.close(handle)


def settings_of(tree, tmp_path, **other):
    return Settings(universe="files", profile="smoke", base_path=str(tree), build_root=str(tmp_path / "build"), **other)


# -- snapshot, offsets and catalogue belong together ------------------------------------------------------------------


def test_the_snapshot_of_another_universe_is_refused(tree, tmp_path):
    centre = np.full(3, 30000.0)
    cloud = centre + np.random.default_rng(1).normal(0, 20, (500, 3))
    fewer = write_tree(tmp_path / "fewer", [TinyGroup([TinySubhalo(centre, {1: dm(cloud)})])])
    shutil.rmtree(tree / "snapdir_099")
    shutil.copytree(fewer / "snapdir_099", tree / "snapdir_099")
    with pytest.raises(
        UniverseError, match=r"snapdir_099, .*offsets_099\.hdf5 and .*groups_099 do not belong together"
    ):
        FilesUniverse(tree).particles(0, "stars", ["Masses"])


@pytest.mark.slow
def test_the_snapshot_of_another_embedded_universe_is_refused(smoke_universe, tmp_path):
    settings = copy_tree(smoke_universe, tmp_path / "mine")
    other = Settings(profile="smoke", seed=2, build_root=str(tmp_path / "other"))
    embedded.build(other)
    output = settings.universe_dir / "output"
    shutil.rmtree(output / "snapdir_099")
    shutil.copytree(other.universe_dir / "output" / "snapdir_099", output / "snapdir_099")
    with pytest.raises(UniverseError, match="do not belong together"):
        open_universe(settings).particles(0, "stars", ["Masses"])


def test_a_prepared_universe_is_sent_to_workers_as_checked(tree, monkeypatch):
    universe = FilesUniverse(tree)
    universe.prepare([0])
    sent = pickle.dumps(universe)
    monkeypatch.setattr(FilesUniverse, "_check_offsets", lambda self: pytest.fail("checked again"))
    assert len(pickle.loads(sent).particles(0, "stars", ["Masses"])["Masses"])


def test_a_mixed_tree_is_refused_before_workers_start(tree):
    change(offsets(tree), "Subhalo/SnapByType", lambda values: values + np.where(np.arange(6) == 1, 700, 0))
    with pytest.raises(UniverseError, match="do not belong to"):
        FilesUniverse(tree).prepare([0])


@pytest.mark.parametrize("name", ["Subhalo/SnapByType", "Group/SnapByType", "FileOffsets/SnapByType"])
def test_shifted_offsets_are_refused(tree, name):
    change(offsets(tree), name, lambda values: values + np.where(np.arange(6) == 1, 700, 0))
    with pytest.raises(UniverseError, match=r"snapdir_099.*do not belong to"):
        FilesUniverse(tree).particles(1, "stars", ["Masses"])


def test_offsets_of_equal_counts_are_told_by_a_half_mass_radius(tree):
    change(
        offsets(tree),
        "Subhalo/SnapByType",
        lambda values: values + 1500 * np.outer([0, 1, 0, 0], np.eye(6, dtype=int)[1]),  # a satellite
    )
    with pytest.raises(UniverseError, match=r"half of the dark matter of subhalo 1 would lie within .* ckpc/h, not"):
        FilesUniverse(tree).particles(3, "stars", ["Masses"])


@pytest.mark.parametrize(("name", "value"), [("Redshift", 0.5), ("BoxSize", 35000.0), ("Time", 0.8), ("Omega0", 0.27)])
def test_the_headers_of_snapshot_and_catalogue_must_agree(tree, name, value):
    with h5py.File(chunk(tree), "r+") as handle:
        handle["Header"].attrs[name] = value
    message = rf"snap_099\.0\.hdf5 and .*tab_099\.0\.hdf5 do not belong together: {name} is {value:g}"
    with pytest.raises(UniverseError, match=message):
        FilesUniverse(tree)


def test_the_names_of_snapshot_and_catalogue_must_agree(tree):
    for path, name in ((chunk(tree), "L75n1820TNG"), (tree / "groups_099" / "fof_subhalo_tab_099.0.hdf5", "TNG100-1")):
        with h5py.File(path, "r+") as handle:
            handle["Header"].attrs["SimulationName"] = name
    # The internal name is another name of the same run.
    assert FilesUniverse(tree).name == "TNG100-1"
    with h5py.File(chunk(tree), "r+") as handle:
        handle["Header"].attrs["SimulationName"] = "TNG100-2"
    with pytest.raises(UniverseError, match="one is of 'TNG100-2', the other of 'TNG100-1'"):
        FilesUniverse(tree)


# -- troubles of the machine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["snapdir_099/snap_099.1.hdf5", "groups_099/fof_subhalo_tab_099.1.hdf5"])
def test_a_lock_stops_everything_and_sets_no_galaxy_aside(tree, tmp_path, folder):
    settings = settings_of(tree, tmp_path)
    load.sample(settings)
    with locked(tree / folder), pytest.raises(UniverseError, match=rf"{folder} is in use or locked by another program"):
        load.targets(settings)
    # Nothing is taken for up to date: with the lock gone, all galaxies are there.
    targets = load.targets(settings)
    assert targets.subhalo_id.tolist() == [0, 1] and not targets.set_aside


def test_a_lock_that_passes_is_waited_for(tree):
    with locked(chunk(tree)) as handle:
        threading.Timer(0.1, fcntl.flock, (handle, fcntl.LOCK_UN)).start()
        assert FilesUniverse(tree).header.n_subhalos == 4


def test_a_missing_right_is_no_damage(tree, monkeypatch):
    universe = FilesUniverse(tree)

    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(UniverseError, match=r"hdf5 cannot be read: ask its owner for permission\.$"):
        universe.subhalos(["SubhaloSFR"])


def test_a_disk_that_does_not_answer_is_no_damage(tree, monkeypatch):
    universe = FilesUniverse(tree)
    monkeypatch.setattr(h5py, "File", lambda path, mode: (_ for _ in ()).throw(OSError(116, "Stale file handle")))
    with pytest.raises(UniverseError, match=r"cannot be read at the moment .*: run again when its disk answers"):
        universe.subhalos(["SubhaloSFR"])


def test_a_damaged_file_stops_everything_too(tree, tmp_path):
    settings = settings_of(tree, tmp_path)
    load.sample(settings)
    whole = chunk(tree, 1).read_bytes()
    os.truncate(chunk(tree, 1), len(whole) // 2)
    with pytest.raises(UniverseError, match=r"snap_099\.1\.hdf5 is truncated"):
        load.targets(settings)
    chunk(tree, 1).write_bytes(whole)
    assert len(load.targets(settings)) == 2


# -- what is stored in other ways, and what is damaged ----------------------------------------------------------------


def store_masses(tree, values):
    """No mass of dark matter in MassTable, but with the particles."""
    for i in range(2):
        with h5py.File(chunk(tree, i), "r+") as handle:
            handle["Header"].attrs["MassTable"] = np.zeros(6)
            n = len(handle["PartType1/Coordinates"])
            if values is not None:
                handle["PartType1/Masses"] = np.full(n, values, "f4")


def test_masses_with_the_particles_are_read(tree, tmp_path):
    expected = load_galaxy(FilesUniverse(tree), 0)
    store_masses(tree, M_DM)
    universe = FilesUniverse(tree)
    assert universe.header.m_dm == pytest.approx(M_DM * 1e10 / H)
    found = load_galaxy(universe, 0)
    np.testing.assert_allclose(found.dm.mass, expected.dm.mass, rtol=1e-6)
    assert found.m_dm_particle == pytest.approx(expected.m_dm_particle)


def test_masses_that_are_nowhere_are_named(tree):
    store_masses(tree, None)
    with pytest.raises(UniverseError, match=r"snap_099\.0\.hdf5 has no field PartType1/Masses: MassTable has no mass"):
        FilesUniverse(tree)
    store_masses(tree, 0.0)
    with pytest.raises(UniverseError, match=r"snap_099\.0\.hdf5 has dark-matter particles of mass 0"):
        FilesUniverse(tree)


@pytest.mark.parametrize("field", ["Masses", "Coordinates", "Velocities"])
def test_particles_that_are_no_numbers_are_named(tree, field):
    def poison(values):
        values[5] = np.nan
        return values

    change(chunk(tree), f"PartType4/{field}", poison)
    with pytest.raises(GalaxyError, match=f"subhalo 0: star field {field} holds [13] values that are not finite"):
        load_galaxy(FilesUniverse(tree), 0, ("stars",))


def test_a_galaxy_of_damaged_masses_is_set_aside_and_printed(tree, tmp_path, capsys):
    # The first cells of gas are those of the central, subhalo 0; both galaxies of the sample are in its group.
    change(chunk(tree), "PartType0/Masses", lambda values: np.where(np.arange(len(values)) == 3, np.nan, values))
    centre = np.array([50000.0, 60000.0, 20000.0])
    settings = settings_of(tree, tmp_path)
    load.sample(settings)
    with pytest.raises(target_module.TargetsError, match="gas field Masses holds 1 values that are not finite"):
        load.targets(settings)
    assert "target profiles: 2 of 2 galaxies set aside" in capsys.readouterr().err
    # With a healthy galaxy the product is made, and keeps the reasons.
    one = toy_groups(3)[0].subhalos[0]
    moved = {
        kind: fields | {"Coordinates": fields["Coordinates"] - one.position + centre}
        for kind, fields in one.particles.items()
    }
    more = write_tree(tmp_path / "more", [*toy_groups(), TinyGroup([TinySubhalo(centre, moved)])])
    change(chunk(more), "PartType0/Masses", lambda values: np.where(np.arange(len(values)) == 3, np.nan, values))
    settings = settings_of(more, tmp_path / "second")
    load.sample(settings)
    targets = load.targets(settings)
    assert targets.subhalo_id.tolist() == [4] and set(targets.set_aside) == {0, 1}
    told = capsys.readouterr().err
    assert "target profiles: 2 of 3 galaxies set aside" in told and "  subhalo 1: group 0 of subhalo" in told
    assert read_targets(settings.targets_path).set_aside == targets.set_aside


@pytest.mark.parametrize("field", ["SubhaloMassType", "SubhaloPos", "SubhaloSFR"])
def test_a_catalogue_with_values_that_are_no_numbers_is_named(tree, field):
    path = tree / "groups_099" / "fof_subhalo_tab_099.1.hdf5"

    def poison(values):
        values[1] = np.nan
        return values

    change(path, f"Subhalo/{field}", poison)
    with pytest.raises(UniverseError, match=rf"values of {field} that are not finite, in 1 rows .*is subhalo 3"):
        select(FilesUniverse(tree))


def test_empty_chunks_of_the_catalogue_are_passed_over(tree):
    """As in TNG100-1, whose chunks 1 to 35 have no group and no subhalo; here the first two and one between."""
    expected = {i: FilesUniverse(tree).particles(i, "dm", ["Coordinates"])["Coordinates"] for i in range(4)}
    folder = tree / "groups_099"
    for i, target in ((1, 4), (0, 2)):
        (folder / f"fof_subhalo_tab_099.{i}.hdf5").rename(folder / f"fof_subhalo_tab_099.{target}.hdf5")
    for i in range(5):
        path = folder / f"fof_subhalo_tab_099.{i}.hdf5"
        if not path.exists():
            shutil.copy(folder / "fof_subhalo_tab_099.2.hdf5", path)
            with h5py.File(path, "r+") as handle:
                del handle["Group"], handle["Subhalo"]
                handle.create_group("Group")
                handle["Header"].attrs.update({"Ngroups_ThisFile": 0, "Nsubgroups_ThisFile": 0})
        with h5py.File(path, "r+") as handle:
            handle["Header"].attrs["NumFiles"] = np.int32(5)
    for first in ([0, 0, 0, 2, 2], [0, 0, 0, 0, 2]):
        # The index of an empty chunk's first row means nothing.
        change(offsets(tree), "FileOffsets/Group", lambda values, first=first: np.array(first))
        change(offsets(tree), "FileOffsets/Subhalo", lambda values, first=first: np.array(first))
        universe = FilesUniverse(tree)
        assert len(universe.subhalos(["SubhaloSFR"])) == 4 and len(universe.groups(["GroupPos"])) == 3
        for i, positions in expected.items():
            np.testing.assert_array_equal(universe.particles(i, "dm", ["Coordinates"])["Coordinates"], positions)


# -- other simulations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "box", "h", "omega_m", "omega_b", "n"),
    [
        ("TNG50-1", 35000.0, H, 0.3089, 0.0486, 2160),
        ("TNG300-2", 205000.0, H, 0.3089, 0.0486, 1250),
        ("TNG100-3", 75000.0, H, 0.3089, 0.0486, 455),
        ("TNG100-2-Dark", 75000.0, H, 0.3089, 0.0, 910),
        ("Illustris-1", 75000.0, 0.704, 0.2726, 0.0456, 1820),
    ],
)
def test_other_runs_are_recognised_and_labelled(name, box, h, omega_m, omega_b, n):
    last = 135 if name.startswith("Illustris") else 99
    header = {"BoxSize": box, "HubbleParam": h, "Omega0": omega_m, "Redshift": 2e-16}
    mass = dm_particle_mass(omega_m, omega_b, h, box, n)
    assert check_run("x.hdf5", header, mass, name, last) == name
    for wrong in {"TNG50-1", "TNG100-1", "TNG300-1", "Illustris-1", "Illustris-2"} - {name}:
        with pytest.raises(UniverseError, match=f"does not belong to {wrong}"):
            check_run("x.hdf5", header, mass, wrong, last)
    with pytest.raises(UniverseError, match=f"is at redshift 0, which is snapshot {last} of {name}, not 51"):
        check_run("x.hdf5", header, mass, name, 51)


def test_mass_of_a_particle_of_known_runs():
    """Published: 4.5e5, 7.5e6, 5.9e7 Msun of TNG50-1, 100-1, 300-1 (Nelson et al. 2019), 6.26e6 of Illustris-1."""
    for box, n, h, omega_m, omega_b, mass in (
        (35000.0, 2160, H, 0.3089, 0.0486, 4.5e5),
        (75000.0, 1820, H, 0.3089, 0.0486, 7.5e6),
        (205000.0, 2500, H, 0.3089, 0.0486, 5.9e7),
        (75000.0, 1820, 0.704, 0.2726, 0.0456, 6.26e6),
    ):
        assert dm_particle_mass(omega_m, omega_b, h, box, n) == pytest.approx(mass, rel=0.02)


def test_the_redshift_of_a_snapshot_is_known(tmp_path):
    early = write_tree(tmp_path, toy_groups(), header={"Redshift": 0.5, "Time": 1 / 1.5})
    for name in ("groups", "snapdir"):
        (early / f"{name}_099").rename(early / f"{name}_067")
    for path in early.glob("*_067/*.hdf5"):
        path.rename(path.with_name(path.name.replace("_099", "_067")))
    universe = FilesUniverse(early, snapshot=67)
    assert universe.label == "TNG100-1, snapshot 67" and FULL_SNAPSHOTS[67] == 0.5
    (early / "groups_067").rename(early / "groups_072")
    for path in early.glob("*_072/*.hdf5"):
        path.rename(path.with_name(path.name.replace("_067", "_072")))
    with pytest.raises(UniverseError, match=r"redshift 0\.5, but snapshot 72 of TNG100-1 is redshift 0\.4"):
        FilesUniverse(early, snapshot=72)


def test_names_of_folders_and_files():
    assert simulation_of_path("/data/L75n1820TNG/output") == "TNG100-1"
    assert simulation_of_path("/data/L35n2160TNG_DM/output") == "TNG50-1-Dark"
    assert simulation_of_path("/data/TNG50-4/output") == "TNG50-4"
    assert simulation_of_path("/data/L75n1820FP/output") == "Illustris-1"
    assert simulation_of_path("/data/mine/output") is None


def test_subboxes_have_no_galaxies(tree, tmp_path):
    (tree / "subbox0").mkdir()
    with pytest.raises(UniverseError, match=r"subbox0 is a subbox: it has no group catalogue, hence no galaxies"):
        FilesUniverse(tree / "subbox0")
    with pytest.raises(UniverseError, match="is a subbox"):
        FilesUniverse(tree, simulation="TNG100-1-Subbox0")


def test_a_catalogue_without_subhaloflag_says_whose_it_is(tree):
    for i in range(2):
        with h5py.File(tree / "groups_099" / f"fof_subhalo_tab_099.{i}.hdf5", "r+") as handle:
            del handle["Subhalo/SubhaloFlag"]
    with pytest.raises(UniverseError, match=r"no field Subhalo/SubhaloFlag .*: Illustris and runs of dark matter have"):
        select(FilesUniverse(tree))
    table, funnel = select(FilesUniverse(tree), Criteria(cosmological=False))
    assert len(table) == 3 and "SubhaloFlag" not in str(funnel)


@pytest.mark.slow
def test_an_exported_tree_gives_what_the_embedded_universe_gives(smoke_universe, tmp_path):
    """The same tree, once by its place in the build folder and once by a path: equal products, bit for bit."""
    settings = copy_tree(smoke_universe, tmp_path / "here")
    few_galaxies(settings, 4)
    target_module.build(settings)
    there = settings_of(settings.universe_dir / "output", tmp_path, simulation="embedded-smoke")
    there.sample_path.parent.mkdir(parents=True)
    shutil.copy(settings.sample_path, there.sample_path)
    target_module.build(there)
    assert arrays_of(settings.targets_path) == arrays_of(there.targets_path)
    build(settings, workers=1)
    build(there, workers=1)
    assert arrays_of(settings.dataset_path) == arrays_of(there.dataset_path)


# -- damage of other kinds --------------------------------------------------------------------------------------------


def attributes(path, **values):
    with h5py.File(path, "r+") as handle:
        handle["Header"].attrs.update(values)


def catalogue(tree, i=0):
    return tree / "groups_099" / f"fof_subhalo_tab_099.{i}.hdf5"


@pytest.mark.parametrize("number", [0, 4])
def test_offsets_of_one_type_that_are_shifted_are_refused(tree, number):
    change(offsets(tree), "Subhalo/SnapByType", lambda values: values + 20 * np.eye(6, dtype=int)[number])
    with pytest.raises(UniverseError, match="subhalo 0 does not begin where its group does"):
        FilesUniverse(tree).particles(1, "dm", ["Coordinates"])


@pytest.mark.parametrize("name", ["Subhalo/SnapByType", "FileOffsets/SnapByType"])
@pytest.mark.parametrize("form", [lambda v: v.astype(float), lambda v: v.T.copy()])
def test_offsets_in_another_form_are_refused(tree, name, form):
    change(offsets(tree), name, form)
    with pytest.raises(UniverseError, match=r"offsets_099\.hdf5 (stores|has offsets)"):
        FilesUniverse(tree).particles(1, "dm", ["Coordinates"])


@pytest.mark.parametrize("path", [chunk, catalogue])
def test_one_file_of_another_snapshot_is_found(tree, path):
    attributes(path(tree, 1), Time=0.5, Redshift=1.0)
    with pytest.raises(UniverseError, match=r"099\.1\.hdf5 and .*099\.0\.hdf5 do not belong together: Time is 0\.5"):
        FilesUniverse(tree).particles(1, "dm", ["Coordinates"])


def test_headers_may_hold_arrays_of_one_number_and_no_more(tree):
    for i in range(2):
        attributes(catalogue(tree, i), Redshift=np.zeros(1), Ngroups_Total=np.array([3]))
    assert FilesUniverse(tree).header.redshift == 0.0
    attributes(catalogue(tree), BoxSize=np.full(3, 75000.0))
    with pytest.raises(UniverseError, match="several numbers for BoxSize"):
        FilesUniverse(tree)


def test_a_catalogue_with_rows_missing_is_named(tree):
    change(catalogue(tree), "Subhalo/SubhaloPos", lambda values: values[:-1])
    with pytest.raises(UniverseError, match=r"tab_099\.0\.hdf5 has 1 rows of Subhalo/SubhaloPos, and 2 by its header"):
        FilesUniverse(tree).subhalos(["SubhaloPos"])


def test_subhaloes_of_groups_that_are_not_there_are_named(tree):
    change(catalogue(tree), "Subhalo/SubhaloGrNr", lambda values: values + 100)
    with pytest.raises(UniverseError, match="and 3 groups: it is damaged"):
        select(FilesUniverse(tree), Criteria())


@pytest.mark.parametrize("values", [lambda v: -v, lambda v: 0 * v])
def test_masses_that_are_not_positive_are_named(tree, values):
    for i in range(2):
        with h5py.File(chunk(tree, i)) as handle:
            there = "PartType4" in handle
        if there:
            change(chunk(tree, i), "PartType4/Masses", values)
    with pytest.raises(GalaxyError, match=r"subhalo 0: star field Masses holds .* not finite and positive"):
        load_galaxy(FilesUniverse(tree), 0)
