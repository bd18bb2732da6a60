"""What a new database begins with: searches and studies that came with the program."""

from __future__ import annotations

import json
import logging
from typing import Any

from ttc_core import runs_documents
from ttc_core.errors import UserError
from ttc_core.settings import settings

log = logging.getLogger(__name__)


def fill(connection: Any) -> None:
    """Put the example runs and the shipped studies into a new database; one that cannot be read is left out."""
    from ttc_core.store import repository, transfer

    if not settings().examples:
        return
    for path in sorted((settings().data_dir / "examples").glob("*.json")):
        try:
            run_id, spec, row, usage, found = runs_documents.parse(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, UserError) as error:  # no reason not to start
            log.warning("the example %s cannot be read: %s", path.name, error)
            continue
        repository.put(connection, run_id, spec, row, usage, found)
    for path in sorted((settings().data_dir / "studies").glob("*.db.xz")):
        transfer.copy_file(path, connection)
