"""The models file: what is shipped is whole, what is the user's comes on top, every mistake is one sentence."""

from __future__ import annotations

import json

import pytest

from tests.unit.http_server import serving, well_behaved
from ttc_core import models, models_file, registry, runs
from ttc_core.__main__ import main
from ttc_core.backend import LocalBackend
from ttc_core.errors import UserError
from ttc_core.runs_checks import checked
from ttc_core.settings import DATA, settings
from ttc_core.types import RunSpec


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes the user's models file and gives the catalogue; what was read of the environment is forgotten after."""
    path = tmp_path / "mine.toml"

    def write(text):
        path.write_text(text, "utf-8")
        monkeypatch.setenv("TTC_MODELS", str(path))
        settings.cache_clear()
        return models.catalogue()

    yield write
    monkeypatch.undo()
    settings.cache_clear()


def test_the_shipped_file_is_whole_and_its_verifiers_can_be_made():
    known = models.catalogue()
    policies, verifiers = models_file.tables()
    assert len(policies) >= 9 and len(verifiers) >= 5
    for name in verifiers:
        made = registry.get("verifier", known[name].kind).load(known[name])
        assert all(known[model].kind == "policy" for model in made.models)
        assert known[name].parameters == sum(known[model].parameters for model in made.models)


def test_what_is_shipped_can_be_run_by_the_engine_that_it_names():
    known = models.catalogue()
    assert known["skywork-prm-1-5b"].engine == "transformers_local", "no server has its head"
    thinking = [card.card for card in known.values() if str(card.card.get("model", "")).startswith("Qwen/Qwen3-")]
    assert len(thinking) == 2 and all(table["lead"] == "<think>\n\n</think>\n\n" for table in thinking)


def test_the_embedded_family_comes_first_and_what_needs_a_server_says_so():
    known = models.catalogue()
    names = [*known]
    assert names.index("mini-s") < names.index("qwen3-0-6b")
    assert not known["mini-s"].lacks and "base_url" in known["qwen3-0-6b"].lacks
    assert "base_url" in known["qwen-prm-7b"].lacks
    with pytest.raises(UserError, match="qwen3-0-6b is not set up"):
        LocalBackend().engine("qwen3-0-6b")


def test_one_line_sets_up_a_shipped_model(own):
    known = own('[models.qwen3-0-6b]\nbase_url = "http://127.0.0.1:9"')
    assert not known["qwen3-0-6b"].lacks and known["qwen3-0-6b"].card["model"] == "Qwen/Qwen3-0.6B"
    backend = LocalBackend()
    assert backend.engine("qwen3-0-6b") is backend.engine("qwen3-0-6b")
    assert backend.engine("qwen3-0-6b").parameters == known["qwen3-0-6b"].parameters


