"""`figures` and `bundle`: what a study shows, as files for papers, and with all that it takes to check it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttc_core.errors import UserError

if TYPE_CHECKING:
    from ttc_core.bundle.writing import Drawn
    from ttc_core.export.writing import LeftOut, Written


def arguments(verb: argparse.ArgumentParser) -> None:
    """What `figures` takes."""
    of = verb.add_mutually_exclusive_group(required=True)
    of.add_argument("--study", metavar="S")
    of.add_argument("--run", metavar="RUN_ID", help="tree and chain of a stored run")
    of.add_argument("--bundle", metavar="FILE", help="of the study in a bundle, drawn as it was there")
    of.add_argument("--list-saved", action="store_true", help="only say which figures are saved")
    of.add_argument("--forget", metavar="NAME[,NAME...]", help="delete these saved figures")
    verb.add_argument("--out", metavar="DIR", help="folder, made where it is missing")
    _drawn(verb, "pdf")
    verb.add_argument("--saved", metavar="NAME[,NAME...]", help="figures saved under these names; alone without --only")
    verb.add_argument("--only", metavar="NAME[,NAME...]", help="these figures; default: all that the study allows")
    for name, text in (("dataset", "D"), ("model", "M"), ("verifier", "V")):
        verb.add_argument(f"--{name}", metavar=text, help="default: what the study has most of")


def bundle_arguments(verb: argparse.ArgumentParser) -> None:
    """What `bundle` takes."""
    verb.add_argument("--study", metavar="S", required=True)
    verb.add_argument("--out", metavar="FILE", required=True, help="the zip file")
    _drawn(verb, "all")


def _drawn(verb: argparse.ArgumentParser, forms: str) -> None:
    """How figures are drawn; None where nothing is said."""
    verb.add_argument("--format", metavar="F[,F...]", help=f"pdf, svg, png, tex, csv, md; default: {forms}")
    verb.add_argument("--preset", metavar="P", help="neurips (default), iclr, icml, acl, slide ...")
    verb.add_argument("--type", metavar="T", help="serif or sans; default: the preset's")
    verb.add_argument("--dpi", metavar="N", type=int, help="of PNG; default: 300")
    verb.add_argument("--resamples", metavar="N", type=int, help="of the bootstrap; default: 1000")


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    """What was said of how they are drawn, by the names that a bundle has for it."""
    said = {name: getattr(args, name) for name in ("preset", "dpi", "resamples")}
    said |= {"family": args.type, "formats": args.format and args.format.split(",")}
    return {name: value for name, value in said.items() if value is not None}


def figures(args: argparse.Namespace) -> int:
    """Write the figures of a study, of a bundle's, or of a run; or list or delete what is saved."""
    from ttc_core import runs
    from ttc_core.bundle import reading
    from ttc_core.bundle.writing import Drawn

    _quiet()
    if args.format == "":
        raise UserError("--format names at least one format", hint="leave it out for the usual ones")
    if args.list_saved or args.forget is not None:
        runs.ensure_database(db=args.db)
        return _list_saved(args) if args.list_saved else _forget(args)
    if args.out is None:
        raise UserError("say with --out into which folder the figures shall go")
    if args.bundle is not None:
        with reading.opened(Path(args.bundle)) as bundle:
            drawn = replace(bundle.drawn, **_asked(args))
            return _write(args, bundle.study, replace(drawn, saved=_chosen(drawn.saved, args)), bundle.url)
    drawn = replace(Drawn(formats=["pdf"]), **_asked(args))
    drawn.check()
    runs.ensure_database(db=args.db)
    if args.saved and args.study is not None:
        drawn = replace(drawn, saved={name: _saved(name, args) for name in args.saved.split(",")})
    return _write(args, args.study, drawn, args.db) if args.run is None else _search(args, drawn)


def _list_saved(args: argparse.Namespace) -> int:
    """Every saved figure with its look."""
    from ttc_core import saved_figures
    from ttc_core.cli.shown import table, write_json, write_lines

    found = saved_figures.listing(db=args.db)
    if args.json:
        write_json({name: look.document() for name, look in found.items()})
        return 0
    rows = [[name, look.figure, look.study, look.preset, look.title] for name, look in found.items()]
    write_lines(table(["saved", "figure", "study", "preset", "title"], rows) if rows else ["none"])
    return 0


