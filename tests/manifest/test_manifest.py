"""The manifest's form and what it promises: checksums, licences, references, and errors that name the place."""

from __future__ import annotations

import hashlib
import re
import tomllib

import pytest
import yaml

from dmlib.errors import FetchError, ManifestError
from dmlib.manifest import load_manifest, parse
from dmlib.manifest.fetch import available, fetch, table, tree_sha256

ENTRY = """
thing:
  title: A thing
  description: For tests.
  access: open
  source: https://example.org/thing
  urls: ["https://example.org/thing.zip"]
  verified: true
  evidence: made up
  file: thing.fits
  format: fits
  sha256: "{sha}"
  licence: CC0
  citation: [Nobody2000]
""".replace("{sha}", "0" * 64)


@pytest.fixture(scope="module")
def manifest(repository):
    return load_manifest(repository / "data_manifest.yaml")


def test_holds_what_the_book_takes_from_elsewhere(manifest):
    names = {entry.name for entry in manifest.entries}
    assert names >= {
        "embedded-universe",
        "sparc-rotmod",
        "sparc-table",
        "ngc2903-cube",
        "tng100-catalogue-field",
        "tng100-halo-cutout",
        "tng100-subhalo-cutout",
        "tng100-skirt-image",
    }


def test_references_are_in_the_bibliography(manifest, repository):
    keys = set(re.findall(r"^@\w+\{(\S+),", (repository / "book/references.bib").read_text(), flags=re.M))
    assert {key for entry in manifest.entries for key in entry.citation} <= keys


def test_terms_of_the_glossary_stand_there_once(repository):
    """A term defined twice stops the book."""
    text = (repository / "book/glossary.md").read_text().partition("{glossary}")[2]
    terms = re.findall(r"^(\w[^\n]*)\n  \S", text, flags=re.M)
    assert len(terms) > 30 and sorted({term.lower() for term in terms}) == sorted(term.lower() for term in terms)


def test_the_bibliography_can_be_read(repository):
    """A bracket that a merge lost would stop the book at its very end."""
    from pybtex.database import parse_file

    text = (repository / "book/references.bib").read_text()
    assert len(parse_file(repository / "book/references.bib").entries) == len(re.findall(r"^@\w+\{", text, flags=re.M))


def test_bibliography_is_sorted(repository):
    keys = re.findall(r"^@\w+\{(\S+),", (repository / "book/references.bib").read_text(), flags=re.M)
    assert keys == sorted(keys, key=str.lower)
    assert len(keys) == len(set(keys))


def test_chapters_and_records_exist(manifest, repository):
    outline = yaml.safe_load((repository / "book/outline.yml").read_text())
    chapters = {chapter["id"] for part in outline for chapter in part["chapters"]}
    for entry in manifest.entries:
        assert set(entry.chapters) <= chapters, entry.name
        for record in entry.records:
            assert (repository / "records" / f"{record}.json").is_file(), entry.name


def test_embedded_universe_names_this_version(manifest, repository):
    version = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    assert manifest["embedded-universe"].version == version


def test_used_by(manifest):
    assert "sparc-rotmod" in {entry.name for entry in manifest.used_by("introduction")}
    assert manifest.used_by("no such chapter") == ()


def test_no_checksum_without_a_reason(manifest):
    for entry in manifest.entries:
        if entry.access in ("open", "tng-key"):
            assert (entry.sha256 is None) == bool(entry.no_checksum), entry.name


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format: fits", "format: gif", "format"),
        ("0" * 64, "123", "sha256"),
        ("https://example.org/thing.zip", "http://example.org/thing.zip", "urls.*https"),
        ("file: thing.fits", "file: ../thing.fits", "file.*inside"),
        ("file: thing.fits", "file: /etc/passwd", "file.*inside"),
        ("file: thing.fits", 'file: "{id}.fits"', "not in parameters"),
        ("  licence: CC0\n", "", "licence"),
        ("access: open", "access: generated", "generated"),
        ("citation: [Nobody2000]", "citation: []", "citation"),
        ("title: A thing", "title: A thing\n  colour: red", "colour"),
    ],
)
def test_a_fault_is_named(old, new, says):
    assert old in ENTRY
    with pytest.raises(ManifestError, match=rf"(?s)test\.yaml: entry 'thing'.*{says}"):
        parse(ENTRY.replace(old, new), "test.yaml")


