"""The configuration of a user, as hostile as it can be, changes no result.

Each test that lays it around something also shows that it would bite without what keeps it away.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
import requests

from dmlib import environment
from dmlib.errors import DmlibError, FetchError
from dmlib.manifest.download import Downloader, _Session
from dmlib.pipeline import notebooks
from dmlib.settings import Settings
from toy_repository import HEADER

KERAS = {"floatx": "float16", "epsilon": 0.01, "backend": "tensorflow", "image_data_format": "channels_first"}
MATPLOTLIB = """
text.usetex: True
font.family: serif
font.size: 30
axes.formatter.use_locale: True
figure.constrained_layout.use: False
figure.facecolor: red
lines.linestyle: none
savefig.bbox: tight
savefig.transparent: True
path.simplify: False
"""
JUPYTEXT = 'cell_metadata_filter = "-all"\nnotebook_metadata_filter = "-all"\nformats = "ipynb,md"\n'
STARTUP = "from numpy import *\nprint = None\nimport matplotlib; matplotlib.rcParams['font.size'] = 40\n"
IPYTHON = "c.InteractiveShellApp.exec_lines = ['sum = max']\nc.InteractiveShell.ast_node_interactivity = 'all'\n"


@pytest.fixture
def hostile(tmp_path) -> dict[str, str]:
    """Environment of a process in a home whose every file wants another result."""
    home = tmp_path / "hostile home"
    files = {
        ".keras/keras.json": json.dumps(KERAS),
        ".config/matplotlib/matplotlibrc": MATPLOTLIB,
        ".config/jupytext/jupytext.toml": JUPYTEXT,
        ".config/astropy/astropy.cfg": "max_lines = 1\nmax_width = 1\n[units]\nenabled_units = nonsense\n",
        ".ipython/profile_default/startup/00-numpy.py": STARTUP,
        ".ipython/profile_default/ipython_config.py": IPYTHON,
        ".docutils": "[html writers]\ninitial_header_level: 4\n[html4css1 writer]\ninitial_header_level: 4\n",
        ".netrc": "default login somebody password secret\n",
        ".pythonrc.py": "from numpy import *\nsum = max\n",
        "jupytext.toml": JUPYTEXT,
        "modules/matplotlibrc": MATPLOTLIB,
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / ".netrc").chmod(stat.S_IRUSR | stat.S_IWUSR)
    names = ("DMLIB_PRIVATE", "KERAS_BACKEND", "KERAS_HOME", "MPLCONFIGDIR", "MATPLOTLIBRC", "IPYTHONDIR", "NETRC")
    plain = {name: value for name, value in os.environ.items() if name not in (*names, "XDG_CONFIG_HOME")}
    return plain | {
        "HOME": str(home),
        "PYTHONSTARTUP": str(home / ".pythonrc.py"),
        "PYTHONWARNINGS": "ignore",
        "KERAS_MAX_EPOCHS": "1",
        "KERAS_MAX_STEPS_PER_EPOCH": "1",
        "MPLBACKEND": "svg",
        "COLUMNS": "20",
        "DMLIB_QUIET": "1",
    }


def python(code: str, env: dict[str, str], cwd: Path | None = None) -> str:
    """What a program prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# -- Keras -------------------------------------------------------------------------------------------------------------

NETWORKS = """
import numpy as np
from dmlib.networks import fit, plan, train
from keras import config
counts = [plan.architecture(name).build(("g", "r", "moment0"), 32).count_params() for name in ("A", "B")]
fit.make_deterministic(1)
with fit.precision("float32"):
    model = plan.architecture("A").build(("g",), 32)
fit.compile_model(model, 1e-3)
rng = np.random.default_rng(1)
x, y = rng.normal(size=(64, 32, 32, 1)), rng.normal(size=(64, 20))
losses = [model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"]]
code = train.code_of("A")
print(counts, losses, code["backend"], code["defaults"], config.dtype_policy().name)
"""


