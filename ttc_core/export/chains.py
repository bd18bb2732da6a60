"""The attempts of a study's kept searches that revise, graded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ttc_core import grading, runs
from ttc_core.analysis.chains import paths
from ttc_core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from ttc_core.analysis.pool import Bools


@dataclass(frozen=True)
class Attempts:
    """Chains of attempts.

    Arguments:
        correct: (C, L) whether each attempt of each chain is right; valid: (C, L) whether there is one.
        problems: (C) whose chain it is.
    """

    correct: Bools
    valid: Bools
    problems: list[str]


def kept(outcomes: pd.DataFrame, db: str | None) -> Attempts:
    """Those of the searches that are kept. Of searches that differ in their budget only, the longest: it begins alike.

    Raises:
        UserError: none is kept, or nobody can say which attempts are right.
    """
    there = outcomes[outcomes["run"].notna()].sort_values("budget", kind="stable")
    there = there.drop_duplicates(["dataset", "problem", "model", "verifier", "method", "seed"], keep="last")
    rows: list[list[bool | None]] = []
    problems = []
    for run, problem in zip(there["run"], there["problem"], strict=True):
        spec = runs.get(run, db=db).spec
        for way in paths(runs.nodes(run, db=db).nodes):
            rows.append([grading.grade(node.answer, spec.answer, spec.grader) for node in way])
            problems.append(str(problem))
    longest = max(map(len, rows), default=0)
    right = np.array([[*row, *[None] * (longest - len(row))] for row in rows], dtype=object)
    valid = right != None  # noqa: E711 (of each)
    if not valid.any():
        raise UserError("the study kept no search that revises", hint='keep_trees = "sample:10" in a study file does')
    return Attempts((right == True).astype(bool), valid.astype(bool), problems)  # noqa: E712 (of each)
