"""`sweep`, `import`, `worker --study`, and what `list`, `show`, `delete` say about studies."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttc_core import runs, studies
from ttc_core.cli.shown import printable, table, write_json, write_lines
from ttc_core.errors import StoreBusy, UserError
from ttc_core.studies import StudyView

if TYPE_CHECKING:
    from ttc_core.studies_crew import Member

By = Callable[[str, Callable[[], bool], list["Member"], str | None], None]  # carries a study out
TELL_SECONDS = 5.0
BAR_SECONDS = 1.0


def sweep(args: argparse.Namespace) -> int:
    """Carry out the study of a file, or go on with a stored one or extend it, here; or say what it would take."""
    runs.ensure_database(db=args.db)
    if args.study is None and args.file is None:
        raise UserError("there is nothing to do", hint="sweep FILE.toml, or sweep --resume STUDY")
    if (args.max_cost or args.priority is not None) and args.action != "resume":
        raise UserError("--max-cost and --priority go with --resume", hint="a study file says both itself")
    extends = args.action == "extend"
    if args.study is not None and not extends:
        if args.file is not None:
            raise UserError("give either a file or a stored study, not both")
        if args.dry_run or args.name:
            raise UserError(
                f"--{'dry-run' if args.dry_run else 'name'} goes with a study file, not with a stored study"
            )
        return _stored(args)
    if args.file is None:
        raise UserError("what is the study to be extended to?", hint="sweep FILE.toml --extend STUDY")
    if extends and args.name:
        raise UserError("--name does not go with --extend: the study keeps its name")
    by = _how(args)
    if args.dry_run:
        return _dry_run(args)
    study = _extended(args) if extends else studies.start(Path(args.file), name=args.name, db=args.db)
    return _carry_out(study, args, by)


def _extended(args: argparse.Namespace) -> str:
    """Have a stored study go on to what a file asks for beyond it, and say how much that is; returns its name."""
    more = studies.extend(args.study, Path(args.file), db=args.db)
    _tell(f"{more} units more" if more else "the study has all that is asked for")
    return str(args.study)


def _stored(args: argparse.Namespace) -> int:
    """What is done with a stored study: exactly one of the options names it."""
    if args.action == "resume":
        by = _how(args)
        if args.max_cost or args.priority is not None:
            studies.change(args.study, max_cost=_limits(args.max_cost), priority=args.priority, db=args.db)
        again = studies.resume(args.study, db=args.db)
        if again:
            _tell(f"{again} failed units are tried again")
        return _carry_out(args.study, args, by)
    {"pause": studies.pause, "cancel": studies.cancel}[args.action](args.study, db=args.db)
    return _show(studies.progress(args.study, db=args.db), args)


def _limits(asked: Sequence[str]) -> dict[str, float | None]:
    """What --max-cost says: a number, or None where a limit is to go."""
    found: dict[str, float | None] = {}
    for text in asked:
        name, _, value = text.partition("=")
        try:
            found[name] = None if value == "none" else float(value)
        except ValueError as error:
            raise UserError(f"--max-cost takes NAME=NUMBER or NAME=none, not {text!r}") from error
    return found


def work(args: argparse.Namespace) -> int:
    """`worker --study`: take units of one study until none is left."""
    return _carry_out(args.study, args, _here)


def _here(study: str, until: Callable[[], bool], crew: list[Member], db: str | None) -> None:
    """This process is the worker."""
    studies.work(study, until=until, db=db)


def _how(args: argparse.Namespace) -> By:
    """Who carries the study out: this process, or with --ray actors."""
    if args.ray is None:
        if args.actors:
            raise UserError("--actors goes with --ray")
        return _here
    from ttc_core import studies_crew, studies_ray

    studies_ray.imported()
    groups = [studies_crew.group(text) for text in args.actors]

    def actors(study: str, until: Callable[[], bool], crew: list[Member], db: str | None) -> None:
        with redirect_stdout(sys.stderr):  # Ray prints what it thinks of its processes
            studies_ray.carry_out(study, groups, args.ray, until=until, crew=crew, db=db)

    return actors


def _dry_run(args: argparse.Namespace) -> int:
    plan = studies.plan(Path(args.file), study=args.study, probe=True, db=args.db)
    if args.json:
        write_json(plan)
        return 0
    counts = ("problems", "methods", "pools", "seeds", "units", "runs", "outcomes", "generations")
    rows: list[list[Any]] = [[name, f"{plan[name]:,}"] for name in counts]
    costs = ("policy_tokens", "verifier_tokens", "policy_flops", "verifier_flops", "disk_bytes")
    rows += [[name, f"about {plan[name]:.3g}"] for name in costs]
    took = "unknown" if plan["seconds"] is None else f"about {_duration(plan['seconds'])} by one worker here"
    rows.append(["time", took])
    said = list(plan["seconds_from"])
    if plan["assumed"]:
        said.append(f"nothing was searched with {', '.join(plan['assumed'])} yet: lengths are assumed")
    write_lines([*table([f"study {plan['study']}", ""], rows), "", *said])
    return 0


def _carry_out(study: str, args: argparse.Namespace, by: By) -> int:
    from ttc_core.worker import Terminated

    ended = Terminated()
    told = _bar if sys.stderr.isatty() else _telling
    crew: list[Member] = []
    with told(study, ended, crew, args.db) as until:
        by(study, until, crew, args.db)
    view = studies.progress(study, db=args.db)
    _show(view, args)
    if view.status == "paused" and view.why:
        _tell(f"let it spend more with `sweep --resume {study} --max-cost NAME=NUMBER`, or NAME=none")
    if view.status == "failed":
        _tell(f"{view.units['failed']} units failed; try them again with `sweep --resume {study}`")
    return int(view.status == "failed")


@contextmanager
def _telling(
    study: str, ended: Callable[[], bool], crew: Sequence[Member], db: str | None
) -> Iterator[Callable[[], bool]]:
    """The same question, and a line of progress on stderr now and then; the last one says what each actor did."""
    due = [time.monotonic() + TELL_SECONDS]

    def look() -> None:
        due[0] = time.monotonic() + TELL_SECONDS
        with suppress(StoreBusy):  # the next look will do
            _tell("\n".join([line(studies.progress(study, db=db)), *(f"  {m.name}: {m}" for m in crew)]))

    def ask() -> bool:
        if time.monotonic() >= due[0]:
            look()
        return ended()

    yield ask
    if crew:
        look()


@contextmanager
def _bar(study: str, ended: Callable[[], bool], crew: Sequence[Member], db: str | None) -> Iterator[Callable[[], bool]]:
    """The same question, and in a terminal a bar with the numbers of the page Studies."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    parts = (TextColumn("{task.description}"), BarColumn(12), MofNCompleteColumn(), TextColumn("{task.fields[said]}"))
    due = [0.0]

    def look() -> None:
        due[0] = time.monotonic() + BAR_SECONDS
        try:
            view = studies.progress(study, db=db)
        except StoreBusy:  # the next look will do
            return
        ended_units, total = view.units["done"] + view.units["failed"], sum(view.units.values())
        numbers = ", ".join(reversed(_numbers(view)))  # what a narrow terminal cuts off is said last
        bar.update(task, completed=ended_units, total=total, said=f"units  {numbers}")
        rows.extend(bar.add_task(f"  {member.name}", total=None, said="") for member in crew[len(rows) :])
        for row, member in zip(rows, crew, strict=True):
            bar.update(row, completed=member.units, total=total, said=str(member))

    def ask() -> bool:
        if time.monotonic() >= due[0]:
            look()
        return ended()

    with Progress(*parts, console=Console(stderr=True)) as bar:
        task, rows = bar.add_task(study, total=None, said=""), list[TaskID]()
        yield ask
        look()


