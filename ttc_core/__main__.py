"""`python -m ttc_core VERB`: results on stdout, logs and errors on stderr.

Exit codes: 0 done, 2 the user's mistake (one sentence), 1 anything else.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from ttc_core.errors import TTCError, UserError
from ttc_core.types import RunSpec

VERBS = {
    "solve": "search for the answer to one problem, here and now",
    "extend": "continue a stored run to a larger budget",
    "serve": "start the app with its worker",
    "worker": "take runs from the database until none is left",
    "list": "stored runs, newest first",
    "show": "one stored run with its tree",
    "delete": "delete stored runs",
    "models": "the models that write solutions",
    "strategies": "the strategies with their hyper-parameters",
    "verifiers": "the models that score steps",
    "datasets": "the data sets; add one",
    "engines": "what runs models",
    "bench": "the performance ratios, on this machine",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one verb; returns the exit code."""
    args = parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads only wait for one another
    gc.set_threshold(50_000, 20, 50)  # a search makes large trees and little garbage in cycles: look for it less often
    try:
        return _verb(args.verb)(args)
    except UserError as error:
        _complain(error)
        return 2
    except TTCError as error:
        _complain(error)
        return 1
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as every other mistake is answered."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"ttc: {message} (see `{self.prog} --help`)\n")


def parser() -> Parser:
    """The whole command line."""
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON document on stdout")
    common.add_argument("--db", metavar="URL", help="the database; default: TTC_DATABASE_URL, else SQLite under data/")
    root = Parser(prog="python -m ttc_core", description="A workbench for test-time compute.")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    made = {name: verbs.add_parser(name, help=text, description=text, parents=[common]) for name, text in VERBS.items()}
    _solve(made["solve"])
    made["extend"].add_argument("run_id", metavar="RUN_ID")
    made["extend"].add_argument("--budget", type=int, required=True, help="generations in all, what it has included")
    made["serve"].add_argument("--port", type=int, default=8501)
    made["serve"].add_argument("--no-browser", action="store_true", help="do not open a browser window")
    made["worker"].add_argument("--forever", action="store_true", help="wait for more until terminated")
    for name in ("dataset", "strategy", "model", "status", "text"):
        made["list"].add_argument(f"--{name}")
    made["list"].add_argument("--limit", type=int, default=50)
    made["list"].add_argument("--disagree", action="store_true", help="only what graders differ on")
    _datasets(made["datasets"])
    _bench(made["bench"])
    made["show"].add_argument("run_id", metavar="RUN_ID")
    made["show"].add_argument("--export", metavar="FILE", help="write it as a JSON document instead")
    made["delete"].add_argument("run_ids", metavar="RUN_ID", nargs="+")
    return root


def _solve(verb: argparse.ArgumentParser) -> None:
    default = {
        name: RunSpec.__dataclass_fields__[name].default for name in ("seed", "model", "verifier", "temperature")
    }
    verb.add_argument("--dataset", metavar="D")
    verb.add_argument("--problem", metavar="ID")
    verb.add_argument("--question", metavar="TEXT", help="your own question instead")
    verb.add_argument("--answer", metavar="A", help="its right answer, if you know it")
    verb.add_argument("--grader", metavar="G", help="reads and compares answers: numeric (default), math, choice, text")
    verb.add_argument("--strategy", metavar="S", required=True)
    verb.add_argument("--set", metavar="K=V", nargs="+", action="extend", default=[], help="hyper-parameters")
    verb.add_argument("--budget", metavar="N", type=int, required=True, help="generations: complete solutions' worth")
    verb.add_argument("--seed", metavar="K", type=int, default=default["seed"])
    verb.add_argument("--engine", metavar="E", help="checked against the model's card")
    verb.add_argument("--model", metavar="M", default=default["model"])
    verb.add_argument("--verifier", metavar="V", default=default["verifier"], help='"" for none')
    verb.add_argument("--temperature", metavar="T", type=float, default=default["temperature"])


def _bench(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--quick", action="store_true", help="smaller: some minutes on two processors")
    verb.add_argument("--size", choices=["full", "quick", "tiny"], help=argparse.SUPPRESS)
    verb.add_argument("--only", metavar="NAME", nargs="+", default=[], help="these measurements only")


def _datasets(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("action", nargs="?", choices=["add"], help="instead of listing them")
    verb.add_argument("name", metavar="NAME", nargs="?", help="a name of your own, or of a known benchmark")
    verb.add_argument("file", metavar="FILE", nargs="?", help=".jsonl, .json, .csv, .tsv, .parquet; none: from the hub")
    for name in ("question", "answer", "id"):
        verb.add_argument(f"--{name}", metavar="COLUMN", help=f"what the file calls the {name}")
    verb.add_argument("--grader", metavar="G", help="numeric, math, choice or text; default: what suits the answers")


def _verb(name: str) -> Callable[[argparse.Namespace], int]:
    from ttc_core.cli import verbs

    special = {"list": "list_", "models": "model_cards", "verifiers": "model_cards"}
    chosen: Callable[[argparse.Namespace], int] = getattr(verbs, special.get(name, name))
    return chosen


def _complain(error: TTCError) -> None:
    hint = f" ({error.hint})" if error.hint else ""
    sys.stderr.write(f"ttc: {error}{hint}\n".encode("utf-8", "backslashreplace").decode("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
