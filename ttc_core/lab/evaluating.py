"""Measures every member on mini-test, on the weights as they are shipped, and writes cards and report.

An evaluation takes long and is kept part by part under the work folder, named by what it depends on: an interrupted
one goes on where it stood, and a member that has not changed is not measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from ttc_core import registry
from ttc_core.lab import calibrating, measures, revising
from ttc_core.lab.cards import interval, note, read_card, write_report
from ttc_core.lab.exporting import import_model
from ttc_core.lab.harvest import rollouts_of
from ttc_core.lab.measures import Floats, Scores
from ttc_core.lab.members import MEMBERS
from ttc_core.lab.problems import read_problem_set
from ttc_core.lab.rollouts import Rollout, roll
from ttc_core.lab.searching import solved

SMALL = "mini-s"  # the policy that all verifiers judge
SAMPLES = {"mini-s": 64, "mini-m": 16, "mini-l": 8}  # solutions per test problem
OTHER_SAMPLES = 8
HARD = "mini-hard"  # problems of templates that no member was trained on
SIZES = (1, 2, 4, 8, 16, 32, 64)
WIDE_SHARE, WIDE_SAMPLES = 0.3, 256  # of the problems, with so many samples each
BIN_SAMPLES = 32
BEAMS: tuple[tuple[int, int], ...] = ((4, 4), (8, 4), (16, 4), (64, 4), (64, 8))  # (N, M)
WIDE_BEAMS: tuple[tuple[int, int], ...] = ((256, 4), (256, 16))
SEARCHED = ("mini-prm", "mini-implicit")  # verifiers whose searches are measured at every budget
WIDELY_SEARCHED = "mini-prm"  # the one whose beam searches are measured with 256 generations too
FEW_BEAMS: tuple[tuple[int, int], ...] = ((4, 4), (16, 4))  # for the others
REVISIONS, REVISION_CHAINS = 16, (4, 16)  # attempts, and the chains they form
REVISION_VERIFIERS = ("mini-reviser-prm", "mini-prm", "mini-implicit")
Rolls = Sequence[Sequence[Rollout]]
Bins = Sequence[Any]


@dataclass(frozen=True)
class Evaluation:
    """What is measured on, and where finished parts are kept.

    Attributes:
        data: folder of models/ and problems/.
        kept: folder of finished parts.
        problems: the test problems as the lab reads them.
    """

    data: Path
    kept: Path
    problems: Sequence[dict[str, Any]]

    def on(self, name: str) -> Evaluation:
        """Return the same on as many problems of another set."""
        problems = read_problem_set(self.data / "problems" / f"{name}.jsonl")[: len(self.problems)]
        return replace(self, kept=self.kept / name, problems=problems)

    @property
    def wide(self) -> int:
        """Return the number of problems of the widest pool and searches."""
        return max(1, int(len(self.problems) * WIDE_SHARE))

    def folder(self, name: str) -> Path:
        """Return the folder of a member."""
        return self.data / "models" / name

    def once(self, part: str, members: Sequence[str], make: Callable[[], Any]) -> Any:
        """Return what `make` returned for these very weights before, else make it (JSON) and keep it."""
        digest = hashlib.sha256()
        for name in members:
            for file in ("model.safetensors", "verifier.json"):
                path = self.folder(name) / file
                digest.update(path.read_bytes() if path.exists() else b"")
        path = self.kept / f"{part}-{digest.hexdigest()[:16]}.json"
        if not path.exists():
            print(f"evaluating {part}", flush=True)
            self.kept.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{os.getpid()}.partial")
            partial.write_text(json.dumps(make()))
            partial.replace(path)
        return json.loads(path.read_text())

    def rolls(self, name: str, count: int, seed: int, problems: int | None = None, greedy: bool = False) -> Rolls:
        """Return solutions of the first `problems` test problems (default all) by a policy."""
        chosen = self.problems[:problems]
        part = f"rolls-{name}-{len(chosen)}-{count}-{seed}-{'greedy' if greedy else 'sampled'}"

        def make() -> list[list[dict[str, Any]]]:
            found = roll(import_model(self.folder(name)), chosen, count, seed, 0.0 if greedy else 1.0)
            return [[asdict(rollout) for rollout in row] for row in found]

        return rollouts_of(self.once(part, [name], make))

    def bins(self) -> Bins:
        """Return the indices of the problems of five equally large bins, easiest first."""
        return measures.difficulty_bins(_rates(self.rolls(SMALL, BIN_SAMPLES, seed=303)))

    def pool(self, wide: bool) -> Rolls:
        """Return the solutions of mini-s that all verifiers judge."""
        if wide:
            return self.rolls(SMALL, WIDE_SAMPLES, seed=404, problems=self.wide)
        return self.rolls(SMALL, SAMPLES[SMALL], seed=202)


def evaluate_family(data: Path, work: Path, pool: Executor, only: Sequence[str] = (), count: int | None = None) -> None:
    """Measure the members (or only those named) and write the cards and README files of all, and REPORT.md.

    Arguments:
        data: folder of models/ and problems/.
        work: finished parts are kept there.
        pool: of processes, a member at a time each; the numbers are the same however many there are.
        only: names of members; empty for all.
        count: on the first so many test problems; None: all.
    """
    e = Evaluation(data, work / "evaluation", read_problem_set(data / "problems" / "mini-test.jsonl")[:count])
    names = [m.name for m in MEMBERS if (data / "models" / m.name).exists()] + ["mini-implicit"]
    chosen = [n for n in names if not only or n in only]
    shared: list[Callable[[], Any]] = [e.bins, partial(e.pool, False)]
    if any(read_card(e.folder(name))["kind"] != "policy" for name in chosen):
        shared += [partial(e.pool, True), partial(_trunk_accuracy, e)]
    for make in shared:
        make()  # here, lest several processes make it
    measured = dict(zip(chosen, pool.map(_results, repeat(e), chosen), strict=True))
    for name in names:
        if results := measured.get(name) or read_card(e.folder(name)).get("evaluation"):
            note(e.folder(name), results)
    write_report(data)


def _results(e: Evaluation, name: str) -> dict[str, Any]:
    kind = read_card(e.folder(name))["kind"]
    return policy_results(e, name) if kind == "policy" else verifier_results(e, name)


def _rates(rollouts: Rolls) -> Floats:
    return np.array([np.mean([r.correct for r in row]) for row in rollouts])


def by_bin(values: Floats, bins: Bins) -> list[float]:
    """Return the mean of per-problem values in each bin; bins of problems beyond the values are left out."""
    inside = [[i for i in b if i < len(values)] for b in bins]
    return [round(float(values[b].mean()), 3) if b else float("nan") for b in inside]


def policy_results(e: Evaluation, name: str) -> dict[str, Any]:
    """Accuracy of a policy: one sample, greedy, by bin, and on templates that it has never seen."""
    rates = _rates(e.rolls(name, SAMPLES.get(name, OTHER_SAMPLES), seed=202))
    greedy = _rates(e.rolls(name, 1, seed=0, greedy=True))
    bins = e.bins()
    results = {
        "set": "mini-test; bins by the pass rate of mini-s over other samples",
        "samples_per_problem": SAMPLES.get(name, OTHER_SAMPLES),
        "pass@1": interval(rates),
        "greedy": interval(greedy),
        "pass@1_by_bin_easy_to_hard": by_bin(rates, bins),
        "greedy_by_bin_easy_to_hard": by_bin(greedy, bins),
    }
    hard = e.on(HARD)
    results[HARD] = {
        "samples_per_problem": OTHER_SAMPLES,
        "pass@1": interval(_rates(hard.rolls(name, OTHER_SAMPLES, seed=202))),
        "greedy": interval(_rates(hard.rolls(name, 1, seed=0, greedy=True))),
    }
    if name != SMALL:
        results["greedy minus greedy of mini-s"] = interval(greedy - _rates(e.rolls(SMALL, 1, seed=0, greedy=True)))
    if read_card(e.folder(name)).get("revises"):
        results["chains"] = reviser_results(e, name) | selection_results(e, name)
    return results


def reviser_results(e: Evaluation, name: str) -> dict[str, Any]:
    """What a reviser's chains reach, against fresh samples of mini-s and of itself without context."""

    def make() -> list[list[dict[str, Any]]]:
        found = revising.chains(import_model(e.folder(name)), e.problems, revising.LENGTHS, seed=505)
        return [[asdict(rollout) for chain in row for rollout in chain] for row in found]

    flat = rollouts_of(e.once(f"chains-{name}-{len(e.problems)}", [name], make))
    found = [revising.split(row, revising.LENGTHS) for row in flat]
    fresh = {SMALL: e.pool(False), f"{name} without context": e.rolls(name, OTHER_SAMPLES, seed=202)}
    return revising.chain_results(found, revising.LENGTHS, fresh, e.bins())


