"""`estimate`, `difficulty`, `frontier`, `exchange`: what a study shows."""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING, Any

from ttc_core import runs, studies
from ttc_core.cli.shown import table, write_json, write_lines
from ttc_core.errors import BadValue, UnknownName, UserError
from ttc_core.settings import settings
from ttc_core.studies_chosen import Chosen, choose, parameters

if TYPE_CHECKING:
    import pandas as pd

    from ttc_core.analysis.pool import Pool

MOST_RESAMPLES = 100_000


def estimate(args: argparse.Namespace) -> int:
    """What n samples would have given, from a pool of more."""
    from ttc_core.analysis import documents, estimators

    pool = _pool_of_dataset(args)
    ks = _numbers(args.n, int, "--n") if args.n else _powers(_least(pool))
    metrics = args.metric.split(",") if args.metric else estimators.known(pool)
    document = documents.estimates(pool, ks, metrics)
    if args.json:
        write_json(document)
        return 0
    rows = [[metric, *(_shown(document[metric][str(k)]) for k in ks)] for metric in metrics]
    write_lines([*table(["", *map(str, ks)], rows), *_left_out(document)])
    return 0


def _least(pool: Pool) -> int:
    """Graded samples of the problem that has fewest, of those that have any; 1 where none has."""
    sizes = pool.judged().sizes
    return int(sizes[sizes > 0].min()) if sizes.any() else 1


def difficulty(args: argparse.Namespace) -> int:
    """The bins of difficulty of a data set."""
    from ttc_core.analysis import documents

    document = documents.bins(_pool_of_dataset(args), args.by, args.bins, args.absolute)
    if args.json:
        write_json(document)
        return 0
    edges = [*document["edges"], None]
    rows = [
        [i + 1, b["n"], _shown(b["mean"]), "" if e is None else _shown(e)]
        for i, (b, e) in enumerate(zip(document["bins"], edges, strict=True))
    ]
    write_lines([*table(["bin (1 is the easiest)", "problems", "mean", "down to"], rows), *_left_out(document)])
    return 0


def _left_out(document: dict[str, Any]) -> list[str]:
    """What a person is told of what nobody could grade, and of what has not been run."""
    said = []
    if dropped := [f"{number} {what}" for what, number in document.get("dropped", {}).items() if number]:
        said.append(f"left out for want of a verdict or of samples: {', '.join(dropped)}")
    if document.get("fewest", document.get("problems", 0)) < document.get("problems", 0):
        said.append(f"not all values rest on all {document['problems']} problems: one on {document['fewest']}")
    return said


def frontier(args: argparse.Namespace) -> int:
    """Accuracy against cost of every method and of the compute-optimal policy."""
    from ttc_core.analysis import documents

    if not 0 <= args.charge < math.inf:
        raise BadValue(f"--charge must be a cost of 0 or more, not {args.charge:g}")
    found = _chosen(args)
    frame, pool = found.outcomes, found.pool
    document = documents.curves(
        frame,
        pool,
        args.axis,
        args.by,
        args.bins,
        args.absolute,
        not args.no_verifier,
        args.baseline,
        args.charge,
        args.resamples,
    )
    document |= {"dataset": found.dataset, "model": found.model, "verifier": found.verifier}
    if args.fit:
        _fit(frame, pool, args)
    if args.json:
        write_json(document)
        return 0
    budgets = [f"{b:.3g}" if b >= 1e6 else f"{b:g}" for b in document["budgets"]]
    rows = [[name, *map(_shown, curve["mean"])] for name, curve in document["curves"].items()]
    multiples = {name: _multiple(m) for name, m in document["efficiency"].items()}
    rows.append(["efficiency multiple", *(multiples.get(str(b), "-") for b in document["budgets"])])
    policy = [[b, *row] for b, row in zip(document["budgets"], document["policy"], strict=True)]
    head = [document["axis"], *(f"bin {i + 1}" for i in range(len(document["sizes"])))]  # the first is the easiest
    write_lines([*table([document["axis"], *budgets], rows), "", *table(head, policy), *_left_out(document)])
    return 0


def _fit(frame: pd.DataFrame, pool: Pool, args: argparse.Namespace) -> None:
    """Write the policy that `compute_optimal` can follow."""
    from ttc_core import access
    from ttc_core.analysis import fitting

    access.check_writable()
    if not args.fit.replace("-", "").replace("_", "").isalnum():
        raise BadValue(f"a policy's name has letters, digits, - and _, not {args.fit!r}")
    made = fitting.fit(frame, pool, args.probe, args.fit, bins=args.bins, study=args.study)
    folder = settings().data_dir / "policies"
    path = folder / f"{args.fit}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(made, indent=1) + "\n")
    except FileExistsError as error:
        raise UserError(f"there is a policy {args.fit!r} already", hint="choose another name") from error
    except OSError as error:
        raise UserError(f"the policy cannot be written: {error.strerror}") from error


