"""The whole life of a task through the typed contracts, on the embedded node and on anvil."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from eth_abi import encode
from eth_utils import keccak

import assay.chain
from assay.chain import (
    Client,
    Deployment,
    EventReader,
    Key,
    Market,
    Member,
    Opening,
    Role,
    Terms,
    Work,
    deploy,
    events,
)
from assay.chain.node import Node
from assay.contracts import artifact
from assay.errors import ConfigError, NotFoundError, Reverted, UsageError
from assay.proof import audit_intervals
from assay.words import Blob, Commitment, TaskState

ZERO = "00" * 32
ETHER = 10**18
WORK = Work("ab" * 32, "01" * 32, "02" * 32, "03" * 32, 100, 10, 7, 32, 60, 30, 10)


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


@dataclass
class Chain:
    """A chain to run a life on, and how it makes time pass."""

    url: str
    connect: Callable[..., Client]
    ask: Callable[..., Any]

    def person(self) -> Client:
        return self.connect(self.url)

    def skip(self, seconds: int) -> None:
        self.ask(self.url, "evm_increaseTime", seconds)
        self.ask(self.url, "evm_mine")


@pytest.fixture(params=["embedded", "anvil"])
def chain(request: pytest.FixtureRequest, tmp_path: Path, ask: Any, connect: Callable[..., Client]) -> Iterator[Chain]:
    if request.param == "embedded":
        with Node(tmp_path / "chain.db", dev=True) as url:
            yield Chain(url, connect, ask)
        return
    url = request.getfixturevalue("anvil")

    def funded(where: str) -> Client:
        key = Key(secrets.token_bytes(32))
        ask(where, "anvil_setBalance", key.address, hex(ETHER))  # gas costs ether there
        return connect(where, key)

    yield Chain(url, funded, ask)


class Solution:
    """A trajectory of two intervals of two steps, made up, but committed to as a real one is."""

    def __init__(self, terms: Terms) -> None:
        self.states = [sha(b"state", bytes([k])) for k in range(3)]
        self.digests = [sha(b"digest", bytes([k])) for k in range(3)]
        self.batches = [bytes(32), sha(b"batches 1"), sha(b"batches 2")]
        program = bytes.fromhex(terms.program_root)
        leaves = []
        for k in range(3):
            previous = self.states[k - 1] if k else bytes(32)
            trace = sha(b"\x05", self.digests[k])
            step = min(k * terms.interval, terms.steps).to_bytes(8, "big")
            leaves.append(sha(b"\x04", previous, self.states[k], step, self.batches[k], program, trace))
        self.leaves = [*leaves, bytes(32)]
        self.pairs = [sha(b"\x01", *self.leaves[:2]), sha(b"\x01", *self.leaves[2:])]
        self.root = sha(b"\x01", *self.pairs)

    @property
    def commitment(self) -> Commitment:
        blob = Blob(sha256=sha(b"trajectory").hex(), size=777)
        return Commitment(root=self.root.hex(), trajectory=blob, final_root=self.states[2].hex())

    def opening(self, interval: int) -> Opening:
        k = interval + 1
        path = (self.leaves[k ^ 1].hex(), self.pairs[(k >> 1) ^ 1].hex())
        roots = (self.states[k - 1].hex(), self.states[k].hex(), self.batches[k].hex())
        return Opening(self.digests[k].hex(), *roots, path)

    def seal(self, task: str, verifier: str, intervals: tuple[int, ...]) -> str:
        found = keccak(b"".join(self.digests[k + 1] for k in intervals))
        return keccak(encode(["bytes32", "address", "bytes32"], [bytes.fromhex(task), verifier, found])).hex()


class Cast:
    """A submitter, a solver and two verifiers on a fresh deployment, staked and funded."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.submitter, self.solver, *self.verifiers = (chain.person() for _ in range(4))
        self.deployment = deploy(self.submitter, unbonding=60)
        self.deployment.check(self.submitter)
        for role, people in ((Role.SOLVER, [self.solver]), (Role.VERIFIER, self.verifiers)):
            for person in people:
                token, stakes, _ = self.deployment.connect(person)
                token.faucet()
                token.approve(stakes.address, 10**9)
                stakes.register(role, stakes.minimum(role), f"http://127.0.0.1/{person.address}")
        token, _, market = self.deployment.connect(self.submitter)
        token.faucet()
        token.approve(market.address, 10**9)

    def market(self, person: Client) -> Market:
        return self.deployment.connect(person)[2]

    def post(self, **changes: int) -> tuple[str, Terms]:
        windows = {"open_for": 100, "work_for": 100, "patrol_for": 0, "attest_for": 100, "reveal_for": 100}
        counts = {"steps": 4, "interval": 2, "price": 5000, "fee": 300, "verifiers": 2, "audit_intervals": 1}
        counts |= {"collateral": 10**6}
        terms = Terms(work=WORK.digest, program_root="cd" * 32, **(windows | counts | changes))
        return self.market(self.submitter).post(secrets.token_hex(32), terms, WORK), terms


