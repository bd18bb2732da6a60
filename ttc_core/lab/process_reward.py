"""Training of the discriminative process reward model: a language model's trunk and two verdict layers.

The verdict at a token can be read off only where the token and the prediction made one position earlier meet. Two
helpers see to that: the trunk keeps the token just read linearly readable (own-token probe), and the first verdict
layer must tell how surprising the token was. Everything is trained together with the language-model loss on right
prefixes, so that the trunk's predictions stay what they are.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ttc_core.lab.harvest import read_chunk
from ttc_core.lab.model import EPSILON, Llama, Shape
from ttc_core.lab.optimisers import Optimiser, schedule
from ttc_core.lab.outcomes import judged_length
from ttc_core.lab.problems import training_stream
from ttc_core.lab.training import ChunkMaker, Progress, Recipe, batches, collate, load_model, save_model
from ttc_core.lab.verdicts import Judged, judge
from ttc_core.lab.vocabulary import BAD, GOOD, decode, encode, prompt

VERDICT_LAYERS = 2
START_SCALE = 0.1
SURPRISE, OWN_TOKEN = 0.5, 0.3
MOST_SURPRISED = 6.0
RIGHT_SEED, RIGHT_SHARE = 9_000_000, 4  # one right solution to four harvested ones
LONGEST_JUDGED = 150


def with_verdict_layers(trunk: Llama, seed: int) -> Llama:
    """Return the trunk with VERDICT_LAYERS new layers on top that add little at first."""
    old = trunk.shape
    torch.manual_seed(seed)
    model = Llama(Shape(old.width, old.layers + VERDICT_LAYERS, old.heads, old.inner, old.vocabulary))
    model.load_state_dict(trunk.state_dict(), strict=False)
    for block in list(model.blocks)[old.layers :]:
        for name in ("o", "down"):
            nn.init.normal_(block.get_submodule(name).weight, 0, START_SCALE)
    nn.init.ones_(model.norm.weight)
    return model


class Heads(nn.Module):
    """What is read off the layers in training only: the trunk's norm, the probes of token and surprise."""

    def __init__(self, trunk: Llama) -> None:
        super().__init__()
        width, vocabulary = trunk.shape.width, trunk.shape.vocabulary
        self.trunk_layers = trunk.shape.layers
        self.norm = nn.RMSNorm(width, eps=EPSILON)
        self.norm.load_state_dict(trunk.norm.state_dict())
        self.own = nn.Linear(width, vocabulary, bias=False)
        self.surprise = nn.Linear(width, 1)


def process_reward_loss(model: Llama, heads: Heads, batch: list[Judged], device: str) -> tuple[Tensor, Tensor, int]:
    """Return the loss, the verdict part of it, and the number of tokens computed."""
    tokens = collate([[*j.prompt, *j.solution] for j in batch], device)
    mask = torch.zeros(tokens.shape, dtype=torch.bool, device=device)
    right, weight = torch.zeros(tokens.shape, device=device), torch.zeros(tokens.shape, device=device)
    for row, j in enumerate(batch):
        span = slice(len(j.prompt), len(j.prompt) + len(j.solution))
        mask[row, span] = True
        right[row, span] = torch.tensor(j.labels, dtype=torch.float32, device=device)
        weight[row, span] = torch.tensor(j.weights, device=device)
    length = tokens.shape[1]
    trunk = model.residual(tokens, heads.trunk_layers)
    written = mask[:, 1:]
    logits = model.logits(heads.norm(trunk[:, :-1][written]))
    cost = functional.cross_entropy(logits.float(), tokens[:, 1:][written], reduction="none")
    language = (cost * right[:, 1:][written]).sum() / right[:, 1:][written].sum().clamp(min=1)
    plain = functional.rms_norm(trunk, (model.shape.width,))
    own = functional.cross_entropy(heads.own(plain[mask]).float(), tokens[mask])
    x, surprise = trunk, torch.zeros((), device=device)
    for index, block in enumerate(list(model.blocks)[heads.trunk_layers :]):
        x = block(x, model.cosines[:length], model.sines[:length])
        if index == 0:
            read = heads.surprise(functional.rms_norm(x, (model.shape.width,)))[:, 1:][written][:, 0].float()
            surprise = functional.smooth_l1_loss(read, cost.detach().clamp(0, MOST_SURPRISED) / 2)
    verdict = (model.norm(x[mask]) * (model.embedding.weight[GOOD] - model.embedding.weight[BAD])).sum(-1)
    judged = functional.binary_cross_entropy_with_logits(verdict, right[mask], reduction="none")
    judged = (judged * weight[mask]).sum() / weight[mask].sum()
    return judged + language + SURPRISE * surprise + OWN_TOKEN * own, judged, tokens.numel()


