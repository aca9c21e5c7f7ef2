"""The client: polite, patient, never twice for the same, and clear about what is wrong."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import threading
import time

import h5py
import numpy as np
import pytest
from toy_universe import toy_plan

from dmlib import download_plan, load
from dmlib.errors import DmlibError, FetchError, UniverseError
from dmlib.manifest import load_manifest
from dmlib.manifest.download import Downloader, Gate, Missing
from dmlib.observe.hydrogen import HYDROGEN_FIELDS
from dmlib.observe.images.dust import Dust
from dmlib.observe.images.light import ParticleLight
from dmlib.observe.images.published import PublishedSkirt
from dmlib.sample import SUBHALO_FIELDS
from dmlib.settings import Settings
from dmlib.universe import FilesUniverse
from dmlib.universe.api import downloads
from dmlib.universe.api import universe as api
from dmlib.universe.api.downloads import in_parallel
from dmlib.universe.api.source import FACTS, Source
from dmlib.universe.api.universe import ApiUniverse
from mocktng import FaultInjection, TngServer
from mocktng.blocks import write_tree
from mocktng.server import Reply
from tng_server import KEY, broadband, environment

NAME = "embedded-smoke"
DARK = {"dm": ("Coordinates",)}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A universe of nine small spheres."""
    folder = tmp_path_factory.mktemp("toy") / "universe"
    write_tree(folder, toy_plan(name="embedded-smoke"))
    return folder


@pytest.fixture
def serve(tree, tmp_path, monkeypatch):
    """Start servers of the tree, with an environment for clients."""
    running = []

    def start(faults=None, folder=None, log=None):
        server = TngServer((folder or tree) / "output", key=KEY, faults=faults, log=log).__enter__()
        running.append(server)
        for name, value in environment(server, tmp_path).items():
            monkeypatch.setenv(name, value)
        return server

    Source._confirmed.clear()
    yield start
    for server in running:
        server.__exit__()


def only(server, word):
    return [request for request in server.requests if word in request]


