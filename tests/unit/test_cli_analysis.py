"""The verbs of the analysis on imported and searched studies: their documents, and one sentence for every mistake."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from tests.unit import analysis_worlds as worlds
from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from ttc_core import policies, studies, studies_chosen
from ttc_core.settings import settings


@pytest.fixture
def samples(tmp_path):
    """A file of samples, with what it holds: (P, n) right and scores."""
    rng = np.random.default_rng(0)
    right, scores = rng.random((10, 6)) < rng.random((10, 1)), np.round(rng.random((10, 6)), 2)
    lines = [
        {
            "id": f"q{p}",
            "question": "1 + 1?",
            "answer": "2",
            "samples": [
                {"answer": "2" if r else "3", "score": s, "step_scores": [s, 1 - s], "tokens": 5}
                for r, s in zip(right[p].tolist(), scores[p].tolist(), strict=True)
            ],
        }
        for p in range(10)
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path, right, scores


@pytest.fixture
def imported(ttc, samples):  # noqa: F811
    """The same as a study called s of the data set d."""
    assert ttc("import", "samples", str(samples[0]), "--dataset", "d", "--study", "s")[0] == 0
    return samples


def shown(answer):
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)


def test_estimates_of_imported_samples_are_means_over_all_subsets(ttc, imported):  # noqa: F811
    _, right, scores = imported
    found = shown(
        ttc("estimate", "--dataset", "d", "--n", "1,3,6", "--metric", "pass,majority,best,weighted", "--json")
    )
    assert list(found) == ["pass", "majority", "best", "weighted"] and list(found["pass"]) == ["1", "3", "6"]
    for k in (1, 3, 6):
        subsets = [list(s) for s in combinations(range(6), k)]
        assert found["pass"][str(k)] == pytest.approx(np.mean([right[:, s].any(axis=1) for s in subsets]), abs=1e-9)
        best = [right[p, s][scores[p, s].argmax()] for s in subsets for p in range(10)]
        assert found["best"][str(k)] == pytest.approx(np.mean(best), abs=1e-9)
    last = shown(ttc("estimate", "--dataset", "d", "--study", "s", "--aggregate", "last", "--json", "--metric", "best"))
    assert list(last["best"]) == ["1", "2", "4"] and last["best"]["1"] == pytest.approx(right.mean())
    opposite = [right[p, s][scores[p, s].argmin()] for s in map(list, combinations(range(6), 2)) for p in range(10)]
    assert last["best"]["2"] == pytest.approx(np.mean(opposite), abs=1e-9)  # the last step is 1 - score
    code, out, _ = ttc("estimate", "--dataset", "d")
    assert code == 0 and out.splitlines()[0].split() == ["1", "2", "4"] and "weighted" in out


def test_difficulty_of_imported_samples(ttc, imported):  # noqa: F811
    _, right, scores = imported
    found = shown(ttc("difficulty", "--dataset", "d", "--by", "oracle", "--bins", "5", "--json"))
    rates = np.sort(right.mean(axis=1))[::-1].reshape(5, 2).mean(axis=1)
    assert [b["n"] for b in found["bins"]] == [2] * 5
    assert [b["mean"] for b in found["bins"]] == pytest.approx(rates.tolist())
    assert found["edges"] == sorted(found["edges"], reverse=True) and len(found["edges"]) == 4
    predicted = shown(ttc("difficulty", "--dataset", "d", "--by", "predicted", "--bins", "2", "--json"))
    means = np.sort(scores.mean(axis=1))[::-1].reshape(2, 5).mean(axis=1)
    assert [b["mean"] for b in predicted["bins"]] == pytest.approx(means.tolist())
    assert np.sum(predicted["agreement"]["confusion"]) == 10
    ask = ("difficulty", "--dataset", "d", "--by", "predicted", "--bins", "2", "--aggregate", "last", "--json")
    means = np.sort(1 - scores.mean(axis=1))[::-1].reshape(2, 5).mean(axis=1)  # the last step is 1 - score
    assert [b["mean"] for b in shown(ttc(*ask))["bins"]] == pytest.approx(means.tolist())
    absolute = shown(ttc("difficulty", "--dataset", "d", "--absolute", "--json"))
    assert absolute["edges"] == [0.5, 0.1]
    assert absolute["bins"][0]["n"] == (right.mean(axis=1) >= 0.5).sum()
    assert ttc("difficulty", "--dataset", "d")[1].count("\n") == 6


def test_the_frontier_of_imported_samples(ttc, imported):  # noqa: F811
    found = shown(ttc("frontier", "--study", "s", "--resamples", "20", "--json"))
    assert found["budgets"] == [1, 2, 4] and {"best_of_n select=weighted", "compute_optimal"} <= set(found["curves"])
    curve = found["curves"]["compute_optimal"]
    assert list(curve) == ["mean", "low", "high"] and all(len(values) == 3 for values in curve.values())
    assert len(found["policy"]) == 3 and all(
        len(row) == 5 and set(row) <= set(found["curves"]) for row in found["policy"]
    )
    assert set(found["efficiency"]) == {"1", "2", "4"} and found["baseline"] == "best_of_n select=weighted"
    assert "efficiency multiple" in ttc("frontier", "--study", "s", "--resamples", "0")[1]


@pytest.fixture
def searched(imported, monkeypatch):
    """The study's outcomes replaced by made-up ones of two models, on its ten problems."""
    correct, _, budgets = worlds.crossover(problems=10)
    small = worlds.outcomes(correct, budgets).assign(model="small", verifier="v")
    large = worlds.outcomes(np.ones((10, 1, 1)), [1]).assign(model="large", verifier=None)
    large["policy_flops"] = 14e6 * 2 * (10 + 50) / 2
    small["policy_flops"] = 1e6 * 2 * (10 + small["policy_tokens"]) / 2
    whole = pd.concat([small, large], ignore_index=True)
    whole["problem"] = "q" + whole["problem"].str[-1]
    monkeypatch.setattr(studies, "outcomes", lambda study, dataset=None, *, db=None: whole)
    rows = studies.pool_rows
    monkeypatch.setattr(studies, "pool_rows", lambda study, *_, db=None, **__: rows(study, db=db))