def step_chunks(
    folder: Path, chunks: int, banned: Collection[str], attempts: int = 0, seed: int = 0
) -> ChunkMaker[Judged]:
    """Return a function that makes the n-th chunk (from 1) of labelled solutions: the policy's and a fifth right ones.

    Arguments:
        folder: where the harvest lies.
        chunks: so many of its files are gone through again and again, each time with other right ones.
        banned: fingerprints of questions to leave out.
        attempts: up to so many other solutions of the problem stand in the prompt, as before a revision.
        seed: seed of their choice.
    """
    files = sorted(folder.glob("chunk-*.json"))[:chunks]

    def make(index: int) -> list[Judged]:
        rng = random.Random(seed * 1_000_003 + index)
        problems, rollouts = read_chunk(files[(index - 1) % len(files)])
        judged = []
        for problem, row in zip(problems, rollouts, strict=True):
            different = sorted({r.tokens for r in row if len(r.tokens) < LONGEST_JUDGED})
            for number, tokens in enumerate(different):
                others = different[:number] + different[number + 1 :]
                shown = rng.sample(others, rng.randint(0, min(attempts, len(others))))
                before = prompt(problem["question"], [decode(list(other)) for other in shown])
                judged.append(judge(problem, before, tokens))
        fresh = itertools.islice(training_stream(RIGHT_SEED + index - 1, banned), len(judged) // RIGHT_SHARE)
        return judged + [judge(asdict(p), prompt(p.question), encode(p.solution)) for p in fresh]

    return make


def train_process_reward(
    trunk: Llama,
    recipe: Recipe,
    chunk_of: ChunkMaker[Judged],
    folder: Path,
    history: list[dict[str, Any]],
    device: str = "cpu",
) -> Path:
    """Train trunk and verdict layers together and return the file of the finished model.

    Arguments:
        trunk: a trained language model.
        recipe: how to train.
        chunk_of: makes the n-th chunk of judged solutions; a resumed training goes on with the first.
        folder: where checkpoints and the finished model go.
        history: summaries of the trainings the trunk went through.
    """
    finished = folder / f"{recipe.name}.pt"
    if finished.exists():
        return finished
    progress = Progress(folder, recipe)
    model, heads = with_verdict_layers(trunk, recipe.seed), Heads(trunk)
    checkpoint: dict[str, Any] | None = None
    if progress.path.exists():
        model, checkpoint = load_model(progress.path)
        heads.load_state_dict(checkpoint["heads"])
    model, heads = model.to(device), heads.to(device)
    optimiser = Optimiser(model, recipe.lr, [(list(heads.parameters()), 0.005)], recipe.half)
    if checkpoint is not None:
        optimiser.load_state_dict(checkpoint["optimiser"])
        progress.restore(checkpoint["progress"])
    rng = random.Random(recipe.seed + progress.steps)
    for chunk in itertools.count(1):
        for batch in batches(chunk_of(chunk), recipe.batch, rng, judged_length):
            if progress.tokens >= recipe.tokens:
                break
            factor = schedule(progress.tokens / recipe.tokens, progress.steps, decay=recipe.decay)
            with recipe.precision(device):
                loss, judged, tokens = process_reward_loss(model, heads, batch, device)
            optimiser.step(loss, factor)
            progress.count(judged.item(), tokens)
            if progress.due():
                state = {"optimiser": optimiser.state_dict(), "progress": progress.counters()}
                save_model(progress.path, model, heads=heads.state_dict(), **state)
        if progress.tokens >= recipe.tokens:
            break
    save_model(finished, model.to("cpu"), training=[*history, {"stage": recipe.name, **progress.summary()}])
    progress.path.unlink(missing_ok=True)
    return finished
