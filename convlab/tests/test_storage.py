import json
import zipfile

import numpy as np
import pytest

from convlab import storage

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.float32([1, -2])}
SHAPES = {"a": (2, 3), "b": (2,)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "folder" / "file.npz"
    storage.write(path, ARRAYS, {"why": "a test", "state": 2 ** 127 + 1, "x": 0.1})
    return path


def test_what_is_written_is_read(path):
    arrays, note = storage.read(path, SHAPES)
    assert note == {"why": "a test", "state": 2 ** 127 + 1, "x": 0.1}
    assert list(arrays) == ["a", "b"]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_numpy_reads_it_too(path):
    np.testing.assert_array_equal(np.load(path)["a"], ARRAYS["a"])


def test_a_failed_write_leaves_the_old_file(path):
    with pytest.raises(ValueError, match="pickle"):
        storage.write(path, {"a": np.array([object()])}, {})
    storage.read(path, SHAPES)


@pytest.mark.parametrize("keep", [0, 10, 400, -1])
def test_a_file_cut_short(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(storage.StorageError, match="damaged, or not a file of this"):
        storage.read(path)


def test_a_flipped_bit(path):
    whole = bytearray(path.read_bytes())
    whole[whole.index(ARRAYS["a"].tobytes()) + 9] ^= 1
    path.write_bytes(whole)
    with pytest.raises(storage.StorageError, match="damaged"):
        storage.read(path)


def other_file(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def header(shape, dtype="<f8"):
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def test_a_shape_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "bomb.npz"
    other_file(path, {"a.npy": header((10 ** 9, 10 ** 9)), "note.json": "{}"})
    with pytest.raises(storage.StorageError, match="a is float64 of shape .1000000000"):
        storage.read(path, {"a": (2,)})


def test_pickles_are_not_opened(tmp_path):
    path = tmp_path / "pickle.npz"
    np.savez(path, a=np.array([print], dtype=object))
    with pytest.raises(storage.StorageError, match="pickle|allow_pickle"):
        storage.read(path)
    with pytest.raises(storage.StorageError, match="a is object of shape"):
        storage.read(path, {"a": (1,)})


@pytest.mark.parametrize("note, message", [
    ("[1]", "its note is not a JSON object"), ("{", "damaged")])
def test_notes(tmp_path, note, message):
    path = tmp_path / "file.npz"
    other_file(path, {"a.npy": header((1,)) + bytes(8), "note.json": note})
    with pytest.raises(storage.StorageError, match=message):
        storage.read(path, {"a": (1,)})


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        storage.read(tmp_path / "none.npz")


def test_text_is_written_aside_and_renamed(tmp_path):
    storage.write_text(tmp_path / "new" / "log.json", json.dumps({"é": 1}))
    assert json.loads((tmp_path / "new" / "log.json").read_text("utf-8")) == {"é": 1}
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_the_note_can_be_read_alone(tmp_path):
    storage.write(tmp_path / "a.npz", {"x": np.ones(3)}, {"made": "today"})
    assert storage.read_note(tmp_path / "a.npz") == {"made": "today"}
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(storage.StorageError, match="is damaged"):
        storage.read_note(tmp_path / "b.npz")
