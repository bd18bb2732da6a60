"""Bundles: the same bytes for the same study, the same study elsewhere, and nothing of a hostile file."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import zipfile

import pytest

from tests.unit.test_cli import ttc, url  # noqa: F401 (fixtures)
from ttc_core import importing, runs, saved_figures, studies
from ttc_core.bundle import archive, provenance, reading, writing
from ttc_core.drawing.looks import Look
from ttc_core.errors import UserError
from ttc_core.models import ModelCard
from ttc_core.store import migrate
from ttc_core.store.database import Database

STUDY = """
name = "carried"
datasets = [{ name = "mini-test", problems = 4 }]
models = ["mini-s"]
verifiers = ["mini-implicit"]
budgets = [1, 2]
pool = 4
keep_trees = "sample:1"
[[strategies]]
name = "best_of_n"
[[strategies]]
name = "beam_search"
set = { width = 2 }
[[strategies]]
name = "lookahead_search"      # its rollouts have names of their own in the tree
set = { k = 1 }
budgets = [2]
"""
DRAWN = writing.Drawn(formats=["svg", "csv"], dpi=40, resamples=10)
DRAWING = {"preset": "acl", "family": "", "formats": ["csv"], "dpi": 40, "resamples": 10}
FIRST, NODES = "tables/outcomes.jsonl", "tables/nodes.jsonl"


def database(folder):
    db = f"sqlite:///{folder / 'x.db'}"
    migrate.ensure(Database(db))
    return db


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A database with a finished study whose keys are not the first, and its bundle."""
    folder = tmp_path_factory.mktemp("made")
    db = database(folder)
    studies.start(STUDY.replace("carried", "before"), db=db)
    studies.start(STUDY, db=db)
    studies.work("carried", db=db)
    saved_figures.save("main", Look("difficulty", "carried", "acl", title="Mine"), db=db)
    saved_figures.save("elsewhere", Look("difficulty", "before"), db=db)
    writing.write("carried", folder / "carried.zip", DRAWN, db=db)
    return db, folder / "carried.zip"


def content(path):
    with zipfile.ZipFile(path) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def changed(source, target, change, sums=True, **info):
    """A copy of a zip file with other content; sums: with sums to match."""
    files = content(source)
    del files[archive.SUMS]
    change(files)
    if sums:
        lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
        files[archive.SUMS] = "".join(lines).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            for key, value in info.items():
                setattr(entry, key, value)
            zipped.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return target


def test_a_study_is_the_same_elsewhere_and_so_is_its_bundle(made, tmp_path):
    source, path = made
    target = database(tmp_path)
    studies.start(STUDY.replace("carried", "here"), db=target)
    assert reading.add(path, db=target) == reading.Added("carried", {})
    one, two = studies.outcomes("carried", db=source), studies.outcomes("carried", db=target)
    assert len(one) == 20 and one.drop(columns="run").equals(two.drop(columns="run"))
    assert (one["run"].notna() == two["run"].notna()).all()
    was, now = (runs.nodes(frame["run"].dropna().iloc[0], db=db).nodes for frame, db in ((one, source), (two, target)))
    assert was == now
    assert studies.describe("carried", db=target)["source"] == STUDY
    assert saved_figures.listing(db=target) == saved_figures.listing("carried", db=source) != {}
    writing.write("carried", tmp_path / "again.zip", DRAWN, db=target)
    assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()


def test_it_holds_what_it_takes_to_check_it(made, tmp_path):
    files = content(made[1])
    about, cards = json.loads(files["bundle.json"]), json.loads(files["models.json"])
    assert about["asked"]["seeds"] == [0] and about["asked"]["verifiers"] == ["mini-implicit"]
    assert about["graders"]["of the grades"] == list(about["graders"]["here"].values())
    assert about["software"]["packages"]["numpy"] and about["software"]["revision"]
    assert set(cards) == {"mini-s", "mini-m", "mini-implicit"}  # the verifier reads both
    weights = provenance.models.find("mini-s").folder / "model.safetensors"
    assert cards["mini-s"]["sha256"]["model.safetensors"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert files["study.toml"].decode() == STUDY and files["data/outcomes.parquet"][:4] == b"PAR1"
    drawn = {name for one in about["figures"] for name in one["files"]}
    assert {f"figures/{name}" for name in drawn} == {name for name in files if name.startswith("figures/")}
    with zipfile.ZipFile(made[1]) as zipped:
        assert {entry.date_time for entry in zipped.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        zipped.extractall(tmp_path)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "--quiet", archive.SUMS], cwd=tmp_path, check=True, timeout=60)


