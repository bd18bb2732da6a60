"""Makes the searches a first visit shows: `make examples`. They are ordinary runs of the embedded models, exported."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from ttc_core import runs  # noqa: E402
from ttc_core.runs_documents import dumps  # noqa: E402
from ttc_core.types import RunSpec  # noqa: E402

EXAMPLES = (  # the last one is what a first visit shows
    ("mini-test-0007", "revisions", "mini-reviser"),
    ("mini-test-0002", "beam_search", "mini-s"),
    ("mini-test-0005", "beam_search", "mini-s"),
    ("mini-test-0007", "best_of_n", "mini-s"),
    ("mini-test-0007", "beam_search", "mini-s"),
)
BUDGET = 16


def main() -> None:
    """Run each example in a database of its own and write it beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        db = f"sqlite:///{folder}/examples.db"
        runs.ensure_database(db=db)
        for number, (problem_id, strategy, model) in enumerate(EXAMPLES):
            problem = runs.problem("mini-test", problem_id)
            spec = RunSpec(
                problem.question, strategy, BUDGET, 1, dataset="mini-test", problem_id=problem_id,
                answer=problem.answer, model=model,
            )  # fmt: skip
            run = runs.start(spec, db=db)
            runs.execute([run], db=db)
            document = runs.export_run(run, db=db)
            path = HERE / f"{number}-{problem_id}-{strategy}.json"
            path.write_text(dumps(document), encoding="utf-8")
            sys.stdout.write(f"{path.name}: {len(document['nodes'])} nodes\n")


if __name__ == "__main__":
    main()
