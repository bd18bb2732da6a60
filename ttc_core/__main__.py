"""`python -m ttc_core VERB`: results on stdout, logs and errors on stderr.

Exit codes: 0 done, 2 the user's mistake (one sentence), 1 anything else.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from ttc_core.cli import database, figures
from ttc_core.cli.shown import printable
from ttc_core.errors import TTCError, UserError
from ttc_core.types import RunSpec

VERBS = {
    "solve": "search for the answer to one problem, here and now",
    "extend": "continue a stored run to a larger budget",
    "serve": "start the app with its worker",
    "sweep": "carry out the study of a file, or go on with a stored one",
    "worker": "take runs and units of studies from the database until none is left",
    "import": "bring in what another program produced, as a study",
    "list": "stored studies and runs, newest first",
    "show": "one stored run with its tree, or one study",
    "note": "write a note beside a stored run",
    "delete": "delete stored runs or studies",
    "db": "check a database, give its free space back, copy it",
    "estimate": "what n samples would have given, from a pool of more",
    "difficulty": "the bins of difficulty of a data set",
    "frontier": "accuracy against cost of every method and of the compute-optimal policy",
    "exchange": "a small model with test-time compute against a larger one at equal FLOPs",
    "figures": "what a study shows, as files for papers and slides",
    "bundle": "a study with its figures, data and all it takes to check them, as one zip file",
    "models": "the models that write solutions",
    "strategies": "the strategies with their hyper-parameters",
    "verifiers": "the models that score steps",
    "datasets": "the data sets; add one",
    "engines": "what runs models",
    "doctor": "try a model or a verifier and say what works",
    "bench": "the performance ratios, on this machine",
}
ANALYSIS = ("estimate", "difficulty", "frontier", "exchange")


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one verb; returns the exit code."""
    args = parser().parse_args(argv)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    for chatty in ("alembic", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
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


class _Printable(logging.Formatter):
    """Log lines quote models, servers and files: nothing in them may drive a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return printable(super().format(record))


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
    made["worker"].add_argument("--study", metavar="STUDY", help="work on this study alone, until it has ended")
    _studies(made["sweep"], made["import"])
    for name in ("dataset", "strategy", "model", "status", "text"):
        made["list"].add_argument(f"--{name}")
    made["list"].add_argument("--limit", type=int, default=50)
    made["list"].add_argument("--disagree", action="store_true", help="only what graders differ on")
    _analysis(made)
    figures.arguments(made["figures"])
    figures.bundle_arguments(made["bundle"])
    database.arguments(made["db"])
    _datasets(made["datasets"])
    _bench(made["bench"])
    made["doctor"].add_argument("--model", metavar="M")
    made["doctor"].add_argument("--verifier", metavar="V")
    made["show"].add_argument("run_id", metavar="ID")
    made["show"].add_argument("--export", metavar="PATH", help="write a run as a JSON file, a study into a folder")
    made["note"].add_argument("run_id", metavar="ID")
    made["note"].add_argument("text", metavar="TEXT", help='in place of what stood there; "" takes it away')
    made["delete"].add_argument("run_ids", metavar="ID", nargs="+")
    return root


def _solve(verb: argparse.ArgumentParser) -> None:
    default = RunSpec("", "", 0)
    verb.add_argument("--from", dest="origin", metavar="RUN_ID:NODE", help="go on from a step of a stored run")
    verb.add_argument("--edit", metavar="TEXT", help="with --from: what that step shall say instead")
    verb.add_argument("--dataset", metavar="D")
    verb.add_argument("--problem", metavar="ID")
    verb.add_argument("--question", metavar="TEXT", help="your own question instead")
    verb.add_argument("--answer", metavar="A", help="its right answer, if you know it")
    verb.add_argument("--grader", metavar="G", help="reads and compares answers: numeric (default), math, choice, text")
    verb.add_argument("--strategy", metavar="S")
    verb.add_argument("--set", metavar="K=V", nargs="+", action="extend", default=[], help="hyper-parameters")
    verb.add_argument("--budget", metavar="N", type=int, help="generations: complete solutions' worth")
    verb.add_argument("--seed", metavar="K", type=int, help="default: 0")
    verb.add_argument("--engine", metavar="E", help="checked against the model's card")
    verb.add_argument("--model", metavar="M", help=f"default: {default.model}")
    verb.add_argument("--verifier", metavar="V", help=f'"" for none; default: {default.verifier}')
    verb.add_argument("--temperature", metavar="T", type=float, help="default: the model's own, usually 1")


def _studies(sweep: argparse.ArgumentParser, import_: argparse.ArgumentParser) -> None:
    sweep.add_argument("file", metavar="FILE.toml", nargs="?")
    sweep.add_argument("--name", help="for the study, instead of the one in the file")
    sweep.add_argument("--dry-run", action="store_true", help="only say what it would take")
    sweep.add_argument("--ray", metavar="ADDRESS", nargs="?", const="", help="by actors of a Ray cluster; none: here")
    groups = "with --ray: N, or n=N,cpus=C,gpus=G,model=M; once for each kind of actors"
    sweep.add_argument("--actors", metavar="GROUP", action="append", default=[], help=groups)
    sweep.set_defaults(study=None, action="")
    words = {
        "resume": "go on, failed units too",
        "pause": "have its workers stop for now",
        "cancel": "for good",
        "extend": "with a file: do what this asks for beyond the study, which keeps what it has",
    }
    for action, text in words.items():
        sweep.add_argument(f"--{action}", metavar="STUDY", action=_Stored, help=text)
    limits = "with --resume: NAME=NUMBER or NAME=none, as max_cost in a study file; once for each limit"
    sweep.add_argument("--max-cost", metavar="LIMIT", action="append", default=[], help=limits)
    sweep.add_argument("--priority", metavar="N", type=int, help="with --resume: another one; the smallest goes first")
    formats = "samples, search_and_learn, openr_tree, thinkbooster, or bundle"
    import_.add_argument("format", metavar="FORMAT", help=formats)
    import_.add_argument("file", metavar="FILE")
    import_.add_argument("--dataset", metavar="NAME", default="", help="what the problems shall belong to")
    import_.add_argument("--study", metavar="NAME", help="the study's name; default: the file's, or the bundle's own")


class _Stored(argparse.Action):
    """One of the things that can be done with a stored study."""

    def __call__(self, parser: argparse.ArgumentParser, args: argparse.Namespace, value: object, *_: object) -> None:
        """Note which, and with which study; two at a time are a mistake."""
        if args.study is not None:
            parser.error(f"{self.option_strings[0]} goes with no other study")
        args.study, args.action = value, self.dest


def _analysis(made: Mapping[str, argparse.ArgumentParser]) -> None:
    for name in ANALYSIS:
        verb, pooled = made[name], name in ("estimate", "difficulty")
        verb.add_argument("--dataset", metavar="D", required=pooled)
        usual = "the study's first" if pooled else "the one with most outcomes"
        newest = "default: the newest with such samples" if pooled else "whose outcomes"
        verb.add_argument("--study", metavar="S", required=not pooled, help=newest)
        verb.add_argument(
            "--model", metavar="M", help=f"default: {usual}{'' if pooled else ', of equals the smallest'}"
        )
        verb.add_argument("--verifier", metavar="V", help=f"whose scores; default: {usual}")
        if pooled:
            verb.add_argument("--aggregate", metavar="A", help="of step scores: last, min, prod or mean")
        if name == "estimate":
            verb.add_argument("--n", metavar="N[,N...]", help="samples; default: powers of two")
            verb.add_argument("--metric", metavar="M[,M...]", help="pass, majority, best, weighted; default: all known")
            continue
        verb.add_argument("--by", default="oracle", help="oracle (default) or predicted difficulty")
        verb.add_argument("--bins", metavar="K", type=int, default=5, help="of equal size")
        verb.add_argument("--absolute", action="store_true", help="at least 50 %%, 10 to 50 %%, below 10 %% instead")
        if not pooled:
            verb.add_argument("--resamples", metavar="N", type=int, default=1000, help="of the bootstrap")
    made["frontier"].add_argument("--axis", default="generations", help="generations, tokens, flops or seconds")
    made["frontier"].add_argument("--no-verifier", action="store_true", help="leave its tokens and FLOPs out")
    made["frontier"].add_argument("--baseline", metavar="METHOD", help="default: best_of_n, if there is by weight")
    made["frontier"].add_argument("--charge", type=float, default=0.0, help="cost of telling a problem's difficulty")
    made["frontier"].add_argument("--fit", metavar="NAME", help="write a policy for compute_optimal to data/policies")
    made["frontier"].add_argument("--probe", type=int, default=4, help="samples from which that policy predicts")
    made["exchange"].add_argument("--ratio", metavar="R[,R...]", required=True, help="inference to pretraining tokens")
    made["exchange"].add_argument("--large", metavar="M", help="the larger model; default: the study's largest")
    made["exchange"].add_argument("--times", metavar="M", type=float, help="times larger; default: as measured")
    costs = made["exchange"].add_mutually_exclusive_group()
    costs.add_argument("--axis", choices=["tokens", "flops", "seconds"], help="what an answer costs as it was measured")
    costs.add_argument("--price", metavar="SMALL,LARGE", help="of a token of each; answers cost it times their tokens")


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
    if name in ANALYSIS:
        from ttc_core.cli import analysis

        found: Callable[[argparse.Namespace], int] = getattr(analysis, name)
        return found
    if name in ("figures", "bundle"):
        return figures.bundle if name == "bundle" else figures.figures
    if name == "db":
        return database.db
    from ttc_core.cli import verbs

    special = {"list": "list_", "import": "import_", "models": "model_cards", "verifiers": "model_cards"}
    chosen: Callable[[argparse.Namespace], int] = getattr(verbs, special.get(name, name))
    return chosen


def _complain(error: TTCError) -> None:
    hint = f" ({error.hint})" if error.hint else ""
    sys.stderr.write(printable(f"ttc: {error}{hint}") + "\n")


if __name__ == "__main__":
    sys.exit(main())
