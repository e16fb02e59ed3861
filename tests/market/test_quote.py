"""A price is counted, rounded once and never exceeded."""

from __future__ import annotations

import re
from dataclasses import astuple, replace
from fractions import Fraction
from importlib.resources import files

import msgspec
import pytest
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from small import program, small

from assay.chain import Deployment
from assay.errors import UsageError
from assay.market import DEFAULT_RATE, Windows, quote, terms, work
from assay.market.quote import LONGEST, MAX_AUDIT, MAX_VERIFIERS
from assay.market.terms import WAYS
from assay.program import Cost
from assay.proof import code_root
from assay.words import Audit, Blob, TaskSpec
from assay.words.units import TERA

BLOB = Blob("0" * 64, 0)
SPEC = TaskSpec("t", BLOB, "0" * 64, BLOB, "0" * 64, BLOB, "0" * 64, 1, 1, 0, 1, 1, Audit(1, 1))


@st.composite
def offers(draw):
    """(operations of a step, spec, rate): anything that can be quoted."""
    interval, intervals = draw(st.integers(1, 1000)), draw(st.integers(1, 1000))
    steps = interval * (intervals - 1) + draw(st.integers(1, interval))
    audit = Audit(draw(st.integers(1, MAX_VERIFIERS)), draw(st.integers(1, min(MAX_AUDIT, intervals))))
    operations = draw(st.integers(0, 10**15))
    return (
        operations,
        msgspec.structs.replace(SPEC, steps=steps, interval=interval, audit=audit),
        draw(st.integers(1, 10**9)),
    )


def costing(operations: int):
    """The program as if a step of it had this many operations."""
    return replace(program(), cost=Cost(operations, 0, 0))


# Collateral and bond are derived in exact fractions, which takes a while for many intervals.
@settings(deadline=None, max_examples=50)
@given(offers())
def test_escrow_is_price_and_fees_and_the_price_covers_what_was_counted(offer):
    operations, spec, rate = offer
    found = quote(costing(operations), spec, rate)
    counted = Fraction(operations * spec.steps * rate, TERA)
    assert found.operations == operations * spec.steps
    assert counted <= found.price < counted + 1, "rounded up, once"
    share = Fraction(found.price * spec.audit.intervals, spec.intervals)
    assert share <= found.fee < share + 1, "a verifier is paid for what it replays"
    assert found.escrow == found.price + found.fee * spec.audit.verifiers
    assert found.overhead >= 0


@settings(deadline=None, max_examples=30)
@given(offers(), st.integers(1, 10**9))
def test_more_never_costs_less(offer, more):
    operations, spec, rate = offer
    found = quote(costing(operations), spec, rate)
    assert quote(costing(operations), spec, rate + more).escrow >= found.escrow
    assert quote(costing(operations + more), spec, rate).escrow >= found.escrow


def test_the_overhead_is_what_checking_costs():
    spec = msgspec.structs.replace(SPEC, steps=10, audit=Audit(2, 5))
    found = quote(costing(10**12), spec)
    assert (found.price, found.fee, found.escrow) == (10 * DEFAULT_RATE, 5 * DEFAULT_RATE, 20 * DEFAULT_RATE)
    assert found.overhead == 1.0


@pytest.mark.parametrize(
    ("changes", "rate", "told"),
    [
        ({"audit": Audit(2, 5)}, 1, "4"),
        ({"steps": 1, "audit": Audit(1, 2)}, 1, "1"),
        ({"audit": Audit(MAX_VERIFIERS + 1, 1)}, 1, str(MAX_VERIFIERS)),
        ({"steps": 1000, "interval": 1, "audit": Audit(1, MAX_AUDIT + 1)}, 1, str(MAX_AUDIT)),
        ({"steps": 2**20, "interval": 1}, 1, "interval"),
        ({}, 0, "rate"),
        ({}, -5, "rate"),
    ],
)
def test_what_could_not_be_posted_is_refused_before_money_moves(changes, rate, told):
    spec = msgspec.structs.replace(SPEC, **{"steps": 12, "interval": 3} | changes)
    with pytest.raises(UsageError, match=told):
        quote(program(), spec, rate)


def test_the_bounds_are_the_contracts():
    source = (files("assay.contracts") / "vyper" / "market.vy").read_text()
    bounds = dict(re.findall(r"^(MAX_\w+): constant\(uint256\) = (\d+)$", source, re.M))
    assert (int(bounds["MAX_VERIFIERS"]), int(bounds["MAX_AUDIT"])) == (MAX_VERIFIERS, MAX_AUDIT)


def test_terms_say_what_spec_and_quote_say(store):
    task = small(store)
    price = quote(task.program, task.spec)
    windows = Windows(open_for=1, work_for=2, patrol_for=3, attest_for=4, reveal_for=5, clock=6, extension=7)
    posted, described = terms(task, price, windows), work(task, price, windows)
    assert (posted.work, posted.program_root) == (described.digest, task.spec.program_root)
    assert (posted.steps, posted.interval) == (12, 3)
    assert (posted.price, posted.fee) == (price.price, price.fee)
    assert (posted.verifiers, posted.audit_intervals) == (2, 2)
    assert (posted.open_for, posted.work_for, posted.patrol_for) == (1, 2, 3)
    assert (posted.attest_for, posted.reveal_for) == (4, 5)
    assert posted.collateral == price.collateral > 0
    assert posted.price + posted.fee * posted.verifiers == price.escrow
    assert Deployment.__struct_fields__, "the market's own escrow_of is compared in tests/chain"


def test_work_says_what_the_spec_says_and_how_one_quarrels(store):
    task = small(store)
    price = quote(task.program, task.spec)
    found = work(task, price, Windows(clock=6, extension=7))
    spec = task.spec
    assert (found.spec, found.code_root) == (task.blob.sha256, code_root(task.program).hex())
    assert (found.initial_root, found.dataset_root) == (spec.initial_root, spec.dataset_root)
    assert (found.rows, found.batch_size, found.seed) == (spec.rows, spec.batch_size, spec.seed)
    assert (found.ways, found.clock, found.extension) == (WAYS, 6, 7)
    assert found.bond == price.bond > 0
    kinds = ["bytes32"] * 4 + ["uint256"] * 7
    words = [bytes.fromhex(v) if isinstance(v, str) else v for v in astuple(found)]
    assert found.digest == keccak(encode(kinds, words)).hex()
    assert all(replace(found, **{name: 9}).digest != found.digest for name in ("rows", "seed", "ways", "bond"))


@pytest.mark.parametrize("watched", [False, True])
def test_windows_fit_the_work_and_wait_for_whistleblowers_where_there_are_any(watched):
    small_spec = msgspec.structs.replace(SPEC, steps=12, interval=3, audit=Audit(2, 2))
    for operations in (1, 10**9, 10**12, 10**16):
        price = quote(costing(operations), small_spec)
        found = Windows.fitting(price, small_spec, watched=watched)
        alone = price.operations // 10**9  # seconds of a slow machine that does all of it
        assert found.work_for >= min(LONGEST, alone)
        assert found.attest_for >= min(LONGEST, alone // 2)
        assert found.patrol_for == 0 if not watched else found.patrol_for >= min(LONGEST, 60 + alone)
        assert found.patrol_for <= found.attest_for <= LONGEST, "the market takes no longer one"


def test_a_patrol_is_never_longer_than_the_time_for_attesting(store):
    task = small(store)
    price = quote(task.program, task.spec)
    assert terms(task, price, Windows(patrol_for=100, attest_for=60)).patrol_for == 60, "the market takes no other"
