"""`db`: whether a database is sound, giving its free space back, copying it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ttc_core import access
from ttc_core.cli.shown import table, write_json, write_lines
from ttc_core.errors import UserError
from ttc_core.settings import settings

if TYPE_CHECKING:
    from ttc_core.store.database import Database


def arguments(verb: argparse.ArgumentParser) -> None:
    """What `db` takes."""
    verb.add_argument("action", choices=["check", "vacuum", "copy"])
    verb.add_argument("urls", metavar="URL", nargs="*", help="copy: [from] to; check, vacuum: which; default: --db")
    verb.add_argument("--study", metavar="STUDY", help="copy this one alone, into any database")


def db(args: argparse.Namespace) -> int:
    """One of the three; a database that is not sound is exit code 1."""
    from ttc_core.store.database import database

    if args.action != "check":
        access.check_writable()
    own = args.db or settings().database_url
    most = 2 if args.action == "copy" else 1
    if len(args.urls) > most or (args.study and args.action != "copy"):
        raise UserError(f"`db {args.action}` takes no {'--study' if args.study else 'further URL'}")
    if args.action == "copy":
        if not args.urls:
            raise UserError("name the database to copy into", hint="db copy [FROM_URL] TO_URL")
        source, target = args.urls if len(args.urls) == 2 else (own, args.urls[0])
        return _copy(database(source), database(target), args)
    of = database(args.urls[0] if args.urls else own)
    return _check(of, args) if args.action == "check" else _vacuum(of, args)


def _check(of: Database, args: argparse.Namespace) -> int:
    from ttc_core.store import upkeep

    found = upkeep.check(of)
    if args.json:
        write_json(found)
    else:
        shown = {name: found[name] for name in ("database", "schema", "newest", "integrity")}
        free = f", {_size(found['free_bytes'])} of it free" if "free_bytes" in found else ""
        rows: list[list[Any]] = [[name, value] for name, value in {**shown, "size": _size(found["bytes"])}.items()]
        rows[-1][1] += free
        rows += [[f"orphans in {name}", n] for name, n in found["orphans"].items() if n]
        rows += [[name, f"{n:,} rows"] for name, n in found["rows"].items()]
        write_lines(table(["sound" if found["fine"] else "NOT SOUND", ""], rows))
    return 0 if found["fine"] else 1


def _vacuum(of: Database, args: argparse.Namespace) -> int:
    from ttc_core.store import upkeep

    done = upkeep.vacuum(of)
    write_json(done) if args.json else write_lines([f"{_size(done['before'])}, now {_size(done['after'])}"])
    return 0


def _copy(source: Database, target: Database, args: argparse.Namespace) -> int:
    from ttc_core.store import upkeep

    done = upkeep.copy(source, target, args.study)
    counted = ", ".join(f"{n:,} {name}" for name, n in done.items() if n) or "nothing"
    said = {"from": source.shown, "to": target.shown, "rows": done}
    write_json(said) if args.json else write_lines([f"copied {counted}"])
    return 0


def _size(n: float) -> str:
    return f"{n / 1e6:,.1f} MB" if n >= 1e5 else f"{n / 1e3:,.1f} kB"
