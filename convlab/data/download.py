"""Downloads that resume, are checked, and never leave half a file under its name."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from tqdm.auto import tqdm
from urllib3.exceptions import HTTPError

from convlab.data.dataset import BadFileError, DiskError, DownloadError

TIMEOUT = (10, 30)  # seconds to connect; seconds without a byte
TRIES = 3  # in a row without a new byte
BLOCK = 1 << 16


@contextmanager
def plain_disk_errors(folder: Path) -> Iterator[None]:
    """Turn the system's "no space", "not permitted" into sentences that help."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what, way_out = "there is no room left", "Free some space, or choose"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            what, way_out = "this user may not write there", "Choose"
        elif error.errno in (errno.ENOTDIR, errno.EEXIST):
            what, way_out = "a file is in the way", "Move it, or choose"
        else:
            raise
        raise DiskError(
            f"cannot write in {folder}: {what} ({error.strerror}). {way_out} another "
            "folder for data by setting the environment variable CONVLAB_DATA."
        ) from error


def make_room(folder: Path, needed: int) -> None:
    """Create the folder; refuse where fewer than `needed` bytes are free."""
    with plain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskError(
            f"{folder} has {free / 1e6:,.0f} MB free and {needed / 1e6:,.0f} MB are "
            "needed. Free some space, or choose another folder for data by setting "
            "the environment variable CONVLAB_DATA.")


def fetch(url: str, path: Path, size: int, md5: str, progress: bool = True) -> None:
    """Download url to path; `size` in bytes and `md5` are what it must be.

    Bytes gather in `path`.part, from which a later call goes on. A connection
    that breaks is taken up again, and given up after TRIES without a new byte;
    where nothing at all has come, as without a network, at once.
    Callers see to it that one process at a time fetches a path.

    Raises DownloadError (no network, server's refusal), BadFileError (wrong
    size or checksum; the file is set aside), DiskError.
    """
    part = path.with_name(path.name + ".part")
    if part.exists() and part.stat().st_size > size:
        set_aside(part)
    bar = tqdm(total=size, unit="B", unit_scale=True, desc=path.name,
               disable=not progress)
    with plain_disk_errors(path.parent), bar:
        _gather(url, part, size, bar)
        check(part, size, md5, url)
        os.replace(part, path)


def _gather(url: str, part: Path, size: int, bar: tqdm) -> None:
    """Append to `part` until it has `size` bytes."""
    before, failures = _size(part), 0
    while (have := _size(part)) < size:
        _show(bar, have)
        try:
            _request(url, part, have, size, bar)
            reason = "the connection closed early"
        # urllib3's errors come through while the body is read, requests' before.
        except (requests.RequestException, HTTPError) as error:
            reason = _reason(error)
        failures = 0 if _size(part) > have else failures + 1
        if failures == TRIES or _size(part) == before:
            raise DownloadError(
                f"could not download {url}: {reason}{_kept(part, size)}.")
        if failures:
            time.sleep(2 ** (failures - 1))
    _show(bar, size)


def _request(url: str, part: Path, have: int, size: int, bar: tqdm) -> None:
    """One request for the bytes from `have` on, written as they come."""
    # "identity": some servers would otherwise unpack or repack a .gz on the way.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        start = _start(response, url, have, size)
        with open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            _show(bar, start)
            for block in response.raw.stream(BLOCK, decode_content=False):
                if file.tell() + len(block) > size:
                    raise BadFileError(_not_the_file(url, "more", size))
                file.write(block)
                bar.update(len(block))


def _start(response: requests.Response, url: str, have: int, size: int) -> int:
    """Where in the file the answer's first byte goes."""
    start, total = None, None
    if response.status_code == 200:  # all of it, asked for or not
        start, total = 0, response.headers.get("Content-Length")
    elif response.status_code == 206:
        given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)",
                             response.headers.get("Content-Range", ""))
        if given and int(given[1]) <= have:
            start, total = int(given[1]), given[2]
    if start is None:
        raise DownloadError(
            f"could not download {url}: the server answered "
            f"{response.status_code} {response.reason}.")
    if total and total.isdecimal() and int(total) != size:
        raise BadFileError(_not_the_file(url, f"{int(total):,}", size))
    return start


def check(path: Path, size: int, md5: str, url: str) -> None:
    """Refuse, and set aside, a file that is not the one meant."""
    found = path.stat().st_size
    if found != size:
        aside = set_aside(path)
        raise BadFileError(
            f"{path} has {found:,} bytes and should have {size:,}: it is cut short "
            f"or another file. It was moved to {aside}. Get {url} again.")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    if digest != md5:
        aside = set_aside(path)
        raise BadFileError(
            f"{path} is damaged or another file: its MD5 is {digest} and should be "
            f"{md5}. It was moved to {aside}. Get {url} again; if that does not "
            "help, something between here and the server changes files.")


def set_aside(path: Path) -> Path:
    """Move a bad file to a name that nothing reads."""
    aside = path.with_name(path.name + ".rejected")
    os.replace(path, aside)
    return aside


def _not_the_file(url: str, found: str, size: int) -> str:
    return (f"{url} gives {found} bytes and the file has {size:,}: the server sends "
            "something else, perhaps a log-in page. Open the address in a browser "
            "to see what it is.")


def _kept(part: Path, size: int) -> str:
    have = _size(part)
    if not have:
        return ""
    return (f" ({have:,} of {size:,} bytes are here, and the next try goes "
            "on from them)")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _show(bar: tqdm, have: int) -> None:
    bar.n = have
    bar.refresh()


def _reason(error: Exception) -> str:
    """The last, plainest link of a chain of network errors, on one line."""
    while error.__context__ or error.__cause__:
        error = error.__cause__ or error.__context__
    return " ".join(str(error).split()) or type(error).__name__
