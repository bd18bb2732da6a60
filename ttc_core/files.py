"""Files and folders that appear whole or not at all: written beside their place, settled on the disk, renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path, *, new: bool = False) -> Iterator[Path]:
    """Where to write a file that takes the place of `path` at the end; on an error, what was there stays as it was.

    A device or a pipe is written to as it is. new: there must not be a file of this name yet.

    Raises:
        OSError: it cannot be written; FileExistsError: `new`, and there is one.
    """
    place = path if new else path.resolve()  # a link goes on leading to the file
    old = path.exists() and not new
    if old and not path.is_file():
        yield path
        return
    if old and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    part = _part(place.parent)
    try:
        yield part
        if old:
            shutil.copymode(place, part)
        _settle(part)
        if new:
            os.link(part, place)  # unlike a rename, fails where there is a file already
        else:
            os.replace(part, place)
        _settle(place.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Where to write the plain files of a new folder; in one that is there and empty, they appear at the end.

    Raises:
        OSError: it cannot be written.
    """
    place = path.resolve()
    there = place.is_dir()
    if not there:
        place.parent.mkdir(parents=True, exist_ok=True)
    part = _part(place if there else place.parent)
    part.mkdir()
    try:
        yield part
        for file in part.iterdir():
            _settle(file)
        if there:
            for file in sorted(part.iterdir()):
                os.replace(file, place / file.name)
        else:
            os.rename(part, place)
        _settle(place if there else place.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _part(folder: Path) -> Path:
    return folder / f".{secrets.token_hex(8)}.part"


def _settle(path: Path) -> None:
    """Wait until the disk has it: otherwise a power cut could leave the new name on an empty file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
