"""The embedded engine: its rate beside numpy's own products (`decoding.py`), and transformers where it is installed."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from typing import Any

from ttc_core import models
from ttc_core.bench.decoding import rates
from ttc_core.bench.searches import problems, seconds_of
from ttc_core.bench.sizes import Size
from ttc_core.engines.embedded import Embedded
from ttc_core.jobs import GenerateJob
from ttc_core.types import Problem, RunSpec

MODEL = RunSpec("", "", 1).model


def measure(size: Size) -> dict[str, Any]:
    """Achieved / numpy's floating-point rate at `batch` rows; transformers' `generate` takes part in a full run."""
    asked = problems(size.batch)
    engine = Embedded(MODEL, models.find(MODEL).folder, batch=len(asked))
    return rates(engine, asked, size.decoded, size.rounds) | _against_transformers(asked, size)


def _against_transformers(asked: list[Problem], size: Size) -> dict[str, Any]:
    """CPU seconds for reading all prompts and decoding `decoded` tokens of each: transformers' / ours."""
    if size.name != "full":
        return _skipped("part of the full measurement only")
    try:
        theirs = _transformers(asked, size.decoded)
    except ImportError as error:
        return _skipped(f"transformers cannot be imported: {error}")
    ours = _embedded(asked, size.decoded)
    ratios = [seconds_of(theirs) / seconds_of(ours) for _ in range(size.rounds + 1)]
    return {"speedup_vs_transformers": statistics.median(ratios[1:])}  # the first round warms up


def _skipped(why: str) -> dict[str, Any]:
    return {"speedup_vs_transformers": None, "skipped_transformers": why}


def _embedded(asked: list[Problem], tokens: int) -> Callable[[], None]:
    """Read every prompt anew and sample `tokens` tokens behind it."""
    firsts = itertools.count(0, len(asked))
    engine = Embedded(MODEL, models.find(MODEL).folder, batch=len(asked), cache_bytes=0)
    engine.tokenizer.eos = engine.tokenizer.answer = -1  # no token ends a row

    def work() -> None:
        first = next(firsts)
        jobs = [
            GenerateJob(first + i, (engine.prompt(problem),), seed=first + i, until="end", max_tokens=tokens)
            for i, problem in enumerate(asked)
        ]
        engine.submit(list(jobs))
        came = 0
        while came < len(jobs):
            came += len(engine.poll())

    return work


def _transformers(asked: list[Problem], tokens: int) -> Callable[[], None]:
    """The same by transformers on one thread, prompts padded on the left."""
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    folder = models.find(MODEL).folder
    net = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left")
    inputs = tokenizer([problem.question + "\n" for problem in asked], return_tensors="pt", padding=True)
    options = {"do_sample": True, "top_k": 0, "min_new_tokens": tokens, "max_new_tokens": tokens}

    def work() -> None:
        with torch.inference_mode():
            net.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], **options)

    return work
