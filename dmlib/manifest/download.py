"""Getting one file over HTTP: resume, retry with growing pauses, and the TNG key.

Handed to pooch as its downloader: pooch looks after the temporary name, the checksum and the final move.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from .. import __version__
from ..errors import FetchError
from ..progress import bar
from .tng import is_loopback, tng_key

T = TypeVar("T")

#: Replies after which another try may succeed: too many requests, and a server in trouble.
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

#: A server that asks for a longer pause than this is left alone [s].
LONGEST_PAUSE = 120.0


class Missing(FetchError):
    """The server says that there is no such thing (404, 410) or that the request makes no sense to it (400)."""


class Exhausted(FetchError):
    """All tries failed, for reasons that may pass: another day it may work."""


def _site(url: str) -> str:
    """The part of a host name that one owner has: ``data.tng-project.org`` -> ``tng-project.org``."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "localhost" or host.replace(".", "").isdigit():
        return parts.netloc
    return ".".join(host.split(".")[-2:])


class _Session(requests.Session):
    """A session that takes the TNG key along to other hosts of the same site only.

    requests drops ``Authorization`` when a redirect leads to another host; it would carry ``api-key`` anywhere, and
    from an encrypted connection to an open one.
    """

    def rebuild_auth(self, prepared_request, response):
        super().rebuild_auth(prepared_request, response)
        before, after = response.request.url, prepared_request.url
        if _site(after) != _site(before) or (before.startswith("https:") and not after.startswith("https:")):
            prepared_request.headers.pop("api-key", None)


def _session(url: str) -> _Session:
    session = _Session()
    # A proxy of the environment leads out of this machine.
    session.trust_env = not is_loopback(urlsplit(url).hostname or "")
    return session


class Transient(Exception):
    """A failure that may pass; `wait` is the pause that the server asked for [s]."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


def _retry_after(response: requests.Response) -> float | None:
    """Pause asked for by ``Retry-After``, which is a number of seconds or a date [s]."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def _nothing(*_: object) -> None:
    """What is called where nobody wants to be told."""