class TestReading:
    def test_catalogue_and_particles_are_those_on_disk(self, serve, tree):
        serve()
        ours, disk = ApiUniverse(NAME), FilesUniverse(tree / "output", simulation="embedded")
        assert ours.header.m_dm == disk.header.m_dm and ours.header.units == disk.header.units
        for field in (*SUBHALO_FIELDS, "SubhaloStellarPhotometrics"):
            for ids in (None, [5, 1, 5], []):
                here, there = (universe.subhalos([field], ids)[field] for universe in (ours, disk))
                assert here.dtype == there.dtype and getattr(here, "unit", None) == getattr(there, "unit", None)
                np.testing.assert_array_equal(np.asarray(here), np.asarray(there))
        first = [universe.groups(["GroupFirstSub"])["GroupFirstSub"] for universe in (ours, disk)]
        np.testing.assert_array_equal(*first)
        ours.prepare([0, 1, 8])
        wanted = {"dm": ["Coordinates", "Masses"], "gas": ["Density", "GFM_Metals"], "bh": ["Masses"]}
        wanted["stars"] = ["Velocities", "GFM_StellarFormationTime"]
        for scope, numbers in (("group", (0, 1, 7, 8)), ("subhalo", range(16))):
            for number in numbers:
                for kind, fields in wanted.items():
                    here, there = (u.particles(number, kind, fields, scope) for u in (ours, disk))
                    for field in fields:
                        assert here[field].dtype == there[field].dtype
                        np.testing.assert_array_equal(here[field], there[field])

    def test_a_subhalo_comes_out_of_its_group_where_that_is_here(self, serve):
        server = serve()
        universe = ApiUniverse(NAME)
        universe.prepare([2])
        universe.particles(5, "gas", ["Coordinates"])
        assert len(only(server, "/halos/2/cutout")) == 1 and not only(server, "/subhalos/5/")
        universe.particles(6, "gas", ["Coordinates"])
        universe.particles(6, "stars", ["Masses"])
        assert len(only(server, "/subhalos/6/cutout")) == 1 and not only(server, "/halos/3/")

    def test_a_group_in_another_order_is_refused(self, serve):
        serve()
        universe = ApiUniverse(NAME)
        universe.prepare([0])
        path = universe.cache.path("cutouts/halo_0.hdf5")
        with h5py.File(path, "r+") as file:
            file["PartType1/Coordinates"][...] = file["PartType1/Coordinates"][()][::-1]
        with pytest.raises(UniverseError, match=r"the particles of halo 0 do not belong to the catalogue"):
            universe.particles(1, "dm", ["Coordinates"])

    def test_one_request_has_all_types_and_what_is_missing_is_asked_for_alone(self, serve):
        server = serve()
        universe = ApiUniverse(NAME)
        universe.particles(0, "dm", ["Coordinates"], "group")
        universe.particles(0, "dm", ["Velocities", "Coordinates"], "group")
        whole, rest = only(server, "/halos/0/cutout")
        assert all(f"{kind}=" in whole for kind in ("dm", "gas", "stars")) and "bhs" not in whole
        assert rest.endswith("?dm=Velocities")

    def test_a_fresh_process_reads_without_the_network(self, serve, tree):
        server = serve()
        universe = ApiUniverse(NAME)
        universe.prepare([0])
        before = universe.particles(1, "gas", ["Density"])
        asked = len(server.requests)
        again = ApiUniverse(NAME)
        assert again.header == universe.header
        np.testing.assert_array_equal(again.particles(1, "gas", ["Density"])["Density"], before["Density"])
        copied = pickle.loads(pickle.dumps(universe))
        np.testing.assert_array_equal(copied.particles(1, "gas", ["Density"])["Density"], before["Density"])
        assert KEY.encode() not in pickle.dumps(universe) and len(server.requests) == asked

    def test_the_usual_fields_are_those_that_the_book_reads(self):
        needed = ParticleLight(Dust()).fields
        assert set(needed["stars"]) | {"Coordinates", "Velocities", "Masses"} <= set(api.BASE_FIELDS["stars"])
        assert {*needed["gas"], *HYDROGEN_FIELDS} <= set(api.BASE_FIELDS["gas"])
        query = "&".join(f"{key}={value}" for key, value in api.cutout_query(api.BASE_FIELDS).items())
        for name in ("tng100-halo-cutout", "tng100-subhalo-cutout"):
            assert load_manifest()[name].urls[0].endswith(f"/cutout.hdf5?{query}")

    def test_what_is_not_there(self, serve):
        serve()
        universe = ApiUniverse(NAME)
        with pytest.raises(UniverseError, match="has no field Subhalo/SubhaloMas"):
            universe.subhalos(["SubhaloMas"])
        with pytest.raises(UniverseError, match=r"no cutout of subhalo 1 with these fields .*Beauty"):
            universe.particles(1, "gas", ["Beauty"])
        with pytest.raises(UniverseError, match=r"subhalo 16 is not in .*it has 0 to 15"):
            universe.particles(16, "gas", ["Masses"])
        with pytest.raises(UniverseError, match="has no simulation 'TNG100-2': it has embedded-smoke"):
            ApiUniverse("TNG100-2")
        with pytest.raises(UniverseError, match="has no snapshot 98 of embedded-smoke"):
            ApiUniverse(NAME, 98)

    def test_the_embedded_universe_is_not_taken_for_tng(self, tree, serve, tmp_path, monkeypatch):
        serve()
        with TngServer(tree / "output", key=KEY, simulation="TNG100-1") as other:
            monkeypatch.setenv("DMLIB_TNG_URL", other.url)
            with pytest.raises(UniverseError, match="serves 'embedded-smoke', not 'TNG100-1'"):
                ApiUniverse("TNG100-1")
        settings = Settings(universe="api", simulation=NAME, profile="smoke")
        assert settings.origin == "embedded" and "not TNG" in settings.label