def test_a_task_is_solved_audited_and_paid(chain: Chain, tmp_path: Path) -> None:
    cast = Cast(chain)
    market = cast.market(cast.submitter)
    reader = EventReader(cast.submitter, cast.deployment, tmp_path / "cursor.json")
    joined = reader.read()
    assert [event.name for event in joined] == ["Registered"] * 3
    reader.acknowledge()

    task, terms = cast.post()
    assert market.escrow_of(terms) == 5600
    assert cast.deployment.connect(cast.submitter)[0].balance_of(market.address) == 5600
    found = market.task(task)
    assert (found.state, found.submitter, found.solver, found.spec) == (
        TaskState.OPEN,
        cast.submitter.address,
        "",
        "ab" * 32,
    )
    assert (found.price, found.fee, found.intervals, found.audit.verifiers, found.verifiers) == (5000, 300, 2, 2, ())
    assert 0 < found.deadline - cast.submitter.now() <= 100
    assert (tuple(market.posted()), market.record(task).commitment, market.record(task).work) == ((task,), None, WORK)
    key = market.record(task).key
    assert market.task_id(key.submitter, key.salt, key.terms) == task

    cast.market(cast.solver).accept(task)
    solution = Solution(terms)
    cast.market(cast.solver).commit(task, solution.commitment)
    record = market.record(task)
    assert (record.task.state, record.task.solver) == (TaskState.COMMITTED, cast.solver.address)
    assert (record.commitment, record.terms) == (solution.commitment, terms)
    assert market.stakes() == cast.deployment.stakes
    assert cast.deployment.connect(cast.solver)[1].member(cast.solver.address, Role.SOLVER).locked == 10**6

    # Who will be drawn is known before anybody has drawn; the first attestation draws.
    drawn = record.task.verifiers
    assert not record.result.drawn
    assert record.preview.drawn
    assert set(drawn) == {person.address for person in cast.verifiers}
    people = {person.address: person for person in cast.verifiers}
    audits = [audit_intervals(bytes.fromhex(record.audit_seed), j, record.task.audit, 2) for j in range(2)]
    assert sorted(audits) == [(0,), (1,)]
    for position, address in enumerate(drawn):
        assert market.sealed(task, address) == ZERO
        seal = solution.seal(task, address, audits[position])
        cast.market(people[address]).attest(task, seal)
        assert market.sealed(task, address) == seal
        assert market.record(task).result.drawn
    record = market.record(task)
    assert (record.task.state, record.task.verifiers, market.proof_depth(terms)) == (TaskState.AUDITED, drawn, 2)
    assert (record.result.seats, int(market.results(task), 16) != 0) == (2, True)

    with pytest.raises(Reverted, match="market: not the solver"):
        market.reveal(task, 0, [solution.opening(audits[0][0])])
    for position in range(2):
        assert position not in market.record(task).revealed
        assert len(market.record(task).matched) == position
        cast.market(cast.solver).reveal(task, position, [solution.opening(k) for k in audits[position]])
        assert position in market.record(task).matched
    assert market.record(task).matched == {0, 1}
    market.settle(task)
    assert market.task(task).state is TaskState.SETTLED
    assert [market.owed(person.address) for person in (cast.solver, *cast.verifiers)] == [5000, 300, 300]
    token = cast.deployment.connect(cast.solver)[0]
    before = token.balance_of(cast.solver.address)
    cast.market(cast.solver).withdraw()
    assert (token.balance_of(cast.solver.address) - before, market.owed(cast.solver.address)) == (5000, 0)

    assert market.results(task) == ZERO
    assert market.record(task).commitment == solution.commitment  # read from the events
    assert cast.market(cast.solver).task(task).verifiers == drawn
    story = ["Posted", "Accepted", "Committed", "Drawn", "Attested", "Attested", "Audited", "Revealed", "Revealed"]
    told = events(cast.submitter, cast.deployment, task)
    assert [event.name for event in told if event.name != "Credited"] == [*story, "Settled"]
    assert {event.task for event in told} == {task}
    assert told[2].args["root"] == solution.commitment.root
    assert told[3].args["verifiers"] == drawn
    read = [event for event in reader.read() if event.contract == "market"]
    assert read[:-1] == told
    assert (read[-1].name, read[-1].args["amount"]) == ("Withdrawn", 5000)


