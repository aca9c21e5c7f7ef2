"""The book is built from executed notebooks or not at all; its pages are sound, as files and in a browser."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

import chapters
import claims
import dmlib_book
import page_checks
import pages as builder
from dmlib.figures import METADATA_KEY
from dmlib.settings import Settings
from toybook import toy_chapter, toy_run
from web import MATHJAX_LOADS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# The pages are built once: all of this in one process.

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH to look at the pages with")


@pytest.fixture(scope="module")
def toy(tmp_path_factory, repository):
    """Folder with a repository in ``checkout`` and a run of its toy chapters in ``build``."""
    folder = tmp_path_factory.mktemp("toy")
    toy_run(Settings(profile="smoke", build_root=str(folder / "build")), folder / "checkout", repository)
    return folder


@pytest.fixture
def run(toy, tmp_path):
    """Settings and repository of a copy of the toy run, not built yet, free to be spoilt."""
    shutil.copytree(toy, tmp_path / "toy")
    return Settings(profile="smoke", build_root=str(tmp_path / "toy" / "build")), tmp_path / "toy" / "checkout"


@pytest.fixture(scope="module")
def run_with_a_new_chapter(toy, tmp_path_factory):
    """Settings and repository of a copy of the toy run with one more chapter: a notebook, and a row of the outline."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(toy, folder / "toy")
    settings = Settings(profile="smoke", build_root=str(folder / "toy" / "build"))
    root = folder / "toy" / "checkout"
    toy_chapter(settings, root, "77_toy")
    with open(root / "book" / "outline.yml", "a") as outline:
        outline.write("    - {id: toy77, title: The toy chapter, file: notebooks/77_toy}\n")
        outline.write("    - {id: toy88, title: A chapter without notebook, file: notebooks/88_absent}\n")
    return settings, root


@pytest.fixture(scope="module")
def pages(run_with_a_new_chapter):
    """The pages of that run, built once."""
    settings, root = run_with_a_new_chapter
    return builder.build(settings, root=root).parent


def test_a_chapter_alone(run):
    settings, root = run
    name = first_notebook(settings).stem
    page = builder.preview(settings, name, root=root)
    assert soup(page.parent / "notebooks" / f"{name}.html").find("h1")
    assert [*(page.parent / "notebooks").glob("*.html")] == [page.parent / "notebooks" / f"{name}.html"]
    assert not (root / "book" / "_build").exists() and not (settings.build / "book_source").exists()


def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def first_notebook(settings) -> Path:
    return min(settings.notebooks_dir.glob("*.ipynb"))


# --- the pages, as files -------------------------------------------------------------------------------------------


def test_the_pages_are_sound(pages, run_with_a_new_chapter):
    toc = run_with_a_new_chapter[0].build / "book_source" / "_toc.yml"
    assert page_checks.check(pages, toc=toc, private=page_checks.machine_paths()) == []


