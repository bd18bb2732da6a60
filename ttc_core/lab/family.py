"""The members of the embedded family and how each is made: recipes and stages, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ttc_core.lab.growing import grow
from ttc_core.lab.harvest import harvest
from ttc_core.lab.model import Llama, Shape, build
from ttc_core.lab.problems import banned_fingerprints
from ttc_core.lab.process_reward import judged_chunks, train_process_reward
from ttc_core.lab.training import Recipe, load_model, policy_chunk, train
from ttc_core.lab.vocabulary import vocabulary

SMALL = Shape(width=64, layers=4, heads=4, inner=176, vocabulary=len(vocabulary()))
MEDIUM = Shape(width=128, layers=4, heads=8, inner=352, vocabulary=len(vocabulary()))
DEEP = Shape(width=128, layers=7, heads=8, inner=352, vocabulary=len(vocabulary()))
LARGE = Shape(width=192, layers=7, heads=12, inner=480, vocabulary=len(vocabulary()))


@dataclass(frozen=True)
class Stage:
    """One training: the stage it starts from (None: random weights), how it starts and its recipe."""

    recipe: Recipe
    base: str | None
    start: Callable[[Llama], Llama] = lambda model: model


STAGES = {
    stage.recipe.name: stage
    for stage in (
        Stage(Recipe("mini-s-base", tokens=20_000_000, lr=0.02, seed=2, short_chunks=12), None),
        Stage(Recipe("mini-s", tokens=6_000_000, lr=0.01, seed=4, decay=0.8), "mini-s-base"),
        Stage(
            Recipe("mini-m", tokens=12_000_000, lr=0.012, seed=3, decay=0.6),
            "mini-s-base",
            lambda model: grow(model, MEDIUM, seed=3),
        ),
        Stage(
            Recipe("mini-m-long", tokens=18_000_000, lr=0.006, seed=6, batch=4096, decay=0.7, half=True),
            "mini-m",
        ),
        Stage(
            Recipe("mini-l-deep", tokens=6_000_000, lr=0.006, seed=7, batch=4096, decay=0.2, half=True),
            "mini-m",
            lambda model: grow(model, DEEP, after=(1, 2, 3), seed=7),
        ),
        Stage(
            Recipe("mini-l", tokens=10_000_000, lr=0.006, seed=8, batch=4096, decay=0.8, half=True),
            "mini-l-deep",
            lambda model: grow(model, LARGE, seed=8),
        ),
    )
}
FIRST_WEIGHTS = 1  # seed of the weights that a training from scratch starts with
QUICK = 0.3  # share of the tokens that the quick preset sees


def run_stage(name: str, work: Path, problems: Path, preset: str = "full", device: str = "cpu") -> Path:
    """Train one stage (and first those it builds on) and return the file of the finished model.

    Arguments:
        work: folder of checkpoints and finished stages.
        problems: folder of the problem sets, whose questions are kept out of the training stream.
        preset: "full" or "quick".
    Raises:
        KeyError: no such stage.
    """
    stage = STAGES[name]
    finished = work / f"{name}.pt"
    if finished.exists():
        return finished
    recipe = stage.recipe if preset == "full" else replace(stage.recipe, tokens=int(stage.recipe.tokens * QUICK))
    history: list[dict[str, Any]] = []
    if stage.base is None:
        import torch

        torch.manual_seed(FIRST_WEIGHTS)
        model = build(SMALL)
    else:
        base, more = load_model(run_stage(stage.base, work, problems, preset, device))
        model, history = stage.start(base), more["training"]
    chunks = policy_chunk(recipe.seed, banned_fingerprints(problems), recipe.short_chunks)
    return train(model, recipe, chunks, work, device, history)


PROCESS_REWARD = Recipe("mini-prm", tokens=10_000_000, lr=0.006, seed=5, batch=6144, decay=0.6, half=True)
HARVEST_CHUNKS = 16


def run_process_reward(work: Path, problems: Path, preset: str = "full", device: str = "cpu") -> Path:
    """Train the discriminative verifier on the small policy's solutions and return the file of the finished model.

    Arguments:
        work: folder of checkpoints and finished stages.
        problems: folder of the problem sets, whose questions are kept out.
        preset: "full" or "quick".
    """
    share = 1.0 if preset == "full" else QUICK
    recipe = replace(PROCESS_REWARD, tokens=int(PROCESS_REWARD.tokens * share))
    banned = banned_fingerprints(problems)
    policy, _ = load_model(run_stage("mini-s", work, problems, preset, device))
    trunk, more = load_model(run_stage("mini-m-long", work, problems, preset, device))
    harvest(policy, banned, work / "harvest", max(1, round(HARVEST_CHUNKS * share)))
    chunks = judged_chunks(work / "harvest", banned)
    return train_process_reward(trunk, recipe, chunks, work, more["training"], device)