def test_a_finding_alone_moves_nothing_and_a_deadline_expires(chain: Chain) -> None:
    cast = Cast(chain)
    market = cast.market(cast.submitter)
    task, terms = cast.post(verifiers=1)
    cast.market(cast.solver).accept(task)
    cast.market(cast.solver).commit(task, Solution(terms).commitment)
    market.draw(task)
    (address,) = market.task(task).verifiers
    verifier = cast.market(next(person for person in cast.verifiers if person.address == address))
    kinds = ["bytes32", "address", "uint256", "uint256", "bytes32"]
    sealed = keccak(encode(kinds, [bytes.fromhex(task), address, 1, 0, b"\x77" * 32])).hex()
    verifier.attest(task, sealed)
    with pytest.raises(Reverted, match="market: not the game"):
        verifier._send("dispute", *verifier._both(task), address, 1, 0, "77" * 32)
    assert (market.task(task).state, market.charged(task)) == (TaskState.AUDITED, 0)
    cast.market(cast.solver).concede(task, 0)
    assert market.task(task).state is TaskState.REFUNDED
    assert market.faultless_until(cast.solver.address) > cast.solver.now()

    second, _ = cast.post()
    with pytest.raises(Reverted, match="market: not expired"):
        market.expire(second)
    chain.skip(200)
    assert cast.submitter.now() > market.task(second).deadline
    with pytest.raises(Reverted, match="market: expired"):
        cast.market(cast.solver).accept(second)
    market.expire(second)
    third, _ = cast.post()
    market.cancel(third)
    assert [market.task(name).state for name in (second, third)] == [TaskState.REFUNDED] * 2
    assert (
        market.owed(cast.submitter.address) == 5600
    )  # the escrow of the first went into the second, of that into the third


def test_stakes_come_and_go(chain: Chain) -> None:
    cast = Cast(chain)
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
    stakes.leave(Role.SOLVER)
    with pytest.raises(Reverted, match="stakes: unbonding"):
        stakes.withdraw(Role.SOLVER)
    chain.skip(61)
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


def test_a_post_that_is_repeated_is_paid_once(chain: Chain) -> None:
    cast = Cast(chain)
    market, (task, terms) = cast.market(cast.submitter), cast.post()
    salt = "5a" * 32
    foretold = market.task_id(cast.submitter.address, salt, terms)
    assert market.state(foretold) is TaskState.NONE
    assert market.post(salt, terms, WORK) == foretold != task
    with pytest.raises(Reverted, match="market: already posted"):
        market.post(salt, terms, WORK)


def test_a_deployment_is_kept_and_belongs_to_its_chain(
    url: str, connect: Callable[..., Client], tmp_path: Path
) -> None:
    client = connect(url)
    made = deploy(client, solver_minimum=5, verifier_minimum=6)
    made.save(tmp_path / "deployment.json")
    loaded = Deployment.load(tmp_path / "deployment.json")
    assert loaded == made
    stakes = loaded.connect(client)[1]
    assert (stakes.minimum(Role.SOLVER), stakes.minimum(Role.VERIFIER)) == (5, 6)
    assert deploy(client, token=made.token).token == made.token
    made.check(client)
    mixed = msgspec.structs.replace(made, stakes=deploy(client).stakes)
    with pytest.raises(ConfigError, match="do not know each other: market, stakes"):
        mixed.check(client)
    with pytest.raises(NotFoundError):
        Deployment.load(tmp_path / "none.json")
    (tmp_path / "deployment.json").write_text('{"token": 1}')
    with pytest.raises(ConfigError, match="not a deployment"):
        Deployment.load(tmp_path / "deployment.json")
    with Node(tmp_path / "chain.db", chain_id=99) as other, Client(other) as stranger:  # noqa: SIM117
        with pytest.raises(ConfigError, match="chain 31337"):
            made.check(stranger)


def test_every_function_of_the_contracts_has_a_method() -> None:
    folder = Path(assay.chain.__file__).parent
    for name, file in (("market", "market"), ("stakes", "stakes"), ("token", "contract")):
        source = (folder / f"{file}.py").read_text()
        called = set(re.findall(r'self\._(?:view|send)\(\s*"(\w+)"', source))
        if name == "stakes":
            called |= {f"{role.name.lower()}_minimum" for role in Role}
        in_abi = {entry["name"] for entry in artifact(name).abi if entry["type"] == "function"}
        theirs = {
            "market": {"dispute", "rule", "answered"},
            "stakes": {"lock", "unlock", "slash"},
        }  # of other contracts
        constants = {found for found in in_abi if found.isupper()} - called
        assert in_abi - called - constants == theirs.get(name, set())
        assert called - in_abi == set()


def test_records_are_checked_before_they_are_sent(url: str, connect: Callable[..., Client]) -> None:
    client = connect(url)
    market = deploy(client).connect(client)[2]
    with pytest.raises(NotFoundError, match="no task"):
        market.accept("ab" * 32)
    with pytest.raises(UsageError, match="tasks"):
        market.task("ab")
    with pytest.raises(UsageError, match="tasks"):
        market.task("zz" * 32)