def test_a_new_chapter_needs_its_notebook_and_a_row_of_the_outline(pages):
    page = soup(pages / "notebooks" / "77_toy.html")
    number = 1 + len(list((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.py")))
    assert page.find("figure", id="fig-toy-77").figcaption.get_text().strip().startswith(f"Fig. {number}.1 ")
    link = soup(pages / "index.html").select_one("nav a[href='notebooks/77_toy.html']")
    assert link.get_text().split()[0] == f"{number}."
    assert "The toy chapter" in soup(pages / "index.html").find(class_="outline-box").get_text()


def test_the_order_of_the_pages(run_with_a_new_chapter):
    contents = claims.table_of_contents(run_with_a_new_chapter[1])
    captions = [part["caption"] for part in contents["parts"]]
    assert captions[0] == "About this book" and captions[1] == "The problem" and captions[-1] == "Reference"
    assert captions[-2] == "What follows"
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    assert [file for file in files if "/" in file] == sorted(file for file in files if "/" in file)


def test_a_built_book_is_sound(repository):
    """The true book, where one lies in this checkout (the pipeline's test builds one of its own)."""
    html = repository / "book" / "_build" / "html"
    if not (html / "index.html").is_file():
        pytest.skip("no book is built here")
    assert page_checks.check(html, private=page_checks.machine_paths()) == []


def test_a_figure_has_number_caption_alt_text_and_its_numbers(pages):
    page = soup(pages / "notebooks" / "01_introduction.html")
    figure = page.find("figure", id="fig-toy-01")
    assert figure.find("img")["alt"] == "Three rising curves that turn flat beyond 10 kpc."
    told = figure.figcaption.get_text()
    assert told.strip().startswith("Fig. 1.1 ")
    assert "not TNG), profile smoke; n = 3 galaxies" in told
    kinds = {Path(a["href"]).suffix for a in figure.find_all("a", class_="download")}
    assert kinds == {".pdf", ".csv"}
    # Shown once, and referred to by its number.
    assert len(page.find_all("img", alt=figure.find("img")["alt"])) == 1
    shown = figure.find_next("p", class_="figure-found").get_text()
    assert shown.startswith("What it shows. The speed tells a mass of ")
    assert len(page.find_all("p", class_="figure-found")) == 1
    assert page.find("a", href="#fig-toy-01", class_="reference").get_text() == "Fig. 1.1"


def test_a_table_has_a_number_a_caption_and_its_cells_as_they_are(pages):
    table = soup(pages / "notebooks" / "01_introduction.html").caption.parent
    assert table.caption.get_text().startswith("Table 1.1 Toy masses")
    assert [cell.get_text().strip() for cell in table.find_all(["th", "td"])][::2] == [
        "name",
        "a|b_c*d*",
        "{x}`y` $z$",
    ]
    assert "text-right" in table.tbody.find_all("td")[1]["class"]


def test_a_table_with_a_cell_that_is_none_stops_the_book():
    shown = {"table": [["name"], ["None"]], "caption": "Toys."}
    with pytest.raises(builder.BookError, match=r"'Toys\.' is None"):
        chapters._table_cell(shown)


def test_numbers_come_from_the_results(pages):
    number = soup(pages / "notebooks" / "01_introduction.html").find("abbr", class_="num")
    # The Sun as mathematics has it.
    assert number.get_text() == "(1.4\u00a0±\u00a00.2)\u00a0×\u00a010¹¹\u00a0M⊙"
    assert number.find("em").get_text() == "M" and number.find("sub").get_text() == "⊙"
    assert number["title"].startswith(
        "Dynamical mass within 10 kpc of the toy galaxy (embedded universe, profile smoke"
    )


def test_a_formula_keeps_its_punctuation(pages):
    page = soup(pages / "notebooks" / "01_introduction.html")
    kept = [tag.get_text() for tag in page.find_all(class_="formula")]
    assert kept[:3] == [r"\(R\),", r"\(M(<R)\),", r"\(M\)."]
    # The full stops of one paragraph are equal texts, and each stays where it is.
    assert "A sentence ends here.\nAnother goes up to \\(M\\).\n" in page.get_text()
    assert "The mass within \\(R\\), in the symbols" in page.get_text()


def test_what_is_for_screens_only_stays_out(pages):
    told = soup(pages / "notebooks" / "01_introduction.html").get_text()
    assert "###" not in told and "# Parameters" not in told
    assert "all               3" in told


def test_the_front_page_says_what_the_book_was_made_from(pages):
    page = soup(pages / "index.html")
    assert "embedded universe" in page.find(class_="run-summary").get_text()
    table = page.find("table", class_="claims")
    assert "met on the embedded universe (profile smoke)" in table.get_text()
    assert table.find(class_="verdict-unmeasured")
    chapters = [item.get_text() for item in page.select("ul.outline li")]
    assert [chapter for chapter in chapters if "not in this copy" in chapter] == chapters[-1:]
    assert page.select_one("ul.outline a")["href"] == "notebooks/01_introduction.html"


def test_the_two_tables_of_claims_and_their_tallies(pages):
    page = soup(pages / "claims.html")
    paper, scripts = page.find_all("table", class_="claims")
    heads = [[title.get_text() for title in table.thead.find_all("th")] for table in (paper, scripts)]
    assert heads == [["Claim", "Paper", "Here", "Floor", "Verdict"], ["Check", "Intended", "Here", "Verdict"]]
    first, second, reading = paper.tbody.find_all("tr")[:3]
    assert first.find_all("td")[3].find("abbr", class_="num") and not second.find_all("td")[3].find("abbr")
    assert "not met" in second.get_text() and "criterion: ≥ 2 × 10¹¹" in second.get_text()
    assert "Read instead as: a toy" in reading.get_text() and reading.find(class_="verdict-met")
    assert "Criterion changed after results were seen: 20" in paper.get_text()
    for name in ("claims", "index"):
        one, two = (box.get_text() for box in soup(pages / f"{name}.html").find_all(class_="tally"))
        assert "On the embedded universe: 1 met, 1 not met. Without a verdict: " in one
        assert "Without a verdict: " in two


def test_a_box_shows_the_sentences_that_the_numbers_choose_and_names_their_data(pages):
    box = soup(pages / "notebooks" / "01_introduction.html").find(class_="found")
    assert box.find(class_="admonition-title").get_text() == "What we found"
    assert box.find(class_="found-where").get_text() == "On the embedded universe (profile smoke)."
    assert [item.get_text().split(",")[0] for item in box.find_all("li")] == [
        "The toy galaxy is not heavier than the other"
    ]
    assert "±" in box.find("abbr", class_="num").get_text() and "The book fills" not in box.get_text()
    front = soup(pages / "index.html").find(class_="found")
    assert not front.find("li") and "It is alone." in front.get_text()


def test_reference_pages_show_docstrings(pages):
    page = soup(pages / "api" / "dmlib.manifest.html")
    told = page.find(id="dmlib.manifest.fetch.fetch").find_parent("dl").get_text()
    assert "verified; downloaded when it is not here yet" in told and "Raises" in told and "subhalo_id=6" in told
    assert page.find("a", href="#dmlib.manifest.download.Downloader", class_="reference")
    assert not page.find(id="dmlib.manifest.fetch.fetch_")


def test_a_difference_is_explained_on_the_page_of_claims(pages):
    assert "Because it is a toy." in soup(pages / "claims.html").get_text()
    assert "Because it is a toy." not in soup(pages / "index.html").get_text()


# --- no book from a faulty run --------------------------------------------------------------------------------------


def change(settings, edit):
    """Edit the first executed notebook."""
    path = first_notebook(settings)
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)
    return path.stem


def test_a_notebook_that_was_not_executed_stops_the_book(run):
    settings, root = run
    first_notebook(settings).unlink()
    with pytest.raises(builder.BookError, match="01_introduction has not been executed"):
        builder.build(settings, root=root)


def test_a_failed_notebook_stops_the_book(run):
    settings, root = run
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    change(settings, lambda notebook: notebook.cells[3].outputs.append(error))
    with pytest.raises(builder.BookError, match=r"01_introduction failed in cell 4 \(ValueError\)"):
        builder.build(settings, root=root)


def test_a_notebook_that_stopped_half_way_stops_the_book(run):
    settings, root = run
    change(settings, lambda notebook: notebook.cells[4].update(execution_count=None))
    with pytest.raises(builder.BookError, match="stopped before cell 5"):
        builder.build(settings, root=root)


def test_a_damaged_notebook_stops_the_book(run):
    settings, root = run
    first_notebook(settings).write_text("{")
    with pytest.raises(builder.BookError, match="damaged"):
        builder.build(settings, root=root)


def test_a_figure_s_name_is_used_once(run):
    settings, root = run

    def rename(notebook):
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if "figure" in output.get("metadata", {}).get(METADATA_KEY, {}):
                    output.metadata[METADATA_KEY]["figure"] = "toy_02"

    change(settings, rename)
    with pytest.raises(builder.BookError, match=r"toy_02.*01_introduction.*02_embedded_universe"):
        builder.build(settings, root=root)


def test_a_number_that_nobody_recorded_stops_the_book_and_the_old_pages_stay(run):
    settings, root = run
    html = root / "book" / "_build" / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("the old pages")
    # Fewer pages, to be quicker: this book fails anyway.
    few = [{"file": f"notebooks/{name}"} for name in ("01_introduction", "03_simulation_and_selection")]
    toc = {"format": "jb-book", "root": "index", "chapters": [{"file": "claims"}, *few]}
    (root / "book" / "_toc.yml").write_text(yaml.safe_dump(toc))
    config = root / "book" / "_config.yml"
    config.write_text(config.read_text().replace("api_packages: [dmlib.manifest]", "api_packages: []"))
    unknown = nbformat.v4.new_markdown_cell("Nobody knows {num}`toy01.masss` and {num}`toy01.n±`.")
    change(settings, lambda notebook: notebook.cells.append(unknown))
    (settings.build / "results" / "toy02.json").write_text("[]")
    with pytest.raises(builder.BookError) as raised:
        builder.build(settings, root=root)
    # The first complaint by its page, all of them in the log.
    assert re.search(r"^the book was not built: claims\.md:\d+: claim 'intermediate-all' needs", str(raised.value))
    assert "more in book.log" in str(raised.value)
    log = (settings.build / "book.log").read_text()
    assert re.search(r"01_introduction\.ipynb:\d+: WARNING: no chapter recorded the number 'toy01\.masss'", log)
    assert "(there are: toy01.mass, toy01.n)" in log
    assert "result 'toy01.n' has no error to quote" in log
    assert (html / "index.html").read_text() == "the old pages"


def test_pages_are_replaced_whole(tmp_path):
    new, out = tmp_path / "work" / "html", tmp_path / "book" / "html"
    for folder, name in ((new, "new.html"), (out, "old.html")):
        folder.mkdir(parents=True)
        (folder / name).touch()
    builder._replace(new, out)
    assert [path.name for path in out.iterdir()] == ["new.html"]
    assert [path.name for path in out.parent.iterdir()] == ["html"]


# --- staging --------------------------------------------------------------------------------------------------------


def parameters(injected: str) -> list[str]:
    """Sources of the page's cells, for a notebook that papermill ran with these parameters."""
    notebook = nbformat.v4.new_notebook()
    own = 'universe = "embedded"  # where µ galaxies are from\nseed = 1  # root\nbase_path = ""  # a folder'
    cell, copy = (nbformat.v4.new_code_cell(code) for code in (own, injected))
    cell.metadata["tags"], copy.metadata["tags"] = ["parameters"], ["injected-parameters"]
    notebook.cells = [cell, copy]
    builder.stage_notebook(notebook, Path(), "notebooks/01_toy")
    return [cell.source for cell in notebook.cells]


def test_the_parameters_cell_shows_the_run_s_values_without_the_machine_s_folders():
    own = 'universe = "embedded"  # where µ galaxies are from\nseed = 1  # root\nbase_path = ""  # a folder'
    assert parameters('# Parameters\nuniverse = "embedded"\nseed = 1\n') == [own]
    given = '# Parameters\nuniverse = "files"\nseed = 12\nbase_path = "/data/someone/TNG100-1/output"\n'
    shown = 'universe = "files"  # where µ galaxies are from\nseed = 12  # root\nbase_path = "…/output"  # a folder'
    assert parameters(given) == [shown]


def test_widgets_stay_in_the_notebook():
    widget = nbformat.v4.new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}})
    cell = nbformat.v4.new_code_cell("bar()", outputs=[widget])
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    builder.stage_notebook(notebook, Path(), "notebooks/01_toy")
    assert notebook.cells[0].outputs == [] and "widgets" not in notebook.metadata


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("show(\n    figure,\n    settings,\n)", "hide-input"),
        ("show(figure, settings)", ""),
        ('here = {"n": 3}\nrecord(\n    settings,\n    **here,\n)', "remove-input"),
        ("for name in names:\n    record(\n        name,\n    )", "remove-input"),
        ("for a in b:\n    m = np.median(a)\n    record(\n        m)\nn = len(b)", "remove-input"),
        ("m = np.median(a)\nn = len(b)\n\nprint(m, n)", ""),
        ("mass = weigh(galaxy)\nrecord(settings, mass)", "hide-input"),
        ("a = 1\nb = 2\nc = 3\nd = 4", ""),
        ("results.record(settings, mass)", "remove-input"),
        ('record = recorder(settings, chapter="one")\nrecord(\n    "mass",\n    mass,\n)', "remove-input"),
        ('record_real = recorder(settings, universe="TNG100-1")\nrecord_real("mass", mass)', "remove-input"),
    ],
)
def test_what_records_is_not_shown_what_presents_is_folded_what_computes_stays_open(code, tag):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    builder.stage_notebook(notebook, Path(), "notebooks/01_toy")
    assert notebook.cells[0].metadata.get("tags", []) == [tag] * bool(tag)
    labels = notebook.cells[0].metadata.get("mystnb", {"code_prompt_show": ""})
    assert bool(tag) is (labels["code_prompt_show"] == "Code of the numbers below")


