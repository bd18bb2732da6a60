"""The embedded engine beside numpy's own matrix products of the same shapes, in turns.

Each round times the engine (prefill and `decoded` tokens a row, end tokens ignored, nothing shared, an empty cache) and
then one decoding step's products alone, `decoded` times; the ratio is taken within the round. `embedded_vs_matmul`
counts the linear layers' and attention's products over the mean context, `embedded_vs_linear_matmul` the linear layers'
alone. Where transformers is installed and the measurement is a full one, its `generate` takes part.
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from ttc_core import models
from ttc_core.bench.searches import problems, seconds_of
from ttc_core.bench.sizes import Size
from ttc_core.engines.embedded import Embedded
from ttc_core.types import GenerateJob, Problem, RunSpec

Work = Callable[[], None]


def measure(size: Size) -> dict[str, Any]:
    """Achieved / numpy's own floating-point rate, tokens a second; medians over the rounds, the first one left out."""
    name = RunSpec("", "", 1).model
    asked = problems(size.batch)
    engine = Embedded(name, models.find(name).folder)
    length = round(statistics.mean(len(engine.prompt(p).tokens) for p in asked)) + size.decoded // 2
    ours = _decode(name, asked, size.decoded)
    linear, whole = _products(name, len(asked), length)
    theirs, why = _transformers(name, asked, size)
    rounds: list[dict[str, float]] = []
    for _ in range(size.rounds + 1):
        mine = seconds_of(ours)
        layers, products = (seconds_of(lambda w=w: [w() for _ in range(size.decoded)]) for w in (linear, whole))  # type: ignore[misc]
        figures = {
            "embedded_vs_matmul": products / mine,
            "embedded_vs_linear_matmul": layers / mine,
            "decoded_tokens_per_second": len(asked) * size.decoded / mine,
        }
        rounds.append(figures | ({"speedup_vs_transformers": seconds_of(theirs) / mine} if theirs else {}))
    medians = {key: statistics.median(figures[key] for figures in rounds[1:]) for key in rounds[0]}
    return medians | ({} if theirs else {"speedup_vs_transformers": None, "skipped_transformers": why})


def _decode(model: str, asked: list[Problem], tokens: int) -> Work:
    """Prefill and sample `tokens` tokens for each problem."""
    folder, firsts = models.find(model).folder, itertools.count(0, len(asked))
    engine = Embedded(model, folder, batch=len(asked), cache_bytes=0)  # every call computes its prompts anew
    engine.tokenizer.eos = engine.tokenizer.answer = -1  # no token ends a row

    def work() -> None:
        first = next(firsts)
        engine.submit(
            [
                GenerateJob(first + i, (engine.prompt(p),), seed=first + i, until="end", max_tokens=tokens)
                for i, p in enumerate(asked)
            ]
        )
        done = came = 0
        while came < len(asked):
            for reply in engine.poll():
                came += 1
                done += len(getattr(reply, "tokens", ()))
        if done != tokens * len(asked):
            raise RuntimeError(f"{done} tokens were decoded, not {tokens * len(asked)}")

    return work


def _products(model: str, batch: int, length: int) -> tuple[Work, Work]:
    """One decoding step's products: of the linear layers, and these with attention's over `length` keys."""
    config = json.loads((models.find(model).folder / "config.json").read_text("utf-8"))
    width, inner, heads = (config[key] for key in ("hidden_size", "intermediate_size", "num_attention_heads"))
    groups, layers = config.get("num_key_value_heads", heads), config["num_hidden_layers"]
    head = config.get("head_dim") or width // heads
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> Any:
        return rng.standard_normal(shape, dtype=np.float32)

    shapes = [(width, (heads + 2 * groups) * head), (heads * head, width), (width, 2 * inner), (inner, width)]
    weights = [floats(*shape) for shape in shapes * layers + [(width, config["vocab_size"])]]
    linear = [(floats(batch, w.shape[0]), w, np.empty((batch, w.shape[1]), np.float32)) for w in weights]
    keys = floats(batch, groups, head, length)
    values = floats(batch, groups, length, head)
    q, p = floats(batch, groups, heads // groups, head), floats(batch, groups, heads // groups, length)

    def alone() -> None:
        for x, w, out in linear:
            np.matmul(x, w, out=out)

    def everything() -> None:
        alone()
        for _ in range(layers):
            np.matmul(q, keys)
            np.matmul(p, values)

    return alone, everything


def _transformers(model: str, asked: list[Problem], size: Size) -> tuple[Work | None, str]:
    """Transformers' own generate on the same weights, or why it takes no part."""
    if size.name != "full":
        return None, "part of the full measurement only"
    try:
        import torch
        import transformers
    except ImportError as error:
        return None, f"transformers cannot be imported: {error}"
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    folder = models.find(model).folder
    net = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left")
    inputs = tokenizer([problem.question + "\n" for problem in asked], return_tensors="pt", padding=True)
    options = {"do_sample": True, "top_k": 0, "min_new_tokens": size.decoded, "max_new_tokens": size.decoded}

    def work() -> None:
        with torch.inference_mode():
            net.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], **options)

    return work, ""