@pytest.mark.slow
def test_networks_are_the_same(hostile):
    plain = {name: value for name, value in hostile.items() if not name.startswith("KERAS_")}
    plain["HOME"] = str(Path(hostile["HOME"]).parent)
    wanted = python(NETWORKS, plain)
    assert wanted.endswith("tensorflow channels_last float32 1e-07 float32")
    assert python(NETWORKS, hostile) == wanted
    # The file bites where Keras is read first: then it is set right before a layer is made.
    bitten = "import keras\nassert keras.config.image_data_format() == 'channels_first'\n"
    assert python(bitten + NETWORKS, hostile) == wanted


@pytest.mark.parametrize("text", ['{"backend": "jax"}', '{"floatx": "int8"}', "[1]", "{"])
def test_the_file_of_keras_is_not_read(hostile, text):
    """Not even where it names another backend, or would stop the import."""
    (Path(hostile["HOME"]) / ".keras" / "keras.json").write_text(text)
    code = "import os, dmlib.networks as n; print(os.environ['KERAS_HOME'], os.environ['KERAS_BACKEND'])"
    folder, backend = python(code, hostile).rsplit(" ", 1)
    assert backend == "tensorflow" and "hostile" not in folder and not Path(folder).exists()  # it went with the process


# -- figures -----------------------------------------------------------------------------------------------------------

FIGURE = """
import hashlib, io, sys
import matplotlib
before = matplotlib.rcParams["text.usetex"], matplotlib.rcParams["font.size"]
from dmlib.figures import style
fig, axes = style.new_figure(1, 2)
axes[0].plot([0.5, 2.5], [1, 1e5], label="dark")
axes[0].set(xlabel="$R$ [kpc]", title="A title")
axes[0].legend()
digest = hashlib.sha256()
for form in ("png", "pdf"):
    out = io.BytesIO()
    fig.savefig(out, format=form, metadata={"Software": None} if form == "png" else {"CreationDate": None})
    digest.update(out.getvalue())
print(before[0], digest.hexdigest())
"""


def alter_fonts(home: str, env: dict[str, str]) -> None:
    """Give the list of fonts that matplotlib keeps in a home other files for its own fonts."""
    python("import matplotlib.font_manager", env | {"HOME": home})
    (path,) = (Path(home) / ".cache" / "matplotlib").glob("fontlist-*.json")
    kept = json.loads(path.read_text())
    for font in kept["ttflist"]:
        if font["name"] == "DejaVu Sans":
            font["fname"] = font["fname"].replace("DejaVuSans", "DejaVuSerif")
    path.write_text(json.dumps(kept))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the list is in another folder")
def test_figures_have_the_fonts_of_matplotlib(hostile):
    plain = {**hostile, "HOME": str(Path(hostile["HOME"]).parent), "XDG_CACHE_HOME": "", "MPLBACKEND": "agg"}
    wanted = python(FIGURE, plain)
    alter_fonts(plain["HOME"], plain)
    ask = "from matplotlib.font_manager import findfont; print(findfont('DejaVu Sans'))"
    assert python(ask, plain).endswith("DejaVuSerif.ttf")  # it bites
    assert python(FIGURE, plain) == wanted  # in a notebook of the user's own, which reads the list
    settled = "from dmlib import environment; environment.settle()\n"
    assert python(settled + ask, plain).endswith("DejaVuSans.ttf")  # in a run, which does not


@pytest.mark.slow
def test_figures_are_the_same(hostile):
    plain = {**hostile, "HOME": str(Path(hostile["HOME"]).parent), "MPLBACKEND": "agg"}
    wanted = python(FIGURE, plain)
    assert wanted.startswith("False ")
    # In the home, and in the working directory, where matplotlib looks first.
    for folder in (None, Path(hostile["HOME"]) / "modules"):
        assert python(FIGURE, hostile, folder) == wanted.replace("False", "True")


# -- pages -------------------------------------------------------------------------------------------------------------


def test_pages_are_the_same(hostile):
    """Sphinx reads the home's file of docutils too: headings were of another level."""
    page = (
        "from docutils.core import publish_parts\n"
        "print(publish_parts('One\\n===\\n\\nTwo\\n===\\n', writer_name='html4')['body'])"
    )
    settled = f"from dmlib import environment; environment.settle()\n{page}"
    assert "<h1>One</h1>" in python(settled, hostile)
    assert "<h4>One</h4>" in python(page, hostile)  # it bites