def test_code_is_named_after_its_figure(run):
    settings, _ = run
    notebook = nbformat.read(first_notebook(settings), as_version=4)
    cell = next(cell for cell in notebook.cells if cell.source.startswith("show("))
    cell.source = "show(\n    figure,\n    settings,\n)"
    builder.stage_notebook(notebook, settings.figures_dir, "notebooks/01_introduction", number=4)
    assert cell.metadata["mystnb"]["code_prompt_show"] == "Code of figure 4.1"


def test_a_chapter_s_tools_and_questions(pages):
    page = soup(pages / "notebooks" / "01_introduction.html")
    tools = page.find(class_="chapter-tools")
    assert [Path(link["href"]).name for link in tools.find_all("a")] == ["01_introduction.ipynb", "01_introduction.py"]
    section = page.find("section", id="check-yourself")
    assert section.find_next_sibling("section")["id"] == "summary"
    assert len(section.find_all(class_="answer")) == 3


def test_text_for_what_was_recorded(pages):
    told = soup(pages / "notebooks" / "01_introduction.html").get_text()
    assert "The mass is recorded." in told and "The mass is missing." not in told


@pytest.mark.parametrize(("universe", "simulated"), [("embedded", True), ("SPARC", False)])
def test_a_chapter_without_its_real_data_has_another_title(universe, simulated):
    real = claims.Real(result="a", data="the data", title="Simulated curves")
    chapter = claims.Chapter(id="a", title="Real curves", file="notebooks/01_a", real=real)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("(a)=\n# Real curves\n\nText.")])
    builder._name_what_is_shown(notebook, chapter, {"a": {"universe": universe}})
    told = notebook.cells[0].source
    assert ("# Simulated curves\n" in told and "made without the data" in told) is simulated
    assert ("# Real curves\n" in told) is not simulated


