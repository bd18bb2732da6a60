"""Carry out the study files of this folder with the embedded models; of NAME.toml comes NAME.db.xz.

    python data/studies/make.py [NAME ...] [--database FILE] [--go-on]

NAME: which ones, without .toml; all without. Takes up what is in the database file (default: .lab/studies.db) where it
was left, and extends it where NAME.toml asks for more by now. A new database of the workbench starts with the studies
that lie here. One worker took 245 s of processor time for the study chains.
"""

import argparse
import lzma
import sqlite3
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from ttc_core import studies  # noqa: E402
from ttc_core.settings import REPOSITORY  # noqa: E402
from ttc_core.store.database import Database  # noqa: E402
from ttc_core.store.migrate import ensure  # noqa: E402
from ttc_core.store.transfer import copy_file, copy_study  # noqa: E402


def main() -> None:
    """The files, one after another."""
    there = [file.stem for file in sorted(HERE.glob("*.toml"))]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--database", type=Path, default=REPOSITORY / ".lab" / "studies.db")
    parser.add_argument("--go-on", action="store_true", help="begin with what NAME.db.xz has instead of anew")
    args = parser.parse_args()
    if unknown := set(args.names) - {*there}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(there)}")
    made = args.database
    made.parent.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{made.resolve()}"
    ensure(Database(url))
    for name in args.names or there:
        asked = HERE / f"{name}.toml"
        if not studies.exists(name, db=url) and args.go_on:
            with Database(url).write() as connection:
                copy_file(HERE / f"{name}.db.xz", connection)
        if not studies.exists(name, db=url):
            studies.start(asked, db=url)
        elif studies.describe(name, db=url)["source"] != asked.read_text("utf-8"):
            sys.stdout.write(f"{name}: {studies.extend(name, asked, db=url)} units more\n")
        studies.resume(name, db=url)
        studies.work(name, db=url)
        write(name, url)


def write(name: str, url: str) -> None:
    """Pack one finished study into a file of its own, as small as it gets."""
    view = studies.progress(name, db=url)
    if view.status != "done":
        raise SystemExit(f"the study {name} is {view.status}: {view.units}")
    packed = HERE / f"{name}.db.xz"
    with tempfile.TemporaryDirectory() as folder:  # of its own: nothing there is in the way of anything
        target = Path(folder) / "study.db"
        shipped = Database(f"sqlite:///{target}")
        ensure(shipped)
        with Database(url).read() as source, shipped.write() as connection:
            copy_study(source, name, connection)
        shipped.close()
        with sqlite3.connect(target, isolation_level=None) as plain:
            plain.execute("PRAGMA journal_mode = DELETE")
            plain.execute("VACUUM")
        packed.write_bytes(lzma.compress(target.read_bytes()))
    sys.stdout.write(f"{packed.name}: {packed.stat().st_size:,} bytes, {view.outcomes:,} outcomes\n")


if __name__ == "__main__":
    main()
