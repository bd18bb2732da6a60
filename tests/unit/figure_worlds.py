"""A made-up study of which every figure can be drawn, and how the tests look at what is drawn."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from tests.unit import analysis_worlds as worlds
from ttc_core.analysis.pool import Pool
from ttc_core.export import writing
from ttc_core.export.chains import Attempts
from ttc_core.export.tables import StudyTables

HOSTILE = r"=HYPERLINK(1) \input{/etc/passwd} $x_1^2$ <b>&%#~ {√中"


PROBLEMS = 30


def tables(hostile=False, **changes):
    """A study with two models, revisions and a pool with step scores."""
    correct, easiness, budgets = worlds.crossover(problems=PROBLEMS)
    frame = worlds.outcomes(correct, budgets)
    frame["score"] = np.random.default_rng(1).random(len(frame))
    frame["policy_flops"] = 2e6 * (10 + frame["policy_tokens"])
    if hostile:
        frame["method"] = frame["method"].replace("beam_search width=4", HOSTILE)
    large = worlds.outcomes(np.ones((PROBLEMS, 1, 1)), [1])
    large = large.assign(model="large", strategy="single", method="single", policy_flops=28e6 * 60)
    parts = []
    for chains in (1, 2, 4):
        solved = worlds.outcomes(np.ones((PROBLEMS, 1, 1)) * (np.arange(PROBLEMS) % chains == 0)[:, None, None], [16])
        params, method = json.dumps({"chains": chains}), f"revisions chains={chains}"
        parts.append(solved.assign(model="reviser", strategy="revisions", params=params, method=method))
    rng = np.random.default_rng(2)
    right = rng.random((PROBLEMS, 8)) < easiness[:, None]
    steps = [[[float(s), float(s) ** 2] for s in row] for row in rng.random((PROBLEMS, 8))]
    pool = Pool(
        [f"p{i:04}" for i in range(PROBLEMS)],
        right,
        np.where(right, 0, 1),
        np.array([[s[-1] for s in row] for row in steps]),
        np.full((PROBLEMS, 8), 20),
        np.ones((PROBLEMS, 8), bool),
        steps,
    )
    majority = parts[0].assign(params=json.dumps({"chains": 1, "select": "majority"}), method="revisions by majority")
    alone = worlds.outcomes(correct[:, :1], budgets).assign(model="reviser")
    parts += [majority, alone, parts[0].assign(verifier="w", correct=False)]
    names = [f"p{i % 60}" for i in range(120)]
    made = Attempts(np.tile(np.arange(6) % 2 == 1, (120, 1)), np.arange(6) < np.arange(1, 121)[:, None] // 10, names)
    changes = {"rated": frame[frame["method"] == "best_of_n"].assign(verifier="w", correct=True)} | changes
    return StudyTables(frame, pd.concat([large, *parts]), pool, lambda revised: made, resamples=20, **changes)


def drawn(name, study):
    return writing.info(name, study)


def line(info, name, panel=0):
    [found] = [s for s in info.panels[panel].series if s.name == name]
    return found
