"""HTTP downloads: resume, retries with growing pauses, checks of what arrives, and the TNG key.

One loop does all retries. urllib3's ``Retry`` alone does not suffice: it cannot resume a truncated
body, recognise a web page sent instead of the data, or make all connections respect a pause requested from one.
"""

from __future__ import annotations

import ipaddress
import os
import random
import re
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from tqdm.auto import tqdm
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from .. import __version__
from ..errors import FetchError
from ..workers import bar

T = TypeVar("T")

REGISTER = "https://www.tng-project.org/users/register/"

#: Root of the TNG web API; ``DMLIB_TNG_URL`` names another server with the same API.
TNG_URL = "https://www.tng-project.org/api/"

#: HTTP statuses after which another try may succeed: too many requests, and a server in trouble.
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

#: dmlib gives up on a server that requests a longer pause than this [s].
LONGEST_PAUSE = 120.0


class Missing(FetchError):
    """The server has no such file (404, 410), or does not understand the request (400)."""


class Exhausted(FetchError):
    """All tries failed, for reasons that may pass: a later run may succeed."""


class Transient(Exception):
    """A failure that may pass.

    Parameters
    ----------
    reason : str
    wait : float, optional
        Pause that the server requested [s].
    """

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


class Stopped(Exception):
    """Another connection failed for good, or the user interrupted the download."""


class Gate:
    """State shared by all connections to one server: a pause that the server requested, and a request to stop.

    Parameters
    ----------
    progress : tqdm, optional
        Bar that counts the bytes of all files; without it each file has its own.
    """

    def __init__(self, progress: tqdm | None = None) -> None:
        self.progress = progress
        self._closed_until = 0.0
        self.stop = threading.Event()

    def close_for(self, seconds: float) -> None:
        """Allow no request for so long [s]."""
        self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def check(self) -> None:
        """Raise `Stopped` when all connections are to stop."""
        if self.stop.is_set():
            raise Stopped

    def pass_through(self) -> None:
        """Wait until requests are allowed again; raises `Stopped`."""
        self.check()
        while (left := self._closed_until - time.monotonic()) > 0:
            self.sleep(left + random.uniform(0.0, 0.2))  # not all at the same instant

    def sleep(self, seconds: float) -> None:
        """Sleep [s]; raises `Stopped` at once when all connections are to stop."""
        if self.stop.wait(seconds):
            raise Stopped


