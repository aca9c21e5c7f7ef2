"""Fetching from servers that misbehave, on this machine's loopback; the network is never asked."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import requests

from dmlib.errors import FetchError
from dmlib.manifest import Entry, Manifest
from dmlib.manifest.download import Downloader, Gate, _Session
from dmlib.manifest.fetch import available, fetch

FITS = (b"SIMPLE  =                    T" + b" " * 50 + b"END").ljust(2880) + bytes(range(256)) * 1000
KEY = "0123456789abcdef" * 2

#: A download is kept in whole blocks of this size when it breaks off [bytes].
BLOCK = 1 << 16


class Server:
    """A server that answers as a list of rules says, and remembers what it was asked."""

    def __init__(self):
        self.requests: list[dict[str, str]] = []
        self.rules: list = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
                rule = outer.rules.pop(0) if len(outer.rules) > 1 else outer.rules[0]
                rule(self)
                self.close_connection = True

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def answer(body: bytes, status: int = 200, **headers: str):
    """Send a body. ``length`` announces another length than the body's; underscores in names become hyphens."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def rule(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", headers.pop("length", str(len(body))))
        # Announced, for a client that keeps the connection for its next request would find it closed or not by luck.
        handler.send_header("Connection", "close")
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return rule


def ranges(body: bytes, etag: str = '"v1"'):
    """Serve a file with ranges, as a well-kept server does; If-Range with another mark gives the whole file."""

    def rule(handler):
        asked = handler.headers.get("Range")
        if asked and handler.headers.get("If-Range", etag) == etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            range_header = f"bytes {start}-{len(body) - 1}/{len(body)}"
            answer(body[start:], 206, ETag=etag, Content_Range=range_header)(handler)
        else:
            answer(body, ETag=etag)(handler)

    return rule


def cut(body: bytes, at: int, etag: str = '"v1"'):
    """Announce all of the body and hang up after `at` bytes."""
    return answer(body[:at], length=str(len(body)), ETag=etag)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no mirror, no key, no user's configuration."""
    for name in ("DMLIB_MIRROR", "TNG_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("DMLIB_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DMLIB_QUIET", "1")
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """The pauses of a downloader [s], recorded instead of waited for."""
    waited: list[float] = []
    monkeypatch.setattr(Gate, "sleep", lambda self, seconds: waited.append(seconds))
    monkeypatch.setattr(Gate, "close_for", lambda self, seconds: None)
    return waited


@pytest.fixture
def patient():
    return Downloader(attempts=4, pause=1.0, connect_timeout=5, read_timeout=5)


def manifest_of(*urls: str, body: bytes | None = FITS, **changes) -> Manifest:
    """A manifest with one entry, "thing"; `body` gives its checksum, None stands for an unknown one."""
    fields = {
        "name": "thing",
        "title": "A thing",
        "description": "For tests.",
        "access": "open",
        "source": "https://example.org",
        "urls": urls,
        "verified": True,
        "evidence": "made up",
        "file": "things/thing.fits",
        "format": "fits",
        "sha256": None if body is None else hashlib.sha256(body).hexdigest(),
        "no_checksum": "unknown" if body is None else "",
        "licence": "CC0",
        "citation": ("Nobody2000",),
    }
    return Manifest(entries=(Entry(**(fields | changes)),))


def leftovers(cache) -> set[str]:
    """Files in the cache beside the locks."""
    return {path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_downloads_once(server, cache, patient, pauses):
    server.rules = [ranges(FITS)]
    manifest = manifest_of(f"{server.address}/a")
    path = fetch("thing", manifest=manifest, downloader=patient)
    assert path == cache / "things/thing.fits"
    assert path.read_bytes() == FITS
    assert fetch("thing", manifest=manifest, downloader=patient) == path
    assert len(server.requests) == 1 and pauses == []
    assert leftovers(cache) == {"thing.fits"}
    state = available("thing", manifest=manifest)
    assert (state.state, state.sha256) == ("cache", hashlib.sha256(FITS).hexdigest())


def test_continues_a_part(server, cache, patient, pauses):
    server.rules = [cut(FITS, 150_000), ranges(FITS)]
    path = fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)
    assert path.read_bytes() == FITS
    assert server.requests[1]["range"] == f"bytes={2 * BLOCK}-"
    assert server.requests[1]["if-range"] == '"v1"'
    assert pauses == [1.0]


def test_continues_in_another_call(server):
    """A killed download goes on where it stopped when the command is given again."""
    server.rules = [cut(FITS, 100_000)]
    manifest = manifest_of(f"{server.address}/a", body=None)
    once = Downloader(attempts=1)
    with pytest.raises(FetchError, match="1 try"):
        fetch("thing", manifest=manifest, downloader=once)
    server.rules = [ranges(FITS)]
    assert fetch("thing", manifest=manifest, downloader=once).read_bytes() == FITS
    assert server.requests[-1]["range"] == f"bytes={BLOCK}-"


def test_a_changed_file_is_not_mixed_with_its_part(server, patient):
    changed = FITS[:2880] + b"new" * 40_000
    server.rules = [cut(FITS, 100_000), ranges(changed, etag='"v2"')]
    path = fetch("thing", manifest=manifest_of(f"{server.address}/a", body=None), downloader=patient)
    assert path.read_bytes() == changed


def test_a_server_without_ranges_starts_again(server, patient):
    server.rules = [cut(FITS, 100_000), answer(FITS)]
    path = fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)
    assert path.read_bytes() == FITS


