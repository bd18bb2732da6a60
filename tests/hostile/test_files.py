"""Files of strangers: weights, packed tables, names that lead elsewhere, too much of anything."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys

import pytest

from ttc_core import importing, models, runs, studies
from ttc_core.backend import LocalBackend
from ttc_core.datasets import reading
from ttc_core.datasets.reading import BadFile
from ttc_core.engines.embedded.llama import Llama
from ttc_core.errors import EngineFault, UserError
from ttc_core.settings import DATA, REPOSITORY, settings
from ttc_core.store.database import database

# --- weights ---------------------------------------------------------------------------------------------------------

RAW = (DATA / "models" / "mini-s" / "model.safetensors").read_bytes()
LENGTH = struct.unpack("<Q", RAW[:8])[0]
HEAD = json.loads(RAW[8 : 8 + LENGTH])


def headed(**change):
    """The file with each tensor's entry changed."""
    text = json.dumps(
        {name: {**entry, **change} if "dtype" in entry else entry for name, entry in HEAD.items()}
    ).encode()
    return struct.pack("<Q", len(text)) + text + RAW[8 + LENGTH :]


WEIGHTS = {
    "empty": b"", "cut in the length": RAW[:7], "cut in the header": RAW[:100],
    "cut in the middle": RAW[: len(RAW) // 2],
    "one byte short": RAW[:-1], "one byte long": RAW + b"x",
    "a header of 2^63 bytes": struct.pack("<Q", 2**63) + RAW[8:],
    "a header beyond the end": struct.pack("<Q", 2 * len(RAW)) + RAW[8:],
    "no JSON": RAW[:8] + b"x" * LENGTH + RAW[8 + LENGTH :],
    "brackets": struct.pack("<Q", 200_000) + b"[" * 200_000, "a pickle": b"\x80\x04cos\nsystem\n." * 99,
    "a zip": b"PK\x03\x04" * 99, "offsets": headed(data_offsets=[0, 2**62]), "negative": headed(data_offsets=[-1, 5]),
    "shapes": headed(shape=[2**40, 2**40]), "overlapping": headed(data_offsets=[0, 4]), "dtype": headed(dtype="X9"),
    "other shapes": headed(shape=[1]), "no tensors": struct.pack("<Q", 2) + b"{}",
}  # fmt: skip
CONFIGS = {
    "hidden_size": (0, -1, "x", None, 10**30), "num_attention_heads": (0, 10**9), "num_hidden_layers": (10**9, -1),
    "max_position_embeddings": (0, -5, 10**12, "x"), "rope_scaling": ({"type": "x"},), "model_type": ("other",),
}  # fmt: skip


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(DATA / "models" / "mini-s", tmp_path / "mini-s")


@pytest.mark.parametrize("name", WEIGHTS)
def test_broken_weights_are_refused(model, name):
    (model / "model.safetensors").write_bytes(WEIGHTS[name])
    with pytest.raises(EngineFault, match="cannot be loaded"):
        Llama(model)


@pytest.mark.parametrize("key", CONFIGS)
def test_a_hostile_configuration_is_refused(model, key):
    known = json.loads((model / "config.json").read_text())
    for value in CONFIGS[key]:
        (model / "config.json").write_text(json.dumps({**known, key: value}))
        if key == "num_hidden_layers" and value == -1:
            continue  # a model of no layers: small, if useless
        with pytest.raises(EngineFault):
            Llama(model)
    (model / "config.json").write_text('{"a":' * 50_000)
    with pytest.raises(EngineFault):
        Llama(model)


@pytest.fixture
def family(tmp_path, monkeypatch):
    """A copy of the bundled models, in use."""
    copied = shutil.copytree(DATA / "models", tmp_path / "models")
    monkeypatch.setenv("TTC_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    yield copied
    settings.cache_clear()


def test_weights_are_the_recorded_ones(family):
    cards = models.catalogue()
    assert [name for name, card in cards.items() if models.as_recorded(card) is False] == []
    assert models.as_recorded(cards["mini-s"]) is True
    weights = family / "mini-s" / "model.safetensors"
    weights.write_bytes(RAW[:-1] + bytes([RAW[-1] ^ 1]))
    assert models.as_recorded(models.catalogue()["mini-s"]) is False


@pytest.mark.parametrize("place", [8 + LENGTH, len(RAW) // 2, len(RAW) - 1])
def test_a_changed_bit_of_recorded_weights_is_refused_where_they_are_loaded(family, place):
    assert Llama(family / "mini-s").parameters
    changed = bytearray(RAW)
    changed[place] ^= 1
    (family / "mini-s" / "model.safetensors").write_bytes(changed)
    with pytest.raises(EngineFault, match="another file than SHA256SUMS records"):
        LocalBackend().engine("mini-s")
    with pytest.raises(EngineFault, match="another file"):
        Llama(family / "mini-s")
    assert Llama(family / "mini-reviser").parameters


def test_weights_of_ones_own_load_with_a_note(family, caplog):
    own = (family / "mini-s").rename(family / "own")
    (own / "model.safetensors").write_bytes(RAW[:-1] + bytes([RAW[-1] ^ 1]))
    with caplog.at_level("INFO"):
        assert Llama(own).parameters
    assert "own: no sum is recorded" in caplog.text
    with caplog.at_level("INFO"):
        caplog.clear()
        assert Llama(family / "mini-m").parameters and not caplog.text


# --- tables ----------------------------------------------------------------------------------------------------------


def parquet(path, rows, value):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"question": pa.array([value] * rows), "answer": pa.array(["1"] * rows)})
    pq.write_table(table, path, compression="zstd")


def test_a_small_file_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    """A value of 15 kB stands in the file once and in each of 2,000 rows: 30 MB from 3 kB; the cap is set to 4 MiB."""
    monkeypatch.setattr(reading, "MAX_BYTES", 4 << 20)
    path = tmp_path / "bomb.parquet"
    parquet(path, 2_000, "x" * 15_000)
    assert path.stat().st_size < 5_000
    with pytest.raises(BadFile, match="unpacks to more than 4 MiB"):
        reading.rows(path)
    parquet(path, 200, "x" * 15_000)
    assert len(reading.rows(path)) == 200


@pytest.mark.parametrize(
    ("suffix", "text"),
    [(".json", f'[{{"question": "?", "answer": "1", "x": [{"[]," * 300}1]}}]'),
     (".jsonl", f'{{"question": "?", "answer": "1", "x": [{"{}," * 300}1]}}'),
     (".jsonl", f'{{"question": "?", "answer": "1", "x": [{"[]," * 9}1]}}\n' * 30)],
    ids=["a document", "a line", "many lines"],
)  # fmt: skip
def test_a_data_set_of_brackets_is_refused_before_it_is_parsed(tmp_path, monkeypatch, suffix, text):
    path = tmp_path / f"x{suffix}"
    path.write_text(text)
    assert reading.rows(path)
    monkeypatch.setattr(reading, "MAX_BRACKETS", 300)
    with pytest.raises(BadFile, match="more than 300 brackets"):
        reading.rows(path)


def test_caps_on_rows_lines_and_nesting(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "MAX_LINE", 5000)
    monkeypatch.setattr(importing, "MAX_PROBLEMS", 3)
    db = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=db)
    row = {"id": "0", "question": "?", "samples": [{"answer": "1", "correct": True}]}
    deep = "[" * 2000 + "]" * 2000
    for lines, says in (
        ([json.dumps({**row, "k": "x" * 5000})], "in one line"),
        ([json.dumps(row)[:-1] + f', "k": {deep}}}'], "brackets too deep"),
        ([json.dumps({**row, "id": str(i)}) for i in range(4)], "more than 3 problems"),
        ([json.dumps(row)[:-1] + f', "k": {"[" * 499}'], "no JSON"),
    ):
        path = tmp_path / "s.jsonl"
        path.write_text("\n".join(lines))
        with pytest.raises(UserError, match=says):
            importing.add("samples", path, "d", "s", db=db)
    assert not studies.exists("s", db=db)
    database(db).close()


# --- names and places ------------------------------------------------------------------------------------------------

NAMES = ("../x", "..", ".", "/etc/passwd", "a/../../x", "%2e%2e%2fx", "%252e%252e%252fx",
         "..\\x", "C:\\x", "CON", "a\x00b",
         "a\nb", "x" * 300, "", " ", "~root", "$HOME", "-rf", "a:b", "\u202ex", "\uff0e\uff0e\uff0fx")  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    data = tmp_path / "data"
    (data / "problems").mkdir(parents=True)
    monkeypatch.setenv("TTC_DATA_DIR", str(data))
    settings.cache_clear()
    yield data
    settings.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_data_folder(folder, tmp_path, name):
    file = tmp_path / "x.jsonl"
    file.write_text('{"question": "?", "answer": "1"}\n')
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError):
        runs.add_dataset(name, file)
    with pytest.raises(UserError):
        importing.add("samples", file, "d", name or " ")
    with pytest.raises(UserError):
        studies.start(f"name = {json.dumps(name)}\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_is_not_written_through(folder, tmp_path):
    """What a link in the data folder points to stays as it is: names are taken, never opened for writing."""
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    (folder / "problems" / "linked.jsonl").symlink_to(outside)
    file = tmp_path / "x.jsonl"
    file.write_text('{"question": "?", "answer": "1"}\n')
    with pytest.raises(UserError):
        runs.add_dataset("linked", file)
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/proc/self/mem", "."])
def test_devices_and_folders_are_no_files(tmp_path, path):
    db = f"sqlite:///{tmp_path / 'x.db'}"
    runs.ensure_database(db=db)
    with pytest.raises(UserError):
        importing.add("samples", REPOSITORY / path, "d", "s", db=db)
    with pytest.raises(UserError):
        reading.rows(REPOSITORY / path)
    database(db).close()


# --- supply ----------------------------------------------------------------------------------------------------------


def test_every_package_has_a_licence_that_goes_with_ours():
    run = [sys.executable, "-m", "benchmarks.sbom"]
    done = subprocess.run(run, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = {one["name"]: one["version"] for one in json.loads(done.stdout)["components"]}
    assert {"streamlit", "sqlalchemy", "numpy", "httpcore"} <= set(listed) and "pytest" not in listed
