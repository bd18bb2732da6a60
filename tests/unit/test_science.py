"""The page about the paper's findings is what its script writes; shipped studies are what their files ask for."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from sqlalchemy import select

from ttc_core import studies_file, studies_frames, studies_plan
from ttc_core.settings import REPOSITORY
from ttc_core.store.studies_tables import outcome_columns
from ttc_core.store.transfer import snapshot
from ttc_core.store.units import methods, units

STUDIES = REPOSITORY / "data" / "studies"


def test_the_page_holds_what_its_script_writes():
    spec = importlib.util.spec_from_file_location("science", STUDIES / "science.py")
    science = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(science)
    assert science.PAGE.read_text("utf-8") == science.page()


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_study_is_what_its_file_asks_for_and_done(path):
    asked = studies_plan.laid_out(studies_file.read(path))
    with snapshot(path.with_suffix(".db.xz")) as db, db.read() as connection:
        rows = connection.execute(select(methods).order_by(methods.c.position)).mappings().all()
        left = connection.execute(select(units.c.key).where(units.c.status != "done")).all()
    found = [
        (r["model"], r["verifier"], r["strategy"], json.loads(r["params"]), json.loads(r["budgets"])) for r in rows
    ]
    assert found == [(m.model, m.verifier, m.strategy, dict(m.params), list(m.budgets)) for m in asked.methods]
    assert not left


def test_revisions_that_share_replies_come_to_what_they_come_to_alone():
    """The study `revising` wrote each chain once; `sample` asked for every ratio and budget by itself.

    They were made on two kinds of processor, so that scores differ in the last bits and a sample now and then.
    """
    found = []
    for name in ("sample", "revising"):
        with snapshot(STUDIES / f"{name}.db.xz") as db:
            frame = studies_frames.frame(outcome_columns(db, name))
        frame = frame[frame["model"] == "mini-reviser"].set_index(["problem", "method", "budget", "seed"])
        found.append(frame[["answer", "correct", "score", "generations", "policy_tokens"]].sort_index())
    both = found[0].index.intersection(found[1].index)
    assert {budget for _, method, budget, _ in both if "revisions" in method} == {4, 8, 16, 32}
    alone, shared = (frame.loc[both] for frame in found)
    same = ((alone == shared) | (alone.isna() & shared.isna()))[["answer", "correct", "generations", "policy_tokens"]]
    assert same.mean().min() > 0.995
    assert np.abs(alone["score"] - shared["score"])[same.all(axis=1)].max() < 1e-4
