"""The members of the embedded family and how each is made: recipes and stages, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ttc_core.lab.corrections import MOST_ATTEMPTS, revision_chunks
from ttc_core.lab.growing import grow
from ttc_core.lab.harvest import harvest
from ttc_core.lab.model import Llama, Shape, build
from ttc_core.lab.outcomes import judged_length, outcome_chunks, step_value_chunks, verdict_loss, write_step_values
from ttc_core.lab.problems import banned_fingerprints
from ttc_core.lab.process_reward import step_chunks, train_process_reward
from ttc_core.lab.revising import chain_rolls
from ttc_core.lab.training import (
    ChunkMaker,
    Example,
    Lessons,
    Recipe,
    has_bf16,
    load_model,
    policy_chunk,
    solutions,
    train,
)  # fmt: skip
from ttc_core.lab.verdicts import Judged
from ttc_core.lab.vocabulary import vocabulary

HARVEST_CHUNKS = 16
SMALLEST_FILE = 0.25  # of a file of samples, for a preset that takes less than one
SMALL = Shape(width=64, layers=4, heads=4, inner=176, vocabulary=len(vocabulary()))
MEDIUM = Shape(width=128, layers=4, heads=8, inner=352, vocabulary=len(vocabulary()))
LARGE = Shape(width=192, layers=7, heads=12, inner=480, vocabulary=len(vocabulary()))


@dataclass(frozen=True)
class Preset:
    """How much is done of what made the shipped family.

    Attributes:
        share: of the tokens and the solutions seen.
        small: of the tokens that the small policy sees.
        batch: most tokens a batch; few tokens are worth more in small ones.
        problems: of each problem set, as many are calibrated and fitted on; None: as the shipped family.
        measured: of the test problems, as many are measured on; None: as the shipped family.
    """

    share: float = 1.0
    small: float = 1.0
    batch: int = 1_000_000
    problems: int | None = None
    measured: int | None = None


PRESETS = {
    "quick": Preset(share=0.01, small=0.15, batch=2048, problems=16, measured=8),
    "full": Preset(),
    "large": Preset(share=8.0, small=8.0),
}


@dataclass(frozen=True)
class Place:
    """Where and how the family is made: folders of checkpoints and problem sets, one of PRESETS, cpu or cuda."""

    work: Path
    problems: Path
    preset: str = "full"
    device: str = "cpu"

    def files(self, number: int) -> tuple[int, float]:
        """Return how many files of samples the preset takes of so many, and the share of each: of one, less."""
        share = number * PRESETS[self.preset].share
        return max(1, int(share)), min(1.0, max(SMALLEST_FILE, share))

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return a recipe with the preset's tokens and batches, in bf16 only where the device is made for it.

        The rate follows the square root of the batch.
        """
        preset = PRESETS[self.preset]
        share = preset.small if recipe.name in SMALL_POLICY else preset.share
        batch = min(recipe.batch, preset.batch)
        lr = recipe.lr * (batch / recipe.batch) ** 0.5
        half = recipe.half and has_bf16(self.device)
        return replace(recipe, tokens=max(1, int(recipe.tokens * share)), batch=batch, lr=lr, half=half)

    def finished(self, stage: str) -> tuple[Llama, list[dict[str, Any]]]:
        """Return the model of a stage, trained first where it is not, and the summaries of its trainings."""
        model, more = load_model(run_stage(stage, self.work, self.problems, self.preset, self.device))
        return model, more["training"]

    def harvest(self, number: int) -> tuple[Path, int]:
        """Return the folder of the small policy's solutions of training problems, sampled first where need be.

        And how many of its files are for who would have so many for the shipped family.
        """
        folder = self.work / "harvest"
        chunks, share = self.files(number)
        policy, _ = self.finished("mini-s")
        harvest(policy, banned_fingerprints(self.problems), folder, chunks, share)
        return folder, chunks


def _problems(recipe: Recipe, place: Place) -> Lessons[Example]:
    banned = banned_fingerprints(place.problems)
    return solutions(policy_chunk(recipe.seed, banned, recipe.short_chunks))


def _revisions(recipe: Recipe, place: Place, chunks: int = 10, **how: Any) -> Lessons[Example]:
    return solutions(revision_chunks(*place.harvest(chunks), recipe.seed, **how))