def line(view: StudyView) -> str:
    """Where a study stands, on one line."""
    total = sum(view.units.values())
    parts = [f"{view.id}: {view.status}", f"{view.units['done']} of {total} units", *_numbers(view)]
    if view.why:
        parts.append(view.why)
    return ", ".join(parts)


def _numbers(view: StudyView) -> list[str]:
    parts = []
    if view.units["failed"]:
        parts.append(f"{view.units['failed']} failed")
    if view.accuracy is not None:
        mean, low, high = view.accuracy
        parts.append(f"accuracy {mean:.1%} ({low:.1%} to {high:.1%}) of {view.outcomes:,} outcomes")
    if view.tokens_per_second is not None and not view.ended:
        parts.append(f"{view.tokens_per_second:,.0f} tokens/s")
    if view.eta is not None and not view.ended:
        parts.append(f"about {_duration(view.eta)} left")
    return parts


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _show(view: StudyView, args: argparse.Namespace) -> int:
    write_json(studies.document(view)) if args.json else write_lines([line(view)])
    return 0


def _tell(text: str) -> None:
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


# --- stored studies --------------------------------------------------------------------------------------------------


def summaries(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All studies as `list --json` prints them."""
    return [studies.document(view) for view in studies.listing(db=args.db)]


def lines(args: argparse.Namespace) -> list[str]:
    """All studies as `list` prints them."""
    rows = [
        [view.id, f"{view.created:%Y-%m-%d %H:%M}", view.status, view.problems, sum(view.units.values()), view.outcomes]
        for view in studies.listing(db=args.db)
    ]
    return [*table(["study", "created", "status", "problems", "units", "outcomes"], rows), ""] if rows else []


def show(args: argparse.Namespace) -> int:
    """One study; with --export its tables and trees as files in a folder."""
    study = args.run_id
    if args.export:
        from ttc_core import studies_export

        written = studies_export.write(study, Path(args.export), db=args.db)
        write_json({"study": study, "files": written}) if args.json else write_lines(written)
        return 0
    if args.json:
        write_json(studies.describe(study, db=args.db))
        return 0
    view = studies.progress(study, db=args.db)
    frame = studies.outcomes(study, db=args.db)
    rows: list[list[Any]] = []
    which: Any
    for which, of in frame.groupby(["method", "model", "verifier", "budget"], sort=False):
        right = of["correct"].dropna().astype(float)
        shown = None if right.empty else round(float(right.mean()), 4)
        rows.append([*which, len(of), shown, round(float(of["generations"].mean()), 2)])
    head = ["method", "model", "verifier", "budget", "outcomes", "accuracy", "generations"]
    failed = [f"unit {u['unit']} ({u['method']}, budget {u['budget']}) failed: {u['error']}" for u in view.failed]
    write_lines([line(view), "", *(table(head, rows) if rows else []), *failed])
    return 0


def import_(args: argparse.Namespace) -> int:
    """Bring in what another program, or this one elsewhere, produced: as a study."""
    from ttc_core import importing

    runs.ensure_database(db=args.db)
    if args.format == "bundle":
        from ttc_core.bundle import reading

        added = reading.add(Path(args.file), args.study, db=args.db)
        study = added.study
        for old, new in added.renamed.items():
            _tell(f"ttc: the saved figure {old!r} is called {new!r} here: another one has its name")
    else:
        study = importing.add(args.format, Path(args.file), args.dataset, args.study, db=args.db)
    return _show(studies.progress(study, db=args.db), args)
