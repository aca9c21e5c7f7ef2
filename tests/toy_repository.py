"""A small repository with the real pipeline and toy science, for tests that edit modules, kill runs and break cells.

The modules that decide when things run are copied from the checkout; universe, sample, figures and the book are
replaced by a few lines each. Commands run in processes of their own, as users run them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

#: What is tested, taken as it is.
REAL = (
    *(
        "__init__.py",
        "__main__.py",
        "code.py",
        "environment.py",
        "errors.py",
        "files.py",
        "settings.py",
        "sources.py",
        "workers.py",
    ),
    *("results.py", "pipeline", "manifest", "cli"),
)

#: What makes JupyterLab pair the file, and papermill start the right language.
HEADER = """# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""

TOY = {
    "dmlib/load.py": """
from .pipeline.steps import ensure
from .sample import read_sample

def sample(settings):
    return read_sample(ensure(settings, "sample"))
""",
    "dmlib/universe/files.py": """
from pathlib import Path

def tree_state(settings):
    return {"toy on disk": " ".join(path.read_text() for path in Path(settings.base_path).rglob("*.hdf5"))}
""",
    "dmlib/universe/__init__.py": """
from types import SimpleNamespace

def open_universe(settings):
    text = (settings.universe_dir / "galaxies.txt").read_text()
    return SimpleNamespace(header=SimpleNamespace(identity=f"toy-{len(text)}"), masses=[int(x) for x in text.split()])
""",
    "dmlib/embedded.py": """
from .files import write_text

def build(settings):
    with open(settings.build / "log.txt", "a") as log:
        log.write("universe\\n")
    write_text(settings.universe_dir / "galaxies.txt", " ".join(str(settings.seed * n) for n in range(5)))
""",
    "dmlib/sample.py": """
from .files import write_text
from .universe import open_universe

LIMIT = 1

def build(settings):
    with open(settings.build / "log.txt", "a") as log:
        log.write("sample\\n")
    write_text(settings.sample_path, " ".join(str(m) for m in open_universe(settings).masses if m > LIMIT))

def read_sample(path):
    return [int(x) for x in path.read_text().split()]
""",
    "dmlib/targets.py": """
from .files import write_text
from .sample import read_sample

def build(settings):
    write_text(settings.targets_path, str(sum(read_sample(settings.sample_path))))
""",
    "dmlib/galaxy.py": "def double(mass):\n    return 2 * mass\n",
    "dmlib/figures/__init__.py": """
from ..files import write_text
from .style import COLOUR

def show(settings, name, data):
    write_text(settings.figures_dir / f"{name}.csv", f"{COLOUR} {data}")
""",
    "dmlib/figures/style.py": "COLOUR = 'black'\n",
    "book/_ext/pages.py": """
import sys
from dmlib.files import write_text
from dmlib.settings import Settings

settings = Settings.model_validate_json(sys.argv[1])
pages = sorted(settings.notebooks_dir.glob("[0-9]*.ipynb"))
assert not any("failed" in page.name for page in pages)
folder = settings.build / "preview" if sys.argv[2:] else settings.pages_dir
write_text(folder / "index.html", f"{len(pages)} chapters")
""",
    "book/index.md": "# Toy\n",
    "requirements.lock": "toy==1\n",
    "data_manifest.yaml": """
toy-data:
  title: Numbers
  description: Numbers for the test, which writes them where a download would be kept.
  access: open
  source: https://example.org/numbers
  urls: [https://example.org/numbers.txt]
  evidence: a test
  file: toy/numbers.txt
  format: text
  no_checksum: the test changes them
  licence: CC0
  citation: [Toy2023]
  chapters: [second]
""",
    "notebooks/01_first.py": """# %% [markdown]
# # First

# %% tags=["parameters"]
universe = "embedded"
profile = "quick"
seed = 1
base_path = ""
factor = 3  # toy

# %%
from dmlib import load
from dmlib.figures import show
from dmlib.galaxy import double
from dmlib.results import record
from dmlib.settings import Settings

settings = Settings(universe=universe, profile=profile, seed=seed, base_path=base_path)

# %%
masses = [factor * double(mass) for mass in load.sample(settings)]
show(settings, "first", masses)
record(settings, "first.sum", sum(masses), chapter="first", statement="Sum of all masses.")
print(sum(masses))
""",
    "notebooks/02_second.py": """# %% [markdown]
# # Second

# %% tags=["parameters"]
universe = "embedded"
profile = "quick"
seed = 1
base_path = ""

# %%
import os, time
from pathlib import Path

from dmlib.settings import Settings

settings = Settings(universe=universe, profile=profile, seed=seed, base_path=base_path)
stop = Path(os.environ.get("TOY_STOP", "none"))
settings.build.joinpath("second.started").write_text("")

# %%
while stop.is_file():
    time.sleep(0.05)

# %%
print("no products used")
""",
}


