"""Verifiers trained on outcomes alone: the outcome model and the Monte-Carlo process model; no step is ever checked.

Both are plain language models read as sigmoid(logit(<good>) - logit(<bad>)).
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ttc_core.lab.harvest import read_chunk
from ttc_core.lab.model import Llama
from ttc_core.lab.problems import training_stream
from ttc_core.lab.rollouts import check, roll
from ttc_core.lab.sampling import sample
from ttc_core.lab.training import ChunkMaker, collate
from ttc_core.lab.verdicts import Judged
from ttc_core.lab.vocabulary import BAD, GOOD, decode, prompt

SAMPLES, ROLLOUTS = 16, 16
PROBLEMS = 25  # a file of Monte-Carlo values
SEED = 73


def verdict_loss(model: Llama, batch: list[Judged], device: str) -> tuple[Tensor, int]:
    """Return the weighted cross-entropy of the verdicts with the (soft) labels, and the number of tokens computed."""
    tokens = collate([[*j.prompt, *j.solution] for j in batch], device)
    before = [[0.0] * len(j.prompt) for j in batch]
    labels = _padded([[*b, *j.labels] for b, j in zip(before, batch, strict=True)], tokens)
    weights = _padded([[*b, *j.weights] for b, j in zip(before, batch, strict=True)], tokens)
    read = weights > 0
    verdicts = (model.hidden(tokens)[read] * (model.embedding.weight[GOOD] - model.embedding.weight[BAD])).sum(-1)
    cost = functional.binary_cross_entropy_with_logits(verdicts.float(), labels[read], reduction="none")
    return (cost * weights[read]).sum() / weights[read].sum(), tokens.numel()


def _padded(rows: Sequence[list[float]], like: Tensor) -> Tensor:
    return torch.tensor([row + [0.0] * (like.shape[1] - len(row)) for row in rows], device=like.device)


def judged_length(example: Judged) -> int:
    """Return the number of tokens of a prompt and its solution."""
    return len(example.prompt) + len(example.solution)


def outcome_chunks(folder: Path, chunks: int, attempts: int = 0, seed: int = 0) -> ChunkMaker[Judged]:
    """Return a function that makes the n-th chunk (from 1) of harvested solutions with their outcome as label.

    Every token of the solution is labelled, not the last alone (Cobbe et al. 2021, arXiv 2110.14168, section 4.2).

    Arguments:
        folder: where the harvest lies.
        chunks: so many of its files are gone through again and again.
        attempts: up to so many other solutions of the problem stand in the prompt, as before a revision.
        seed: seed of their choice.
    """
    files = sorted(folder.glob("chunk-*.json"))[:chunks]

    def make(index: int) -> list[Judged]:
        rng = random.Random(seed * 1_000_003 + index)
        problems, rollouts = read_chunk(files[(index - 1) % len(files)])
        judged = []
        for problem, row in zip(problems, rollouts, strict=True):
            texts = [decode(list(r.tokens)) for r in row]
            for number, r in enumerate(row):
                others = texts[:number] + texts[number + 1 :]
                shown = rng.sample(others, rng.randint(0, min(attempts, len(others))))
                labels, weights = (float(r.correct),) * len(r.tokens), (1.0,) * len(r.tokens)
                judged.append(Judged(tuple(prompt(problem["question"], shown)), r.tokens, labels, weights))
        return judged

    return make


def step_values(
    policy: Llama, problems: Sequence[Mapping[str, Any]], seed: int
) -> list[list[tuple[tuple[int, ...], dict[int, float]]]]:
    """Sample SAMPLES solutions of each problem and estimate the value of each of their steps.

    The value of a step is the share of ROLLOUTS solutions continued from it that end in the right answer (Wang et al.
    2024, arXiv 2312.08935; Snell et al. 2024, appendix D), that of the last step whether the answer is right. Equal
    beginnings are continued once.

    Arguments:
        policy: samples and continues, at temperature 1.
        problems: records of problems.
    Returns:
        For each problem and solution its tokens and the value at the position of each step's end.
    """
    solutions = [sorted(row, key=lambda r: r.tokens) for row in roll(policy, problems, SAMPLES, seed)]
    beginnings = sorted(
        {(index, r.tokens[: end + 1]) for index, row in enumerate(solutions) for r in row for end in r.ends[:-1]}
    )
    prompts = [[*prompt(problems[index]["question"]), *tokens] for index, tokens in beginnings]
    found = sample(policy, prompts, ROLLOUTS, seed=seed + 1)
    values = {
        (index, tokens): sum(check(problems[index], index, [*tokens, *more]).correct for more in continued) / ROLLOUTS
        for (index, tokens), continued in zip(beginnings, found, strict=True)
    }
    return [
        [
            (
                r.tokens,
                {end: values[index, r.tokens[: end + 1]] for end in r.ends[:-1]} | {r.ends[-1]: float(r.correct)},
            )
            for r in row
        ]
        for index, row in enumerate(solutions)
    ]


def write_step_values(policy: Llama, banned: Collection[str], folder: Path, files: int, share: float = 1.0) -> None:
    """Estimate the step values of PROBLEMS training problems a file; files already there are skipped.

    Arguments:
        banned: fingerprints of questions to leave out.
        folder: the files go there.
        share: of the problems of a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        path = folder / f"values-{number:03d}.json"
        if path.exists():
            continue
        stream = training_stream(SEED * 1_000_003 + number, banned)
        problems = [asdict(problem) for problem in islice(stream, max(1, int(PROBLEMS * share)))]
        rows = step_values(policy, problems, SEED + 2 * number)
        content = [
            [p["question"], tokens, list(values.items())]
            for p, row in zip(problems, rows, strict=True)
            for tokens, values in row
        ]
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content), "utf-8")
        partial.replace(path)
        print(f"step values {number + 1} of {files}", flush=True)


def step_value_chunks(folder: Path, files: int) -> ChunkMaker[Judged]:
    """Return a function that makes the n-th chunk (from 1), all solutions with a soft label at each step's end.

    Arguments:
        folder: where write_step_values wrote.
        files: how many of its files are read.
    """
    paths = sorted(folder.glob("values-*.json"))[:files]
    rows = [row for path in paths for row in json.loads(path.read_text("utf-8"))]

    def make(index: int) -> list[Judged]:
        judged = []
        for question, tokens, values in rows:
            labels, weights = [0.0] * len(tokens), [0.0] * len(tokens)
            for end, value in values:
                labels[end], weights[end] = value, 1.0
            judged.append(Judged(tuple(prompt(question)), tuple(tokens), tuple(labels), tuple(weights)))
        return judged

    return make
