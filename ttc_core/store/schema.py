"""The tables. A change here needs a revision in `migrations/versions/`; a test compares the two.

Times are seconds since 1970 (UTC). Text columns that may hold text of people or models are `AnyText`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Table, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ttc_core.store.columns import AnyName, AnyText

BigKey = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only for plain INTEGER


class Base(DeclarativeBase):
    """Holds the metadata."""


class WorkerRow(Base):
    """A process that works on runs. host, pid and process_started tell whether it still exists."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String, primary_key=True)
    role: Mapped[str] = mapped_column(String)  # "worker" takes any pending run, "solve" only the runs it was given
    host: Mapped[str] = mapped_column(String)
    pid: Mapped[int] = mapped_column(Integer)
    process_started: Mapped[str] = mapped_column(String)
    started: Mapped[float] = mapped_column(Float)
    heartbeat: Mapped[float] = mapped_column(Float)


class RunRow(Base):
    """One search: what was asked, where it stands, who works on it, what came out and what it cost."""

    __tablename__ = "runs"

    key: Mapped[int] = mapped_column(BigKey, primary_key=True)
    id: Mapped[str] = mapped_column(String, unique=True)
    parent: Mapped[str | None] = mapped_column(String)  # the run that it goes on from or was started from
    parent_node: Mapped[str | None] = mapped_column(String)
    created: Mapped[float] = mapped_column(Float)
    started: Mapped[float | None] = mapped_column(Float)
    finished: Mapped[float | None] = mapped_column(Float)

    # what was asked (RunSpec)
    question: Mapped[str] = mapped_column(AnyText)
    gold: Mapped[str | None] = mapped_column(AnyText)
    dataset: Mapped[str] = mapped_column(AnyText)
    problem_id: Mapped[str] = mapped_column(AnyText)
    strategy: Mapped[str] = mapped_column(AnyName)
    params: Mapped[str] = mapped_column(AnyText)  # JSON object
    budget: Mapped[int] = mapped_column(Integer)
    seed: Mapped[int] = mapped_column(BigInteger)
    model: Mapped[str] = mapped_column(AnyName)
    verifier: Mapped[str] = mapped_column(AnyName)
    temperature: Mapped[float] = mapped_column(Float)
    grader: Mapped[str] = mapped_column(String, default="numeric", server_default="numeric")
    prefix: Mapped[str] = mapped_column(AnyText, default="[]", server_default="[]")  # JSON list of steps

    note: Mapped[str] = mapped_column(AnyText, default="", server_default="")  # what somebody wrote beside it

    # where it stands; `epoch` grows with every lease, and an owner writes only under the epoch it was given
    status: Mapped[str] = mapped_column(String)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    nodes: Mapped[int] = mapped_column(Integer, default=0)
    owner: Mapped[str | None] = mapped_column(String)
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    heartbeat: Mapped[float | None] = mapped_column(Float)
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default="0")  # leases since anything new came
    stop_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str] = mapped_column(AnyText, default="")
    hint: Mapped[str] = mapped_column(AnyText, default="")

    # what came out (Outcome); has_outcome tells "no answer" from "not there yet"
    has_outcome: Mapped[bool] = mapped_column(default=False)
    answer: Mapped[str | None] = mapped_column(AnyText)
    chosen: Mapped[str | None] = mapped_column(String)
    excluded: Mapped[int] = mapped_column(Integer, default=0)
    correct: Mapped[bool | None]
    graded_by: Mapped[str | None] = mapped_column(String)  # the grader's version, also where no grade could be had

    # what it cost (Usage)
    generations: Mapped[int] = mapped_column(Integer, default=0)
    prompt_tokens_computed: Mapped[int] = mapped_column(BigInteger, default=0)
    prompt_tokens_cached: Mapped[int] = mapped_column(BigInteger, default=0)
    generated_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    verifier_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    policy_flops: Mapped[float] = mapped_column(Float, default=0.0)
    verifier_flops: Mapped[float] = mapped_column(Float, default=0.0)
    seconds: Mapped[float] = mapped_column(Float, default=0.0)
    failed_samples: Mapped[int] = mapped_column(Integer, default=0)
    failed_scores: Mapped[int] = mapped_column(Integer, default=0)

    # the study whose search it is; its unit's lease rules then, and it never waits for a worker itself
    study: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index("runs_by_status", "status", "created"),
        Index("runs_by_study", "study"),
        Index("runs_by_created", "created"),
        Index("runs_by_parent", "parent"),
        Index("runs_by_problem", "dataset", "problem_id"),
    )


