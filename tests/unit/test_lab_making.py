"""The whole making of a family, a thousand times shorter: data, training, export, calibration, evaluation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ttc_core.lab import problems as lab
from ttc_core.settings import DATA, REPOSITORY, settings

torch = pytest.importorskip("torch")

from ttc_core.lab import __main__ as command_line  # noqa: E402
from ttc_core.lab import evaluating, family, harvest, outcomes, process_reward, training  # noqa: E402

pytestmark = pytest.mark.lab


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few problems, few tokens, few samples, one search."""
    torch.set_num_threads(1)
    monkeypatch.setattr(training, "CHUNK", 50)
    monkeypatch.setattr(harvest, "CHUNK", 8)
    stages = {n: replace(s, recipe=replace(s.recipe, tokens=12_000, batch=2048)) for n, s in family.STAGES.items()}
    monkeypatch.setattr(family, "STAGES", stages)
    monkeypatch.setattr(family, "PROCESS_REWARD", replace(family.PROCESS_REWARD, tokens=6_000, batch=2048))
    monkeypatch.setattr(family, "HARVEST_CHUNKS", 1)
    monkeypatch.setattr(family, "STEP_VALUE_FILES", 1)
    for name in ("SAMPLES", "ROLLOUTS", "PROBLEMS"):
        monkeypatch.setattr(outcomes, name, 2)
    made = lab.problem_set
    monkeypatch.setattr(lab, "problem_set", lambda name: made(name, 6))
    monkeypatch.setattr(evaluating, "SAMPLES", {"mini-s": 4, "mini-m": 2})
    monkeypatch.setattr(evaluating, "SIZES", (1, 4))
    monkeypatch.setattr(evaluating, "BIN_SAMPLES", 2)
    monkeypatch.setattr(evaluating, "WIDE_SAMPLES", 4)
    monkeypatch.setattr(evaluating, "BEAMS", ((4, 4),))
    monkeypatch.setattr(evaluating, "WIDE_BEAMS", ())
    monkeypatch.setattr(evaluating, "REVISION_VERIFIERS", ("mini-reviser-prm",))
    monkeypatch.setattr(evaluating, "FEW_BEAMS", ())
    monkeypatch.setenv("TTC_DATA_DIR", str(DATA))  # put back afterwards: the lab sets it
    yield
    settings.cache_clear()


def test_all_stages_make_a_family_whose_cards_are_full(short: None, tmp_path: Path) -> None:
    places = ["--processes", "1", "--work", str(tmp_path / "work"), "--data", str(tmp_path)]
    for verb in ("data", "train", "export", "calibrate", "evaluate"):  # all but the policy, fitted by four processes
        command_line.main([verb, *places])
    for name in ("mini-s", "mini-m", "mini-implicit"):
        card = json.loads((tmp_path / "models" / name / "card.json").read_text())
        assert card["name"] == name
        assert card["parameters"] > 0
        assert card["evaluation"]
        assert card["flops_per_token"] == 2 * card["parameters"]
        assert name in (tmp_path / "models" / "REPORT.md").read_text()
    verifier = json.loads((tmp_path / "models" / "mini-implicit" / "verifier.json").read_text())
    assert len(verifier["coefficients"]) == len(verifier["features"]) == 4
    trained = (tmp_path / "work" / "full" / "mini-m.pt").stat().st_mtime_ns
    command_line.main(["train", *places])
    assert (tmp_path / "work" / "full" / "mini-m.pt").stat().st_mtime_ns == trained


@pytest.mark.parametrize("latest_first", [False, True])
def test_stages_train_side_by_side_each_behind_its_base(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, latest_first: bool
) -> None:
    """Whichever of those that are under way ends first."""
    monkeypatch.setattr(family.Place, "harvest", lambda *_: None)
    begun, ended = [], [*family.SMALL_POLICY]
    under_way: list[Future[Path]] = []

    class Pool(Executor):
        def submit(self, run: object, name: str, *_: object) -> Future[Path]:
            assert run is family.run_stage and family.base_of(name) in ended
            begun.append(name)
            under_way.append(Future())
            return under_way[-1]

    def one_ends(running: dict[Future[Path], str], return_when: str) -> SimpleNamespace:
        future = under_way.pop(-1 if latest_first else 0)
        future.set_result(tmp_path)
        ended.append(running[future])
        return SimpleNamespace(done={future})

    monkeypatch.setattr(family, "wait", one_ends)
    family.run_family(tmp_path, tmp_path, "full", "cpu", Pool())
    assert sorted(ended) == sorted([*family.STAGES, family.PROCESS_REWARD.name]) and not under_way
    assert len(begun) == len({*begun}) and begun[:3] == ["mini-m", "mini-reviser-first", "mini-mc"]


def test_a_preset_takes_less_than_a_file_of_samples(tmp_path: Path) -> None:
    sizes = {preset: family.Place(tmp_path, tmp_path, preset).files(6) for preset in family.PRESETS}
    assert sizes == {"quick": (1, 0.25), "full": (6, 1.0), "large": (48, 1.0)}


@pytest.mark.parametrize(
    ("capable", "half"), [({}, False), ({"avx512_bf16": False}, False), ({"amx_bf16": True}, True)]
)
def test_halves_are_multiplied_only_by_processors_made_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capable: dict[str, bool], half: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable)
    [one, other] = [family.STAGES[name].recipe for name in ("mini-l", "mini-s")]
    assert one.half and not other.half
    assert family.Place(tmp_path, tmp_path).recipe(one).half is half
    assert family.Place(tmp_path, tmp_path, device="cuda").recipe(one).half
    assert not family.Place(tmp_path, tmp_path, device="cuda").recipe(other).half


STARTS = """
import functools, os, time
from ttc_core.lab import processes
if __name__ == "__main__":
    pool = processes.pool(2, functools.partial(os.getpid))
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def test_what_works_beside_a_process_ends_with_it(tmp_path: Path) -> None:
    script = tmp_path / "starts.py"
    script.write_text(STARTS)
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout
        beside = int(process.stdout.readline())
        process.kill()
    until = time.monotonic() + 60
    while _runs(beside):
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_the_process_reward_model_trains_on_harvested_solutions(short: None, tmp_path: Path) -> None:
    lab.write_problem_sets(tmp_path / "problems")
    made = family.run_process_reward(tmp_path / "work", tmp_path / "problems")
    model, more = training.load_model(made)
    assert model.shape.layers == family.MEDIUM.layers + process_reward.VERDICT_LAYERS
    assert model.shape.parameters() <= 6 * family.SMALL.parameters()
    assert [stage["stage"] for stage in more["training"]] == ["mini-s-base", "mini-m", "mini-m-long", "mini-prm-first"]
