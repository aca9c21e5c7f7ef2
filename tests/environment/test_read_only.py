"""A checkout that is only read: everything that a run writes follows ``DMLIB_BUILD``, the pages too."""

from __future__ import annotations

import pytest

from toy_repository import ToyRepository


@pytest.mark.slow
def test_nothing_is_written_into_the_checkout(tmp_path):
    toy = ToyRepository(tmp_path / "toy")
    for path in (toy.root, *toy.root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)  # root may write all the same, hence the comparison
    before = sorted(toy.root.rglob("*"))
    elsewhere = {"DMLIB_BUILD": str(tmp_path / "outputs"), "DMLIB_DATA": str(tmp_path / "cache")}
    said = toy.run(**elsewhere)
    page = tmp_path / "outputs" / "html" / "index.html"
    assert page.read_text() == "2 chapters" and f"the book is {page}" in said
    assert sorted(toy.root.rglob("*")) == before
    assert toy.ran(toy.run(**elsewhere)) == []
    page.unlink()
    assert toy.ran(toy.run(**elsewhere)) == ["book"]
