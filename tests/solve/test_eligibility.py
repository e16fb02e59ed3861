"""Each rule refuses its case, with a sentence that says why."""

from __future__ import annotations

from dataclasses import fields, replace

import msgspec
import pytest
from small import program, small

from assay.market import Windows, quote, terms, work
from assay.proof import program_root
from assay.solve import Candidate, refusal
from assay.solve.eligibility import (
    LEAST_EXTENSION,
    RULES,
    disputes_leave_time,
    price_covers_the_work,
    program_is_what_the_spec_says,
    speaks_our_numerics,
    terms_say_what_the_spec_says,
    work_is_what_the_spec_says,
)


@pytest.fixture
def fair(store) -> Candidate:
    task = small(store)
    price = quote(task.program, task.spec)
    windows = Windows()
    return Candidate(task.spec, task.program, terms(task, price, windows), work(task, price, windows), 1_000_000)


def spec(task: Candidate, **changes) -> Candidate:
    return replace(task, spec=msgspec.structs.replace(task.spec, **changes))


def posted(task: Candidate, **changes) -> Candidate:
    return replace(task, terms=replace(task.terms, **changes))


def working(task: Candidate, **changes) -> Candidate:
    return replace(task, work=replace(task.work, **changes))


def test_a_fair_offer_is_taken(fair):
    assert refusal(fair) is None
    assert all(rule(fair) is None for rule in RULES)


CASES = {
    "numerics": (lambda t: spec(t, numerics="exact-2"), speaks_our_numerics, "exact-2"),
    "sampler": (lambda t: spec(t, sampler="shuffle"), speaks_our_numerics, "shuffle"),
    "program root": (lambda t: posted(t, program_root="ab" * 32), terms_say_what_the_spec_says, "program root"),
    "steps": (lambda t: posted(t, steps=13), terms_say_what_the_spec_says, "steps: 13 and 12"),
    "interval": (lambda t: posted(t, interval=4), terms_say_what_the_spec_says, "interval: 4 and 3"),
    "audit": (lambda t: posted(t, audit_intervals=1), terms_say_what_the_spec_says, "audited intervals: 1 and 2"),
    "verifiers": (lambda t: posted(t, verifiers=1), terms_say_what_the_spec_says, "verifiers: 1 and 2"),
    "another program": (
        lambda t: posted(spec(t, program_root="ab" * 32), program_root="ab" * 32),
        program_is_what_the_spec_says,
        program_root(program()).hex()[:16],
    ),
    "code root": (lambda t: working(t, code_root="ab" * 32), work_is_what_the_spec_says, "the code root"),
    "initial state": (lambda t: working(t, initial_root="ab" * 32), work_is_what_the_spec_says, "the initial state"),
    "dataset": (lambda t: working(t, dataset_root="ab" * 32), work_is_what_the_spec_says, "the dataset"),
    "rows": (lambda t: working(t, rows=t.spec.rows - 1), work_is_what_the_spec_says, "the rows"),
    "batch size": (lambda t: working(t, batch_size=63), work_is_what_the_spec_says, "batch size: 63 and 64"),
    "seed": (lambda t: working(t, seed=2), work_is_what_the_spec_says, "the seed: 2 and 1"),
    "no time for moves": (lambda t: working(t, extension=LEAST_EXTENSION - 1), disputes_leave_time, "within 4 s"),
    "price": (lambda t: posted(t, price=t.terms.price - 1), price_covers_the_work, "this solver asks"),
    "rate": (lambda t: replace(t, rate=t.rate + 10_000), price_covers_the_work, "this solver asks"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_refuses_its_case_and_only_it_does(fair, name):
    change, rule, told = CASES[name]
    task = change(fair)
    assert told in refusal(task)
    assert [found for found in RULES if found(task)] == [rule]


def test_every_rule_has_a_case_and_a_rationale():
    assert {rule for _, rule, _ in CASES.values()} == set(RULES)
    assert all(rule.__doc__ for rule in RULES)


def test_every_word_of_the_work_is_looked_at(fair):
    """A word that no rule compares is a way to convict an honest solver: but for how one quarrels, which is the market's."""
    market_checks = {"ways", "clock", "bond"}
    told = {name for name in vars_of(fair.work) if refusal(working(fair, **{name: another(getattr(fair.work, name))}))}
    # The spec's name is its hash: it was fetched by it. Bonds, ways and clocks are checked when the task is posted.
    assert told == vars_of(fair.work) - market_checks - {"spec"}


def vars_of(work) -> set[str]:
    return {field.name for field in fields(work)}


def another(value):
    return "cd" * 32 if isinstance(value, str) else 1 if value != 1 else 3


def test_a_solver_that_asks_less_takes_more(fair):
    assert refusal(replace(fair, rate=1)) is None
    assert refusal(replace(posted(fair, price=fair.terms.price * 2), rate=2_000_000)) is None
