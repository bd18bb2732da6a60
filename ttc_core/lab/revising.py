"""Chains of revisions and what is measured on them (Snell et al. 2024, arXiv 2408.03314, section 6, figs. 6 and 7)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ttc_core.lab.cards import interval
from ttc_core.lab.corrections import MOST_ATTEMPTS
from ttc_core.lab.measures import Floats, majority, passed, weighted
from ttc_core.lab.model import Llama
from ttc_core.lab.rollouts import Rollout, check
from ttc_core.lab.sampling import sample
from ttc_core.lab.vocabulary import decode, prompt

BUDGET = 16
LENGTHS = tuple(BUDGET // 2**k for k in range(5) for _ in range(max(1, 2 ** (k - 1))))  # 16 8 4 4 2 2 2 2 1 ...
REVISED = 4  # pass@1 should rise over so many positions
Chain = list[Rollout]
Chains = list[list[Chain]]


def chains(
    model: Llama,
    problems: Sequence[Mapping[str, Any]],
    lengths: Sequence[int],
    seed: int,
    attempts: int = MOST_ATTEMPTS,
    temperature: float = 1.0,
) -> Chains:
    """Let a reviser write chains of attempts, each with the latest ones before it in its prompt.

    Arguments:
        lengths: attempts in each chain of a problem.
        seed: seed of the whole call.
        attempts: most attempts in a prompt.
    Returns:
        For each problem its chains, each a list of checked attempts.
    """
    found: Chains = [[[] for _ in lengths] for _ in problems]
    for position in range(max(lengths)):
        open_chains = [
            (index, chain)
            for index, row in enumerate(found)
            for chain, length in zip(row, lengths, strict=True)
            if position < length
        ]
        texts = [[decode(list(r.tokens)) for r in chain[-attempts:]] for _, chain in open_chains]
        prompts = [prompt(problems[i]["question"], seen) for (i, _), seen in zip(open_chains, texts, strict=True)]
        solutions = sample(model, prompts, 1, temperature, seed * 1_000_003 + position)
        for (index, chain), [tokens] in zip(open_chains, solutions, strict=True):
            chain.append(check(problems[index], index, tokens))
    return found


def split(attempts: Sequence[Rollout], lengths: Sequence[int]) -> list[Chain]:
    """Return the chains of these lengths that a flat list of attempts holds one after the other."""
    ends = list(itertools.accumulate(lengths))
    return [list(attempts[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def chain_rolls(model: Llama, problems: Sequence[Mapping[str, Any]], count: int, seed: int) -> list[list[Rollout]]:
    """Return one chain of `count` attempts at each problem, in order."""
    return [row[0] for row in chains(model, problems, (count,), seed)]


def pass_by_position(found: Chains, positions: int) -> Floats:
    """Return the share of right attempts at each position, (problems, positions), over the chains that reach it."""
    return np.asarray(
        [[np.mean([c[p].correct for c in row if len(c) > p]) for p in range(positions)] for row in found], float
    )


def _moves(found: Chains, before: bool) -> tuple[Floats, Floats]:
    """Per problem, the number of attempts that were right (or wrong) and were revised, and how many came out right."""
    counts, rights = np.zeros(len(found)), np.zeros(len(found))
    for index, row in enumerate(found):
        for chain in row:
            for one, following in itertools.pairwise(chain):
                if one.correct == before:
                    counts[index] += 1
                    rights[index] += following.correct
    return counts, rights


def ratio(parts: Floats, wholes: Floats, seed: int = 0, draws: int = 2000) -> dict[str, float]:
    """Return sum of parts / sum of wholes with its 95 % interval and two-sided p against 0, resampling problems."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(parts), (draws, len(parts)))
    values = parts[chosen].sum(1) / np.maximum(wholes[chosen].sum(1), 1)
    low, high = np.quantile(values, [0.025, 0.975])
    p = min(1.0, 2 * (1 + min((values <= 0).sum(), (values >= 0).sum())) / (draws + 1))
    mean = parts.sum() / max(wholes.sum(), 1)
    return {"mean": round(float(mean), 4), "low": round(float(low), 4), "high": round(float(high), 4), "p": round(p, 4)}