def test_the_study_carried_out_anew_has_the_same_answers(made, tmp_path):
    db = database(tmp_path)
    (tmp_path / "study.toml").write_bytes(content(made[1])["study.toml"])
    studies.start(tmp_path / "study.toml", name="carried-again", db=db)
    studies.work("carried-again", db=db)
    old, new = studies.outcomes("carried", db=made[0]), studies.outcomes("carried-again", db=db)
    varying = ["run", "seconds"]
    assert old.drop(columns=varying).equals(new.drop(columns=varying))


def test_the_commands_that_its_readme_names(made, ttc, tmp_path):  # noqa: F811
    text = content(made[1])["README.md"].decode()
    assert f"{writing.PROGRAM} figures --bundle FILE.zip --out figures" in text
    code, out, err = ttc("figures", "--bundle", str(made[1]), "--out", str(tmp_path / "f"), "--json")
    assert code == 0, err
    files = content(made[1])
    assert {p.name for p in (tmp_path / "f").iterdir()} == {n[8:] for n in files if n.startswith("figures/")}
    assert all((tmp_path / "f" / n[8:]).read_bytes() == files[n] for n in files if n.startswith("figures/"))
    assert b"218.16pt" in files["figures/main.svg"] and b"396pt" in files["figures/difficulty.svg"]
    ask = ("figures", "--bundle", str(made[1]), "--out", str(tmp_path / "g"), "--format", "csv", "--json")
    code, out, err = ttc(*ask, "--saved", "main")
    assert code == 0 and [one["files"] for one in json.loads(out)["figures"]] == [["main.csv"]], err
    assert ttc(*ask, "--saved", "other")[0] == 2
    ask = ("figures", "--bundle", str(made[1]), "--out", str(tmp_path / "h"), "--format", "svg", "--saved", "main")
    assert ttc(*ask, "--preset", "neurips")[0] == 0
    assert b"396pt" in (tmp_path / "h" / "main.svg").read_bytes(), "at the size that is asked for"
    renamed = "ttc: the saved figure 'main' is called 'main-2' here: another one has its name\n"
    for name, told in (("carried", ""), ("other", renamed)):  # twice in one database: its trees are runs of their own
        code, out, err = ttc("import", "bundle", str(made[1]), "--study", name, "--json")
        assert code == 0 and json.loads(out)["id"] == name and err.endswith(told) and ("main" in err) is bool(told)
    code, out, err = ttc("import", "bundle", str(made[1]))
    assert (code, out) == (2, "") and "already" in err and err.count("\n") == 1
    code, out, err = ttc("bundle", "--study", "other", "--out", str(tmp_path / "o.zip"), "--format", "csv", "--json")
    assert code == 0 and json.loads(out)["study"] == "other", err
    assert b"sweep FOLDER/study.toml --name other-again" in content(tmp_path / "o.zip")["README.md"]
    for words, sentence in [
        (["--study", "nope"], "no study is called 'nope'"),
        (["--out", str(tmp_path / "no" / "x.zip")], "cannot be written"),
        (["--preset", "nature"], "no preset is called 'nature'"),
        (["--resamples", "0"], "resamples are from 1"),
    ]:
        ask = {"--study": "other", "--out": str(tmp_path / "z.zip"), **dict([words])}
        code, out, err = ttc("bundle", *[word for pair in ask.items() for word in pair])
        assert (code, out) == (2, "") and sentence in err and err.count("\n") == 1, err
        assert not (tmp_path / "z.zip").exists()


