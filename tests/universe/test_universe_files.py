"""A TNG tree is read rightly, and a bad one is named in a sentence."""

from __future__ import annotations

import pickle
import shutil

import h5py
import illustris_python as il
import numpy as np
import pytest
from astropy import units as u

from dmlib.errors import UniverseError
from dmlib.settings import Settings
from dmlib.sources import simulation_label
from dmlib.units import CodeUnits
from dmlib.universe import FilesUniverse, open_universe
from dmlib.universe.release import catalogue_unit, dm_particle_mass, particle_factor
from tiny_tng import BOX, M_DM, H, TinyGroup, TinySubhalo, dm, toy_groups, write_tree


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    """Files that cannot be opened are tried again at once."""
    monkeypatch.setattr("dmlib.universe.release.PAUSES", (0.0,))


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "sim", toy_groups())


def edit(path):
    return h5py.File(path, "r+")


# -- reading ----------------------------------------------------------------------------------------------------------


def test_header_is_in_physical_units(tree):
    header = FilesUniverse(tree).header
    assert (header.n_groups, header.n_subhalos, header.snapshot, header.simulation) == (3, 4, 99, "TNG100-1")
    assert header.m_dm == pytest.approx(M_DM * 1e10 / H)
    assert header.units.box_kpc == pytest.approx(BOX / H)


def test_name_and_label_are_those_of_the_simulation(tree):
    for name in ("TNG100-1", "MyZoom-1"):
        universe = FilesUniverse(tree, simulation=name)
        assert (universe.name, universe.label) == (name, f"{name}, snapshot 99")
    assert simulation_label("TNG50-1", 67) == "TNG50-1, snapshot 67"
    assert "not TNG" in simulation_label("embedded-quick", 99)


def test_catalogue_columns_have_units(tree):
    table = FilesUniverse(tree).subhalos(["SubhaloMassType", "SubhaloPos", "SubhaloSFR", "SubhaloFlag", "SubhaloVel"])
    assert table.colnames[0] == "subhalo_id"
    assert table["SubhaloMassType"][0, 1].to_value(u.Msun) == pytest.approx(3000 * M_DM * 1e10 / H, rel=1e-6)
    assert table["SubhaloPos"][0].to_value(u.kpc) == pytest.approx(np.array([10.0, 74990.0, 40000.0]) / H)
    assert table["SubhaloSFR"].unit == u.Msun / u.yr
    assert table["SubhaloVel"][0].to_value(u.km / u.s) == pytest.approx([30, -20, 10])
    assert table["SubhaloFlag"].tolist() == [True, True, False, True]


@pytest.mark.parametrize("ids", [[3], [0, 3], [3, 1, 1], []])
def test_some_rows_equal_the_whole_column(tree, ids):
    universe = FilesUniverse(tree)
    fields = ["SubhaloMassType", "SubhaloGrNr"]
    whole, some = universe.subhalos(fields), universe.subhalos(fields, ids)
    assert some["subhalo_id"].tolist() == ids
    for name in fields:
        np.testing.assert_array_equal(np.asarray(some[name]), np.asarray(whole[name])[ids])


@pytest.mark.parametrize("unsigned", [False, True])
def test_group_without_subhalo_is_minus_one(tmp_path, unsigned):
    tree = write_tree(tmp_path, toy_groups(), unsigned_first_sub=unsigned)
    assert FilesUniverse(tree).groups(["GroupFirstSub"])["GroupFirstSub"].tolist() == [0, 3, -1]


def test_magnitude_sentinel_is_not_a_magnitude(tmp_path):
    bare = TinySubhalo(np.full(3, 100.0), {1: dm(np.full((50, 3), 100.0))})
    tree = write_tree(tmp_path, [*toy_groups(), TinyGroup([bare])])
    magnitudes = FilesUniverse(tree).subhalos(["SubhaloStellarPhotometrics"])["SubhaloStellarPhotometrics"]
    assert magnitudes.unit == u.mag
    assert np.isnan(magnitudes[4]).all()
    assert (magnitudes[0].value == -20).all()


