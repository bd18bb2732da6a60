"""The doctor finds what works and what does not, on the embedded family and behind servers."""

from __future__ import annotations

import json

import pytest

from tests.unit.http_server import choice, http, ok, serving, well_behaved
from tests.unit.test_models_file import own  # noqa: F401
from ttc_core import doctor, grading
from ttc_core.__main__ import main


@pytest.mark.parametrize("example", [doctor.ENGLISH, doctor.BUNDLED], ids=["english", "bundled"])
def test_the_worked_examples_are_what_they_say(example):
    grader = example.problem.metadata["grader"]
    answers = [grading.read(text, grader) for text in (example.right, example.wrong)]
    assert grading.grade(answers[0], example.problem.answer, grader) is True
    assert grading.grade(answers[1], example.wrong_answer, grader) is True
    assert grading.grade(answers[1], example.problem.answer, grader) is False


def examined(capsys, *arguments):
    """Exit code, and the checks by name of what was examined."""
    code = main(["doctor", "--json", *arguments])
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("ok") == (code == 0)
    [part] = shown.values()
    return code, {check["name"]: check for check in part["checks"]}


def test_the_embedded_policy_does_everything(capsys):
    code, checks = examined(capsys, "--model", "mini-s")
    assert code == 0 and all(check["ok"] for check in checks.values())
    assert {"steps", "goes on from a step", "prefix reuse", "seeds", "log-probabilities"} <= checks.keys()


@pytest.mark.parametrize("name", ["mini-implicit", "mini-prm"])
def test_the_embedded_verifiers_tell_right_from_wrong(capsys, name):
    code, checks = examined(capsys, "--verifier", name)
    assert code == 0 and checks["right above wrong"]["ok"] and checks["step ends found"]["ok"]
    assert checks["step ends found"]["found"] == "6 scores for 6 steps"


def test_a_verifier_of_what_sampling_records_is_not_tried_on_a_written_example(capsys):
    code, checks = examined(capsys, "--verifier", "self_certainty")
    assert code == 0 and [*checks] == ["scores"] and checks["scores"]["ok"] is None
    assert "doctor --model" in checks["scores"]["advice"]


def test_a_model_that_is_not_set_up(capsys):
    code, checks = examined(capsys, "--model", "qwen3-0-6b")
    assert code == 1 and checks["reached"]["ok"] is False and "base_url" in checks["reached"]["found"]


def test_an_unknown_name_is_the_users_mistake(capsys):
    assert main(["doctor", "--model", "qwen"]) == 2 and main(["doctor", "--verifier", "mini-s"]) == 2


def table(url, **more):
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in more.items())
    return f'[models.far]\nengine = "openai_http"\nmodel = "x"\nparameters = 5\nbase_url = "{url}"\n{lines}'


def test_a_good_server(own, capsys):  # noqa: F811
    with serving(well_behaved) as server:
        own(table(server.url) + '[verifiers.v]\nkind = "math_shepherd"\nmodel = "far"\n')
        code, checks = examined(capsys, "--model", "far")
        assert code == 0 and all(
            checks[name]["ok"] for name in ("steps", "goes on from a step", "prefix reuse", "seeds")
        )
        assert main(["doctor", "--verifier", "v"]) in (0, 1)  # its scores mean nothing
        assert "4 scores for 4 steps" in capsys.readouterr().out


def broken(request, number):
    """Ignores seeds and temperature, starts anew instead of going on, gives no log-probabilities."""
    return ok({"choices": [choice("step one", True, stop_reason="\n\n" if "stop" in request.body else None)]})


def test_a_bad_server(own, capsys):  # noqa: F811
    with serving(broken) as server:
        own(table(server.url))
        code, checks = examined(capsys, "--model", "far")
    assert code == 1
    assert {name: check["ok"] for name, check in checks.items()} == {
        "reached": True,
        "ends by itself": True,
        "answer": False,
        "steps": True,
        "goes on from a step": False,
        "prefix reuse": None,
        "seeds": False,
        "log-probabilities": None,
    }
    assert all(check["advice"] for check in checks.values() if not check["ok"])


def test_a_server_that_refuses(own, capsys):  # noqa: F811
    with serving(lambda request, number: http(404, b'{"error": {"message": "no model x"}}')) as server:
        own(table(server.url) + '[verifiers.v]\nkind = "math_shepherd"\nmodel = "far"\n')
        code, checks = examined(capsys, "--model", "far")
        assert code == 1 and "no model x" in checks["reached"]["found"] and "base_url" in checks["reached"]["advice"]
        code, checks = examined(capsys, "--verifier", "v")
        assert code == 1 and "no model x" in checks["scores"]["found"]
