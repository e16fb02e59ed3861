"""The whole life of a task through the typed contracts, on the embedded node and on anvil."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cast import WORK, Cast, Chain, Solution

import assay.chain
from assay.chain import Client, EventReader, Member, Role, deploy, events
from assay.contracts import CONTRACTS, artifact
from assay.dispute import calls, moves
from assay.errors import NotFoundError, Reverted, UsageError
from assay.verify import finding_commitment
from assay.words import Kind, TaskState

ZERO = "00" * 32


def test_a_task_is_solved_audited_and_paid(cast: Cast, tmp_path: Path) -> None:
    market = cast.market(cast.submitter)
    reader = EventReader(cast.submitter, cast.deployment, tmp_path / "cursor.json")
    joined = reader.read()
    assert [event.name for event in joined] == ["Registered"] * 4
    reader.acknowledge()

    task, terms = cast.post()
    assert terms.escrow == 5600
    assert cast.deployment.connect(cast.submitter)[0].balance_of(market.address) == 5600
    found = market.task(task)
    told = (found.state, found.submitter, found.solver, found.spec)
    assert told == (TaskState.OPEN, cast.submitter.address, "", "ab" * 32)
    assert (found.price, found.fee, found.intervals, found.audit.verifiers, found.verifiers) == (5000, 300, 2, 2, ())
    assert 0 < found.deadline - cast.submitter.now() <= 100
    assert (market.posted(), market.record(task).commitment) == ([task], None)

    stakes = cast.deployment.connect(cast.solver)[1]
    cast.market(cast.solver).accept(task)
    assert stakes.member(cast.solver.address, Role.SOLVER).locked == terms.collateral == 4000
    solution = Solution(terms)
    cast.market(cast.solver).commit(task, solution.commitment)
    record = market.record(task)
    assert (record.task.state, record.task.solver) == (TaskState.COMMITTED, cast.solver.address)
    assert (record.commitment, record.terms, record.work) == (solution.commitment, terms, WORK)
    assert (record.result.drawn, record.result.seats) == (False, 2)

    market.draw(task)
    record = market.record(task)
    drawn = record.task.verifiers
    assert set(drawn) == {person.address for person in cast.verifiers}
    assert (record.result.verifiers, len(record.result.seed), record.preview) == (drawn, 64, record.result)
    audits = [record.drawn_intervals(position) for position in range(2)]
    assert sorted(audits) == [(0,), (1,)]
    for position, address in enumerate(drawn):
        assert market.sealed(task, address) == ZERO
        seal = solution.seal(task, address, audits[position])
        cast.market(cast.by_address(address)).attest(task, seal)
        assert market.sealed(task, address) == seal
    assert market.state(task) is TaskState.AUDITED

    with pytest.raises(Reverted, match="market: not the solver"):
        market.reveal(task, 0, [solution.opening(audits[0][0])])
    cast.chain.skip(1)
    for position in range(2):
        assert market.record(task).revealed == market.record(task).matched == frozenset(range(position))
        assert stakes.member(drawn[position], Role.VERIFIER).locked == terms.verifier_collateral == 700
        cast.market(cast.solver).reveal(task, position, [solution.opening(k) for k in audits[position]])
    # The last one pays, since nobody can say anything any more.
    assert market.state(task) is market.record(task).task.state is TaskState.SETTLED
    assert [market.owed(person.address) for person in (cast.solver, *cast.verifiers)] == [5000, 300, 300]
    assert stakes.member(cast.solver.address, Role.SOLVER).locked == 0
    token = cast.deployment.connect(cast.solver)[0]
    before = token.balance_of(cast.solver.address)
    cast.market(cast.solver).withdraw()
    assert (token.balance_of(cast.solver.address) - before, market.owed(cast.solver.address)) == (5000, 0)

    story = ["Posted", "Accepted", "Committed", "Drawn", "Attested", "Attested", "Audited", "Revealed", "Revealed"]
    told = events(cast.submitter, cast.deployment, task)
    assert [event.name for event in told if event.name != "Credited"] == [*story, "Settled"]
    assert {event.task for event in told} == {task}
    assert told[2].args["root"] == solution.commitment.root
    assert told[3].args["verifiers"] == drawn
    read = [event for event in reader.read() if event.contract == "market"]
    assert read[:-1] == told
    assert (read[-1].name, read[-1].args["amount"]) == ("Withdrawn", 5000)


def test_what_is_paid_in_before_pays_for_tasks(cast: Cast) -> None:
    token, _, market = cast.deployment.connect(cast.submitter)
    market.deposit(6000)
    assert (market.owed(cast.submitter.address), token.balance_of(market.address)) == (6000, 6000)
    cast.post()
    assert (market.owed(cast.submitter.address), token.balance_of(market.address)) == (400, 6000)


def test_a_deadline_expires(cast: Cast) -> None:
    market = cast.market(cast.submitter)
    first, _ = cast.post()
    with pytest.raises(Reverted, match="market: not expired"):
        market.expire(first)
    cast.chain.skip(200)
    assert cast.submitter.now() > market.task(first).deadline
    with pytest.raises(Reverted, match="market: expired"):
        cast.market(cast.solver).accept(first)
    market.expire(first)
    with pytest.raises(Reverted, match="market: state"):
        market.settle(first)
    second, _ = cast.post()
    market.cancel(second)
    assert [market.state(name) for name in (first, second)] == [TaskState.REFUNDED] * 2
    assert market.owed(cast.submitter.address) == 5600, "the second was paid from what the first gave back"


def test_a_whistleblower_accuses_and_has_its_lock_back(cast: Cast) -> None:
    market, accuser = cast.market(cast.submitter), cast.market(cast.whistleblower)
    task, _ = cast.committed(patrol_for=50)
    me, salt = cast.whistleblower.address, b"s" * 32
    seal = finding_commitment(task, me, Kind.TRACE, 1, salt)
    with pytest.raises(Reverted, match="market: not drawn"):
        accuser.accuse(task, seal)
    market.draw(task)
    assert not market.accusing(task, me)
    accuser.accuse(task, seal)
    assert (market.sealed(task, me), market.accusing(task, me), market.record(task).accusations) == (seal, True, 1)
    stakes = cast.deployment.connect(cast.whistleblower)[1]
    locked = stakes.member(me, Role.WHISTLEBLOWER).locked
    assert locked == stakes.minimum(Role.WHISTLEBLOWER) // 4
    with pytest.raises(Reverted, match="market: state"):
        accuser.release(task, me)
    cast.chain.skip(101)
    market.expire(task)  # nobody has attested: others may be drawn
    assert market.state(task) is TaskState.COMMITTED
    assert not market.record(task).result.drawn
    cast.chain.skip(101)
    market.expire(task)
    assert market.state(task) is TaskState.REFUNDED
    accuser.release(task, me, Kind.TRACE, 1, salt.hex())
    assert (stakes.member(me, Role.WHISTLEBLOWER).locked, market.accusing(task, me)) == (0, False)
    assert stakes.stake_of(me, Role.WHISTLEBLOWER) == stakes.minimum(Role.WHISTLEBLOWER)


def test_a_solver_concedes_a_fault(cast: Cast) -> None:
    """It costs the work, and the fees of those who have looked at it."""
    task, _ = cast.attested()
    solver = cast.market(cast.solver)
    assert not solver.has_answered(task)
    solver.concede(task, 1)
    assert solver.state(task) is TaskState.REFUNDED
    _, stakes, _ = cast.deployment.connect(cast.solver)
    assert stakes.member(cast.solver.address, Role.SOLVER).locked == 0
    assert stakes.stake_of(cast.solver.address, Role.SOLVER) == stakes.minimum(Role.SOLVER) - 2 * 300
    assert [solver.owed(verifier.address) for verifier in cast.verifiers] == [300, 300]


def test_stakes_come_and_go(cast: Cast) -> None:
    token, stakes, market = cast.deployment.connect(cast.solver)
    me = cast.solver.address
    assert (market.token(), market.stakes(), stakes.token()) == (token.address, stakes.address, token.address)
    assert (stakes.is_active(me, Role.SOLVER), stakes.is_active(me, Role.VERIFIER)) == (True, False)
    assert (stakes.count(Role.SOLVER), stakes.at(Role.SOLVER, 0), stakes.unbonding()) == (1, me, 60)
    assert stakes.active(Role.VERIFIER) == tuple(person.address for person in cast.verifiers)
    stakes.set_endpoint(Role.SOLVER, "http://127.0.0.1:1")
    assert stakes.endpoint_of(me, Role.SOLVER) == "http://127.0.0.1:1"
    member = stakes.member(me, Role.SOLVER)
    assert member == Member(10**8, 0, member.joined, 0, 0, "http://127.0.0.1:1")
    assert stakes.seated(Role.SOLVER, 0, member.joined) == me
    assert stakes.seated(Role.SOLVER, 0, member.joined - 1) == "0x" + "00" * 20
    assert (stakes.free_of(me, Role.SOLVER), stakes.count(Role.WHISTLEBLOWER)) == (10**8, 1)
    stakes.leave(Role.SOLVER)
    with pytest.raises(Reverted, match="stakes: unbonding"):
        stakes.withdraw(Role.SOLVER)
    cast.chain.skip(61)
    stakes.withdraw(Role.SOLVER)
    assert (stakes.stake_of(me, Role.SOLVER), token.balance_of(me)) == (0, token.grant())


def test_the_currency(chain: Chain) -> None:
    one, two = chain.person(), chain.person()
    deployment = deploy(one)
    mine, its = deployment.connect(one)[0], deployment.connect(two)[0]
    assert (mine.name(), mine.symbol(), mine.decimals()) == ("Assay play money", "PLAY", 6)
    assert not mine.granted(one.address)
    mine.faucet()
    assert mine.granted(one.address)
    assert mine.total_supply() == mine.grant() == mine.balance_of(one.address)
    mine.transfer(two.address, 10)
    mine.approve(two.address, 7)
    its.transfer_from(one.address, two.address, 3)
    assert (mine.allowance(one.address, two.address), mine.balance_of(two.address)) == (4, 13)


def test_a_post_that_is_repeated_is_paid_once(cast: Cast) -> None:
    market, (task, terms) = cast.market(cast.submitter), cast.post()
    salt = "5a" * 32
    foretold = market.task_id(cast.submitter.address, salt, terms)
    assert market.state(foretold) is TaskState.NONE
    with pytest.raises(NotFoundError):
        market.task(foretold)
    assert market.post(salt, terms, WORK) == foretold != task
    with pytest.raises(Reverted, match="market: already posted"):
        market.post(salt, terms, WORK)
    assert market.posted() == [task, foretold]


HEARD_BY_CONTRACTS = {
    "market": {"dispute", "answered", "rule", "replace", "vindicate"},
    "stakes": {"lock", "engage", "unlock", "slash", "verifiers_beside"},
    "game": {"conclude"},
    "evidence": {"question"},
    "trajectory": {"leaf"},
    "rules": {"escrow"},
}
"""What only other contracts call."""

READ_OFF = {
    "market": {"results", "charged", "jackpot", "unsealed"},
    "game": {"market", "token", "evidence", "trajectory"},
    "evidence": {"referee"},
    "rules": {"escrow_of", "proof_depth"},
    "jackpot": {"market", "token", "seals", "answers", "accusers", "is_open"},
}
"""Views for people who look at a deployment; the product has the same from its own words or from events."""


def methods(module: str) -> set[str]:
    """The functions that a module calls by name."""
    source = (Path(assay.chain.__file__).parent / f"{module}.py").read_text()
    return set(re.findall(r'self\._(?:view|send)\(\s*"(\w+)"', source))


def test_every_function_of_the_contracts_has_a_method() -> None:
    """But for those of contracts that only contracts call (arithmetic, referee)."""
    minima = {"solver_minimum", "verifier_minimum", "whistleblower_minimum"}
    made = {name.lower() for name in moves.__all__} | {"open", "open_leaf", "open_data", "show_leaf", "show_data"}
    called = {
        "token": methods("contract"),
        "market": methods("market") | {"multicall", "game", "verifier_lock", "whistleblower_lock"},
        "stakes": methods("stakes") | minima,
        "game": methods("games") | made,
        "evidence": made,
        "trajectory": made,
        "jackpot": methods("jackpot"),
        "rules": set(),
    }
    assert set(CONTRACTS) == called.keys() | {"arithmetic", "referee"}
    for name, functions in called.items():
        in_abi = {entry["name"] for entry in artifact(name).abi if entry["type"] == "function"}
        constants = {entry for entry in in_abi if entry.isupper()}
        left = in_abi - constants - functions
        assert left == HEARD_BY_CONTRACTS.get(name, set()) | READ_OFF.get(name, set()), name
    for name in ("token", "market", "stakes"):
        in_abi = {entry["name"] for entry in artifact(name).abi if entry["type"] == "function"}
        assert called[name] <= in_abi, name
    assert calls.__all__, "that each move is a call of the right contract is tested in tests/dispute"


def test_records_are_checked_before_they_are_sent(url: str, connect: Callable[..., Client]) -> None:
    client = connect(url)
    market = deploy(client).connect(client)[2]
    for wrong in ("ab", "zz" * 32):
        with pytest.raises(UsageError, match="state"):
            market.state(wrong)
        with pytest.raises(UsageError, match="64 hex digits"):
            market.accept(wrong)
