"""A study as files: tables as Parquet and JSON lines, pools in the `samples` format, kept trees one a line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from ttc_core import files, runs, studies
from ttc_core.errors import UserError
from ttc_core.importing import storing
from ttc_core.settings import settings
from ttc_core.store import studies_tables
from ttc_core.store.database import database


def write(study: str, folder: Path, *, db: str | None = None) -> list[str]:
    """Write all of a study into a new or empty folder, or nothing; returns the files' names.

    outcomes.parquet, outcomes.jsonl   `studies.outcomes`
    samples.jsonl, samples-2.jsonl ..  each of its pools, as `import samples` reads it, and who sampled and scored it
    trees.jsonl                        the kept trees, as `runs.import_run` reads them
    study.json                         its file and where it stood

    Raises:
        UnknownName: no such study; UserError: the folder is not empty or cannot be written.
    """
    about = studies.describe(study, db=db)
    frame = studies.outcomes(study, db=db)
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"the folder {str(folder)!r} is not empty", hint="name another one")
        with files.whole_folder(folder) as part:
            frame.to_parquet(part / "outcomes.parquet", index=False)
            known = frame.astype(object).where(frame.notna(), None)  # with all digits, which pandas would cut off
            records: Any = known.to_dict("records")
            _lines(part / "outcomes.jsonl", records)
            for number, rows in enumerate(_pools(study, db) or [[]], 1):
                _lines(part / f"samples{f'-{number}' if number > 1 else ''}.jsonl", _samples(rows))
            kept = dict.fromkeys(frame["run"].dropna())
            _lines(part / "trees.jsonl", (runs.export_run(run, db=db) for run in kept))
            (part / "study.json").write_text(json.dumps(about, indent=2, default=str) + "\n", "utf-8")
    except OSError as error:
        raise UserError(f"{str(folder)!r} cannot be written: {error.strerror}") from error
    return sorted(path.name for path in folder.iterdir())


def _lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="ascii") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def _pools(study: str, db: str | None) -> list[list[dict[str, Any]]]:
    """The rows of each pool: one of each model and verifier."""
    rows = studies_tables.pool_rows(database(db or settings().database_url), study)
    return [list(of) for _, of in itertools.groupby(rows, key=itemgetter("position"))]


def _samples(rows: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """One problem a line; the samples of further seeds follow."""
    from ttc_core.studies_pools import unpacked

    by_problem: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        extra = json.loads(row["problem_extra"]) if row["problem_extra"] else {}
        asked = {**extra, "id": row["problem_id"], "question": row["question"]}
        asked |= {"answer": row["gold"]} if row["gold"] is not None else {}
        asked |= {name: row[name] for name in ("model", "verifier") if row[name] not in ("", storing.MODEL)}
        place = by_problem.setdefault((row["dataset"], row["problem_id"]), {**asked, "samples": []})
        for one in unpacked(row):
            if not one.valid:
                continue
            named: dict[str, Any] = {"text": one.text, "answer": one.answer, "correct": one.correct, "score": one.score}
            named |= {"step_scores": list(one.steps) or None, "tokens": one.tokens or None}
            place["samples"].append({**one.extra, **{k: v for k, v in named.items() if v is not None}})
    return by_problem.values()