def _without_p(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if key != "p"}


def moves(found: Chains, fresh: Mapping[str, Sequence[Sequence[Rollout]]]) -> dict[str, Any]:
    """How often a revision breaks a right attempt and mends a wrong one, the latter against fresh samples.

    Arguments:
        found: chains of each problem.
        fresh: by name, samples without context of the same problems; a wrong attempt is compared with the share of
            right ones among the samples of its own problem (paired).
    """
    kept, kept_right = _moves(found, True)
    wrong, mended = _moves(found, False)
    results: dict[str, Any] = {
        "right_to_wrong": _without_p(ratio(kept - kept_right, kept)),
        "wrong_to_right": _without_p(ratio(mended, wrong)),
    }
    for name, rows in fresh.items():
        rates = np.asarray([np.mean([r.correct for r in row]) for row in rows])
        gain = ratio(mended - wrong * rates, wrong)
        results[f"right among fresh samples of {name} on the same problems"] = _without_p(ratio(wrong * rates, wrong))
        results[f"wrong_to_right minus fresh samples of {name}"] = _without_p(gain)
        results[f"p of wrong_to_right minus fresh samples of {name}"] = gain["p"]
    return results


def by_ratio(found: Chains, lengths: Sequence[int], budget: int, scores: Any = None) -> dict[int, dict[str, Floats]]:
    """Accuracy of one budget shared among more and more chains (figure 7): per number of chains, rule and problem.

    Arguments:
        found: chains of `lengths` attempts, the longest first.
        budget: attempts in all; a power of two.
        scores: of each problem's each chain's each attempt, for the rule "weighted"; None leaves it out.
    """
    table: dict[int, dict[str, Floats]] = {}
    count = 1
    while count <= budget:
        length = budget // count
        if sum(n >= length for n in lengths) >= count:
            rules: dict[str, list[bool]] = {
                rule: [] for rule in ("majority", "pass", *(["weighted"] if scores else []))
            }
            for index, row in enumerate(found):
                flat = [r for chain in row[:count] for r in chain[:length]]
                rules["majority"].append(majority(flat, []))
                rules["pass"].append(passed(flat, []))
                if scores:
                    weights = [s for chain in scores[index][:count] for s in chain[:length]]
                    rules["weighted"].append(weighted(flat, weights))
            table[count] = {rule: np.asarray(values, float) for rule, values in rules.items()}
        count *= 2
    return table


def chain_results(
    found: Chains,
    lengths: Sequence[int],
    fresh: Mapping[str, Sequence[Sequence[Rollout]]],
    bins: Sequence[Any],
    budgets: Sequence[int] = (4, BUDGET),
    scores: Any = None,
) -> dict[str, Any]:
    """Everything a card says of a reviser, from chains and fresh samples of the same problems.

    Arguments:
        bins: indices of the problems of each bin, easiest first.
    """
    positions = pass_by_position(found, max(lengths))
    results: dict[str, Any] = {
        "pass@1 by position": {str(p + 1): interval(positions[:, p]) for p in range(positions.shape[1])},
        f"pass@1 at position {REVISED} minus position 1": interval(positions[:, REVISED - 1] - positions[:, 0]),
        **moves(found, fresh),
    }
    for budget in budgets:
        table = by_ratio(found, lengths, budget, scores)
        sequential, parallel = table[1], table[budget]
        for rule in sequential:
            for chains_, row in table.items():
                name = f"{rule} of {budget}: {chains_} chains of {budget // chains_}"
                results[name] = interval(row[rule])
                results[f"{name} by bin"] = [round(float(row[rule][b].mean()), 3) for b in bins]
            results[f"{rule} of {budget}: sequential minus parallel"] = interval(sequential[rule] - parallel[rule])
    return results
