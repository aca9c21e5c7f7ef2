"""The environment of a run: configuration of its own, the limits of the machine, and what makes a run impossible.

Third-party packages read files in the user's home and variables: ``keras.json``, ``matplotlibrc``, start-up files of
IPython, ``astropy.cfg``, ``.netrc``. None of them may change a result. Commands therefore run, and notebooks are
executed, with a temporary folder in place of these files (`settle`, `of_children`); what is done in a notebook of the
user's own is guarded where it matters: by `plain_keras`, by `dmlib.figures.style` and by `dmlib.manifest.download`.
"""

from __future__ import annotations

import errno
import importlib.util
import itertools
import multiprocessing
import os
import platform
import shutil
import socket
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from .errors import DmlibError

try:
    import fcntl
    import resource
except ImportError:  # before a package that exists for Windows as well
    raise ImportError("dmlib runs on Linux and macOS, and on Windows in WSL: see the README", name="dmlib") from None

#: Python versions for which all packages exist: the first, and the first too new; pyproject.toml has the same.
PYTHONS = ((3, 11), (3, 14))

#: Variables that Python reads when it starts, and whose flags it hands on to workers: with PYTHONOPTIMIZE=2 TensorFlow
#: cannot be imported, with PYTHONWARNINGS=error any warning of a package ends a step.
_FLAGS = (
    *("PYTHONDEVMODE", "PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONPROFILEIMPORTTIME", "PYTHONVERBOSE"),
    "PYTHONWARNINGS",
)

#: Variables that change results or break packages. Those that say where things are stay: proxies, mirrors, devices.
_DROPPED = (
    *(*_FLAGS, "PYTHONSTARTUP", "MPLBACKEND"),
    *("SOURCE_DATE_EPOCH", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "JUPYTER_CONFIG_PATH"),
)

