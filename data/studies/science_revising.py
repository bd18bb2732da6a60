"""Of the page about the paper's findings: what revising does, and what several verifiers make of the same solutions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from science_words import (
    WEIGHTED,
    bin_names,
    by_bin,
    chains,
    curves,
    difference,
    interval,
    multiple,
    section,
    table,
    whole,
)

from ttc_core.analysis import comparison, revisions
from ttc_core.export.chains import kept
from ttc_core.studies_chosen import Chosen

PLACES = (1, 2, 3, 4, 8, 16)  # attempts of a chain
CHAINS = (1, 2, 4, 8, 16, 32, 64)  # side by side
NEAR, FAR = (4, 8, 16, 32), (64, 128)  # generations


def revised(reviser: Chosen, wider: Chosen) -> str:
    """wider: the same on fewer problems with larger budgets."""
    ahead = [whole(reviser, chains(1, n), (WEIGHTED, n)) for n in NEAR]
    far = [whole(wider, chains(1, n), (WEIGHTED, n)) for n in FAR]
    easiest = [by_bin(of, chains(1, n), (WEIGHTED, n))[0] for of, ns in ((reviser, NEAR), (wider, FAR)) for n in ns]
    verdict = f"sequential against parallel {'agrees' if all(d.low > 0 for d in ahead + far) else 'agrees in part'}"
    verdict += f"; best on easy questions {'agrees' if any(d.low > 0 for d in easiest) else 'does not show'}"
    return section(
        "Revisions",
        "one chain of revisions is better than parallel samples; easy questions like long chains, hard ones a mixture; "
        "choosing the ratio by difficulty needs up to 4 times less compute.",
        f"one chain less weighted best-of-N of the same model: {', '.join(map(difference, ahead))} points at "
        f"{', '.join(map(str, NEAR))} generations; the policy's multiple is {_multiples(reviser, NEAR)}. All ratios "
        "less weighted best-of-N, in points:",
        verdict,
        _ratios(reviser, NEAR)
        + f"\n\nThe study `revising` goes on to larger budgets with {wider.outcomes['problem'].nunique()} of the "
        f"problems: one chain less weighted best-of-N {', '.join(map(difference, far))} points at "
        f"{', '.join(map(str, FAR))} generations, the policy's multiple {_multiples(wider, FAR)}:\n\n"
        + _ratios(wider, FAR),
    )


def _multiples(of: Chosen, budgets: Sequence[int]) -> str:
    found = curves(of, "oracle")["efficiency"]
    return ", ".join(f"{multiple(found[str(n)])} at {n}" for n in budgets)


def _ratios(of: Chosen, budgets: Sequence[int]) -> str:
    """Every ratio of sequential to parallel attempts less weighted best-of-N, by budget and bin."""
    rows = [
        [f"{n} attempts in {c} chain{'s'[: c > 1]}", *map(difference, by_bin(of, chains(c, n), (WEIGHTED, n)))]
        for n in budgets
        for c in CHAINS
        if c < n
    ]
    return table(["", *bin_names()], rows)


def positions(chains: Chosen) -> str:
    made = kept(chains.outcomes, chains.db)
    found = revisions.positions(made.correct, made.valid, made.problems)
    turned = revisions.turned(made.correct, made.valid)
    rows = []
    for one in (at for at in found if at.position in PLACES):
        right = interval({"mean": one.right, "low": one.low, "high": one.high}, 100)
        changed = [f"{value:.0%}" if value == value else "-" for value in (1 - one.kept, one.mended)]
        rows.append([one.position, right, *changed])
    length = made.correct.shape[1]
    first, last = (np.where(made.valid[:, at], made.correct[:, at], np.nan) for at in (0, length - 1))
    rise = comparison.compare(last, first)
    return section(
        "Along a chain of revisions",
        "pass@1 rises with every revision, though some 38 % of right attempts are turned wrong again.",
        f"{len(made.problems)} chains of {length} attempts of {chains.model}, each in sight of the latest four "
        "(the study `chains`); pass@1 in percent, and what of the right or wrong attempts before it an attempt turned. "
        f"Over all {turned['pairs']:.0f} pairs {turned['right_to_wrong']:.0%} of the right ones were turned wrong and "
        f"{turned['wrong_to_right']:.0%} of the wrong ones right; from the first attempt to the last pass@1 rises by "
        f"{difference(rise)} points:",
        "agrees" if rise.low > 0 else "undecided",
        table(["attempt", "pass@1", "right to wrong", "wrong to right"], rows),
    )


def judges(compared: Chosen) -> str:
    found = pd.concat([compared.outcomes, compared.rated, compared.others])
    ns, rows, apart = (4, 16, 64), [], []
    for verifier in ("mini-prm", "mini-implicit", "mini-mc"):
        apart.append([_judged(found, WEIGHTED, n, verifier, "mini-orm") for n in ns])
        rows.append([f"{verifier} less mini-orm", *map(difference, apart[-1])])
    sees = [_judged(found, chains(1, n)[0], n, "mini-reviser-prm", "mini-prm") for n in (4, 8, 16)]
    told = ", ".join(map(difference, sees))
    verdict = "a process reward model is better: "
    verdict += ", ".join(f"{row[0].split()[0]} {_where(of)}" for row, of in zip(rows, apart, strict=True))
    return section(
        "Process and outcome reward models",
        "a process reward model chooses better than an outcome reward model, the more the more samples there are; "
        "along chains of revisions a verifier that sees the attempts before is better than one that does not.",
        f"the same solutions of {compared.model} to {found['problem'].nunique()} problems (the study `verifiers`), "
        "weighted best-of-N by a process reward model less by the outcome reward model, in points, by generations:",
        f"{verdict}; a verifier that sees the attempts {_where(sees)}",
        table(["", *map(str, ns)], rows)
        + f"\n\nOne chain of revisions of 4, 8 and 16 attempts, chosen by mini-reviser-prm, which sees them, less "
        f"chosen by mini-prm, which does not: {told} points.",
    )


def _where(found: Sequence[comparison.Difference]) -> str:
    """In words, in how many places a difference shows."""
    ahead, behind = sum(d.low > 0 for d in found), sum(d.high < 0 for d in found)
    return f"is ahead in {ahead} of {len(found)} places, behind in {behind}"


def _judged(found: pd.DataFrame, method: str, n: int, verifier: str, other: str) -> comparison.Difference:
    """The same method and budget by two verifiers, paired."""
    a, b = (
        found[(found["method"] == method) & (found["budget"] == n) & (found["verifier"] == name)]
        .assign(right=lambda rows: rows["correct"].astype(float))
        .groupby("problem")["right"]
        .mean()
        for name in (verifier, other)
    )
    return comparison.compare(a.to_numpy(float), b.reindex(a.index).to_numpy(float))
