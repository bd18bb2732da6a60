"""Make the database of each schema version that lies here: written by the program as it was at the time.

    python tests/data/schemas/make.py [REVISION ...]

Takes the last commit at which a revision was the newest, lets that program solve a problem twice and, where it knew
studies, carry a small one out, and keeps the database, compressed. Needs the repository's history. What is there stays.
"""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
MIGRATIONS = "ttc_core/store/migrations/versions"
SEARCHES = (
    ["solve", "--dataset", "mini-test", "--problem", "mini-test-0001", "--strategy", "beam_search", "--budget", "4"],
    ["solve", "--question", "What is 2 + 2?", "--answer", "4", "--strategy", "best_of_n", "--budget", "2"],
)
STUDY = """\
name = "old"
models = ["mini-s"]
verifiers = ["mini-implicit"]
budgets = [2]
datasets = [{ name = "mini-test", problems = 2 }]
keep_trees = "sample:1"
strategies = ["best_of_n", "beam_search"]
"""


def main() -> int:
    """Make those that are asked for, or that are not there."""
    for number, path in enumerate(revisions()):
        target = HERE / f"{path.name[:4]}.db.gz"
        if path.name[:4] in sys.argv[1:] or not (sys.argv[1:] or target.exists()):
            make(last_commit(number), target)
            sys.stdout.write(f"{target.name}: {target.stat().st_size:,} bytes\n")
    return 0


def revisions() -> list[Path]:
    """The files of all schema versions, oldest first."""
    return sorted((REPOSITORY / MIGRATIONS).glob("0*.py"))


def last_commit(number: int) -> str:
    """The last one at which the schema version of this number was the newest."""
    later = revisions()[number + 1 :]
    if not later:
        return "HEAD"
    added = ["git", "log", "--diff-filter=A", "--format=%H", "--", str(later[0])]
    return subprocess.run(added, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.split()[-1] + "^"


def make(commit: str, target: Path) -> None:
    """Let the program of this commit write a database, and keep it."""
    archive = subprocess.run(["git", "archive", commit], cwd=REPOSITORY, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        made = Path(folder) / "made.db"
        (Path(folder) / "study.toml").write_text(STUDY, "utf-8")
        commands = [*SEARCHES, *([["sweep", "study.toml"]] if (Path(folder) / "ttc_core/studies.py").exists() else [])]
        environment = {**os.environ, "TTC_EXAMPLES": "0", "TTC_DATABASE_URL": f"sqlite:///{made}"}
        environment.pop("TTC_DATA_DIR", None)
        for command in commands:
            subprocess.run(
                [sys.executable, "-m", "ttc_core", *command], cwd=folder, env=environment, check=True,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
        with closing(sqlite3.connect(made)) as connection:
            connection.execute("DELETE FROM workers")
            connection.commit()
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        target.write_bytes(gzip.compress(made.read_bytes(), mtime=0))


if __name__ == "__main__":
    sys.exit(main())
