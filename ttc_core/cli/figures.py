"""`figures`: what a study shows, as files for papers and slides."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path

from ttc_core.errors import UserError


def arguments(verb: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    verb.add_argument("--study", metavar="S", required=True)
    verb.add_argument("--out", metavar="DIR", required=True, help="folder, made where it is missing")
    verb.add_argument("--format", metavar="F[,F...]", default="pdf", help="pdf (default), svg, png, tex, csv, md")
    verb.add_argument("--preset", metavar="P", default="neurips", help="neurips, iclr, icml, acl, slide ...")
    verb.add_argument("--type", metavar="T", help="serif or sans; default: the preset's")
    verb.add_argument("--only", metavar="NAME[,NAME...]", help="these figures; default: all that the study allows")
    verb.add_argument("--dpi", metavar="N", type=int, default=300, help="of PNG")
    for name, text in (("dataset", "D"), ("model", "M"), ("verifier", "V")):
        verb.add_argument(f"--{name}", metavar=text, help="default: what the study has most of")
    verb.add_argument("--resamples", metavar="N", type=int, default=1000, help="of the bootstrap")


def figures(args: argparse.Namespace) -> int:
    """Write them."""
    from ttc_core import runs
    from ttc_core.cli.shown import table, write_json, write_lines
    from ttc_core.drawing.presets import preset
    from ttc_core.export import tables, writing

    logging.getLogger("fontTools").setLevel(logging.WARNING)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    forms, chosen = args.format.split(","), preset(args.preset, args.type)
    writing.check(forms)
    runs.ensure_database(db=args.db)
    found = tables.of_study(args.study, args.dataset, args.model, args.verifier, args.resamples, db=args.db)
    names = args.only.split(",") if args.only else None
    made, left_out = writing.write(found, Path(args.out), forms, chosen, names, args.dpi)
    if not made:
        raise UserError(f"study {args.study!r} has what no figure needs: {left_out[0].why}")
    if args.json:
        write_json({"figures": [asdict(m) for m in made], "left_out": [asdict(one) for one in left_out]})
        return 0
    write_lines(table(["figure", "files"], [[m.name, " ".join(m.files)] for m in made]))
    write_lines(f"left out: {one.name} ({one.why})" for one in left_out)
    return 0