@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_particles_are_the_same_however_the_files_are_cut(tmp_path, chunks):
    groups = toy_groups()
    tree = write_tree(tmp_path, groups, catalogue_chunks=chunks, snapshot_chunks=chunks)
    universe = FilesUniverse(tree)
    for subhalo_id, subhalo in enumerate([*groups[0].subhalos, *groups[1].subhalos]):
        for name, number in (("dm", 1), ("stars", 4), ("gas", 0)):
            got = universe.particles(subhalo_id, name, ["Coordinates", "Masses"])
            expected = subhalo.particles.get(number, {"Coordinates": np.zeros((0, 3))})["Coordinates"]
            np.testing.assert_allclose(got["Coordinates"], expected / H)
            assert len(got["Masses"]) == len(expected)


@pytest.fixture
def reads(monkeypatch):
    """Number of particles of each call of illustris_python."""
    counts, load = [], il.snapshot.loadSubset

    def counted(*args, **kwargs):
        found = load(*args, **kwargs)
        counts.append(int(found["count"]))
        return found

    monkeypatch.setattr(il.snapshot, "loadSubset", counted)
    return counts


def test_a_subhalo_is_a_part_of_its_group_that_was_read(tree, reads):
    universe = FilesUniverse(tree)
    universe.prepare([])
    group = universe.particles(0, "dm", ["Coordinates"], "group")["Coordinates"]
    reads.clear()
    for subhalo_id, first, end in ((0, 0, 3000), (1, 3000, 3400), (2, 3400, 3430)):
        own = universe.particles(subhalo_id, "dm", ["Coordinates"])["Coordinates"]
        np.testing.assert_array_equal(own, group[first:end])
    np.testing.assert_array_equal(universe.particles(0, "dm", ["Coordinates"], "group")["Coordinates"], group)
    assert reads == []
    universe.particles(1, "dm", ["Coordinates", "Velocities"])
    assert reads == [3630]  # the field that was missing, of the whole group


def test_groups_one_after_the_other_are_read_together_up_to_the_end_of_a_file(tmp_path, reads):
    bare = [TinyGroup([TinySubhalo(np.full(3, 100.0 * i), {1: dm(np.full((50, 3), 100.0 * i))})]) for i in range(1, 21)]
    tree = write_tree(tmp_path, bare, snapshot_chunks=2)
    universe = FilesUniverse(tree)
    universe.prepare([])
    reads.clear()
    for i in range(20):
        got = universe.particles(i, "dm", ["Coordinates"], "group")["Coordinates"]
        np.testing.assert_allclose(got, np.full((50, 3), 100.0 * (i + 1) / H))
    assert len(reads) < 6
    assert sum(reads) == 20 * 50


def test_what_was_read_is_read_again_when_the_file_has_changed(tree, reads):
    universe = FilesUniverse(tree)
    before = universe.particles(0, "gas", ["Masses"], "group")["Masses"]
    kept = universe.particles(0, "gas", ["Masses"], "group")["Masses"]
    np.testing.assert_array_equal(kept, before)
    for path in sorted((tree / "snapdir_099").glob("*.hdf5")):
        with edit(path) as handle:
            if "PartType0" in handle:
                handle["PartType0/Masses"][...] *= 2
    np.testing.assert_array_equal(universe.particles(0, "gas", ["Masses"], "group")["Masses"], 2 * before)
    np.testing.assert_array_equal(universe.particles(0, "gas", ["Masses"])["Masses"], 2 * before[:300])
    for path in sorted((tree / "snapdir_099").glob("*.hdf5")):
        path.unlink()
    with pytest.raises(UniverseError, match="is missing"):
        universe.particles(0, "gas", ["Masses"])


