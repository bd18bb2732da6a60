"""The limited process that parses mathematical answers with math-verify; started by `pool`, never imported.

Answers are text of strangers. Each is parsed as LaTeX, never as Python: sympy's reader of plain expressions ends in
`eval`, so it is replaced by one that knows numbers. What may go wrong goes wrong here: memory, files and processor time
are limited by the kernel, and once everything is loaded an audit hook refuses to run text, to start a program, to open
a connection and to write a file.

One JSON object a line in, one out: {"spell": answer} -> {"spelling": text or null}, {"gold": g, "answer": a} ->
{"right": true, false or null}; {"failed": why} when the limits were reached; "seconds" of processor time.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

MEMORY = 256 << 20  # bytes of address space
SECONDS = 2.0  # of processor time for a request, whatever else the machine does meanwhile
GRACE = 1  # further seconds after which the kernel ends a process that does not even notice that its time is up
MOST_FACTORS = 5_000  # of a factorial, likewise
MOST_BITS = 100_000  # of a power of whole numbers; a larger one is no answer, and making it takes all there is
_FORBIDDEN = (  # beginnings of audit events
    *("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.kill", "os.remove", "os.rename", "os.mkdir"),
    *("os.putenv", "subprocess.", "socket.", "shutil.", "ctypes.", "pty.", "webbrowser.", "urllib."),
)
# Modules that run text which they wrote themselves, from names of fields and from how many variables there are.
_WRITERS = ("/collections/__init__.py", "/dataclasses.py", "/sympy/polys/monomials.py")
_IMAGINARY = re.compile(r"(?<=[0-9})])\s*i(?![a-zA-Z])")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_WORD = re.compile(r"[A-Za-z]{3,}(?:[ '-]+[A-Za-z]{2,})*")
_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mbox)\s*\{([^{}\\]*)\}")


class OutOfTime(BaseException):
    """The request's time is up; no `except Exception` may swallow it."""


class Refused(BaseException):
    """Something was tried that no answer may bring about."""


class Mathematics:
    """math-verify, loaded and warm."""

    def __init__(self) -> None:
        self.verify_module = importlib.import_module("math_verify")
        self.grader = importlib.import_module("math_verify.grader")
        self.sympy = importlib.import_module("sympy")
        importlib.import_module("sympy.physics.units")  # simplify does so later; its names are read by what is replaced
        logging.disable(logging.CRITICAL)
        self.config = [self.verify_module.LatexExtractionConfig()]
        self._disarm()

    def _disarm(self) -> None:
        reader: Any = importlib.import_module("sympy.parsing.sympy_parser")
        reader.parse_expr, reader.eval_expr = self._number, _refuse
        for name in ("math_verify.parser", "latex2sympy2_extended.latex2sympy2"):
            module: Any = importlib.import_module(name)
            module.parse_expr = self._number
        for kind in (self.sympy.Integer, self.sympy.Rational):
            kind._eval_power = _bounded_power(kind._eval_power)
        for kind in (self.sympy.factorial, self.sympy.factorial2, self.sympy.binomial):
            kind.eval = classmethod(_bounded_product(kind.eval.__func__))

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self, answer: str) -> list[Any]:
        """What an answer means: a sympy value and its text, the text alone, or nothing."""
        text = _IMAGINARY.sub(" i", answer.strip().strip("$"))
        found: list[Any] = self.verify_module.parse(f"${text}$", self.config, parsing_timeout=None, raise_on_error=True)
        return found

    def _number(self, text: str, *args: Any, **options: Any) -> Any:
        """A number in place of sympy's reader, which sees Python: `Number("4")` asks it, and nothing else may."""
        if _WHOLE.fullmatch(text):
            return self.sympy.Integer(int(text))
        if _DECIMAL.fullmatch(text):
            return self.sympy.Float(text)
        return _refuse()

    # --- comparing ---------------------------------------------------------------------------------------------------

    def right(self, gold: str, answer: str) -> bool | None:
        """Whether an answer is equivalent to the right one as math-verify sees it; None when that could not be had."""
        wanted, found = self.read(gold), self.read(answer)
        if not wanted:
            return None
        exhausted = False
        for one in wanted:
            for other in found:
                try:
                    if self.verify_module.verify(one, other, timeout_seconds=None, raise_on_error=True):
                        return True
                except (MemoryError, RecursionError):
                    exhausted = True
                except Exception:  # not comparable and so, as math-verify has it, not equal
                    continue
        return None if exhausted else False

    # --- one spelling ------------------------------------------------------------------------------------------------

    def spelling(self, answer: str) -> str | None:
        """The LaTeX of the simplified answer, None unless it certainly means the same and is spelled so again."""
        word = _WORD.fullmatch(_TEXT.sub(r"\1", answer.strip().strip("$")).strip(" ."))
        if word:
            return self._same(answer, rf"\text{{{' '.join(word[0].lower().split())}}}")
        parsed = self.read(answer)
        if not parsed or isinstance(parsed[0], str):
            return None
        for form in (self._simplest, self._evaluated):
            spelled = self._write(parsed[0], form)
            again = self.read(spelled)
            same = again and not isinstance(again[0], str) and self._write(again[0], form) == spelled
            if same and self._same(answer, spelled):
                return spelled
        return None

    def _same(self, answer: str, spelled: str) -> str | None:
        return spelled if self.right(answer, spelled) and self.right(spelled, answer) else None

    def _write(self, value: Any, form: Callable[[Any], Any]) -> str:
        return " ".join(self.sympy.latex(self._whole(value, form)).split())

    def _whole(self, value: Any, form: Callable[[Any], Any]) -> Any:
        """The value with each of its scalars in this form."""
        s = self.sympy
        if isinstance(value, s.MatrixBase):
            return s.ImmutableMatrix(value.applyfunc(form))
        if self.grader.is_assignment_relation(value):  # x = 5 answers "what is x" as 5 does
            return self._whole(self.grader.take_last_relation(value).rhs, form)
        if isinstance(value, s.Eq):
            difference = form(value.lhs - value.rhs)
            return s.Eq(-difference if difference.could_extract_minus_sign() else difference, 0, evaluate=False)
        if isinstance(value, s.core.relational.Relational):
            return value.func(form(value.lhs), form(value.rhs), evaluate=False).canonical
        if isinstance(value, s.FiniteSet):
            return s.FiniteSet(*(self._whole(one, form) for one in value.args))
        if isinstance(value, s.Interval):
            return s.Interval(form(value.start), form(value.end), value.left_open, value.right_open)
        if isinstance(value, s.Tuple | s.Union | s.Intersection):
            return value.func(*(self._whole(one, form) for one in value.args))
        return form(value) if isinstance(value, s.Expr) else value

    def _evaluated(self, value: Any) -> Any:
        s = self.sympy
        return value.xreplace({f: s.Rational(str(f)) for f in value.atoms(s.Float)}).doit()

    def _simplest(self, value: Any) -> Any:
        """An equal scalar in a form that equal ones mostly share."""
        s = self.sympy
        value = self._evaluated(value)
        if not value.free_symbols:
            return s.radsimp(s.sqrtdenest(s.expand(value)))
        try:
            return s.cancel(value)
        except (s.PolynomialError, NotImplementedError):
            return s.expand(value)


