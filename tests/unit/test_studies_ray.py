"""Studies carried out by actors of a Ray cluster: what is asked for, refused, counted, given back, and survives."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tests.unit.test_studies import BEST, COSTS, MAJORITY, add
from ttc_core import runs, studies, studies_ray
from ttc_core.__main__ import main
from ttc_core.bench.searches import POLICY, VERIFIER, ScriptedBackend
from ttc_core.errors import TTCError, UserError
from ttc_core.settings import REPOSITORY
from ttc_core.store import leases, units, upkeep
from ttc_core.store import studies_tables as tables
from ttc_core.store.database import database
from ttc_core.store.process import HOST
from ttc_core.store.studies_made import NewMethod
from ttc_core.studies_crew import Group, Member, group
from ttc_core.studies_views import Tally

TWO_MODELS = [
    NewMethod(POLICY, VERIFIER, "best_of_n", BEST, "best_of_n", [1, 4]),
    NewMethod("another", VERIFIER, "best_of_n", MAJORITY, "best_of_n select=majority", [4]),
]
FILE = """
name = "spread"
datasets = [{ name = "mini-test", problems = 12 }]
models = ["mini-s"]
verifiers = ["mini-implicit"]
seeds = [0]
block = 2
keep_trees = "sample:1"
[[strategies]]
name = "best_of_n"
budgets = [1, 8]
[[strategies]]
name = "beam_search"
budgets = [4, 16]
"""
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4", Group(n=4)),
        ("n=2,gpus=1,cpus=0.5", Group(2, 0.5, 1.0)),
        ("model=a,n=1,model=b", Group(models=("a", "b"))),
    ],
)
def test_groups_of_actors(text, wanted):
    assert group(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "0", "many", "n=1,n=2", "n=-1", "gpus=nan", "gpus=inf", "cpus=-1", "memory=3", "n"]
)
def test_what_describes_no_actors_is_one_sentence(text):
    with pytest.raises(UserError, match="actors"):
        group(text)


def test_an_actor_that_was_started_anew_goes_on_counting():
    member = Member("s-0", Group())
    assert str(member) == "waits for a place"
    member.heard({"pid": 7, "host": "h", "units": 3, "tokens": 900, "seconds": 2.0}, now=102.0)
    assert str(member) == "3 units, 450 tokens/s on h"
    member.heard({"pid": 8, "host": "h", "units": 1, "tokens": 100, "seconds": 1.0}, now=110.0)
    assert (member.units, member.tokens, member.restarts) == (4, 1000, 1)
    assert str(member) == "4 units, 100 tokens/s on h, started anew"


# --- whose units are taken, and what is counted ----------------------------------------------------------------------


def test_a_worker_takes_units_of_its_models_alone(any_url):
    add(any_url, pooled=False, methods=TWO_MODELS)
    db = database(any_url)
    assert tables.models(db, "s") == [POLICY, "another"]
    leases.enrol(db, "w", "study", os.getpid())
    claimed = units.claim(db, "w", 100, "s", models=["another"])
    assert {claim.method.model for claim in claimed} == {"another"} and len(claimed) == 4
    assert units.claim(db, "w", 100, "s", models=["another"]) == []
    assert len(units.claim(db, "w", 100, "s")) == 8


def test_what_a_worker_has_done_is_counted_as_it_goes(any_url):
    add(any_url)
    tally, seen = Tally(), []

    def look():
        seen.append(tally.tokens)
        return False

    studies.work("s", until=look, backend=ScriptedBackend(64), tally=tally, db=any_url)
    view = studies.progress("s", db=any_url)
    assert (tally.units, tally.tokens) == (view.units["done"], view.tokens)
    assert len(set(seen)) > 5 and seen == sorted(seen)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=url)
    add(url, pooled=False, methods=TWO_MODELS)
    yield url
    database(url).close()


@pytest.fixture
def cluster(monkeypatch):
    """A cluster that is looked at only: it has these machines and resources."""
    ended = []
    there = SimpleNamespace(
        init=lambda **_: None,
        shutdown=lambda: ended.append(True),
        nodes=lambda: [{"NodeManagerHostname": host, "Alive": True} for host in there.hosts],
        cluster_resources=lambda: {"CPU": 2.0},
        hosts=[HOST],
        ended=ended,
    )
    monkeypatch.setattr(studies_ray, "imported", lambda: there)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return there


def refused(url, *groups, address=""):
    with pytest.raises(TTCError) as error:
        studies_ray.carry_out("s", groups, address, until=lambda: True, db=url)
    assert isinstance(error.value, UserError) and error.value.hint
    return str(error.value)


def test_several_machines_do_not_share_a_sqlite_file(url, cluster):
    cluster.hosts = [HOST, "elsewhere"]
    assert "several machines cannot share a SQLite file, and there is 'elsewhere'" in refused(url, address="auto")
    assert cluster.ended


def test_actors_that_this_machine_cannot_hold(url, cluster):
    assert "need 1 GPUs, this machine has 0" in refused(url, Group(gpus=1.0))
    assert "need 3 CPUs, this machine has 2" in refused(url, Group(n=3))


def test_units_that_no_actor_would_take(url, cluster):
    assert "no actors take the units of model 'another'" in refused(url, Group(models=(POLICY,)))
    assert "has no model 'x'" in refused(url, Group(models=("x",)), Group())


class Fallible:
    """A cluster whose actors take their turns one after another, in this process; those of one model fail."""

    exceptions = SimpleNamespace(RayError=LookupError)

    def __init__(self, model):
        self.model = model

    def remote(self, _kind):
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self.actor))

    def actor(self, url, study, models, name, host):
        def work():
            said = {"units": 0, "tokens": 0, "pid": 1, "host": host, "seconds": 1.0, "fault": None}
            if models == (self.model,):
                return said | {"fault": ("store", "its disk is full")}
            studies.work(study, models=models, backend=ScriptedBackend(64), db=url)
            return said

        parts = {"work": work, "numbers": None, "stop": None}
        return SimpleNamespace(**{k: SimpleNamespace(remote=lambda what=v: (name, what)) for k, v in parts.items()})

    def wait(self, references, num_returns, timeout):
        return [r for r in references if r[1]][:1], []

    def get(self, reference):
        return reference[1]()

    def kill(self, actor):
        pass


@pytest.mark.parametrize("lost", [1, 2])
def test_a_group_whose_actors_all_fail_ends_the_sweep_with_the_reason_and_others_go_on(url, cluster, lost):
    vars(cluster).update({k: getattr(Fallible("another"), k) for k in ("remote", "wait", "get", "kill", "exceptions")})
    groups = [Group(lost, 0.5, models=("another",)), Group(1, 0.5, models=(POLICY,))]
    with pytest.raises(TTCError, match=r"no actor is left to take units of another: its disk is full") as error:
        studies_ray.carry_out("s", groups, until=lambda: False, db=url)
    assert error.value.hint and cluster.ended
    of = "FROM units u JOIN study_methods m ON m.key = u.method GROUP BY 1, 2 ORDER BY 1"
    assert ask(url, f"SELECT m.model, u.status {of}") == sorted([(POLICY, "done"), ("another", "pending")])


def test_nothing_is_stored_where_ray_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    url = f"sqlite:///{tmp_path / 'x.db'}"
    (tmp_path / "f.toml").write_text(FILE)
    assert main(["sweep", str(tmp_path / "f.toml"), "--ray", "--db", url]) == 2
    assert "requirements-ray.txt" in capsys.readouterr().err
    assert main(["sweep", str(tmp_path / "f.toml"), "--actors", "2", "--db", url]) == 2
    assert "--actors goes with --ray" in capsys.readouterr().err
    assert studies.listing(db=url) == []
    database(url).close()


# --- a cluster -------------------------------------------------------------------------------------------------------


@needs_ray
@pytest.mark.slow
def test_a_sweep_that_is_interrupted_and_loses_an_actor_ends_as_a_calm_one(tmp_path, url, postgres, newest):
    """The calm one on SQLite by this process, the other on PostgreSQL by two actors."""
    (tmp_path / "f.toml").write_text(FILE)
    spread = postgres.url(newest)
    studies.work(studies.start(tmp_path / "f.toml", name="calm", db=url), db=url)

    sweep = begun(spread, str(tmp_path / "f.toml"))
    wait_for(lambda: ask(spread, "SELECT 1 FROM outcomes LIMIT 1"), sweep)
    os.killpg(sweep.pid, signal.SIGINT)  # as a terminal does
    out, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 0 and out.startswith("spread: running") and "Traceback" not in err, (out, err)
    assert ask(spread, "SELECT status, owner FROM units WHERE status = 'running' OR attempts > 0") == []
    assert ask(spread, "SELECT id FROM workers") == []

    sweep = begun(spread, "--resume", "spread")
    mine = "SELECT w.pid FROM workers w JOIN units u ON u.owner = w.id WHERE u.status = 'running'"
    killed = wait_for(lambda: ask(spread, mine), sweep)[0][0]
    os.kill(killed, signal.SIGKILL)
    out, err = sweep.communicate(timeout=120)
    assert sweep.returncode == 0 and out.startswith("spread: done, 18 of 18 units"), (out, err)
    assert "Traceback" not in err and "started anew" in err
    assert results(spread, "spread") == results(url, "calm")
    assert upkeep.check(database(spread))["fine"]
    database(spread).close()


def begun(url, *words):
    command = [sys.executable, "-m", "ttc_core", "sweep", *words, "--ray", "--actors", "2", "--db", url]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=REPOSITORY, text=True, start_new_session=True, **pipes)


def wait_for(what, process, seconds=400.0):
    until = time.monotonic() + seconds
    while not (found := what()):
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.02)
    return found


def ask(url, query):
    with database(url).read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def results(url, study):
    """Outcomes, pools and kept trees, without what depends on time or on what a cache held."""
    outcomes = studies.outcomes(study, db=url).drop(columns=["run", *COSTS])
    texts = ["method", "problem", "budget", "seed"]
    rows = sorted(outcomes.itertuples(index=False), key=lambda row: [str(getattr(row, name)) for name in texts])
    pool = studies.pool(study, db=url)
    asked = "SELECT r.strategy, r.problem_id, r.budget, r.seed, n.id, n.text, n.state, n.scores FROM nodes n"
    trees = ask(url, f"{asked} JOIN runs r ON r.key = n.run JOIN studies s ON s.key = r.study WHERE s.id = '{study}'")
    return [list(map(str, row)) for row in rows], pool.answers.tolist(), pool.scores.tolist(), sorted(trees)