class NodeRow(Base):
    """One node of a search tree (types.Node); `revision` is the run's when the node last changed."""

    __tablename__ = "nodes"

    run: Mapped[int] = mapped_column(ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(String, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    parent: Mapped[str | None] = mapped_column(AnyName)  # only where it is not the id without its last part
    text: Mapped[str] = mapped_column(AnyText)
    tokens: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_tokens
    steps: Mapped[int] = mapped_column(Integer)
    state: Mapped[int] = mapped_column(SmallInteger)  # its finish too: trees.py
    why: Mapped[str] = mapped_column(Text)  # escaped, and shorter where it names the parent or siblings: trees.py
    spec: Mapped[str | None] = mapped_column(Text)  # None: the parent's; escaped, see trees.py
    answer: Mapped[str | None] = mapped_column(AnyText)
    logprob: Mapped[float | None] = mapped_column(Float)
    scores: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_marked, see trees.py
    confidences: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_long

    # rows lie in the order of the primary key: a whole tree is one sequential read
    __table_args__ = ({"sqlite_with_rowid": False},)


class CandidateRow(Base):
    """One complete solution that took part in the final choice (types.Candidate), in order of `position`."""

    __tablename__ = "candidates"

    run: Mapped[int] = mapped_column(ForeignKey("runs.key", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    node: Mapped[str] = mapped_column(String)
    answer: Mapped[str | None] = mapped_column(AnyText)
    score: Mapped[float | None] = mapped_column(Float)
    weight: Mapped[float] = mapped_column(Float)

    __table_args__ = ({"sqlite_with_rowid": False},)


class StudyRow(Base):
    """A study: many searches from one file, or what was imported. `status` is what people want of it."""

    __tablename__ = "studies"

    key: Mapped[int] = mapped_column(BigKey, primary_key=True)
    id: Mapped[str] = mapped_column(String, unique=True)
    created: Mapped[float] = mapped_column(Float)
    kind: Mapped[str] = mapped_column(String)  # "sweep", or the format it was imported from
    source: Mapped[str] = mapped_column(AnyText)  # the study file, or the imported file's name
    options: Mapped[str] = mapped_column(AnyText)  # JSON object: kept, max_cost, share
    status: Mapped[str] = mapped_column(String)  # "running", "paused" or "cancelled"
    why: Mapped[str] = mapped_column(AnyText, default="")
    priority: Mapped[int] = mapped_column(Integer, default=0)  # 0 is served before 1


class StudyProblemRow(Base):
    """A problem of a study, written once however many searches it takes part in."""

    __tablename__ = "study_problems"

    study: Mapped[int] = mapped_column(ForeignKey("studies.key", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    dataset: Mapped[str] = mapped_column(AnyText)
    problem_id: Mapped[str] = mapped_column(AnyText)
    question: Mapped[str] = mapped_column(AnyText)
    gold: Mapped[str | None] = mapped_column(AnyText)
    grader: Mapped[str] = mapped_column(String)
    extra: Mapped[str | None] = mapped_column(AnyText)  # JSON object: keys of an imported line that nobody knows

    __table_args__ = ({"sqlite_with_rowid": False},)


class MethodRow(Base):
    """A strategy with its settings on a model and a verifier. samples > 0: a pool of so many solutions a problem."""

    __tablename__ = "study_methods"

    key: Mapped[int] = mapped_column(BigKey, primary_key=True)
    study: Mapped[int] = mapped_column(ForeignKey("studies.key", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    model: Mapped[str] = mapped_column(AnyName)
    verifier: Mapped[str] = mapped_column(AnyName)
    strategy: Mapped[str] = mapped_column(AnyName)
    params: Mapped[str] = mapped_column(AnyText)  # JSON object, keys sorted
    label: Mapped[str] = mapped_column(AnyText)
    temperature: Mapped[float] = mapped_column(Float)
    samples: Mapped[int] = mapped_column(Integer, default=0)
    pool: Mapped[int | None] = mapped_column(BigInteger)  # the key of the pool that serves it
    budgets: Mapped[str] = mapped_column(String)  # JSON list

    __table_args__ = (Index("methods_by_study", "study", "position"),)


class UnitRow(Base):
    """A piece of a study that a worker leases: one method, budget and seed on a block of problems.

    Its lease works as a run's. attempts: leases since anything new came of it.
    """

    __tablename__ = "units"

    key: Mapped[int] = mapped_column(BigKey, primary_key=True)
    study: Mapped[int] = mapped_column(ForeignKey("studies.key", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    method: Mapped[int] = mapped_column(BigInteger)
    budget: Mapped[int] = mapped_column(Integer)
    seed: Mapped[int] = mapped_column(BigInteger)
    first: Mapped[int] = mapped_column(Integer)  # position of its first problem
    count: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String)  # pending, running (leased), done, failed
    owner: Mapped[str | None] = mapped_column(String)
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    heartbeat: Mapped[float | None] = mapped_column(Float)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(AnyText, default="")
    hint: Mapped[str] = mapped_column(AnyText, default="")
    started: Mapped[float | None] = mapped_column(Float)
    finished: Mapped[float | None] = mapped_column(Float)

    # what its searches that have ended cost
    generations: Mapped[int] = mapped_column(BigInteger, default=0)
    tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    flops: Mapped[float] = mapped_column(Float, default=0.0)

    __table_args__ = (
        Index("units_by_status", "status", "study", "position"),
        Index("units_by_study", "study", "position"),
    )


class OutcomeRow(Base):
    """What one search of a study came to. problem: its position; score: the chosen candidate's."""

    __tablename__ = "outcomes"

    method: Mapped[int] = mapped_column(ForeignKey("study_methods.key", ondelete="CASCADE"), primary_key=True)
    problem: Mapped[int] = mapped_column(Integer, primary_key=True)
    budget: Mapped[int] = mapped_column(Integer, primary_key=True)
    seed: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    answer: Mapped[str | None] = mapped_column(AnyText)
    correct: Mapped[bool | None]
    graded_by: Mapped[str | None] = mapped_column(String)
    score: Mapped[float | None] = mapped_column(Float)
    excluded: Mapped[int] = mapped_column(Integer)
    run: Mapped[str | None] = mapped_column(String)  # the run that holds its tree, if that was kept

    generations: Mapped[int] = mapped_column(Integer)
    prompt_tokens_computed: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens_cached: Mapped[int] = mapped_column(BigInteger)
    generated_tokens: Mapped[int] = mapped_column(BigInteger)
    verifier_tokens: Mapped[int] = mapped_column(BigInteger)
    policy_flops: Mapped[float] = mapped_column(Float)
    verifier_flops: Mapped[float] = mapped_column(Float)
    seconds: Mapped[float] = mapped_column(Float)
    failed_samples: Mapped[int] = mapped_column(Integer)
    failed_scores: Mapped[int] = mapped_column(Integer)

    __table_args__ = ({"sqlite_with_rowid": False},)


class PoolRow(Base):
    """The solutions sampled for one problem, in columns: what analysis reads without opening a tree."""

    __tablename__ = "pools"

    method: Mapped[int] = mapped_column(ForeignKey("study_methods.key", ondelete="CASCADE"), primary_key=True)
    problem: Mapped[int] = mapped_column(Integer, primary_key=True)
    seed: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    answers: Mapped[str] = mapped_column(AnyText)  # JSON list of the different answers, by first appearance
    groups: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_tokens: 1 + index into answers, 0 none
    correct: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_tokens: 0 wrong, 1 right, 2 unknown
    scores: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_long, NaN where there is none
    steps: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_floats: step scores of each solution
    tokens: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_tokens: generated
    valid: Mapped[bytes | None] = mapped_column(LargeBinary)  # columns.pack_tokens: 1 came, 0 failed
    texts: Mapped[str | None] = mapped_column(AnyText)  # JSON list of imported solutions' texts
    extra: Mapped[str | None] = mapped_column(AnyText)  # JSON list of imported solutions' other keys
    run: Mapped[str | None] = mapped_column(String)

    __table_args__ = ({"sqlite_with_rowid": False},)


class FigurePresetRow(Base):
    """How figures are to look, saved under a name (`ttc_core.drawing.looks`)."""

    __tablename__ = "figure_presets"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    settings: Mapped[str] = mapped_column(AnyText)  # JSON object


class AuditRow(Base):
    """A change that somebody asked for on a shared workbench; refused ones too."""

    __tablename__ = "audit"

    key: Mapped[int] = mapped_column(BigKey, primary_key=True)
    at: Mapped[float] = mapped_column(Float)
    who: Mapped[str] = mapped_column(AnyText)
    role: Mapped[str] = mapped_column(String)
    verb: Mapped[str] = mapped_column(String)
    of: Mapped[str] = mapped_column(AnyText)  # the run or study, "" where none came of it
    allowed: Mapped[bool]

    __table_args__ = (Index("audit_by_who", "who", "at"),)


def table(row: type[Base]) -> Table:
    """The table behind a row class."""
    found = row.__table__
    if not isinstance(found, Table):
        raise TypeError(f"{row.__name__} is not mapped to a table")
    return found