def test_a_file_in_the_data_folder_counts(tmp_path, monkeypatch):
    (tmp_path / "models.toml").write_text('[models.a]\nengine = "openai_http"\nmodel = "x"\nparameters = 5')
    monkeypatch.setenv("TTC_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    try:
        assert models.catalogue()["a"].parameters == 5
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_a_key_is_named_and_never_held(own, monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    text = '[models.qwen3-0-6b]\nbase_url = "https://example.org"\nkey_env = "SOME_KEY"'
    assert "SOME_KEY is not set" in own(text)["qwen3-0-6b"].lacks
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    assert own(text)["qwen3-0-6b"].lacks == "" and "sk-very-secret" not in repr(own(text))


def test_an_embedded_model_from_elsewhere_works(own):
    folder = json.dumps(str(DATA / "models" / "mini-s"))
    own(f'[models.copy]\nengine = "embedded"\nmodel = {folder}\nparameters = 213376')
    assert LocalBackend().engine("copy").parameters == models.find("mini-s").parameters


def test_a_run_that_names_no_temperature_samples_at_its_models(own, tmp_path, capsys):
    asked = ["--strategy", "best_of_n", "--set", "select=majority", "--budget", "1", "--verifier", ""]
    asked += ["--db", f"sqlite:///{tmp_path / 'runs.db'}", "--json"]
    with serving(well_behaved) as server:
        own(f'[models.warm]\n{MODEL}base_url = "{server.url}"\ntemperature = 0.6')
        for more in ([], ["--temperature", "0.2"]):
            assert main(["solve", "--question", "1 + 1?", "--model", "warm", *asked, *more]) == 0
            run = json.loads(capsys.readouterr().out)["run_id"]
            heat = server.asked[-1].body["temperature"]
            assert heat == runs.get(run, db=asked[-2]).spec.temperature == (0.2 if more else 0.6)
    assert checked(RunSpec("1 + 1?", "best_of_n", 1)).temperature == 1.0


def test_an_ensemble_has_its_members_size(own):
    known = own('[verifiers.both]\nkind = "ensemble"\nof = ["mini-prm", "mini-orm"]')
    assert known["both"].parameters == known["mini-prm"].parameters + known["mini-orm"].parameters
    assert known["both"].lacks == ""


MODEL = 'engine = "openai_http"\nmodel = "x"\nparameters = 5\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[models.a", "mine.toml cannot be read"),
        ("x = 1", "mine.toml has 'x'"),
        ("models = 3", "models in mine.toml must be tables"),
        ("[models]\na = 3", "models in mine.toml must be tables"),
        ('[models.a]\nmodel = "x"\nparameters = 5', "[models.a] in mine.toml has no engine"),
        (f"[models.a]\n{MODEL}temprature = 1", "temprature of [models.a] in mine.toml means nothing"),
        (f'[models.a]\n{MODEL}api_key = "sk-1"', "api_key of [models.a] in mine.toml means nothing"),
        (f'[models.a]\n{MODEL}max_tokens = "many"', "max_tokens of [models.a] in mine.toml must be a whole number"),
        (f"[models.a]\n{MODEL}max_tokens = true", "max_tokens of [models.a] in mine.toml must be a whole number"),
        (f"[models.a]\n{MODEL}top_p = 1.5", "top_p of [models.a] in mine.toml must be between 0 and 1, not 1.5"),
        (f"[models.a]\n{MODEL}temperature = nan", "temperature of [models.a] in mine.toml must be between"),
        (f'[models.a]\n{MODEL}template = "poem"', "template of [models.a] in mine.toml must be one of chat"),
        (f'[models.a]\n{MODEL}stop = ["a", 3]', "stop of [models.a] in mine.toml must be a list of texts"),
        (f'[models.a]\n{MODEL}base_url = "localhost:8000"', "an address of [models.a] in mine.toml must begin with"),
        (f'[models.a]\n{MODEL}base_url = "http://me:key@host"', "hold no user or key"),
        (f"[models.mini-s]\n{MODEL}", "mine.toml names 'mini-s', which another"),
        ('[verifiers.v]\nmodel = "mini-s"', "[verifiers.v] in mine.toml has no kind"),
        ('[verifiers.v]\nkind = "judge"\nmodel = "nobody"', "model of [verifiers.v] in mine.toml names 'nobody'"),
        ('[verifiers.v]\nkind = "policy"', "kind of [verifiers.v] in mine.toml must be a verifier's"),
        ('[verifiers.v]\nkind = "ensemble"\nof = ["mini-prm", "no"]', "of of [verifiers.v] in mine.toml names 'no'"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_table_and_key(own, text, sentence):
    with pytest.raises(UserError) as raised:
        own(text)
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_is_not_there(own, monkeypatch, tmp_path):
    monkeypatch.setenv("TTC_MODELS", str(tmp_path / "nothing.toml"))
    settings.cache_clear()
    with pytest.raises(UserError, match="which TTC_MODELS names"):
        models.catalogue()


def test_the_verb_lists_what_is_not_set_up(capsys):
    assert main(["models", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["mini-s"]["ready"] is True and shown["qwen3-0-6b"]["ready"] is False
    assert main(["verifiers"]) == 0
    assert "no server: set base_url" in capsys.readouterr().out


REAL = '[models.far]\nengine = "openai_http"\nmodel = "x"\nparameters = 5\nbase_url = "http://127.0.0.1:9"\n'
ENSEMBLE = '[verifiers.both]\nkind = "ensemble"\nof = ["self_certainty", "mini-implicit"]\n'


@pytest.mark.parametrize("verifier", ["mini-implicit", "mini-prm", "both"])
def test_a_bundled_verifier_does_not_judge_what_it_cannot_read(own, verifier):
    """It would score every solution alike, without an error."""
    own(REAL + ENSEMBLE)
    with pytest.raises(UserError, match=f"{verifier} reads only what the bundled models write") as refused:
        checked(RunSpec("How many?", "best_of_n", 4, model="far", verifier=verifier))
    assert "self_certainty" in refused.value.hint
    for kept in ("self_certainty", ""):
        asked = RunSpec("How many?", "best_of_n", 4, params={"select": "majority"}, model="far", verifier=kept)
        assert checked(asked).verifier == kept
    assert checked(RunSpec("How many?", "best_of_n", 4, model="mini-s", verifier=verifier)).verifier == verifier


def test_what_a_table_does_not_say_of_a_real_model(own, monkeypatch):
    monkeypatch.setenv("TTC_PATIENCE", "60")
    own(REAL)
    options = LocalBackend().engine("far").options
    assert options.max_tokens == 2048 and options.deadline == 60
