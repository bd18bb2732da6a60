"""Problems of a data set by how difficult they are, as a study measured it, or else by their number of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import streamlit as st

from ttc_core import runs, studies
from ttc_core.analysis import difficulty
from ttc_core.analysis.pool import Pool
from ttc_core.drawing.info import bin_name
from ttc_core.errors import UserError
from ttc_core.studies_pools import gathered
from ttc_core.types import Problem
from ttc_core.ui import study

ANY = "any"
BINS = {bin_name(b, difficulty.BINS): b for b in range(difficulty.BINS)}
REMEMBERED = 600  # seconds for which a study that is new is not asked


@dataclass(frozen=True)
class Measure:
    """How easy problems are. ease: by id, larger is easier; told: what that is; shares: whether it is in [0, 1]."""

    ease: Mapping[str, float]
    told: str
    shares: bool = True

    def inside(self, b: int) -> list[str]:
        """The problems of a bin, of equally large ones, the easiest first."""
        names, values = list(self.ease), np.array(list(self.ease.values()))
        bins = difficulty.quantile_bins(values, names, min(difficulty.BINS, len(names)))
        return [names[i] for i in difficulty.ranked(values, names) if bins.of[i] == b]

    def word(self, problem: str) -> str:
        """How easy one of them is, for a list; "" where its line says so anyway."""
        return f" · {100 * self.ease[problem]:.0f} %" if self.shares else ""


@st.cache_data(show_spinner="Reading how difficult the problems are", ttl=REMEMBERED, max_entries=16)
def measured(dataset: str) -> Measure | None:
    """By a study's samples, of the sample study before others; else by the problems' steps; None where nobody knows."""
    views = [view for view in studies.listing() if view.outcomes and dataset in view.datasets]
    for view in sorted(views, key=lambda view: view.id != study.SAMPLE):
        if rows := studies.pool_rows(view.id, dataset):
            for by, what in (("oracle", "right samples"), ("predicted", "the samples' mean score")):
                with suppress(UserError):  # none of them is graded, or none has a score
                    return _by_samples(gathered(rows), by, f"{what}, {rows[0]['model']} in study {view.id}")
    return _by_steps(runs.problems(dataset))


def _by_samples(pool: Pool, by: str, what: str) -> Measure:
    ease = zip(pool.problems, difficulty.easiness(pool, by), strict=True)
    known = {name: float(value) for name, value in ease if not np.isnan(value)}
    if not known:
        raise UserError("no sample tells")
    return Measure(known, f"By {what}, of {pool.correct.shape[1]} samples a problem: the percentage.")


def _by_steps(problems: Sequence[Problem]) -> Measure | None:
    steps = {problem.id: problem.metadata.get("steps") for problem in problems}
    known = {name: -float(number) for name, number in steps.items() if isinstance(number, int)}
    return Measure(known, "By the number of steps: no study has samples of this data set.", False) if known else None
