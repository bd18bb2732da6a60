"""A file that arrives as a stream, from a browser for instance, becomes a study as one on the disk does."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import IO

from ttc_core import importing
from ttc_core.errors import UserError

LONGEST = 80  # characters of a file's name
PIECE = 1 << 20  # bytes that are held in memory at a time


def add(
    format: str, name: str, stream: IO[bytes], dataset: str, study: str | None = None, *, db: str | None = None
) -> str:
    """Import what the stream holds; returns the study's name. The limits are those of files.

    Arguments:
        name: what the sender calls the file, which messages call it too; it may be any text.
        study: the new study's name; "" or None for the file's.
    Raises:
        UnknownName: no such format; UserError: one sentence with the place of the mistake; nothing is imported then.
    """
    called = re.sub(r"[^\w.-]", "_", name.replace("\\", "/").rpartition("/")[2])[-LONGEST:].lstrip(".") or "upload"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / called
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(stream, file, PIECE)
        except OSError as error:
            raise UserError(f"{called} cannot be kept: {error.strerror}", hint="nothing was imported") from error
        try:
            return importing.add(format, path, dataset, study or None, db=db)
        except UserError as error:
            error.args = (str(error).replace(str(path), called),)
            raise