#: So are all that begin with these (HDF5_DRIVER=split, TF_XLA_FLAGS, NUMBA_DISABLE_JIT, ...), except those which say
#: what machine this is: its devices, processor, threads, locks and folders.
_DROPPED_PREFIXES = ("HDF5_", "JAX_", "KERAS_", "NUMBA_", "ONEDNN_", "TF_")
_KEPT = (
    *("HDF5_PLUGIN_PATH", "HDF5_USE_FILE_LOCKING", "JAX_COMPILATION_CACHE_DIR", "JAX_PLATFORMS", "KERAS_BACKEND"),
    *("NUMBA_CACHE_DIR", "NUMBA_CPU_FEATURES", "NUMBA_CPU_NAME", "NUMBA_NUM_THREADS", "ONEDNN_MAX_CPU_ISA"),
    *("TF_CPP_MIN_LOG_LEVEL", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR"),
    *("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS"),
)

#: What the system says when the disk, or what a process may use of it, is full, and the mend.
_LIMITS = {
    errno.ENOSPC: "no space is left on the disk: free some, or set DMLIB_BUILD to a folder on a larger one",
    errno.EDQUOT: "your share of the disk is used up: free some, or set DMLIB_BUILD to a folder on another one",
    errno.EFBIG: "a file may not become as large as it must: raise the limit (ulimit -f)",
    errno.EMFILE: "a process may not open as many files as it must: raise the limit (ulimit -n)",
}

#: Files that a process opens at once, at most.
_OPEN_FILES = 256

#: Limits that a user may raise to the hard ones, and is not asked to: open files, processor time, size of a file.
_RAISED = {resource.RLIMIT_NOFILE: _OPEN_FILES, resource.RLIMIT_CPU: None, resource.RLIMIT_FSIZE: None}

#: Variables with a path, those of a program first.
_PROGRAMS = ("DMLIB_SKIRT", "DMLIB_BAROLO")
_PATHS = (*_PROGRAMS, "DMLIB_BUILD", "DMLIB_DATA", "DMLIB_MIRROR")

#: Names the private folder, for child processes.
_FOLDER = "DMLIB_PRIVATE"

#: Where processes see their control groups.
_PROC = Path("/proc/self")

#: Files of a control group, by version: limits and use of memory, and what of the use can be freed at once.
_MEMORY_FILES = {
    1: (("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
    2: (("memory.max", "memory.high"), "memory.current", "inactive_file"),
}


# -- where things are --------------------------------------------------------------------------------------------------


def repository_root() -> Path:
    """Folder that holds ``data_manifest.yaml``, looked for from the working directory upwards.

    Falls back to the checkout that this file is part of, then to the working directory (an installed
    package used elsewhere).
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
        if (folder / "data_manifest.yaml").is_file() and (folder / "notebooks").is_dir():
            return folder
    return here


def outputs_root() -> Path:
    """Folder of all outputs: ``$DMLIB_BUILD``, else ``build`` in the repository."""
    given = os.environ.get("DMLIB_BUILD", "")
    try:
        return Path(given).expanduser().resolve() if given else repository_root() / "build"
    except RuntimeError as error:
        raise DmlibError(f"DMLIB_BUILD is '{given}', and there is no such home: name a folder.") from error


def of_a_limit(error: Exception) -> str:
    """An error that says that the disk or a limit of the system is reached, as a sentence with the mend; else nothing.

    HDF5 puts what the system says into the text of errors of its own.
    """
    return next((sentence for number, sentence in _LIMITS.items() if os.strerror(number) in str(error)), "")


def of_the_system(error: OSError) -> str:
    """An error of the operating system, most often about a file, as a sentence with the mend."""
    if limit := of_a_limit(error):
        return limit
    if error.filename is None:
        return f"{type(error).__name__}: {error}"
    what = (error.strerror or type(error).__name__).lower()
    refused = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    # Of no use for a file that is not an output.
    if refused and Path(os.fsdecode(error.filename)).absolute().is_relative_to(outputs_root()):
        return f"{error.filename}: {what}: outputs can be put elsewhere with DMLIB_BUILD"
    return f"{error.filename}: {what}"


# -- a configuration of our own ----------------------------------------------------------------------------------------


@cache
def private_folder() -> Path:
    """A temporary folder for what third-party packages read and write in a home; children share that of their parent.

    It is removed when the process ends.
    """
    inherited = Path(os.environ.get(_FOLDER) or os.devnull)
    if inherited.is_dir():
        return inherited
    try:
        folder = Path(tempfile.mkdtemp(prefix="dmlib-"))
    except OSError as error:
        raise DmlibError(f"no temporary folder can be written ({error}): set TMPDIR to one that can.") from error
    Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=1)  # not in a forked process
    (folder / "matplotlibrc").touch()
    for name in ("home", "astropy", "ipython", "jupyter", "keras", "matplotlib"):
        (folder / name).mkdir()
    os.environ[_FOLDER] = str(folder)
    return folder


def changes() -> dict[str, str | None]:
    """Variables that keep the user's configuration away; None for those that must not be there."""
    folder, packages = private_folder(), [str(found.parent) for found in map(_used, ("dmlib", "mocktng")) if found]
    path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry not in packages]
    dropped = [name for name in os.environ if name.startswith(_DROPPED_PREFIXES) and name not in _KEPT]
    return {
        **dict.fromkeys((*_DROPPED, *dropped)),
        "KERAS_HOME": str(folder / "keras"),
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        # Its list of fonts, which is made anew in 0.3 s, once a run: that of the user may name other files, or none.
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "ASTROPY_CONFIG_DIR": str(folder / "astropy"),
        "IPYTHONDIR": str(folder / "ipython"),
        **{f"JUPYTER_{name}_DIR": str(folder / "jupyter") for name in ("CONFIG", "DATA", "RUNTIME")},
        "NETRC": os.devnull,
        "DOCUTILSCONFIG": os.devnull,  # instead of ~/.docutils, which changes pages
        # Kernels and the builder of the pages import what this process has imported, wherever it was found.
        "PYTHONPATH": os.pathsep.join([*packages, *path]),
    }


def of_children() -> dict[str, str]:
    """Environment of a process that executes a notebook or builds the pages."""
    # The width of a terminal would be that of tables.
    found: dict[str, str | None] = {**os.environ, **changes(), "COLUMNS": None, "LINES": None}
    return {name: value for name, value in found.items() if value is not None}


def settle() -> None:
    """Keep the user's configuration away from this process, a command, and its children."""
    change_variables(changes())
    for name in _PATHS:
        value = os.environ.get(name, "")
        # Chapters run in another folder. A bare program is looked for on the PATH, and ~ is the same home anywhere.
        if value and not value.startswith("~") and (os.sep in value or name not in _PROGRAMS):
            os.environ[name] = os.path.abspath(value)
    # Files that their own owner may not read cannot be outputs.
    os.umask(os.umask(0o022) & 0o077)
    for number, wanted in _RAISED.items():
        now, most = resource.getrlimit(number)
        if now >= 0 and (wanted is None or now < wanted):  # as far as this user may; no limit is a negative number
            enough = most if wanted is None or 0 <= most < wanted else wanted
            resource.setrlimit(number, (enough, most))


def begin_again() -> None:
    """Replace this process, a command, by one without the variables that Python reads when it starts; else return."""
    if any(os.environ.get(name) for name in _FLAGS):
        env = {name: value for name, value in os.environ.items() if name not in _FLAGS}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], env)