class TestPatience:
    @pytest.mark.parametrize("kind", ["error", "busy", "gateway", "cut", "drop", "page", "moved", "closed"])
    def test_every_second_request_fails(self, serve, kind):
        server = serve(FaultInjection(2, (kind,)))
        universe = ApiUniverse(NAME)
        universe.prepare(range(9))
        # A redirect that leads somewhere is no failure, and its request is not repeated.
        assert server.faults.done > (5 if kind == "moved" else 9) and not universe.missing_groups(range(9)).size
        assert not list(universe.cache.folder.rglob("*.part*"))

    @pytest.mark.parametrize("body", [b"[]", b"null", b"3"])
    def test_json_of_another_kind_is_asked_for_again(self, serve, body, monkeypatch):
        server = serve()
        usual, odd = server.answer, [Reply(body, "application/json")]
        monkeypatch.setattr(server, "answer", lambda *asked: odd.pop() if odd else usual(*asked))
        assert ApiUniverse(NAME).header.snapshot == 99 and not odd

    def test_a_snapshot_without_counts_is_refused(self, serve, monkeypatch):
        monkeypatch.setattr(serve(), "answer", lambda *asked: Reply(b"{}", "application/json"))
        with pytest.raises(UniverseError, match="does not say num_groups_fof of snapshot 99"):
            ApiUniverse(NAME)

    def test_gives_up_in_the_end_and_keeps_what_came(self, serve):
        server = serve(FaultInjection(1, ("error",), only="/halos/3/"))
        universe = ApiUniverse(NAME)
        with pytest.raises(FetchError, match=r"1 of 9 groups could not be obtained \(halo 3: .* in 6 tries \(HTTP 500"):
            universe.prepare(range(9))
        assert universe.missing_groups(range(9)).tolist() == [3]
        server.faults.every = 0
        before = len(server.requests)
        universe.prepare(range(9))
        assert len(server.requests) == before + 1

    def test_a_server_that_is_down_is_not_asked_for_every_group(self, serve, monkeypatch):
        monkeypatch.setenv("DMLIB_TNG_ATTEMPTS", "1")
        server = serve(FaultInjection(1, ("gateway",), only="cutout.hdf5?dm=Coordinates&"))
        monkeypatch.setattr(api, "BASE_FIELDS", {"gas": ("Masses",)})
        server.faults.only = "/halos/"
        universe = ApiUniverse(NAME)
        with pytest.raises(FetchError, match="5 requests failed one after the other"):
            universe.prepare(range(9))
        assert len(only(server, "/halos/")) <= 9

    def test_a_group_too_large_for_one_answer_comes_by_type(self, serve, monkeypatch):
        monkeypatch.setenv("DMLIB_TNG_ATTEMPTS", "2")
        server = serve(FaultInjection(1, ("gateway",), only="dm=Coordinates&gas"))
        universe = ApiUniverse(NAME)
        universe.prepare([0])
        asked = [request.partition("?")[2].partition("=")[0] for request in only(server, "/halos/0/")]
        assert asked == ["dm", "dm", "dm", "gas", "stars"] and not universe.missing_groups([0]).size

    def test_columns_come_from_the_catalogues_files_where_the_server_cannot_collect_them(
        self, serve, tree, monkeypatch
    ):
        monkeypatch.setenv("DMLIB_TNG_ATTEMPTS", "2")
        server = serve(FaultInjection(1, ("gateway",), only="groupcat-99/?"))
        universe, disk = ApiUniverse(NAME), FilesUniverse(tree / "output", simulation=NAME)
        for fields in (["SubhaloMassType", "SubhaloPos"], ["SubhaloSFR"]):
            found, expected = universe.subhalos(fields), disk.subhalos(fields)
            for field in fields:
                np.testing.assert_array_equal(found[field].value, expected[field].value)
        # Each file once; and no column is asked for once they are here.
        files = only(server, "/files/groupcat-99.")
        assert len(files) == len(set(files)) == disk.n_catalogue_chunks
        assert {path.partition("=")[2] for path in only(server, "groupcat-99/?")} == {"SubhaloMassType", "SubhaloPos"}
        with pytest.raises(UniverseError, match="has no field Subhalo/SubhaloMas"):
            universe.subhalos(["SubhaloMas"])

    def test_a_data_node_is_not_given_the_key_and_another_is_asked_for(self, serve):
        """The nodes of ``moved`` refuse a key, so that each file that arrives was asked for without."""
        server = serve(FaultInjection(1, ("moved",), only="cutout"))
        universe = ApiUniverse(NAME)
        universe.prepare([0, 1])
        assert not universe.missing_groups([0, 1]).size
        assert len(only(server, "/node/api/")) == len(only(server, "cutout")) / 2 == 3

    def test_a_pause_that_the_server_asks_for(self, serve):
        server = serve(FaultInjection(3, ("busy",), retry_after=1))
        begin = time.monotonic()
        ApiUniverse(NAME)
        assert time.monotonic() - begin >= 1.0 and server.faults.done == 1

    def test_all_connections_wait_together(self):
        gate, begin = Gate(), time.monotonic()
        gate.close_for(0.3)
        assert in_parallel(range(3), lambda job: gate.pass_through(), gate, "waiting") == []
        assert time.monotonic() - begin >= 0.3

    def test_pauses_grow_and_are_not_all_alike(self, monkeypatch):
        pauses = []
        monkeypatch.setattr(Gate, "sleep", lambda self, seconds: pauses.append(seconds))
        patient = Downloader(attempts=5, pause=1.0, jitter=0.5)
        with pytest.raises(FetchError):
            patient.json("http://127.0.0.1:9/", label="nobody")
        assert all(base <= pause <= 1.5 * base for base, pause in zip((1, 2, 4, 8), pauses, strict=True))
        assert pauses != [1, 2, 4, 8]

    def test_at_most_so_many_connections(self, serve, monkeypatch):
        monkeypatch.setenv("DMLIB_TNG_CONNECTIONS", "9")
        serve()
        with pytest.raises(FetchError, match="DMLIB_TNG_CONNECTIONS is '9': set it to a number from 1 to 8"):
            ApiUniverse(NAME).prepare([0])

    def test_an_archive_goes_on_where_it_broke_off(self, serve, tree, tmp_path):
        far = tmp_path / "far"
        shutil.copytree(tree, far, copy_function=os.link)
        folder = far / "postprocessing" / "skirt_images"
        folder.mkdir(parents=True)
        body = broadband(folder / "one.fits").read_bytes()
        with tarfile.open(folder / "skirt_images_sdss.99.tar", "w") as archive:
            info = tarfile.TarInfo("sdss/snapnum_099/data/broadband_3.fits")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        lines = []
        serve(FaultInjection(1, ("cut",), only="none"), far, lines.append)
        universe = ApiUniverse(NAME)
        universe.source.confirm()
        lines.clear()
        server_cut = serve(FaultInjection(2, ("cut",), only=".tar"), far, lines.append)
        server_cut.faults._requests = 1
        archive = ApiUniverse(NAME).source.fetch_archive()
        # The server writes its line after the client has the last byte.
        until = time.monotonic() + 60.0
        while sum(".tar" in line for line in lines) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        tar = [line for line in lines if ".tar" in line]
        assert "200 (cut)" in tar[0] and ": 206" in tar[1]
        assert archive.read_bytes() == (folder / archive.name).read_bytes()
        assert PublishedSkirt(archive).read(3).data.shape[2] == 4