def selection_results(e: Evaluation, name: str) -> dict[str, Any]:
    """What verifiers make of 16 attempts: chains against independent samples, paired by problem."""
    problems = registry.get("dataset", "mini-test")()[: len(e.problems)]
    results: dict[str, Any] = {}
    for verifier in [v for v in REVISION_VERIFIERS if e.folder(v).exists()]:
        found = {}
        for chains in REVISION_CHAINS:
            part = f"revisions-{name}-{verifier}-{REVISIONS}-{chains}-{len(problems)}"
            models = ["mini-m", SMALL, name] if verifier == "mini-implicit" else [verifier, name]
            make = partial(solved, problems, "revisions", REVISIONS, {"chains": chains}, verifier, name)
            found[chains] = np.asarray(e.once(part, models, partial(_listed, make)))
            results[f"{verifier} on {chains} chains of {REVISIONS // chains}"] = interval(found[chains])
            results[f"{verifier} on {chains} chains of {REVISIONS // chains} by bin"] = by_bin(found[chains], e.bins())
        few, most = min(REVISION_CHAINS), max(REVISION_CHAINS)
        results[f"{verifier}: {few} chains minus {most}"] = interval(found[few] - found[most])
    return results


def _listed(make: Callable[[], Floats]) -> list[float]:
    return [float(value) for value in make()]


