"""Revisers and verifiers trained on outcomes: targets, labels, losses and sampling; skipped where torch is missing."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pytest

from ttc_core.datasets.mini_steps import StepChecker, check_lines
from ttc_core.lab.problems import training_stream
from ttc_core.lab.vocabulary import BAD, EOS, GOOD, decode, encode, prompt, vocabulary

torch = pytest.importorskip("torch")

from ttc_core.lab import corrections, outcomes, revising, rollouts, sampling  # noqa: E402
from ttc_core.lab.model import Llama, Shape, build  # noqa: E402
from ttc_core.lab.verdicts import Judged  # noqa: E402

pytestmark = pytest.mark.lab

PROBLEMS = [asdict(p) for p in islice(training_stream(31), 40)]


def tiny(seed: int = 0) -> Llama:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = build(Shape(width=16, layers=2, heads=2, inner=24, vocabulary=len(vocabulary())))
    torch.nn.init.normal_(model.embedding.weight, 0, 1.0)
    return model


def spoiled(solution: str, line: int) -> str:
    """The solution with one more unit in the result of a line, as a slip of arithmetic."""
    lines = solution.split("\n")
    left, right = lines[line].split(" = ")
    lines[line] = f"{left} = {int(right) + 1}"
    return "\n".join(lines)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p["template"])
def test_a_correction_is_right_and_begins_with_the_right_lines(problem: dict) -> None:
    rng = random.Random(1)
    assert corrections.corrected(problem, problem["solution"], rng) == problem["solution"]
    for line in range(len(problem["solution"].split("\n")) - 2):
        attempt = spoiled(problem["solution"], line)
        mended = corrections.corrected(problem, attempt, rng)
        assert all(check_lines(problem, mended.split("\n")[:-1]))
        assert mended.split("\n")[:line] == attempt.split("\n")[:line]
        assert mended.endswith(f"Answer: {problem['answer']}\n")
    assert all(check_lines(problem, corrections.corrected(problem, "", rng).split("\n")[:-1]))


def test_a_correction_resembles_the_attempt_more_than_another_right_solution_does() -> None:
    rng = random.Random(2)
    near = far = 0
    for problem in PROBLEMS:
        attempt = spoiled(corrections.corrected(problem, "", rng), 0).split("\n")
        near += corrections.edit_distance(attempt, corrections.corrected(problem, "\n".join(attempt), rng).split("\n"))
        far += corrections.edit_distance(attempt, corrections.corrected(problem, "", rng).split("\n"))
    assert near < far


def test_edit_distance_counts_fields() -> None:
    one = ["1 + 2 = 3", "3 * 4 = 12", "Answer: 12"]
    assert corrections.edit_distance(one, one) == 0
    assert corrections.edit_distance(one, ["1 + 2 = 3", "3 * 5 = 15", "Answer: 12"]) == 2
    assert corrections.edit_distance(one, one[1:]) == corrections.FIELDS
    assert corrections.edit_distance([], one) == 3 * corrections.FIELDS


def test_a_revision_shows_up_to_four_attempts_and_keeps_a_right_last_one() -> None:
    problem = PROBLEMS[0]
    right, wrong = problem["solution"], spoiled(problem["solution"], 0)
    rng, seen, kept = random.Random(3), set(), 0
    for _ in range(200):
        before, target = corrections.revision(problem, [(right, True), (wrong, False), (wrong, False)], rng)
        seen.add(before.count(EOS))
        text = decode(target)
        assert target[-1] == EOS
        assert all(check_lines(problem, text.split("\n")[:-1]))
        if before == prompt(problem["question"], [wrong, right]):
            kept += 1
            assert text == right
    assert seen == {0, 1, 2, 3}
    assert kept > 0


def test_verdict_loss_is_the_cross_entropy_of_labelled_tokens_alone() -> None:
    model = tiny()
    examples = [
        Judged((5, 6), (7, 8, 9), (0.0, 0.25, 1.0), (0.0, 1.0, 2.0)),
        Judged((5,), (7, 8), (1.0, 0.0), (0.0, 1.0)),
    ]
    loss, tokens = outcomes.verdict_loss(model, examples, "cpu")
    parts = []
    for row, places in (([5, 6, 7, 8, 9], [(3, 0.25, 1), (4, 1.0, 2)]), ([5, 7, 8], [(2, 0.0, 1)])):
        logits = model(torch.tensor([row]))[0]
        for place, label, weight in places:
            p = torch.sigmoid(logits[place, GOOD] - logits[place, BAD]).item()
            parts.append((-label * math.log(p) - (1 - label) * math.log(1 - p), weight))
    assert loss.item() == pytest.approx(sum(c * w for c, w in parts) / 4, rel=1e-4)
    assert tokens == 10


def test_step_values_are_shares_and_the_last_is_the_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "SAMPLES", 2)
    monkeypatch.setattr(outcomes, "ROLLOUTS", 4)
    monkeypatch.setattr(outcomes, "PROBLEMS", 2)

    def good_half(model: object, prompts: list, count: int = 1, *_: object, **__: object) -> list:
        """Continue with the right answer every second time."""
        answers = {tuple(encode(p["question"])): p["answer"] for p in map(asdict, islice(stream(), 2))}
        found = []
        for tokens in prompts:
            answer = next(a for q, a in answers.items() if tuple(tokens[1 : len(q) + 1]) == q)
            right, wrong = encode(f"Answer: {answer}\n"), encode("Answer: 9999\n")
            first = encode("1 + 1 = 3\n") if count == 2 else []
            found.append([first + (right if i % 2 == 0 else wrong) for i in range(count)])
        return found

    def stream() -> object:
        return training_stream(outcomes.SEED * 1_000_003)

    monkeypatch.setattr(rollouts, "sample", good_half)
    monkeypatch.setattr(outcomes, "sample", good_half)
    outcomes.write_step_values(tiny(), (), tmp_path, 1)
    [path] = tmp_path.glob("values-*.json")
    values = [[value for _, value in values] for _, _, values in json.loads(path.read_text())]
    assert sorted(map(tuple, values)) == [(0.5, 0.0), (0.5, 0.0), (0.5, 1.0), (0.5, 1.0)]
    for example in outcomes.step_value_chunks(tmp_path, 1)(1):
        ends = [i for i, token in enumerate(example.solution) if token == rollouts.NEWLINE]
        assert [i for i, w in enumerate(example.weights) if w] == ends


def test_rows_of_unequal_prompts_are_sampled_as_alone() -> None:
    model = tiny(4)
    prompts = [prompt(p["question"]) for p in PROBLEMS[:7]]
    together = sampling.sample(model, prompts, 2, temperature=0.0, longest=12)
    assert together == [2 * sampling.sample(model, [p], 1, temperature=0.0, longest=12)[0] for p in prompts]
    for p, [first, _] in zip(prompts, together, strict=True):
        row = list(p)
        for _ in range(12):
            token = int(model(torch.tensor([row]))[0, -1].argmax())
            if token == EOS:
                break
            row.append(token)
        assert row[len(p) :] == first


def test_rows_that_end_at_different_times_are_those_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake model whose next token counts down from the prompt's last token: each row has a length of its own."""
    ids = list(range(20, 40))

    def forced(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
        return forced.rows.pop(0)  # type: ignore[attr-defined]

    model, seen = tiny(), []
    real = sampling._decode

    def decode_and_note(model: Llama, tokens: torch.Tensor, slot: int, batch: object) -> torch.Tensor:
        seen.append(len(tokens))
        return real(model, tokens, slot, batch)

    monkeypatch.setattr(sampling, "_decode", decode_and_note)
    monkeypatch.setattr(sampling, "_choose", forced)
    first = torch.tensor([ids[i] for i in range(8)])
    second = torch.tensor([EOS, EOS, EOS, *(ids[10 + i] for i in range(3, 8))])
    third = torch.tensor([ids[0], EOS, ids[1], EOS, EOS])
    fourth = torch.tensor([EOS, EOS])
    forced.rows = [first, second, third, fourth]  # type: ignore[attr-defined]
    prompts = [[1, 50 + i] for i in range(8)]
    found = sampling.sample(model, prompts, 1)
    assert [row for [row] in found[:3]] == [[ids[0]], [ids[1]], [ids[2]]]
    assert [len(row) for [row] in found[3:]] == [3, 2, 3, 2, 2]
    assert seen == [8, 5, 2]


def test_remaining_equations_are_those_not_yet_known() -> None:
    problem = PROBLEMS[0]
    checker = StepChecker(problem)
    before = len(checker.remaining())
    assert before == len(problem["graph"]["equations"])
    checker.read(problem["solution"].split("\n")[0])
    assert len(checker.remaining()) < before


def attempt(correct: bool, answer: str = "0") -> rollouts.Rollout:
    return rollouts.Rollout(0, (1,), (0,), (correct,), "7" if correct else answer, correct)


def chain(marks: str) -> list[rollouts.Rollout]:
    return [attempt(mark == "+") for mark in marks]


def test_moves_count_what_revisions_break_and_mend_and_compare_with_fresh_samples_of_the_same_problems() -> None:
    found = [[chain("-+-+"), chain("--")], [chain("++"), chain("-+")]]
    fresh = {"other": [[attempt(True), attempt(False)], [attempt(False), attempt(False)]]}
    results = revising.moves(found, fresh)
    assert results["right_to_wrong"]["mean"] == pytest.approx(1 / 2)  # one of two right attempts that were revised
    assert results["wrong_to_right"]["mean"] == pytest.approx(3 / 4)
    assert results["right among fresh samples of other on the same problems"]["mean"] == pytest.approx(1.5 / 4)
    assert results["wrong_to_right minus fresh samples of other"]["mean"] == pytest.approx(3 / 4 - 1.5 / 4)
    assert 0 < results["p of wrong_to_right minus fresh samples of other"] <= 1
    assert revising.pass_by_position(found, 2).tolist() == [[0, 0.5], [0.5, 1]]


def test_a_budget_is_shared_among_chains_the_longest_first() -> None:
    assert (16, 8, 4, 4, 2, 2, 2, 2, *8 * [1]) == revising.LENGTHS
    found = [[chain("--+-"), chain("++"), chain("-"), chain("-")]]
    table = revising.by_ratio(found, (4, 2, 1, 1), 4)
    assert {count: row["majority"].tolist() for count, row in table.items()} == {1: [0.0], 2: [0.0], 4: [0.0]}
    assert {count: row["pass"].tolist() for count, row in table.items()} == {1: [1.0], 2: [1.0], 4: [1.0]}
    scores = [[[0.1, 0.1, 0.9, 0.1], [0.6, 0.6], [0.1], [0.1]]]
    table = revising.by_ratio(found, (4, 2, 1, 1), 4, scores)
    assert {count: row["weighted"].tolist() for count, row in table.items()} == {1: [1.0], 2: [1.0], 4: [1.0]}


def test_chains_show_the_latest_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []

    def count_up(model: object, prompts: list[list[int]], *_: object) -> list[list[list[int]]]:
        seen.extend(prompts)
        return [[encode(f"Answer: {p.count(EOS)}\n")] for p in prompts]

    monkeypatch.setattr(revising, "sample", count_up)
    problem = PROBLEMS[0]
    [[first, second]] = revising.chains(tiny(), [problem], (3, 2), seed=1, attempts=1)
    assert [r.answer for r in first] == ["0", "1", "1"]
    assert [r.answer for r in second] == ["0", "1"]
    assert seen[-1] == prompt(problem["question"], ["Answer: 1\n"])


def test_the_results_of_a_reviser_cover_positions_moves_and_ratios() -> None:
    found = [[chain("-+++"), chain("-+"), chain("-"), chain("+")] for _ in range(5)]
    fresh = {"other": [[attempt(False)] for _ in range(5)]}
    results = revising.chain_results(found, (4, 2, 1, 1), fresh, [[0, 1], [2, 3, 4]], budgets=(4,))
    assert results["pass@1 by position"]["4"]["mean"] == 1.0
    assert results["pass@1 at position 4 minus position 1"]["low"] > 0
    assert results["majority of 4: 1 chains of 4 by bin"] == [1.0, 1.0]
    assert results["majority of 4: sequential minus parallel"]["mean"] == 1.0


def harvest_of(folder: Path) -> None:
    """Write a chunk with one problem, solved right, wrong and right again."""
    problem = PROBLEMS[0]
    texts = [problem["solution"], spoiled(problem["solution"], 0), problem["solution"]]
    row = [asdict(rollouts.check(problem, 0, encode(text))) for text in texts]
    row[1]["correct"] = False
    (folder / "chunk-000.json").write_text(json.dumps({"problems": [problem], "rollouts": [row]}))


def test_chains_are_shown_in_order(tmp_path: Path) -> None:
    harvest_of(tmp_path)
    make = corrections.revision_chunks(tmp_path, 1, seed=1, in_order=True)
    problem, right = PROBLEMS[0], PROBLEMS[0]["solution"]
    chain_texts = [right, spoiled(right, 0), right]
    befores = [before for index in range(1, 12) for before, _ in make(index)]
    assert all(before in [prompt(problem["question"], chain_texts[:k]) for k in range(4)] for before in befores)
    assert {before.count(EOS) for before in befores} == {0, 1, 2, 3}


def test_outcomes_label_every_token_and_may_show_other_attempts(tmp_path: Path) -> None:
    harvest_of(tmp_path)
    alone = outcomes.outcome_chunks(tmp_path, 1)(1)
    assert [j.prompt for j in alone] == 3 * [tuple(prompt(PROBLEMS[0]["question"]))]
    assert [set(j.labels) for j in alone] == [{1.0}, {0.0}, {1.0}]
    assert all(len(j.labels) == len(j.weights) == len(j.solution) and min(j.weights) == 1 for j in alone)
    make = outcomes.outcome_chunks(tmp_path, 1, attempts=4)
    assert {j.prompt.count(EOS) for index in range(1, 12) for j in make(index)} == {0, 1, 2}


def test_chains_are_split_as_they_were_joined() -> None:
    chains = [chain("+-+"), chain("-"), chain("+")]
    assert revising.split([r for c in chains for r in c], (3, 1, 1)) == chains