@dataclass(frozen=True)
class Downloader:
    """Downloads with retries.

    Parameters
    ----------
    attempts : int
        Tries per URL; what has arrived of a file is kept from one to the next.
    pause : float
        First pause between tries [s]; it doubles each time, up to a minute. ``Retry-After`` takes precedence.
    connect_timeout, read_timeout : float
        Longest wait for a connection, and between two pieces of the answer [s].
    jitter : float
        Pauses are lengthened at random by up to this fraction, so that connections do not retry in step.
    retry_content : bool
        Whether wrong content, such as a web page instead of a file, counts as a server error: the request is
        then repeated.
    """

    attempts: int = 5
    pause: float = 1.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    jitter: float = 0.0
    retry_content: bool = False

    def get(
        self,
        url: str,
        target: Path,
        *,
        label: str,
        with_key: bool = False,
        checksummed: bool = False,
        check: Callable[[Path], object] | None = None,
        gate: Gate | None = None,
    ) -> None:
        """Download a URL to `target`, resuming an earlier try.

        Parameters
        ----------
        url : str
        target : Path
            The file gets this name once it is complete and checked. The partial file beside it stays when the download
            fails, and the next call continues it.
        label : str
            Name of the entry, for errors and the progress bar.
        with_key : bool
            Send the TNG key.
        checksummed : bool
            Whether the caller compares a checksum: then a part is continued even where the server sent no mark
            (ETag, Last-Modified) by which to see that its file is unchanged.
        check : callable, optional
            Raises `Transient` or FetchError when the content of the file is wrong.
        gate : Gate, optional
            Shared with other connections.

        Raises
        ------
        Missing, Exhausted, FetchError
            When there is no such file; when all tries failed; when another try would not help.
        """
        gate = gate or Gate()
        part = target.with_name(target.name + ".part")

        def attempt() -> None:
            self._download(url, part, label, with_key, checksummed, gate)
            try:
                if check is not None:
                    check(part)
            except (Transient, FetchError) as error:
                part.unlink(missing_ok=True)
                if isinstance(error, FetchError) and not self.retry_content:
                    raise
                raise Transient(str(error)) from error
            os.replace(part, target)

        self._retry(attempt, urlsplit(url).netloc, label, gate)

    def json(self, url: str, *, label: str, with_key: bool = False) -> Any:
        """Return the JSON reply of a URL; raises as `get`."""

        def attempt() -> Any:
            with self._reply(url, label, with_key, {"Accept": "application/json"}) as reply:
                found = reply.json()
                if not isinstance(found, dict):
                    raise Transient("its answer is not the object that the web API describes")
                return found

        return self._retry(attempt, urlsplit(url).netloc, label, Gate())

    def _retry(self, attempt: Callable[[], T], host: str, label: str, gate: Gate) -> T:
        reason, wait = "", 0.0
        for number in range(self.attempts):
            if number:
                gate.sleep(wait)
            gate.pass_through()
            try:
                return attempt()
            except Transient as error:
                reason = str(error)
                wait = min(self.pause * 2**number, 60.0) * (1.0 + self.jitter * random.random())
                if (asked := error.wait) is not None:
                    if asked > LONGEST_PAUSE:
                        raise Exhausted(f"{label}: {host} asks to wait {asked:.0f} s; try again after that.") from error
                    gate.close_for(wait := asked)
        tries = "1 try" if self.attempts == 1 else f"{self.attempts} tries"
        raise Exhausted(f"{label}: {host} failed in {tries} ({reason}); check the network and try again.")

    @contextmanager
    def _reply(self, url: str, label: str, with_key: bool, headers: dict[str, str]) -> Iterator[requests.Response]:
        """Reply to a request; failures, also of reading it, become `Transient` or `FetchError`."""
        # Without "identity" a server may compress the body: then lengths and ranges would not be the file's.
        headers = {"Accept-Encoding": "identity", "User-Agent": f"dmlib/{__version__}"} | headers
        if with_key:
            headers["api-key"] = tng_key(label)
        try:
            with _Session() as session:
                # A proxy of the environment leads out of this machine.
                session.trust_env = not is_loopback(urlsplit(url).hostname or "")
                timeout = (self.connect_timeout, self.read_timeout)
                with session.get(url, headers=headers, stream=True, timeout=timeout) as reply:
                    self._check_reply(reply, label, with_key)
                    yield reply
        except requests.exceptions.JSONDecodeError as error:
            raise Transient("its answer is not JSON") from error
        except requests.RequestException as error:
            reason, passing = _reason(error)
            node = urlsplit(str(getattr(error.request, "url", None) or url)).netloc
            if node != urlsplit(url).netloc:
                # The server has answered; it may name another node the next time.
                raise Transient(f"{node}, to which it redirected: {reason}") from error
            if passing:
                raise Transient(reason) from error
            raise FetchError(f"{label}: {urlsplit(url).netloc} cannot be reached ({reason}).") from error

    def _check_reply(self, reply: requests.Response, label: str, with_key: bool) -> None:
        host, status, page = urlsplit(reply.url).netloc, reply.status_code, "a login, an error or a proxy page"
        is_page = reply.headers.get("Content-Type", "").startswith("text/html")
        asked = urlsplit((reply.history[0] if reply.history else reply).url).netloc
        if host != asked and status >= 400:
            # A data node, perhaps with a redirect that has expired: the server that was asked may name another. It did
            # not get the key, so its refusal says nothing about the key.
            raise Transient(f"{host}, to which it redirected, answered HTTP {status}")
        if status in TRANSIENT:
            try:  # a number of seconds, or a date
                wait = Retry().parse_retry_after(reply.headers.get("Retry-After", ""))
            except InvalidHeader:
                wait = None
            raise Transient(f"HTTP {status}", wait)
        if status in (400, 404, 410):
            why = "does not understand the request" if status == 400 else "has no such file"
            raise Missing(f"{label}: {host} {why} (HTTP {status}); see its source page in data_manifest.yaml.")
        if status in (401, 403) and with_key and is_page:
            said = f"{label}: {host} refused the request with a web page (HTTP {status})"
            raise FetchError(f"{said}: a proxy or a firewall on the way, or else TNG_API_KEY is wrong.")
        if status in (401, 403) and with_key:
            raise FetchError(f"{label}: {host} refused the TNG key (HTTP {status}); check TNG_API_KEY.")
        if status not in (200, 206, 416):
            raise FetchError(f"{label}: {host} answered HTTP {status} {reply.reason or ''}".rstrip() + ".")
        if is_page:
            if self.retry_content:
                raise Transient(f"it sent a web page instead of the data: {page}")
            raise FetchError(f"{label}: {host} sent a web page and not a file ({page}): see it in a browser.")

    def _download(self, url: str, part: Path, label: str, with_key: bool, checksummed: bool, gate: Gate) -> None:
        """Append what is missing to the part, and check that it is complete."""
        mark_path = part.with_name(part.name + ".mark")
        mark = mark_path.read_text() if mark_path.is_file() else ""
        if not (mark or checksummed):
            part.unlink(missing_ok=True)
        have = part.stat().st_size if part.is_file() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and mark:
            headers["If-Range"] = mark
        with self._reply(url, label, with_key, headers) as reply:
            resumes = reply.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if reply.status_code == 416 or (reply.status_code == 206 and not resumes):
                part.unlink(missing_ok=True)
                raise Transient("it sent another piece of the file than was requested")
            if reply.status_code == 200:
                have = 0
            etag = reply.headers.get("ETag", "")
            mark = etag if etag and not etag.startswith("W/") else reply.headers.get("Last-Modified", "")
            mark_path.write_text(mark)
            length = reply.headers.get("Content-Length")
            total = have + int(length) if length is not None else None
            shown = nullcontext(gate.progress) if gate.progress is not None else bar(total=total, label=label, unit="B")
            with open(part, "ab" if have else "wb") as handle, shown as progress:
                for piece in reply.iter_content(chunk_size=1 << 16):
                    gate.check()
                    handle.write(piece)
                    progress.update(len(piece))
            if total is not None and (size := part.stat().st_size) != total:
                raise Transient(f"the file arrived cut off, {size} of {total} bytes")
        mark_path.unlink(missing_ok=True)


