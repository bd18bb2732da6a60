"""Write docs/science.md: what the paper found and what the shipped studies show, phenomenon by phenomenon.

    python data/studies/science.py

Every number and every verdict on the page comes from here; an interval that holds 0 (or 1, of a multiple) decides
nothing.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the last bits of sums depend on it

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from ttc_core.analysis import comparison, difficulty, documents, estimators, quality  # noqa: E402
from ttc_core.settings import REPOSITORY  # noqa: E402
from ttc_core.store.database import Database  # noqa: E402
from ttc_core.store.migrate import ensure  # noqa: E402
from ttc_core.store.transfer import copy_file  # noqa: E402
from ttc_core.studies_chosen import Chosen, choose, parameters  # noqa: E402

sys.path.insert(0, str(HERE))
from science_revising import judges, positions, revised  # noqa: E402
from science_words import (  # noqa: E402
    RESAMPLES,
    WEIGHTED,
    bin_names,
    by_bin,
    curves,
    difference,
    interval,
    multiple,
    reached,
    section,
    share,
    table,
    whole,
)

PAGE = REPOSITORY / "docs" / "science.md"
POLICY, ALONE = (8, 16, 32, 64, 128, 256), (4, 8, 16, 32, 64, 128, 256)  # generations
SEARCHED = (4, 16, 64, 256)
RATIOS = (0.16, 0.79, 22.0)
NEEDED = (1, 4, 16, 64, 256)  # samples to predict difficulty from
BEAM, DVTS = "beam_search width=4", "dvts width=4"


def page() -> str:
    """The whole page."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'studies.db'}"
        ensure(Database(url))
        for file in sorted(HERE.glob("*.db.xz")):
            with Database(url).write() as connection:
                copy_file(file, connection)
        own, weak = choose("sample", db=url), choose("mini-mc", db=url)
        reviser = choose("sample", model="mini-reviser", db=url)
        again = [choose("other-seeds", model=chosen.model, db=url) for chosen in (own, reviser)]
        parts = [_head(own), _search(own), _bins(own), _ahead(own), _over(own, weak)]
        parts += [revised(reviser, choose("revising", db=url))]
        parts += [positions(choose("chains", db=url)), _exchange(own), _predicted(own), _aggregated(own)]
        parts += [judges(choose("verifiers", db=url))]
        parts += [_majority(own, reviser), _seeds(list(zip((own, reviser), again, strict=True)))]
        return "\n\n".join(parts) + "\n"


def _head(own: Chosen) -> str:
    frame = own.outcomes
    rows = [
        [name, *(share(of[of["budget"] == b]["correct"]) for b in sorted(frame["budget"].unique()))]
        for name, of in frame.groupby("method", sort=False)
    ]
    head = ["", *map(str, sorted(frame["budget"].unique()))]
    return (
        "# The paper's findings and the sample study\n\n"
        "Written by `python data/studies/science.py`; no number is typed by hand. The paper is Snell et al. (2024, "
        f"arXiv 2408.03314). The study is `sample`: {frame['problem'].nunique()} problems of {own.dataset}, "
        f"{own.model} judged by {own.verifier}, one seed (others are at the end); the weak verifier is that of the "
        "study `mini-mc`. "
        "Intervals are 95 %, by a bootstrap over problems. Bin 1 is the easiest of five, by the pass rate of the "
        "pool.\n\nAccuracy by generations:\n\n" + table(head, rows)
    )


def _search(own: Chosen) -> str:
    rows, all_ = [], []
    for by in ("oracle", "predicted"):
        found = curves(own, by)
        multiples = {n: found["efficiency"][str(n)] for n in POLICY}
        all_ += list(multiples.values())
        rows.append([by, *(multiple(m) for m in multiples.values())])
    alone, told = _alone(own)
    against = "agrees" if all(m["low"] > 1 for m in all_) else "undecided"
    gains = "gains too" if any(gain["low"] > 0 for gain in alone) else "gains nothing that shows"
    verdict = f"{against} against best-of-N; against one good search choosing {gains}"
    return section(
        "Choosing by difficulty",
        "choosing the strategy by difficulty needs up to 4 times less compute than best-of-N.",
        "times that weighted best-of-N needs the compute of the cross-validated policy, by difficulty and generations:",
        verdict,
        table(["difficulty", *map(str, POLICY)], rows) + told,
    )


def _alone(own: Chosen) -> tuple[list[dict[str, float]], str]:
    """What of the gain is choosing by difficulty, and what is a better method for all; as gains and in words."""
    found = documents.curves(own.outcomes, own.pool, baseline=DVTS, resamples=RESAMPLES)
    gains = [{end: found["gain"][end][found["budgets"].index(n)] for end in ("mean", "low", "high")} for n in ALONE]
    return gains, (
        f"\n\nHow much of it is choosing: against {DVTS} for all questions alike the policy gains "
        f"{', '.join(interval(gain, 100) for gain in gains)} points at {', '.join(map(str, ALONE))} generations."
    )


