"""Training, checkpointed and resumable: of the policies on the stream of problems, of others on what they need."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as functional
from torch import Tensor

from ttc_core.lab.model import Llama, Shape, build
from ttc_core.lab.optimisers import Optimiser, schedule
from ttc_core.lab.problems import LENGTHS, SHORT_LENGTHS, training_stream
from ttc_core.lab.vocabulary import EOS, PAD, encode, prompt

CHUNK = 3000
Example = tuple[list[int], list[int]]
T = TypeVar("T")
ChunkMaker = Callable[[int], list[T]]
Loss = Callable[[Llama, list[T], str], tuple[Tensor, int]]


@dataclass(frozen=True)
class Recipe:
    """How to train one member.

    Attributes:
        name: name of the stage; checkpoints carry it.
        tokens: number of tokens to see, padding included.
        lr: peak learning rate.
        seed: seed of the data stream.
        batch: tokens a batch.
        decay: share of the training over which the rate falls.
        short_chunks: so many chunks at the start hold short problems only.
        half: matrix products in bf16 (weights, attention and sums stay in fp32), which pays where has_bf16.
    """

    name: str
    tokens: int
    lr: float
    seed: int
    batch: int = 8192
    decay: float = 0.4
    short_chunks: int = 0
    half: bool = False

    def precision(self, device: str) -> torch.autocast:
        """Return the context in which the loss is computed."""
        return torch.autocast(device, dtype=torch.bfloat16, enabled=self.half)


def has_bf16(device: str) -> bool:
    """Return whether the device multiplies bf16 matrices itself; a processor that does not is 20 times slower in it."""
    capable = torch.cpu.get_capabilities()
    return device != "cpu" or any(capable.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def policy_chunk(seed: int, banned: Collection[str], short_chunks: int = 0) -> ChunkMaker[Example]:
    """Return a function that makes the n-th chunk (from 1) of (prompt, solution) pairs."""

    def make(index: int) -> list[Example]:
        lengths = SHORT_LENGTHS if index <= short_chunks else LENGTHS
        stream = training_stream(seed * 1_000_003 + index, banned, lengths)
        return [(prompt(p.question), [*encode(p.solution), EOS]) for p in islice(stream, CHUNK)]

    return make


def batches(examples: list[T], tokens: int, rng: random.Random, length: Callable[[T], int]) -> list[list[T]]:
    """Group examples of similar length into batches of at most so many tokens, in random order."""
    groups: list[list[T]] = []
    current: list[T] = []
    for example in sorted(examples, key=length):
        if current and (len(current) + 1) * length(example) > tokens:
            groups.append(current)
            current = []
        current.append(example)
    groups.append(current)
    rng.shuffle(groups)
    return groups


def pair_length(example: Example) -> int:
    """Return the number of tokens of a prompt and its solution."""
    return len(example[0]) + len(example[1])


def collate(rows: list[list[int]], device: str = "cpu") -> Tensor:
    """Return rows padded on the right as (rows, longest)."""
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows], device=device)


def solution_loss(model: Llama, batch: list[Example], device: str) -> tuple[Tensor, int]:
    """Return the mean cross-entropy of the solution tokens and the number of tokens computed."""
    tokens = collate([a + b for a, b in batch], device)
    lengths = torch.tensor([[len(a), len(a) + len(b)] for a, b in batch], device=device)
    positions = torch.arange(1, tokens.shape[1], device=device)
    mask = (positions >= lengths[:, :1]) & (positions < lengths[:, 1:])
    logits = model.logits(model.hidden(tokens[:, :-1])[mask])
    return functional.cross_entropy(logits.float(), tokens[:, 1:][mask]), tokens.numel()


@dataclass(frozen=True)
class Lessons(Generic[T]):
    """What a training learns from.

    Attributes:
        chunk_of: makes the n-th chunk (from 1) of examples; must depend on n alone, so that resuming is possible.
        loss_of: from model, batch and device to the loss and the number of tokens computed.
        length: number of tokens of an example.
    """

    chunk_of: ChunkMaker[T]
    loss_of: Loss[T]
    length: Callable[[T], int]


def solutions(chunk_of: ChunkMaker[Example]) -> Lessons[Example]:
    """Return the lessons of a policy: to write the solution behind each prompt."""
    return Lessons(chunk_of, solution_loss, pair_length)


class Progress:
    """Counts, logs and checkpoints one training."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder, self.recipe = folder, recipe
        self.tokens = self.steps = self.chunk = 0
        self.seconds = 0.0
        self.loss = float("nan")
        self._recent: list[float] = []
        self._last, self._saved = time.process_time(), time.monotonic()

    @property
    def path(self) -> Path:
        """Return the checkpoint file."""
        return self.folder / f"{self.recipe.name}.checkpoint.pt"

    def count(self, loss: float, tokens: int) -> None:
        """Note one step and log now and then."""
        now = time.process_time()  # of the processor: other work on the machine does not count
        self.seconds += now - self._last
        self._last = now
        self.tokens += tokens
        self.steps += 1
        self._recent.append(loss)
        if self.steps % 50 == 0:
            self.loss = sum(self._recent) / len(self._recent)
            self._recent = []
            rate = self.tokens / max(self.seconds, 1e-9)
            print(
                f"{self.recipe.name} step {self.steps} {self.seconds:.0f} s {self.tokens / 1e6:.2f} M tokens "
                f"{rate:.0f} tokens/s loss {self.loss:.4f}",
                flush=True,
            )

    def due(self, seconds: float = 90.0) -> bool:
        """Return whether it is time for a checkpoint."""
        if time.monotonic() - self._saved < seconds:
            return False
        self._saved = time.monotonic()
        return True

    def latest(self) -> float | None:
        """Return the mean loss of the latest steps, None where none was taken."""
        loss = sum(self._recent) / len(self._recent) if math.isnan(self.loss) and self._recent else self.loss
        return None if math.isnan(loss) else round(loss, 4)

    def summary(self) -> dict[str, Any]:
        """Return what the card says about this training."""
        return {
            "tokens": self.tokens,
            "steps": self.steps,
            "minutes": round(self.seconds / 60, 1),
            "final_loss": self.latest(),
            "learning_rate": self.recipe.lr,
            "seed": self.recipe.seed,
            "precision": "bf16" if self.recipe.half else "fp32",
        }

    def counters(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {k: getattr(self, k) for k in ("tokens", "steps", "chunk", "seconds", "loss")}

    def restore(self, counters: dict[str, Any]) -> None:
        """Restore a checkpoint's state."""
        for key, value in counters.items():
            setattr(self, key, value)
        self._last = time.process_time()


def save_model(path: Path, model: Llama, **more: Any) -> None:
    """Write a model with its shape, through a temporary file so that a reader never sees half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"shape": model.shape, "state": model.state_dict(), **more}, partial)
    partial.replace(path)


def load_model(path: Path) -> tuple[Llama, dict[str, Any]]:
    """Read a model written by save_model; returns it and everything else in the file."""
    with torch.serialization.safe_globals([Shape]):
        content = torch.load(path, weights_only=True, map_location="cpu")
    return build(content.pop("shape"), content.pop("state")), content


def train(
    model: Llama,
    recipe: Recipe,
    lessons: Lessons[T],
    folder: Path,
    device: str = "cpu",
    history: list[dict[str, Any]] | None = None,
) -> Path:
    """Train a model, or go on where its checkpoint stands, and return the file of the finished model.

    Arguments:
        model: the starting model.
        recipe: how to train.
        lessons: what is learnt.
        folder: where checkpoints and the finished model go.
        device: "cpu" or "cuda".
        history: summaries of the trainings this one builds on.
    """
    finished = folder / f"{recipe.name}.pt"
    if finished.exists():
        return finished
    progress = Progress(folder, recipe)
    checkpoint: dict[str, Any] | None = None
    if progress.path.exists():
        model, checkpoint = load_model(progress.path)
    model = model.to(device)
    optimiser = Optimiser(model, recipe.lr, half=recipe.half)
    if checkpoint is not None:
        optimiser.load_state_dict(checkpoint["optimiser"])
        progress.restore(checkpoint["progress"])
    for batch in _stream(recipe, lessons, progress):
        factor = schedule(progress.tokens / recipe.tokens, progress.steps, decay=recipe.decay)
        with recipe.precision(device):
            loss, tokens = lessons.loss_of(model, batch, device)
        optimiser.step(loss, factor)
        progress.count(loss.item(), tokens)
        if progress.due():
            state = {"optimiser": optimiser.state_dict(), "progress": progress.counters()}
            save_model(progress.path, model, **state)
    summary = {"stage": recipe.name, "parameters": model.shape.parameters(), **progress.summary()}
    save_model(finished, model.to("cpu"), training=[*(history or []), summary])
    progress.path.unlink(missing_ok=True)
    return finished


def _stream(recipe: Recipe, lessons: Lessons[T], progress: Progress) -> Iterator[list[T]]:
    """Yield batches until the tokens are used up; a resumed training starts with a fresh chunk."""
    while True:
        progress.chunk += 1
        rng = random.Random(recipe.seed * 7919 + progress.chunk)
        for batch in batches(lessons.chunk_of(progress.chunk), recipe.batch, rng, lessons.length):
            if progress.tokens >= recipe.tokens:
                return
            yield batch
