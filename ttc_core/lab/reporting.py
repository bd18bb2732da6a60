"""Exports the family with its cards; every number in a card is measured here, on the weights as they are shipped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ttc_core import registry
from ttc_core.lab import calibrating, measures
from ttc_core.lab.exporting import export_model, import_model, write_json
from ttc_core.lab.measures import Floats, Scores
from ttc_core.lab.problems import read_problem_set
from ttc_core.lab.rollouts import Rollout, roll
from ttc_core.lab.searching import solved
from ttc_core.lab.training import load_model

POLICIES = {"mini-s": "the small policy", "mini-m": "a better-trained sibling of mini-s, which verifiers read"}
DATA = (
    "procedurally generated word problems with 3 to 12 steps (ttc_core/lab/problems.py); no question of the problem "
    "sets occurs in the training stream"
)
SAMPLES = {"mini-s": 64, "mini-m": 16}  # solutions per test problem
SIZES = (1, 4, 16, 64)
BIN_SAMPLES = 32
SEARCHED: tuple[tuple[str, dict[str, int]], ...] = (("best_of_n", {}), ("beam_search", {"width": 4}))
SEARCH_BUDGETS = (4, 8, 16)
Results = Mapping[str, Any]


def export_family(work: Path, data: Path, preset: str) -> None:
    """Write the weights and cards of the finished models."""
    for name, what in POLICIES.items():
        model, more = load_model(work / f"{name}.pt")
        folder = data / "models" / name
        export_model(model, folder, half=True)
        card = {
            "name": name,
            "kind": "policy",
            "what": what,
            "parameters": model.shape.parameters(),
            "shape": model.shape.as_dict(),
            "data": DATA,
            "training": more["training"],
            "reproduce": f"python -m ttc_core.lab all --preset {preset}",
        }
        write_json(folder / "card.json", card)


def calibrate_family(data: Path, preset: str) -> None:
    """Fit the implicit verifier to validation rollouts of the small policy and write it."""
    policy, reference = (import_model(data / "models" / name) for name in ("mini-m", "mini-s"))
    problems = read_problem_set(data / "problems" / "mini-validation.jsonl")
    rollouts = roll(reference, problems, 8, seed=101)
    features = calibrating.implicit_features(policy, reference, problems, rollouts)
    coefficients, intercept = calibrating.calibrate_implicit(features, rollouts)
    folder = data / "models" / "mini-implicit"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "verifier.json",
        {
            "name": "mini-implicit",
            "kind": "implicit",
            "policy": "mini-m",
            "reference": "mini-s",
            "features": list(calibrating.FEATURES),
            "coefficients": coefficients,
            "intercept": intercept,
        },
    )
    write_json(
        folder / "card.json",
        {
            "name": "mini-implicit",
            "kind": "implicit",
            "what": "implicit process reward: the likelihood of the steps under mini-m and its ratio to mini-s, "
            "calibrated on validation rollouts of mini-s to P(right so far)",
            "parameters": policy.shape.parameters() + reference.shape.parameters(),
            "data": f"{len(problems)} validation problems, 8 solutions each; no step labels beyond the calibration",
            "training": [],
            "reproduce": f"python -m ttc_core.lab all --preset {preset}",
        },
    )


def evaluate_family(data: Path) -> None:
    """Measure every member on mini-test and write the numbers into the cards, their README files and REPORT.md."""
    problems = read_problem_set(data / "problems" / "mini-test.jsonl")
    models = {name: import_model(data / "models" / name) for name in POLICIES}
    rolls = {name: roll(model, problems, SAMPLES[name], seed=202) for name, model in models.items()}
    bins = measures.difficulty_bins(_rates(roll(models["mini-s"], problems, BIN_SAMPLES, seed=303)))
    for name, model in models.items():
        greedy = roll(model, problems, 1, seed=0, temperature=0.0)
        _note(data / "models" / name, _policy_results(rolls[name], greedy, bins))
    folder = data / "models" / "mini-implicit"
    verifier = json.loads((folder / "verifier.json").read_text())
    features = calibrating.implicit_features(models["mini-m"], models["mini-s"], problems, rolls["mini-s"])
    scores = calibrating.implicit_scores(features, verifier["coefficients"], verifier["intercept"])
    trunk = json.loads((data / "models" / "mini-m" / "card.json").read_text())["evaluation"]["greedy"]
    results = _verifier_results(rolls["mini-s"], scores) | {
        "greedy_accuracy_of_mini-m_if_it_were_the_policy": trunk,
        "searches": _search_results("mini-implicit", bins),
    }
    _note(folder, results)
    write_report(data)


def _rates(rollouts: Sequence[Sequence[Rollout]]) -> Floats:
    return np.array([np.mean([r.correct for r in row]) for row in rollouts])


def _by_bin(values: Floats, bins: Sequence[Any]) -> list[float]:
    return [round(float(values[b].mean()), 3) for b in bins]


def _policy_results(
    rollouts: Sequence[Sequence[Rollout]], greedy: Sequence[Sequence[Rollout]], bins: Sequence[Any]
) -> dict[str, Any]:
    rates = _rates(rollouts)
    return {
        "set": "mini-test; bins by the pass rate of mini-s over other samples",
        "samples_per_problem": len(rollouts[0]),
        "pass@1": _interval(rates),
        "greedy": _interval(_rates(greedy)),
        "pass@1_by_bin_easy_to_hard": _by_bin(rates, bins),
        "greedy_by_bin_easy_to_hard": _by_bin(_rates(greedy), bins),
    }


def _verifier_results(rollouts: Sequence[Sequence[Rollout]], scores: Sequence[Scores]) -> dict[str, Any]:
    last = [[s[-1] for s in row] for row in scores]
    perfect = [[float(all(r.right)) for r in row] for row in rollouts]
    table = {
        method: {str(n): measures.selected(method, rollouts, last, n) for n in SIZES} for method in measures.SELECTORS
    }
    return {
        "set": "mini-test, solutions of mini-s at temperature 1",
        "samples_per_problem": len(rollouts[0]),
        "within_problem_auc": round(measures.within_problem_auc(rollouts, last), 4),
        "within_problem_auc_of_a_perfect_prefix_checker": round(measures.within_problem_auc(rollouts, perfect), 4),
        **{name: round(value, 4) for name, value in calibrating.step_quality(rollouts, scores).items()},
        "accuracy_by_n": {method: {n: _interval(v) for n, v in row.items()} for method, row in table.items()},
        "weighted_minus_majority": {
            str(n): _interval(table["weighted"][str(n)] - table["majority"][str(n)]) for n in SIZES[1:]
        },
    }


def _search_results(verifier: str, bins: Sequence[Any]) -> dict[str, Any]:
    """Beam search against weighted best-of-N with the program's own engine, one search a problem."""
    problems = registry.get("dataset", "mini-test")()
    results: dict[str, Any] = {}
    for budget in SEARCH_BUDGETS:
        found = {name: solved(problems, name, budget, params, verifier) for name, params in SEARCHED}
        for name, values in found.items():
            results[f"{name} {budget}"] = _interval(values)
            results[f"{name} {budget} by bin"] = _by_bin(values, bins)
        results[f"beam_search minus best_of_n {budget}"] = _interval(found["beam_search"] - found["best_of_n"])
    return results


