"""Searches of a study that share replies: each sample is asked for once, and every outcome is what it is without."""

from __future__ import annotations

import time

import pytest

from tests.conformance.harness import ScriptedBackend as Backend
from tests.conformance.harness import run, spec
from tests.unit.test_studies import COSTS, ScriptedBackend, add, carry_out, url  # noqa: F401 (a fixture)
from ttc_core import studies
from ttc_core.analysis.measured import measured
from ttc_core.bench.searches import POLICY, VERIFIER
from ttc_core.engines.scripted import Scripted
from ttc_core.errors import BadValue, EngineFault, UserError
from ttc_core.jobs import Generated, GenerateJob
from ttc_core.runs_checks import named
from ttc_core.shared import Shared
from ttc_core.store import units
from ttc_core.store.database import database
from ttc_core.store.studies_made import NewMethod
from ttc_core.studies_file import parse
from ttc_core.studies_plan import laid_out

CHAINS = [
    NewMethod(POLICY, VERIFIER, "revisions", vars(named("strategy", "revisions", {"chains": n})), f"chains={n}", [4, 8])
    for n in (1, 2, 4)
]
FILE = """
name = "s"
datasets = [{ name = "mini-test", problems = 4 }]
models = ["mini-reviser"]
block = 2
share = true
budgets = [2, 8]
strategies = ["best_of_n", { name = "revisions", grid = { chains = [1, 2] } }]
"""


class Counting(ScriptedBackend):
    """Counts what its engines are asked, and how often each was asked before."""

    def __init__(self):
        super().__init__(512)
        self.asked, self.twice = 0, 0
        seen = set()
        for engine in self.engines.values():
            inner = engine.submit

            def submit(jobs, inner=inner, model=engine.name):
                for job in jobs:
                    key = (model, str(job.context), getattr(job, "seed", None), str(getattr(job, "target", "")))
                    self.asked, self.twice = self.asked + 1, self.twice + (key in seen)
                    seen.add(key)
                inner(jobs)

            engine.submit = submit


def shown(url, name):  # noqa: F811
    return studies.outcomes(name, db=url).drop(columns=["run", *COSTS])


def test_every_outcome_is_as_it_is_without_and_nothing_is_asked_twice(url):  # noqa: F811
    asked = {}
    for name, options in (("alone", {"kept": []}), ("shared", {"kept": [], "share": True})):
        add(url, name, pooled=False, methods=CHAINS, options=options)
        backend = Counting()
        assert carry_out(url, name, backend).status == "done"
        asked[name] = backend
    assert shown(url, "shared").equals(shown(url, "alone"))
    assert asked["alone"].twice > 0 and asked["shared"].twice == 0
    assert asked["shared"].asked == asked["alone"].asked - asked["alone"].twice < 0.6 * asked["alone"].asked


def test_it_charges_what_a_search_costs_alone_and_knows_no_seconds(url):  # noqa: F811
    for name, options in (("alone", {"kept": []}), ("shared", {"kept": [1], "share": True})):
        add(url, name, pooled=False, methods=CHAINS, options=options)
        carry_out(url, name)
    shared, alone = (studies.outcomes(name, db=url) for name in ("shared", "alone"))
    for name in ("generations", "policy_tokens", "verifier_tokens"):
        assert list(shared[name]) == list(alone[name]), name
    assert (shared["seconds"] == 0).all() and (alone["seconds"] > 0).any()
    with pytest.raises(UserError, match="does not know what its outcomes cost"):
        measured(shared, "seconds")


def test_problems_under_way_are_left_to_the_worker_that_has_their_replies(url):  # noqa: F811
    add(url, pooled=False, methods=CHAINS, options={"share": True})  # units of 2 blocks and 2 seeds
    db = database(url)

    def take(worker, near=()):
        return [claim.place[1:] for claim in units.claim(db, worker, 1, near=near)]

    assert [take("a") for _ in range(3)] == [[(0, 0)], [(3, 0)], [(0, 1)]]
    [last] = units.claim(db, "b", 1)
    assert last.place[1:] == (3, 1)
    assert take("b") == []  # 20 units wait, all of problems that somebody has
    with db.write() as connection:
        connection.execute(units.units.update().where(units.units.c.owner == "a").values(status="done"))
    assert take("b", near=[(last.place[0], 0, 1)]) == [(0, 1)]  # it has worked on these before
    assert take("c") == [(0, 0)]


