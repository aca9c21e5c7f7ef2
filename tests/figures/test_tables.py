"""Tables of a page are rounded, have units, and leave the data alone."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from dmlib.figures import table_html


@pytest.fixture
def table():
    return QTable({"id": np.arange(9), "m": np.full(9, 1.23456789e10) * u.Msun, "pair": np.full((9, 2), 0.123456)})


def test_numbers_are_rounded_and_units_stand_below_the_names(table):
    told = table_html(table, {"m": ".2e", "pair": ".1f"}, rows=2)
    assert told.count("<tr>") == 2 + 2
    assert "<th>M☉</th>" in told and "<th></th>" not in told
    assert "1.23e+10" in told and "1.2345" not in told
    assert "float64" not in told and "0.1 .. 0.1" in told
    assert not table["m"].info.format


def test_a_format_for_no_column_is_an_error(table):
    with pytest.raises(KeyError):
        table_html(table, {"mass": ".2e"})