# -- executed notebooks ------------------------------------------------------------------------------------------------

CELLS = """
# %% tags=["parameters"]
seed = 1

# %%
import builtins
import sys

import astropy
import matplotlib

# %%
1
print(sum([1, 2]), sum is builtins.sum, any is builtins.any, matplotlib.rcParams["font.size"], sys.flags.optimize)

# %%
from astropy.table import Table

Table({"a": range(3)}).pprint()
"""


@pytest.mark.slow
def test_an_executed_notebook_is_the_same(hostile, tmp_path, monkeypatch):
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "notebooks" / "01_first.py"
    path.parent.mkdir()
    path.write_text(HEADER + CELLS.strip() + "\n")
    settings = Settings(profile="smoke", build_root=str(tmp_path / "build"))
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    done = notebooks.execute(path, settings, {"seed": 1})
    cells = nbformat.read(done[0], as_version=4).cells
    outputs = [out for cell in cells if cell.cell_type == "code" for out in cell.outputs]
    texts = [out.get("text") or out["data"]["text/plain"] for out in outputs]
    assert texts == ["3 True True 10.0 0\n", " a \n---\n  0\n  1\n  2\n"]


# -- paired notebooks --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("above", ["pyproject.toml", "home only"])
def test_pairing_leaves_the_tracked_files_alone(hostile, tmp_path, repository, above):
    checkout = tmp_path / "checkout"
    (checkout / "notebooks").mkdir(parents=True)
    (checkout / "data_manifest.yaml").touch()
    if above != "home only":
        head = "[tool.jupytext]\n" if above == "pyproject.toml" else ""
        (tmp_path / above).write_text(head + JUPYTEXT)
    some = sorted((repository / "notebooks").glob("*.py"))[:1]
    for path in (*some, repository / "notebooks" / "jupytext.toml"):
        shutil.copy(path, checkout / "notebooks")
    before = {path.name: path.read_bytes() for path in (checkout / "notebooks").glob("*.py")}

    def pair(times: int) -> dict[str, bytes]:
        for _ in range(times):  # the second time with twins, as JupyterLab finds them
            done = subprocess.run([sys.executable, "-m", "dmlib", "notebooks"], cwd=checkout, env=hostile, check=True)
            assert done.returncode == 0
        return {path.name: path.read_bytes() for path in (checkout / "notebooks").glob("*.py")}

    assert pair(2) == before
    assert len(list((checkout / "notebooks").glob("*.ipynb"))) == len(before)
    (checkout / "notebooks" / "jupytext.toml").unlink()
    assert pair(1) != before