def test_the_exchange_of_two_models(ttc, searched):  # noqa: F811
    found = shown(ttc("exchange", "--study", "s", "--ratio", "0.16,22", "--resamples", "20", "--json"))
    assert (found["small_model"], found["large_model"], found["larger"]) == ("small", "large", pytest.approx(14))
    assert [r["multiplier"] for r in found["ratios"]] == pytest.approx([14 + 39 / 0.16, 14 + 39 / 22])
    assert [len(b["stars"]) for b in found["bins"]] == [2] * 5
    star = found["bins"][0]["stars"][0]
    assert star["large"] == 1.0 and star["gain"]["mean"] == pytest.approx(star["small"] - 1.0)
    assert "small - large" in ttc("exchange", "--study", "s", "--ratio", "1", "--resamples", "0")[1]


def test_an_exchange_by_measured_tokens_and_by_price(ttc, searched):  # noqa: F811
    one = np.mean([(10 + 50 * b) / b for b in (1, 2, 4, 8, 16, 32, 64)])  # tokens of a generation of the small model
    asked = ("exchange", "--study", "s", "--ratio", "0.16,22", "--resamples", "0", "--json")
    expected = {("--axis", "tokens"): 14 * 60 / one, ("--price", "0.5,2"): 2 * 60 / (0.5 * one)}
    for option, dearer in expected.items():
        found = shown(ttc(*asked, *option))
        assert [r["multiplier"] for r in found["ratios"]] == pytest.approx([dearer + 39 / 0.16, dearer + 39 / 22])
        assert found["bins"][0]["stars"][1]["budget"] == pytest.approx(dearer + 39 / 22)
        assert found["answers"]["axis"] == option[1].replace("0.5,2", "price")
    assert shown(ttc(*asked, "--axis", "flops"))["answers"]["small"] > 2e6 * one  # its verifier is paid for
    for price in ("1", "0,1", "1,2,3"):
        assert "--price takes two prices above 0" in ttc(*asked, "--price", price)[2]
    assert ttc(*asked, "--price", "1,2", "--axis", "tokens")[0] == 2


