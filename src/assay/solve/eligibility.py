"""Whether a solver should take a task: named rules, each with the sentence that explains a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.chain import Terms
from assay.program import Program
from assay.proof import program_root
from assay.words import TaskSpec
from assay.words.units import TERA, amount, ceil_div

from .hazards import hazard

__all__ = ["RULES", "Candidate", "refusal"]

NUMERICS = ("exact-1",)
SAMPLERS = ("feistel-1",)


@dataclass(frozen=True)
class Candidate:
    """A posted task next to what the solver asks for. Amounts are in the currency's smallest unit."""

    spec: TaskSpec
    program: Program
    terms: Terms
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
    price_covers_the_work,
)


def refusal(task: Candidate) -> str | None:
    """Why this solver will not take the task, or None."""
    return next((reason for rule in RULES if (reason := rule(task))), None) or hazard(task)
