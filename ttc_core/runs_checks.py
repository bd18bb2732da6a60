"""Whether a run can be carried out as asked, before anything is stored: every mistake is one clear sentence."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ttc_core import grading, models, registry, trying
from ttc_core.datasets import added
from ttc_core.datasets.benchmarks import BENCHMARKS
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.models import ModelCard
from ttc_core.runs_views import Document, RunView
from ttc_core.types import Problem, RunSpec

MAX_BUDGET = 65_536  # generations; beyond this a tree is no longer something to look at
MAX_QUESTION = 20_000  # characters
MAX_SEED = 2**53 - 1  # larger ones are no numbers in a browser, nor in JSON for all who read it
MAX_TEMPERATURE = 10.0


def checked(spec: RunSpec) -> RunSpec:
    """The spec with its problem filled in and every hyper-parameter typed and written out.

    Raises:
        UserError: with one sentence, and a hint naming what would be possible.
    """
    strategy = named("strategy", spec.strategy, spec.params)
    policy = models.ready(spec.model, policy=True)
    needs = getattr(strategy, "needs", "")
    if needs and not policy.able(needs):
        raise models.unable(spec.model, needs)
    verifier = models.ready(spec.verifier, policy=False) if spec.verifier else None
    if verifier is not None and not verifier.judges(policy):
        raise UserError(
            f"{verifier.name} reads only what the bundled models write, so it cannot judge {policy.name}",
            hint='name another verifier, such as self_certainty, or none: ""',
        )
    checked_budget(spec.budget)
    if verifier is None and trying.scores(strategy, Problem("tried", "?", None), spec.budget):
        raise UserError(
            f"{spec.strategy} with these settings goes by scores, so it needs a verifier",
            hint="name one, or take a method that counts answers, such as best_of_n with select=majority",
        )
    _whole("the seed", spec.seed, 0, MAX_SEED)
    heat = policy.temperature if spec.temperature is None else spec.temperature
    if not (isinstance(heat, int | float) and 0 <= heat <= MAX_TEMPERATURE):
        raise BadValue(f"the temperature must be between 0 and {MAX_TEMPERATURE:g}, not {heat}")
    spec = dataclasses.replace(spec, params=_values(strategy), temperature=float(heat))
    if spec.dataset:
        found = problem(spec.dataset, spec.problem_id)
        _answerable(verifier, found.answer)
        spec = dataclasses.replace(spec, question=found.question, answer=found.answer, grader=grader(found))
        return _begun(spec, revises=bool(needs))
    if spec.problem_id:
        raise UserError(
            f"problem {spec.problem_id!r} is asked for without its data set", hint="name one of the data sets"
        )
    if not spec.question.strip():
        raise BadValue("the question is empty", hint="write one, or choose a problem of a data set")
    if len(spec.question) > MAX_QUESTION:
        raise BadValue(f"the question has {len(spec.question):,} characters; at most {MAX_QUESTION:,} are possible")
    grading.version(spec.grader)
    answer = (spec.answer or "").strip() or None
    _answerable(verifier, answer)
    return _begun(dataclasses.replace(spec, answer=answer), revises=bool(needs))


def _begun(spec: RunSpec, revises: bool) -> RunSpec:
    """The spec, if a search can begin with the steps that it is given."""
    text = "".join(spec.prefix)
    if spec.prefix and revises:
        raise UserError(
            f"{spec.strategy} writes whole attempts anew, so it cannot go on from a step",
            hint="choose a strategy that does not revise",
        )
    if spec.prefix and not all(step.strip() for step in spec.prefix):
        raise BadValue("a step to go on from is empty")
    if len(text) > MAX_QUESTION:
        raise BadValue(f"the steps to go on from have {len(text):,} characters; at most {MAX_QUESTION:,} are possible")
    if grading.read(text, spec.grader) is not None:
        raise UserError(
            "the steps to go on from give an answer already", hint="edit the last one, or go on from an earlier step"
        )
    return spec


def _answerable(verifier: ModelCard | None, answer: str | None) -> None:
    """Refuse a verifier that looks at the answer where there is none."""
    if verifier is None or answer is not None:
        return
    kind = registry.get("verifier", verifier.kind)
    if hasattr(kind, "upper_bound") and kind.load(verifier).upper_bound:  # an ensemble's members decide
        raise UserError(
            f"the verifier {verifier.name} looks at the answer, and this question has none",
            hint="give the answer, or choose another verifier",
        )


def checked_budget(budget: int) -> int:
    """The budget, if it is one.

    Raises:
        BadValue: not a whole number from 1 to MAX_BUDGET.
    """
    return _whole("the budget", budget, 1, MAX_BUDGET)


def check_extendable(run_id: str, strategy: str) -> None:
    """Refuse to extend a run whose strategy cannot be continued to a larger budget.

    Raises:
        UnknownName: the strategy is no longer there; UserError: it cannot be continued, with the reason.
    """
    if why := registry.not_extendable(registry.get("strategy", strategy)):
        raise UserError(f"run {run_id} cannot be extended: {why}", hint="solve the problem anew with the larger budget")


def named(kind: str, name: str, values: Mapping[str, Any]) -> Any:
    """The registered `name` with these hyper-parameters.

    Raises:
        UnknownName: no such name or parameter, with the nearest ones as hint; BadValue: a value out of its limits.
    """
    known = registry.names(kind)
    if name not in known:
        raise UnknownName(f"no {_WORD[kind]} is called {name!r}", hint=models.suggest(name, known))
    return registry.build(kind, name, values)


def problems(dataset: str) -> list[Problem]:
    """The problems of a data set, in its order.

    Raises:
        UnknownName: no such data set.
    """
    return list(_loaded(dataset, added.stamp(dataset)))


def problem(dataset: str, problem_id: str) -> Problem:
    """One problem of a data set.

    Raises:
        UnknownName: no such data set, or no such problem; the hint names similar ids.
    """
    by_id = _by_id(dataset, added.stamp(dataset))
    if problem_id not in by_id:
        hint = f"it has {len(by_id)} problems; {models.suggest(problem_id, by_id)}" if by_id else "it has no problems"
        raise UnknownName(f"data set {dataset!r} has no problem {problem_id!r}", hint=hint)
    return by_id[problem_id]


def problem_of(spec: RunSpec) -> Problem:
    """What a stored run asks, independent of whether its data set is still there.

    A question of one's own has an id made from its text, so that equal questions get equal seeds.
    """
    own = "question-" + hashlib.blake2b(spec.question.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return Problem(spec.problem_id or own, spec.question, spec.answer, spec.dataset, {"grader": spec.grader})


_WORD = {"strategy": "strategy", "verifier": "verifier", "engine": "engine", "dataset": "data set"}


def datasets() -> dict[str, Callable[[], Sequence[Problem]]]:
    """The loaders of all data sets by name: those that came with the program and those that were added since."""
    registered = {name: registry.get("dataset", name) for name in registry.names("dataset")}
    return dict(sorted({**added.found(), **registered}.items()))


def add_dataset(
    name: str, file: Path | None, columns: Mapping[str, str], grader: str | None
) -> tuple[list[Problem], str, bool]:
    """Add a data set from a file, or a known one from the hub; returns problems, grader, and whether it is surely it.

    columns: what the file calls "question", "answer" and "id". grader None: the known one, or what fits the answers.

    Raises:
        UserError: one sentence, with file and line where it is about the file; nothing is added then.
    """
    if name in datasets():
        raise UserError(f"there is a data set {name!r} already", hint="take another name")
    problems = added.gather(name, file, columns)
    known = BENCHMARKS.get(name)
    chosen = grader or (known.grader if known else _fitting([p["answer"] for p in problems]))
    grading.version(chosen)
    if chosen != "math":  # which reads anything
        for p in problems:
            if grading.grade(p["answer"], p["answer"], chosen) is not True:
                reason = f"the answer {p['answer'][:40]!r} of problem {p['id']!r} is none for the grader {chosen!r}"
                raise BadValue(reason, hint=f"there is: {', '.join(grading.GRADERS)}")
    added.write(name, [{**p, "grader": chosen} for p in problems])
    return list(added.found()[name]()), chosen, bool(known and known.digest)


def grader(problem: Problem) -> str:
    """What grades a problem's answers.

    Raises:
        UnknownName: its file names something else.
    """
    name = str(problem.metadata.get("grader", grading.DEFAULT))
    grading.version(name)
    return name


def _fitting(answers: Sequence[str]) -> str:
    """The strictest grader that sees an answer in each of these."""
    for grader in ("numeric", "choice"):
        if all(grading.canonical(answer, grader) is not None for answer in answers):
            return grader
    return "math"


@functools.lru_cache(64)
def _loaded(dataset: str, stamp: object) -> Sequence[Problem]:
    known = datasets()
    if dataset not in known:
        hint = added.missing(dataset) or models.suggest(dataset, known)
        raise UnknownName(f"no data set is called {dataset!r}", hint=hint)
    return known[dataset]()


@functools.lru_cache(64)
def _by_id(dataset: str, stamp: object) -> Mapping[str, Problem]:
    return {found.id: found for found in _loaded(dataset, stamp)}


def _values(built: Any) -> dict[str, Any]:
    return {f.name: getattr(built, f.name) for f in dataclasses.fields(built)}


def _whole(what: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadValue(f"{what} must be a whole number, not {value!r}")
    if value < least:
        raise BadValue(f"{what} must be at least {least}, not {value}")
    if value > most:
        raise BadValue(f"{what} must be at most {most:,}, not {value:,}")
    return value


def disagreements(rows: Sequence[RunView]) -> list[Document]:
    """Of these runs, those whose answer one grader calls right and another one wrong."""
    told = []
    for view in rows:
        verdicts = {name: grading.grade(view.answer, view.spec.answer, name) for name in grading.GRADERS}
        if view.answer is not None and {True, False} <= set(verdicts.values()):
            asked = {"answer": view.answer, "gold": view.spec.answer, "grader": view.spec.grader}
            told.append({"run_id": view.id, "correct": view.correct, **asked, "verdicts": verdicts})
    return told
