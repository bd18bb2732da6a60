"""One pool of samples serves every method that only looks at independent solutions, at every budget up to its size.

A node's seed depends on its id alone, so the first n solutions of a pool are the very ones that best-of-n would have
sampled. What such a method would have chosen is therefore found by letting it run on what is there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

from ttc_core import grading, registry, seeds
from ttc_core.errors import StrategyFault, UserError
from ttc_core.selection import aggregate
from ttc_core.store.columns import pack_floats, pack_long, pack_tokens, unpack_floats, unpack_long, unpack_tokens
from ttc_core.types import (
    ROOT,
    Budget,
    Node,
    NodeId,
    Outcome,
    Parallel,
    Problem,
    Prune,
    Request,
    Sample,
    Sampled,
    Score,
    Scored,
    Usage,
    child_id,
)

if TYPE_CHECKING:
    from ttc_core.analysis.pool import Pool

POOLED = ("best_of_n", "adaptive_consistency")  # strategies that sample whole solutions and nothing else
UNKNOWN = 2  # beside 0 wrong and 1 right


@dataclass
class Solution:
    """A solution of a pool. answer: canonical; correct: None if nobody can say; extra: keys that nobody knows."""

    answer: str | None = None
    correct: bool | None = None
    score: float | None = None
    steps: Sequence[float] = ()
    tokens: int = 0
    valid: bool = True
    text: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def lengths(nodes: Mapping[NodeId, Node], generated: int) -> dict[NodeId, int]:
    """Tokens of each node; where the engine gives none, its share of all that were generated, by characters."""
    if any(node.tokens for node in nodes.values()):
        return {node_id: len(node.tokens) for node_id, node in nodes.items()}
    whole = sum(len(node.text) for node in nodes.values())
    return {node_id: round(generated * len(node.text) / max(1, whole)) for node_id, node in nodes.items()}


def solutions(
    nodes: Mapping[NodeId, Node], n: int, generated: int, gold: str | None, grader: str, how: str
) -> list[Solution]:
    """The first n solutions of a recorded search, graded; how: their step scores become one."""
    found, tokens = [], lengths(nodes, generated)
    for i in range(n):
        node = nodes.get(child_id(ROOT, i))
        if node is None or node.finish == "error":
            found.append(Solution(valid=False))
            continue
        score = aggregate(node.path_scores, how) if node.path_scores else None
        verdict = None if gold is None else grading.grade(node.answer, gold, grader)
        found.append(Solution(node.answer, verdict, score, node.path_scores, tokens[node.id]))
    return found


def columns(found: Sequence[Solution]) -> dict[str, Any]:
    """The columns of `pools` for these solutions, in order."""
    groups: dict[str, int] = {}
    for one in found:
        if one.answer is not None:
            groups.setdefault(one.answer, len(groups) + 1)
    verdicts = [UNKNOWN if one.correct is None else int(one.correct) for one in found]
    return {
        "answers": json.dumps(list(groups)),
        "groups": pack_tokens([0 if one.answer is None else groups[one.answer] for one in found]),
        "correct": pack_tokens(verdicts),
        "scores": pack_long([math.nan if one.score is None else one.score for one in found]),
        "steps": pack_floats(*[one.steps for one in found]),
        "tokens": pack_tokens([one.tokens for one in found]),
        "valid": pack_tokens([int(one.valid) for one in found]),
        "texts": json.dumps([one.text for one in found]) if any(one.text is not None for one in found) else None,
        "extra": json.dumps([one.extra for one in found]) if any(one.extra for one in found) else None,
    }


def gathered(rows: Sequence[Mapping[str, Any]]) -> Pool:
    """Rows of `pools`, of one method, as analysis wants them: a problem's seeds one after another."""
    import numpy as np

    from ttc_core.analysis.pool import Pool

    by_problem: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_problem.setdefault((row["dataset"], row["problem_id"]), []).append(row)
    longest = max((sum(len(unpack_tokens(row["valid"])) for row in of) for of in by_problem.values()), default=0)
    shape = (len(by_problem), longest)
    correct, valid, graded = np.zeros(shape, bool), np.zeros(shape, bool), np.ones(shape, bool)
    answers, tokens = np.full(shape, -1, np.int64), np.zeros(shape, np.int64)
    scores = np.full(shape, np.nan)
    steps: list[list[list[float]]] = [[] for _ in range(shape[0])]
    for p, of in enumerate(by_problem.values()):
        groups: dict[str, int] = {}
        for row in of:
            begin, there = len(steps[p]), np.array(unpack_tokens(row["valid"]), bool)
            put, verdicts = np.s_[p, begin : begin + len(there)], np.array(unpack_tokens(row["correct"]))
            correct[put], valid[put], graded[put] = verdicts == 1, there, (verdicts != UNKNOWN) | ~there
            scores[put], tokens[put] = unpack_long(row["scores"]), unpack_tokens(row["tokens"])
            numbers = [groups.setdefault(answer, len(groups)) for answer in json.loads(row["answers"])]
            answers[put] = np.array([-1, *numbers])[list(unpack_tokens(row["groups"]))]
            steps[p] += map(list, unpack_floats(row["steps"], len(there)))
        steps[p] += ([] for _ in range(shape[1] - len(steps[p])))
    known = any(any(row) for row in steps)
    names = [problem for _, problem in by_problem]
    arrays = (correct, answers, scores, tokens, valid, steps if known else [])
    return Pool(names, *arrays, graded=None if graded.all() else graded)


