"""Whether one method is better than another on the same problems, and how many problems it takes to tell."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from ttc_core.analysis.pool import Floats, Ints
from ttc_core.errors import BadValue

BLOCK = 1024  # sizes of a test whose edges are worked out together


@dataclass(frozen=True)
class Difference:
    """Accuracy of one method less another's on P common problems.

    Arguments:
        mean, low, high: difference with its 95 % interval, by a paired bootstrap over problems.
        won, lost: problems that only the one or only the other solves (in more than half of its seeds).
        p: two-sided exact McNemar test (the binomial test of won against lost).
        adjusted: p after Holm's correction for all comparisons made together.
    """

    mean: float
    low: float
    high: float
    won: int
    lost: int
    p: float
    adjusted: float


def compare(one: Floats, other: Floats, resamples: int = 10_000, seed: int = 0) -> Difference:
    """Compare two methods at equal cost.

    Arguments:
        one, other: (P) share of seeds in which each solves the problem; NaN drops the problem from both.

    Raises:
        BadValue: no problem in common.
    """
    common = ~np.isnan(one) & ~np.isnan(other)
    a, b = one[common], other[common]
    if not len(a):
        raise BadValue("the methods have no problem in common")
    low, high = interval(a - b, resamples, seed)
    solved, other_solved = a > 0.5, b > 0.5
    won, lost = int((solved & ~other_solved).sum()), int((other_solved & ~solved).sum())
    p = mcnemar(won, lost)
    return Difference(float((a - b).mean()), low, high, won, lost, p, p)


def interval(values: Floats, resamples: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean over problems, by the bootstrap; equal seeds draw equal problems. values: (P)."""
    low, high = np.quantile(_drawn(len(values), resamples, seed) @ values / len(values), [0.025, 0.975])
    return float(low), float(high)


def by_budget(outcomes: pd.DataFrame, column: str, resamples: int = 1000) -> pd.DataFrame:
    """Accuracy at each budget of the outcomes with each value of a column, a mean over problems of shares over seeds.

    Returns:
        Columns named like `column`, budget, problems, accuracy, low and high: its 95 % interval over problems.
    """
    kept = outcomes[outcomes["correct"].notna()]
    graded = kept.assign(right=kept["correct"].astype(float))
    shares = graded.groupby([column, "budget", "problem"], sort=False)["right"].mean().reset_index()
    rows: list[list[Any]] = []
    for name, own in shares.groupby(column, sort=False):
        for budget, at in own.groupby("budget"):
            values = at["right"].to_numpy(float)
            mean = float(values.mean())
            rows.append([name, float(str(budget)), len(values), mean, *interval(values, resamples)])
    found = pd.DataFrame(rows, columns=[column, "budget", "problems", "accuracy", "low", "high"])
    return found.sort_values("budget", kind="stable")


@functools.lru_cache(maxsize=2)
def _drawn(problems: int, resamples: int, seed: int) -> Floats:
    """(resamples, P) how often each problem is drawn; not to be changed. Kept, as all of a study's methods need it."""
    return np.random.default_rng(seed).multinomial(problems, np.full(problems, 1 / problems), resamples).astype(float)


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p of as uneven a split of the problems on which the methods differ."""
    return float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjusted p values, in the order given."""
    order, found, most = np.argsort(ps, kind="stable"), [0.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        most = max(most, min(1.0, (len(ps) - rank) * ps[i]))
        found[i] = most
    return found


def compare_all(
    accuracy: Mapping[str, Floats], against: str, resamples: int = 10_000, seed: int = 0
) -> dict[str, Difference]:
    """Every method against one, with corrected p values."""
    if against not in accuracy:
        raise BadValue(f"there is no method {against!r} to compare with (there is: {', '.join(accuracy)})")
    base = accuracy[against]
    found = {name: compare(a, base, resamples, seed) for name, a in accuracy.items() if name != against}
    adjusted = holm([d.p for d in found.values()])
    return {name: replace(d, adjusted=p) for (name, d), p in zip(found.items(), adjusted, strict=True)}


def power(won: float, lost: float, problems: int, level: float = 0.05) -> float:
    """Probability that the exact McNemar test finds a true difference.

    Arguments:
        won, lost: true shares of problems that only one of the methods solves.
        problems: how many there are.
    """
    _check_shares(won, lost)
    differing = won + lost
    if differing == 0:
        return 0.0
    numbers = np.arange(problems + 1)
    likely = _binomial(numbers, problems, differing)
    numbers, likely = numbers[likely > 1e-12], likely[likely > 1e-12]
    edges, share = _critical(numbers, level), won / differing
    some = edges >= 0
    edges, numbers = edges[some], numbers[some]
    found = special.bdtr(edges, numbers, share) + special.bdtrc(numbers - edges - 1, numbers, share)
    return float((likely[some] * found).sum())


def _binomial(counts: Ints, of: int, share: float) -> Floats:
    """Probability of each count. `special` goes without the checks of `stats.binom`, which take longer than the sum."""
    ways = -special.betaln(1 + of - counts, 1 + counts) - np.log1p(of)
    return np.asarray(np.exp(ways + special.xlogy(counts, share) + special.xlog1py(of - counts, -share)), np.float64)


def _critical(numbers: Ints, level: float) -> Ints:
    """The largest count whose two-sided p among so many differing problems is at most `level`; -1 if there is none.

    numbers: consecutive, one at least.
    """
    first, last = int(numbers[0]) // BLOCK, int(numbers[-1]) // BLOCK
    known = np.concatenate([_edges(block, level) for block in range(first, last + 1)])
    return np.asarray(known[numbers - first * BLOCK], np.int64)


@functools.lru_cache(256)
def _edges(block: int, level: float) -> Ints:
    """`_critical` of `BLOCK` numbers."""
    numbers = np.arange(block * BLOCK, (block + 1) * BLOCK)
    edges = np.asarray(stats.binom.ppf(level / 2, numbers, 0.5), np.int64)
    return edges - (2 * stats.binom.cdf(edges, numbers, 0.5) > level)


def needed(won: float, lost: float, wanted: float = 0.8, level: float = 0.05, most: int = 100_000) -> int | None:
    """How many problems tell the methods apart with this power; None if more than `most`.

    Power rises in small steps that can fall back a little; the number is the least by bisection.
    """
    _check_shares(won, lost)
    if won == lost:
        return None
    high = 1
    while power(won, lost, high, level) < wanted:
        if high == most:
            return None
        high = min(2 * high, most)
    low = high // 2 + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(won, lost, middle, level) >= wanted else (middle + 1, high)
    return low


def _check_shares(won: float, lost: float) -> None:
    if won < 0 or lost < 0 or won + lost > 1:
        raise BadValue(f"shares of problems must be at least 0 and 1 together at most, not {won:g} and {lost:g}")