@dataclass(frozen=True)
class Downloader:
    """How patiently files are downloaded.

    Parameters
    ----------
    attempts : int
        Tries a URL gets; what has come of the file is kept from one to the next.
    pause : float
        First pause between tries [s]; it doubles each time, up to a minute. ``Retry-After`` is obeyed instead.
    connect_timeout, read_timeout : float
        Longest wait for a connection, and between two pieces of the answer [s].
    sleep : callable
        What waits; tests put a recorder here.
    jitter : float
        Pauses are lengthened at random by up to this share, so that many connections do not come back in step.
    pages_pass : bool
        Whether a web page in the place of a file is taken for a server in trouble, and asked again.
    before : callable
        Called before each try: it may wait, or raise to give up.
    told_to_wait : callable
        Called with the seconds when the server asks for a pause.
    received : callable or None
        Called with the number of bytes that came (negative where they are to come again), in place of a bar; what it
        raises ends the download.
    """

    attempts: int = 5
    pause: float = 1.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    jitter: float = 0.0
    pages_pass: bool = False
    before: Callable[[], object] = _nothing
    told_to_wait: Callable[[float], object] = _nothing
    received: Callable[[int], object] | None = None

    def get(self, url: str, part: Path, *, label: str, with_key: bool = False, checksummed: bool = False) -> None:
        """Download a URL to `part`, going on where an earlier try stopped.

        Parameters
        ----------
        url : str
        part : Path
            The partial file. It stays when the download fails, and the next call continues it.
        label : str
            Name of the entry, for errors and the progress bar.
        with_key : bool
            Send the TNG key.
        checksummed : bool
            Whether a checksum is compared afterwards: then a part is continued even where the server gives no mark
            (ETag, Last-Modified) by which to see that its file is still the same.

        Raises
        ------
        FetchError
            When it fails for good, or `attempts` are used up.
        """
        self.patiently(lambda: self._try(url, part, label, with_key, checksummed), urlsplit(url).netloc, label)

    def attempt(self, url: str, part: Path, *, label: str, with_key: bool = False) -> None:
        """One try of `get`, which raises `Transient` for what may pass; for callers with checks of their own."""
        self._try(url, part, label, with_key, checksummed=False)

    def json(self, url: str, *, label: str, with_key: bool = False) -> Any:
        """The JSON that a URL gives, with the same patience.

        Raises
        ------
        FetchError
            As `get`; also when the answer is no JSON.
        """
        return self.patiently(lambda: self._try_json(url, label, with_key), urlsplit(url).netloc, label)

    def patiently(self, action: Callable[[], T], host: str, label: str) -> T:
        """What `action` gives, tried again while it fails for reasons that may pass.

        Raises
        ------
        Exhausted
            When `attempts` are used up.
        """
        for attempt in range(self.attempts):
            self.before()
            try:
                return action()
            except Transient as error:
                reason = str(error)
                if error.wait is None:
                    wait = min(self.pause * 2**attempt, 60.0) * (1.0 + self.jitter * random.random())
                else:
                    wait = error.wait
                    if wait > LONGEST_PAUSE:
                        raise Exhausted(f"{label}: {host} asks to wait {wait:.0f} s; try again after that.") from error
                    self.told_to_wait(wait)
                if attempt + 1 < self.attempts:
                    self.sleep(wait)
        tries = "1 try" if self.attempts == 1 else f"{self.attempts} tries"
        raise Exhausted(f"{label}: {host} failed in {tries} ({reason}); check the network and try again.")

    def _try_json(self, url: str, label: str, with_key: bool) -> Any:
        headers = self._headers(label, with_key) | {"Accept": "application/json"}
        try:
            with _session(url) as session:
                reply = session.get(url, headers=headers, timeout=(self.connect_timeout, self.read_timeout))
                self._check(reply, label, with_key)
                return reply.json()
        except requests.exceptions.JSONDecodeError as error:
            raise Transient("its answer is no JSON") from error
        except requests.RequestException as error:
            raise self._failure(error, url, label) from error

    @staticmethod
    def _headers(label: str, with_key: bool) -> dict[str, str]:
        # Without "identity" a server may compress on the way: then lengths and ranges would not be the file's.
        headers = {"Accept-Encoding": "identity", "User-Agent": f"dmlib/{__version__} (pooch)"}
        return headers | ({"api-key": tng_key(label)} if with_key else {})

    @staticmethod
    def _failure(error: requests.RequestException, url: str, label: str) -> Exception:
        reason, passing = _plain(error)
        if passing:
            return Transient(reason)
        return FetchError(f"{label}: {urlsplit(url).netloc} cannot be reached ({reason}).")

    def _try(self, url: str, part: Path, label: str, with_key: bool, checksummed: bool) -> None:
        mark_path = part.with_name(part.name + ".mark")
        mark = mark_path.read_text() if mark_path.is_file() else ""
        if part.is_file() and not (mark or checksummed):
            part.unlink()
        have = part.stat().st_size if part.is_file() else 0
        headers = self._headers(label, with_key)
        if have:
            headers["Range"] = f"bytes={have}-"
            headers |= {"If-Range": mark} if mark else {}
        try:
            with (
                _session(url) as session,
                session.get(
                    url, headers=headers, stream=True, timeout=(self.connect_timeout, self.read_timeout)
                ) as reply,
            ):
                if reply.status_code == 416:
                    part.unlink(missing_ok=True)
                    raise Transient("it has no more of the file than is here already")
                self._check(reply, label, with_key)
                if reply.status_code == 206 and not reply.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                    part.unlink(missing_ok=True)
                    raise Transient("it sent another piece of the file than was asked for")
                if reply.status_code != 206:
                    have = 0
                self._save(reply, part, mark_path, have, label)
        except requests.RequestException as error:
            raise self._failure(error, url, label) from error
        mark_path.unlink(missing_ok=True)

    def _check(self, reply: requests.Response, label: str, with_key: bool) -> None:
        """Turn a reply that is not what was asked for into an error."""
        host, status = urlsplit(reply.url).netloc, reply.status_code
        if status in TRANSIENT:
            raise Transient(f"HTTP {status}", _retry_after(reply))
        if status in (401, 403) and with_key:
            raise FetchError(f"{label}: {host} refused the TNG key (HTTP {status}); check TNG_API_KEY.")
        if status in (404, 410):
            raise Missing(
                f"{label}: {host} has no such file (HTTP {status}); see its source page in data_manifest.yaml."
            )
        if status == 400:
            raise Missing(f"{label}: {host} does not understand the request (HTTP 400).")
        if status not in (200, 206):
            raise FetchError(f"{label}: {host} answered HTTP {status} {reply.reason or ''}".rstrip() + ".")
        if reply.headers.get("Content-Type", "").startswith("text/html"):
            if self.pages_pass:
                raise Transient("it sent a web page in place of the data: a login, an error or a proxy page")
            raise FetchError(
                f"{label}: {host} sent a web page where a file was expected (a login, an error or a proxy page); "
                "open its address in a browser."
            )

    def _save(self, reply: requests.Response, part: Path, mark_path: Path, have: int, label: str) -> None:
        """Append the body to the part, and see that it is whole."""
        etag = reply.headers.get("ETag", "")
        mark = etag if etag and not etag.startswith("W/") else reply.headers.get("Last-Modified", "")
        mark_path.write_text(mark)
        length = reply.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        came = 0
        try:
            with open(part, "ab" if have else "wb") as handle, self._told(total, label) as tell:
                tell(have if self.received is None else 0)
                for piece in reply.iter_content(chunk_size=1 << 16):
                    handle.write(piece)
                    came += len(piece)
                    tell(len(piece))
            if total is not None and (got := part.stat().st_size) != total:
                raise Transient(f"the file came cut off, {got} of {total} bytes")
        except BaseException:
            if self.received is not None and not mark:
                self.received(-came)  # without a mark the next try begins afresh
            raise

    @contextmanager
    def _told(self, total: int | None, label: str) -> Iterator[Callable[[int], object]]:
        """What is told of the bytes that come: a bar of this file's own, or whoever counts for many files."""
        if self.received is not None:
            yield self.received
            return
        with bar(total=total, label=label, unit="B") as progress:
            progress.unit_scale = True
            yield progress.update


def _plain(error: requests.RequestException) -> tuple[str, bool]:
    """A short reason for a failed request, and whether it may pass by itself within a minute.

    The messages of requests hold addresses of objects and whole URLs; a user needs neither.
    """
    text = str(error)
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let the request through", False
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be verified", False
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the file came cut off", True
    if isinstance(error, requests.Timeout):
        return "no answer in time", True
    if "resolve" in text or "getaddrinfo" in text or "unreachable" in text:
        return "no network?", False
    if isinstance(error, requests.ConnectionError):
        return ("the connection was refused" if "refused" in text else "the connection broke"), True
    return type(error).__name__, False