def test_a_part_without_mark_and_checksum_is_not_trusted(server, patient):
    """Without ETag, date and checksum nothing would tell that the rest belongs to the part."""
    server.rules = [answer(FITS[:100_000], length=str(len(FITS))), answer(FITS)]
    fetch("thing", manifest=manifest_of(f"{server.address}/a", body=None), downloader=patient)
    assert "range" not in server.requests[1]


def test_a_wrong_range_starts_again(server, patient):
    wrong = answer(FITS[10:], 206, ETag='"v1"', Content_Range=f"bytes 10-{len(FITS) - 1}/{len(FITS)}")
    server.rules = [cut(FITS, 100_000), wrong, ranges(FITS)]
    assert fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient).read_bytes() == FITS


def test_range_beyond_the_end_starts_again(server, patient):
    server.rules = [cut(FITS, 100_000), answer(b"", 416), ranges(FITS)]
    assert fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient).read_bytes() == FITS


def test_pauses_grow(server, patient, pauses):
    server.rules = [answer(b"", 500), answer(b"", 503), answer(b"", 502), ranges(FITS)]
    fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)
    assert pauses == [1.0, 2.0, 4.0]


def test_retry_after_is_obeyed(server, patient, pauses):
    server.rules = [answer(b"", 429, Retry_After="7"), ranges(FITS)]
    fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)
    assert pauses == [7.0]


def test_a_very_long_pause_is_left_to_the_user(server, patient, pauses):
    server.rules = [answer(b"", 429, Retry_After="3600")]
    with pytest.raises(FetchError, match="asks to wait 3600 s"):
        fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)
    assert pauses == []


def test_gives_up_with_one_sentence(server, cache, patient, pauses):
    server.rules = [answer(b"", 500)]
    with pytest.raises(FetchError, match=r"^thing: 127\.0\.0\.1:\d+ failed in 4 tries \(HTTP 500\)"):
        fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)
    assert len(pauses) == 3
    assert available("thing", manifest=manifest_of(f"{server.address}/a")).state == "absent"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (answer(b"<html><body>Please log in</body></html>", Content_Type="text/html; charset=utf-8"), "web page"),
        (answer(b"\n <!DOCTYPE html><title>Error</title>", Content_Type="application/octet-stream"), "web page"),
        (answer(b"PK\x03\x04 something else"), "FITS file"),
        (answer(b""), "empty"),
        (answer(FITS[:-1] + b"x"), "checksum"),
        (answer(b"", 404), "no such file"),
        (answer(b"", 403), "HTTP 403"),
    ],
    ids=["html", "html in disguise", "zip", "empty", "checksum", "404", "403"],
)
def test_what_is_not_the_file_gets_no_name(rule, says, server, cache, patient, pauses):
    server.rules = [rule]
    with pytest.raises(FetchError, match=says) as caught:
        fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)
    assert str(caught.value).startswith("thing: ")
    assert "\n" not in str(caught.value)
    assert leftovers(cache) <= {"thing.fits.part", "thing.fits.part.mark"}
    assert pauses == [], "an answer that will not change is not asked for again"


def test_the_second_source_helps(server, patient):
    server.rules = [answer(b"", 404), ranges(FITS)]
    path = fetch("thing", manifest=manifest_of(f"{server.address}/a", f"{server.address}/b"), downloader=patient)
    assert path.read_bytes() == FITS
    assert [request["path"] for request in server.requests] == ["/a", "/b"]


def test_all_sources_are_named(server, patient):
    server.rules = [answer(b"", 404), answer(b"<html>", 200)]
    with pytest.raises(FetchError, match=r"none of its 2 sources worked: .*no such file.*; .*web page"):
        fetch("thing", manifest=manifest_of(f"{server.address}/a", f"{server.address}/b"), downloader=patient)