def write_report(data: Path) -> None:
    """Gather the README files of all members in REPORT.md."""
    folders = sorted(path.parent for path in (data / "models").glob("*/card.json"))
    parts = [(folder / "README.md").read_text().replace("# ", "## ", 1) for folder in folders]
    heading = "# The embedded family\n\nWritten by `python -m ttc_core.lab evaluate`; no number is typed by hand.\n\n"
    (data / "models" / "REPORT.md").write_text(heading + "\n".join(parts))


def _interval(values: Floats) -> dict[str, float]:
    mean, low, high = measures.bootstrap(values)
    return {"mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}


def _note(folder: Path, results: Results) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["flops_per_token"] = 2 * card["parameters"]
    card["evaluation"] = results
    card["torch"] = torch.__version__
    write_json(folder / "card.json", card)
    (folder / "README.md").write_text(readme(card))


def readme(card: Mapping[str, Any]) -> str:
    """A model card for people, from the one for programs."""
    lines = [
        f"# {card['name']}",
        "",
        f"{card['what'][0].upper()}{card['what'][1:]}.",
        "",
        f"- Parameters: {card['parameters']:,}; {card['flops_per_token']:,} floating-point operations a token",
        f"- Data: {card['data']}",
        f"- Reproduce: `{card['reproduce']}`",
        "- Licence: Apache-2.0",
        "",
    ]
    if card["training"]:
        lines += ["| training | tokens | steps | minutes | final loss |", "|---|---|---|---|---|"]
        lines += [
            f"| {t['stage']} | {t['tokens']:,} | {t['steps']:,} | {t['minutes']} | {t['final_loss']} |"
            for t in card["training"]
        ]
        lines.append("")
    lines += ["| measured | value (95 % interval over problems) |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in _flat(card["evaluation"])]
    return "\n".join([*lines, ""])


def _flat(results: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(results, dict) and set(results) == {"mean", "low", "high"}:
        return [(prefix, f"{results['mean']:.3f} ({results['low']:.3f} to {results['high']:.3f})")]
    if isinstance(results, dict):
        return [pair for key, value in results.items() for pair in _flat(value, f"{prefix} {key}".strip())]
    return [(prefix, " ".join(map(str, results)) if isinstance(results, list) else str(results))]