def test_what_is_kept_is_small_cannot_be_changed_and_is_not_sent(tree, reads, monkeypatch):
    universe = FilesUniverse(tree)
    universe.prepare([])
    stored = universe._particles("Group", 0, "dm", ["Coordinates"])[1]["Coordinates"]
    with pytest.raises(ValueError, match="read-only"):
        stored += 1
    assert len(pickle.dumps(universe)) < stored.nbytes / 10
    copy = pickle.loads(pickle.dumps(universe))
    reads.clear()
    np.testing.assert_array_equal(copy._particles("Group", 0, "dm", ["Coordinates"])[1]["Coordinates"], stored)
    assert reads == [3630]
    monkeypatch.setattr("dmlib.universe.files._KEPT", 1000)
    for _ in range(2):
        universe.particles(0, "dm", ["Velocities"], "group")
    assert reads == [3630, 3630, 3630]


def test_group_scope_has_satellites_and_fuzz(tree):
    universe = FilesUniverse(tree)
    assert len(universe.particles(0, "dm", ["Coordinates"], "group")["Coordinates"]) == 3000 + 400 + 30 + 200
    assert len(universe.particles(0, "dm", ["Coordinates"])["Coordinates"]) == 3000
    assert len(universe.particles(2, "dm", ["Coordinates"], "group")["Coordinates"]) == 40


def test_no_particle_of_a_type_gives_empty_arrays_of_the_right_shape(tree):
    arrays = FilesUniverse(tree).particles(3, "gas", ["Coordinates", "GFM_Metals", "Density"])
    assert {name: value.shape for name, value in arrays.items()} == {
        "Coordinates": (0, 3),
        "GFM_Metals": (0, 10),
        "Density": (0,),
    }


def test_dark_matter_masses_come_from_the_mass_table(tree):
    masses = FilesUniverse(tree).particles(0, "dm", ["Masses"])["Masses"]
    assert np.unique(masses) == pytest.approx([M_DM * 1e10 / H])


def test_other_epoch_is_converted_with_its_scale_factor():
    units = CodeUnits(a=0.5, h=0.7)
    assert particle_factor("Coordinates", units) == pytest.approx(0.5 / 0.7)
    assert particle_factor("Velocities", units) == pytest.approx(np.sqrt(0.5))
    assert particle_factor("Potential", units) == pytest.approx(2.0)
    assert particle_factor("Density", units) == pytest.approx(1e10 * 0.7**2 / 0.5**3)
    assert catalogue_unit("GroupVel", units) == (2.0, u.km / u.s)
    assert catalogue_unit("SubhaloVel", units) == (1.0, u.km / u.s)
    assert catalogue_unit("SubhaloLenType", units) == (1.0, None)
    assert catalogue_unit("Group_R_Crit200", units)[1] == u.kpc
    assert catalogue_unit("SubhaloMassInRadType", units)[1] == u.Msun


def test_particle_mass_of_tng100_follows_from_its_cosmology():
    assert dm_particle_mass(0.3089, 0.0486, H, BOX, 1820) == pytest.approx(M_DM * 1e10 / H, rel=1e-3)


def test_identity_follows_the_content(tmp_path):
    first = FilesUniverse(write_tree(tmp_path / "a", toy_groups(1))).header.identity
    again = FilesUniverse(write_tree(tmp_path / "b", toy_groups(1))).header.identity
    other = FilesUniverse(write_tree(tmp_path / "c", toy_groups(2))).header.identity
    assert first == again != other


def test_real_catalogue_rows_open(shared_data):
    universe = FilesUniverse(shared_data / "tng100_catalogue_subset" / "output")
    assert universe.header.n_subhalos == 9002
    assert np.isnan(universe.header.m_dm)
    with pytest.raises(UniverseError, match=r"catalogues only.*snapdir_099"):
        universe.particles(0, "dm", ["Coordinates"])


# -- bad trees --------------------------------------------------------------------------------------------------------


