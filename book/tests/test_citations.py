"""The labels of the bibliography."""

from __future__ import annotations

import pytest
from pybtex.database import Entry, Person

from book.extension.citations import names


def entry(*authors: str) -> Entry:
    return Entry("article", persons={"author": [Person(one) for one in authors]})


@pytest.mark.parametrize(("authors", "label"), [
    (["Fukushima, Kunihiko"], "Fukushima"),
    (["Hubel, D. H.", "Wiesel, T. N."], "Hubel and Wiesel"),
    (["LeCun, Yann", "Bottou, Leon", "Bengio, Yoshua"], "LeCun et al."),
    (["van den Oord, Aaron"], "van den Oord"),
    ([r"Cire{\c{s}}an, Dan"], "Cireşan"),
    ([r"M{\"u}ller, Klaus"], "Müller"),
    (["{PyTorch}"], "PyTorch"),
])
def test_labels_are_last_names_as_they_are_written(authors, label):
    assert names(entry(*authors)) == label