def hear_interrupts() -> None:
    """In a new process: hear signals that it inherits as ignored from a background job of a shell, or from nohup."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class ToyRepository:
    """The repository, and commands in it.

    Parameters
    ----------
    root : Path
        Empty folder.
    """

    profile = "smoke"

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "dmlib").mkdir(parents=True)
        for name in REAL:
            source, target = REPOSITORY / "dmlib" / name, root / "dmlib" / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        for name, text in TOY.items():
            self.write(name, (HEADER if name.startswith("notebooks/") else "") + text.lstrip("\n"))
        self._drop_products()

    def _drop_products(self) -> None:
        """Leave out the products that the toy has no builder for: the pipeline is the same with fewer."""
        kept = '\n\nPRODUCTS = {name: PRODUCTS[name] for name in ("universe", "sample", "targets")}\n'
        path = self.root / "dmlib" / "pipeline" / "products.py"
        path.write_text(path.read_text(encoding="utf-8") + kept, encoding="utf-8")

    @property
    def build(self) -> Path:
        """Folder of the outputs."""
        return self.root / "build" / f"embedded-{self.profile}"

    def write(self, name: str, text: str) -> None:
        """Write a file of the repository."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a file, which must be there."""
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def environment(self, **extra: str) -> dict[str, str]:
        """Environment of a command: the toy's dmlib before the installed one, no mirror, a cache of its own."""
        names = ("DMLIB_MIRROR", "DMLIB_BUILD", "DMLIB_DEBUG", "TNG_API_KEY")
        clean = {key: value for key, value in os.environ.items() if key not in names}
        return clean | {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DMLIB_DATA": str(self.root / "cache"),
            "DMLIB_QUIET": "1",
            "DMLIB_WORKERS": "1",  # chapters one after the other, in this order, unless a test asks for more
            **extra,
        }

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen:
        """Begin ``dmlib ...`` and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "dmlib", *arguments],
            cwd=self.root,
            env=self.environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_interrupts,
        )

    def dmlib(self, *arguments: str, code: int = 0, **extra: str) -> str:
        """Run ``dmlib ...`` to its end and give all it printed; the exit code must be `code`."""
        process = self.start(*arguments, **extra)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        return out + err

    def run(self, *arguments: str, code: int = 0, **extra: str) -> str:
        """``dmlib run`` at the smallest profile."""
        return self.dmlib("run", "--profile", self.profile, *arguments, code=code, **extra)

    def status(self, *arguments: str, **extra: str) -> dict[str, str]:
        """Step -> why it would run; empty where it is up to date."""
        lines = self.dmlib("status", "--profile", self.profile, *arguments, **extra).splitlines()
        why = {}
        for line in lines[1:]:
            name, rest = line.split(maxsplit=1)
            why[name] = rest.removeprefix("would run").strip() if rest.startswith("would run") else ""
        return why

    def python(self, code: str, **extra: str) -> subprocess.Popen:
        """Begin a Python process in the repository, as a notebook's kernel would be."""
        return subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=self.root / "notebooks",
            env=self.environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def account(self) -> dict:
        """``run.json``."""
        return json.loads((self.build / "run.json").read_text(encoding="utf-8"))

    def ran(self, output: str) -> list[str]:
        """Names of the steps that a run's output says it ran."""
        return [line.split()[1].rstrip(":") for line in output.splitlines() if ": running (" in line]