def test_a_glossary_s_term_is_linked_once_with_its_meaning(pages):
    page = soup(pages / "notebooks" / "01_introduction.html")
    links = page.select("a.term")
    assert [link.get_text().lower() for link in links].count("baselines") == 1
    assert links[0]["href"] == "../glossary.html#term-baseline"
    assert links[0]["title"].startswith("A prediction that uses little or no information")


def test_links_of_a_repository_appear_where_its_address_is_given(tmp_path):
    config = tmp_path / "_config.yml"
    config.write_text('repository:\n  url: ""\nhtml: {}\n')
    assert builder._tools("01_a", 12.3, builder._configure(config)).count("](") == 0
    config.write_text("repository:\n  url: https://github.com/some/book/\nhtml: {}\n")
    tools = builder._tools("01_a", 130, builder._configure(config))
    assert "(https://mybinder.org/v2/gh/some/book/HEAD?urlpath=lab/tree/notebooks/01_a.py)" in tools
    assert "(https://github.com/some/book/edit/main/notebooks/01_a.py)" in tools and tools.endswith("ran in 2 min")
    assert yaml.safe_load(config.read_text())["html"]["use_repository_button"] is True


# --- the checker itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<a href="gone.html">x</a>', "gone.html, which is not there"),
        ('<a href="index.html#gone">x</a>', "no such anchor"),
        ('<a href="#gone">x</a>', "no such anchor"),
        ('<img src="a.png">', "no alternative text"),
        ('<img src="a.png" alt="a.png">', "file name for an alternative text"),
        ('<img src="https://example.org/a.png" alt="A">', "loads https://example.org/a.png from the web"),
        ('<script src="//example.org/a.js"></script>', "from the web"),
        ('<script>const u = "https://example.org/a.js"</script>', "from the web"),
        ('<link rel="stylesheet" href="https://example.org/a.css">', "from the web"),
        ('<span class="math">x</span>', "no MathJax"),
        ('<figure id="f"><img src="a.png" alt="A curve"></figure>', "no number or no caption"),
        (
            '<figure id="f"><figcaption><span class="caption-number">Fig. 1</span> A.</figcaption></figure>',
            "on which data",
        ),
        ("<p>/secret/folder/</p>", "contains '/secret/folder/'"),
    ],
)
def test_the_checker_sees_each_fault(tmp_path, body, told):
    (tmp_path / "a.png").touch()
    (tmp_path / "index.html").write_text(f"<html><body>{body}</body></html>")
    faults = page_checks.check(tmp_path, private=["/secret/folder/"])
    assert len(faults) == 1 and told in faults[0]


