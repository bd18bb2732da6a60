"""`datasets`: what there is, and adding to it; `list --disagree`: where graders differ."""

from __future__ import annotations

import argparse
from pathlib import Path

from ttc_core import runs
from ttc_core.cli.shown import table, write_json, write_lines
from ttc_core.errors import UserError
from ttc_core.runs_views import Listing


def listing(args: argparse.Namespace) -> int:
    """Data sets with their sizes and graders, and the benchmarks that could be added."""
    known = runs.catalogue()
    found = {}
    for name, text in known.datasets.items():
        problems = runs.problems(name)
        about = {"help": text, "problems": len(problems), "grader": runs.grader(problems)}
        found[name] = {**about, **runs.checksum(problems)}
    if args.json:
        write_json(found)
        return 0
    rows = [[name, of["problems"], of["grader"], of["help"]] for name, of in found.items()]
    absent = ", ".join(name for name in known.benchmarks if name not in found)
    more = ["", f"known and not there (datasets add NAME [FILE]): {absent}"] if absent else []
    write_lines([*table(["name", "problems", "grader", ""], rows), *more])
    return 0


def add(args: argparse.Namespace) -> int:
    """Add a data set from a file, or a known benchmark from the hub."""
    if not args.name:
        raise UserError("name the data set", hint="datasets add NAME FILE")
    columns = {key: value for key in ("question", "answer", "id") if (value := getattr(args, key)) is not None}
    file = None if args.file is None else Path(args.file)
    added = runs.add_dataset(args.name, file, columns, args.grader)
    if args.json:
        write_json(added)
    else:
        checked = {True: ", the checksum is right", False: ""}[added["checked"]]
        write_lines([f"{added['name']}: {added['problems']} problems, graded as {added['grader']}{checked}"])
    return 0


def disagreements(found: Listing, args: argparse.Namespace) -> int:
    """The runs whose answer one grader calls right and another wrong."""
    told = runs.disagreements(found.rows)
    if args.json:
        write_json({"checked": len(found.rows), "runs": told})
        return 0
    graders = list(told[0]["verdicts"]) if told else []
    word = {True: "right", False: "wrong", None: None}
    rows = [
        [r["run_id"], r["answer"], r["gold"], r["grader"], *(word[r["verdicts"][g]] for g in graders)] for r in told
    ]
    shown = table(["run", "answer", "right answer", "graded as", *graders], rows) if rows else []
    write_lines([*shown, f"{len(told)} of {len(found.rows)} runs"])
    return 0
