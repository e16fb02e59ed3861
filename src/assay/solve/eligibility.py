"""Whether a solver should take a task: named rules, each with the sentence that explains a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.chain import Terms, Work
from assay.program import Program
from assay.proof import code_root, program_root
from assay.words import TaskSpec
from assay.words.units import TERA, amount, ceil_div

from .hazards import hazard

__all__ = ["RULES", "Candidate", "refusal"]

NUMERICS = ("exact-1",)
SAMPLERS = ("feistel-1",)
LEAST_EXTENSION = 5
"""Seconds that a move in a dispute takes at most, with a chain that is busy."""


@dataclass(frozen=True)
class Candidate:
    """A posted task next to what the solver asks for. Amounts are in the currency's smallest unit."""

    spec: TaskSpec
    program: Program
    terms: Terms
    work: Work
    rate: int


Rule = Callable[[Candidate], str | None]


def speaks_our_numerics(task: Candidate) -> str | None:
    """A result in other numerics could not be reproduced by the verifiers."""
    if task.spec.numerics not in NUMERICS:
        return f"it wants the numerics {task.spec.numerics!r}; this solver has {', '.join(NUMERICS)}"
    if task.spec.sampler not in SAMPLERS:
        return f"it wants the sampler {task.spec.sampler!r}; this solver has {', '.join(SAMPLERS)}"
    return None


def terms_say_what_the_spec_says(task: Candidate) -> str | None:
    """The contract checks reveals against the terms: a solver of contradictory ones could never be paid."""
    spec = task.spec
    pairs = {
        "program root": (task.terms.program_root, spec.program_root),
        "steps": (task.terms.steps, spec.steps),
        "interval": (task.terms.interval, spec.interval),
        "audited intervals": (task.terms.audit_intervals, spec.audit.intervals),
        "verifiers": (task.terms.verifiers, spec.audit.verifiers),
    }
    for name, (posted, specified) in pairs.items():
        if posted != specified:
            return f"its terms and its spec disagree about the {name}: {posted} and {specified}"
    return None


def program_is_what_the_spec_says(task: Candidate) -> str | None:
    """The verifiers lower the program themselves; a wrong root makes every result a mismatch."""
    found = program_root(task.program).hex()
    return None if found == task.spec.program_root else f"its program has the root {found[:16]}…, not the one it names"


def work_is_what_the_spec_says(task: Candidate) -> str | None:
    """Disputes are decided by what stands on the chain: a solver of contradictory words could be convicted for the truth."""
    spec, work = task.spec, task.work
    pairs = {
        "initial state": (work.initial_root, spec.initial_root),
        "dataset": (work.dataset_root, spec.dataset_root),
        "rows": (work.rows, spec.rows),
        "batch size": (work.batch_size, spec.batch_size),
        "seed": (work.seed, spec.seed),
        "code root": (work.code_root, code_root(task.program).hex()),
    }
    for name, (posted, specified) in pairs.items():
        if posted != specified:
            return f"its work on the chain and its spec disagree about the {name}: {posted} and {specified}"
    return None


def disputes_leave_time(task: Candidate) -> str | None:
    """Who can't answer in time has lost, whatever is true."""
    if task.work.extension < LEAST_EXTENSION:
        return (
            f"a move in a dispute has to be made within {task.work.extension} s; this solver needs {LEAST_EXTENSION} s"
        )
    return None


def price_covers_the_work(task: Candidate) -> str | None:
    """The cost is counted before anything runs."""
    asked = ceil_div(task.program.cost.operations * task.spec.steps * task.rate, TERA)
    if task.terms.price < asked:
        return f"it pays {amount(task.terms.price)}, this solver asks {amount(asked)}"
    return None


RULES: tuple[Rule, ...] = (
    speaks_our_numerics,
    terms_say_what_the_spec_says,
    program_is_what_the_spec_says,
    work_is_what_the_spec_says,
    disputes_leave_time,
    price_covers_the_work,
)


def refusal(task: Candidate) -> str | None:
    """Why this solver will not take the task, or None."""
    return next((reason for rule in RULES if (reason := rule(task))), None) or hazard(task)