def test_no_server(server, patient):
    server.server.shutdown()
    server.server.server_close()
    with pytest.raises(FetchError, match="refused"):
        fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)


def test_a_damaged_copy_is_fetched_again(server, cache, patient):
    (cache / "things").mkdir(parents=True)
    (cache / "things/thing.fits").write_bytes(FITS[:1000])
    manifest = manifest_of(f"{server.address}/a")
    assert available("thing", manifest=manifest).state == "damaged"
    server.rules = [ranges(FITS)]
    assert fetch("thing", manifest=manifest, downloader=patient).read_bytes() == FITS


def test_size_is_compared(server, patient):
    server.rules = [answer(FITS[:-10])]
    with pytest.raises(FetchError, match=f"has {len(FITS) - 10} bytes, not {len(FITS)}"):
        fetch("thing", manifest=manifest_of(f"{server.address}/a", size=len(FITS)), downloader=patient)


class TestHdf5:
    def test_cut_off_without_checksum(self, server, tmp_path, patient):
        """A server that sends a truncated file with the truncated length: only opening it tells."""
        import h5py
        import numpy as np

        whole = tmp_path / "whole.hdf5"
        with h5py.File(whole, "w") as file:
            file["x"] = np.arange(10_000)
        server.rules = [answer(whole.read_bytes()[:-5000])]
        manifest = manifest_of(f"{server.address}/a", body=None, format="hdf5", file="thing.hdf5")
        with pytest.raises(FetchError, match="cut off or damaged"):
            fetch("thing", manifest=manifest, downloader=patient)
        server.rules = [answer(whole.read_bytes())]
        assert fetch("thing", manifest=manifest, downloader=patient).read_bytes() == whole.read_bytes()


class TestZip:
    """Archives are unpacked into a folder that is verified as a whole."""

    MEMBERS: ClassVar = {"a_rotmod.dat": b"one", "b_rotmod.dat": b"two"}

    def archive(self, **extra: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, content in (self.MEMBERS | extra).items():
                archive.writestr(name, content)
        return out.getvalue()

    def manifest(self, url: str, archive: bytes, count: int = 2) -> Manifest:
        listing = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in sorted(self.MEMBERS.items()))
        tree = {
            "path": "sparc/Rotmod",
            "members": "*_rotmod.dat",
            "count": count,
            "sha256": hashlib.sha256(listing.encode()).hexdigest(),
        }
        return manifest_of(url, body=archive, format="zip", file="sparc/Rotmod.zip", tree=tree, mirror="Rotmod")

    def test_unpacks(self, server, cache, patient):
        archive = self.archive(**{"__MACOSX/._a_rotmod.dat": b"resource fork", "readme.txt": b"hello"})
        server.rules = [ranges(archive)]
        manifest = self.manifest(f"{server.address}/z", archive)
        folder = fetch("thing", manifest=manifest, downloader=patient)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == self.MEMBERS
        (folder / "a_rotmod.dat").write_bytes(b"changed")
        assert available("thing", manifest=manifest).state == "damaged"
        assert fetch("thing", manifest=manifest, downloader=patient) == folder
        assert (folder / "a_rotmod.dat").read_bytes() == b"one"
        assert len(server.requests) == 1, "the archive is still there and verified"

    def test_members_cannot_leave_the_folder(self, server, cache, patient):
        archive = self.archive(**{"../../evil_rotmod.dat": b"evil"})
        server.rules = [ranges(archive)]
        with pytest.raises(FetchError, match="3 of 2 files"):
            fetch("thing", manifest=self.manifest(f"{server.address}/z", archive), downloader=patient)
        assert not list(cache.parent.rglob("evil*"))
        assert not (cache / "sparc/Rotmod").exists()

    def test_mirror_in_place(self, server, cache, tmp_path, monkeypatch, patient):
        mirror = tmp_path / "mirror"
        (mirror / "Rotmod").mkdir(parents=True)
        for name, content in self.MEMBERS.items():
            (mirror / "Rotmod" / name).write_bytes(content)
        monkeypatch.setenv("DMLIB_MIRROR", str(mirror))
        manifest = self.manifest(f"{server.address}/z", self.archive())
        assert fetch("thing", manifest=manifest, downloader=patient) == mirror / "Rotmod"
        (mirror / "Rotmod" / "a_rotmod.dat").write_bytes(b"ONE")
        with pytest.raises(FetchError, match=r"checksum.*DMLIB_MIRROR"):
            fetch("thing", manifest=manifest, downloader=patient)
        assert server.requests == [] and not cache.exists()


