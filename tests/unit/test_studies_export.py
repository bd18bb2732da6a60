"""A study as files: every pool of it comes in again."""

from __future__ import annotations

import json

import numpy as np

from tests.unit.test_studies import BEST, PROBLEMS
from ttc_core import importing, runs, studies, studies_export
from ttc_core.bench.searches import POLICY, VERIFIER, ScriptedBackend
from ttc_core.store import studies_made as stored
from ttc_core.store.database import database
from ttc_core.store.studies_made import NewMethod, NewStudy, NewUnit


def test_every_pool_of_a_study_is_exported(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    methods = [NewMethod(POLICY, by, "best_of_n", {**BEST, "select": select}, "pool", [n], samples=n)
               for by, select, n in ((VERIFIER, "weighted", 4), ("", "majority", 8))]  # fmt: skip
    planned = [NewUnit(i, methods[i].samples, 0, first, 3) for i in (0, 1) for first in (0, 3)]
    with database(url).write() as connection:
        stored.create(connection, NewStudy("two", "sweep", "", {"kept": []}, PROBLEMS, methods, planned))
    studies.work("two", backend=ScriptedBackend(64), db=url)
    out = tmp_path / "out"
    assert {"samples.jsonl", "samples-2.jsonl"} < set(studies_export.write("two", out, db=url))
    for name, verifier in (("samples", VERIFIER), ("samples-2", "")):
        importing.add("samples", out / f"{name}.jsonl", "mine", name, db=url)
        one, other = studies.pool("two", verifier=verifier, db=url), studies.pool(name, db=url)
        assert (one.correct == other.correct).all() and (one.answers == other.answers).all()
        assert np.array_equal(one.scores, other.scores, equal_nan=True)
        line = json.loads((out / f"{name}.jsonl").read_text("ascii").splitlines()[0])
        assert (line["model"], line.get("verifier", "")) == (POLICY, verifier)
    database(url).close()
