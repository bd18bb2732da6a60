"""Whole searches in this process: policy and verifier by vLLM, side by side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.vllm.conftest import MODELS, finish
from tests.vllm.searching import Engines, Watched, search
from ttc_core.engines.embedded import Embedded
from ttc_core.engines.vllm_local.writing import Writing
from ttc_core.jobs import EvaluateJob, Segment
from ttc_core.types import Problem

pytest.importorskip("vllm")
pytestmark = pytest.mark.vllm
BUDGET = 16
MOST = 1.10  # prompt tokens computed / the least


def test_a_beam_search_by_two_engines_solves_more_than_one_sample(
    policy: Any, judge: Any, problems: list[Problem]
) -> None:
    """It is complete, every node is scored, and it costs what it should."""
    asked = problems[:12]
    results = search({"mini-s": policy, "mini-prm": judge}, asked, "beam_search", BUDGET, seconds=240)
    assert [r.error for r in results] == [None] * len(asked)
    assert all(r.usage.generations == BUDGET and not r.usage.failed_scores for r in results)
    assert all(r.usage.generated_tokens > 0 and r.usage.verifier_tokens > 0 for r in results)
    nodes = [node for r in results for node in r.nodes.values()]
    assert all(node.scores and node.tokens and node.logprob < 0 for node in nodes)

    once = search({"mini-s": policy, "mini-prm": judge}, asked, "best_of_n", 1, seconds=120)
    right = [sum(r.outcome.answer == p.answer for r, p in zip(rs, asked, strict=True)) for rs in (results, once)]
    assert right[0] >= right[1] and right[0] >= len(asked) // 2


def test_scores_of_a_search_are_the_embedded_engines(policy: Any, judge: Any, problems: list[Problem]) -> None:
    """Each score is what the embedded engine gives the same tokens behind the same path.

    A node is one step here; where an empty line comes before it, the embedded engine counts that as a step too.
    """
    asked = problems[:12]
    results = search({"mini-s": policy, "mini-prm": judge}, asked, "beam_search", BUDGET, seconds=240)
    own = Embedded("mini-prm", MODELS / "mini-prm", batch=1)  # one by one: a parent before its children
    verifier = Engines({}).verifier("mini-prm")
    jobs, given = [], []
    for problem, result in zip(asked, results, strict=True):
        for node in result.nodes.values():
            path, above = [], node
            while above is not None:
                path.insert(0, Segment(above.text, above.tokens, own.tokenizer.id))
                above = result.nodes.get(above.parent)
            jobs.append(EvaluateJob(len(jobs), (own.prompt(problem), *path[:-1]), path[-1], (4, 5)))
            given.append(node.scores)
    for reply, scores in zip(finish(own, jobs), given, strict=True):
        good, bad = reply.logits[-1]
        assert len(scores) == 1
        assert scores[0] == pytest.approx(1 / (1 + np.exp(-verifier.scale * (good - bad) - verifier.shift)), abs=1e-4)


def test_equal_seeds_give_equal_trees_alone_or_together(policy: Any, judge: Any, problems: list[Problem]) -> None:
    engines = {"mini-s": policy, "mini-prm": judge}
    together = search(engines, problems[:6], "beam_search", 8, seconds=240)
    alone = [search(engines, [problem], "beam_search", 8, seconds=120)[0] for problem in problems[:6]]
    for a, b in zip(together, alone, strict=True):
        assert {k: (n.text, n.finish) for k, n in a.nodes.items()} == {
            k: (n.text, n.finish) for k, n in b.nodes.items()
        }
        assert a.outcome.answer == b.outcome.answer


def talker(folder: Path) -> Path:
    """A Llama of random weights with the family's tokenizer, without an end of text: it writes on and on."""
    config = json.loads((MODELS / "mini-s" / "config.json").read_text())
    config |= {"head_dim": 32, "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 2}
    config |= {"torch_dtype": "float32", "eos_token_id": None}
    rng, width, inner = np.random.default_rng(0), config["hidden_size"], config["intermediate_size"]
    weights = {"model.embed_tokens.weight": (config["vocab_size"], width), "model.norm.weight": (width,)}
    for i in range(2):
        shapes = {f"self_attn.{part}_proj": (width, width) for part in "qkvo"}
        shapes |= {"mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner)}
        shapes |= {"input_layernorm": (width,), "post_attention_layernorm": (width,)}
        weights |= {f"model.layers.{i}.{name}.weight": shape for name, shape in shapes.items()}
    folder.mkdir()
    filled = {
        name: np.ones(shape, np.float32) if len(shape) == 1 else rng.normal(0, 0.05, shape).astype(np.float32)
        for name, shape in weights.items()
    }
    save_file(filled, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = json.loads((MODELS / "mini-s" / "tokenizer_config.json").read_text())
    del tokenizer["eos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    shutil.copyfile(MODELS / "mini-s" / "tokenizer.json", folder / "tokenizer.json")
    return folder


def test_prompts_are_hardly_computed_twice(
    load: Callable[..., Any], judge: Any, policy: Any, problems: list[Problem], tmp_path: Path, capsys: Any
) -> None:
    """Beam searches of 16 beams behind a prompt of many blocks of the cache: a block that is not full is not found.

    So the ratio falls with the length of steps: printed for some of 9 and of about 40 tokens, bounded for 150.
    """
    long = Problem("long", " ".join(problem.question for problem in problems[:18]))
    talk = load("talker", talker(tmp_path / "talker"), step="Answer: ", final="", memory=0.05)
    ratios = []
    try:
        for name, engine in (("family", policy), ("talker, short", talk), ("talker, long", talk)):
            talk.writing = Writing(talk.core.tokenizer, "An" if name == "talker, short" else "Answer: ")
            watched = Watched(engine)
            [result] = search({"mini-s": watched, "mini-prm": judge}, [long], "beam_search", 16, rounds=5, seconds=200)
            assert result.error is None and result.usage.generations == 16
            computed, least = watched.prompt_tokens()
            lengths = [reply.generated for reply in watched.replies]
            assert len(watched.writing.of((watched.prompt(long),))) > 6 * 128 and len(lengths) >= 48
            ratios.append(computed / least)
            with capsys.disabled():
                print(f"\n{name}: steps of {np.mean(lengths):.0f} tokens, prompt tokens {computed} / {least}", end="")
                print(f" = {ratios[-1]:.2f}", end=" ")
    finally:
        talk.close()
    assert ratios[-1] <= MOST