class TestImages:
    def test_one_by_one_and_those_that_do_not_exist_once(self, serve, tree, tmp_path):
        far = tmp_path / "far"
        shutil.copytree(tree, far, copy_function=os.link)
        folder = far / "postprocessing" / "skirt_images" / "sdss" / "snapnum_099" / "data"
        folder.mkdir(parents=True)
        broadband(folder / "broadband_2.fits")
        server = serve(folder=far)
        universe = ApiUniverse(NAME)
        here = universe.source.fetch_images([2, 3])
        assert PublishedSkirt(here).read(2).data.shape[2] == 4
        asked = len(server.requests)
        universe.source.fetch_images([2, 3])
        assert len(server.requests) == asked


class TestRefusals:
    def test_a_wrong_key_is_said_at_once_and_not_shown(self, serve, monkeypatch):
        server = serve()
        monkeypatch.setenv("TNG_API_KEY", "0bad" * 8)
        with pytest.raises(FetchError, match=r"refused the TNG key \(HTTP 403\); check TNG_API_KEY") as caught:
            ApiUniverse(NAME)
        assert len(server.requests) == 1 and "0bad" not in str(caught.value)

    def test_a_data_node_that_refuses_says_nothing_of_the_key(self, serve, monkeypatch):
        monkeypatch.setenv("DMLIB_TNG_ATTEMPTS", "3")
        server = serve(FaultInjection(1, ("closed",)))
        with pytest.raises(FetchError, match=r"localhost:\d+, to which it redirected, answered HTTP 403") as caught:
            ApiUniverse(NAME)
        assert "key" not in str(caught.value).lower() and len(only(server, "/closed-node/")) == 3

    def test_a_refusal_with_a_web_page_may_be_a_proxys(self, serve, monkeypatch):
        serve()
        monkeypatch.setattr(
            "mocktng.server._Handler._reply", lambda *_: Reply(b"<html>No entry</html>", "text/html", 403)
        )
        with pytest.raises(
            FetchError, match=r"with a web page \(HTTP 403\): a proxy or a firewall on the way, or else"
        ):
            ApiUniverse(NAME)

    def test_no_key(self, serve, monkeypatch):
        server = serve()
        monkeypatch.delenv("TNG_API_KEY")
        with pytest.raises(FetchError, match="embedded-smoke needs the key of a TNG account"):
            ApiUniverse(NAME)
        assert not server.requests

    def test_a_key_in_the_users_configuration(self, serve, monkeypatch, tmp_path):
        serve()
        monkeypatch.delenv("TNG_API_KEY")
        (tmp_path / "config" / "dmlib").mkdir(parents=True)
        (tmp_path / "config" / "dmlib" / "config.toml").write_text(f'[tng]\napi_key = "{KEY}"\n')
        assert ApiUniverse(NAME).header.n_subhalos == 16

    @pytest.mark.parametrize("url", ["http://www.tng-project.org/api/", "ftp://127.0.0.1/", "https://me:word@host/"])
    def test_addresses_to_which_no_key_goes(self, url, monkeypatch):
        monkeypatch.setenv("DMLIB_TNG_URL", url)
        with pytest.raises(FetchError, match="DMLIB_TNG_URL"):
            ApiUniverse(NAME)

    def test_another_simulation_under_the_same_name(self, serve):
        serve()
        universe = ApiUniverse(NAME)
        kept = json.loads(universe.cache.path(FACTS).read_text())
        universe.cache.path(FACTS).write_text(json.dumps(kept | {"num_gas": 1}))
        Source._confirmed.clear()
        with pytest.raises(UniverseError, match="serves another embedded-smoke than the one in the cache"):
            ApiUniverse(NAME).prepare([0])

    def test_a_full_disk(self, serve, monkeypatch):
        serve()
        universe = ApiUniverse(NAME)
        universe.prepare([0])
        held = len(universe.cache)

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Downloader, "_download", full)
        with pytest.raises(FetchError, match=r"full disk.*DMLIB_DATA"):
            universe.prepare(range(9))
        assert len(universe.cache) == held and not universe.missing_groups([0]).size

    def test_no_room_for_what_is_to_come(self, serve, monkeypatch):
        server = serve()
        universe = ApiUniverse(NAME)
        universe.missing_groups([0])
        asked = len(server.requests)
        usage = shutil.disk_usage("/")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
        with pytest.raises(FetchError, match="disk has 1 kB free"):
            universe.prepare(range(9))
        assert len(server.requests) == asked


