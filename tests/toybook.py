"""A small run for tests of the book: notebooks as the pipeline leaves them, with figures and recorded numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import numpy as np
import yaml

from claims import load_outline
from dmlib import results
from dmlib.figures import METADATA_KEY, show, style
from dmlib.settings import Settings

TEXT = """({name})=
# A toy chapter, {name}

**Objective** See a figure, a number and an equation on a page.

The mass within $R$, in the symbols of $M(<R)$, follows from the speed of a circular orbit,

$$M(<R) = \\frac{{V^2 R}}{{G}} .$$

A sentence ends *here*.
Another goes up to $M$.

Baselines are *baselines*, here and in `baseline`.

The measured value is {{num}}`{id}.mass:.1e±`, from {{num}}`{id}.n` galaxies; see {{numref}}`fig-toy-{slug}`.

## Summary

A toy."""

FOUND = """
front:
  - {when: "{toy01.mass} > 1e11", say: "The toy galaxy is massive, {toy01.mass:.1e}."}
  - {say: "It is alone."}
numbers:
  - {say: "{toy01.mass:.1e±}: mass of the toy galaxy"}
introduction:
  - - {when: "larger({toy01.mass}, 2e11)", say: "The toy galaxy is heavier than the other."}
    - {else: "The toy galaxy is not heavier than the other, {toy01.mass:.1e±}."}
fig-toy-01:
  - {say: "The speed tells a mass of {toy01.mass:.1e±}."}
"""

BOX = """```{found}
chapter: introduction
# The book fills this box from the recorded numbers.
```

```{recorded} toy01.mass
The mass is recorded.
```

```{not-recorded} toy01.mass
The mass is missing.
```

```{velocity-lab}
Try it.
```"""

EXERCISE = """:::{admonition} Exercise
:class: tip
What is the mass within 10 kpc at 200 km/s?
:::

:::{admonition} Solution
:class: dropdown
Some $9.3\\times10^{10}\\,M_\\odot$.
:::"""


def executed(code: str, outputs: list, count: int, tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    """A code cell that ran."""
    cell = nbformat.v4.new_code_cell(code, execution_count=count, outputs=outputs)
    cell.metadata["tags"] = list(tags)
    return cell


def figure_outputs(settings: Settings, name: str) -> list:
    """Save a figure as a chapter does; the outputs that `show` leaves in a notebook."""
    fig, ax = style.new_figure()
    radius = np.geomspace(1, 100, 20)
    for role, top in (("total", 220.0), ("dark_matter", 180.0), ("stars", 120.0)):
        speed = top * np.tanh(radius / 8)
        ax.plot(radius, speed, label=role.replace("_", " "), **style.line(role))
        style.plotted(fig, role, radius_kpc=radius, v_circ_km_s=speed)
    ax.set(xscale="log", xlabel="Radius [kpc]", ylabel=r"Circular velocity [km s$^{-1}$]")
    ax.legend()
    caption, alt = (
        "Circular velocity, $V^2 = GM/R$, of a toy galaxy.",
        "Three rising curves that turn flat beyond 10 kpc.",
    )
    show(fig, settings, name, caption=caption, alt=alt, n=3)
    # The caption as `show` completes it is tested where a kernel runs; here the page needs only its form.
    caption = f"{caption} *Data: {settings.label}; n = 3 galaxies.*"
    shown = {METADATA_KEY: {"figure": name, "caption": caption, "alt": alt}}
    told = {METADATA_KEY: {"caption_of": name}}
    return [
        nbformat.v4.new_output("display_data", data={"text/plain": name}, metadata=shown),
        nbformat.v4.new_output("display_data", data={"text/plain": caption}, metadata=told),
    ]


def table_output() -> nbformat.NotebookNode:
    """What `show_table` leaves, with signs that MyST would take for its own."""
    cells = [["name", "mass [M☉]"], ["a|b_c*d*", "1.4e+11"], ["{x}`y` $z$", "-2.0"]]
    shown = {METADATA_KEY: {"table": cells, "caption": "Toy masses, $M$. *Data: toys.*"}}
    return nbformat.v4.new_output("display_data", data={"text/html": "<table></table>"}, metadata=shown)


def toy_run(settings: Settings, root: Path, repository: Path) -> Path:
    """Make a repository with the true book folder and one toy notebook for each page of its table of contents."""
    shutil.copytree(
        repository / "book", root / "book", ignore=shutil.ignore_patterns("_build", "__pycache__", "*.ipynb")
    )
    shutil.copy2(repository / "CHANGELOG.md", root)
    config = root / "book" / "_config.yml"
    # One room's reference pages show that they work; all of them take half a minute.
    config.write_text(config.read_text().replace("api_packages: [dmlib, mocktng]", "api_packages: [dmlib.manifest]"))
    claims = root / "book" / "claims.yml"
    rows = yaml.safe_load(claims.read_text())
    for row in rows:
        # The toy chapters do not record what the true ones do.
        for key in ("result", "criterion", "format", "floor", "readings", "why"):
            row.pop(key, None)
    rows[0] |= {"chapter": "introduction", "result": "toy01.mass", "criterion": "<= 2e11", "format": ".1e"}
    rows[0] |= {"floor": "toy01.n"}
    rows[1] |= {"chapter": "selection", "result": "toy02.mass", "criterion": ">= 2e11", "why": "Because it is a toy."}
    rows[1] |= {"readings": [{"reading": "a toy", "result": "toy01.n", "criterion": "== 3"}]}
    claims.write_text(yaml.safe_dump(rows, allow_unicode=True, sort_keys=False))
    (root / "book" / "found.yml").write_text(FOUND)
    settings.notebooks_dir.mkdir(parents=True)
    for part in load_outline(root / "book" / "outline.yml"):
        for chapter in part.chapters:
            if (repository / f"{chapter.file}.py").is_file():
                toy_chapter(settings, root, Path(chapter.file).name)
    return root


def toy_chapter(settings: Settings, root: Path, name: str) -> None:
    """Write a chapter's notebook, and run it as the pipeline would."""
    (root / "notebooks").mkdir(exist_ok=True)
    (root / "notebooks" / f"{name}.py").touch()
    id = f"toy{name[:2]}"
    slug = name[:2]
    statement = "Dynamical mass within 10 kpc of the toy galaxy"
    results.record(settings, f"{id}.mass", 1.4e11, error=2e10, unit="Msun", chapter=id, statement=statement, n=3)
    results.record(settings, f"{id}.n", 3, chapter=id, statement="Galaxies of the toy sample")
    noise = nbformat.v4.new_output("stream", name="stderr", text="100%|####| 3/3")
    table = nbformat.v4.new_output("stream", name="stdout", text="cut            left\nall               3\n")
    defaults = 'universe = "embedded"  # where galaxies come from\nseed = 1  # root of every random number'
    notebook = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}})
    notebook.cells = [
        nbformat.v4.new_markdown_cell(TEXT.format(name=name.replace("_", "-"), id=id, slug=slug)),
        executed(defaults, [], 1, ("parameters",)),
        executed('# Parameters\nuniverse = "embedded"\nseed = 1\n', [], 2, ("injected-parameters",)),
        executed("print(funnel)", [noise, table], 3),
        executed("show(figure, settings)", figure_outputs(settings, f"toy_{slug}"), 4),
        executed("show_table(table, caption=caption)", [table_output()], 5),
        nbformat.v4.new_markdown_cell(EXERCISE),
    ]
    if name == "01_introduction":
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(BOX))
    nbformat.write(notebook, settings.notebooks_dir / f"{name}.ipynb")
