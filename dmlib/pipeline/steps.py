"""The steps of a run: data products, notebooks, the pages; and what each of them depends on."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock
from pydantic import ValidationError

from .. import results
from ..code import closure, data_files, imports_of_source, modules_of, parse_script
from ..errors import StepError
from ..manifest import load_manifest
from ..manifest.fetch import available
from ..settings import ENVIRONMENT, RADII_KPC, Criteria, Settings, repository_root
from ..sources import call
from . import notebooks
from .ledger import Places, Step, identity, make, record_of
from .products import BESIDE, EMBEDDED_ONLY, PRODUCTS, Product

BOOK = "book"

#: Folder of the first page to read, in that of the outputs.
PREVIEW = "preview"

#: Settings that notebooks take as parameters; the others are the same for all readers unless a notebook declares them.
SHARED_PARAMETERS = ("universe", "profile", "seed", "base_path")

#: Functions of `dmlib.load` -> the products that they load, where that is not the product of the same name.
LOADED = {
    "observer": ("universe", "dataset"),
    "benchmark": ("rotation",),
    "disturbed": ("universe",),
    "reference": ("dataset", "predictions"),
}

#: What `dmlib.load.reference` reads beside these: a committed record, where there is one, through this module.
_REFERENCE, _REFERENCE_READER = "reference/about", "dmlib.networks.reference"


def all_steps(settings: Settings, parameters: dict[str, Any] | None = None, *, book: bool = True) -> list[Step]:
    """Every step, in the order in which they run.

    Parameters
    ----------
    settings : Settings
    parameters : dict, optional
        Chapters' own parameters that differ from what the notebooks say, ``name`` or ``chapter.name`` -> value.
    book : bool
        With the book at the end.

    Raises
    ------
    StepError
        For a parameter that no notebook declares, or a notebook without the shared ones.
    """
    _refuse_unknown(parameters or {})
    steps = [product_step(settings, product) for product in _built_products(settings)]
    chapters = [notebook_step(settings, path, parameters or {}) for path in notebooks.discover(repository_root())]
    steps += chapters
    if book:
        steps.append(book_step(settings, [step.name for step in chapters]))
    return steps


def with_selection(settings: Settings, parameters: dict[str, Any]) -> Settings:
    """The settings with those parameters that are criteria of the selection: they concern every step.

    Raises
    ------
    StepError
        When a criterion has no such value.
    """
    given = {name: value for name, value in parameters.items() if name in Criteria.model_fields}
    try:
        selection = Criteria.model_validate(settings.selection.model_dump() | given)
    except ValidationError as error:
        raise StepError("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())) from None
    return settings.model_copy(update={"selection": selection})


def select(steps: list[Step], names: Iterable[str]) -> list[Step]:
    """The named steps and all that they need, in order.

    Parameters
    ----------
    steps : list of Step
    names : iterable of str
        Name of a step; a notebook's may lack its number, or be its number.

    Raises
    ------
    StepError
        For a name that is none of the steps'.
    """
    wanted = {find(steps, name).name for name in names}
    for step in reversed(steps):
        if step.name in wanted:
            wanted.update(step.needs)
    return [step for step in steps if step.name in wanted]


def find(steps: list[Step], name: str) -> Step:
    """The step of that name, see `select`."""
    for step in steps:
        number, _, rest = step.name.partition("_")
        if name in (step.name, rest) or (number.isdigit() and name == number):
            return step
    raise StepError(f"there is no step '{name}'; the steps are {', '.join(step.name for step in steps)}")


def ensure(settings: Settings, name: str) -> Path:
    """Bring a product, and what it is made from, up to date; return where it lies.

    The run (``dmlib run``) and a notebook opened on its own take the same path and judge by the same records. Takes
    milliseconds when nothing changed. Otherwise builds, with a line that says why; a second process that wants the same
    product waits for the first.

    Parameters
    ----------
    settings : Settings
    name : str
        A key of `PRODUCTS`.

    Raises
    ------
    StepError
        When there is no such product, or it cannot be built as things stand.
    DmlibError
        Whatever the builder raises.
    """
    if name not in PRODUCTS:
        raise StepError(f"there is no data product '{name}'; the products are {', '.join(PRODUCTS)}")
    ensure_whole(settings)
    products, wanted = _built_products(settings), {name}
    for product in reversed(products):
        if product.name in wanted:
            wanted.update(product.needs)
    make((product_step(settings, product) for product in products if product.name in wanted), Places.of(settings))
    return PRODUCTS[name].location(settings)


def ensure_whole(settings: Settings) -> None:
    """For a subsample of a universe that is written here: make the whole one, which lies in another folder."""
    if settings.sample and settings.source.written_here:
        ensure(settings.whole, "universe")


def product_step(settings: Settings, product: Product) -> Step:
    """The step that builds one product."""
    named = [module for package in product.packages for module in modules_of(package)]
    modules = _code_of(settings, [product.builder.partition(":")[0], *named], product.needs)

    def act() -> list[Path]:
        call(product.builder, settings)
        return [product.location(settings)]

    return Step(
        name=product.name,
        kind="product",
        action=act,
        needs=_built(settings, product.needs),
        files=(*modules.values(), *data_files(modules)),
        parameters=_parameters(settings, product.uses),
        data=_universe_state(settings, product.needs),
        lock=product.name if product.name in BESIDE else "products",
        beside=product.name in BESIDE,
        place=product.location(settings),
    )


def notebook_step(settings: Settings, path: Path, parameters: dict[str, Any]) -> Step:
    """The step that executes one notebook; what it loads is read from its calls of `dmlib.load`."""
    text = path.read_text(encoding="utf-8")
    try:
        loaded, records = _loads(text)
        imported = imports_of_source(text)
    except SyntaxError as error:
        raise StepError(f"{path.name}, line {error.lineno}, is not Python: {error.msg}") from error
    readers = [PRODUCTS[name].reader for name in loaded] + [_REFERENCE_READER] * (_REFERENCE in records)
    modules = _code_of(settings, [*imported, *readers], loaded)
    values = notebook_parameters(settings, path, parameters)
    root = repository_root()
    paths = [root / "records" / f"{name}.json" for name in records]

    def act() -> list[Path]:
        written = notebooks.execute(path, settings, values)
        with FileLock(settings.build / ".state" / ".results.lock"):  # other chapters end beside this one
            results.collect(settings)
        return written

    return Step(
        name=path.stem,
        kind="notebook",
        action=act,
        needs=_built(settings, loaded),
        files=(*modules.values(), *data_files(modules), *(path for path in paths if path.is_file())),
        texts=(path,),
        parameters=_parameters(settings, ("selection", "radii", *vars(settings.sizes)))
        | {name: values[name] for name in values if name != "base_path"},
        data=_universe_state(settings, loaded) | _manifest_data(root, path) | _programs(imported),
        lock=path.stem,
        beside=True,
    )


def book_step(settings: Settings, chapters: list[str]) -> Step:
    """The step that builds the pages.

    An edited docstring of the packages does not make it stale, so the reference pages may lag behind the code until
    the pages are next built (``dmlib book`` builds them at any time).
    """
    root = repository_root()
    sources = [
        path
        for path in (root / "book").rglob("*")
        if path.is_file() and "_build" not in path.parts and "__pycache__" not in path.parts and path.suffix != ".ipynb"
    ]
    scripts = sorted((root / "book" / "_ext").glob("*.py"))
    modules = closure({name for path in scripts for name in imports_of_source(path.read_text(encoding="utf-8"))})

    return Step(
        name=BOOK,
        kind="book",
        action=lambda: build_pages(settings),
        needs=tuple(chapters),
        files=(*sorted(sources), *modules.values()),
        parameters=_parameters(settings, ("selection",)),
        lock=BOOK,
    )


def build_pages(settings: Settings, *chapter: str) -> list[Path]:
    """Build the book, or the page of one chapter alone, in a process of its own.

    Returns
    -------
    list of Path
        The folder of the pages.

    Raises
    ------
    StepError
        When the pages could not be built.
    """
    command = [sys.executable, str(repository_root() / "book" / "_ext" / "pages.py"), settings.model_dump_json()]
    done = subprocess.run([*command, *chapter], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepError(done.stderr.strip() or "the pages could not be built")
    return [settings.build / PREVIEW if chapter else settings.pages_dir]


def notebook_parameters(settings: Settings, path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Values that a notebook is executed with.

    Raises
    ------
    StepError
        When the notebook lacks a shared parameter, when a setting away from its default has no parameter, or when a
        value is of another type than the notebook's own.
    """
    declared = notebooks.declared_parameters(path)
    known = f"{path.name} knows {', '.join(declared) or 'no parameters'}"
    values: dict[str, Any] = {}
    for name in SHARED_PARAMETERS:
        if name not in declared:
            raise StepError(f"{path.name} has no parameter '{name}' in its cell tagged 'parameters'; {known}")
        values[name] = getattr(settings, name)
    values |= {name: value for name, value in settings.selection if name in declared}
    for name in ("simulation", "snapshot", "physics"):
        value = getattr(settings, name)
        if name in declared:
            values[name] = value
        elif name not in ENVIRONMENT and value != Settings.model_fields[name].default:
            raise StepError(f"{path.name} has no parameter '{name}', so it cannot run with {name}={value!r}; {known}")
    for name, default in declared.items():
        value = given.get(f"{chapter_of(path)}.{name}", given.get(name, default))
        if name in values:
            continue
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if default is not None and type(value) is not type(default):
            kind = type(default).__name__
            raise StepError(f"parameter '{name}' of {path.name} is {kind}, like {default!r}; {value!r} is not")
        values[name] = value
    return values


