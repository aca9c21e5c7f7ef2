"""The server of mocktng under dmlib: the HI that MARTINI finds, and ``dmlib serve-tng``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import requests

from dmlib.observe.cube import HISettings
from dmlib.observe.hydrogen import load_hi
from dmlib.universe import FilesUniverse
from mocktng import TngServer
from tng_server import KEY


@pytest.fixture(scope="module")
def output(smoke_universe):
    return str(smoke_universe.universe_dir / "output")


def test_martini_finds_our_hi_mass(output, tmp_path, monkeypatch):
    """`TNGSource` asks www.tng-project.org over a proxy, which is this server; nothing of it is changed."""
    from astropy import units as u
    from martini.sources import TNGSource

    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    universe = FilesUniverse(output, simulation="embedded")
    star_forming = universe.subhalos(["SubhaloSFR"])["SubhaloSFR"].value
    subhalo_id = int(np.argsort(star_forming)[-3])
    with TngServer(output, key=KEY, simulation="TNG100-1") as server:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, server.url.removesuffix("/api/"))
        source = TNGSource(
            "TNG100-1", 99, subhalo_id, api_key=KEY, cutout_dir=str(tmp_path), distance=10 * u.Mpc, ra=0 * u.deg
        )
    ours = load_hi(universe, subhalo_id, HISettings(scope="group", negligible=0.0))
    theirs = source.mHI_g.to_value(u.Msun).sum()
    assert theirs == pytest.approx(ours.m_hi.sum(), rel=1e-5) and theirs > 1e7


def test_it_serves_until_interrupted_and_tells_how_to_use_it(smoke_universe):
    """What it prints is what a user types in another terminal; its log has no key."""
    command = [sys.executable, "-m", "dmlib", "serve-tng", "--profile", "smoke", "--port", "0", "--fail-every", "3"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "DMLIB_BUILD": smoke_universe.build_root},
        # A shell that runs the tests in its background has them ignore interruptions, and their children too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        told = next(line for line in process.stderr if line.startswith("serving"))
        url, key = re.search(r"'embedded-smoke' at (http://127\.0\.0\.1:\S+) with the key (\S+)", told).groups()
        codes = [requests.get(url, headers={"api-key": key}, timeout=20).status_code for _ in range(3)]
        assert codes == [200, 200, 500]
        # The log follows the reply: wait for its last line before the interruption.
        log = "".join(process.stderr.readline() for _ in range(3))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0 and "--simulation embedded-smoke" in out
    assert "(error)" in log and key not in log + err