class _Session(requests.Session):
    """A session that sends the TNG key to no other host, and what a user's ``.netrc`` says to none.

    requests would send ``api-key`` anywhere, and from an encrypted connection to an open one. Proxies and certificates
    are those of the environment.
    """

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request  # with any authentication, even none, requests reads no .netrc

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        # Not that of requests, which looks into .netrc for the new host.
        if self.should_strip_auth(str(response.request.url), str(prepared_request.url)):
            for name in ("api-key", "Authorization"):
                prepared_request.headers.pop(name, None)


#: Failed requests: type, a pattern in the message, what a user reads, and whether the failure may pass by itself.
_REASONS: tuple[tuple[type[Exception], str, str, bool], ...] = (
    (requests.exceptions.InvalidSchema, "SOCKS", "a SOCKS proxy needs the package PySocks: pip install pysocks", False),
    (requests.exceptions.InvalidProxyURL, "", "HTTPS_PROXY or ALL_PROXY is not the address of a proxy", False),
    (requests.exceptions.ProxyError, "", "the proxy does not let the request through", False),
    (requests.exceptions.SSLError, "", "its certificate cannot be verified", False),
    (requests.exceptions.ChunkedEncodingError, "", "the file arrived cut off", True),
    (requests.Timeout, "", "no answer in time", True),
    (requests.RequestException, "resolve|getaddrinfo|unreachable", "no network?", False),
    (requests.ConnectionError, "refused", "the connection was refused", True),
    (requests.ConnectionError, "", "the connection broke", True),
)


def _reason(error: requests.RequestException) -> tuple[str, bool]:
    """A short reason for a failed request, and whether it may pass by itself within a minute.

    The messages of requests contain addresses of objects and whole URLs; a user needs neither.
    """
    for kind, pattern, reason, passing in _REASONS:
        if isinstance(error, kind) and re.search(pattern, str(error)):
            return reason, passing
    return type(error).__name__, False


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine's own loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tng_url() -> str:
    """Root of the TNG web API, with a slash at its end: ``DMLIB_TNG_URL``, else `TNG_URL`.

    Raises
    ------
    FetchError
        When the variable is not an address, or one to which the key would travel unencrypted.
    """
    url = os.environ.get("DMLIB_TNG_URL", "").strip() or TNG_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise FetchError("DMLIB_TNG_URL is not an address such as http://127.0.0.1:8099/api/: correct it or unset it.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        where = f"leads to {parts.hostname} without encryption, where your TNG key could be read"
        raise FetchError(f"DMLIB_TNG_URL {where}: use https, or unset it.")
    return url.rstrip("/") + "/"


def _config_key() -> str:
    """The user's own setting, outside every repository: ``[tng] api_key``; raises tomllib.TOMLDecodeError."""
    path = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dmlib" / "config.toml"
    tng = tomllib.loads(path.read_text(encoding="utf-8")).get("tng") if path.is_file() else None
    return str(tng.get("api_key", "")).strip() if isinstance(tng, dict) else ""


def known_keys() -> list[str]:
    """All TNG keys of this user, which must not appear in anything that is written."""
    keys = [os.environ.get("TNG_API_KEY", "").strip()]
    with suppress(tomllib.TOMLDecodeError):
        keys.append(_config_key())
    return [key for key in keys if key]


def tng_key(label: str) -> str:
    """The user's TNG key, from ``TNG_API_KEY`` or ``~/.config/dmlib/config.toml``.

    It is read when a request is made, put into that request's header, and stored nowhere.

    Raises
    ------
    FetchError
        When there is none; names the entry that needs it, `label`.
    """
    try:
        key = os.environ.get("TNG_API_KEY", "").strip() or _config_key()
    except tomllib.TOMLDecodeError as error:
        # Not the parser's message, which quotes the line.
        raise FetchError(f"{label}: dmlib/config.toml in your configuration folder is not TOML.") from error
    if not key:
        where = 'set TNG_API_KEY, or write api_key = "..." under [tng] in ~/.config/dmlib/config.toml'
        raise FetchError(f"{label} needs the key of a TNG account (free, {REGISTER}): {where}.")
    return key