def chapter_of(path: Path) -> str:
    """A chapter's id in ``book/outline.yml``; where it has none, the notebook's name without its number."""
    outline = path.parents[1] / "book" / "outline.yml"
    ids = _outline(outline, outline.stat().st_mtime_ns) if outline.is_file() else {}
    return ids.get(path.stem) or re.sub(r"^\d+_", "", path.stem)


@lru_cache(maxsize=4)
def _outline(path: Path, changed: int) -> dict[str, str]:
    parts = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {Path(chapter["file"]).name: chapter["id"] for part in parts for chapter in part["chapters"]}


def _refuse_unknown(given: dict[str, Any]) -> None:
    paths = notebooks.discover(repository_root())
    own = {path: [n for n in notebooks.declared_parameters(path) if n not in SHARED_PARAMETERS] for path in paths}
    for name in given:
        if name in Criteria.model_fields:
            continue  # part of the settings, see `with_selection`
        chapter, _, bare = name.rpartition(".")
        if bare in Settings.model_fields:
            raise StepError(f"'{bare}' is a setting of the whole run: give it as --{bare.replace('_', '-')}")
        among = {path: names for path, names in own.items() if not chapter or chapter_of(path) == chapter}
        if not any(bare in names for names in among.values()):
            known = "; ".join(f"{path.name} knows {', '.join(names)}" for path, names in among.items() if names)
            where = f"notebook of chapter '{chapter}'" if chapter else "notebook"
            raise StepError(f"no {where} has a parameter '{bare}'; {known or 'none has parameters of its own'}")