class TestKey:
    """The TNG key goes to the TNG server only, and nowhere else: not into errors, not to another host."""

    def manifest(self, server) -> Manifest:
        return manifest_of(f"{server.address}/a", access="tng-key")

    def test_missing_key_names_the_mend(self, server, patient):
        with pytest.raises(FetchError, match=r"TNG_API_KEY.*config\.toml"):
            fetch("thing", manifest=self.manifest(server), downloader=patient)
        assert server.requests == []

    def test_from_the_environment(self, server, patient, monkeypatch, capfd):
        monkeypatch.setenv("TNG_API_KEY", KEY)
        server.rules = [ranges(FITS)]
        fetch("thing", manifest=self.manifest(server), downloader=patient)
        assert server.requests[0]["api-key"] == KEY
        assert KEY not in "".join(capfd.readouterr())

    def test_from_the_configuration(self, server, patient, tmp_path):
        (tmp_path / "config/dmlib").mkdir(parents=True)
        (tmp_path / "config/dmlib/config.toml").write_text(f'[tng]\napi_key = "{KEY}"\n')
        server.rules = [ranges(FITS)]
        fetch("thing", manifest=self.manifest(server), downloader=patient)
        assert server.requests[0]["api-key"] == KEY

    def test_a_broken_configuration_is_named(self, server, patient, tmp_path):
        (tmp_path / "config/dmlib").mkdir(parents=True)
        (tmp_path / "config/dmlib/config.toml").write_text("api_key = ")
        with pytest.raises(FetchError, match=r"config\.toml"):
            fetch("thing", manifest=self.manifest(server), downloader=patient)

    def test_refused(self, server, patient, monkeypatch):
        monkeypatch.setenv("TNG_API_KEY", KEY)
        server.rules = [answer(b"", 403)]
        with pytest.raises(FetchError, match="refused the TNG key") as caught:
            fetch("thing", manifest=self.manifest(server), downloader=patient)
        assert KEY not in repr(caught.value)

    def test_stays_when_a_redirect_leads_elsewhere(self, server, patient, monkeypatch):
        monkeypatch.setenv("TNG_API_KEY", KEY)
        elsewhere = Server()
        elsewhere.rules = [ranges(FITS)]
        server.rules = [answer(b"", 302, Location=f"{elsewhere.address}/b")]
        fetch("thing", manifest=self.manifest(server), downloader=patient)
        elsewhere.server.shutdown()
        elsewhere.server.server_close()
        assert "api-key" in server.requests[0]
        assert "api-key" not in elsewhere.requests[0]

    def test_goes_along_on_the_same_host(self, server, patient, monkeypatch):
        monkeypatch.setenv("TNG_API_KEY", KEY)
        server.rules = [answer(b"", 302, Location="/b"), ranges(FITS)]
        fetch("thing", manifest=self.manifest(server), downloader=patient)
        assert server.requests[1]["path"] == "/b" and server.requests[1]["api-key"] == KEY

    @pytest.mark.parametrize(
        ("before", "after", "goes"),
        [
            ("https://www.tng-project.org/api/", "https://www.tng-project.org/data/", True),
            ("http://www.tng-project.org/api/", "https://www.tng-project.org/api/", True),
            ("https://www.tng-project.org/api/", "http://www.tng-project.org/api/", False),
            # A neighbour on the same site is another host.
            ("https://www.tng-project.org/api/", "https://data.tng-project.org/api/", False),
            ("https://www.tng-project.org/api/", "https://tng-project.org/api/", False),
            ("https://www.tng-project.org/api/", "https://www.tng-project.org:8443/api/", False),
        ],
    )
    def test_of_redirects_between_hosts(self, before, after, goes):
        response = requests.Response()
        response.request = requests.Request("GET", before).prepare()
        onward = requests.Request("GET", after, headers={"api-key": KEY}).prepare()
        _Session().rebuild_auth(onward, response)
        assert ("api-key" in onward.headers) == goes

    def test_open_data_get_no_key(self, server, patient, monkeypatch):
        monkeypatch.setenv("TNG_API_KEY", KEY)
        server.rules = [ranges(FITS)]
        fetch("thing", manifest=manifest_of(f"{server.address}/a"), downloader=patient)
        assert "api-key" not in server.requests[0]


def test_two_at_once_download_once(server, patient):
    manifest = manifest_of(f"{server.address}/a")
    server.rules = [ranges(FITS)]
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch("thing", manifest=manifest, downloader=patient)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1 and len(paths) == 4
    assert len(server.requests) == 1