def test_what_was_imported_says_what_it_can_be_made_of_and_how_it_is_graded(tmp_path):
    db = database(tmp_path)
    tree = {"question": "2 + 2?", "final_answer": "x + 1", "reasoning_steps": {
        "text": "2 + 2?", "children": [{"text": "so \\boxed{x + 1}", "mc_value": 0.5, "children": []}],
    }}  # fmt: skip
    (tmp_path / "tree.jsonl").write_text(json.dumps(tree) + "\n")
    samples = {"id": "1", "question": "?", "answer": "4", "samples": [{"answer": "4", "score": 0.5}]}
    (tmp_path / "samples.jsonl").write_text(json.dumps(samples) + "\n")
    importing.add("openr_tree", tmp_path / "tree.jsonl", "it's", "trees", db=db)
    importing.add("samples", tmp_path / "samples.jsonl", "it's", "samples", db=db)
    for name, graders in (("trees", {"math"}), ("samples", {"numeric"})):
        about = writing.write(name, tmp_path / f"{name}.zip", DRAWN, db=db)
        text = content(tmp_path / f"{name}.zip")["README.md"].decode()
        assert about["graders"]["here"].keys() == graders
        assert ("import samples FOLDER/data/samples.jsonl --dataset 'it'\"'\"'s'" in text) is (name == "samples")
        assert "import bundle FILE.zip" in text


def test_a_study_under_way_is_not_bundled(made, tmp_path):
    with pytest.raises(UserError, match="still under way"):
        writing.write("before", tmp_path / "x.zip", DRAWN, db=made[0])
    studies.pause("before", db=made[0])
    with pytest.raises(UserError, match="no outcomes"):
        writing.write("before", tmp_path / "x.zip", DRAWN, db=made[0])


def test_what_was_not_carried_out_waits_to_be_resumed(made, tmp_path):
    def reopen(files):
        rows = [json.loads(line) for line in files["tables/units.jsonl"].splitlines()]
        rows[-1]["status"] = "pending"
        files["tables/units.jsonl"] = b"\n".join(json.dumps(row).encode() for row in rows)

    target = database(tmp_path)
    reading.add(changed(made[1], tmp_path / "open.zip", reopen), db=target)
    assert studies.progress("carried", db=target).status == "paused"


def lines(change, table=FIRST):
    """A change of a table's rows."""

    def apply(files):
        rows = [json.loads(line) for line in files[table].splitlines()]
        change(rows)
        files[table] = b"\n".join(json.dumps(row).encode() for row in rows)

    return apply


def put(name, data):
    return lambda files: files.__setitem__(name, data)


def about(**values):
    def apply(files):
        files["bundle.json"] = json.dumps({**json.loads(files["bundle.json"]), **values}).encode()

    return apply


HOSTILE = [
    (put("../outside", b"x"), {}, "no bundle has a file called '../outside'"),
    (put("/etc/outside", b"x"), {}, "no bundle has a file called"),
    (put("a\\..\\b", b"x"), {}, "no bundle has a file called"),
    (put("c:x", b"x"), {}, "no bundle has a file called"),
    (lambda files: None, {"external_attr": (stat.S_IFLNK | 0o777) << 16}, "is no plain file"),
    (put(FIRST, b"{}"), {"sums": False}, "SHA256SUMS is missing"),
    (put(archive.SUMS, b"00  x\n"), {"sums": False}, "not in SHA256SUMS"),
    (lambda files: files.pop(FIRST), {}, "tables/outcomes.jsonl is missing"),
    (put("bundle.json", b"[1]"), {}, "not a JSON object"),
    (put("bundle.json", b"[" * 100_000), {}, "no JSON"),
    (about(format="other-9"), {}, "but of 'other-9'"),
    (about(schema="9999"), {}, "it has schema '9999'"),
    (about(schema="base"), {}, "it has schema 'base'"),
    (about(study="else"), {}, "name different studies"),
    (about(drawn={"preset": "neurips"}), {}, "how the figures were drawn"),
    (about(drawn=DRAWING | {"saved": []}), {}, "how the figures were drawn"),
    (about(drawn=DRAWING | {"saved": {"../x": {"figure": "costs"}}}), {}, "the name '../x' must be letters"),
    (about(drawn=DRAWING | {"saved": {"frontier": {"figure": "costs"}}}), {}, "is that of another figure"),
    (about(drawn=DRAWING | {"saved": {"x": {"figure": "costs", "title": 1}}}), {}, "'title' of a look"),
    (put(FIRST, b"\xff\n"), {}, "tables/outcomes.jsonl, line 1: no JSON"),
    (lines(lambda rows: rows[0].pop("budget")), {}, "line 1: 'budget' is missing"),
    (lines(lambda rows: rows[0].update(budget="4; DROP TABLE runs")), {}, "'budget' has the wrong type"),
    (lines(lambda rows: rows[0].update({'x") VALUES (1); --': 1})), {}, "is no column"),
    (lines(lambda rows: rows[2].update(budget=2**70)), {}, "line 3: 'budget' has the wrong type"),
    (lines(lambda rows: rows[0].update(method=999)), {}, "do not belong together"),
    (lines(lambda rows: rows[0].update(run="elsewhere")), {}, "a search that is not there"),
    (lines(lambda rows: rows.append(rows[0])), {}, "do not belong together"),
    (lines(lambda rows: rows[0].update(state=99), NODES), {}, "cannot be read"),
    (lines(lambda rows: rows[0].update(state=-1), NODES), {}, "'state' has the wrong type"),
    (lines(lambda rows: rows[0].update(scores={"base64": "AAE="}), NODES), {}, "cannot be read"),
    (put("tables/pools.jsonl", b""), {}, None),  # fewer tables are a smaller study
    (put("tables/studies.jsonl", b""), {}, "do not belong together"),
]