class TestCache:
    def test_connections_that_read_the_index_together_miss_no_later_entry(self, tmp_path, monkeypatch):
        """Two read the same lines at once; what is entered afterwards is found all the same."""
        writer, reader = downloads.Cache(tmp_path), downloads.Cache(tmp_path)
        for name in ("one", "two"):
            (tmp_path / name).write_text(name)
        writer.add("one", about="Subhalo/one", fields={}, seconds=0.0)

        class Slow(io.FileIO):
            def read(self, *arguments):
                found = super().read(*arguments)
                time.sleep(0.2)
                return found

        with monkeypatch.context() as patch:
            patch.setattr(downloads, "open", Slow, raising=False)
            together = [threading.Thread(target=reader.get, args=("one",)) for _ in range(2)]
            for one in together:
                one.start()
            for one in together:
                one.join()
        writer.add("two", about="Subhalo/two", fields={}, seconds=0.0)
        assert reader.get("two") is not None and len(reader) == 2

    def test_a_damaged_file_is_found_and_fetched_again(self, serve):
        server = serve()
        universe = ApiUniverse(NAME)
        universe.prepare([0, 1])
        settings = Settings(universe="api", simulation=NAME, profile="smoke")
        short, changed = (universe.cache.path(f"cutouts/halo_{i}.hdf5") for i in (0, 1))
        short.write_bytes(short.read_bytes()[:-10])
        assert universe.missing_groups([0, 1]).tolist() == [0]
        content = bytearray(changed.read_bytes())
        content[-50] ^= 1
        changed.write_bytes(content)
        whole, removed = download_plan.verify(settings)
        assert sorted(removed) == ["cutouts/halo_0.hdf5", "cutouts/halo_1.hdf5"] and whole == len(universe.cache) - 2
        universe.prepare([0, 1])
        assert len(only(server, "/halos/")) == 4 and download_plan.verify(settings)[1] == []

    def test_half_a_line_of_a_killed_process(self, serve):
        serve()
        universe = ApiUniverse(NAME)
        universe.prepare([0])
        with open(universe.cache.folder / "index.jsonl", "a") as index:
            index.write('{"name": "cutouts/ha')
        again = ApiUniverse(NAME)
        again.prepare([0, 1])
        assert not ApiUniverse(NAME).missing_groups([0, 1]).size

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda file: file.__delitem__("PartType1"), "has no Coordinates of the dm"),
            (lambda file: file["Header"].attrs.update({"SnapshotNumber": 4}), "is of snapshot 4"),
            (lambda file: file.__delitem__("Header"), "cannot be opened"),
        ],
    )
    def test_a_cutout_that_opens_but_is_not_whole(self, serve, change, why):
        serve()
        universe = ApiUniverse(NAME)
        universe.prepare([0])
        path = universe.cache.path("cutouts/halo_0.hdf5")
        counts = np.zeros(6, int)
        counts[1] = 740
        api.check_cutout(path, DARK, counts, "halo 0", 99)
        with pytest.raises(Exception, match="has 740 dm particles of 741"):
            api.check_cutout(path, DARK, counts + 1, "halo 0", 99)
        with h5py.File(path, "r+") as file:
            change(file)
        with pytest.raises(Exception, match=why):
            api.check_cutout(path, DARK, counts, "halo 0", 99)

    def test_headers_with_arrays_of_one(self, shared_data):
        """A real cutout has its header's numbers in arrays of one element, and texts in arrays of objects."""
        header = api.cutout_header(shared_data / "tng_cutout" / "TNG100-1_078_subhalo_9_sample.hdf5")
        assert header["HubbleParam"] == 0.6774 and header["SimulationName"] == "L75n1820TNG"
        assert header["MassTable"][1] == pytest.approx(5.05574e-4, rel=1e-5)


