"""The universe follows the TNG format, and its catalogue agrees with its particles, as read by illustris_python."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import h5py
import illustris_python as il
import numpy as np
import pytest

from mocktng import writer
from mocktng.catalogue import OVERDENSITY
from mocktng.fields import PARTICLE_FIELDS
from mocktng.layout import Tree
from mocktng.units import BOX_TNG100, HUBBLE, RHO_CRIT, wrap

TYPES = (0, 1, 4, 5)
NAMES = {0: "gas", 1: "dm", 4: "stars", 5: "bh"}


@pytest.fixture(scope="module")
def tree(small_universe) -> Tree:
    return Tree(small_universe)


@pytest.fixture(scope="module")
def base(tree) -> str:
    return str(tree.output)


@pytest.fixture(scope="module")
def subhalos(base) -> dict:
    return il.groupcat.loadSubhalos(base, 99)


@pytest.fixture(scope="module")
def halos(base) -> dict:
    return il.groupcat.loadHalos(base, 99)


@pytest.fixture(scope="module")
def chunks(tree) -> list[dict]:
    """Header of each snapshot file, and the particles of each type that its groups really hold."""
    found = []
    for j in range(json.loads(tree.marker.read_text())["snapshot_files"]):
        with h5py.File(tree.snapshot_chunk(j)) as file:
            held = [len(file[f"PartType{t}/ParticleIDs"]) if f"PartType{t}" in file else -1 for t in range(6)]
            found.append({"header": dict(file["Header"].attrs), "held": held})
    return found


# -- 1 and 2: chunks, headers, offsets ---------------------------------------------------------------------------------


def test_catalogue_has_several_files_of_uneven_size(tree):
    sizes = [dict(h5py.File(path)["Header"].attrs) for path in sorted(tree.catalogue_chunk(0).parent.glob("*.hdf5"))]
    assert len(sizes) == sizes[0]["NumFiles"] >= 2
    assert len({int(size["Ngroups_ThisFile"]) for size in sizes}) > 1
    for name in ("groups", "subgroups"):
        assert sum(int(size[f"N{name}_ThisFile"]) for size in sizes) == sizes[0][f"N{name}_Total"]


def test_snapshot_files_are_split_unevenly_and_one_has_no_black_hole(chunks):
    assert len(chunks) > 2
    for chunk in chunks:
        expected = [n if n else -1 for n in chunk["header"]["NumPart_ThisFile"]]
        assert chunk["held"] == expected, "a type without particles has no group"
    assert any(chunk["held"][5] == -1 and chunk["held"][4] > 0 for chunk in chunks)
    fractions = np.array([chunk["held"] for chunk in chunks[:2]], float)
    assert np.ptp(fractions[0, [0, 1, 4]] / fractions[:, [0, 1, 4]].sum(axis=0)) > 0.05


def test_snapshot_totals_are_two_unsigned_words(chunks):
    total = np.sum([chunk["header"]["NumPart_ThisFile"] for chunk in chunks], axis=0)
    for chunk in chunks:
        header = chunk["header"]
        assert header["NumPart_Total"].dtype == header["NumPart_Total_HighWord"].dtype == np.uint32
        assert header["NumPart_ThisFile"].dtype == np.int32
        np.testing.assert_array_equal(il.snapshot.getNumPart(header), total)
        assert header["NumFilesPerSnapshot"] == len(chunks)
        assert header["MassTable"][1] > 0 and np.count_nonzero(header["MassTable"]) == 1


def test_a_halo_spans_files(tree, halos):
    with h5py.File(tree.offsets) as file:
        starts, first = file["FileOffsets/SnapByType"][:], file["Group/SnapByType"][:]
    end = first + halos["GroupLenType"]
    spanning = [((first[:, t, None] < starts[:, t]) & (starts[:, t] < end[:, t, None])).any() for t in (0, 1, 4)]
    assert any(spanning)


def test_offsets_are_signed_and_follow_the_catalogue(tree, subhalos, halos, chunks):
    with h5py.File(tree.offsets) as file:
        for name in ("Group", "Subhalo", "SnapByType"):
            assert file[f"FileOffsets/{name}"].dtype == np.int64
        group, subhalo = file["Group/SnapByType"][:], file["Subhalo/SnapByType"][:]
        files = file["FileOffsets/SnapByType"][:]
    assert group.dtype == subhalo.dtype == np.int64
    held = np.array([chunk["header"]["NumPart_ThisFile"] for chunk in chunks], dtype=np.int64)
    np.testing.assert_array_equal(files, np.cumsum(held, axis=0) - held)
    np.testing.assert_array_equal(np.diff(group, axis=0), halos["GroupLenType"][:-1])
    for i, owner in enumerate(subhalos["SubhaloGrNr"]):
        if i == halos["GroupFirstSub"][owner]:
            np.testing.assert_array_equal(subhalo[i], group[owner])
        else:
            np.testing.assert_array_equal(subhalo[i], subhalo[i - 1] + subhalos["SubhaloLenType"][i - 1])


def test_there_is_inner_and_outer_fuzz(subhalos, halos, chunks):
    in_subhalos = np.zeros_like(halos["GroupLenType"], dtype=np.int64)
    np.add.at(in_subhalos, subhalos["SubhaloGrNr"], subhalos["SubhaloLenType"].astype(np.int64))
    assert (in_subhalos <= halos["GroupLenType"]).all()
    assert (in_subhalos < halos["GroupLenType"])[:, 1].any()
    total = il.snapshot.getNumPart(chunks[0]["header"])
    assert (halos["GroupLenType"].sum(axis=0)[:2] < total[:2]).all()


def test_headers_are_read_by_illustris_python(base):
    header = il.groupcat.loadHeader(base, 99)
    assert header["HubbleParam"] == HUBBLE and header["BoxSize"] == BOX_TNG100
    assert header["Time"] == 0.9999999999999998 and header["Redshift"] == 2.220446049250313e-16
    assert header["SimulationName"] == "small" and "not a simulation" in header["NotTNG"]


def test_headers_and_fields_equal_those_of_a_real_catalogue(tree, real_data):
    path = real_data / "tng100_catalogue_subset" / "output" / "groups_099" / "fof_subhalo_tab_099.0.hdf5"
    with h5py.File(path) as real, h5py.File(tree.catalogue_chunk(0)) as ours:
        assert set(real["Header"].attrs) <= set(ours["Header"].attrs)
        for name, value in real["Header"].attrs.items():
            mine = ours["Header"].attrs[name]
            assert np.asarray(mine).dtype.kind == np.asarray(value).dtype.kind, name
            if np.asarray(value).dtype.kind in "if":
                assert np.asarray(mine).dtype == np.asarray(value).dtype, name
        for kind in ("Group", "Subhalo"):
            assert set(real[kind]) == set(ours[kind])
            for name, dataset in real[kind].items():
                assert ours[kind][name].dtype == dataset.dtype, name
                assert ours[kind][name].shape[1:] == dataset.shape[1:], name


def test_unit_attributes_equal_those_of_real_particles(tree, real_data):
    path = real_data / "tng_cutout" / "TNG100-1_078_subhalo_9_sample.hdf5"
    with h5py.File(path) as real, h5py.File(tree.snapshot_chunk(0)) as ours:
        for name in ("UnitLength_in_cm", "UnitMass_in_g", "UnitVelocity_in_cm_per_s", "OmegaBaryon", "Omega0"):
            assert ours["Header"].attrs[name] == pytest.approx(real["Header"].attrs[name][0])
        for group in ("PartType0", "PartType4"):
            for name, dataset in real[group].items():
                for attribute, value in dataset.attrs.items():
                    assert ours[group][name].attrs[attribute] == pytest.approx(value[0]), f"{group}/{name} {attribute}"
        asked = real["Header"].attrs["CutoutRequest"][0]
    for part in (asked.decode() if isinstance(asked, bytes) else asked).split("+"):
        group, names = part.split("=")
        ours = {field.name for field in PARTICLE_FIELDS[int(group[-1])]}
        assert set(names.split(",")) <= ours


# -- 3: fields ---------------------------------------------------------------------------------------------------------


def test_catalogue_has_every_field(subhalos, halos):
    assert len(halos) - 1 == 25
    assert len(subhalos) - 1 == 51
    assert subhalos["count"] == len(subhalos["SubhaloPos"]) and halos["count"] == len(halos["GroupPos"])


def test_loading_one_field_or_one_object_gives_the_same(base, subhalos, halos):
    np.testing.assert_array_equal(il.groupcat.loadSubhalos(base, 99, "SubhaloMass"), subhalos["SubhaloMass"])
    np.testing.assert_array_equal(il.groupcat.loadHalos(base, 99, ["GroupPos"]), halos["GroupPos"])
    last = subhalos["count"] - 1
    for name, value in il.groupcat.loadSingle(base, 99, subhaloID=last).items():
        np.testing.assert_array_equal(value, subhalos[name][last])
    for name, value in il.groupcat.loadSingle(base, 99, haloID=halos["count"] - 1).items():
        np.testing.assert_array_equal(value, halos[name][-1])


@pytest.mark.parametrize("part_type", TYPES)
def test_particles_have_every_field_with_shape_dtype_and_units(base, tree, part_type):
    particles = il.snapshot.loadHalo(base, 99, 0, NAMES[part_type])
    count = particles.pop("count")
    fields = {field.name: field for field in PARTICLE_FIELDS[part_type]}
    assert set(particles) == set(fields)
    for name, values in particles.items():
        assert values.shape == fields[name].shape(count), name
        assert values.dtype == fields[name].dtype, name
        assert np.isfinite(values).all(), name
    with h5py.File(tree.snapshot_chunk(0)) as file:
        for name, dataset in file[f"PartType{part_type}"].items():
            wanted = {"a_scaling", "h_scaling", "length_scaling", "mass_scaling", "velocity_scaling", "to_cgs"}
            assert wanted <= set(dataset.attrs), name
            if fields[name].constant is not None:
                assert (dataset[()] == fields[name].constant).all(), name


def test_dark_matter_has_no_masses(base):
    with pytest.raises(Exception, match="does not have field"):
        il.snapshot.loadHalo(base, 99, 0, "dm", ["Masses"])


# -- 4: consistency ----------------------------------------------------------------------------------------------------


def _load(base: str, subhalo_id: int, m_dm: float) -> dict[str, np.ndarray]:
    """All particles of a subhalo: position, mass, type that the mass counts for, potential."""
    rows: dict[str, list] = {"x": [], "m": [], "kind": [], "phi": [], "id": []}
    for t in TYPES:
        p = il.snapshot.loadSubhalo(base, 99, subhalo_id, NAMES[t])
        if not p["count"]:
            continue
        kind = np.full(p["count"], t)
        if t == 4:
            kind[p["GFM_StellarFormationTime"] <= 0] = 0
        rows["x"].append(p["Coordinates"])
        rows["m"].append(np.full(p["count"], m_dm) if t == 1 else p["Masses"].astype(float))
        rows["kind"].append(kind)
        rows["phi"].append(p["Potential"])
        rows["id"].append(p["ParticleIDs"])
    return {name: np.concatenate(values) for name, values in rows.items()}


@pytest.fixture(scope="module")
def m_dm(tree) -> float:
    with h5py.File(tree.snapshot_chunk(0)) as file:
        return float(file["Header"].attrs["MassTable"][1])


def _some(subhalos: dict) -> np.ndarray:
    """A few subhaloes of each sort: the largest, the smallest, and some between."""
    return np.unique(np.linspace(0, subhalos["count"] - 1, 12).astype(int))


def test_lengths_masses_and_radii_are_those_of_the_particles(base, subhalos, m_dm):
    for i in _some(subhalos):
        p = _load(base, i, m_dm)
        assert len(p["m"]) == subhalos["SubhaloLen"][i] == subhalos["SubhaloLenType"][i].sum()
        by_type = np.bincount(p["kind"], weights=p["m"], minlength=6)
        np.testing.assert_allclose(subhalos["SubhaloMassType"][i], by_type, rtol=1e-5)
        assert subhalos["SubhaloMass"][i] == pytest.approx(by_type.sum(), rel=1e-5)
        deepest = np.argmin(p["phi"])
        np.testing.assert_allclose(wrap(p["x"][deepest] - subhalos["SubhaloPos"][i], BOX_TNG100), 0, atol=0.01)
        radius = np.linalg.norm(wrap(p["x"] - p["x"][deepest], BOX_TNG100), axis=1)
        half = subhalos["SubhaloHalfmassRadType"][i]
        stars = p["kind"] == 4
        if stars.sum() > 20:
            inside = p["m"][stars & (radius < half[4])].sum()
            assert inside == pytest.approx(0.5 * by_type[4], abs=1.01 * p["m"][stars].max())
            assert subhalos["SubhaloMassInHalfRadType"][i, 4] == pytest.approx(inside, rel=1e-4)
            within = p["m"][radius < 2 * half[4]].sum()
            assert subhalos["SubhaloMassInRad"][i] == pytest.approx(within, rel=1e-3)


def test_wind_counts_as_stars_in_lengths_and_as_gas_in_masses(base, subhalos):
    with_wind = np.flatnonzero(subhalos["SubhaloWindMass"] > 0)
    assert with_wind.size
    i = with_wind[0]
    stars = il.snapshot.loadSubhalo(base, 99, i, "stars", ["Masses", "GFM_StellarFormationTime"])
    wind = stars["GFM_StellarFormationTime"] <= 0
    assert stars["count"] == subhalos["SubhaloLenType"][i, 4]
    assert stars["Masses"][wind].sum() == pytest.approx(subhalos["SubhaloWindMass"][i], rel=1e-4)
    assert stars["Masses"][~wind].sum() == pytest.approx(subhalos["SubhaloMassType"][i, 4], rel=1e-4)


def test_star_formation_and_metals_are_those_of_the_particles(base, subhalos):
    for i in _some(subhalos):
        gas = il.snapshot.loadSubhalo(base, 99, i, "gas")
        if not gas["count"]:
            continue
        assert gas["StarFormationRate"].sum() == pytest.approx(subhalos["SubhaloSFR"][i], rel=1e-4, abs=1e-6)
        assert np.all(gas["GFM_Metals"].sum(axis=1, dtype=float) == 1.0)
        metals = 1.0 - gas["GFM_Metals"][:, :2].sum(axis=1, dtype=float)
        np.testing.assert_allclose(gas["GFM_Metallicity"], metals, atol=1e-6)
        forming = gas["StarFormationRate"] > 0
        if forming.any():
            mean = np.average(gas["GFM_Metallicity"][forming], weights=gas["Masses"][forming])
            assert subhalos["SubhaloGasMetallicitySfr"][i] == pytest.approx(mean, rel=1e-4)
        assert (gas["Density"] > 0).all() and (gas["Masses"] > 0).all()
        assert (gas["NeutralHydrogenAbundance"] >= 0).all() and (gas["NeutralHydrogenAbundance"] <= 1.001).all()


def test_overdensity_masses_and_radii_agree(halos):
    critical = RHO_CRIT / (1e10 * HUBBLE**2)
    for name, overdensity in OVERDENSITY.items():
        mass, radius = halos[f"Group_M_{name}"].astype(float), halos[f"Group_R_{name}"].astype(float)
        found = mass > 0
        assert found.mean() > 0.9
        density = mass[found] / (4 / 3 * np.pi * radius[found] ** 3)
        np.testing.assert_allclose(density, overdensity * critical, rtol=1e-4)
    assert (halos["Group_R_Mean200"] >= halos["Group_R_Crit200"]).all()
    assert (halos["Group_R_Crit200"] >= halos["Group_R_Crit500"]).all()


def test_groups_know_their_subhalos_and_subhalos_their_group(subhalos, halos):
    first, number = halos["GroupFirstSub"], halos["GroupNsubs"]
    assert first.dtype == np.int32
    assert (first == -1).any(), "a group without subhalo"
    assert ((first == -1) == (number == 0)).all()
    owner = np.repeat(np.arange(len(number)), number)
    np.testing.assert_array_equal(subhalos["SubhaloGrNr"], owner)
    have = first >= 0
    np.testing.assert_array_equal(subhalos["SubhaloGrNr"][first[have]], np.flatnonzero(have))
    np.testing.assert_array_equal(halos["GroupPos"][have], subhalos["SubhaloPos"][first[have]])
    rank = np.arange(len(owner)) - first[owner]
    assert (subhalos["SubhaloParent"] <= np.maximum(rank - 1, 0)).all()
    assert subhalos["SubhaloFlag"][first[have]].all(), "centrals are cosmological"
    assert not subhalos["SubhaloFlag"].all()


def test_catalogue_is_in_descending_size(halos):
    sizes = halos["GroupLen"].astype(float)
    assert (np.diff(sizes) < 0.05 * sizes[:-1]).all()


def test_a_group_lies_across_the_boundary_and_all_positions_in_the_box(base, halos, chunks, tree):
    for j in range(len(chunks)):
        with h5py.File(tree.snapshot_chunk(j)) as file:
            for t in TYPES:
                if f"PartType{t}" in file:
                    x = file[f"PartType{t}/Coordinates"][:]
                    assert (x >= 0).all() and (x < BOX_TNG100).all()
    assert (halos["GroupPos"] >= 0).all() and (halos["GroupPos"] < BOX_TNG100).all()
    across = []
    for g in range(halos["count"]):
        near = ((halos["GroupPos"][g] < 400) | (halos["GroupPos"][g] > BOX_TNG100 - 400)).any()
        if near and halos["GroupLenType"][g, 1]:
            across.append(np.ptp(il.snapshot.loadHalo(base, 99, g, "dm", ["Coordinates"]), axis=0).max())
    assert max(across, default=0) > 0.9 * BOX_TNG100


# -- 5: ids ------------------------------------------------------------------------------------------------------------


def test_ids_are_unique_and_not_zero(tree):
    with h5py.File(tree.index) as index:
        ids = np.concatenate([index[f"Snapshots/99/PartType{t}/ParticleIDs"][:] for t in TYPES])
    assert ids.dtype == np.uint64 and ids.min() > 0
    assert len(np.unique(ids)) == len(ids)


def test_the_most_bound_particle_is_near_the_centre(base, subhalos, m_dm):
    for i in _some(subhalos):
        p = _load(base, i, m_dm)
        here = np.flatnonzero(p["id"] == subhalos["SubhaloIDMostbound"][i])
        assert len(here) == 1
        distance = np.linalg.norm(wrap(p["x"][here[0]] - subhalos["SubhaloPos"][i], BOX_TNG100))
        assert distance < 0.5 * subhalos["SubhaloHalfmassRad"][i]


# -- extras ------------------------------------------------------------------------------------------------------------


def test_the_index_of_virtual_datasets_is_the_snapshot(tree, base, subhalos):
    with h5py.File(tree.index) as index:
        whole = il.snapshot.loadSubset(base, 99, "stars", ["Masses"])
        np.testing.assert_array_equal(index["Snapshots/99/PartType4/Masses"][:], whole)
        np.testing.assert_array_equal(index["Groups/99/Subhalo/SubhaloMass"][:], subhalos["SubhaloMass"])
        assert index["Offsets/99/Subhalo/SnapByType"].shape == (subhalos["count"], 6)


def test_every_file_says_that_it_is_not_tng(tree):
    for path in Path(tree.root).rglob("*.hdf5"):
        if path == tree.offsets:
            continue
        with h5py.File(path) as file:
            assert file["Header"].attrs["SimulationName"] == "small"
            assert "not a simulation" in file["Header"].attrs["NotTNG"]
            assert {"mocktng_version", "mocktng_seed", "mocktng_physics"} <= set(file["Header"].attrs)


@pytest.mark.parametrize("n", [1, 16384, 40_001])
def test_chunks_that_are_packed_here_are_read_by_hdf5(tmp_path, n):
    rng = np.random.default_rng(n)
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        for field in PARTICLE_FIELDS[0][:3]:
            values = rng.normal(0.0, 1e3, field.shape(n)).astype(field.dtype)
            writer._write_field(file, field, values, n)
            assert np.array_equal(file[field.name][()], values)
            assert (file[field.name].compression, file[field.name].shuffle) == ("gzip", True)


def test_of_packed_bytes_those_that_do_not_shrink_are_stored():
    rng, zeros = np.random.default_rng(1), bytes(200_000)
    noise = rng.bytes(200_000)
    for parts in ([(zeros, True), (noise, False), (zeros, True)], [(noise, False)], [(zeros, True)]):
        packed = writer._deflate(parts)
        assert zlib.decompress(packed) == b"".join(content for content, _ in parts)
        assert (noise[:65535] in packed) == ((noise, False) in parts)
        assert len(packed) < 1.01 * sum(len(content) for content, shrink in parts if not shrink) + 2000
    assert writer._runs([True, True, False, True]) == [(0, 2, True), (2, 3, False), (3, 4, True)]


def test_packed_files_are_no_larger_than_those_of_hdf5(tree, tmp_path):
    with h5py.File(tree.snapshot_chunk(0)) as file, h5py.File(tmp_path / "again.hdf5", "w") as again:
        names = [f"PartType{t}/{f}" for t in (0, 1) for f in ("Coordinates", "Velocities", "Potential")]
        for name in names:
            again.create_dataset(name, data=file[name][()], chunks=file[name].chunks, **writer._PACKING)
        ours, theirs = (sum(some[name].id.get_storage_size() for name in names) for some in (file, again))
    assert ours < 1.1 * theirs
