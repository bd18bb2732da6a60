"""Work that nobody may lose, do twice or be charged wrongly: keys, refused models, cut replies, busy databases."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.conformance.harness import PROBLEM, ScriptedBackend, run, spec
from tests.unit.http_server import choice, ok, serving
from tests.unit.test_openai_http import CHAT, ask, engine, impatient  # noqa: F401 (a fixture)
from tests.unit.test_studies import add, url  # noqa: F401 (a fixture)
from ttc_core import backend as backends
from ttc_core import registry, runs_driver, studies
from ttc_core.engines.embedded.cache import Trie
from ttc_core.engines.openai_http import hosts, replies
from ttc_core.errors import EngineFault, EngineGone, StoreBusy, StoreFault, UserError
from ttc_core.runs_driver import Driver
from ttc_core.store import database as databases
from ttc_core.store import repository, units
from ttc_core.store.database import database
from ttc_core.studies_pools import Replay
from ttc_core.types import ROOT, Node, Usage, child_id


def test_the_lease_of_a_deleted_studys_unit_fits_no_unit_of_the_next(url):  # noqa: F811
    db = database(url)
    add(url, "a")
    old = units.claim(db, "one", 1)
    studies.delete("a", db=url)
    add(url, "b")
    new = units.claim(db, "two", 1)
    assert [claim.lease for claim in old] != [claim.lease for claim in new], "SQLite gives a key away again"


@pytest.mark.parametrize(
    ("computed", "cached", "charged"),
    [
        (100, 6300, {1: (100, 0), 4: (100, 300), 64: (100, 6300)}),  # found in the cache but for the first
        (6400, 0, {1: (100, 0), 4: (400, 0), 64: (6400, 0)}),  # nobody says what was in the cache
        (352, 6048, {1: (100, 0), 4: (112, 288), 64: (352, 6048)}),  # the last block is computed every time
    ],
)
def test_a_budget_from_a_pool_is_charged_what_it_would_have_cost(computed, cached, charged):
    nodes = {child_id(ROOT, i): Node(child_id(ROOT, i), ROOT, "a", "end", answer="1") for i in range(64)}
    usage = Usage(64, computed, cached, 64 * 300, policy_flops=2.0 * (computed + 64 * 300))
    replay = Replay(nodes, 64, usage, rated=True, known=dict.fromkeys(nodes, 300))
    for budget, (one, other) in charged.items():
        replay.run("best_of_n", {"select": "majority"}, PROBLEM, budget, 0)
        cost = replay.cost()
        assert (cost.prompt_tokens_computed, cost.prompt_tokens_cached) == (one, other)
        assert cost.policy_flops == pytest.approx(2.0 * (one + budget * 300))


def test_samples_that_failed_had_no_prompt_that_is_known():
    """What the pool's prompts cost is that of the samples that came."""
    nodes = {child_id(ROOT, i): Node(child_id(ROOT, i), ROOT, "a", "end", answer="1") for i in (0, 1)}
    usage = Usage(4, 1000, 1000, 20, policy_flops=2.0 * 1020)
    replay = Replay(nodes, 4, usage, rated=True, known=dict.fromkeys(nodes, 10))
    for budget, charged in {1: (1000, 0), 2: (1000, 1000), 4: (1000, 1000)}.items():
        replay.run("best_of_n", {"select": "majority"}, PROBLEM, budget, 0)
        assert (replay.cost().prompt_tokens_computed, replay.cost().prompt_tokens_cached) == charged


def test_what_came_before_a_model_was_gone_is_kept_and_charged():
    """Its replies of the same moment are in the tree, and what is still asked is called back."""
    asked = []
    made = ScriptedBackend(fault=lambda job: asked.append(job) or (EngineGone("no") if len(asked) == 6 else None))
    policy = made.engine(spec("best_of_n", 16).model)
    real, came = policy.poll, []

    def at_once(timeout=0.0):
        while len(came) < 16 and (more := real(timeout)):
            came.extend(more)
        return [came.pop() for _ in range(len(came))]

    policy.poll = at_once
    [result] = run([spec("best_of_n", 16)], backend=made)
    assert isinstance(result.error, EngineGone)
    assert result.usage.generated_tokens > 0 and any(node.finish == "end" for node in result.records)


def test_a_model_that_cannot_be_loaded_is_not_tried_for_every_search(monkeypatch):
    tried = []

    def load(*_, **__):
        tried.append(1)
        raise EngineFault("no memory")

    local = backends.LocalBackend()
    monkeypatch.setattr(registry, "get", lambda *_: load)
    for _ in range(5):
        with pytest.raises(EngineFault, match="no memory"):
            local.engine("mini-s")
    assert len(tried) == 1
    monkeypatch.setattr(backends, "AGAIN_SECONDS", 0.0)
    with contextlib.suppress(EngineFault):
        local.engine("mini-s")
    assert len(tried) == 2
    monkeypatch.setattr(backends, "AGAIN_SECONDS", 60.0)
    raised = []
    for _ in range(2):
        with pytest.raises(EngineFault) as fault:
            local.engine("mini-s")
        raised.append(fault.value)
    assert raised[0] is not raised[1] and raised[0].__cause__ is None


