"""The TNG web API's address, and the key of a TNG account: where it may lie, and where it may go."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import FetchError

REGISTER = "https://www.tng-project.org/users/register/"

#: Root of the TNG web API; ``DMLIB_TNG_URL`` names another server that speaks it.
TNG_URL = "https://www.tng-project.org/api/"


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine talking to itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tng_url() -> str:
    """Root of the TNG web API, with a slash at its end: `TNG_URL`, else what ``DMLIB_TNG_URL`` says.

    Raises
    ------
    FetchError
        When the variable is no address, or one to which the key would travel unencrypted.
    """
    url = os.environ.get("DMLIB_TNG_URL", "").strip() or TNG_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise FetchError("DMLIB_TNG_URL is no address such as http://127.0.0.1:8099/api/: correct it or unset it.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise FetchError(
            f"DMLIB_TNG_URL leads to {parts.hostname} without encryption, where your TNG key could be read on the way: "
            "use https, or unset it."
        )
    return url.rstrip("/") + "/"


def config_path() -> Path:
    """The user's own settings, outside every repository: ``$XDG_CONFIG_HOME/dmlib/config.toml``."""
    root = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(root) / "dmlib" / "config.toml"


def known_keys(strict: bool = False) -> list[str]:
    """The keys that this user has, for the one use of them and to keep them out of what is written.

    Parameters
    ----------
    strict : bool
        Whether a configuration file that is no TOML is an error (tomllib.TOMLDecodeError) or as good as none.
    """
    keys = [os.environ.get("TNG_API_KEY", "").strip()]
    path = config_path()
    if path.is_file():
        try:
            tng = tomllib.loads(path.read_text(encoding="utf-8")).get("tng", {})
        except tomllib.TOMLDecodeError:
            if strict:
                raise
            tng = {}
        keys.append(str(tng.get("api_key", "")).strip() if isinstance(tng, dict) else "")
    return [key for key in keys if key]


def tng_key(label: str) -> str:
    """The key of a TNG account, from ``TNG_API_KEY`` or from ``[tng] api_key`` in `config_path`.

    It is read when a request is made, put into that request's header, and kept nowhere.

    Parameters
    ----------
    label : str
        Name of the entry that needs it, for the error.

    Raises
    ------
    FetchError
        When there is none; says where to get one and where to put it.
    """
    try:
        key = next(iter(known_keys(strict=True)), "")
    except tomllib.TOMLDecodeError as error:
        # Not the parser's message, which quotes the line.
        raise FetchError(f"{label}: dmlib/config.toml in your configuration folder is not TOML.") from error
    if not key:
        raise FetchError(
            f"{label} needs the key of a TNG account (free, {REGISTER}): set TNG_API_KEY, or write "
            'api_key = "..." under [tng] in ~/.config/dmlib/config.toml.'
        )
    return key