def test_cheaper_axes_and_switches(ttc, searched):  # noqa: F811
    ask = ("frontier", "--study", "s", "--resamples", "10", "--json")
    flops = shown(ttc(*ask, "--axis", "flops", "--by", "predicted", "--bins", "2"))
    policy_alone = shown(ttc(*ask, "--axis", "flops", "--no-verifier", "--bins", "2"))
    assert flops["budgets"] > policy_alone["budgets"] and len(flops["gap"]["mean"]) == len(flops["budgets"])
    free, charged = shown(ttc(*ask)), shown(ttc(*ask, "--charge", "8"))
    assert charged["efficiency"]["64"]["mean"] <= free["efficiency"]["64"]["mean"]
    majority = shown(ttc(*ask, "--baseline", "best_of_n select=majority"))
    assert majority["baseline"] == "best_of_n select=majority"


def test_a_policy_is_written_and_followed(ttc, searched, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("ttc_core.cli.analysis.settings", lambda: type(settings())(**_in(tmp_path)))
    ask = ("frontier", "--study", "s", "--resamples", "0", "--bins", "2", "--fit", "mine", "--probe", "3", "--json")
    shown(ttc(*ask))
    made = policies.parse("mine", json.loads((tmp_path / "policies" / "mine.json").read_text()))
    assert (made.model, made.probe, len(made.budgets)) == ("small", 3, 7)
    code, out, err = ttc(*ask)
    assert (code, out) == (2, "") and "there is a policy 'mine' already" in err
    assert ttc(*ask[:-5], "--fit", "../x", "--json")[0] == 2


def _in(folder):
    return {f.name: folder if f.name == "data_dir" else getattr(settings(), f.name) for f in fields(settings())}


MISTAKES = [
    ("estimate --dataset nope", "no study has samples of data set 'nope'"),
    ("estimate --dataset d --study nope", "no study is called 'nope'"),
    ("estimate --dataset d --n 7", "n = 7 needs as many samples, and problem q0 has 6"),
    ("estimate --dataset d --n 0", "n must be at least 1, not 0"),
    ("estimate --dataset d --n many", "--n takes whole numbers with commas between them, not 'many'"),
    ("estimate --dataset d --metric luck", "metric must be one of pass, majority, best, weighted, not 'luck'"),
    ("estimate --dataset d --aggregate max", "aggregate must be one of last, min, prod, mean, not 'max'"),
    ("difficulty --dataset d --by luck", "difficulty goes by oracle or predicted, not 'luck'"),
    ("difficulty --dataset d --bins 11", "10 problems do not fill 11 bins"),
    ("frontier --study nope", "no study is called 'nope'"),
    ("frontier --study s --axis money", "the cost axis must be one of generations, tokens, flops, seconds"),
    ("frontier --study s --axis flops", "the study does not know what its outcomes cost on this axis"),
    ("frontier --study s --baseline x", "the study has no method 'x'"),
    ("frontier --study s --model x", "the study has no outcomes of the model 'x'"),
    ("frontier --study s --dataset x", "study 's' has no outcomes of 'x'"),
    ("frontier", "the following arguments are required: --study"),
    ("exchange --study s --ratio 1", "the study has no larger model"),
    ("exchange --study s --ratio 0 --times 14", "must be above 0, not 0"),
    ("exchange --study s --ratio 1 --times 0.5", "at least as many parameters, not 0.5 times as many"),
    ("exchange --study s --ratio x --times 14", "--ratio takes numbers with commas between them, not 'x'"),
    ("exchange --study s --ratio 1 --times 14 --axis tokens", "no larger model whose answers could be measured"),
    ("exchange --study s --ratio 1 --large x", "the study has no outcomes of the model 'x'"),
]


def test_a_mistake_costs_one_sentence(ttc, imported):  # noqa: F811
    for command, sentence in MISTAKES:
        code, out, err = ttc(*command.split())
        assert (code, out) == (2, "") and sentence in err, (command, err)
        assert err.count("\n") == 1 and "Traceback" not in err


def test_ties_holes_and_ungraded_samples_from_a_file_are_as_by_hand(ttc, tmp_path):  # noqa: F811
    """Equal scores, no answer, no score, different numbers of samples, and a problem whose answer nobody knows."""
    asked = [
        ("東京", [("東京", 0.5), ("京都", 0.9), ("東京", 0.9), (None, 0.95), ("京都", None)]),
        ("4", [("4", 0.2), ("5", 0.2), ("4", None)]),
        (None, [("4", 0.2)]),
    ]
    lines = [
        {"id": f"q{i}", "question": "?", **({"answer": gold} if gold else {}), "samples": []}
        for i, (gold, _) in enumerate(asked)
    ]
    for line, (_, found) in zip(lines, asked, strict=True):
        for answer, score in found:
            said = {"answer": answer} if answer else {"text": "no idea"}
            line["samples"].append(said if score is None else {**said, "score": score})
    path = tmp_path / "holes.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert ttc("import", "samples", str(path), "--dataset", "h", "--study", "h")[0] == 0
    found = shown(ttc("estimate", "--dataset", "h", "--n", "1,2,3", "--json"))
    assert found.pop("dropped") == {"samples": 1, "problems": 1}
    for metric in ("majority", "best", "weighted"):
        for k in (1, 2, 3):
            shares = [np.mean([_won(s, metric, gold) for s in combinations(row, k)]) for gold, row in asked[:2]]
            assert found[metric][str(k)] == pytest.approx(np.mean(shares), abs=1e-9), (metric, k)
    assert (
        "left out for want of a verdict or of samples: 1 samples, 1 problems"
        in ttc("estimate", "--dataset", "h", "--n", "1")[1]
    )


def _won(subset, metric, gold):
    voting = [(a, s) for a, s in subset if a is not None and (metric == "majority" or s is not None)]
    if metric == "best":
        return bool(voting) and max(voting, key=lambda one: one[1])[0] == gold
    totals = {}
    for answer, score in voting:
        totals[answer] = totals.get(answer, 0.0) + (1.0 if metric == "majority" else score)
    return bool(totals) and max(totals, key=totals.get) == gold


@pytest.mark.parametrize("scored", [True, False])
def test_a_problem_without_samples_keeps_nobody_from_an_estimate(ttc, tmp_path, scored):  # noqa: F811
    """And what is estimated where nothing is said goes by the samples that there are."""
    given = [{"answer": "2", **({"score": 0.5} if scored else {})}, {"answer": "3"}]
    rows = [{"id": str(i), "question": "?", "answer": "2", "samples": given * i} for i in range(4)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert ttc("import", "samples", str(tmp_path / "x.jsonl"), "--dataset", "d", "--study", "s")[0] == 0
    found = shown(ttc("estimate", "--dataset", "d", "--json", "--metric", "pass"))
    assert found["pass"] == {"1": pytest.approx(0.5), "2": pytest.approx((1 + 5 / 6 + 4 / 5) / 3)}


def test_difficulty_is_not_predicted_by_another_verifiers_scores(ttc, imported, monkeypatch):  # noqa: F811
    """Thresholds of a policy would be of scores that its search never sees."""
    monkeypatch.setattr(studies_chosen.Chosen, "rated_rows", lambda self: [])
    for words in (["--by", "predicted"], ["--fit", "p"]):
        code, out, err = ttc("frontier", "--study", "s", *words)
        assert (code, out) == (2, "") and "no sample has a score by this verifier" in err
