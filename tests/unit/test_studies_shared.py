"""Searches of a study that share replies: each sample is asked for once, and every outcome is what it is without."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.conformance.harness import ScriptedBackend as Backend
from tests.conformance.harness import run, spec
from tests.unit.test_studies import COSTS, ScriptedBackend, add, carry_out, url  # noqa: F401 (a fixture)
from ttc_core import studies
from ttc_core.analysis.measured import measured
from ttc_core.backend import LocalBackend
from ttc_core.bench.searches import POLICY, VERIFIER
from ttc_core.engines.scripted import Scripted
from ttc_core.errors import BadValue, EngineFault, UserError
from ttc_core.jobs import Generated, GenerateJob
from ttc_core.runs_checks import named
from ttc_core.runs_driver import Driver
from ttc_core.scheduler import Finished, Scheduler
from ttc_core.shared import Shared
from ttc_core.store import units
from ttc_core.store.database import database
from ttc_core.store.studies_made import NewMethod
from ttc_core.store.studies_tables import pace
from ttc_core.studies_file import parse
from ttc_core.studies_plan import laid_out
from ttc_core.types import Problem, RunSpec

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
QUESTION = "Tom has 3 boxes of 4 pens. He gives away 5 pens. How many pens does Tom have?"


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


def test_problems_that_a_worker_has_replies_to_are_its_own_as_long_as_there_are_others(url):  # noqa: F811
    add(url, pooled=False, methods=CHAINS, options={"share": True})  # units of 2 blocks and 2 seeds, 6 of each
    db = database(url)

    def take(worker, near=()):
        return [claim.place[1:] for claim in units.claim(db, worker, 1, near=near)]

    [mine] = units.claim(db, "a", 1)
    assert mine.place[1:] == (0, 0)
    assert take("b") == [(3, 0)] and take("c") == [(0, 1)] and take("d") == [(3, 1)]
    assert take("a", near=[mine.place]) == [(0, 0)]
    assert take("e") == [(3, 0)]  # all are somebody's: better twice than not at all


def test_searches_of_the_same_problems_begin_one_unit_after_another(url):  # noqa: F811
    add(url, pooled=False, methods=CHAINS, options={"kept": [], "share": True})
    backend = Counting()
    with Driver(database(url), role="study", backend=backend, study="s") as driver:
        driver.turn()
        work = driver._units
        places = [unit.place for unit in work._units.values() if unit.begun]
        assert len(work._units) == 24 and len(places) == len(set(places)) == 4
        driver.finish(lambda: not studies.progress("s", db=url).ended, lambda: False)
    assert backend.twice == 0 and studies.progress("s", db=url).units["done"] == 24


def test_a_worker_that_died_is_replaced(url):  # noqa: F811
    add(url, pooled=False, methods=CHAINS[:1], options={"share": True})
    db = database(url)
    while units.claim(db, "dead", 1):
        pass
    with db.write() as connection:
        connection.execute(units.units.update().values(heartbeat=time.time() - 1e6))
    assert carry_out(url).status == "done"


def test_how_fast_it_went_says_nothing_of_studies_that_do_not_share(url):  # noqa: F811
    add(url, "shared", pooled=False, methods=CHAINS, options={"kept": [], "share": True})
    carry_out(url, "shared")
    assert pace(database(url), POLICY, VERIFIER) is None
    add(url, "alone", pooled=False, methods=CHAINS)
    carry_out(url, "alone")
    assert pace(database(url), POLICY, VERIFIER)[0] == "alone"


def test_an_extended_study_shares_as_it_did(url):  # noqa: F811
    for name, before, after in (("s", "share = true", ""), ("t", "", "share = true")):
        first = FILE.replace('name = "s"', f'name = "{name}"')
        studies.start(first.replace("share = true", before), db=url)
        more = first.replace("share = true", after).replace("problems = 4", "problems = 5")
        assert studies.extend(name, more, db=url) > 0
        assert ("share" in studies.describe(name, db=url)["options"]) is (name == "s")


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


def test_what_a_search_asks_twice_it_finds_as_it_does_alone():
    """Equal attempts of a chain are judged once by an engine that remembers, and cost nothing the second time."""
    asked = RunSpec(QUESTION, "revisions", 16, 0, {"chains": 2}, model="mini-reviser", verifier="mini-implicit")
    used = []
    for share in (False, True):
        scheduler = Scheduler(LocalBackend())
        strategy = named("strategy", "revisions", asked.params)
        scheduler.add("s", asked, Problem("p", QUESTION), strategy, share=share)
        while not scheduler.idle:
            used += [event.usage for event in scheduler.step() if isinstance(event, Finished)]
    alone, shared = (replace(usage, seconds=0.0) for usage in used)
    assert alone == shared and alone.verifier_tokens > 0


# --- the scheduler and what it keeps ---------------------------------------------------------------------------------


def job(seed, ticket=0):
    return GenerateJob(ticket, (), seed)


def test_a_reply_is_kept_by_all_of_a_job_but_its_ticket():
    kept, got = Shared(), []
    note = kept.ask("m", job(1), got.append, set())
    note(Generated(0, "one"))
    assert kept.ask("m", job(1, ticket=9), got.append, set()) is None
    assert [reply.text for reply in got] == ["one", "one"]
    assert kept.ask("other", job(1), got.append, set()) and kept.ask("m", job(2), got.append, set()) and len(got) == 2


def test_what_failed_is_asked_again_and_the_oldest_are_forgotten():
    kept, got = Shared(most=1100), []  # two such replies
    kept.ask("m", job(1), got.append, set())(Generated(0, error=EngineFault("broken")))
    assert kept.ask("m", job(1), got.append, set()) is not None
    for seed in (1, 2):
        kept.ask("m", job(seed), got.append, set())(Generated(0, str(seed)))
    assert kept.ask("m", job(1), got.append, set()) is None  # asked for again: 2 is the oldest now
    kept.ask("m", job(3), got.append, set())(Generated(0, "3"))
    assert kept.ask("m", job(2), got.append, set()) is not None
    assert kept.ask("m", job(1), got.append, set()) is None and kept.ask("m", job(3), got.append, set()) is None


def test_what_the_same_search_asks_again_is_asked_again():
    kept, got, mine = Shared(), [], set()
    kept.ask("m", job(1), got.append, mine)(Generated(0, "one"))
    assert kept.ask("m", job(1), got.append, mine) == got.append and len(got) == 1


def test_single_searches_share_nothing(monkeypatch):
    asked = []
    submit = Scripted.submit
    monkeypatch.setattr(Scripted, "submit", lambda self, jobs: (asked.extend(jobs), submit(self, jobs))[1])
    first, second = run([spec("beam_search", 4), spec("beam_search", 4)], Backend(), max_active=1)
    assert first.tree() == second.tree()
    seeds = [one.seed for one in asked if isinstance(one, GenerateJob)]
    assert len(seeds) == 2 * len(set(seeds))
