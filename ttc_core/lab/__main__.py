"""Command line of the lab: `python -m ttc_core.lab VERB`."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from ttc_core.settings import DATA, REPOSITORY, settings

WORK = REPOSITORY / ".lab"
VERBS = ("all", "data", "restore", "train", "export", "calibrate", "policy", "evaluate")


def main(arguments: list[str] | None = None) -> None:
    """Run stages of the making of the embedded family; finished ones are skipped, interrupted ones resumed."""
    parser = argparse.ArgumentParser(prog="python -m ttc_core.lab", description=main.__doc__)
    parser.add_argument("verb", choices=VERBS, help="what to do")
    parser.add_argument("--stage", help="with train: one training stage and those it builds on; all without")
    parser.add_argument("--only", action="append", default=[], help="with evaluate: one member, may be repeated")
    parser.add_argument("--verifier", default="mini-implicit", help="with policy: the verifier it is fitted with")
    parser.add_argument("--problems", type=int, help="with policy: how many it is fitted on (default 200; quick: 16)")
    parser.add_argument(
        "--preset", choices=("quick", "full", "large"), default="full",
        help="quick: .15 of the tokens of mini-s, a hundredth of the others; large: eight times all, for a GPU",
    )  # fmt: skip
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--processes", type=int, default=2, help="that train and measure side by side")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of checkpoints (git-ignored)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder that models/ and problems/ go into")
    options = parser.parse_args(arguments)

    import torch

    from ttc_core.lab import evaluating, family, members, policy_fitting, problems, processes

    torch.set_num_threads(options.threads)
    pool = processes.pool(options.processes, partial(torch.set_num_threads, options.threads))
    os.environ["TTC_DATA_DIR"] = str(options.data)  # searches, here and in processes beside, are with these models
    settings.cache_clear()
    preset = family.PRESETS[options.preset]
    sets, work = options.data / "problems", options.work / options.preset
    if options.verb in ("all", "data"):
        problems.write_problem_sets(sets)
    if options.verb == "restore":
        members.restore_family(work, options.data)
    if options.verb in ("all", "train"):
        if options.stage:
            family.run_stage(options.stage, work, sets, options.preset, options.device)
        else:
            family.run_family(work, sets, options.preset, options.device, pool)
    if options.verb in ("all", "export"):
        members.export_family(work, options.data, options.preset)
    if options.verb in ("all", "calibrate"):
        members.calibrate_family(options.data, options.preset, preset.problems)
    if options.verb in ("all", "policy"):
        fitted_on = options.problems or preset.problems or policy_fitting.PROBLEMS
        policy_fitting.fit_policy(options.data, options.verifier, pool, fitted_on)
    if options.verb in ("all", "evaluate"):
        evaluating.evaluate_family(options.data, work, pool, options.only, preset.measured)
    pool.shutdown()


if __name__ == "__main__":
    main()