def change_variables(values: Mapping[str, str | None]) -> None:
    """Set variables of this process, or remove those with None."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def settle_home() -> None:
    """Give this process a temporary home where the user has none that can be written.

    A key for the TNG API is still read from a home that cannot be written; downloads go to the outputs.
    """
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"):
        if os.environ.get(name) and not _usable(Path(os.environ[name])):
            del os.environ[name]
    try:
        home = Path.home()
        if os.path.isdir(home) and os.access(home, os.W_OK | os.X_OK):
            return
    except RuntimeError:  # a user whom the system does not know
        home = Path(os.devnull)
    if os.path.isdir(home / ".config"):  # Path.is_dir() raises where a folder above may not be searched
        os.environ.setdefault("XDG_CONFIG_HOME", str(home / ".config"))
    os.environ.setdefault("DMLIB_DATA", str(outputs_root() / "downloads"))
    temporary = str(private_folder() / "home")
    os.environ |= {"HOME": temporary, "MPLCONFIGDIR": temporary}
    os.environ.setdefault("LOGNAME", "dmlib")


def import_jsonschema() -> None:
    """Import jsonschema, which nbformat needs, without its grammar of internationalised addresses.

    To compile the grammar (package ``rfc3987_syntax``) takes a second of CPU time in each process that reads notebooks,
    and no schema of notebooks asks for such an address. jsonschema does without where the package is not installed.
    """
    grammar = "rfc3987_syntax"
    if grammar in sys.modules:
        return
    sys.modules[grammar] = None  # type: ignore[assignment]  # an import fails
    try:
        import jsonschema  # noqa: F401
    finally:
        del sys.modules[grammar]


def _usable(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    there = next((place for place in (folder, *folder.absolute().parents) if os.path.exists(place)), folder)
    return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)


def backend() -> str:
    """Keras's backend: ``$KERAS_BACKEND``, else TensorFlow, whatever ``keras.json`` says.

    Raises
    ------
    DmlibError
        When its package is not installed.
    """
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in ("tensorflow", "jax", "torch"):
        raise DmlibError(f"KERAS_BACKEND is '{name}': set it to tensorflow, jax or torch, or unset it.")
    if name not in sys.modules and importlib.util.find_spec(name) is None:
        mend = f"pip install {name}, or unset KERAS_BACKEND" if name != "tensorflow" else "pip install tensorflow"
        raise DmlibError(f"Keras computes with {name}, which is not installed: {mend}.")
    return name


def plain_keras() -> None:
    """Give Keras its own defaults, whatever ``keras.json`` and ``KERAS_*`` say; to be called before layers are made."""
    os.environ["KERAS_BACKEND"] = backend()
    if "keras" not in sys.modules:
        change_variables({name: value for name, value in changes().items() if name.startswith("KERAS_")})
        return
    from keras import config

    config.set_image_data_format("channels_last")
    config.set_floatx("float32")
    config.set_epsilon(1e-7)
    config.set_dtype_policy("float32")
    for name in ("set_max_epochs", "set_max_steps_per_epoch"):
        if hasattr(config, name):
            getattr(config, name)(None)


def keras_defaults() -> str:
    """Those settings of Keras that decide what a layer is, as part of a trained network's key."""
    from keras import config

    return f"{config.image_data_format()} {config.floatx()} {config.epsilon():g}"


# -- the limits of the machine -----------------------------------------------------------------------------------------