def test_a_worker_that_died_is_replaced(url):  # noqa: F811
    add(url, pooled=False, methods=CHAINS[:1], options={"share": True})
    db = database(url)
    while units.claim(db, "dead", 1):
        pass
    with db.write() as connection:
        connection.execute(units.units.update().values(heartbeat=time.time() - 1e6))
    assert carry_out(url).status == "done"


def test_studies_that_do_not_share_wait_for_nobody(url):  # noqa: F811
    add(url, pooled=False, methods=CHAINS)
    db = database(url)
    assert len([1 for _ in range(24) if units.claim(db, "a", 1)]) == 24


def test_a_block_follows_a_block_from_the_largest_budget_down():
    new = laid_out(parse(FILE))
    assert new.options["share"] is True
    order = [(unit.first, unit.budget, new.methods[unit.method].label) for unit in new.units]
    block = [(8, "pool"), (8, "revisions chains=1"), (8, "revisions chains=2"), (2, "revisions chains=1")]
    block.append((2, "revisions chains=2"))
    assert order == [(first, *one) for first in (0, 2) for one in block]
    assert "share" not in laid_out(parse(FILE.replace("share = true", "share = false"))).options


@pytest.mark.parametrize("value", ["1", '"yes"', "[true]"])
def test_share_is_true_or_false(value):
    with pytest.raises(BadValue, match="line 6: share must be true or false"):
        parse(FILE.replace("share = true", f"share = {value}"))
    with pytest.raises(BadValue, match="block must be a whole number, not True"):
        parse(FILE.replace("block = 2", "block = true"))


def test_the_bundled_models_share_too(url):  # noqa: F811
    text = FILE.replace("problems = 4", "problems = 2")
    for name, asked in (("shared", text), ("alone", text.replace("share = true", ""))):
        studies.start(asked.replace('name = "s"\n', ""), name=name, db=url)
        studies.work(name, db=url)
    assert len(shown(url, "shared")) == 2 * 2 * 3
    assert shown(url, "shared").equals(shown(url, "alone"))


# --- the scheduler and what it keeps ---------------------------------------------------------------------------------


def job(seed, ticket=0):
    return GenerateJob(ticket, (), seed)


def test_a_reply_is_kept_by_all_of_a_job_but_its_ticket():
    kept, got = Shared(), []
    note = kept.ask("m", job(1), got.append)
    note(Generated(0, "one"))
    assert kept.ask("m", job(1, ticket=9), got.append) is None
    assert [reply.text for reply in got] == ["one", "one"]
    assert kept.ask("other", job(1), got.append) and kept.ask("m", job(2), got.append) and len(got) == 2


def test_what_failed_is_asked_again_and_the_oldest_are_forgotten():
    kept, got = Shared(most=2), []
    kept.ask("m", job(1), got.append)(Generated(0, error=EngineFault("broken")))
    assert kept.ask("m", job(1), got.append) is not None
    for seed in (1, 2):
        kept.ask("m", job(seed), got.append)(Generated(0, str(seed)))
    assert kept.ask("m", job(1), got.append) is None  # asked for again: 2 is the oldest now
    kept.ask("m", job(3), got.append)(Generated(0, "3"))
    assert kept.ask("m", job(2), got.append) is not None
    assert kept.ask("m", job(1), got.append) is None and kept.ask("m", job(3), got.append) is None


def test_single_searches_share_nothing(monkeypatch):
    asked = []
    submit = Scripted.submit
    monkeypatch.setattr(Scripted, "submit", lambda self, jobs: (asked.extend(jobs), submit(self, jobs))[1])
    first, second = run([spec("beam_search", 4), spec("beam_search", 4)], Backend(), max_active=1)
    assert first.tree() == second.tree()
    seeds = [one.seed for one in asked if isinstance(one, GenerateJob)]
    assert len(seeds) == 2 * len(set(seeds))