def exchange(args: argparse.Namespace) -> int:
    """The small model with test-time compute against a larger one at equal FLOPs."""
    from ttc_core.analysis import documents

    found = _chosen(args)
    frame = found.outcomes
    large, name = found.larger(args.large)
    larger = args.times
    if larger is None and large is not None:
        larger = parameters(large) / parameters(frame)
    if larger is None:
        raise UserError(
            "the study has no larger model",
            hint='ask for single answers of one: name = "single", models = ["larger"], budgets = [1]',
        )
    ratios = _numbers(args.ratio, float, "--ratio")
    answers = _answers(args, frame, large, larger)
    document = documents.exchanges(
        frame, large, found.pool, ratios, larger, args.by, args.bins, args.absolute, args.resamples, answers
    )
    document |= {"dataset": found.dataset, "verifier": found.verifier, "small_model": found.model, "large_model": name}
    if answers is not None:
        document["answers"] = {"axis": args.axis or "price", "small": answers[0], "large": answers[1]}
    if args.json:
        write_json(document)
        return 0
    rows = [
        [i + 1, s["ratio"], round(s["budget"], 1), _shown(s["small"]), _shown(s["large"]), _shown(s["gain"])]
        for i, b in enumerate(document["bins"])
        for s in b["stars"]
    ]
    head = ["bin (1 is the easiest)", "R", "generations", "small", "large", "small - large"]
    write_lines([*table(head, rows), *_left_out(document)])
    return 0


def _answers(
    args: argparse.Namespace, small: pd.DataFrame, large: pd.DataFrame | None, larger: float
) -> tuple[float, float] | None:
    """What an answer of each model costs by --axis or --price; None without them."""
    from ttc_core.analysis import documents

    if args.axis is None and args.price is None:
        return None
    prices = None
    if args.price is not None:
        prices = tuple(_numbers(args.price, float, "--price"))
        if len(prices) != 2 or not all(price > 0 for price in prices):
            raise BadValue(f"--price takes two prices above 0, of the small and of the large model, not {args.price!r}")
    if large is None:
        raise UserError("the study has no larger model whose answers could be measured", hint="leave the costs out")
    found = documents.answered(small, large, args.axis or "tokens", larger, prices)
    if not all(cost > 0 for cost in found):  # NaN neither
        raise UserError("the study does not know what its answers cost on this axis", hint="choose another one")
    return found


def _pool_of_dataset(args: argparse.Namespace) -> Pool:
    """The pool of the study asked for, else of the newest that has one of this data set."""
    runs.ensure_database(db=args.db)
    wanted = {"model": args.model, "verifier": args.verifier, "db": args.db}
    names = [args.study] if args.study is not None else [view.id for view in studies.listing(db=args.db)]
    for name in names:
        if args.study is not None or studies.pool_rows(name, args.dataset, **wanted):
            pool = studies.pool(name, args.dataset, **wanted)
            return pool.rescored(args.aggregate) if args.aggregate else pool
    hint = "`list` shows the studies; imported trees are searches, whose solutions are no independent samples"
    raise UnknownName(f"no study has samples of data set {args.dataset!r}", hint=hint)


def _chosen(args: argparse.Namespace) -> Chosen:
    if not 0 <= args.resamples <= MOST_RESAMPLES:
        raise BadValue(f"--resamples must be between 0 and {MOST_RESAMPLES:,}, not {args.resamples}")
    runs.ensure_database(db=args.db)
    return choose(args.study, args.dataset, args.model, args.verifier, db=args.db)


def _numbers(text: str, kind: type[int] | type[float], option: str) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        word = "whole numbers" if kind is int else "numbers"
        raise BadValue(f"{option} takes {word} with commas between them, not {text!r}") from error


def _powers(most: int) -> list[int]:
    return [2**i for i in range(most.bit_length())]


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return f"{_shown(value['mean'])} ({_shown(value['low'])} to {_shown(value['high'])})"
    return f"{value:.4f}"


def _multiple(value: dict[str, Any]) -> str:
    word = f"{value['bound']} " if value["bound"] else ""
    return f"{word}{value['mean']:.2f}" + (
        f" ({value['low']:.2f} to {value['high']:.2f})" if value["low"] is not None else ""
    )