def _forget(args: argparse.Namespace) -> int:
    """Delete saved figures: all that are named, or none where one is not there."""
    from ttc_core import saved_figures
    from ttc_core.cli.shown import write_json, write_lines

    names = list(dict.fromkeys(args.forget.split(",")))
    for name in names:
        saved_figures.get(name, db=args.db)
    for name in names:
        saved_figures.delete(name, db=args.db)
    write_json({"deleted": len(names)}) if args.json else write_lines([f"{len(names)} deleted"])
    return 0


def _search(args: argparse.Namespace, drawn: Drawn) -> int:
    """The figures of a run, and the way to its answer in LaTeX."""
    from ttc_core.export import searches, writing

    for name in ("only", "saved", "dataset", "model", "verifier"):
        if getattr(args, name):
            raise UserError(f"--{name} goes with --study or --bundle: the figures of a run are its tree and its chain")
    found = searches.figures(args.run, drawn.check(), args.db)
    made = writing.write_figures(found, Path(args.out), drawn.formats, drawn.dpi)
    if "tex" in drawn.formats:
        listed = searches.way(args.run, args.db)
        writing.put(Path(args.out), listed)
        made[0].files.extend(listed)
    return _show(args, made, [])


def _write(args: argparse.Namespace, study: str, drawn: Drawn, db: str | None) -> int:
    from ttc_core.export import tables, writing

    chosen = drawn.check()
    found = tables.of_study(study, args.dataset, args.model, args.verifier, drawn.resamples, db=db)
    names = args.only.split(",") if args.only else [] if args.saved else None
    made, left_out = writing.write(found, Path(args.out), drawn.formats, chosen, names, drawn.dpi, drawn.looks())
    if not made:
        raise UserError(f"study {study!r} has what no figure needs: {left_out[0].why}")
    return _show(args, made, left_out)


def _chosen(there: Mapping[str, Any], args: argparse.Namespace) -> Mapping[str, Any]:
    """Which of a bundle's saved figures are asked for: all, where none are named."""
    if not args.saved:
        return {} if args.only else there
    if unknown := set(args.saved.split(",")) - set(there):
        raise UserError(f"the bundle has no figure that is saved as {min(unknown)!r}")
    return {name: there[name] | _size(args) for name in args.saved.split(",")}


def _saved(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """A saved figure's document, at another size where one is asked for."""
    from ttc_core import saved_figures

    return saved_figures.get(name, db=args.db).document() | _size(args)


def _size(args: argparse.Namespace) -> dict[str, Any]:
    """What of a saved figure's look the command line changes."""
    return {key: value for key, value in {"preset": args.preset, "family": args.type}.items() if value}


def bundle(args: argparse.Namespace) -> int:
    """Write the bundle of a study."""
    from ttc_core import runs
    from ttc_core.bundle import writing
    from ttc_core.cli.shown import write_json, write_lines

    _quiet()
    runs.ensure_database(db=args.db)
    about = writing.write(args.study, Path(args.out), replace(writing.Drawn(), **_asked(args)), db=args.db)
    if args.json:
        write_json(about)
        return 0
    size, count = Path(args.out).stat().st_size, len(about["figures"])
    write_lines([f"{args.out}: {about['asked']['outcomes']:,} outcomes, {count} figures, {size / 1e6:.1f} MB"])
    return 0


def _show(args: argparse.Namespace, made: Sequence[Written], left_out: Sequence[LeftOut]) -> int:
    from ttc_core.cli.shown import table, write_json, write_lines

    if args.json:
        write_json({"figures": [asdict(one) for one in made], "left_out": [asdict(one) for one in left_out]})
        return 0
    write_lines(table(["figure", "files"], [[one.name, " ".join(one.files)] for one in made]))
    write_lines(f"left out: {one.name} ({one.why})" for one in left_out)
    return 0


def _quiet() -> None:
    for name in ("fontTools", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