def unpacked(row: Mapping[str, Any]) -> list[Solution]:
    """The inverse of `columns`."""
    groups = unpack_tokens(row["groups"])
    n = len(groups)
    answers = [None, *json.loads(row["answers"])]
    texts = json.loads(row["texts"]) if row["texts"] else [None] * n
    extra = json.loads(row["extra"]) if row["extra"] else [{}] * n
    parts = (unpack_tokens(row["correct"]), unpack_long(row["scores"]), unpack_floats(row["steps"], n))
    more = (unpack_tokens(row["tokens"]), unpack_tokens(row["valid"]))
    return [
        Solution(
            answer=answers[group],
            correct=None if verdict == UNKNOWN else bool(verdict),
            score=None if math.isnan(score) else score,
            steps=steps,
            tokens=tokens,
            valid=bool(valid),
            text=text,
            extra=other,
        )
        for group, verdict, score, steps, tokens, valid, text, other in zip(
            groups, *parts, *more, texts, extra, strict=True
        )
    ]


class Replay:
    """Lets strategies run on the solutions of one pool; `cost` tells what the last one would have cost alone."""

    def __init__(
        self, nodes: Mapping[NodeId, Node], n: int, usage: Usage, *, rated: bool,
        known: Mapping[NodeId, int] | None = None,
    ) -> None:  # fmt: skip
        """rated: a verifier was asked for scores. known: tokens of each solution, where the nodes do not hold them."""
        self._nodes, self._n, self._usage, self._rated = nodes, n, usage, rated
        self._lengths = lengths(nodes, usage.generated_tokens) if known is None else known
        self._sampled: set[NodeId] = set()
        self._scored: set[NodeId] = set()

    def run(self, strategy: str, params: Mapping[str, Any], problem: Problem, budget: int, seed: int) -> Outcome:
        """What this strategy chooses.

        Raises:
            StrategyFault: it asks for something that no pool has.
        """
        self._sampled.clear()
        self._scored.clear()
        rng = Random(seeds.derive(seed, problem.id, "strategy"))
        built = registry.build("strategy", strategy, params)
        outcome = self._drive(built.run(problem, Budget(budget), rng))
        if not isinstance(outcome, Outcome):
            raise StrategyFault(f"{strategy} returned no outcome")
        return outcome

    def _drive(self, search: Generator[list[Request], list[Any], Any]) -> Any:
        replies: Any = None
        while True:
            try:
                requests = search.send(replies)
            except StopIteration as stop:
                return stop.value
            replies = [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Any:
        if isinstance(request, Parallel):
            return tuple(self._drive(search) for search in request.searches)
        if isinstance(request, Prune):
            return None
        if isinstance(request, Score):
            if not self._rated:
                raise UserError("this needs a verifier", hint="name one in verifiers, or choose by majority")
            self._scored.update(request.nodes)
            rated = tuple(self._nodes[node_id] for node_id in request.nodes if self._nodes[node_id].scores)
            return Scored(rated, len(request.nodes) - len(rated))
        whole = Sample(ROOT, request.n, request.first, "end")
        if request != whole or request.first + request.n > self._n:
            raise StrategyFault(f"a pool of {self._n} solutions cannot answer {request}")
        ids = [child_id(ROOT, request.first + i) for i in range(request.n)]
        self._sampled.update(ids)
        came = [self._nodes[i] for i in ids if i in self._nodes and self._nodes[i].finish != "error"]
        return Sampled(tuple(replace(node, scores=(), path_scores=()) for node in came), len(ids) - len(came))

    def cost(self) -> Usage:
        """The last run's share of the pool's cost.

        Generated tokens are counted. The first sample computes its prompt, and every further one what the further ones
        of the pool computed on the mean: nothing where the engine found it in its cache and said so. The verifier's
        tokens follow the solutions' lengths, and seconds their number.
        """
        all_, taken = self._usage, len(self._sampled)
        came = sum(node.finish != "error" for node in self._nodes.values())  # of a sample that failed nothing is known
        here = sum(i in self._nodes and self._nodes[i].finish != "error" for i in self._sampled)
        prompt = (all_.prompt_tokens_computed + all_.prompt_tokens_cached) / max(1, came)
        further = max(0.0, all_.prompt_tokens_computed - prompt) / max(1, came - 1)
        computed = round(min(all_.prompt_tokens_computed, prompt + further * (here - 1))) if here else 0
        whole = sum(self._lengths.values())
        generated = sum(self._lengths.get(i, 0) for i in self._sampled)
        judged = sum(self._lengths.get(i, 0) for i in self._scored) / whole if whole else 0.0
        per_token = all_.policy_flops / all_.policy_tokens if all_.policy_tokens else 0.0
        failed = [i for i in self._sampled if i not in self._nodes or self._nodes[i].finish == "error"]
        unrated = [i for i in self._scored if not self._nodes[i].scores]
        return Usage(
            generations=taken,
            prompt_tokens_computed=computed,
            prompt_tokens_cached=max(0, round(prompt * here) - computed),
            generated_tokens=generated,
            verifier_tokens=round(all_.verifier_tokens * judged),
            policy_flops=per_token * (computed + generated),
            verifier_flops=all_.verifier_flops * judged,
            seconds=all_.seconds * taken / self._n,
            failed_samples=len(failed),
            failed_scores=len(unrated),
        )