def _built_products(settings: Settings) -> list[Product]:
    here, whole = settings.source.written_here, not settings.sample
    absent = {*(() if here and whole else ("universe",)), *(() if here else EMBEDDED_ONLY)}
    return [product for product in PRODUCTS.values() if product.name not in absent]


def _built(settings: Settings, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the named products that are steps of this run, in order."""
    wanted = set(names)
    return tuple(product.name for product in _built_products(settings) if product.name in wanted)


def _code_of(settings: Settings, modules: Iterable[str], products: Iterable[str]) -> dict[str, Path]:
    """Modules that count: the named ones, what they use, and what reads the universe if they do."""
    reading = [settings.source.module] if "universe" in products else []
    return closure([*modules, *reading])


def _parameters(settings: Settings, uses: Iterable[str]) -> dict[str, Any]:
    """Settings that count: the common ones and those named. Not base_path: a tree that was moved is the same tree."""
    values = settings.model_dump(include={"universe", "profile", "seed", "simulation", "snapshot", "sample", "physics"})
    for name in uses:
        if name == "radii":
            digest = hashlib.sha256(RADII_KPC.tobytes()).hexdigest()[:8]
            values["radii"] = f"{len(RADII_KPC)} from {RADII_KPC[0]:g} to {RADII_KPC[-1]:g} kpc ({digest})"
        elif name == "selection":
            values |= {f"selection.{key}": value for key, value in settings.selection.model_dump().items()}
        elif name != "name":
            values[f"profile.{name}"] = getattr(settings.sizes, name)
    return values


def _universe_state(settings: Settings, products: Iterable[str]) -> dict[str, str]:
    """What is known of a universe that is no step of this run, without reading it."""
    if "universe" not in products:
        return {}
    if settings.source.state:
        return call(f"{settings.source.module}:{settings.source.state}", settings)
    if settings.sample:
        return {"the whole universe": identity(record_of("universe", Places.of(settings.whole)))}
    return {}


def _loads(text: str) -> tuple[list[str], list[str]]:
    """Products and committed records that a notebook loads, as ``load.sample(settings)`` and ``load.record("name")``.

    A product's own function is one of `dmlib.load`'s; some of those load a product under another name.
    """
    products: set[str] = set()
    records: set[str] = set()
    for node in ast.walk(parse_script(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "load":
            products.update(LOADED.get(node.attr, (node.attr,) if node.attr in PRODUCTS else ()))
            records.update([_REFERENCE] if node.attr == "reference" else [])
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "load.record" and node.args:
            records.add(ast.literal_eval(node.args[0]))
    return [name for name in PRODUCTS if name in products], sorted(records)


def _programs(imported: Iterable[str]) -> dict[str, str]:
    """State of the programs that a notebook may run and that no package brings."""
    if any(name.startswith("dmlib.observe.skirt.") for name in imported):
        if not (os.environ.get("DMLIB_SKIRT") or shutil.which("skirt")):
            return {"the skirt executable": "absent"}  # which takes no import
        return {"the skirt executable": call("dmlib.observe.skirt.source:skirt_state")}
    return {}


def _manifest_data(root: Path, path: Path) -> dict[str, str]:
    """State of the manifest's entries for this chapter: what the entry says, and which content is here."""
    if not (root / "data_manifest.yaml").is_file():
        return {}
    states = {}
    for entry in load_manifest(root / "data_manifest.yaml").used_by(chapter_of(path)):
        if entry.access == "generated":
            continue  # a product, with a step of its own
        here = available(entry.name)
        states[entry.name] = here.sha256 or ("damaged" if here.state == "damaged" else "absent")
        states[f"{entry.name} in data_manifest.yaml"] = hashlib.sha256(entry.model_dump_json().encode()).hexdigest()
    return states
