"""CIFAR-10 from bytes written by hand, and from a server on this machine."""

import errno
import hashlib
import http.server
import io
import multiprocessing
import os
import re
import shutil
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlab import data
from convlab.data import BadFileError, DiskError, DownloadError, cifar10, download

RECORDS = 2  # in each of the six files of the small archive
ALL_FILES = cifar10.TRAIN_FILES + cifar10.TEST_FILES


def record(label, red, green, blue):
    """A record whose planes are given as functions of (row, column)."""
    planes = [bytes(plane(r, c) % 256 for r in range(32) for c in range(32))
              for plane in (red, green, blue)]
    return bytes([label]) + b"".join(planes)


def random_files(seed=0, records=RECORDS):
    rng = np.random.default_rng(seed)
    files = {}
    for name in ALL_FILES:
        raw = rng.integers(0, 256, (records, cifar10.RECORD), np.uint8)
        raw[:, 0] %= 10
        files[name] = raw.tobytes()
    return files


def archive(members, folder=cifar10.UNPACKED):
    """A .tar.gz of {name: bytes or TarInfo}."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def source_of(content, url="http://127.0.0.1:9/nothing-listens-here"):
    return cifar10.Source(url, len(content), hashlib.md5(content).hexdigest(), RECORDS)


def unpack_by_hand(home, files):
    (home / cifar10.UNPACKED).mkdir(parents=True)
    for name, content in files.items():
        (home / cifar10.UNPACKED / name).write_bytes(content)


# --- the record format


def test_a_record_is_a_label_then_red_green_and_blue_planes_row_by_row(tmp_path):
    path = tmp_path / "two.bin"
    path.write_bytes(
        record(3, lambda r, c: 32 * r + c, lambda r, c: r, lambda r, c: 100 + c)
        + record(9, lambda r, c: 7, lambda r, c: 8, lambda r, c: 9))
    assert path.stat().st_size == 2 * (1 + 3 * 1024) == 2 * 3073
    images, labels = cifar10.read([path], 2)
    assert labels.tolist() == [3, 9]
    # Row 2, column 5: red 32*2 + 5 = 69, green 2, blue 100 + 5 = 105.
    assert images[0, 2, 5].tolist() == [69, 2, 105]
    assert images[0, 31, 0].tolist() == [(32 * 31) % 256, 31, 100]
    assert (images[1] == [7, 8, 9]).all()
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
    assert images.flags.c_contiguous


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 4))
def test_reading_gives_every_byte_its_place(tmp_path_factory, seed, files, records):
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, (files, records, cifar10.RECORD), np.uint8)
    raw[..., 0] %= 10
    folder = tmp_path_factory.mktemp("records")
    paths = [folder / f"{k}.bin" for k in range(files)]
    for path, part in zip(paths, raw, strict=True):
        path.write_bytes(part.tobytes())
    images, labels = cifar10.read(paths, records)
    flat = raw.reshape(-1, cifar10.RECORD)
    assert labels.tolist() == flat[:, 0].tolist()
    n, row, column, channel = (rng.integers(0, top, 50)
                               for top in (files * records, 32, 32, 3))
    expected = flat[n, 1 + 1024 * channel + 32 * row + column]
    assert np.array_equal(images[n, row, column, channel], expected)


def test_what_is_unpacked_is_read_and_nothing_is_written(tmp_path, monkeypatch):
    files = random_files()
    unpack_by_hand(tmp_path, files)
    monkeypatch.setenv("CONVLAB_DATA", str(tmp_path))
    loaded = data.load("cifar10", source=source_of(b""))
    assert loaded.train_images.shape == (5 * RECORDS, 32, 32, 3)
    assert loaded.test_images.shape == (RECORDS, 32, 32, 3)
    order = b"".join(files[name] for name in ALL_FILES)
    labels = [*loaded.train_labels, *loaded.test_labels]
    assert labels == list(order[::cifar10.RECORD])
    assert [p.name for p in tmp_path.iterdir()] == [cifar10.UNPACKED]


def test_the_official_source_adds_up():
    """163 MB a set of files, as the site says; six files of 10,000 records."""
    assert cifar10.OFFICIAL.file_size == 10_000 * 3_073 == 30_730_000
    assert cifar10.OFFICIAL.size == 170_052_171
    assert cifar10.OFFICIAL.url.endswith(cifar10.ARCHIVE)


def test_data_is_kept_in_convlab_data_or_else_in_the_users_cache(monkeypatch):
    monkeypatch.setenv("CONVLAB_DATA", "~/pictures")
    assert cifar10.data_folder() == Path.home() / "pictures"
    monkeypatch.delenv("CONVLAB_DATA")
    assert cifar10.data_folder().name == "convlab"


# --- files that are not what they should be


def spoil(home, name, change):
    files = random_files()
    files[name] = change(files[name])
    unpack_by_hand(home, files)


@pytest.mark.parametrize(("change", "what"), [
    (lambda raw: raw[:-1], r"cut short: it has 6,145 bytes, and 2 records of 3,073 "
                           r"bytes are 6,146"),
    (lambda raw: b"", "cut short: it has 0 bytes"),
    (lambda raw: raw + b"x", "too long: it has 6,147 bytes"),
    (lambda raw: raw[:3073] + b"\x0a" + raw[3074:],
     r"damaged: record 1 \(from 0\) begins with the byte 10, and a label is 0 to 9"),
])
@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin"])
def test_a_bad_record_file_is_named_with_the_way_out(tmp_path, name, change, what):
    spoil(tmp_path, name, change)
    with pytest.raises(BadFileError, match=what) as caught:
        cifar10.load(tmp_path, source=source_of(b""))
    path = tmp_path / cifar10.UNPACKED
    assert str(path / name) in str(caught.value)
    assert f'Delete the folder {path} and load "cifar10" again' in str(caught.value)


def test_a_missing_record_file_is_named_with_the_way_out(tmp_path):
    unpack_by_hand(tmp_path, random_files())
    (tmp_path / cifar10.UNPACKED / "data_batch_5.bin").unlink()
    with pytest.raises(BadFileError, match=r"data_batch_5.bin is missing. Delete the"):
        cifar10.load(tmp_path, source=source_of(b""))


def test_a_record_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    unpack_by_hand(tmp_path, random_files())
    monkeypatch.setattr(np, "fromfile", refuse)
    with pytest.raises(BadFileError, match="_1.bin cannot be read: Permission denied"):
        cifar10.load(tmp_path, source=source_of(b""))


# --- a server that serves well, badly, or not at all


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` at any path.

    ranges     answer a Range request with 206
    break_at   close the connection after so many bytes of a body, while > 0
    status     answer with this instead
    """

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Answer)
        self.content, self.ranges, self.break_at, self.breaks = content, True, 0, 0
        self.status, self.headers, self.length = None, {}, True
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/cifar-10-binary.tar.gz"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if server.status:
            return self.send_error(server.status)
        start = 0
        if wanted and server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            total = len(server.content)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        body = server.content[start:]
        if server.length:
            self.send_header("Content-Length", str(len(body)))
        for header in server.headers.items():
            self.send_header(*header)
        self.end_headers()
        if server.breaks:
            server.breaks -= 1
            body = body[:server.break_at]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    servers = []

    def start(content):
        server = Server(content)
        threading.Thread(
            target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


FILES = random_files(1)
GOOD = archive(FILES | {"batches.meta.txt": b"airplane\n", "readme.html": b"<html>"})


def is_whole(home):
    """Nothing but the six files, as they were, and the lock."""
    unpacked = home / cifar10.UNPACKED
    return (
        {p.name: p.read_bytes() for p in unpacked.iterdir()} == FILES
        and {p.name for p in home.iterdir()} <= {unpacked.name, "cifar-10.lock"})


def test_the_first_load_downloads_and_the_second_does_not(tmp_path, serve, capfd):
    server = serve(GOOD)
    source = source_of(GOOD, server.url)
    home = tmp_path / "not" / "there" / "yet"
    first = cifar10.load(home, source=source)
    assert is_whole(home)
    assert "cifar-10-binary.tar.gz: 100%" in capfd.readouterr().err
    second = cifar10.load(home, source=source)
    assert np.array_equal(first.train_images, second.train_images)
    assert server.asked == [None]


def test_no_bar_where_none_is_wanted(tmp_path, serve, capfd):
    cifar10.load(tmp_path, progress=False, source=source_of(GOOD, serve(GOOD).url))
    assert capfd.readouterr() == ("", "")


def test_a_broken_connection_is_taken_up_where_it_broke(tmp_path, serve):
    server = serve(GOOD)
    server.break_at, server.breaks = 10_000, 2
    cifar10.load(tmp_path, progress=False, source=source_of(GOOD, server.url))
    assert server.asked == [None, "bytes=10000-", "bytes=20000-"]
    assert is_whole(tmp_path)


def test_a_download_that_was_killed_goes_on_from_its_part(tmp_path, serve):
    server = serve(GOOD)
    part = tmp_path / "cifar-10-binary.tar.gz.part"
    part.write_bytes(GOOD[:5000])
    cifar10.load(tmp_path, progress=False, source=source_of(GOOD, server.url))
    assert server.asked == ["bytes=5000-"]
    assert is_whole(tmp_path)


def test_a_server_that_ignores_ranges_is_read_from_the_start(tmp_path, serve):
    server = serve(GOOD)
    server.ranges = False
    server.break_at, server.breaks = 10_000, 1
    cifar10.load(tmp_path, progress=False, source=source_of(GOOD, server.url))
    assert server.asked == [None, "bytes=10000-"]
    assert is_whole(tmp_path)


def test_a_server_that_says_gzip_is_not_unpacked_twice(tmp_path, serve):
    server = serve(GOOD)
    server.headers = {"Content-Encoding": "gzip"}
    cifar10.load(tmp_path, progress=False, source=source_of(GOOD, server.url))
    assert is_whole(tmp_path)


def failure(kind, home, source):
    with pytest.raises(kind) as caught:
        cifar10.load(home, progress=False, source=source)
    assert not (home / cifar10.UNPACKED).exists()
    assert not (home / cifar10.ARCHIVE).exists()
    return str(caught.value)


WITHOUT = ("make train DATA=shapes", 'convlab.data.load("shapes")',
           "as cifar-10-binary.tar.gz")


def test_a_connection_that_keeps_breaking_is_given_up_and_its_bytes_kept(
        tmp_path, serve):
    server = serve(GOOD)
    server.break_at, server.breaks, server.ranges = 5_000, 99, False
    source = source_of(GOOD, server.url)
    text = failure(DownloadError, tmp_path, source)
    assert server.url in text
    assert f"5,000 of {len(GOOD):,} bytes are here" in text
    assert all(way in text for way in WITHOUT)
    assert len(server.asked) == 1 + download.TRIES
    server.breaks, server.ranges = 0, True
    cifar10.load(tmp_path, progress=False, source=source)
    assert server.asked[-1] == "bytes=5000-"
    assert is_whole(tmp_path)


def test_without_a_network_the_way_out_is_said_at_once(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    text = failure(DownloadError, tmp_path, source_of(GOOD))
    assert "could not download http://127.0.0.1:9/" in text
    assert "refused" in text
    assert "bytes are here" not in text
    assert all(way in text for way in WITHOUT)
    assert f"put it in {tmp_path}" in text
    assert "cifar-10-batches-py that is there is the Python version" in text


@pytest.mark.parametrize("status", [404, 503])
def test_a_refusal_is_told_as_the_server_told_it(tmp_path, serve, status):
    server = serve(GOOD)
    server.status = status
    text = failure(DownloadError, tmp_path, source_of(GOOD, server.url))
    assert f"the server answered {status}" in text
    assert len(server.asked) == 1
    assert all(way in text for way in WITHOUT)


@pytest.mark.parametrize("length", [True, False])
def test_another_file_at_the_address_is_not_mistaken_for_the_data(
        tmp_path, serve, length):
    server = serve(GOOD + b"more")
    server.length = length
    text = failure(BadFileError, tmp_path, source_of(GOOD, server.url))
    told = f"{len(GOOD) + 4:,}" if length else "more"
    assert f"gives {told} bytes and the file has {len(GOOD):,}" in text
    assert "log-in page" in text
    assert all(way in text for way in WITHOUT)


def test_a_download_with_a_wrong_checksum_is_set_aside(tmp_path, serve):
    bad = GOOD[:-1] + bytes([GOOD[-1] ^ 1])
    server = serve(bad)
    text = failure(BadFileError, tmp_path, source_of(GOOD, server.url))
    found = re.search(r"its MD5 is (\w+) and should be (\w+). It was moved to (\S+)\. ",
                      text)
    assert found[1] == hashlib.md5(bad).hexdigest()
    assert found[2] == hashlib.md5(GOOD).hexdigest()
    assert Path(found[3]).read_bytes() == bad
    server.content = GOOD
    cifar10.load(tmp_path, progress=False, source=source_of(GOOD, server.url))
    assert len(server.asked) == 2


def test_a_part_that_is_too_long_is_set_aside(tmp_path, serve):
    server = serve(GOOD)
    (tmp_path / "cifar-10-binary.tar.gz.part").write_bytes(GOOD * 2)
    cifar10.load(tmp_path, progress=False, source=source_of(GOOD, server.url))
    assert server.asked == [None]


# --- an archive put there by hand


def test_an_archive_put_there_by_hand_is_used_and_left(tmp_path):
    (tmp_path / cifar10.ARCHIVE).write_bytes(GOOD)
    cifar10.load(tmp_path, source=source_of(GOOD))
    (tmp_path / cifar10.ARCHIVE).unlink()
    assert is_whole(tmp_path)


def test_an_archive_cut_short_by_hand_is_set_aside(tmp_path):
    (tmp_path / cifar10.ARCHIVE).write_bytes(GOOD[:-10])
    text = failure(BadFileError, tmp_path, source_of(GOOD))
    assert f"has {len(GOOD) - 10:,} bytes and should have {len(GOOD):,}" in text
    assert f"moved to {tmp_path / cifar10.ARCHIVE}.rejected" in text


# --- archives whose checksum is right and whose contents are not


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


ONE, REST = ALL_FILES[0], {name: FILES[name] for name in ALL_FILES[1:]}


@pytest.mark.parametrize(("members", "what"), [
    (FILES | {"../../escaped": b"!"}, r"does not belong: '.*escaped'"),
    (FILES | {"extra": b"!"}, "does not belong: '.*extra'"),
    (FILES | {"readme.html": bytes(200_000)}, "does not belong: '.*readme.html'"),
    (REST | {ONE: link(f"{cifar10.UNPACKED}/{ONE}", "/etc/passwd")}, ONE),
    (REST | {ONE: link(f"{cifar10.UNPACKED}/{ONE}", "/etc/passwd", tarfile.LNKTYPE)},
     ONE),
    ({"a link": link(cifar10.UNPACKED, "/tmp")} | FILES, "does not belong"),
    (FILES | {"a fifo": link(f"{cifar10.UNPACKED}/x", "", tarfile.FIFOTYPE)}, "belong"),
    (REST, f"lacks {ONE}"),
    (REST | {ONE: b"short"}, f"its {ONE} has 5 bytes, not 6,146"),
    (FILES | {f"./{ONE}": FILES[ONE]}, "does not belong"),
])
def test_an_archive_with_odd_members_is_refused_and_reaches_nothing(
        tmp_path, members, what):
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    content = archive(members)
    (home / cifar10.ARCHIVE).write_bytes(content)
    text = failure(BadFileError, home, source_of(content))
    assert re.search(what, text)
    assert f"moved to {home / cifar10.ARCHIVE}.rejected" in text
    assert "Get http://127.0.0.1:9/" in text
    assert {p.name for p in home.iterdir()} == {
        cifar10.ARCHIVE + ".rejected", "cifar-10.lock"}
    assert [p.name for p in home.parent.iterdir()] == ["b"]


def test_a_member_twice_is_refused(tmp_path):
    again = tarfile.TarInfo(f"{cifar10.UNPACKED}/{ONE}")  # empty, of the same name
    content = archive(FILES | {"again": again})
    (tmp_path / cifar10.ARCHIVE).write_bytes(content)
    assert "does not belong" in failure(BadFileError, tmp_path, source_of(content))


@pytest.mark.parametrize("content", [
    b"not an archive at all", GOOD[:len(GOOD) // 2], b"", GOOD[:100] + bytes(5000)])
def test_a_corrupt_archive_is_refused(tmp_path, content):
    (tmp_path / cifar10.ARCHIVE).write_bytes(content)
    text = failure(BadFileError, tmp_path, source_of(content))
    assert f"{tmp_path / cifar10.ARCHIVE} cannot be unpacked" in text


def test_what_a_killed_process_left_half_unpacked_is_cleared(tmp_path):
    left = tmp_path / (cifar10.UNPACKED + ".unpacking")
    left.mkdir()
    (left / ONE).write_bytes(b"half")
    (tmp_path / cifar10.ARCHIVE).write_bytes(GOOD)
    cifar10.load(tmp_path, source=source_of(GOOD))
    assert not left.exists()


# --- the disk


def test_no_room_is_seen_before_a_byte_is_asked_for(tmp_path, serve, monkeypatch):
    server = serve(GOOD)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(
        10**6, 10**6, 1000))
    text = failure(DiskError, tmp_path, source_of(GOOD, server.url))
    assert f"{tmp_path} has 0 MB free" in text
    assert "CONVLAB_DATA" in text
    assert server.asked == []


@pytest.mark.parametrize(("number", "what"), [
    (errno.ENOSPC, "there is no room left"), (errno.EACCES, "may not write there"),
    (errno.EROFS, "may not write there")])
def test_a_disk_that_refuses_is_told_in_plain_words(
        tmp_path, serve, monkeypatch, number, what):
    def refuse(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(download.os, "replace", refuse)
    text = failure(DiskError, tmp_path, source_of(GOOD, serve(GOOD).url))
    assert f"cannot write in {tmp_path}: " in text
    assert what in text
    assert "CONVLAB_DATA" in text


def test_a_file_in_the_folders_place_is_told(tmp_path):
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(DiskError, match="a file is in the way"):
        cifar10.load(tmp_path / "data" / "deeper", source=source_of(GOOD))


# --- two at once


def _load(home, source, failures):
    try:
        cifar10.load(home, progress=False, source=source)
    except Exception as error:
        failures.put(repr(error))


def test_processes_that_load_at_once_share_one_download(tmp_path, serve):
    server = serve(GOOD)
    source = replace(source_of(GOOD), url=server.url)
    context = multiprocessing.get_context("spawn")
    failures = context.Queue()
    processes = [context.Process(target=_load, args=(tmp_path, source, failures))
                 for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert failures.empty()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert server.asked == [None]
    assert is_whole(tmp_path)