def cores() -> int:
    """Processors that this process may use: its affinity and the quotas of its control groups, at every level."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quotas = [float(allowed)]
    for version, folder in _control_groups("cpu"):
        if version == 2:
            quota, period = [*_words(folder / "cpu.max"), "", ""][:2]
        else:
            quota, period = ("".join(_words(folder / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(period):
            quotas.append(int(quota) / int(period))
    return max(1, int(min(quotas)))


def memory() -> tuple[float, float]:
    """Memory that this process and its children may have in all, and what is left of it [bytes].

    Of the machine, and of the control groups of the process at every level.
    """
    import psutil

    machine = psutil.virtual_memory()
    total, left = float(machine.total), float(machine.available)
    for version, folder in _control_groups("memory"):
        limit_files, used_file, free_name = _MEMORY_FILES[version]
        limits = [int(word) for name in limit_files for word in _words(folder / name) if word.isdigit()]
        if not limits or min(limits) >= machine.total:  # "max", or a number beyond any machine
            continue
        statistics = _words(folder / "memory.stat")
        free = int(dict(zip(statistics[::2], statistics[1::2], strict=False)).get(free_name, 0))
        used = int(next(iter(_words(folder / used_file)), 0))
        total = min(total, float(min(limits)))
        left = min(left, min(limits) - float(max(0, used - free)))
    return total, max(left, 0.0)


def _words(path: Path) -> list[str]:
    """Words of a small file; none where it is not there."""
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError:
        return []


def _control_groups(controller: str) -> list[tuple[int, Path]]:
    """Version and folder of the control groups of this process that a controller may limit, the innermost first.

    Inside a container the path of the group may be that of the host: then only the mounted root is there.
    """
    try:
        own = (_PROC / "cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (_PROC / "mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    groups = {1 if names else 2: path for _, names, path in (line.split(":", 2) for line in own)
              if not names or controller in names.split(",")}  # fmt: skip
    found = []
    for line in mounts:
        before, _, after = line.partition(" - ")
        root, mount = (field.replace("\\040", " ") for field in before.split()[3:5])
        kind, options = after.split()[0], after.split()[-1].split(",")
        version = {"cgroup": 1, "cgroup2": 2}.get(kind, 0)
        if version not in groups or (version == 1 and controller not in options):
            continue
        path = groups[version]
        below = path.removeprefix(root if root != "/" else "") if path.startswith(root) else path
        folder = Path(mount) / below.strip("/")
        levels = [folder, *folder.parents]
        found += [(version, level) for level in levels if level.is_relative_to(mount) and level.is_dir()]
    return found


# -- what makes a run impossible ---------------------------------------------------------------------------------------


def check_platform() -> None:
    """Refuse a Python, or a machine, for which there is no TensorFlow.

    Raises
    ------
    DmlibError
    """
    version = sys.version_info[:2]
    if not PYTHONS[0] <= version < PYTHONS[1]:
        first, last = (f"{major}.{minor}" for major, minor in (PYTHONS[0], (PYTHONS[1][0], PYTHONS[1][1] - 1)))
        raise DmlibError(
            f"this is Python {version[0]}.{version[1]}, and the packages of the book exist for {first} to {last}: "
            "make the environment with one of these (make PYTHON=...)."
        )
    if (platform.system(), platform.machine()) == ("Darwin", "x86_64"):
        raise DmlibError("there is no TensorFlow for Macs with Intel processors: use a container, see the README.")


def check_checkout() -> None:
    """Refuse to work in one checkout with the code of another, as an environment that was copied with it would.

    Raises
    ------
    DmlibError
    """
    root = repository_root()
    for package, own in (("dmlib", root / "dmlib"), ("mocktng", root / "mocktng" / "src" / "mocktng")):
        used = _used(package)
        if (own / "__init__.py").is_file() and used is not None and used != own.resolve():
            raise DmlibError(
                f"this is the checkout {root}, but {package} is imported from {used}: run `make` here, which gives the "
                "checkout an environment of its own, or work in the other one."
            )


def _used(package: str) -> Path | None:
    """Folder of a package as it is, or would be, imported."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).resolve().parent if spec is not None and spec.origin else None


