"""The server speaks as the TNG web API does, so that programs written for that one work with it unchanged."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import h5py
import illustris_python as il
import numpy as np
import pytest
import requests

import mocktng
from mocktng import FAULTS, FaultInjection, MockError, TngServer
from mocktng.drawing import draw
from mocktng.replies import rounded

#: Made up, in the form of a real key.
KEY = 2 * "5ec2e70fc0ffee" + "5ec2"
HEADERS = {"api-key": KEY}


@pytest.fixture(scope="module")
def output(small_universe):
    return str(small_universe / "output")


@pytest.fixture(scope="module")
def server(output):
    with TngServer(output, key=KEY, simulation="TNG100-1") as running:
        yield running


@pytest.fixture(scope="module")
def at(server):
    """Address of the snapshot."""
    return f"{server.url}{server.name}/snapshots/99/"


@pytest.fixture(scope="module")
def catalogue(output):
    return il.groupcat.loadSubhalos(output, 99, ["SubhaloMassType", "SubhaloSFR", "SubhaloParent", "SubhaloFlag"])


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def ask(url, **query):
    return requests.get(url, params=query, headers=HEADERS, timeout=20)


def idiom(path, params=None, folder="."):
    """The client of the TNG documentation ("getting started"), but for the folder."""
    r = requests.get(path, params=params, headers=HEADERS)
    r.raise_for_status()
    if r.headers["content-type"] == "application/json":
        return r.json()
    if "content-disposition" in r.headers:
        filename = os.path.join(folder, r.headers["content-disposition"].split("filename=")[1])
        with open(filename, "wb") as f:
            f.write(r.content)
        return filename
    return r


class TestReplies:
    def test_keys_are_those_of_a_real_reply(self, at, real_data):
        real = json.loads((real_data / "tng_api" / "TNG100-1_094_subhalo_31.json").read_text())
        ours = ask(f"{at}subhalos/0/").json()
        assert list(ours) == list(real)
        for name in ("related", "cutouts", "meta"):
            assert list(ours[name]) == list(real[name])
        for key, value in real.items():
            if isinstance(value, (int, float)):
                assert type(ours[key]) is type(value), key

    def test_numbers_have_six_digits_in_catalogue_units(self, at, catalogue):
        row = ask(f"{at}subhalos/3/").json()
        stored = catalogue["SubhaloMassType"][3, 4]
        assert row["mass_stars"] == rounded(stored) == float(f"{stored:.6g}")
        assert rounded(np.float32(18409.7)) == 18409.7 and rounded(np.bool_(True)) == 1
        whole = ask(f"{at}subhalos/3/info.json").json()
        assert whole["SubhaloMassType"][4] == float(stored)

    def test_simulation_and_snapshot(self, server, at, output):
        header = il.groupcat.loadHeader(output, 99)
        simulation = ask(f"{server.url}{server.name}/").json()
        assert (simulation["name"], simulation["boxsize"], simulation["hubble"]) == ("small", 75000.0, 0.6774)
        snapshot = ask(at).json()
        assert snapshot["num_groups_subfind"] == header["Nsubgroups_Total"] and 0 < snapshot["redshift"] < 1e-10
        assert ask(f"{server.url}{server.name}/snapshots/z=0/").json() == snapshot
        assert isinstance(ask(f"{server.url}{server.name}/snapshots/").json(), list)
        assert ask(server.url).json()["simulations"][0]["name"] == "small"

    def test_it_tells_its_true_name_whatever_it_is_called(self, server):
        assert ask(f"{server.url}TNG100-1/").json()["name"] == "small"

    def test_a_halo_knows_its_subhaloes(self, at, output):
        first = il.groupcat.loadHalos(output, 99, ["GroupFirstSub"])[2]
        children = ask(f"{at}halos/2/").json()["child_subhalos"]
        assert children["results"][0]["id"] == first and children["count"] >= 1
        assert ask(children["results"][0]["url"]).json()["grnr"] == 2


class TestSearch:
    def test_filters_are_in_catalogue_units(self, at, catalogue):
        query = {"mass_stars__gte": 0.6774, "sfr__gt": 0.1, "parent": 0, "subhaloflag": 1, "limit": 100000}
        found = ask(f"{at}subhalos/", **query).json()
        keep = (catalogue["SubhaloMassType"][:, 4] >= 0.6774) & (catalogue["SubhaloSFR"] > 0.1)
        keep &= (catalogue["SubhaloParent"] == 0) & (catalogue["SubhaloFlag"] == 1)
        assert found["count"] == keep.sum() > 10 and found["next"] is None
        assert [row["id"] for row in found["results"]] == np.flatnonzero(keep).tolist()
        assert list(found["results"][0]) == ["id", "sfr", "mass_log_msun", "url"]

    def test_pages_of_a_hundred_unless_told(self, at, catalogue):
        assert len(ask(f"{at}subhalos/").json()["results"]) == min(100, catalogue["count"])
        page, ids = ask(f"{at}subhalos/", limit=20).json(), []
        assert len(page["results"]) == 20 and page["previous"] is None
        for _ in range(50):
            ids += [row["id"] for row in page["results"]]
            if page["next"] is None:
                break
            page = requests.get(page["next"], headers=HEADERS, timeout=20).json()
        assert ids == list(range(catalogue["count"])) and page["previous"]

    def test_order(self, at, catalogue):
        rows = ask(f"{at}subhalos/", order_by="-mass_stars", limit=5).json()["results"]
        expected = np.argsort(-catalogue["SubhaloMassType"][:, 4], kind="stable")[:5]
        assert [row["id"] for row in rows] == expected.tolist()

    @pytest.mark.parametrize(
        "query",
        [
            *({"sfr_gt": 1}, {"sfr__over": 1}, {"sfr__gt": "much"}, {"order_by": "beauty"}),
            *({"limit": -5}, {"limit": 0}, {"limit": "all"}, {"offset": -1}),
        ],
    )
    def test_what_is_no_filter_is_an_error(self, at, query):
        reply = ask(f"{at}subhalos/", **query)
        assert reply.status_code == 400 and reply.reason == "Bad Request"

    def test_all_its_links_lead_somewhere(self, server):
        """Every address in a reply is answered, as those of the real API are."""
        todo, seen = [server.url], set()
        while todo:
            url = todo.pop()
            if url in seen or re.search(r"halos/(?![01]/)\d", url):
                continue  # the first two objects stand for all
            seen.add(url)
            reply = requests.head(url, headers=HEADERS, timeout=20, allow_redirects=True)
            assert (reply.status_code, reply.content) == (200, b""), url
            if reply.headers["content-type"] == "application/json":
                text = requests.get(url, headers=HEADERS, timeout=20).text
                todo += re.findall(r'"(http://[^"]+)"', text)
        for part in (
            "groupcat-99.0.hdf5",
            "snapshot-99.1.hdf5",
            "offsets.99.hdf5",
            "/TNG100-1/",
            "/halos/",
            "info.json",
        ):
            assert any(part in url for url in seen), part

    def test_the_list_has_every_name_at_which_it_answers(self, server):
        names = [row["name"] for row in ask(server.url).json()["simulations"]]
        assert names == ["small", "TNG100-1"]

    def test_groups_come_in_pages(self, at):
        page = ask(f"{at}halos/", limit=3, offset=2).json()
        assert [row["id"] for row in page["results"]] == [2, 3, 4] and page["count"] > 5
        assert ask(page["results"][0]["url"]).json()["id"] == 2

    @pytest.mark.parametrize(("number", "status"), [("z=0", 200), ("z=0.001", 200), ("z=1", 404), ("z=1.2.3", 404)])
    def test_snapshots_by_redshift(self, server, number, status):
        assert ask(f"{server.url}{server.name}/snapshots/{number}/").status_code == status

    def test_a_key_in_the_address_is_not_logged(self, output):
        lines = []
        other = "0123456789abcdef" * 2
        with TngServer(output, key=KEY, log=lines.append) as logging:
            for key in (KEY, other):
                requests.get(f"{logging.url}{logging.name}/", params={"api_key": key}, timeout=20)
            end = time.monotonic() + 20.0
            while len(lines) < 2 and time.monotonic() < end:
                time.sleep(0.05)  # an answer is logged after it has been sent
            told = "\n".join([*lines, *logging.requests])
        assert told.count("api_key=***") == 4 and KEY not in told and other not in told


class TestTransport:
    def test_types_are_compared_as_strings(self, at):
        assert ask(at).headers["content-type"] == "application/json"
        assert ask(f"{at}halos/1/cutout.hdf5", dm="Coordinates").headers["content-type"] != "application/json"

    @pytest.mark.parametrize("key", [None, "", "wrong", KEY.upper()])
    def test_without_the_key_403(self, at, key):
        reply = requests.get(at, headers={} if key is None else {"api-key": key}, timeout=20)
        assert reply.status_code == 403 and KEY not in reply.text

    def test_slashes(self, server, at):
        bare = requests.get(at.rstrip("/") + "/subhalos/4", headers=HEADERS, timeout=20, allow_redirects=False)
        assert bare.status_code == 301
        assert ask(f"{server.url}/{server.name}//snapshots/99/subhalos/4").json()["id"] == 4

    @pytest.mark.parametrize(
        "path", ["subhalos/99999999/", "halos/99999999/cutout.hdf5", "subhalos/0/sublink/full.hdf5", "stars/"]
    )
    def test_what_is_not_there_is_404(self, at, path):
        assert ask(at + path).status_code == 404

    def test_stored_files_can_be_had_in_parts(self, server):
        url = f"{server.url}{server.name}/files/offsets.99.hdf5"
        whole = requests.get(url, headers=HEADERS, timeout=20)
        asked = HEADERS | {"Range": "bytes=100-", "If-Range": whole.headers["etag"]}
        part = requests.get(url, headers=asked, timeout=20)
        assert part.status_code == 206 and part.content == whole.content[100:]
        other = requests.get(url, headers=asked | {"If-Range": '"other"'}, timeout=20)
        assert other.status_code == 200 and other.content == whole.content

    def test_it_listens_on_this_machine_only(self, server):
        assert server._http.server_address[0] == "127.0.0.1"


class TestFiles:
    @pytest.mark.parametrize("kind", ["halo", "subhalo"])
    def test_a_cutout_is_the_object(self, at, output, kind):
        load = il.snapshot.loadHalo if kind == "halo" else il.snapshot.loadSubhalo
        reply = ask(f"{at}{kind}s/2/cutout.hdf5", gas="Coordinates,Masses", stars="GFM_Metals")
        with h5py.File(io.BytesIO(reply.content)) as file:
            for part, field in ((0, "Coordinates"), (0, "Masses"), (4, "GFM_Metals")):
                expected = load(output, 99, 2, part, [field])
                assert file[f"PartType{part}/{field}"].dtype == expected.dtype
                np.testing.assert_array_equal(file[f"PartType{part}/{field}"][()], expected)
            assert set(file) == {"Header", "PartType0", "PartType4"}
            assert file["Header"].attrs["NumPart_ThisFile"][0] == len(file["PartType0/Masses"])
            assert file["Header"].attrs["NumPart_ThisFile"][1] == 0
            assert file["Header"].attrs["SimulationName"] == "small" and "NotTNG" in file["Header"].attrs

    def test_without_a_query_everything(self, at):
        with h5py.File(io.BytesIO(ask(f"{at}subhalos/1/cutout.hdf5").content)) as file:
            assert {"Coordinates", "ParticleIDs"} <= set(file["PartType1"]) and "Potential" not in file["PartType1"]

    @pytest.mark.parametrize("query", [{"gas": "Potential"}, {"gas": "Massess"}, {"tracers": "all"}])
    def test_what_the_snapshot_lacks_is_400(self, at, query):
        reply = ask(f"{at}halos/0/cutout.hdf5", **query)
        assert reply.status_code == 400 and reply.reason == "Bad Request"

    def test_one_column_in_one_file(self, server, catalogue):
        reply = ask(f"{server.url}{server.name}/files/groupcat-99/", Subhalo="SubhaloMassType")
        with h5py.File(io.BytesIO(reply.content)) as file:
            np.testing.assert_array_equal(file["Subhalo/SubhaloMassType"][()], catalogue["SubhaloMassType"])

    def test_chunks_as_on_disk(self, server, small_universe):
        reply = ask(f"{server.url}{server.name}/files/groupcat-99.0.hdf5")
        stored = small_universe / "output" / "groups_099" / "fof_subhalo_tab_099.0.hdf5"
        assert reply.content == stored.read_bytes()
        assert reply.headers["content-disposition"] == "attachment; filename=fof_subhalo_tab_099.0.hdf5"


class TestOtherPeoplesClients:
    def test_the_example_of_the_documentation(self, server, tmp_path):
        simulations = idiom(server.url)
        sim = idiom(simulations["simulations"][0]["url"])
        snaps = idiom(sim["snapshots"])
        snap = idiom(snaps[-1]["url"])
        subs = idiom(snap["subhalos"], {"limit": 20, "order_by": "-mass_stars"})
        sub = idiom(subs["results"][0]["url"])
        assert sub["mass_stars"] > 0 and len(subs["results"]) == 20
        saved = idiom(sub["meta"]["url"] + "cutout.hdf5", {"stars": "Coordinates,Masses"}, tmp_path)
        assert os.path.basename(saved) == f"cutout_{sub['id']}.hdf5"
        with h5py.File(saved) as file:
            assert len(file["PartType4/Masses"]) == sub["len_stars"]
        parent = idiom(sub["related"]["parent_halo"])
        assert sub["id"] in [child["id"] for child in parent["child_subhalos"]["results"]]

    def test_martini_reads_its_gas(self, server, small_universe, tmp_path, monkeypatch):
        """`TNGSource` asks www.tng-project.org over a proxy, which is this server; nothing of it is changed."""
        u = pytest.importorskip("astropy.units")
        sources = pytest.importorskip("martini.sources")
        monkeypatch.delenv("NO_PROXY")
        monkeypatch.delenv("no_proxy", raising=False)
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, server.url.removesuffix("/api/"))
        planned = draw(40, 1, m_dm=mocktng.M_DM, m_baryon=mocktng.M_BARYON).subhalos
        quiet = (planned["kind"] == "central") & (planned["disturbed"] == "") & (planned["sfr"] > 1)
        subhalo_id = int(np.flatnonzero(quiet)[3])
        output = str(small_universe / "output")
        group = il.groupcat.loadSingle(output, 99, subhaloID=subhalo_id)["SubhaloGrNr"]
        requests_before = len(server.requests)
        source = sources.TNGSource(
            "TNG100-1", 99, subhalo_id, api_key=KEY, cutout_dir=str(tmp_path), distance=10 * u.Mpc, ra=0 * u.deg
        )
        assert len(server.requests) > requests_before and any(tmp_path.glob("*.hdf5"))
        assert source.npart == il.snapshot.loadHalo(output, 99, group, "gas", ["Masses"]).size
        assert source.mHI_g.to_value(u.Msun).sum() > 0.9 * planned["m_hi"][subhalo_id]


class TestFaults:
    @pytest.mark.parametrize("kind", FAULTS)
    def test_what_a_client_sees(self, output, kind):
        with TngServer(output, key=KEY, faults=FaultInjection(1, (kind,), delay=0.2)) as server:
            try:
                reply = requests.get(f"{server.url}{server.name}/", headers=HEADERS, timeout=20)
                seen = reply.status_code, reply.headers["content-type"]
            except requests.RequestException as error:
                seen = type(error).__name__, None
        assert (
            seen
            == {
                "error": (500, "text/html"),
                "gateway": (504, "text/html"),
                "busy": (429, "application/json"),
                "page": (200, "text/html; charset=utf-8"),
                "slow": (200, "application/json"),
                "cut": ("ChunkedEncodingError", None),
                "drop": ("ConnectionError", None),
                # This client sends its key on to the other host, which refuses it.
                "moved": (403, "text/html"),
                "closed": (403, "text/html"),
            }[kind]
            and server.faults.done == 1
        )

    def test_every_third(self):
        faults = FaultInjection(3, ("error", "cut"), only="cutout")
        assert [faults.of("cutout") for _ in range(7)] == [None, None, "error", None, None, "cut", None]
        assert faults.of("catalogue") is None

    def test_an_unknown_kind(self):
        with pytest.raises(ValueError, match="rudely"):
            FaultInjection(1, ("rudely",))

    def test_a_port_that_is_taken(self, server, output):
        with pytest.raises(MockError, match="cannot be opened"):
            TngServer(output, port=int(server.url.split(":")[2].split("/")[0]))

    def test_a_tree_without_a_name(self, small_universe, tmp_path):
        """As the runs of TNG, whose headers do not name them."""
        shutil.copytree(small_universe, tmp_path / "tree")
        for path in (tmp_path / "tree" / "output").rglob("*.hdf5"):
            with h5py.File(path, "r+") as file:
                for group in ("Header", "Parameters"):
                    del file[group].attrs["SimulationName"]
        with pytest.raises(MockError, match="name"):
            TngServer(tmp_path / "tree")
        assert TngServer(tmp_path / "tree", simulation="TNG100-1").name == "TNG100-1"


class TestCommand:
    """The command line, in a process of its own."""

    @staticmethod
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mocktng.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def test_serve_until_interrupted(self, small_universe):
        command = [
            sys.executable,
            "-m",
            "mocktng.cli",
            "serve",
            str(small_universe),
            "--port",
            "0",
            "--fail-every",
            "3",
        ]
        # A shell that runs the tests in its background has them ignore interruptions, and their children too.
        heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
        try:
            url, key = re.search(r"at (\S+) with the key (\w+)", process.stderr.readline()).groups()
            codes = [requests.get(url, headers={"api-key": key}, timeout=20).status_code for _ in range(3)]
            assert codes == [200, 200, 500]
            # The log follows the reply: wait for its last line before the interruption.
            log = "".join(process.stderr.readline() for _ in range(3))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 0 and "(error)" in log and key not in log + errors

    def test_plan_and_describe(self, small_universe, tmp_path):
        done = self.run("write", str(tmp_path / "new"), "--galaxies", "100", "--plan")
        assert done.returncode == 0 and "GB of disk" in done.stdout and not (tmp_path / "new").exists()
        done = self.run("describe", str(small_universe))
        assert done.returncode == 0 and "star particles" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (["describe", "/no/such/folder"], "/no/such/folder"),
            (["serve", "/no/such/folder"], "/no/such/folder"),
            (["write", "/no/such/folder", "--galaxies", "0"], "n_galaxies"),
            (["serve", "/no/such/folder", "--fail-as", "rudely"], "rudely"),
        ],
    )
    def test_errors_are_one_sentence(self, arguments, word):
        done = self.run(*arguments)
        assert done.returncode == 1 and word in done.stderr and done.stderr.count("\n") == 1
