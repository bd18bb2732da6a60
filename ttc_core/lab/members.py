"""The members of the family as they are shipped: which finished training each is, and how verifiers are calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttc_core.lab import calibrating
from ttc_core.lab.cards import read_card
from ttc_core.lab.exporting import export_model, import_model, write_json
from ttc_core.lab.problems import read_problem_set
from ttc_core.lab.rollouts import Rollout, roll
from ttc_core.lab.training import load_model, save_model
from ttc_core.lab.vocabulary import BAD, GOOD

DATA = (
    "procedurally generated word problems with 3 to 12 steps (ttc_core/lab/problems.py); no question of the problem "
    "sets occurs in the training stream"
)
CALIBRATION_SAMPLES = 8  # solutions per validation problem


@dataclass(frozen=True)
class Member:
    """One shipped model.

    Attributes:
        name: its folder under data/models.
        stage: the training it comes from.
        kind: "policy", or "prm" for a verifier read off two tokens' logits.
        what: one sentence.
        judges: with kind "prm": "steps" or "answers", what its score is the probability of.
        revises: most earlier attempts it can have in its prompt.
        data: what it was trained on.
    """

    name: str
    stage: str
    kind: str
    what: str
    judges: str = ""
    revises: int = 0
    data: str = DATA


MEMBERS = (
    Member("mini-s", "mini-s", "policy", "the small policy"),
    Member("mini-m", "mini-m-long", "policy", "a better-trained policy of middle size, from which verifiers are made"),
    Member("mini-l", "mini-l", "policy", "the policy with 14 times the parameters of mini-s, grown in stages"),
    Member(
        "mini-prm",
        "mini-prm",
        "prm",
        "discriminative process reward model: P(every step so far is right), from mini-m with two verdict layers",
        judges="steps",
        data="solutions of mini-s on training problems and a fifth right ones, each token labelled by the step checker",
    ),
    Member(
        "mini-mc",
        "mini-mc",
        "prm",
        "process reward model of mini-s's size trained as Snell et al. (2024) do: P(mini-s ends right from here); the "
        "weak verifier, against which over-optimisation shows",
        judges="answers",
        data="16 solutions of mini-s a training problem, each step labelled by the share of 16 continuations by mini-s "
        "that end right; no step was ever checked",
    ),
    Member(
        "mini-orm",
        "mini-orm",
        "prm",
        "outcome reward model: P(the answer will be right), from mini-m",
        judges="answers",
        data="solutions of mini-s on training problems, each of their tokens labelled by whether the answer is right",
    ),
    Member(
        "mini-reviser",
        "mini-reviser",
        "policy",
        "a policy of mini-s's size that reads up to four earlier attempts and writes a corrected last one",
        revises=4,
        data="attempts of mini-s at training problems, and right solutions close to the last attempt shown",
    ),
    Member(
        "mini-reviser-prm",
        "mini-reviser-prm",
        "prm",
        "process reward model of revisions, from mini-prm: reads up to four earlier attempts first",
        judges="steps",
        revises=4,
        data="solutions of mini-s on training problems after up to four others, each token labelled by the checker",
    ),
)


def export_family(work: Path, data: Path, preset: str) -> None:
    """Write weights and cards of every member whose training has finished; the others are left as they are."""
    for member in MEMBERS:
        finished = work / f"{member.stage}.pt"
        if not finished.exists():
            print(f"{member.name} is left as it is: {finished.name} is not finished", flush=True)
            continue
        model, more = load_model(finished)
        folder = data / "models" / member.name
        export_model(model, folder, half=True)
        card: dict[str, Any] = {
            "name": member.name,
            "kind": member.kind,
            "what": member.what,
            "parameters": model.shape.parameters(),
            "shape": model.shape.as_dict(),
            "data": member.data,
            "training": more["training"],
            "reproduce": f"python -m ttc_core.lab all --preset {preset}",
        }
        if member.revises:
            card["revises"] = member.revises
        write_json(folder / "card.json", card)


def restore_family(work: Path, data: Path) -> None:
    """Read shipped weights (fp16) back as finished trainings where the work folder has none, to build on them."""
    for member in MEMBERS:
        folder, finished = data / "models" / member.name, work / f"{member.stage}.pt"
        if (folder / "card.json").exists() and not finished.exists():
            save_model(finished, import_model(folder), training=read_card(folder)["training"])


def calibrate_family(data: Path, preset: str, count: int | None = None) -> None:
    """Fit every verifier's scores to probabilities on validation rollouts of mini-s and write its verifier.json.

    count: of the validation problems, the first so many; None: all.
    """
    reference = import_model(data / "models" / "mini-s")
    problems = read_problem_set(data / "problems" / "mini-validation.jsonl")[:count]
    rollouts = roll(reference, problems, CALIBRATION_SAMPLES, seed=101)
    _calibrate_implicit(data, preset, problems, rollouts)
    for member in MEMBERS:
        folder = data / "models" / member.name
        if member.kind != "prm" or not folder.exists():
            continue
        margins = calibrating.verdict_margins(import_model(folder), problems, rollouts)
        scale, shift = calibrating.calibrate_margins(margins, _labels(rollouts, member.judges))
        verifier = {"name": member.name, "kind": "prm", "model": member.name, "good": GOOD, "bad": BAD}
        write_json(folder / "verifier.json", {**verifier, "scale": scale, "shift": shift, "attempts": member.revises})


def _labels(rollouts: Sequence[Sequence[Rollout]], judges: str) -> list[list[list[bool]]]:
    """What a score at each step end should be the probability of; an outcome's label is the same at every step."""
    if judges == "steps":
        return [[list(r.right) for r in row] for row in rollouts]
    return [[[r.correct] * len(r.ends) for r in row] for row in rollouts]


def _calibrate_implicit(
    data: Path, preset: str, problems: Sequence[dict[str, Any]], rollouts: Sequence[Sequence[Rollout]]
) -> None:
    policy, reference = (import_model(data / "models" / name) for name in ("mini-m", "mini-s"))
    features = calibrating.implicit_features(policy, reference, problems, rollouts)
    coefficients, intercept = calibrating.calibrate_implicit(features, rollouts)
    folder = data / "models" / "mini-implicit"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "verifier.json",
        {
            "name": "mini-implicit",
            "kind": "implicit",
            "policy": "mini-m",
            "reference": "mini-s",
            "features": list(calibrating.FEATURES),
            "coefficients": coefficients,
            "intercept": intercept,
        },
    )
    write_json(
        folder / "card.json",
        {
            "name": "mini-implicit",
            "kind": "implicit",
            "what": "implicit process reward: the likelihood of the steps under mini-m and its ratio to mini-s, "
            "calibrated on validation rollouts of mini-s to P(right so far)",
            "parameters": policy.shape.parameters() + reference.shape.parameters(),
            "data": f"{len(problems)} validation problems, {CALIBRATION_SAMPLES} solutions each; no step labels beyond "
            "the calibration",
            "training": [],
            "reproduce": f"python -m ttc_core.lab all --preset {preset}",
        },
    )