def _bins(own: Chosen) -> str:
    rows, found = [], {}
    for n in SEARCHED:
        differences = by_bin(own, (BEAM, n), (WEIGHTED, n))
        found[n] = differences
        rows.append([n, *map(difference, differences)])
    falls = all(d.high < 0 for d in found[64][:1])
    wins = all(d.low > 0 for d in found[16][3:])
    verdict = f"{'agrees' if wins else 'undecided'} on hard bins; {'agrees' if falls else 'does not show'} on easy ones"
    return section(
        "Beam search by difficulty",
        "beam search is better in the medium bins, worse in the easy ones, and nothing helps in the hardest.",
        "beam search of width 4 less weighted best-of-N, in points, by generations and bin:",
        verdict,
        table(["generations", *bin_names()], rows)
        + f"\n\nThat beam search helps in the hardest bin too is the family's doing: {reached(own):.0%} of its "
        "problems are solved by at least one of 256 samples, so that there is something to find.",
    )


def _ahead(own: Chosen) -> str:
    names = ("lookahead_search width=0 k=1", "lookahead_search width=0 k=3")
    pairs = [(name, n, whole(own, (name, n), ("beam_search width=0", n))) for name in names for n in SEARCHED]
    verdict = "agrees" if all(d.high < 0 for _, _, d in pairs) else "agrees in part"
    return section(
        "Lookahead search",
        "at equal cost lookahead search is worse than beam search, for its rollouts cost generations.",
        "lookahead less beam search, both with M = sqrt(N), in points:",
        verdict,
        table(["", *map(str, SEARCHED)], [[k, *(difference(d) for name, _, d in pairs if name == k)] for k in names]),
    )


def _over(own: Chosen, weak: Chosen) -> str:
    rows, falls = [], []
    for chosen in (own, weak):
        differences = by_bin(chosen, (BEAM, 64), (BEAM, 4))
        rows.append([chosen.verifier, *map(difference, differences)])
        falls.append([d.high < 0 for d in differences])
    best = "best_of_n select=best"
    rows.append([f"{weak.verifier}, best-of-N", *map(difference, by_bin(weak, (best, 64), (best, 4)))])
    verdict = f"agrees with {weak.verifier}: {sum(falls[1])} bins fall; {sum(falls[0])} with {own.verifier}"
    return section(
        "Over-optimising the verifier",
        "on easy questions beam search falls with more budget, for it exploits the verifier's mistakes.",
        "beam search of width 4 at 64 generations less itself at 4, in points, by verifier and bin:",
        verdict,
        table(["verifier", *bin_names()], rows)
        + "\n\nWhether it shows depends on the verifier, for the search is the same: inside a problem a right sample "
        f"scores above a wrong one with a chance of {quality.within_problems(own.pool):.2f} by {own.verifier} and of "
        f"{quality.within_problems(weak.pool):.2f} by {weak.verifier}.",
    )


def _exchange(own: Chosen) -> str:
    large, name = own.larger()
    if large is None:
        raise SystemExit("the study has no larger model")
    times = parameters(large) / parameters(own.outcomes)
    found = documents.exchanges(own.outcomes, large, own.pool, RATIOS, times)
    rows = [
        [bin_names()[b], *(interval(star["gain"], 100) for star in of["stars"])] for b, of in enumerate(found["bins"])
    ]
    gains = [star["gain"] for of in found["bins"] for star in of["stars"]]
    verdict = (
        f"agrees in part: the small model is ahead in {sum(g['low'] > 0 for g in gains)} of {len(gains)} places, "
        f"behind in {sum(g['high'] < 0 for g in gains)}"
    )
    return section(
        "Test-time compute against parameters",
        "on easy and medium questions, and where little is inferred, a small model with test-time compute beats one 14 "
        "times larger at equal FLOPs; on hard ones pretraining is worth more.",
        f"{own.model} with its policy less {name} ({times:.1f} times the parameters, greedy), in points, by R "
        "(intervals of the problems, with the policy as it was chosen):",
        verdict,
        table(["", *(f"R = {r:g}" for r in RATIOS)], rows),
    )