@pytest.mark.parametrize(("change", "options", "sentence"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_is_refused_in_one_sentence(change, options, sentence, made, tmp_path):
    target = database(tmp_path)
    path = changed(made[1], tmp_path / "x.zip", change, **options)
    if sentence is None:
        assert reading.add(path, db=target) == reading.Added("carried", {})
        return
    with pytest.raises(UserError) as raised:
        reading.add(path, db=target)
    assert sentence in str(raised.value) and "\n" not in str(raised.value)
    assert studies.listing(db=target) == [] and runs.listing(db=target).total == 0
    assert not (tmp_path.parent / "outside").exists()


def test_a_damaged_or_cut_file_is_refused(made, tmp_path):
    whole = bytearray(made[1].read_bytes())
    path, step = tmp_path / "x.zip", len(whole) // 40
    for cut in range(0, len(whole), step):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError):
            archive.Archive(path)
    for place in range(40, len(whole), step):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            zipped = archive.Archive(path)  # only what nobody reads may have changed, such as a time
        except UserError:
            continue
        assert {name: zipped.read(name) for name in zipped.names()} == content(made[1])
        zipped.close()


def test_what_unpacks_to_too_much_is_refused(made, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1 << 22)
    bomb = changed(made[1], tmp_path / "bomb.zip", put("data/x", bytes(1 << 23)))
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(UserError, match="unpacked it has more than"):
        archive.Archive(bomb)
    monkeypatch.setattr(archive, "MAX_SMALL", 100)
    with pytest.raises(UserError, match="has more than 0 MiB"):
        archive.Archive(made[1])


def test_a_size_that_lies_is_refused(made, tmp_path):
    """The directory of the file says 10 bytes of a file that unpacks to more."""
    path = tmp_path / "x.zip"
    path.write_bytes(made[1].read_bytes())
    with zipfile.ZipFile(path) as zipped:
        size = zipped.getinfo(FIRST).file_size
    raw, entry = path.read_bytes(), FIRST.encode()
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(entry))
    path.write_bytes(raw[: at + 24] + (10).to_bytes(4, "little") + raw[at + 28 :])
    with zipfile.ZipFile(path) as zipped:
        assert size > 10 == zipped.getinfo(FIRST).file_size
    with pytest.raises(UserError, match="damaged|checksum"):
        archive.Archive(path)


def test_a_card_does_not_say_where_a_model_runs_or_where_its_key_lies(tmp_path, monkeypatch):
    where = {"endpoints": ["http://127.0.0.1:8123"], "base_url": "http://127.0.0.1:8124"}
    where |= {"key_env": "A_SECRET_PLACE", "key_file": "/a/secret/place"}
    card = ModelCard("far", "policy", "openai_http", 7, tmp_path, {"model": "x", **where})
    monkeypatch.setattr(provenance.models, "catalogue", lambda: {"far": card})
    found = provenance.cards(["far"])
    assert found["far"]["card"] == {"model": "x"}
