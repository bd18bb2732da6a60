"""Which run the arguments of `solve` ask for."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ttc_core import models, runs
from ttc_core.errors import BadValue, UserError
from ttc_core.types import RunSpec

SETTINGS = ("strategy", "budget", "seed", "model", "verifier", "temperature")
NEW = ("dataset", "problem", "question", "answer", "grader")


def start(args: argparse.Namespace) -> str:
    """Store the run that is asked for; returns its id.

    Raises:
        UserError: it cannot be carried out as asked.
    """
    if args.origin is None:
        spec = _new(args)
        runs.ensure_database(db=args.db)
        return runs.start(spec, db=args.db)
    runs.ensure_database(db=args.db)
    run_id, colon, step = args.origin.partition(":")
    if not (colon and run_id and step):
        raise UserError(f"--from takes RUN_ID:NODE, not {args.origin!r}", hint="`show RUN_ID` lists the nodes")
    if given := [name for name in NEW if getattr(args, name) is not None]:
        raise UserError(f"--{given[0]} does not go with --from, which keeps the question of the run")
    asked = _with_settings(args, runs.get(run_id, db=args.db).spec)
    return runs.continue_from(run_id, step, args.edit, asked=asked, db=args.db)


def _new(args: argparse.Namespace) -> RunSpec:
    if args.edit is not None:
        raise UserError("--edit goes with --from")
    if missing := [f"--{name}" for name in ("strategy", "budget") if getattr(args, name) is None]:
        raise UserError(f"the following arguments are required: {', '.join(missing)}")
    if args.dataset and args.question is not None:
        raise UserError("give either a problem of a data set or a question, not both")
    if args.dataset and not args.problem:
        raise UserError("name the problem", hint=f"--problem ID; data set {args.dataset!r} lists them in the app")
    if not args.dataset and args.question is None:
        raise UserError("there is nothing to solve", hint="--dataset D --problem ID, or --question TEXT")
    if args.dataset and args.answer is not None:
        raise UserError("the answer of a data set's problem is known; --answer goes with --question")
    if args.dataset and args.grader is not None:
        raise UserError("a data set names its grader itself; --grader goes with --question")
    return _with_settings(
        args,
        RunSpec(
            question=args.question or "",
            strategy=args.strategy,
            budget=args.budget,
            dataset=args.dataset or "",
            problem_id=args.problem or "",
            answer=args.answer,
            grader=args.grader or "numeric",
        ),
    )


def _with_settings(args: argparse.Namespace, spec: RunSpec) -> RunSpec:
    """The spec with what the arguments say of how to search; what they leave out stays as it is."""
    said = {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}
    params = spec.params if said.get("strategy", spec.strategy) == spec.strategy else {}
    spec = replace(spec, **said, params={**params, **_settings(args.set)})
    if args.engine is not None:
        _check_engine(args.engine, spec.model)
    return spec


def _check_engine(engine: str, model: str) -> None:
    """A model's card says which engine runs it; asking for another one is a mistake, not a wish to ignore."""
    known = runs.catalogue().engines
    if engine not in known:
        raise UserError(f"no engine is called {engine!r}", hint=models.suggest(engine, known))
    if (needed := models.find(model, policy=True).engine) != engine:
        raise UserError(f"model {model!r} runs on the engine {needed!r}, not {engine!r}")


def _settings(pairs: list[str]) -> dict[str, str]:
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise BadValue(f"--set takes NAME=VALUE, not {pair!r}", hint="`strategies` lists the names")
        values[key] = value
    return values