class TestFetching:
    @pytest.fixture
    def settings(self, tmp_path, serve):
        return Settings(universe="api", simulation=NAME, profile="smoke", build_root=str(tmp_path / "build"))

    def test_the_plan_is_what_is_done(self, smoke_universe, tmp_path, serve):
        server = serve(folder=smoke_universe.universe_dir)
        settings = Settings(
            universe="api", simulation=NAME, profile="smoke", sample=6, build_root=str(tmp_path / "build")
        )
        guess = download_plan.plan(settings)
        assert guess.galaxies == 6 and not guess.measured < 0 and "estimated" not in str(guess)
        columns, particles = guess.parts
        universe = download_plan.fetch_all(settings)
        assert len(only(server, "groupcat")) == columns.requests + columns.here
        assert len(only(server, "/halos/")) == particles.requests == 6
        size = sum(path.stat().st_size for path in universe.cache.path("cutouts").glob("halo_*.hdf5"))
        # From the galaxies' total masses alone, before anything is known of their groups.
        assert 0.3 < particles.n_bytes / size < 3
        exact = universe.bytes_of_groups(universe.subhalos(["SubhaloGrNr"], _sample(settings))["SubhaloGrNr"])
        assert exact.sum() == pytest.approx(size, rel=0.05)
        done = download_plan.plan(settings)
        assert done.requests == 0 and done.n_bytes == 0 and done.measured > 6 and "everything is here" in str(done)
        assert [part.here for part in done.parts] == [len(download_plan.COLUMNS), 6]
        asked = len(server.requests)
        download_plan.fetch_all(settings)
        assert len(server.requests) == asked

    def test_the_command(self, serve, tmp_path):
        server = serve()
        command = [sys.executable, "-m", "dmlib", "fetch", "--universe", "api", "--simulation", NAME, "--plan"]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"DMLIB_BUILD": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        assert "in all" in done.stdout and "requests" in done.stdout and "connections" in done.stdout
        assert not only(server, "/halos/") and not only(server, "groupcat") and len(server.requests) <= 5
        assert KEY not in done.stdout + done.stderr

    def test_only_the_web_api_is_fetched(self):
        with pytest.raises(DmlibError, match="universe 'embedded' is not downloaded"):
            download_plan.plan(Settings())


def _sample(settings):
    return np.asarray(load.sample(settings)["subhalo_id"])


def test_missing_is_not_asked_again(serve):
    server = serve()
    with pytest.raises(Missing):
        Source(NAME, 99).json("nothing/", label="nothing")
    assert len(server.requests) == 1
