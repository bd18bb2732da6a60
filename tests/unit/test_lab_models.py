"""The models of the family: growth, training, export, calibration; skipped where torch is not installed."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from ttc_core.datasets.mini_steps import check_lines
from ttc_core.lab import problems as lab
from ttc_core.lab.vocabulary import decode, encode, prompt, vocabulary

torch = pytest.importorskip("torch")

from ttc_core.lab import calibrating, exporting, growing, measures, rollouts, sampling, training, verdicts  # noqa: E402
from ttc_core.lab.model import Llama, Shape, build  # noqa: E402

pytestmark = pytest.mark.lab

MODELS = Path(__file__).parents[2] / "data" / "models"
TINY = Shape(width=16, layers=2, heads=2, inner=24, vocabulary=len(vocabulary()))
SHIPPED = sorted(path.parent.name for path in MODELS.glob("*/config.json"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tiny(seed: int = 0) -> Llama:
    torch.manual_seed(seed)
    model = build(TINY)
    torch.nn.init.normal_(model.embedding.weight, 0, 1.0)  # far from epsilon, so that growth is exact
    return model


def test_parameters_are_counted_right() -> None:
    assert TINY.parameters() == sum(p.numel() for p in tiny().parameters())


@pytest.mark.parametrize(
    ("larger", "after"),
    [(Shape(24, 2, 3, 40, TINY.vocabulary), ()), (Shape(16, 4, 2, 24, TINY.vocabulary), (0, 1))],
)
def test_growing_keeps_the_function_and_can_learn(larger: Shape, after: tuple[int, ...]) -> None:
    small = tiny()
    large = growing.grow(small, larger, after)
    tokens = torch.randint(0, TINY.vocabulary, (3, 20))
    torch.testing.assert_close(large(tokens), small(tokens), atol=1e-3, rtol=1e-3)
    large(tokens).logsumexp(-1).sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for n, p in large.named_parameters() if "o.w" in n)


def test_growing_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="cannot grow"):
        growing.grow(tiny(), Shape(24, 2, 2, 40, TINY.vocabulary))


def test_export_comes_back_and_transformers_agree(tmp_path: Path) -> None:
    model = tiny()
    exporting.export_model(model, tmp_path, half=False)
    tokens = torch.randint(0, TINY.vocabulary, (2, 30))
    torch.testing.assert_close(exporting.import_model(tmp_path)(tokens), model(tokens))
    transformers = pytest.importorskip("transformers")
    other = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert type(other).__name__ == "LlamaForCausalLM"
    torch.testing.assert_close(other(tokens).logits, model(tokens), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_load_in_transformers_with_their_tokenizer(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    folder = MODELS / name
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    problem = lab.read_problem_set(MODELS.parent / "problems" / "mini-test.jsonl")[0]
    ids = tokenizer(problem["question"] + "\n")["input_ids"]
    assert ids == prompt(problem["question"])
    tokens = torch.tensor([ids + encode(problem["solution"])])
    torch.testing.assert_close(model(tokens).logits, exporting.import_model(folder)(tokens), atol=1e-4, rtol=1e-4)
    card = json.loads((folder / "card.json").read_text())
    assert card["parameters"] == sum(p.numel() for p in model.parameters())


def test_weights_in_git_stay_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.glob("*/model.safetensors")) <= 24 * 2**20


def test_the_shipped_policy_solves_easy_problems() -> None:
    easy = [r for r in lab.read_problem_set(MODELS.parent / "problems" / "mini-test.jsonl") if r["steps"] == 3][:20]
    rolls = rollouts.roll(exporting.import_model(MODELS / "mini-s"), easy, 1, seed=0, temperature=0.0)
    assert np.mean([row[0].correct for row in rolls]) > 0.6


def test_sampling_is_seeded_and_greedy_agrees_with_full_recomputation() -> None:
    model = tiny()
    prompts = [prompt(p.question) for p in (lab.draw(random.Random(s)) for s in range(5))]
    assert sampling.sample(model, prompts, 3, seed=4, longest=12) == sampling.sample(
        model, prompts, 3, seed=4, longest=12
    )
    for tokens, (found,) in zip(prompts, sampling.sample(model, prompts, 1, 0.0, longest=12), strict=True):
        naive = list(tokens)
        for _ in found:
            naive.append(int(model(torch.tensor([naive]))[0, -1].argmax()))
        assert naive[len(tokens) :] == found


def test_training_learns_resumes_and_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = training.Recipe("tiny", tokens=60_000, lr=0.02, seed=1, batch=2048)
    monkeypatch.setattr(training, "CHUNK", 60)
    chunks = training.policy_chunk(1, ())
    start = training.solution_loss(tiny(), chunks(1)[:50], "cpu")[0].item()
    monkeypatch.setattr(training.Progress, "due", lambda self: self.steps == 5)
    stop = Stopped(chunks, after=3)
    with pytest.raises(KeyboardInterrupt):
        training.train(tiny(), recipe, training.solutions(stop), tmp_path)
    assert (tmp_path / "tiny.checkpoint.pt").exists()
    model, more = training.load_model(training.train(tiny(), recipe, training.solutions(chunks), tmp_path))
    assert more["training"][0]["tokens"] >= 60_000
    assert training.solution_loss(model, chunks(1)[:50], "cpu")[0].item() < 0.8 * start
    before = (tmp_path / "tiny.pt").stat().st_mtime_ns
    training.train(tiny(), recipe, training.solutions(chunks), tmp_path)
    assert (tmp_path / "tiny.pt").stat().st_mtime_ns == before


class Stopped:
    """A chunk maker that is interrupted after some chunks."""

    def __init__(self, make: training.ChunkMaker, after: int) -> None:
        self.make, self.after = make, after

    def __call__(self, index: int) -> list[training.Example]:
        if index > self.after:
            raise KeyboardInterrupt
        return self.make(index)


def test_step_features_accumulate_log_probabilities() -> None:
    features = calibrating.step_features([-1.0, -2.0, -0.5, -0.5], [-1.5, -2.0, -1.0, -2.0], [1, 3])
    np.testing.assert_allclose(features, [[-3.0, 0.5, -3.0, 1.0], [-4.0, 2.5, -3.0, 2.0]])


def test_logistic_fit_recovers_the_truth() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 2)) * [1.0, 5.0]
    y = (rng.random(20_000) < 1 / (1 + np.exp(-(x @ [2.0, -0.3] + 0.7)))).astype(float)
    coefficients, intercept = measures.fit_logistic(x, y)
    np.testing.assert_allclose(coefficients, [2.0, -0.3], atol=0.1)
    assert math.isclose(intercept, 0.7, abs_tol=0.1)


def test_measures() -> None:
    assert measures.auc([0.1, 0.4, 0.4, 0.9], [False, True, False, True]) == pytest.approx(0.875)
    assert math.isnan(measures.auc([0.1], [True]))
    assert measures.vote(["3", "4", "4", None], [0.9, 0.3, 0.3, 5.0]) == "3"
    assert measures.vote([None], [1.0]) is None
    assert measures.expected_calibration_error([0.0, 1.0], [True, True]) == pytest.approx(0.5)


def test_token_labels_follow_the_step_checker() -> None:
    rng = random.Random(8)
    for _ in range(100):
        problem = asdict(lab.draw(rng))
        solution = encode(problem["solution"])
        assert all(verdicts.token_labels(problem, solution))
        digits = [i for i, token in enumerate(solution) if decode([token]).isdigit()]
        place = rng.choice(digits)
        solution[place] = encode(str((int(decode([solution[place]])) + rng.randint(1, 9)) % 10))[0]
        labels = verdicts.token_labels(problem, solution)
        ends = [i for i, token in enumerate(solution) if token == rollouts.NEWLINE]
        assert [labels[i] for i in ends] == check_lines(problem, decode(solution).split("\n")[:-1])
        assert labels == tuple(sorted(labels, reverse=True))


def test_the_budget_at_which_a_curve_reaches_another_method_is_interpolated_in_its_logarithm() -> None:
    curve = {1: np.zeros(4), 4: np.full(4, 0.5), 16: np.full(4, 0.75)}
    assert measures.equal_budget(curve, np.full(4, 0.25), draws=10) == {"mean": 2.0, "low": 2.0, "high": 2.0}
    assert measures.equal_budget(curve, np.ones(4), draws=10)["mean"] == 16.0
