"""The embedded engine beside transformers on torch CPU and beside numpy's own matrix products, in one run.

    python -m benchmarks.embedded [--model mini-s] [--batch 256] [--tokens 64] [--rounds 5] [--invariance 0]

All use one thread and the same weights, and take turns: round by round each is timed once and the ratio is taken
within the round, so that a busy machine slows all of them. Reported are the medians of the ratios. Every prompt is
another problem, so nothing is shared; every row decodes exactly `tokens` tokens (end tokens are ignored).
`--invariance N` samples N tokens in batches of 1, 7 and 256 (a third each) and compares all bits.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ttc_core import registry
from ttc_core.engines.embedded import Embedded
from ttc_core.engines.embedded.attention import BLOCK
from ttc_core.engines.embedded.llama import TILE, Llama
from ttc_core.settings import DATA
from ttc_core.types import EvaluateJob, GenerateJob, Problem, Segment


def drain(engine: Embedded, jobs: list[Any]) -> dict[int, Any]:
    """All replies, by ticket."""
    engine.submit(jobs)
    replies: dict[int, Any] = {}
    while len(replies) < len(jobs):
        replies |= {reply.ticket: reply for reply in engine.poll()}
    return replies


def fixed_length(engine: Embedded) -> None:
    """Let no token end a row, so that both sides decode the same number."""
    engine.tokenizer.eos = engine.tokenizer.answer = -1


def decode(model: str, problems: list[Problem], tokens: int) -> Callable[[], None]:
    """Prefill and sample `tokens` tokens for each problem, everything from an empty cache."""
    engine = Embedded(model, DATA / "models" / model, batch=len(problems))
    fixed_length(engine)
    calls = iter(range(10**9))

    def work() -> None:
        engine.trie = type(engine.trie)(engine.model.shape, engine.trie.cap)
        first = next(calls) * len(problems)
        jobs = [
            GenerateJob(first + i, (engine.prompt(p),), seed=first + i, until="end", max_tokens=tokens)
            for i, p in enumerate(problems)
        ]
        done = sum(len(reply.tokens) for reply in drain(engine, list(jobs)).values())
        if done != tokens * len(problems):
            raise RuntimeError(f"{done} tokens were decoded, not {tokens * len(problems)}")

    return work


def decode_transformers(model: str, problems: list[Problem], tokens: int) -> Callable[[], None]:
    """The same by transformers' own generate, prompts padded on the left."""
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    folder = DATA / "models" / model
    net = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left")
    texts = [p.question + "\n" for p in problems]
    options = {"do_sample": True, "top_k": 0, "min_new_tokens": tokens, "max_new_tokens": tokens}

    def work() -> None:
        with torch.inference_mode():
            inputs = tokenizer(texts, return_tensors="pt", padding=True)
            out = net.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], **options)
        if out.shape[1] - inputs["input_ids"].shape[1] != tokens:
            raise RuntimeError("transformers decoded another number of tokens")

    return work


