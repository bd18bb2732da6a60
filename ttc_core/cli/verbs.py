"""What each verb does, given its parsed arguments; each returns the exit code."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ttc_core import files, runs, runs_documents
from ttc_core.cli import asked
from ttc_core.cli.shown import printable, solved, solved_lines, table, usage, write_json, write_lines
from ttc_core.errors import UserError
from ttc_core.models import ModelCard
from ttc_core.registry import Param
from ttc_core.runs_views import RunView


def solve(args: argparse.Namespace) -> int:
    """Start a run, carry it out here, show what came out."""
    return _carry_out(asked.start(args), args)


def extend(args: argparse.Namespace) -> int:
    """Continue a stored run to a larger budget, here."""
    runs.ensure_database(db=args.db)
    runs.extend(args.run_id, args.budget, db=args.db)
    return _carry_out(args.run_id, args)


def list_(args: argparse.Namespace) -> int:
    """Stored studies and runs, newest first."""
    from ttc_core.cli import studies

    runs.ensure_database(db=args.db)
    filters = {name: getattr(args, name) for name in ("dataset", "strategy", "model", "status", "text")}
    found = runs.listing(**filters, limit=args.limit, db=args.db)
    if args.disagree:
        from ttc_core.cli.datasets import disagreements

        return disagreements(found, args)
    if args.json:
        shown = [_summary(view) for view in found.rows]
        write_json({"total": found.total, "runs": shown, "studies": studies.summaries(args)})
        return 0
    head = ["run", "created", "status", "problem", "strategy", "budget", "answer", "correct", "nodes"]
    rows = [
        [
            view.id,
            f"{view.created:%Y-%m-%d %H:%M}",
            "stalled" if view.stalled else view.status,
            view.spec.problem_id or view.spec.question[:30],
            view.spec.strategy,
            view.spec.budget,
            view.answer,
            {True: "right", False: "wrong", None: None}[view.correct],
            view.nodes,
        ]
        for view in found.rows
    ]
    counted = "1 run" if found.total == 1 else f"{found.total} runs"
    more = f"{counted}, {len(rows)} shown" if found.total > len(rows) else counted
    write_lines([*studies.lines(args), *(table(head, rows) if rows else []), more])
    return 0


def _state(node: dict[str, Any]) -> str:
    return f"failed: {node['why']}" if node["state"] == "failed" and node["why"] else str(node["state"])


def show(args: argparse.Namespace) -> int:
    """One run with its tree, or as a file that can be imported elsewhere; or one study."""
    from ttc_core import studies as stored
    from ttc_core.cli import studies

    runs.ensure_database(db=args.db)
    if stored.exists(args.run_id, db=args.db):
        return studies.show(args)
    if args.export:
        text = runs_documents.dumps(runs.export_run(args.run_id, db=args.db))
        try:
            with files.whole(Path(args.export)) as part:
                part.write_text(text, "ascii")
        except OSError as error:
            raise UserError(f"{args.export!r} cannot be written: {error.strerror}") from error
        if args.json:
            write_json({"run_id": args.run_id, "file": args.export})
        return 0
    document = runs.export_run(args.run_id, db=args.db)
    view = runs.get(args.run_id, db=args.db)
    if args.json:
        write_json(document)
        return 0
    rows = [
        ["  " * node["id"].count(".") + node["id"], _state(node), node["scores"][-1] if node["scores"] else None]
        + [node["answer"], node["text"]]
        for node in document["nodes"]
    ]
    shown = [[r[0], r[1], None if r[2] is None else f"{r[2]:.3f}", r[3], r[4]] for r in rows]
    tree = table(["node", "state", "score", "answer", "text"], shown) if shown else []
    write_lines([*solved_lines(view), "", *tree])
    return 0


def note(args: argparse.Namespace) -> int:
    """Write a note beside a stored run."""
    runs.ensure_database(db=args.db)
    runs.annotate(args.run_id, args.text, db=args.db)
    kept = runs.get(args.run_id, db=args.db).note
    write_json({"run_id": args.run_id, "note": kept}) if args.json else write_lines(
        [f"note: {kept}" if kept else "no note"]
    )
    return 0


def delete(args: argparse.Namespace) -> int:
    """Delete stored runs and studies."""
    from ttc_core import studies

    runs.ensure_database(db=args.db)
    whole = [name for name in args.run_ids if studies.exists(name, db=args.db)]
    single = [name for name in args.run_ids if name not in whole]
    for run_id in single:
        runs.get(run_id, db=args.db)  # names what is not there before anything is deleted
    for study in whole:
        studies.delete(study, db=args.db)
    gone = len(whole) + (runs.delete(single, db=args.db) if single else 0)
    write_json({"deleted": gone}) if args.json else write_lines([f"{gone} deleted"])
    return 0


def worker(args: argparse.Namespace) -> int:
    """Take what waits in the database until none is left, or with --forever until terminated; or units of one study."""
    if args.study:
        from ttc_core.cli import studies

        return studies.work(args)
    from ttc_core.settings import settings
    from ttc_core.worker import work

    work(args.db or settings().database_url, forever=args.forever)
    if args.json:
        write_json({})
    return 0


def sweep(args: argparse.Namespace) -> int:
    """A study, here."""
    from ttc_core.cli.studies import sweep as run

    return run(args)


def import_(args: argparse.Namespace) -> int:
    """What another program produced."""
    from ttc_core.cli.studies import import_ as run

    return run(args)


def serve(args: argparse.Namespace) -> int:
    """The app with its worker."""
    from ttc_core.cli.serve import serve as run

    return run(args)


def doctor(args: argparse.Namespace) -> int:
    """What works of a model or a verifier."""
    from ttc_core.cli.doctor import doctor as run

    return run(args)


def bench(args: argparse.Namespace) -> int:
    """The performance ratios."""
    from ttc_core.cli.bench import bench as run

    return run(args)


# --- what is registered ----------------------------------------------------------------------------------------------


def strategies(args: argparse.Namespace) -> int:
    """Strategies with their hyper-parameters."""
    known = runs.catalogue()
    found, fixed = known.strategies, known.not_extendable
    if args.json:
        write_json({name: _strategy(*of, fixed.get(name, "")) for name, of in found.items()})
        return 0
    for name, (text, params) in found.items():
        refused = [f"  cannot be extended: {fixed[name]}"] if name in fixed else []
        settings = [f"  --set {p.name}={_default(p)}  {_limits(p)}{p.help}" for p in params]
        write_lines([name, f"  {text}", *refused, *settings, ""])
    return 0


def model_cards(args: argparse.Namespace) -> int:
    """Models, or verifiers, with their sizes."""
    catalogue = runs.catalogue()
    cards = catalogue.models if args.verb == "models" else catalogue.verifiers
    if args.json:
        write_json({name: _card(card) for name, card in cards.items()})
        return 0
    rows = [
        [c.name, c.kind, c.engine, c.parameters or None, c.lacks or "ready", str(c.card.get("about", ""))]
        for c in cards.values()
    ]
    write_lines(table(["name", "kind", "engine", "parameters", "state", ""], rows) if rows else ["none"])
    return 0


def datasets(args: argparse.Namespace) -> int:
    """Data sets with their sizes; or add one."""
    from ttc_core.cli import datasets as verb

    return verb.add(args) if args.action else verb.listing(args)


def engines(args: argparse.Namespace) -> int:
    """Engines."""
    found = runs.catalogue().engines
    if args.json:
        write_json({name: {"help": text} for name, text in found.items()})
        return 0
    write_lines(table(["name", ""], [list(item) for item in found.items()]))
    return 0


# --- helpers ---------------------------------------------------------------------------------------------------------


def _carry_out(run_id: str, args: argparse.Namespace) -> int:
    from ttc_core.worker import Terminated

    interrupted = Terminated()
    runs.execute([run_id], until=interrupted, db=args.db)
    view = runs.get(run_id, db=args.db)
    write_json(solved(view)) if args.json else write_lines(solved_lines(view))
    if view.status == "failed":
        why = view.error + (f" ({view.hint})" if view.hint else "")
        sys.stderr.write(f"ttc: run {run_id} failed: {printable(why)}\n")
    return 0 if view.status == "done" else 1


def _summary(view: RunView) -> dict[str, Any]:
    shown = {"run_id": view.id, "status": view.status, "created": view.created.isoformat(), "spec": asdict(view.spec)}
    found = {"answer": view.answer, "correct": view.correct, "nodes": view.nodes, "note": view.note}
    return {**shown, **found, "usage": usage(view)}


def _card(card: ModelCard) -> dict[str, Any]:
    return {
        **dict(card.card),
        "name": card.name,
        "kind": card.kind,
        "engine": card.engine,
        "parameters": card.parameters,
        "ready": not card.lacks,
        "lacks": card.lacks,
    }


def _strategy(text: str, params: list[Param], not_extendable: str) -> dict[str, Any]:
    described = {"help": text, "params": [_param(p) for p in params]}
    return {**described, "extendable": not not_extendable, "not_extendable": not_extendable}


def _param(param: Param) -> dict[str, Any]:
    described = {"name": param.name, "type": param.type.__name__, "default": param.default, "help": param.help}
    return {**described, "min": param.min, "max": param.max, "choices": list(param.choices)}


def _default(param: Param) -> str:
    return str(param.default).lower() if param.type is bool else str(param.default)


def _limits(param: Param) -> str:
    if param.choices:
        return f"[{' | '.join(param.choices)}] "
    if param.min is None and param.max is None:
        return ""
    low = "" if param.min is None else f"{param.min:g}"
    high = "" if param.max is None else f"{param.max:g}"
    return f"[{low}..{high}] "
