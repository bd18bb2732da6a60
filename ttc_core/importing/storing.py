"""How what was imported is stored: pools with what each way of choosing would have made of them, and trees as runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ttc_core import grading, registry
from ttc_core.store import repository
from ttc_core.store import studies_made as stored
from ttc_core.store.studies_made import NewMethod, NewStudy
from ttc_core.studies_pools import Replay, Solution, columns
from ttc_core.types import ROOT, Node, Outcome, Problem, RunSpec, Usage, child_id

if TYPE_CHECKING:
    from sqlalchemy import Connection

MODEL = "imported"


@dataclass(frozen=True)
class Tree:
    """A search of another program. problem: its index; strategy: what that program calls it."""

    problem: int
    strategy: str
    nodes: Sequence[Node]
    outcome: Outcome
    usage: Usage
    model: str = MODEL
    verifier: str = MODEL
    budget: int = 1


def store(
    connection: Connection,
    name: str,
    format: str,
    source: str,
    problems: Sequence[Problem],
    extras: Sequence[Mapping[str, Any]],
    pools: Sequence[Sequence[Solution]],
    trees: Sequence[Tree],
) -> None:
    """Write an import as a study.

    Raises:
        UserError: there is a study of this name.
    """
    methods: list[NewMethod] = []
    found: list[tuple[int, dict[str, Any]]] = []
    sampled: list[tuple[int, dict[str, Any]]] = []
    if pools:
        _pools(problems, pools, methods, found, sampled)
    places: dict[tuple[str, str, str], int] = {}
    first = len(methods)
    for tree in trees:
        places.setdefault(_key(tree), first + len(places))
    for key in places:
        budgets = sorted({tree.budget for tree in trees if _key(tree) == key})
        methods.append(NewMethod(*key, {}, key[2], budgets))
    asked = NewStudy(name, format, source, {}, problems, methods, extras=extras)
    study = stored.create(connection, asked, found, sampled)
    rows = []
    seeds: Counter[tuple[int, int, int]] = Counter()  # of several searches alike
    for number, tree in enumerate(trees):
        run_id = f"s{study}-t{number}"
        graded = _put(connection, study, run_id, problems[tree.problem], tree)
        alike = (places[_key(tree)], tree.problem, tree.budget)
        rows.append((alike[0], {**_row(tree, graded, run_id), "seed": seeds[alike]}))
        seeds[alike] += 1
    stored.add_outcomes(connection, study, rows)


def _key(tree: Tree) -> tuple[str, str, str]:
    """What tells methods apart."""
    return tree.model, tree.verifier, tree.strategy


def _put(connection: Connection, study: int, run_id: str, problem: Problem, tree: Tree) -> dict[str, Any]:
    """Store a tree as a run; returns its grade."""
    grader = str(problem.metadata["grader"])
    spec = RunSpec(
        question=problem.question,
        strategy=tree.strategy,
        budget=tree.budget,
        dataset=problem.dataset,
        problem_id=problem.id,
        answer=problem.answer,
        model=tree.model,
        verifier=tree.verifier,
        grader=grader,
    )
    correct = None if problem.answer is None else grading.grade(tree.outcome.answer, problem.answer, grader)
    graded = {"correct": correct, "graded_by": None if problem.answer is None else grading.version(grader)}
    now = time.time()
    row = {"status": "done", "created": now, "started": now, "finished": now, "error": "", "hint": "", **graded}
    repository.put(connection, run_id, spec, {**row, "outcome": tree.outcome}, tree.usage, tree.nodes)
    stored.adopt(connection, study, run_id)
    return graded


def _row(tree: Tree, graded: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    outcome = tree.outcome
    score = next((c.score for c in outcome.candidates if c.node == outcome.chosen), None)
    place = {"problem": tree.problem, "budget": tree.budget, "seed": 0, "run": run_id}
    shown = {"answer": outcome.answer, "score": score, "excluded": outcome.excluded}
    return {**place, **shown, **graded, **asdict(tree.usage)}


def _pools(
    problems: Sequence[Problem],
    pools: Sequence[Sequence[Solution]],
    methods: list[NewMethod],
    found: list[tuple[int, dict[str, Any]]],
    sampled: list[tuple[int, dict[str, Any]]],
) -> None:
    """The pool, and at every power of two that all problems have samples for, what best-of-N would have chosen."""
    rated = any(one.score is not None for pool in pools for one in pool)
    least, most = min(map(len, pools)), max(map(len, pools))
    budgets = [2**i for i in range(least.bit_length()) if 2**i <= least]
    params = asdict(registry.build("strategy", "best_of_n", {"select": "weighted" if rated else "majority"}))
    methods.append(NewMethod(MODEL, MODEL if rated else "", "best_of_n", params, "pool", [most], samples=max(1, most)))
    unvoted = [_unvoted(pool) for pool in pools]
    signed = any(one.score is not None and one.score < 0 for pool in pools for one in pool)
    voting = ("best", "majority") if signed else ("weighted", "best", "majority")  # a negative weight votes against
    selects = (("best",) if any(unvoted) else voting) if rated else ("majority",)
    for select in selects if budgets else ():
        label = f"best_of_n select={select}"
        asked = (MODEL, MODEL if rated else "", "best_of_n", {**params, "select": select})
        methods.append(NewMethod(*asked, label, budgets, pool=0))
    for i, (problem, pool) in enumerate(zip(problems, pools, strict=True)):
        sampled.append((0, {"problem": i, "seed": 0, "run": None, **columns(pool)}))
        nodes = {child_id(ROOT, j): _node(j, one, unvoted[i]) for j, one in enumerate(pool)}
        usage = Usage(len(pool), generated_tokens=sum(one.tokens for one in pool))
        replay = Replay(
            nodes, len(pool), usage, rated=True, known={child_id(ROOT, j): one.tokens for j, one in enumerate(pool)}
        )
        for number, method in enumerate(methods[1:], 1):
            for budget in budgets:
                outcome = replay.run(method.strategy, method.params, problem, budget, 0)
                verdicts = {child_id(ROOT, j): one.correct for j, one in enumerate(pool)}
                unjudged = problem.answer is None and any(one.correct is None for one in pool[:budget])
                unknown = outcome.lost(replay.cost()) or unjudged
                correct = verdicts[outcome.chosen] if outcome.chosen else None if unknown else False
                graded = {"correct": correct, "graded_by": None}
                outcome = replace(outcome, answer=None) if unvoted[i] else outcome
                tree = Tree(i, method.strategy, (), outcome, replay.cost(), budget=budget)
                found.append((number, {**_row(tree, graded, ""), "run": None}))


def _unvoted(pool: Sequence[Solution]) -> bool:
    """Whether samples are said to be right and none has an answer: each is an answer then, as in `votes.groups`."""
    return any(one.correct is True for one in pool) and all(one.answer is None for one in pool)


def _node(number: int, one: Solution, unvoted: bool) -> Node:
    """A solution as the node of a search, which best-of-N can look at."""
    steps = tuple(one.steps) or ((one.score,) if one.score is not None else ())
    path = steps if one.score is None or steps[-1:] == (one.score,) else (one.score,)
    return Node(
        child_id(ROOT, number),
        ROOT,
        "",
        "end",
        answer=f"sample {number}" if unvoted else one.answer,
        scores=path,
        path_scores=path,
    )