def test_path_one_level_off_names_the_right_one(tree):
    for wrong in (tree.parent, tree / "groups_099", tree.parent / "postprocessing"):
        with pytest.raises(UniverseError, match=r"give base_path=.*output"):
            FilesUniverse(wrong)


def test_path_that_is_not_there_or_empty(tmp_path):
    with pytest.raises(UniverseError, match="does not exist"):
        FilesUniverse(tmp_path / "nowhere")
    with pytest.raises(UniverseError, match="must be the simulation's output folder"):
        FilesUniverse(tmp_path)


def test_other_snapshot_lists_what_is_there(tree):
    with pytest.raises(UniverseError, match=r"groups_050 .*groups_099"):
        FilesUniverse(tree, snapshot=50)


def test_missing_catalogue_chunk(tree):
    (tree / "groups_099" / "fof_subhalo_tab_099.1.hdf5").unlink()
    with pytest.raises(UniverseError, match=r"fof_subhalo_tab_099\.1\.hdf5 is missing"):
        FilesUniverse(tree)


def test_truncated_catalogue_chunk(tree):
    path = tree / "groups_099" / "fof_subhalo_tab_099.1.hdf5"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UniverseError, match=r"fof_subhalo_tab_099\.1\.hdf5 is truncated"):
        FilesUniverse(tree).subhalos(["SubhaloMassType"])


def test_damage_inside_a_chunk_that_opens(tree):
    path = tree / "groups_099" / "fof_subhalo_tab_099.1.hdf5"
    content = bytearray(path.read_bytes())
    content[2000:] = bytes(len(content) - 2000)  # the superblock stays, all else is zeros
    path.write_bytes(content)
    with pytest.raises(UniverseError, match=r"fof_subhalo_tab_099\.1\.hdf5 .*: copy or download that file again"):
        FilesUniverse(tree).subhalos(["SubhaloMassType"])


def test_header_without_an_attribute(tree):
    with edit(tree / "groups_099" / "fof_subhalo_tab_099.0.hdf5") as handle:
        del handle["Header"].attrs["NumFiles"]
    with pytest.raises(UniverseError, match=r"fof_subhalo_tab_099\.0\.hdf5 has no NumFiles in its Header"):
        FilesUniverse(tree)


def test_page_saved_as_chunk(tree):
    (tree / "groups_099" / "fof_subhalo_tab_099.0.hdf5").write_text("<html>Please log in</html>")
    with pytest.raises(UniverseError, match="cannot be opened as HDF5"):
        FilesUniverse(tree)


def test_missing_catalogue_field_names_file_and_neighbours(tree):
    with edit(tree / "groups_099" / "fof_subhalo_tab_099.1.hdf5") as handle:
        del handle["Subhalo/SubhaloSFR"]
    universe = FilesUniverse(tree)
    with pytest.raises(UniverseError, match=r"tab_099\.1\.hdf5 has no field Subhalo/SubhaloSFR"):
        universe.subhalos(["SubhaloSFR"])
    with pytest.raises(UniverseError, match="did you mean SubhaloMassType"):
        universe.subhalos(["SubhaloMassTyp"])


def test_chunks_of_two_catalogues_mixed(tree, tmp_path):
    other = write_tree(tmp_path / "other", [*toy_groups(), *toy_groups(2)])
    shutil.copy(other / "groups_099" / "fof_subhalo_tab_099.1.hdf5", tree / "groups_099")
    with pytest.raises(UniverseError, match="chunks of different catalogues are mixed"):
        FilesUniverse(tree).subhalos(["SubhaloSFR"])


