"""Zip files: written so that the same content gives the same bytes, read so that no file of a stranger does harm."""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ttc_core import files
from ttc_core.errors import UserError

SUMS = "SHA256SUMS"
MAX_UNPACKED = 2 << 30  # bytes of all files together
MAX_FILES = 10_000
MAX_SMALL = 64 << 20  # bytes of a file or line that is read as a whole
CHUNK = 1 << 20
UNHARMED = "nothing was imported"


def pack(folder: Path, file: Path) -> None:
    """Write all files of a folder, with their sums, into a zip file that appears only when it is whole.

    Raises:
        UserError: it cannot be written, or nobody could read it.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    if len(paths) >= MAX_FILES or sum(path.stat().st_size for path in paths) > MAX_UNPACKED - CHUNK:
        raise UserError(
            f"a bundle holds {MAX_FILES:,} files and {MAX_UNPACKED >> 30} GiB at most, this study needs more",
            hint='keep_trees = "sample:K" in a study file keeps fewer trees; `show STUDY --export` writes all as files',
        )
    sums = "".join(f"{digest(path)}  {name}\n" for name, path in names.items())
    (folder / SUMS).write_text(sums, "ascii")
    try:
        with files.whole(file) as part, zipfile.ZipFile(part, "w") as archive:
            for name, path in sorted({**names, SUMS: folder / SUMS}.items()):
                info = zipfile.ZipInfo(name)  # of 1980: no dates
                info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, CHUNK)
    except OSError as error:
        raise UserError(f"{str(file)!r} cannot be written: {error.strerror}") from error


class Archive:
    """A zip file that is safe to read: names, sizes and sums are checked before anything of it is used."""

    def __init__(self, path: Path) -> None:
        """Open and check all of it.

        Raises:
            UserError: it is no zip file, damaged, or not what a bundle is.
        """
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise UserError(f"{str(path)!r} cannot be read: {error.strerror}") from error
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self.wrong("no zip file, or a damaged one") from error
        try:
            self._check_entries()
            self._check_sums()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def wrong(self, message: str) -> UserError:
        """The error to raise."""
        return UserError(f"{self.path}: {message}", hint=UNHARMED)

    def names(self) -> list[str]:
        """Of all files."""
        return self._zip.namelist()

    def read(self, name: str) -> bytes:
        """A small file.

        Raises:
            UserError: it is not there, too large, or damaged.
        """
        return b"".join(self._chunks(name, MAX_SMALL))

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file.

        Raises:
            UserError: it is not there or damaged, or a line is too long.
        """
        rest = b""
        for chunk in self._chunks(name, MAX_UNPACKED):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > MAX_SMALL:
                raise self.wrong(f"a line of {name} has more than {MAX_SMALL >> 20} MiB")
        if rest:
            yield rest

    def _check_entries(self) -> None:
        entries = self._zip.infolist()
        if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
            raise self.wrong(f"unpacked it has more than {MAX_FILES:,} files or {MAX_UNPACKED >> 30} GiB")
        seen: set[str] = set()
        for entry in entries:
            name, parts = entry.filename, entry.filename.split("/")
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if not name.isascii() or not name.isprintable() or {"", ".", ".."} & set(parts) or set(name) & set("\\:"):
                raise self.wrong(f"no bundle has a file called {name[:60]!r}")
            if kind not in (0, stat.S_IFREG):
                raise self.wrong(f"{name} is no plain file")
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise self.wrong(f"{name} is encrypted or packed in a way that bundles are not")
            if name in seen:
                raise self.wrong(f"{name} is there twice")
            seen.add(name)

    def _check_sums(self) -> None:
        known = {}
        for line in self.read(SUMS).decode("ascii", "replace").splitlines():
            digest, _, name = line.partition("  ")
            known[name] = digest
        others = [name for name in self.names() if name != SUMS]
        if set(known) != set(others):
            odd = sorted(set(known) ^ set(others))[0]
            raise self.wrong(f"{odd[:60]!r} is {'missing' if odd in known else f'not in {SUMS}'}")
        for name in others:
            found = hashlib.sha256()
            for chunk in self._chunks(name, MAX_UNPACKED):
                found.update(chunk)
            if found.hexdigest() != known[name]:
                raise self.wrong(f"{name} is not what its checksum says")

    def _chunks(self, name: str, most: int) -> Iterator[bytes]:
        """A file's content. What unpacks to more than the file says it would is an error of the zip module."""
        try:
            entry = self._zip.getinfo(name)
        except KeyError as error:
            raise self.wrong(f"{name} is missing: this is no bundle") from error
        if entry.file_size > most:
            raise self.wrong(f"{name} has more than {most >> 20} MiB")
        try:
            with self._zip.open(entry) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise self.wrong(f"{name} is damaged") from error


def digest(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
