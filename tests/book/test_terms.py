"""Terms of the glossary are found as words, in the plural too, and not inside others."""

from __future__ import annotations

from terms import AMBIGUOUS, pattern


def test_words_are_found_whole_the_longest_first():
    words = pattern(["batch", "batch normalisation", "beam smearing", "$x$", *AMBIGUOUS])
    assert words.search("two batches of it")[1] == "batch"
    assert words.search("Batch normalisation helps")[1] == "Batch normalisation"
    assert not words.search("a mini-batch, the central hole, dispatch")