def test_the_checker_accepts_what_is_right(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "index.html").write_text(
        '<a href="https://example.org">x</a><a href="#here">x</a><p id="here"></p><a href="mailto:a@b.c">x</a>'
        '<figure><img src="a.png" alt="A curve"><figcaption><span class="caption-number">Fig. 1</span> Data: x.'
        "</figcaption></figure>"
    )
    assert page_checks.check(tmp_path) == []


def test_the_checker_reads_style_sheets_and_the_table_of_contents(tmp_path):
    (tmp_path / "index.html").touch()
    (tmp_path / "a.css").write_text("@font-face { src: url('https://example.org/f.woff') }")
    toc = tmp_path / "_toc.yml"
    toc.write_text("root: index\nparts: [{chapters: [{file: notebooks/one}]}]")
    missing, font = page_checks.check(tmp_path, toc=toc)
    assert "notebooks/one.html" in missing and "f.woff" in font


# --- the pages, in a browser with no network --------------------------------------------------------------------------


def opened(address: str, scratch: Path) -> str:
    """The page as Chromium has it after its scripts ran; every host name is unknown to it."""
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files", f"--user-data-dir={scratch}"]
    command += ["--virtual-time-budget=20000", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@needs_browser
def test_mathematics_is_shown_without_a_network(pages, tmp_path):
    page = BeautifulSoup(opened((pages / "notebooks" / "01_introduction.html").as_uri(), tmp_path), "html.parser")
    written = page.find_all(class_="math")
    assert len(written) >= 3
    assert all(tag.find("mjx-container") for tag in written)
    assert not page.find("mjx-merror")


@needs_browser
@pytest.mark.parametrize("name", ["index", "claims", "how_to_use", "notebooks/01_introduction"])
def test_a_page_fits_a_phone(pages, tmp_path, name):
    address = (pages / f"{name}.html").as_uri()
    frame = tmp_path / "phone.html"
    frame.write_text(
        f'<iframe src="{address}" width="390" height="844" onload="const d = this.contentDocument.documentElement;'
        "document.title = 'width ' + d.scrollWidth + ' of ' + d.clientWidth\"></iframe>"
    )
    shown = opened(frame.as_uri(), tmp_path / "user")
    needed, there = re.search(r"<title>width (\d+) of (\d+)</title>", shown).groups()
    assert int(there) > 300
    assert int(needed) <= int(there)


@needs_browser
def test_the_velocity_field_to_try_answers(pages, tmp_path):
    page = BeautifulSoup(opened((pages / "notebooks" / "01_introduction.html").as_uri(), tmp_path), "html.parser")
    lab = page.find(class_="velocity-lab")
    assert lab.get("hidden") is None
    assert re.search(r"Inclination 60°, beam 4\.0 kpc: .* \d+ % too low", lab.find("output").get_text())


def axe_core() -> Path | None:
    """The script of axe-core: the file that AXE_CORE names, or that of a Python package that carries it."""
    if os.environ.get("AXE_CORE"):
        return Path(os.environ["AXE_CORE"])
    for package in ("axe_playwright_python", "axe_core_python"):
        spec = importlib.util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            return next(Path(folder).rglob("axe.min.js"), None)
    return None


#: Frames of a desktop and a phone, each in light and in dark, one after the other.
AXE_PAGE = """<script>{axe}</script><script>
const told = [];
async function look(width, theme) {{
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 900; frame.src = "{address}";
  await new Promise(done => {{ frame.onload = done; document.body.append(frame); }});
  const page = frame.contentDocument;
  page.documentElement.dataset.theme = theme;
  const script = page.createElement("script");
  script.textContent = document.scripts[0].textContent;
  page.head.append(script);
  const found = await frame.contentWindow.axe.run(page);
  for (const fault of found.violations)
    told.push(`${{width}} ${{theme}} ${{fault.id}} ${{fault.nodes.length}}: ${{fault.nodes[0].html.slice(0, 150)}}`);
  frame.remove();
}}
onload = async () => {{
  for (const width of [1280, 390]) for (const theme of ["light", "dark"]) await look(width, theme);
  const list = document.createElement("pre");
  list.id = "told";
  list.textContent = ["looked", ...told].join("\\n");
  document.body.append(list);
}};
</script><body></body>"""


@needs_browser
@pytest.mark.skipif(axe_core() is None, reason="no axe-core: name axe.min.js in AXE_CORE")
@pytest.mark.parametrize("name", ["index", "claims", "search", "notebooks/01_introduction", "notebooks/12_profiles"])
def test_a_page_is_accessible(pages, tmp_path, name):
    address = (pages / f"{name}.html").as_uri()
    frame = tmp_path / "axe.html"
    frame.write_text(AXE_PAGE.format(axe=axe_core().read_text(encoding="utf-8"), address=address))
    shown = BeautifulSoup(opened(frame.as_uri(), tmp_path / "user"), "html.parser").find(id="told")
    assert shown is not None and shown.get_text().splitlines() == ["looked"]


def test_pages_are_light(pages):
    """What a browser loads at once: the limits are those of a text page and of a chapter without its pictures."""
    static = pages / "_static"
    icons, formulae = (
        list(static.rglob("fa-solid-900.*")),
        [static / "mathjax" / f"{part}.js" for part in MATHJAX_LOADS],
    )
    assert [path.suffix for path in icons] == [".woff"]
    for name, most in (("how_to_use", 1.5e6), ("glossary", 1.5e6), ("notebooks/01_introduction", 3e6)):
        page = soup(pages / f"{name}.html")
        loaded = [tag["src"] for tag in page.find_all("script", src=True)]
        loaded += [tag["href"] for tag in page.find_all("link", rel="stylesheet")]
        paths = [(pages / name).parent / address.partition("?")[0] for address in loaded]
        assert len(paths) == len(set(paths)), "a script is loaded twice"
        paths += [*icons, *(formulae if any("mathjax" in address for address in loaded) else ())]
        assert sum(path.stat().st_size for path in [*paths, pages / f"{name}.html"]) < most
        assert all(tag.get("loading") == "lazy" and tag.get("height") for tag in page.select("figure img"))


@pytest.mark.parametrize(
    ("processes", "order"),
    [(0, "54321fg"), (1, "54321fg"), (2, "53142fg"), (9, "54321fg")],
)
def test_processes_begin_with_equal_shares_of_the_api(processes, order, tmp_path):
    """Seven pages for two processes: each begins with three, and one is left."""
    (tmp_path / "api").mkdir()
    sizes = {"api/1": 1, "api/2": 2, "api/3": 3, "api/4": 4, "api/5": 5, "g": 8, "f": 9}
    for page, size in sizes.items():
        (tmp_path / page).write_text("x" * size)
    environment = SimpleNamespace(doc2path=lambda page: str(tmp_path / page))
    dmlib_book._deal(SimpleNamespace(parallel=processes), environment, pages := list(sizes))
    assert "".join(pages).replace("api/", "") == order


def test_no_page_is_dealt_where_there_is_none():
    dmlib_book._deal(SimpleNamespace(parallel=2), SimpleNamespace(), pages := [])
    assert pages == []


@pytest.mark.parametrize("turn", [list, reversed])
def test_citations_do_not_depend_on_which_process_ended_first(turn):
    pages = ["bibliography", "notebooks/01_introduction", "notebooks/20_conclusions"]
    found = {"cite": {"bibliographies": {(page, "id"): page for page in turn(pages)}}}
    dmlib_book._order(None, SimpleNamespace(domaindata=found))
    assert list(found["cite"]["bibliographies"].values()) == pages[::-1]