def check_imports() -> None:
    """Refuse a module that would be imported instead of Python's own or that of the environment.

    It is looked for in folders of ``PYTHONPATH``, in the working directory, and beside the notebooks.

    Raises
    ------
    DmlibError
    """
    packages, standard = (Path(sysconfig.get_path(name)) for name in ("purelib", "stdlib"))
    own = {str(packages.resolve()), os.path.realpath(sysconfig.get_path("scripts"))}
    before = itertools.takewhile(lambda folder: folder != str(standard), sys.path)
    for folder in dict.fromkeys(map(os.path.realpath, [*before, str(repository_root() / "notebooks")])):
        # Python imports nothing from a folder that it may not list and search.
        listed = os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK)
        for found in sorted(Path(folder).iterdir()) if listed and folder not in own else ():
            name = found.name.partition(".")[0]
            module = found.suffix in (".py", ".so", ".pyd") or (found / "__init__.py").is_file()
            known = any((packages / other).exists() for other in (name, f"{name}.py"))
            if module and name not in ("dmlib", "mocktng") and (known or name in sys.stdlib_module_names):
                named = map(os.path.realpath, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
                raise DmlibError(
                    f"{found} would be imported instead of the {name} of this environment: "
                    f"{'unset PYTHONPATH' if folder in named else 'give it another name'}."
                )


def check_folder(folder: Path) -> None:
    """Refuse a build folder that cannot be written, or whose disk has no locks.

    Raises
    ------
    DmlibError
    """
    named = "DMLIB_BUILD names another" if not os.environ.get("DMLIB_BUILD") else "set DMLIB_BUILD to another"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise DmlibError(
                    f"{folder}: its disk has no file locks ({error.strerror}): {named} on a local disk."
                ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DmlibError(f"{folder}: outputs cannot be written there ({reason}): {named} for them.") from error


def check_interpreter() -> None:
    """Refuse a Python that this user may not start again, or in which warnings are errors.

    To be called before packages are imported, which give warnings. Kernels and workers are started by the path of the
    interpreter, which a process that has changed its user may have been started from without the right to.

    `begin_again` drops the variable that may ask for it. Kernels and workers would inherit the rest: an option of the
    command, or a module that Python imports when it starts.

    Raises
    ------
    DmlibError
    """
    if sys.executable and not os.access(sys.executable, os.X_OK):
        raise DmlibError(
            f"{os.path.realpath(sys.executable)}, the Python of this environment, may not be run by this user: let the "
            "owner make the environment with another, `make PYTHON=/usr/bin/python3`, or clone the repository."
        )
    if not any(action == "error" for action, *_ in warnings.filters):
        return
    found = (getattr(sys.modules.get(name), "__file__", None) for name in ("usercustomize", "sitecustomize"))
    by = next((path for path in found if path and not sys.warnoptions), "")
    raise DmlibError(
        "warnings are errors in this Python, and packages of the book give some: "
        + (f"{by} has Python do so, remove it." if by else "leave out the option -W of Python.")
    )


def check_machine(folder: Path, *, disk: float, least_memory: float, file: float = 0.0, seconds: float = 0.0) -> None:
    """Refuse what would fail halfway: a backend that is missing, no shared locks, too little of what a limit gives.

    Parameters
    ----------
    folder : Path
        Of the outputs.
    disk, least_memory : float
        What all outputs of the folder need, and what its largest process needs [bytes].
    file, seconds : float
        The largest file [bytes], and the longest work of a process [s of a processor].

    Raises
    ------
    DmlibError
    """
    check_platform()
    backend()
    precision = os.environ.get("DMLIB_PRECISION")
    if precision not in (None, "", "float32", "mixed_bfloat16"):
        raise DmlibError(f"DMLIB_PRECISION is '{precision}': set it to float32 or mixed_bfloat16, or unset it.")
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=10).close()
    except OSError as error:
        raise DmlibError(
            f"chapters run in processes that are reached over 127.0.0.1, which does not answer ({error.strerror}): "
            "switch on this machine's or container's loopback network."
        ) from error
    try:
        multiprocessing.get_context("spawn").Lock()
    except OSError as error:
        raise DmlibError(
            f"processes cannot share locks ({error.strerror}): /dev/shm must be there and writable; in a container "
            "mount one, for example with --shm-size=256m."
        ) from error
    total, _ = memory()
    if total < least_memory:
        raise DmlibError(
            f"this machine or container has {readable(total)} of memory, and a process of the book needs "
            f"{readable(least_memory)}: give it more."
        )
    address, files = (resource.getrlimit(number)[0] for number in (resource.RLIMIT_AS, resource.RLIMIT_NOFILE))
    if 0 <= address < 1.5 * least_memory:  # TensorFlow reserves more than it uses
        raise DmlibError(
            f"a process may address {readable(address)} of memory, and one of the book needs "
            f"{readable(1.5 * least_memory)}: raise the limit (ulimit -v)."
        )
    if 0 <= files < _OPEN_FILES:
        raise DmlibError(
            f"a process may open {files} files at once, and one of the book needs {_OPEN_FILES}: raise the limit "
            "(ulimit -n)."
        )
    largest, longest = (resource.getrlimit(number)[0] for number in (resource.RLIMIT_FSIZE, resource.RLIMIT_CPU))
    if 0 <= largest < file:
        raise DmlibError(
            f"a file may become as large as {readable(largest)}, and one of the outputs needs {readable(file)}: raise "
            "the limit (ulimit -f)."
        )
    if 0 <= longest < seconds:
        raise DmlibError(
            f"a process may use {longest} s of a processor, and one of the book needs {seconds:g}: raise the limit "
            "(ulimit -t)."
        )
    there = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another process may be writing there
            there += path.stat().st_size if path.is_file() else 0
    free = shutil.disk_usage(folder).free
    if disk - there > free:
        raise DmlibError(
            f"{folder}: its disk has {readable(free)} free, and the outputs need {readable(disk - there)} more: free "
            "some, or set DMLIB_BUILD to a folder on a larger disk."
        )


def readable(n_bytes: float) -> str:
    """Size for a reader, for example ``4.2 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 999.5:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1e3
    return f"{n_bytes:.3g} TB"