# --- limits ----------------------------------------------------------------------------------------------------------


def limit() -> None:
    """Limit memory, and writing and core files to nothing."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def watch() -> None:
    """From now on refuse to run text as a program, to start one, to open a connection and to write a file."""
    inside = tuple(os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *sys.path) if path)
    inside += tuple(path for path in sys.path if path)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "exec":  # modules loaded late are files of the installation, text of strangers never is
            if str(getattr(args[0], "co_filename", "")).startswith(inside):
                return
            caller = sys._getframe(1).f_code.co_filename
            if not (caller.startswith(inside) and caller.endswith(_WRITERS)):
                raise Refused(event)
        elif event == "open":
            if isinstance(args[1], str) and set(args[1]) & set("wax+"):
                raise Refused(event)
        elif event.startswith(_FORBIDDEN):
            raise Refused(event)

    sys.addaudithook(hook)


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise ValueError("text is not evaluated")


def _bounded_product(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """A factorial or binomial coefficient, unless it has too many digits."""

    def bounded(cls: Any, *args: Any) -> Any:
        if any(arg.is_Integer and abs(arg.p) > MOST_FACTORS for arg in args):
            raise ValueError("too large a product")
        return evaluate(cls, *args)

    return bounded


def _bounded_power(power: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The power of a number, unless it has too many digits."""

    def bounded(base: Any, exponent: Any) -> Any:
        if exponent.is_Rational and abs(exponent.p) * max(base.p.bit_length(), base.q.bit_length()) > MOST_BITS:
            raise ValueError("too large a power")
        return power(base, exponent)

    return bounded


def _expire(number: int, frame: FrameType | None) -> None:
    raise OutOfTime


def answer(mathematics: Mathematics, asked: dict[str, str]) -> dict[str, Any]:
    """One request within its time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + SECONDS) + 1 + GRACE, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        if "spell" in asked:
            return {"spelling": mathematics.spelling(asked["spell"])}
        return {"right": mathematics.right(asked["gold"], asked["answer"])}
    except OutOfTime:
        return {"failed": "time"}
    except Refused:
        return {"failed": "refused"}
    except (MemoryError, RecursionError) as error:
        return {"failed": "memory" if isinstance(error, MemoryError) else "depth"}
    except Exception as error:
        return {"spelling": None, "right": None, "failed": type(error).__name__}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def requests() -> Iterator[dict[str, str]]:
    """What is asked, until the other side has gone."""
    for line in sys.stdin.buffer:
        yield json.loads(line)


def reply(document: dict[str, Any]) -> None:
    """One line out."""
    sys.stdout.buffer.write(json.dumps(document).encode("ascii") + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Load, say so, and answer."""
    limit()
    signal.signal(signal.SIGPROF, _expire)
    try:
        mathematics = Mathematics()
        for warm in (r"\frac{\sqrt{8}}{2x}+1", "(1,2]", r"\begin{pmatrix}1\\2\end{pmatrix}", "x^2+1=0", r"\{1,2\}"):
            mathematics.spelling(warm)
    except ImportError as error:
        return reply({"missing": str(error)})
    watch()
    reply({"ready": True})
    for asked in requests():
        started = time.process_time()
        found = answer(mathematics, asked)
        reply({**found, "seconds": time.process_time() - started})


if __name__ == "__main__":
    main()
