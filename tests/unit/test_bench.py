"""The benchmark: every figure in one document, and the loops that are compared grow the same trees."""

from __future__ import annotations

import json

import pytest

from ttc_core import __main__ as command_line
from ttc_core.bench import MEASUREMENTS, judging, makespan, overhead, tokens
from ttc_core.bench.lockstep import LockStep
from ttc_core.bench.searches import ScriptedBackend, scripted_problems, search, spec
from ttc_core.bench.sizes import TINY
from ttc_core.cli.bench import SHOWN
from ttc_core.jobs import Segment

KEYS = {
    *("makespan_ratio", "prompt_token_ratio", "verifier_token_ratio", "wasted_fraction", "scheduler_overhead"),
    *("speedup_vs_lockstep_32", "embedded_vs_matmul", "idle_with_work_fraction", "lockstep_makespan_ratio"),
    *("speedup_vs_naive_64", "overhead_doubling", "nodes_per_second_zero_latency", "two_process_speedup"),
    "prm_step_ms",
    *("resident_mib_scripted", "resident_mib_embedded", "speedup_vs_its_hub_32"),
}


@pytest.mark.slow
def test_one_document_has_every_figure(capsys):
    assert command_line.main(["bench", "--size", "tiny", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.keys() >= KEYS
    assert set(shown["seconds"]) == set(MEASUREMENTS)
    assert shown["equal_answers"] == 1.0 and shown["prompt_token_ratio"] == 1.0


def test_the_table_shows_what_was_measured_and_says_what_was_not(capsys):
    assert command_line.main(["bench", "--size", "tiny", "--only", "makespan", "its_hub"]) == 0
    shown = capsys.readouterr().out
    assert "makespan_ratio" in shown and "wasted_fraction" not in shown
    assert "its_hub" in shown
    assert set(SHOWN) >= KEYS


def test_an_unknown_measurement_is_the_users_mistake(capsys):
    assert command_line.main(["bench", "--only", "luck"]) == 2
    assert "makespan" in capsys.readouterr().err


def test_the_makespan_is_no_less_than_the_least_possible():
    figures = makespan.measure(TINY)
    assert 1 <= figures["makespan_ratio"] <= figures["lockstep_makespan_ratio"]


def test_a_step_of_sixteen_beams_is_scored_soon(monkeypatch):
    """Generously: the benchmark wants 15 ms of a machine that has nothing else to do."""
    counted = []
    original = judging._all
    monkeypatch.setattr(judging, "_all", lambda engine, jobs: counted.append(len(jobs)) or original(engine, jobs))
    assert 0 < judging.measure(TINY)["prm_step_ms"] < 150
    assert set(counted) == {judging.BEAMS} and len(counted) > 4


@pytest.mark.parametrize("batched", [True, False])
def test_the_loop_grows_the_same_trees_as_the_scheduler(batched):
    asked = scripted_problems(4)
    specs = [spec(problem, "beam_search", 8) for problem in asked]
    ours = search(ScriptedBackend(8), specs, asked)
    loop = LockStep(ScriptedBackend(8), specs[0], batched=batched)
    assert [loop.search(problem) for problem in asked] == ours.outcomes


def test_a_replayed_search_is_the_same_and_waits_for_nothing():
    asked = scripted_problems(3)
    specs = [spec(problem, "beam_search", 8) for problem in asked]
    recorded = overhead.Wrapped(ScriptedBackend(4), overhead.Recording)
    real = search(recorded, specs, asked)
    before = recorded.engine(specs[0].model).now()
    replayed = search(overhead.Wrapped(recorded, overhead.Replaying), specs, asked)
    assert replayed.outcomes == real.outcomes
    assert recorded.engine(specs[0].model).now() == before > 0


def test_positions_are_known_by_all_that_comes_before():
    known = tokens.Positions()
    assert known.add([Segment("", (1, 2)), Segment("", (3,))]) == 3
    assert known.add([Segment("", (1, 2, 3))]) == 0, "however it is cut"
    assert known.add([Segment("", (1, 3, 3))]) == 2
    assert known.add([Segment("", (1, 2, 4, 5))], skip_last=True) == 1