def products(model: Llama, batch: int, length: int) -> tuple[Callable[[], None], Callable[[], None], float]:
    """One decoding step's matrix products alone: the linear layers as whole-batch products, and with attention's.

    Returns the two and the floating-point operations of the linear layers. length: mean number of keys.
    """
    rng = np.random.default_rng(0)

    def floats(*shape: int) -> np.ndarray[Any, Any]:
        return rng.standard_normal(shape, dtype=np.float32)

    layer = model._layers[0]
    weights = [layer.qkv, layer.out, layer.gate, layer.up, layer.down] * model.layers + [model._unembedding]
    linear = [(floats(batch, w.shape[0]), w, np.empty((batch, w.shape[1]), np.float32)) for w in weights]
    blocks = -(-length // BLOCK)
    keys = floats(batch, model.heads, blocks * BLOCK, model.head)
    q, p = floats(batch, model.heads, 1, model.head), floats(batch, model.heads, 1, blocks * BLOCK)

    def layers() -> None:
        for x, w, out in linear:
            np.matmul(x, w, out=out)

    def everything() -> None:
        layers()
        for _ in range(model.layers):
            np.matmul(q, keys.swapaxes(-1, -2))
            np.matmul(p, keys)

    return layers, everything, 2.0 * batch * sum(w.size for w in weights)


def seconds(work: Callable[[], None], times: int = 1) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def scoring(model: str, problems: list[Problem], beams: int = 16) -> Callable[[], float]:
    """Seconds for scoring one step of `beams` beams behind contexts already computed; another step at each call."""
    engine = Embedded(model, DATA / "models" / model)
    numbers = iter(range(10, 10**9))
    contexts = [(engine.prompt(p),) for p in problems[:1]] * beams
    drain(engine, [EvaluateJob(-1, contexts[0], Segment("1 + 1 = 2\n"))])

    def work() -> float:
        n = next(numbers)
        jobs = [
            EvaluateJob(n * 1000 + i, c, Segment(f"{n % 90 + 10} + {i + 10} = {n + i}\n"), read=(4, 5))
            for i, c in enumerate(contexts)
        ]
        return seconds(lambda: drain(engine, list(jobs)) and None)

    return work


def invariance(model: str, problems: list[Problem], total: int) -> dict[str, int]:
    """Sample at least `total` tokens over batches of 1, 7 and 256 in shuffled orders; count rows that differ."""
    folder = DATA / "models" / model
    engines = {batch: Embedded(model, folder, batch=batch) for batch in (256, 7, 1)}
    tokens = rows = different = 0
    while tokens < total:
        seeds = [rows + i for i in range(512)]
        replies = {}
        for batch, engine in engines.items():
            jobs = [
                GenerateJob(s, (engine.prompt(problems[s % len(problems)]),), seed=s * 2654435761, until="end")
                for s in (seeds if batch != 1 else seeds[::16])
            ]
            random.Random(rows + batch).shuffle(jobs)
            replies[batch] = drain(engine, list(jobs))
            tokens += sum(len(r.tokens) for r in replies[batch].values())
        for batch in (7, 1):
            different += sum(
                (r.tokens, r.logprob, r.finish) != (o.tokens, o.logprob, o.finish)
                for t, r in replies[batch].items()
                for o in (replies[256][t],)
            )
        rows += len(seeds)
    return {"tokens": tokens, "rows": rows, "rows_that_differ": different}


class Positions:
    """Counts distinct token positions by all tokens up to them, knowing nothing of the engine's cache."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def new(self, segments: Iterable[Segment], skip_last: bool = False) -> int:
        """How many positions of this text were never met before; the last one may be left out."""
        tokens = [t for segment in segments for t in segment.tokens]
        before, prefix = len(self._known), 0
        for token in tokens[: len(tokens) - skip_last]:
            prefix = hash((prefix, token))
            self._known.add(prefix)
        return len(self._known) - before


def shared(model: str, problems: list[Problem]) -> dict[str, float]:
    """Tokens forwarded / least possible, for four steps of 16 beams on each of 16 problems.

    The first two ratios count each distinct segment (prompt, step) behind a distinct path once, as the engine's cache
    does. `_by_position` is stricter and counted here from the jobs alone, by distinct token positions: different
    questions that begin with the same words, or steps that do, would share those words too. Positions that decoding
    has forwarded, all but the last token of a step, need no computing in either.
    """
    policy, judge = (Embedded(model, DATA / "models" / model) for _ in range(2))
    read, scored = Positions(), Positions()
    frontier = [(p, (policy.prompt(p),)) for p in problems[:16] for _ in range(16)]
    ticket = iter(range(10**9))
    prompts = computed = steps_once = evaluated = 0
    for _ in range(4):
        jobs = {t: (p, c) for (p, c), t in zip(frontier, ticket, strict=False)}
        for _, context in jobs.values():
            prompts += read.new(context)
            scored.new(context)
        replies = drain(policy, [GenerateJob(t, c, seed=t) for t, (_, c) in jobs.items()])
        computed += sum(r.computed for r in replies.values())
        steps = {t: Segment(r.text, r.tokens, r.tokenizer) for t, r in replies.items() if r.tokens}
        for t, step in steps.items():
            read.new((*jobs[t][1], step), skip_last=True)
            steps_once += scored.new((*jobs[t][1], step))
        before = judge.counters.evaluate
        drain(judge, [EvaluateJob(t, jobs[t][1], steps[t], read=(4,)) for t in steps])
        evaluated += judge.counters.evaluate - before
        frontier = [(jobs[t][0], (*jobs[t][1], steps[t])) for t, r in replies.items() if r.finish == "step"]
    return {
        "prompt_token_ratio": policy.counters.context / policy.counters.context_minimum,
        "verifier_token_ratio": judge.counters.evaluate / judge.counters.evaluate_minimum,
        "prompt_token_ratio_by_position": computed / prompts,
        "verifier_token_ratio_by_position": evaluated / steps_once,
    }


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="mini-s")
    for name, default in (("batch", 256), ("tokens", 64), ("rounds", 5), ("invariance", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    problems = list(registry.get("dataset", "mini-validation")())[: args.batch]
    engine = Embedded(args.model, DATA / "models" / args.model)
    length = round(statistics.mean(len(engine.prompt(p).tokens) for p in problems)) + args.tokens // 2
    ours = decode(args.model, problems, args.tokens)
    layers, everything, operations = products(engine.model, args.batch, length)
    try:
        theirs: Callable[[], None] | None = decode_transformers(args.model, problems, args.tokens)
    except ImportError:
        theirs = None
    score = scoring(args.model, problems)
    rates: list[dict[str, float]] = []
    for _ in range(args.rounds + 1):
        mine, other = seconds(ours), seconds(theirs) if theirs else float("nan")
        linear, whole = seconds(layers, args.tokens), seconds(everything, args.tokens)
        rates.append(
            {
                "tokens_per_second": args.batch * args.tokens / mine,
                "transformers_tokens_per_second": args.batch * args.tokens / other,
                "speedup_vs_transformers": other / mine,
                "embedded_vs_matmul": whole * args.tokens / mine,
                "embedded_vs_linear_matmul": linear * args.tokens / mine,
                "matmul_gflops": operations / linear / 1e9,
                "score_16_beams_ms": 1000 * statistics.median(score() for _ in range(5)),
            }
        )
    report: dict[str, Any] = {"model": args.model, "parameters": engine.parameters, "mean_context": length}
    report |= {"batch": args.batch, "tokens": args.tokens, "rounds": args.rounds, "tile": TILE, "block": BLOCK}
    for key in rates[0]:  # the first round warms up
        values = [r[key] for r in rates[1:]]
        report[key] = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    report |= shared(args.model, problems)
    if args.invariance:
        report["invariance"] = invariance(args.model, problems, args.invariance)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