# -- the network -------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(monkeypatch):
    """A proxy in the environment that answers itself, and the requests that it was sent."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            onward = "first" in self.path
            self.send_response(302 if onward else 200)
            if onward:
                self.send_header("Location", "http://other.invalid/second")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield seen
    server.shutdown()
    server.server_close()


def test_netrc_gives_no_authorization_and_proxies_work(hostile, proxy, monkeypatch):
    for variable, value in (("NETRC", f"{hostile['HOME']}/.netrc"), ("TNG_API_KEY", "0" * 32)):
        monkeypatch.setenv(variable, value)
    assert Downloader(attempts=1).json("http://one.invalid/first", label="x", with_key=True) == {}
    assert [request["path"] for request in proxy] == ["http://one.invalid/first", "http://other.invalid/second"]
    assert proxy[0]["api-key"] == "0" * 32 and "api-key" not in proxy[1]
    assert not any("authorization" in request for request in proxy)
    # The file bites: a plain session would send what it says.
    requests.get("http://one.invalid/", timeout=5)
    assert "authorization" in proxy[-1]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("socks5://127.0.0.1:9", "a SOCKS proxy needs the package PySocks: pip install pysocks"),
        ("http:///", "HTTPS_PROXY or ALL_PROXY is not the address of a proxy"),
        ("http://127.0.0.1:9", "the proxy does not let the request through"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch, address, sentence):
    if "socks" in address and environment.importlib.util.find_spec("socks"):
        pytest.skip("PySocks is installed here")
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", address)
    with pytest.raises(FetchError, match=sentence):
        Downloader(attempts=1).json("https://one.invalid/", label="x")


def test_certificates_and_proxies_of_the_environment_count(monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    found = _Session().merge_environment_settings("https://one.invalid", {}, None, None, None)
    assert found["verify"] == str(tmp_path) and found["proxies"]["https"] == "http://proxy.example:3128"


# -- variables ---------------------------------------------------------------------------------------------------------


def test_variables_of_packages_go_and_those_of_the_machine_stay(monkeypatch):
    dropped = ("HDF5_DRIVER", "JAX_ENABLE_X64", "KERAS_FLOATX", "NUMBA_DISABLE_JIT", "ONEDNN_DEFAULT_FPMATH_MODE")
    dropped += ("TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "TF_FUNCTION_JIT_COMPILE_DEFAULT", "TF_CONFIG")
    kept = ("HDF5_USE_FILE_LOCKING", "JAX_PLATFORMS", "NUMBA_NUM_THREADS", "TF_FORCE_GPU_ALLOW_GROWTH", "XLA_FLAGS")
    kept += ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OPENBLAS_CORETYPE", "https_proxy", "DMLIB_MIRROR")
    for name in (*dropped, *kept):
        monkeypatch.setenv(name, "x")
    children = environment.of_children()
    assert not children.keys() & set(dropped) and {children[name] for name in kept} == {"x"}


@pytest.mark.slow
@pytest.mark.parametrize("how", [["-c", "{code}"], ["{file}"], ["-m", "command"]])
def test_flags_of_python_reach_neither_a_command_nor_its_workers(tmp_path, how):
    """The variables are read before dmlib can drop them, and workers inherit flags, not variables."""
    show = "import sys; print(sys.flags.optimize, sys.flags.dev_mode, sys.warnoptions, flush=True)"
    code = (
        "import multiprocessing, sys\nfrom dmlib import __main__ as m, cli\n"
        f"def ask():\n    show = {show!r}; exec(show); print(sys.argv[-1], flush=True)\n"
        "    p = multiprocessing.get_context('spawn').Process(target=exec, args=(show,)); p.start(); p.join()\n"
        "if __name__ == '__main__':\n    cli.main = ask; m.main()"
    )
    (tmp_path / "command.py").write_text(code)
    command = [part.format(code=code, file=tmp_path / "command.py") for part in how]
    env = os.environ | {"PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}
    done = subprocess.run(
        [sys.executable, *command, "an argument"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "0 False []\nan argument\n0 False []\n", done.stderr


@pytest.mark.slow
def test_a_file_driver_that_the_user_chose_does_not_reach_hdf5(tmp_path):
    write = "import h5py; h5py.File('a.hdf5', 'w').close(); import os; print(os.path.isfile('a.hdf5'))"
    env = os.environ | {"HDF5_DRIVER": "split"}
    assert python(f"from dmlib import environment; environment.settle(); {write}", env, tmp_path) == "True"
    (tmp_path / "a.hdf5").unlink()
    assert python(write, env, tmp_path) == "False"  # it bites: two files of other names


# -- modules of the same name ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("module", ["yaml.py", "numpy/__init__.py", "statistics.py"])
@pytest.mark.parametrize("place", ["PYTHONPATH", "working directory"])
def test_a_module_that_hides_one_of_the_environment_is_refused(tmp_path, module, place):
    path = tmp_path / "mine" / module
    path.parent.mkdir(parents=True)
    path.write_text("from math import *\n")
    here, there = (path.parents[len(Path(module).parts) - 1], tmp_path) if place != "PYTHONPATH" else (tmp_path,) * 2
    env = dict(os.environ)
    if place == "PYTHONPATH":
        env["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "mine"), env.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "dmlib", "status"], cwd=here, env=env, capture_output=True, text=True, check=False
    )
    name = Path(module).parts[0]
    mend = "unset PYTHONPATH" if place == "PYTHONPATH" else "give it another name"
    wanted = f"{there / 'mine' / name} would be imported instead of the {Path(name).stem} of this environment: {mend}."
    assert done.returncode == 1 and done.stderr == f"dmlib: {wanted}\n"


def test_other_modules_of_the_user_are_none_of_our_business(tmp_path, monkeypatch):
    for name in ("mine.py", "test.py", "notes.txt", "numpy/data.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), "", "/none", *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    environment.check_imports()
    (tmp_path / "numpy" / "__init__.py").touch()
    with pytest.raises(DmlibError, match="numpy would be imported instead of the numpy of this environment"):
        environment.check_imports()


def test_a_scratch_file_beside_the_notebooks_is_named(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data_manifest.yaml").touch()
    (tmp_path / "notebooks" / "random.py").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DmlibError, match=r"notebooks/random\.py would be imported .*: give it another name"):
        environment.check_imports()


# -- the home ----------------------------------------------------------------------------------------------------------

HOMELESS = """
import os, sys
import dmlib
from pathlib import Path
import matplotlib
from astropy.config import get_config_dir
from dmlib.embedded import relations
from dmlib.observe import deposit  # numba's cache
from dmlib.manifest.fetch import cache_folder
print(relations.concentration(1e12), Path.home() != Path(sys.argv[0]), cache_folder())
assert Path.home().is_dir() and os.access(Path.home(), os.W_OK)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["missing", "a file", "unknown"])
def test_a_home_that_is_none(hostile, tmp_path, kind):
    place = tmp_path / "none"
    if kind == "a file":
        place.touch()
    hostile["HOME"], code = str(place), HOMELESS
    hostile["DMLIB_BUILD"] = str(tmp_path / "build")
    hostile.pop("DMLIB_DATA", None)
    if kind == "unknown":  # a container's user without an entry in /etc/passwd
        del hostile["HOME"]
        code = "import pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n" + code
    said = python(code, hostile, tmp_path)
    assert said.endswith(f"True {tmp_path / 'build' / 'downloads'}")
    assert not place.is_dir() and not (tmp_path / "~").exists()