def verifier_results(e: Evaluation, name: str) -> dict[str, Any]:
    """Quality of a verifier's scores, and what choosing and searching by them gives."""
    models = [m for m in (name, "mini-m", SMALL) if name == "mini-implicit" or m != "mini-m"]

    def score(wide: bool) -> list[Scores]:
        part = f"scores-{name}-{'wide' if wide else 'all'}"
        found: list[Scores] = e.once(part, models, lambda: _scores(e, name, e.pool(wide), wide))
        return found

    bins, pool, scores = e.bins(), e.pool(False), score(False)
    last = [[s[-1] for s in row] for row in scores]
    perfect = [[float(all(r.right)) for r in row] for row in pool]
    table = {m: {n: measures.selected(m, pool, last, n) for n in SIZES} for m in measures.SELECTORS}
    wide_pool, wide_last = e.pool(True), [[s[-1] for s in row] for row in score(True)]
    wide = {m: measures.selected(m, wide_pool, wide_last, WIDE_SAMPLES) for m in measures.SELECTORS}
    trunk = _trunk_accuracy(e)
    return {
        "set": "mini-test, solutions of mini-s at temperature 1",
        "samples_per_problem": len(pool[0]),
        "within_problem_auc": round(measures.within_problem_auc(pool, last), 4),
        "within_problem_auc_of_a_perfect_prefix_checker": round(measures.within_problem_auc(pool, perfect), 4),
        **{key: round(value, 4) for key, value in calibrating.step_quality(pool, scores).items()},
        "verifier_flops_per_token": 2 * read_card(e.folder(name))["parameters"],
        "policy_flops_per_token": 2 * read_card(e.folder(SMALL))["parameters"],
        "greedy_accuracy_of_mini-m_if_it_were_the_policy": trunk,
        "accuracy_by_n": {m: {str(n): interval(v) for n, v in row.items()} for m, row in table.items()},
        "accuracy_by_n_and_bin": {m: {str(n): by_bin(v, bins) for n, v in row.items()} for m, row in table.items()},
        "weighted_minus_majority": {str(n): interval(table["weighted"][n] - table["majority"][n]) for n in SIZES[1:]},
        f"accuracy_at_{WIDE_SAMPLES}_on_{e.wide}_problems": {m: interval(v) for m, v in wide.items()},
        "searches": search_results(e, name, models, bins, table["weighted"]),
    }


def _trunk_accuracy(e: Evaluation) -> dict[str, float]:
    return interval(_rates(e.rolls("mini-m", 1, seed=0, greedy=True)))


def _scores(e: Evaluation, name: str, pool: Rolls, wide: bool) -> list[Scores]:
    verifier = json.loads((e.folder(name) / "verifier.json").read_text())
    problems = e.problems[: len(pool)]
    if verifier["kind"] == "implicit":
        policy, reference = (import_model(e.folder(verifier[role])) for role in ("policy", "reference"))
        features = calibrating.implicit_features(policy, reference, problems, pool)
        return calibrating.implicit_scores(features, verifier["coefficients"], verifier["intercept"])
    margins = calibrating.verdict_margins(import_model(e.folder(name)), problems, pool)
    return calibrating.margin_scores(margins, verifier["scale"], verifier["shift"])


def search_results(
    e: Evaluation, verifier: str, models: Sequence[str], bins: Bins, weighted: Mapping[int, Floats]
) -> dict[str, Any]:
    """Beam search against weighted best-of-N with the program's own engine, one search a problem, paired.

    weighted: per-problem accuracy of weighted best-of-N by N over the pool of samples, to find equal budgets.
    """
    problems = registry.get("dataset", "mini-test")()[: len(e.problems)]

    def accuracy(strategy: str, budget: int, params: Mapping[str, int], count: int) -> Floats:
        part = f"search-{verifier}-{strategy}-{budget}-{'-'.join(map(str, params.values()))}-{count}"
        make = partial(solved, problems[:count], strategy, budget, params, verifier)
        return np.asarray(e.once(part, models, partial(_listed, make)))

    results: dict[str, Any] = {}
    tables = [(BEAMS if verifier in SEARCHED else FEW_BEAMS, len(problems))]
    if verifier == WIDELY_SEARCHED:
        tables.append((WIDE_BEAMS, e.wide))
    for beams, count in tables:
        for n, m in beams:
            sampled = accuracy("best_of_n", n, {}, count)
            searched = accuracy("beam_search", n, {"width": m}, count)
            where = "" if count == len(problems) else f", {count} problems"
            results[f"best_of_n weighted N={n}{where}"] = interval(sampled)
            results[f"best_of_n weighted N={n} by bin{where}"] = by_bin(sampled, bins)
            results[f"beam M={m} N={n}{where}"] = interval(searched)
            results[f"beam M={m} N={n} by bin{where}"] = by_bin(searched, bins)
            results[f"beam M={m} minus weighted N={n}{where}"] = interval(searched - sampled)
            if count == len(problems):
                equal = measures.equal_budget(weighted, searched)
                results[f"N at which weighted equals beam M={m} N={n}"] = {k: round(v, 2) for k, v in equal.items()}
    return results
