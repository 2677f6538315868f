"""Recorded runs: each names what it comes from, and its experiment is there."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest

from book import recording
from book.build import ROOT
from book.recording import RESULTS, RecordError, record, recorded

NAMES = sorted(path.stem for path in RESULTS.glob("*.json"))
LARGEST = 1_000_000  # bytes, of one file in git


def written(folder, **outcome):
    record("one", outcome, data="ten numbers", seed=3, seconds=1.26, commit="c" * 40,
           results=folder)
    return recorded("one", folder)


def test_values_and_arrays_come_back(tmp_path):
    curve = np.arange(3, dtype=np.float32)
    found = written(tmp_path, accuracy=0.5, curve=curve)
    assert found["accuracy"] == 0.5
    assert found["curve"].dtype == np.float32
    np.testing.assert_array_equal(found["curve"], curve)
    assert found.seconds == 1.3
    assert found.about.startswith("ten numbers; seed 3; ")
    assert f"; commit {'c' * 7}, " in found.about


def test_a_record_without_arrays_leaves_no_old_ones(tmp_path):
    written(tmp_path, curve=np.ones(2))
    assert written(tmp_path, accuracy=1.0).arrays == {}


def test_what_is_not_json_leaves_the_old_record(tmp_path):
    written(tmp_path, accuracy=0.5)
    with pytest.raises(TypeError):
        written(tmp_path, accuracy={1, 2}, curve=np.ones(2))
    assert recorded("one", tmp_path)["accuracy"] == 0.5
    assert recorded("one", tmp_path).arrays == {}


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(RecordError, match=r"python -m book.recording two"):
        recorded("two", tmp_path)
    with pytest.raises(RecordError, match="no 'loss': it has accuracy"):
        written(tmp_path, accuracy=0.5)["loss"]
    (tmp_path / "half.json").write_text('{"data": "x"')
    with pytest.raises(RecordError, match="half.json is no record"):
        recorded("half", tmp_path)
    (tmp_path / "other.json").write_text('{"data": "x"}')
    with pytest.raises(RecordError, match="other.json is no record"):
        recorded("other", tmp_path)


def test_code_that_is_not_committed_records_nothing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(recording, "_git", lambda *words: " M convlab/network.py")
    monkeypatch.setattr(recording, "RESULTS", tmp_path)
    monkeypatch.setattr(recording.importlib, "import_module", lambda name: None)
    assert recording.main(["any"]) == 1
    assert "convlab/network.py" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_record_says_where_it_comes_from(name):
    found = recorded(name)
    experiment = importlib.import_module(f"book.experiments.{name}")
    assert (found.data, found.seed) == (experiment.DATA, experiment.SEED)
    assert re.fullmatch(r"[0-9a-f]{40}", found.commit)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", found.date)
    assert "core" in found.machine
    assert found.values
    for path in RESULTS.glob(f"{name}.*"):
        assert path.stat().st_size <= LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_a_page_uses_the_record(name):
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "book/chapters").glob("*.md")]
    assert any(f'recorded("{name}")' in page.read_text() for page in pages)
