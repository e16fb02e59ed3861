"""Each rule refuses its case, with a sentence that says why."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from small import program, small

from assay.market import Windows, quote, terms
from assay.proof import program_root
from assay.solve import Candidate, refusal
from assay.solve.eligibility import (
    RULES,
    price_covers_the_work,
    program_is_what_the_spec_says,
    speaks_our_numerics,
    terms_say_what_the_spec_says,
)


@pytest.fixture
def fair(store) -> Candidate:
    task = small(store)
    price = quote(task.program, task.spec)
    return Candidate(task.spec, task.program, terms(task, price, Windows()), 1_000_000)


def spec(task: Candidate, **changes) -> Candidate:
    return replace(task, spec=msgspec.structs.replace(task.spec, **changes))


def posted(task: Candidate, **changes) -> Candidate:
    return replace(task, terms=replace(task.terms, **changes))


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


def test_a_solver_that_asks_less_takes_more(fair):
    assert refusal(replace(fair, rate=1)) is None
    assert refusal(replace(posted(fair, price=fair.terms.price * 2), rate=2_000_000)) is None