@pytest.mark.parametrize(
    ("header", "name", "message"),
    [
        ({"BoxSize": 35000.0}, "TNG100-1", "BoxSize is 35000, TNG100-1 has 75000"),
        ({"HubbleParam": 0.704}, "TNG100-1", "HubbleParam is 0.704"),
        ({"Redshift": 0.5}, "TNG100-1", "redshift 0.5, but snapshot 99 of TNG100-1 is redshift 0"),
        ({}, "TNG100-2", "its dark-matter particle has 7.46e[+]06 Msun, TNG100-2 has 5.9"),
        ({"SimulationName": "embedded-quick"}, "TNG100-1", "belongs to 'embedded-quick', not to 'TNG100-1'"),
    ],
)
def test_wrong_simulation(tmp_path, header, name, message):
    tree = write_tree(tmp_path, toy_groups(), header=header)
    with pytest.raises(UniverseError, match=message):
        FilesUniverse(tree, simulation=name)


def test_mini_snapshot_is_named_as_such(tree):
    universe = FilesUniverse(tree)
    for path in sorted((tree / "snapdir_099").glob("*.hdf5")):
        with edit(path) as handle:
            del handle["PartType0/GFM_Metals"]
    with pytest.raises(UniverseError, match=r"snap_099\.0\.hdf5 has no field PartType0/GFM_Metals: it is a mini"):
        universe.particles(0, "gas", ["GFM_Metals"])


def test_missing_particle_field(tree):
    with pytest.raises(UniverseError, match=r"snap_099\.0\.hdf5 has no field PartType0/Densit.*did you mean Density"):
        FilesUniverse(tree).particles(0, "gas", ["Densit"])


@pytest.mark.parametrize("fault", ["missing", "truncated"])
def test_bad_snapshot_chunk(tree, fault):
    path = tree / "snapdir_099" / "snap_099.1.hdf5"
    content = path.read_bytes()
    path.unlink()
    if fault == "truncated":
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UniverseError, match=rf"snap_099\.1\.hdf5 is {fault}"):
        FilesUniverse(tree).particles(3, "dm", ["Coordinates"])


def test_missing_or_unsigned_or_foreign_offsets(tree):
    path = tree.parent / "postprocessing" / "offsets" / "offsets_099.hdf5"
    for name in ("FileOffsets/SnapByType", "Group/SnapByType", "Subhalo/SnapByType"):
        with edit(path) as handle:
            offsets = handle[name][()]
            del handle[name]
            handle[name] = offsets.astype(np.uint64)
        with pytest.raises(UniverseError, match=rf"offsets_099\.hdf5 stores {name} as uint64"):
            FilesUniverse(tree).particles(0, "dm", ["Coordinates"])
        with edit(path) as handle:
            handle[name][...] = offsets
            del handle[name]
            handle[name] = offsets
    FilesUniverse(tree).particles(0, "dm", ["Coordinates"])
    with edit(path) as handle:
        del handle["Subhalo/SnapByType"]
        handle["Subhalo/SnapByType"] = np.zeros((9, 6), np.int64)
    with pytest.raises(UniverseError, match="offsets of 9 Subhalo rows, the catalogue has 4"):
        FilesUniverse(tree).particles(0, "dm", ["Coordinates"])
    path.unlink()
    with pytest.raises(UniverseError, match=r"offsets_099\.hdf5 is missing"):
        FilesUniverse(tree).particles(0, "dm", ["Coordinates"])


def test_id_out_of_range(tree):
    universe = FilesUniverse(tree)
    with pytest.raises(UniverseError, match="subhalo 4 is not in"):
        universe.particles(4, "dm", ["Coordinates"])
    with pytest.raises(UniverseError, match="subhalo_id -1 is not in"):
        universe.subhalos(["SubhaloSFR"], [-1])


def test_symbolic_links_of_the_user_are_kept(tree, tmp_path):
    """On the TNG JupyterLab the run's folder is a link; the offsets lie beside `output` as the user sees it."""
    far = tmp_path / "elsewhere"
    shutil.move(tree, far)
    tree.symlink_to(far)
    universe = open_universe(Settings(universe="files", base_path=str(tree)))
    assert len(universe.particles(0, "dm", ["Coordinates"])["Coordinates"]) == 3000