def test_a_missing_checksum_needs_its_reason():
    with pytest.raises(ManifestError, match="no_checksum"):
        parse(ENTRY.replace(f'  sha256: "{"0" * 64}"\n', ""), "test.yaml")


@pytest.mark.parametrize("text", ["- a list", "thing: 3", "a: b: c"])
def test_not_a_manifest(text):
    with pytest.raises(ManifestError, match=r"test\.yaml"):
        parse(text, "test.yaml")


def test_missing_manifest(tmp_path):
    with pytest.raises(ManifestError, match=r"data_manifest\.yaml"):
        load_manifest(tmp_path / "data_manifest.yaml")


def test_unknown_entry_lists_the_known_ones(manifest):
    with pytest.raises(FetchError, match="sparc-rotmod"):
        manifest["sparc"]


@pytest.mark.parametrize("value", ["../../etc", "6/..", "6&x=1", "six", ""])
def test_parameters_cannot_leave_their_place(manifest, value):
    with pytest.raises(FetchError, match="subhalo_id"):
        fetch("tng100-skirt-image", manifest=manifest, subhalo_id=value)


def test_parameters_are_asked_for(manifest):
    with pytest.raises(FetchError, match=r"needs subhalo_id .* for example 6"):
        fetch("tng100-skirt-image", manifest=manifest)
    with pytest.raises(FetchError, match="no parameter 'snapshot'"):
        available("tng100-skirt-image", manifest=manifest, subhalo_id=6, snapshot=99)


def test_tree_checksum_is_that_of_sha256sum(tmp_path):
    """``sha256sum a b/c | sha256sum``: the listing's own checksum, so that anybody can repeat it."""
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "b" / "c").write_bytes(b"abc")
    empty, abc = hashlib.sha256(b"").hexdigest(), hashlib.sha256(b"abc").hexdigest()
    listing = f"{empty}  a\n{abc}  b/c\n"
    found = tree_sha256(tmp_path, [tmp_path / "b" / "c", tmp_path / "a"])
    assert found == hashlib.sha256(listing.encode()).hexdigest()


class TestRealMirror:
    """The folder of real data as a mirror: in place, verified."""

    @pytest.fixture(autouse=True)
    def _mirror(self, shared_data, tmp_path, monkeypatch):
        monkeypatch.setenv("DMLIB_MIRROR", str(shared_data))
        monkeypatch.setenv("DMLIB_DATA", str(tmp_path / "cache"))
        self.mirror, self.cache = shared_data.resolve(), tmp_path / "cache"

    @pytest.mark.parametrize(
        "name", ["sparc-rotmod", "sparc-table", "ngc2903-cube", "ngc2903-model", "tng100-catalogue-subset"]
    )
    def test_checksums_fit_the_mirrored_files(self, name, manifest):
        state = available(name, manifest=manifest)
        assert state.state == "mirror", state.detail
        assert state.path.is_relative_to(self.mirror)
        assert fetch(name, manifest=manifest) == state.path
        assert not self.cache.exists()

    def test_entry_with_parameters(self, manifest):
        path = fetch("tng100-skirt-image", manifest=manifest, subhalo_id=6)
        assert path.read_bytes()[:6] == b"SIMPLE"
        assert available("tng100-skirt-image", manifest=manifest).detail == "files: 1"
        assert available("tng100-skirt-image", manifest=manifest, subhalo_id=7).state == "absent"

    def test_table(self, manifest):
        rows = {row["name"]: row for row in table(manifest=manifest)}
        assert rows["sparc-table"]["state"] == "mirror"
        assert rows["embedded-universe"]["state"].startswith("generated")
        assert all(set(row) == set(rows["sparc-table"]) for row in rows.values())


def test_absent_without_mirror_and_network(tmp_path, monkeypatch, manifest):
    monkeypatch.delenv("DMLIB_MIRROR", raising=False)
    monkeypatch.setenv("DMLIB_DATA", str(tmp_path))
    assert available("sparc-table", manifest=manifest).state == "absent"
    assert available("tng100-skirt-image", manifest=manifest).state == "absent"
    with pytest.raises(FetchError, match="DMLIB_MIRROR"):
        fetch("tng100-catalogue-subset", manifest=manifest)
    with pytest.raises(FetchError, match="dmlib universe"):
        fetch("embedded-universe", manifest=manifest)


def test_mirror_that_is_no_folder(tmp_path, monkeypatch, manifest):
    monkeypatch.setenv("DMLIB_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(FetchError, match="DMLIB_MIRROR"):
        available("sparc-table", manifest=manifest)