def test_an_address_that_may_not_be_called_ends_searches_to_be_tried_again(monkeypatch):
    monkeypatch.setattr(hosts, "allowed", lambda *_: False)
    reply = ask(engine("http://127.0.0.1:9"))
    assert type(reply.error) is EngineGone and "neither this machine nor a public address" in str(reply.error)


def test_a_reply_cut_off_in_thought_has_no_text_and_is_asked_for_once():
    cut = ok({"choices": [choice(None, True, finish_reason="length")], "usage": {"completion_tokens": 5}})
    with serving(lambda request, number: cut) as server:
        reply = ask(engine(server.url, template="chat"))
        assert (reply.error, reply.finish, reply.text) == (None, "length", "") and len(server.asked) == 1
    with pytest.raises(replies.Broken):  # a judge that was cut off in thought has not judged
        replies.choices({"choices": [choice(None, True, finish_reason="length")]}, 1, True)


def test_a_final_answer_cut_in_the_middle_is_no_answer():
    said = {"choices": [choice("So.\n\nFinal Answer: The final answer is $1", finish_reason="length")]}
    with serving(lambda request, number: ok(said)) as server:
        assert ask(engine(server.url, template="few_shot")).finish == "length"
    said = {"choices": [choice("So.\n\nFinal Answer: The final answer is $12$.\n\nQ", finish_reason="length")]}
    with serving(lambda request, number: ok(said)) as server:
        assert ask(engine(server.url, template="few_shot")).finish == "end"


def test_a_key_may_end_in_a_line_end(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "sk-1\n")
    with serving(lambda request, number: ok(CHAT)) as server:
        assert ask(engine(server.url, key_env="SOME_KEY")).error is None


def test_a_password_in_an_address_that_cannot_be_used_is_not_shown():
    for address in (
        "postgrez://me:55w0rd@host/db",
        "postgrez://me:pa/55w0rd@host/db",
        "postgrez://me:p@55w0rd@host/db",
    ):
        with pytest.raises(UserError) as raised:
            databases._parse(address)
        assert "55w0rd" not in str(raised.value) and "postgrez://***@host/db" in str(raised.value)
    with pytest.raises(UserError, match="no usable database URL"):
        databases._parse("postgresql://me@host:abc/db")


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ('connection failed: FATAL:  password authentication failed for user "me"', "refuses this user"),
        ('connection failed: FATAL:  database "workbench" does not exist', "no such database"),
        ('connection failed: FATAL:  role "me" does not exist', "refuses this user"),
        ('connection failed: FATAL:  too many connections for role "me"', "is busy"),
    ],
)
def test_what_postgresql_says_before_it_lets_anybody_in_is_understood(said, means):
    error = databases._translate(type("OperationalError", (Exception,), {})(said))
    assert isinstance(error, StoreBusy if "busy" in means else StoreFault) and means in str(error)


def test_the_cache_counts_what_has_no_keys_and_values():
    trie = Trie((1, 1, 4), 50_000)
    for i in range(400):
        trie.find([(1, 2, 3), (i, *range(50))])
        trie.trim()
    assert trie.bytes <= 50_000 and trie.evicted > 300 and len(trie._recent) < 100


def test_a_database_that_is_busy_when_it_is_asked_what_is_left_is_asked_again(url, monkeypatch):  # noqa: F811
    repository.add(database(url), "a", spec("best_of_n", 2))
    real, asked = runs_driver.repository.still_open, []

    def busy(*arguments):
        asked.append(time.monotonic())
        if len(asked) == 1:
            raise StoreBusy("the database is busy")
        return real(*arguments)

    monkeypatch.setattr(runs_driver.repository, "still_open", busy)
    with Driver(database(url), role="worker", backend=ScriptedBackend()) as driver:
        driver.complete(["a"], lambda: False)
    assert len(asked) >= 2 and repository.get(database(url), "a").status == "done"


def test_a_busy_look_is_no_reason_to_leave(url, monkeypatch):  # noqa: F811
    repository.add(database(url), "a", spec("best_of_n", 2))
    real, asked = Driver._look, []

    def busy(self, now, only):
        asked.append(now)
        if len(asked) == 1:
            raise StoreBusy("the database is busy")
        real(self, now, only)

    monkeypatch.setattr(Driver, "_look", busy)
    with Driver(database(url), role="worker", backend=ScriptedBackend()) as driver:
        driver.work(lambda: False, forever=False)
    assert repository.get(database(url), "a").status == "done"
