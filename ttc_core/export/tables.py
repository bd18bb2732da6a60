"""The tables of a study that its figures are made of, each computed when it is first asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ttc_core.analysis import compared, comparison, difficulty, documents, frontier, planning, quality, revisions
from ttc_core.analysis.frontier import RESAMPLES
from ttc_core.analysis.measured import measured
from ttc_core.analysis.pipeline import mean_of_known
from ttc_core.errors import UserError
from ttc_core.export import chains, revising
from ttc_core.studies_chosen import Chosen, choose, parameters

if TYPE_CHECKING:
    import pandas as pd

    from ttc_core.analysis.pool import Pool
    from ttc_core.export.chains import Attempts

T = TypeVar("T")
RATIOS = (0.16, 0.79, 22.0)  # the paper's three


@dataclass(frozen=True)
class StudyTables:
    """`ttc_core.drawing.tables.Tables` of outcomes and samples.

    Arguments:
        frame: outcomes of one model with one verifier on one data set.
        others: outcomes of the other models on it.
        pool: samples of the same model; None if there are none.
        chains: gives the attempts of kept searches that revise, out of these outcomes; None: none are kept.
        axis, count, resamples, shares: cost axis, bins of equal size, of the bootstrap, and R of the exchange.
        rated: outcomes of the same model with other verifiers; None if there are none.
    """

    frame: pd.DataFrame
    others: pd.DataFrame
    pool: Pool | None
    chains: Callable[[pd.DataFrame], Attempts] | None = None
    axis: str = "generations"
    count: int = difficulty.BINS
    resamples: int = RESAMPLES
    shares: Sequence[float] = RATIOS
    rated: pd.DataFrame | None = None
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def methods(self) -> list[str]:
        """See Tables."""
        return list(dict.fromkeys([*self.frame["method"].unique(), *self.others["method"].unique()]))

    @property
    def about(self) -> str:
        """See Tables."""
        return self._once("about", lambda: _about(self.frame))

    @property
    def about_revising(self) -> str:
        """See Tables."""
        return self._once("about revising", lambda: _about(self._revised()))

    def about_judged(self, revises: bool = False) -> str:
        """See Tables."""
        return _about(self._judged(revises), judged=False)

    @property
    def fewer(self) -> str:
        """See Tables."""
        number = len(self._pool().problems) - len(self._full().problems)
        few = "1 problem that has" if number == 1 else f"{number:,} problems that have"
        return f"Left out: {few} fewer than half of the samples. " if number else ""

    def frontier(self, by: str, majority: bool = False) -> dict[str, Any]:
        """See Tables."""
        return self._once(f"frontier {by} {majority}", lambda: self._frontier(by, *self._choosing(majority)))

    def _frontier(self, by: str, frame: pd.DataFrame, baseline: str | None) -> dict[str, Any]:
        made = self._pool(), self.axis, by, self._bins()
        return documents.curves(frame, *made, baseline=baseline, resamples=self.resamples)

    def _choosing(self, majority: bool) -> tuple[pd.DataFrame, str | None]:
        """Outcomes of all methods, or of those that choose by majority, and the baseline among them."""
        if not majority:
            return self.frame, None
        found = revising.choosing(self.frame, majority)
        parallel = found[found["strategy"] == "best_of_n"]
        return found, str((found if parallel.empty else parallel)["method"].iloc[0])

    def bins(self, by: str) -> dict[str, Any]:
        """See Tables."""
        return self._once(f"bins {by}", lambda: documents.bins(self._pool(), by, self._bins()))

    def exchange(self, by: str = "oracle", majority: bool = False) -> dict[str, Any]:
        """See Tables."""
        return self._once(f"exchange {by} {majority}", lambda: self._exchange(by, *self._choosing(majority)))

    def _exchange(self, by: str, frame: pd.DataFrame, baseline: str | None) -> dict[str, Any]:
        large, name = Chosen("", "", "", "", self.frame, self.others, None).larger()
        if large is None:
            raise UserError(
                "the study has no single answers of a larger model",
                hint='the strategy "single" with one asks for them',
            )
        times = parameters(large) / parameters(self.frame)
        document = documents.exchanges(
            frame, large, self._pool(), self.shares, times, by, self._bins(), resamples=0, baseline=baseline
        )
        own = measured(frame, baseline=baseline)
        found, pool, binning = documents.binned(own, self._pool(), by, self._bins())
        of = difficulty.quantile_bins(binning.values, pool.problems, self._bins()).of
        small = frontier.followed(found, binning)
        curves = [[float(v) for v in mean_of_known(small[of == b])] for b in range(self._bins())]
        return document | {
            "budgets": found.budgets,
            "curves": [[None if math.isnan(v) else v for v in curve] for curve in curves],
            "large_model": name,
        }

    def reliability(self) -> dict[str, Any]:
        """See Tables."""
        return self._once("reliability", self._reliability)

    def _reliability(self) -> dict[str, Any]:
        pool = self._scored()
        scores, right = quality.scored(pool)
        stepped = any(any(row) for row in pool.steps)
        steps = quality.by_position(pool) if stepped else []
        return {
            "bars": [vars(bar) for bar in quality.reliability(scores, right)],
            "ece": quality.expected_calibration_error(scores, right),
            "brier": quality.brier(scores, right),
            "auc": _known(quality.auc(scores, right)),
            "within": _known(quality.within_problems(pool)),
            "steps": [{key: _known(value) for key, value in step.items()} for step in steps],
        }

    def over_optimised(self) -> list[dict[str, float]]:
        """See Tables."""
        return self._once("over_optimised", lambda: quality.over_optimised(self._full(), self._powers()))

    def chosen(self) -> pd.DataFrame:
        """See Tables."""
        return self._once("chosen", lambda: quality.chosen(self.frame))

    def aggregations(self) -> dict[str, Any]:
        """See Tables."""
        ks = self._powers()
        return self._once("aggregations", lambda: {"ks": ks, **quality.aggregations(self._full(), ks)})

    def ratios(self, by: str = "oracle", majority: bool = False) -> pd.DataFrame:
        """See Tables."""
        revised, pool = revising.choosing(self._revised(), majority), self._pool()
        of = difficulty.quantile_bins(difficulty.easiness(pool, by), pool.problems, self._bins()).of
        bins = dict(zip(pool.problems, of.tolist(), strict=True))
        return revisions.ratios(revised, bins)

    def positions(self) -> dict[str, Any]:
        """See Tables."""
        return self._once("positions", self._positions)

    def _positions(self) -> dict[str, Any]:
        revised = self._revised()
        if self.chains is None:
            raise UserError("the study kept no search that revises")
        made = self.chains(revised)
        found = revisions.positions(made.correct, made.valid, made.problems, max(1, self.resamples))
        ends = ("low", "high") if not self.resamples else ()
        rows = [{name: None if name in ends else _known(v) for name, v in vars(one).items()} for one in found]
        return {
            "model": revised["model"].iloc[0],
            "chains": len(made.problems),
            "problems": len(set(made.problems)),
            "positions": rows,
        }

    def _revised(self) -> pd.DataFrame:
        """Outcomes of revisions by whichever model revises, with one verifier."""
        return revising.of_one_verifier(revising.revised(self._whole()))

    def _whole(self) -> pd.DataFrame:
        import pandas as pd

        return pd.concat([self.frame, self.others])

    def sequential(self) -> pd.DataFrame:
        """See Tables."""
        return comparison.by_budget(revising.sequential(self._whole()), "method", max(1, self.resamples))

    def judged(self, revises: bool = False) -> pd.DataFrame:
        """See Tables."""
        return comparison.by_budget(self._judged(revises), "verifier", max(1, self.resamples))

    def _judged(self, revises: bool) -> pd.DataFrame:
        def made() -> pd.DataFrame:
            import pandas as pd

            whole = pd.concat([self._whole(), *([] if self.rated is None else [self.rated])])
            return revising.judged(whole, str(self.frame["model"].iloc[0]), revises)

        return self._once(f"judged {revises}", made)

    def costs(self) -> pd.DataFrame:
        """See Tables."""
        number = self.frame.groupby("budget")["method"].nunique()
        budget = number[number == number.max()].index.max()
        of = self.frame[self.frame["budget"] == budget].groupby("method", sort=False)
        means = of[["policy_flops", "verifier_flops"]].mean().reset_index()
        means = means.rename(columns={"policy_flops": "policy", "verifier_flops": "verifier"})
        made: pd.DataFrame = means.assign(budget=float(budget))
        return made

    def compared(self) -> dict[str, Any]:
        """See Tables."""
        return self._once("compared", self._compared)

    def _compared(self) -> dict[str, Any]:
        found, _ = compared.placed(self.frame, self._pool(), self.axis, "oracle", self._bins())
        rows = compared.rows(found, max(1, self.resamples))
        return {"budgets": found.budgets, "baseline": found.methods[found.baseline], "rows": rows}

    def planned(self) -> pd.DataFrame:
        """See Tables."""
        import pandas as pd

        return self._once("planned", lambda: planning.plan(pd.concat([self.frame, self.others]), {}))

    def _once(self, name: str, make: Callable[[], T]) -> T:
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def _pool(self) -> Pool:
        if self.pool is None:
            raise UserError("the study has no pool of samples", hint="pool = 64 in a study file asks for one")
        return self.pool

    def _scored(self) -> Pool:
        pool = self._pool()
        if not len(quality.scored(pool)[0]):
            raise UserError("no sample of the study's pool has a score by this verifier")
        return pool

    def _bins(self) -> int:
        """As many bins as asked for, fewer where there are not enough problems."""
        return max(1, min(self.count, len(self._pool().problems)))

    def _full(self) -> Pool:
        """The graded samples of the problems that have at least half as many as the one with most."""
        return self._once("full", lambda: _at_least_half(self._scored().judged()))

    def _powers(self) -> list[int]:
        return [2**i for i in range(int(self._full().sizes.min()).bit_length())]


def _at_least_half(pool: Pool) -> Pool:
    return pool.of([p for p, size in enumerate(pool.sizes.tolist()) if 2 * size >= pool.sizes.max()])


def of_study(
    study: str,
    dataset: str | None = None,
    model: str | None = None,
    verifier: str | None = None,
    resamples: int = RESAMPLES,
    *,
    db: str | None = None,
) -> StudyTables:
    """The tables of a stored study.

    Raises:
        UnknownName: no such study, model or verifier; UserError: it has no outcomes yet.
    """
    return of_chosen(choose(study, dataset, model, verifier, db=db), resamples)


def of_chosen(found: Chosen, resamples: int = RESAMPLES) -> StudyTables:
    """The tables of what was chosen of a study."""
    try:
        pool = found.pool
    except UserError:  # figures that need one say so
        pool = None
    return StudyTables(
        found.outcomes,
        found.others,
        pool,
        lambda revised: chains.kept(revised, found.db),
        resamples=resamples,
        rated=found.rated,
    )


def _about(outcomes: pd.DataFrame, judged: bool = True) -> str:
    """Whose outcomes these are, and on how many problems. judged: by which verifier, too."""
    first, verifiers = outcomes.iloc[0], [v for v in outcomes["verifier"].fillna("").unique() if v]
    graded = outcomes[outcomes["correct"].notna()]
    problems, seeds = graded["problem"].nunique(), outcomes["seed"].nunique()
    fewest = graded.groupby(["method", "verifier", "budget"], dropna=False)["problem"].nunique().min()
    by = f" with {verifiers[0]}" if verifiers and judged else ""
    said = f"{first['model']}{by} on {first['dataset']}: {problems:,} problems, {seeds} seed{'s'[: seeds > 1]}."
    if len(graded) < len(outcomes):
        said += f" Outcomes that are not graded are left out: {len(outcomes) - len(graded):,} of {len(outcomes):,}."
    return said if not fewest < problems else f"{said} Not all values rest on all problems: one on {fewest:,}."


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
