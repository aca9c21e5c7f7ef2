"""Tables of a page are rounded, have units, and leave the data alone."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from dmlib.figures import METADATA_KEY, show_table, table_cells


@pytest.fixture
def table():
    return QTable({"id": np.arange(9), "m": np.full(9, 1.23456789e10) * u.Msun, "pair": np.full((9, 2), 0.123456)})


def test_numbers_are_rounded_and_units_stand_after_the_names(table):
    head, *rows = table_cells(table, {"m": ".2e", "pair": ".1f"}, rows=2)
    assert head == ["id", "m [M☉]", "pair"]
    power = "1.23\u202f×\u202f10¹⁰"
    assert rows == [["0", power, "0.1 .. 0.1"], ["1", power, "0.1 .. 0.1"]]
    assert not table["m"].info.format


def test_a_negative_number_has_a_minus_and_other_words_keep_their_hyphens():
    table = QTable({"d": ["-0.5 ± .1", "1-5 kpc"], "x": [-0.25, 1e-7], "date": ["2026-11-30", "near -2.6"]})
    rows = [["−0.5 ± .1", "−0.25", "2026-11-30"], ["1-5 kpc", "1\u202f×\u202f10⁻⁷", "near −2.6"]]
    assert table_cells(table)[1:] == rows


def test_a_format_for_no_column_is_an_error(table):
    with pytest.raises(KeyError):
        table_cells(table, {"mass": ".2e"})


def test_a_notebook_shows_the_caption_and_tells_the_book_of_it(table, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, metadata: shown.append((data.data, metadata)))
    show_table(table, caption="Masses of {cite:t}`Toy2020`\n< 3.", rows=1, source="toys")
    ((html, metadata),) = shown
    assert html.startswith("<table><caption>Masses of Toy2020 &lt; 3. Data: toys.</caption><tr><th>id</th>")
    told = metadata[METADATA_KEY]
    assert told["caption"] == "Masses of {cite:t}`Toy2020` < 3. *Data: toys.*" and len(told["table"]) == 2
    with pytest.raises(ValueError, match="caption"):
        show_table(table, caption=" ")
