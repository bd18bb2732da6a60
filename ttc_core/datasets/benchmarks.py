"""The benchmarks people report: what their files look like, how their answers are graded, how to know them again.

None is shipped. `python -m ttc_core datasets add math500 FILE` takes a file, and without FILE the hub's copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """A data set that is known by name.

    grader     of its answers; it also says how a prompt asks for them: "math" boxed, "choice" a letter
    problems   how many there are
    digest     `digest` of its questions and answers where a copy was at hand, "" where none was
    hub        repository, configuration (None: the default) and split on the Hugging Face hub
    convert    from a row of its files to one with "question" and "answer"; None leaves the row out
    """

    about: str
    grader: str
    problems: int
    hub: tuple[str, str | None, str]
    digest: str = ""
    convert: Callable[[Row], Row | None] = lambda row: row


def digest(pairs: list[tuple[str, str]]) -> str:
    """SHA-256 of (question, answer) pairs, whatever their order and the blanks around them."""
    lines = sorted(f"{question.strip()}\0{answer.strip()}\n" for question, answer in pairs)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _after_hashes(row: Row) -> Row:
    """GSM8K: the answer is a solution that ends in "#### 18"."""
    solution, hashes, answer = str(row.get("answer", "")).rpartition("####")
    return {**row, "solution": solution.strip(), "answer": answer.strip()} if hashes else row


def _text_only(row: Row) -> Row | None:
    """OlympiadBench: a list of final answers; problems with pictures and proofs are left out."""
    if any(row.get(key) for key in ("image", "images", "image_1")) or row.get("modality") == "Multimodal":
        return None
    answers = row.get("final_answer")
    if not answers:
        return None
    given = [answers] if isinstance(answers, str) else answers
    return {**row, "answer": ", ".join(str(answer).strip().strip("$") for answer in given)}


def _shuffled(row: Row) -> Row:
    """GPQA: a question, its right answer and three wrong ones, here in an order made from their text."""
    right = row.get("Correct Answer")
    wrong = [row.get(f"Incorrect Answer {i}") for i in (1, 2, 3)]
    if right is None or None in wrong:
        return row
    question = str(row.get("Question", "")).strip()
    choices = [str(choice).strip() for choice in (right, *wrong)]
    order = sorted(choices, key=lambda choice: hashlib.sha256(f"{question}\0{choice}".encode()).digest())
    listed = "\n".join(f"{letter}) {choice}" for letter, choice in zip("ABCD", order, strict=True))
    kept = {key: row[key] for key in ("Record ID", "Subdomain", "High-level domain") if key in row}
    return {**kept, "question": f"{question}\n\n{listed}", "answer": "ABCD"[order.index(choices[0])]}


BENCHMARKS: Mapping[str, Benchmark] = {
    "math500": Benchmark(
        "MATH-500: 500 competition problems of the MATH test set (Lightman et al. 2023, the split of PRM800K).",
        "math", 500, ("HuggingFaceH4/MATH-500", None, "test"),
        digest="01f2deec666955b29519de871bdd283b677998382a7b746793ab5bae0ff8ddbd",
    ),
    "gsm8k": Benchmark(
        "GSM8K: 1,319 grade-school word problems (Cobbe et al. 2021, the test set).",
        "math", 1319, ("openai/gsm8k", "main", "test"),
        digest="2fcf662fe6ff9b4e332fff23e6d22c6e816d68d0fd7da0a20020980413efc330", convert=_after_hashes,
    ),
    "aime24": Benchmark(
        "AIME 2024: 30 problems of the American Invitational Mathematics Examination.",
        "math", 30, ("HuggingFaceH4/aime_2024", None, "train"),
        digest="0927275e983969a66aa7741e81f3cafd6c930cd2f52c90b423c13d3f08a2604c",
    ),
    "aime25": Benchmark(
        "AIME 2025: 30 problems of the American Invitational Mathematics Examination.",
        "math", 30, ("math-ai/aime25", None, "test"),
    ),
    "amc23": Benchmark(
        "AMC 2023: 40 problems of the American Mathematics Competitions whose answer is a number.",
        "math", 40, ("math-ai/amc23", None, "test"),
    ),
    "olympiadbench": Benchmark(
        "OlympiadBench: 674 olympiad problems of mathematics in English, without pictures (He et al. 2024).",
        "math", 674, ("Hothan/OlympiadBench", "OE_TO_maths_en_COMP", "train"), convert=_text_only,
    ),
    "gpqa-diamond": Benchmark(
        "GPQA Diamond: 198 questions of graduate science with four choices (Rein et al. 2023).",
        "choice", 198, ("Idavidrein/gpqa", "gpqa_diamond", "train"), convert=_shuffled,
    ),
}  # fmt: skip