def test_a_home_that_cannot_be_written_is_still_read(tmp_path, monkeypatch):
    (tmp_path / ".config" / "dmlib").mkdir(parents=True)
    (tmp_path / ".config" / "dmlib" / "config.toml").write_text('[tng]\napi_key = "abc"\n')
    for name in ("XDG_CONFIG_HOME", "TNG_API_KEY", "DMLIB_DATA"):
        monkeypatch.delenv(name, raising=False)
    for name in ("LOGNAME", "MPLCONFIGDIR", "XDG_CONFIG_HOME", "DMLIB_DATA"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, how: not Path(path).is_relative_to(tmp_path))
    environment.settle_home()
    assert os.environ["HOME"] == os.environ["MPLCONFIGDIR"] != str(tmp_path)
    from dmlib.manifest.download import tng_key

    assert tng_key("x") == "abc"


@pytest.mark.slow
def test_nothing_is_written_into_a_home(hostile, tmp_path):
    """Colossus, for one, would make a folder of its own there."""
    hostile["HOME"] = str(tmp_path / "empty")
    Path(hostile["HOME"]).mkdir()
    code = "from dmlib.embedded import relations as r; r.concentration(1e12); r.mass_function(1e12)"
    python(code, hostile)
    assert list(Path(hostile["HOME"]).iterdir()) == []


def test_a_mask_that_takes_rights_from_oneself(tmp_path):
    before = os.umask(0o777)
    try:
        settled = (
            "import os; from dmlib import environment; environment.settle(); os.makedirs('a/b'); print(os.umask(0))"
        )
        env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        assert python(settled, env, tmp_path) == str(0o077)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o700 == 0o700


def test_processes_of_a_run_inherit_only_one_private_folder():
    code = (
        "import os, subprocess, sys; from dmlib import environment as e; e.settle(); "
        "ask = 'from dmlib import environment as e; print(e.private_folder())'; "
        "print(e.private_folder(), subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True).stdout)"
    )
    first, second = python(code, {k: v for k, v in os.environ.items() if k != "DMLIB_PRIVATE"}).split()
    assert first == second and not Path(first).exists()