def _predicted(own: Chosen) -> str:
    same = documents.bins(own.pool, "predicted")["agreement"]
    gap = curves(own, "predicted")
    at = gap["budgets"].index(64)
    lost = {end: gap["gap"][end][at] for end in ("mean", "low", "high")}
    curve = difficulty.needed(own.pool, NEEDED)
    rows = [
        ["rank correlation", *(f"{point['spearman']:.2f}" for point in curve)],
        ["in the same bin", *(f"{point['same']:.0%}" for point in curve)],
    ]
    return section(
        "Predicted difficulty",
        "difficulty predicted by the verifier serves nearly as well as the oracle's.",
        f"rank correlation {same['spearman']:.2f}, {same['same']:.0%} of problems in the same bin; at 64 generations "
        f"oracle bins are better by {interval(lost, 100)} points. Predicted from fewer samples, each of which costs a "
        "generation:",
        "agrees" if lost["low"] <= 0 else "agrees in part",
        table(["samples", *(f"{p['samples']:g}" for p in curve)], rows),
    )


def _aggregated(own: Chosen) -> str:
    pool, ns = own.pool, (4, 16, 64)
    last, *others = (
        estimators.estimate(pool.rescored(how), "weighted", ns).values.T for how in ("last", "min", "prod", "mean")
    )
    found = [[comparison.compare(a, b) for a, b in zip(last, of, strict=True)] for of in others]
    apart = [d for of in found for d in of]
    ahead, behind = sum(d.low > 0 for d in apart), sum(d.high < 0 for d in apart)
    rows = [[name, *map(difference, of)] for name, of in zip(("least", "product", "mean"), found, strict=True)]
    return section(
        "Aggregating step scores",
        "the last step's score is a better score of a solution than the least or the product of all.",
        f"weighted best-of-n by the last score less by another, in points, over subsets of the pool, by n ({own.model} "
        f"judged by {own.verifier}):",
        f"the last is ahead in {ahead} of {len(apart)} places, behind in {behind}",
        table(["", *map(str, ns)], rows),
    )


def _majority(own: Chosen, reviser: Chosen) -> str:
    ns, plain = (4, 16, 64), "best_of_n select=majority"
    found = {of.model: [whole(of, (WEIGHTED, n), (plain, n)) for n in ns] for of in (own, reviser)}
    return section(
        "Majority",
        "a verifier chooses better than a majority of the answers.",
        "weighted best-of-N less the majority of the same samples, in points, by generations:",
        "agrees" if all(d.low > 0 for of in found.values() for d in of) else "agrees in part",
        table(["", *map(str, ns)], [[model, *map(difference, of)] for model, of in found.items()]),
    )


def _seeds(pairs: Sequence[tuple[Chosen, Chosen]]) -> str:
    """pairs: a model's outcomes of the sample study and of the one with other seeds."""
    rows, apart, noise, ahead = [], [], [], []
    for own, again in pairs:
        names = again.outcomes.drop_duplicates("problem")["problem"]
        frame = pd.concat([own.outcomes[own.outcomes["problem"].isin(names)], again.outcomes])
        asked = again.outcomes.drop_duplicates(["method", "budget"]).sort_values(["method", "budget"])
        for method, budget in zip(asked["method"], asked["budget"], strict=True):
            of = frame[(frame["method"] == method) & (frame["budget"] == budget)]
            shares = of.assign(right=of["correct"].astype(float)).groupby("seed")["right"].mean()
            apart.append(shares.std())
            noise.append(np.sqrt(shares.mean() * (1 - shares.mean()) / len(names)))
            rows.append([own.model, method, budget, *(f"{share:.3f}" for share in shares)])
            if method != WEIGHTED:
                other = frame[(frame["method"] == WEIGHTED) & (frame["budget"] == budget)]
                base = other.assign(right=other["correct"].astype(float)).groupby("seed")["right"].mean()
                points = ", ".join(f"{100 * gain:+.1f}" for gain in shares - base)
                ahead.append(f"{method} at {budget} by {points} points")
    seeds = sorted({*pairs[0][0].outcomes["seed"], *pairs[0][1].outcomes["seed"]})
    return (
        f"## Other seeds\n\nThe study `other-seeds` repeats a part of it on its first {len(names)} problems. Accuracy "
        f"by seed:\n\n{table(['model', 'method', 'generations', *(f'seed {seed}' for seed in seeds)], rows)}\n\n"
        f"Seeds of one method and budget differ by a standard deviation of {_root(apart):.1f} "
        f"points, the choice of so many problems makes one of {_root(noise):.1f} points. The "
        "intervals above are over problems with their one seed: each problem's luck is in them, for a problem that is "
        f"drawn again brings the luck that it had. Ahead of weighted best-of-N, seed by seed: {'; '.join(ahead)}."
    )


def _root(deviations: Sequence[float]) -> float:
    """Their root mean square, in points."""
    return float(100 * np.sqrt(np.mean(np.square(deviations))))


if __name__ == "__main__":
    os.makedirs(PAGE.parent, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