def _own_revisions(recipe: Recipe, place: Place) -> Lessons[Example]:
    """As _revisions, every second chunk with chains of the reviser that the stage starts from instead."""
    others = _revisions(recipe, place, HARVEST_CHUNKS)
    own, (chunks, share) = place.work / "harvest-chains", place.files(OWN_CHUNKS)
    reviser, _ = place.finished("mini-reviser-second")
    banned = banned_fingerprints(place.problems)
    harvest(reviser, banned, own, chunks, share, solve=chain_rolls, first_seed=OWN_SEED)
    chains = revision_chunks(own, chunks, recipe.seed, in_order=True)
    return solutions(lambda n: chains((n + 1) // 2) if n % 2 else others.chunk_of(n // 2))


def _outcomes(recipe: Recipe, place: Place) -> Lessons[Judged]:
    return Lessons(outcome_chunks(*place.harvest(HARVEST_CHUNKS)), verdict_loss, judged_length)


def _judged(place: Place, attempts: int = 0, seed: int = 0) -> ChunkMaker[Judged]:
    return step_chunks(*place.harvest(HARVEST_CHUNKS), banned_fingerprints(place.problems), attempts, seed)


def _steps(recipe: Recipe, place: Place, attempts: int = 0) -> Lessons[Judged]:
    return Lessons(_judged(place, attempts, recipe.seed), verdict_loss, judged_length)


def _step_values(recipe: Recipe, place: Place) -> Lessons[Judged]:
    folder = place.work / "step-values"
    files, share = place.files(STEP_VALUE_FILES)
    policy, _ = place.finished("mini-s")
    write_step_values(policy, banned_fingerprints(place.problems), folder, files, share)
    return Lessons(step_value_chunks(folder, files), verdict_loss, judged_length)


@dataclass(frozen=True)
class Stage:
    """One training: the stage it starts from (None: random weights), how it starts, its recipe and its lessons."""

    recipe: Recipe
    base: str | None
    start: Callable[[Llama], Llama] = lambda model: model
    lessons: Callable[[Recipe, Place], Lessons[Any]] = _problems


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
            Recipe("mini-l-grown", tokens=6_000_000, lr=0.004, seed=8, batch=4096, decay=1.0, half=True),
            "mini-m-long",
            lambda model: grow(model, LARGE, after=(1, 2, 3), seed=8),
        ),
        Stage(Recipe("mini-l", tokens=6_000_000, lr=0.005, seed=9, batch=4096, decay=1.0, half=True), "mini-l-grown"),
        Stage(
            Recipe("mini-reviser-first", tokens=6_000_000, lr=0.01, seed=11, decay=0.7, half=True),
            "mini-s",
            lessons=_revisions,
        ),
        Stage(
            Recipe("mini-reviser-second", tokens=12_000_000, lr=0.006, seed=15, decay=0.8, half=True),
            "mini-reviser-first",
            lessons=partial(_revisions, chunks=HARVEST_CHUNKS),
        ),
        Stage(
            Recipe("mini-reviser", tokens=6_000_000, lr=0.003, seed=14, decay=0.9, half=True),
            "mini-reviser-second",
            lessons=_own_revisions,
        ),
        Stage(
            Recipe("mini-prm", tokens=12_000_000, lr=0.004, seed=17, batch=6144, decay=0.9, half=True),
            "mini-prm-first",
            lessons=_steps,
        ),
        Stage(
            Recipe("mini-reviser-prm", tokens=4_000_000, lr=0.004, seed=18, batch=6144, decay=0.9, half=True),
            "mini-prm",
            lessons=partial(_steps, attempts=MOST_ATTEMPTS),
        ),
        Stage(Recipe("mini-mc", tokens=2_000_000, lr=0.005, seed=12, decay=0.7), "mini-s", lessons=_step_values),
        Stage(
            Recipe("mini-orm", tokens=4_000_000, lr=0.005, seed=13, batch=4096, decay=0.7, half=True),
            "mini-m-long",
            lessons=_outcomes,
        ),
    )
}
FIRST_WEIGHTS = 1  # seed of the weights that a training from scratch starts with
SMALL_POLICY = ("mini-s-base", "mini-s")  # what all others start from or judge
STEP_VALUE_FILES = 6
OWN_CHUNKS, OWN_SEED = 4, 79


def base_of(name: str) -> str | None:
    """Return the stage that a stage starts from; None: from random weights."""
    return PROCESS_REWARD_BASE if name == PROCESS_REWARD.name else STAGES[name].base


def run_family(work: Path, problems: Path, preset: str, device: str, pool: Executor) -> None:
    """Train all stages: the small policy and its solutions, then the others side by side, each behind its base.

    Arguments:
        work, problems, preset, device: as for run_stage.
        pool: of processes; the models are the same however many there are.
    """
    place = Place(work, problems, preset, device)
    place.harvest(HARVEST_CHUNKS)  # here, lest two processes write it
    built, running = {*SMALL_POLICY}, dict[Future[Path], str]()
    while True:
        for name in (*STAGES, PROCESS_REWARD.name):
            if name not in built and name not in running.values() and base_of(name) in built:
                running[pool.submit(run_stage, name, work, problems, preset, device)] = name
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            future.result()
            built.add(running.pop(future))


def run_stage(name: str, work: Path, problems: Path, preset: str = "full", device: str = "cpu") -> Path:
    """Train one stage (and first those it builds on) and return the file of the finished model.

    The process reward model's first stage has a training of its own, run_process_reward.

    Arguments:
        work: folder of checkpoints and finished stages.
        problems: folder of the problem sets, whose questions are kept out of the training stream.
        preset: one of PRESETS.
    Raises:
        KeyError: no such stage.
    """
    if name == PROCESS_REWARD.name:
        return run_process_reward(work, problems, preset, device)
    stage = STAGES[name]
    finished = work / f"{name}.pt"
    if finished.exists():
        return finished
    place = Place(work, problems, preset, device)
    recipe = place.recipe(stage.recipe)
    history: list[dict[str, Any]] = []
    if stage.base is None:
        import torch

        torch.manual_seed(FIRST_WEIGHTS)
        model = build(SMALL)
    else:
        base, history = place.finished(stage.base)
        model = stage.start(base)
    return train(model, recipe, stage.lessons(recipe, place), work, device, history)


PROCESS_REWARD_BASE = "mini-m-long"
PROCESS_REWARD = Recipe("mini-prm-first", tokens=10_000_000, lr=0.006, seed=5, batch=6144, decay=0.6, half=True)


def run_process_reward(work: Path, problems: Path, preset: str = "full", device: str = "cpu") -> Path:
    """Train the discriminative verifier on the small policy's solutions and return the file of the finished model.

    Arguments:
        work: folder of checkpoints and finished stages.
        problems: folder of the problem sets, whose questions are kept out.
        preset: one of PRESETS.
    """
    place = Place(work, problems, preset, device)
    recipe = place.recipe(PROCESS_REWARD)
    trunk, history = place.finished(PROCESS_REWARD_BASE)
    return train_process_reward(trunk, recipe, _judged(place), work, history, device)
