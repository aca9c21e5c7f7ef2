"""The routes of the TNG web API over HTTP, on the loopback of this machine."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .files import MockError
from .layout import program_version
from .replies import Replies
from .served_tree import BadRequest, NoSuchObject, ServedTree

_ERROR_PAGE = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"

#: Where the data nodes of the faults ``moved`` and ``closed`` are.
_NODES = {"moved": "/node", "closed": "/closed-node"}

#: The form of a key.
_KEY = re.compile(r"\b[0-9a-fA-F]{32}\b")

#: Kinds of failure. ``error``: HTTP 500; ``busy``: 429 with Retry-After; ``gateway``: 504; ``cut``: the body ends
#: half-way; ``drop``: the connection ends without an answer; ``page``: an HTML page with status 200; ``slow``: a late
#: answer; ``moved``: a redirect to a data node, another host, that answers without a key and refuses one (403);
#: ``closed``: a redirect to a data node that refuses everybody.
FAULTS = ("error", "busy", "gateway", "cut", "drop", "page", "slow", "moved", "closed")

#: Faults that answer with a web page: its content type and status.
_PAGES = {"error": ("text/html", 500), "gateway": ("text/html", 504), "page": ("text/html; charset=utf-8", 200)}


@dataclass
class FaultInjection:
    """Let every n-th request fail.

    Parameters
    ----------
    every : int
        Every n-th request fails; 0 for none.
    kinds : tuple of str
        In turn, of `FAULTS`.
    delay : float
        Delay of a slow answer [s].
    retry_after : float
        Pause that a busy server asks for [s].
    only : str
        Only requests with this text in their path or query count.

    Raises
    ------
    ValueError
        For an unknown kind.
    """

    every: int = 0
    kinds: tuple[str, ...] = ("error",)
    delay: float = 1.0
    retry_after: float = 0.0
    only: str = ""
    done: int = field(default=0, init=False)
    _requests: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in FAULTS]
        if unknown:
            raise ValueError(f"there is no failure {unknown[0]!r}; there are {', '.join(FAULTS)}")

    def of(self, request: str) -> str | None:
        """Kind of failure of this request (path and query), or None."""
        if not self.every or self.only not in request:
            return None
        with self._lock:
            self._requests += 1
            if self._requests % self.every:
                return None
            kind = self.kinds[self.done % len(self.kinds)]
            self.done += 1
        return kind


@dataclass
class Reply:
    """Body, type, status and headers of an answer."""

    body: bytes
    content_type: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def _json(content: object, status: int = 200) -> Reply:
    # Clients compare this type as a string: no "; charset=utf-8".
    return Reply(json.dumps(content).encode(), "application/json", status)


def _attachment(body: bytes, name: str) -> Reply:
    return Reply(body, "application/octet-stream", headers={"content-disposition": f"attachment; filename={name}"})


class TngServer:
    """A server that answers as the TNG web API and serves a TNG tree on disk.

    Parameters
    ----------
    folder : path
        Folder of a universe of mocktng, or the ``output`` folder of any TNG tree.
    simulation : str, optional
        Name of a tree without a name of its own (those of TNG); for others a further name at which it answers, for
        programs that know only TNG's names. Replies give the tree's own name.
    snapshot : int
    key : str, optional
        API key that clients must send; by default a new one, `key`.
    host, port : str, int
        Where it listens; port 0 is any free one.
    faults : FaultInjection, optional
        Requests that fail.
    log : callable, optional
        Receives a line per request, without keys.

    Attributes
    ----------
    url, port : str, int
        Root of the API, and the port at which it is.
    requests : list of str
        Paths of all requests, in order.

    Raises
    ------
    MockError
        When the tree cannot be read or the port cannot be opened.

    Examples
    --------
    >>> with TngServer("universe") as server:
    ...     requests.get(server.url, headers={"api-key": server.key}).json()
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        simulation: str | None = None,
        snapshot: int = 99,
        key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: FaultInjection | None = None,
        log: Callable[[str], object] | None = None,
    ):
        self.tree = ServedTree(folder, snapshot)
        name = self.tree.own_name or simulation
        if name is None:
            raise MockError(f"{folder} has no name of its simulation: give one with --simulation.")
        self.name, self.names = name, tuple(dict.fromkeys(filter(None, (name, simulation))))
        self.replies = Replies(self.tree, name)
        self.key = key or secrets.token_hex(16)
        self.faults = faults or FaultInjection()
        self.requests: list[str] = []
        self.log = log or (lambda line: None)
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"tng": self})
        try:
            self._http = _Quiet((host, port), handler)
        except OSError as error:
            raise MockError(f"port {port} of {host} cannot be opened ({error.strerror}): choose another.") from error
        self.port = self._http.server_port
        self.url = f"http://{host}:{self.port}/api/"
        self._thread: threading.Thread | None = None

    def serve_forever(self) -> None:
        """Answer until the process ends."""
        self._http.serve_forever(0.05)

    def __enter__(self) -> TngServer:
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        if self._thread is not None:
            self._thread.join()

    # -- routes ---------------------------------------------------------------------------------------------------

    def answer(self, path: str, query: dict[str, str], base: str) -> Reply:
        """Reply to a path below ``/api/``, without faults and without a check of the key."""
        with self._lock:  # the readers are not thread-safe
            try:
                return self._route(path, query, base)
            except BadRequest as error:
                return _json({"detail": f"Invalid input: {error}"}, 400)
            except NoSuchObject as error:
                return _json({"detail": f"Not found: {error}"}, 404)

    def _route(self, path: str, query: dict[str, str], base: str) -> Reply:
        if not path:
            return _json(self.replies.simulations(base, self.names))
        name, _, rest = path.partition("/")
        if name not in self.names:
            raise NoSuchObject(f"no simulation {name}")
        pages = {"": self.replies.simulation, "files/": self.replies.files, "snapshots/": self.replies.snapshots}
        if rest in pages:
            return _json(pages[rest](base))
        if rest.startswith("files/"):
            return self._file(rest.removeprefix("files/").rstrip("/"), query, base)
        match = re.fullmatch(r"snapshots/(z=)?(\d+(?:\.\d*)?)/(.*)", rest)
        if match is None or not self._is_ours(match[1], match[2]):
            raise NoSuchObject(rest)
        return self._in_snapshot(match[3], query, base)

    def _is_ours(self, by_redshift: str | None, number: str) -> bool:
        if by_redshift:
            return abs(float(number) - float(self.tree.catalogue_header["Redshift"])) < 0.01
        return number == str(self.tree.snapshot)

    def _in_snapshot(self, rest: str, query: dict[str, str], base: str) -> Reply:
        if not rest:
            return _json(self.replies.snapshot(base))
        searches = {"subhalos/": self.replies.subhalos, "halos/": self.replies.halos}
        if rest in searches:
            return _json(searches[rest](query, base))
        match = re.fullmatch(r"(subhalos|halos)/(\d+)/(.*)", rest)
        if match is None:
            raise NoSuchObject(rest)
        kind, number, tail = match[1], int(match[2]), match[3]
        if not tail:
            return _json((self.replies.subhalo if kind == "subhalos" else self.replies.halo)(number, base))
        if tail == "info.json":
            return _json(self.replies.info(kind, number))
        if tail == "cutout.hdf5":
            # The name is the same for haloes and subhaloes: they collide in a client's folder.
            return _attachment(self.tree.cutout(kind[:-1], number, query), f"cutout_{number}.hdf5")
        if kind == "subhalos" and tail == "skirt/broadband_sdss.fits":
            return self._stored(self.tree.skirt_images / f"broadband_{number}.fits")
        raise NoSuchObject(rest)

    def _file(self, name: str, query: dict[str, str], base: str) -> Reply:
        number = self.tree.snapshot
        if name in (f"groupcat-{number}", f"snapshot-{number}") and not query:
            return _json(self.replies.chunks(name, base))
        if name == f"groupcat-{number}" and query:
            if len(query) != 1:
                raise BadRequest("one field at a time")
            kind, column = next(iter(query.items()))
            file = f"fof_subhalo_tab_{number:03d}.{kind}.{column}.hdf5"
            return _attachment(self.tree.column_file(kind, column), file)
        match = re.fullmatch(rf"(groupcat|snapshot)-{number}\.(\d+)\.hdf5", name)
        if match:
            chunk = self.tree.catalogue_chunk if match[1] == "groupcat" else self.tree.snapshot_chunk
            return self._stored(chunk(int(match[2])))
        if name not in self.tree.single_files:
            raise NoSuchObject(name)
        return self._stored(self.tree.single_files[name])

    @staticmethod
    def _stored(path: Path) -> Reply:
        """Send a file as it is on disk; clients may request a part of it."""
        if not path.is_file():
            raise NoSuchObject(path.name)
        stat = path.stat()
        mark = hashlib.sha256(f"{path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:16]
        reply = _attachment(path.read_bytes(), path.name)
        changed = formatdate(stat.st_mtime, usegmt=True)
        reply.headers |= {"ETag": f'"{mark}"', "Last-Modified": changed, "Accept-Ranges": "bytes"}
        return reply


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up; every other error is the server's own and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    tng: TngServer
    protocol_version = "HTTP/1.1"
    server_version = f"mocktng/{program_version()}"

    def log_message(self, *_: object) -> None:
        """Log nothing: the request line may hold a key."""

    def do_HEAD(self) -> None:
        """Answer one request without its body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer one request."""
        tng = self.tng
        # A client behind a proxy setting sends the whole address.
        parts = urlsplit(self.path)
        path = re.sub(r"/{2,}", "/", parts.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        host = self.headers.get("Host", "") or parts.netloc
        base = f"http://{host}/api/"
        # A key in the address is no way to send it, but some try.
        shown = _KEY.sub("***", (path + (f"?{parts.query}" if parts.query else "")).replace(tng.key, "***"))
        tng.requests.append(shown)
        node = next((kind for kind, place in _NODES.items() if path.startswith(f"{place}/")), None)
        fault = None if node else tng.faults.of(shown)
        if fault == "drop":
            tng.log(f"{shown}: connection dropped")
            self.close_connection = True
            return
        if fault == "slow":
            time.sleep(tng.faults.delay)
        if node:
            reply = self._of_a_node(node, path, query, base)
        else:
            reply = self._failure(fault) or self._reply(path, query, base)
        status = self._send(reply, cut=fault == "cut")
        tng.log(f"{shown}: {status}" + (f" ({fault})" if fault else ""))

    def _failure(self, fault: str | None) -> Reply | None:
        if fault in _PAGES:
            return Reply(_ERROR_PAGE, *_PAGES[fault])
        if fault in _NODES:
            # Another name of this machine: for a client, another host.
            where = f"http://localhost:{self.tng.port}{_NODES[fault]}{self.path}"
            return Reply(b"", "text/html", 302, {"Location": where})
        if fault == "busy":
            retry = {"Retry-After": f"{self.tng.faults.retry_after:.0f}"}
            return Reply(b'{"detail": "Request was throttled."}', "application/json", 429, retry)
        return None

    def _of_a_node(self, kind: str, path: str, query: dict[str, str], base: str) -> Reply:
        if kind == "closed" or "api-key" in self.headers:
            return Reply(_ERROR_PAGE, "text/html", 403)
        return self.tng.answer(path.removeprefix(_NODES[kind]).removeprefix("/api/"), query, base)

    def _reply(self, path: str, query: dict[str, str], base: str) -> Reply:
        if path != "/api" and not path.startswith("/api/"):
            return _json({"detail": "Not found."}, 404)
        if not secrets.compare_digest(self.headers.get("api-key", "").encode(), self.tng.key.encode()):
            return _json({"detail": "Authentication credentials were not provided, or are wrong."}, 403)
        last = path.rsplit("/", 1)[1]
        if last and not re.search(r"\.(json|hdf5|fits|tar|png)$", last) and "/files/" not in path:
            asked = urlsplit(self.path).query
            where = base.removesuffix("/api/") + path + "/" + (f"?{asked}" if asked else "")
            return Reply(b"", "text/html", 301, {"Location": where})
        return self.tng.answer(path.removeprefix("/api/"), query, base)

    def _send(self, reply: Reply, *, cut: bool) -> int:
        """Send a reply, or the part of it that was requested; returns the status."""
        body, status, headers = reply.body, reply.status, dict(reply.headers)
        part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if part and "Accept-Ranges" in headers:
            marks = {headers["ETag"], headers["Last-Modified"]}
            start = int(part[1])
            if start >= len(body):
                body, status = b"", 416
            elif self.headers.get("If-Range", headers["ETag"]) in marks:
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                body, status = body[start:], 206
        self.send_response(status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        if cut:
            body, self.close_connection = body[: len(body) // 2], True
            self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return status


def serve(folder: str | Path, *, port: int = 8099, log: Callable[[str], object] = print, **options: Any) -> None:
    """Serve a TNG tree as the TNG web API does, until the process is interrupted.

    Parameters
    ----------
    folder : path
        A universe of mocktng, or the ``output`` folder of any TNG tree.
    port : int
        0 is any free one.
    log : callable
        Receives the address, a key that was made here, and a line per request, without keys.
    **options
        The others of `TngServer`, which is the same as a context manager.

    Raises
    ------
    MockError
        When the tree cannot be read or the port cannot be opened.
    """
    server = TngServer(folder, port=port, log=log, **options)
    log(f"serving '{server.name}' at {server.url}" + ("" if options.get("key") else f" with the key {server.key}"))
    server.serve_forever()
