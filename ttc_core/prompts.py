"""How real models are asked: a conversation that wants a boxed answer, a bare question, or four worked examples first.

The examples follow the form of the paper (Snell et al. 2024, section 4, after Lewkowycz et al. 2022, Minerva): problem,
solution step by step, "Final Answer". They are our own.
"""

from __future__ import annotations

from collections.abc import Sequence

from ttc_core.jobs import Message
from ttc_core.types import Ask, Problem

BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
LETTER = 'Please reason step by step, and end with a line "Answer: X", where X is the letter of the right choice.'
WORDS = 'Please reason step by step, and end with a line "Answer: ..." that holds the final answer alone.'
WANTED = {"choice": LETTER, "text": WORDS}  # by grader; the others read a boxed answer
AGAIN = "Look at your solution again. If something in it is wrong, write a better one; otherwise write it anew."
CRITIQUE = "Criticise your solution step by step: say which steps are wrong and why, or that all are right."
REWRITE = "Write a better solution that takes the criticism into account."
FINAL = "Final Answer:"  # what the last step of a solution in the few-shot form begins with
DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"  # Llama 3.1's system turn begins so
NEXT = "Problem:"  # where a model that imitates the examples begins another one
EXAMPLES = (
    (
        "Find all values of $x$ for which $x^2 - 7x + 12 = 0$. Give the larger one.",
        "The left side factors as $(x - 3)(x - 4)$, because $3 + 4 = 7$ and $3 \\cdot 4 = 12$.\n\n"
        "A product is zero only when a factor is, so $x = 3$ or $x = 4$.\n\n"
        "The larger of the two is 4.",
        "4",
    ),
    (
        "A bag holds 5 red and 3 blue marbles. Two are drawn without putting the first back. "
        "What is the probability that both are red?",
        "The first marble is red with probability $\\frac{5}{8}$.\n\n"
        "Then 4 red marbles are left among 7, so the second is red with probability $\\frac{4}{7}$.\n\n"
        "The product is $\\frac{5}{8} \\cdot \\frac{4}{7} = \\frac{20}{56} = \\frac{5}{14}$.",
        "\\frac{5}{14}",
    ),
    (
        "A rectangle is 3 times as long as it is wide, and its perimeter is 48. What is its area?",
        "Let the width be $w$; then the length is $3w$.\n\n"
        "The perimeter is $2(w + 3w) = 8w = 48$, so $w = 6$ and the length is 18.\n\n"
        "The area is $6 \\cdot 18 = 108$.",
        "108",
    ),
    (
        "What is the remainder when $2^{10} + 5$ is divided by 9?",
        "Since $2^3 = 8$ leaves the remainder $-1$, $2^9 = (2^3)^3$ leaves $(-1)^3 = -1$.\n\n"
        "So $2^{10} = 2 \\cdot 2^9$ leaves $-2$, and $2^{10} + 5$ leaves $-2 + 5 = 3$.",
        "3",
    ),
)


def conversation(
    problem: Problem, attempts: Sequence[str] = (), ask: Ask = "", system: str = ""
) -> tuple[Message, ...]:
    """The conversation behind which the assistant writes its solution, or its next attempt in sight of others.

    With `ask` the attempts are solutions and critiques in turn.
    """
    wanted = WANTED.get(str(problem.metadata.get("grader", "")), BOXED)
    turns: list[Message] = [("system", system)] if system else []
    turns.append(("user", f"{problem.question.strip()}\n\n{wanted}"))
    for number, attempt in enumerate(attempts, 1):
        turns.append(("assistant", attempt.strip()))
        last = number == len(attempts)
        if last and ask:
            turns.append(("user", CRITIQUE if ask == "critique" else REWRITE))
        elif ask:
            turns.append(("user", CRITIQUE if number % 2 else REWRITE))
        else:
            turns.append(("user", AGAIN))
    return tuple(turns)


def text(problem: Problem, few_shot: bool, step: str = "\n\n") -> str:
    """The text that the solution continues: the question alone, or behind four worked examples."""
    if not few_shot:
        return problem.question.strip() + step
    shown = [
        f"{NEXT}\n{question}\n\nSolution:\n{solution}\n\n{FINAL} The final answer is ${answer}$. I hope it is correct."
        for question, solution, answer in EXAMPLES
    ]
    whole = "\n\n\n".join((*shown, f"{NEXT}\n{problem.question.strip()}\n\nSolution:\n"))
    return whole if step == "\n\n" else whole.replace("\n\n", step)


def rendered(messages: Sequence[Message], form: str, answer: bool) -> str:
    """A conversation in a known template; answer: up to where the assistant's answer begins.

    "chatml"; "llama3", which Llama 3 has and RLHFlow trained its models in; "llama3.1", which always begins with a
    system turn that names two dates. The second is today's in Llama 3.2's own template: here it is the one that it
    falls back to, as in Llama 3.1's, so that equal searches send equal prompts on other days.
    """
    if not form.startswith("llama3"):
        turns = [f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in messages]
        return "".join(turns) + ("<|im_start|>assistant\n" if answer else "")
    said = [(role, content.strip()) for role, content in messages]
    if form == "llama3.1":
        system = said.pop(0)[1] if said and said[0][0] == "system" else ""
        said.insert(0, ("system", DATES + system))
    head = "<|start_header_id|>{}<|end_header_id|>\n\n"
    turns = [f"{head.format(role)}{content}<|eot_id|>" for role, content in said]
    return "<|begin_of_text|>" + "".join(turns) + (head.format("assistant") if answer else "")
