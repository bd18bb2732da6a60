"""The large states that `benchmarks.browser` looks at: 10,000 stored searches, and one of 5,000 steps that grows."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field

from ttc_core import runs, runs_documents
from ttc_core.store import leases, repository
from ttc_core.store.database import Database, database
from ttc_core.types import Node, RunSpec

DATASET = "mini-test"
STORED, DIFFERENT = 10_000, 40  # searches in the list, and how many of them are no copies
STEPS = 5000  # of the large tree when the browser begins to look
BUDGET = 512  # generations of beam search: more than 6,000 steps
NODES, PAUSE = 10, 0.5  # written at once, and seconds from one commit to the next


def store_many(url: str) -> None:
    """Fill the database up to `STORED` searches: best-of-N on different problems, and copies under other ids."""
    asked = runs.problems(DATASET)[:DIFFERENT]
    made = [runs.start(RunSpec("", "best_of_n", 4, 0, {}, DATASET, problem.id), db=url) for problem in asked]
    runs.execute(made, db=url)
    documents = [runs.export_run(run_id, db=url) for run_id in made]
    stored = runs.listing(limit=1, db=url).total
    with database(url).write() as connection:
        for i in range(STORED - stored):
            copy = {**documents[i % DIFFERENT], "id": f"copy{i}", "nodes": documents[i % DIFFERENT]["nodes"][:1]}
            copy["outcome"] = {**copy["outcome"], "candidates": [], "chosen": None}
            run_id, spec, row, usage, nodes = runs_documents.parse(copy)
            repository.put(connection, run_id, spec, row, usage, nodes)


def large_tree(url: str) -> tuple[str, list[Node]]:
    """A finished beam search of more than `STEPS` steps, and its nodes, each after its parent."""
    run_id = runs.start(RunSpec("", "beam_search", BUDGET, 0, {}, DATASET, "mini-test-0002"), db=url)
    runs.execute([run_id], db=url)
    nodes = runs.nodes(run_id, db=url).nodes
    return run_id, sorted(nodes, key=lambda node: node.id.count("."))


@dataclass
class Growing:
    """A search under way that a thread writes the steps of, as a worker does. Use as a context manager.

    committed  by revision: seconds since the epoch at which its commit had returned
    """

    url: str
    nodes: list[Node]
    committed: dict[int, float] = field(default_factory=dict)
    run_id: str = ""

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._grow, daemon=True)

    def __enter__(self) -> Growing:
        db = database(self.url)
        self.run_id = runs.start(RunSpec("", "beam_search", BUDGET, 1, {}, DATASET, "mini-test-0002"), db=self.url)
        leases.enrol(db, self.run_id, "solve", os.getpid())
        [claim] = leases.claim(db, self.run_id, 1, [self.run_id])
        self._lease = claim.lease
        self._write(db, self.nodes[:STEPS])
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        leases.leave(database(self.url), self.run_id)
        runs.stop(self.run_id, db=self.url)

    def _grow(self) -> None:
        db, written = database(self.url), STEPS
        while not self._ended.wait(PAUSE) and written < len(self.nodes):
            self._write(db, self.nodes[written : written + NODES])
            written += NODES
            leases.beat(db, self.run_id)

    def _write(self, db: Database, nodes: list[Node]) -> None:
        leases.commit(db, [leases.Change(self._lease, nodes)])
        now = time.time()
        self.committed[runs.nodes(self.run_id, since=1 << 60, db=self.url).revision] = now
