"""The market as an object: records that are put together from events, the draw before it happens, chains that went back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cast import WORK, Cast, Chain, Solution
from eth_abi import encode
from eth_utils import keccak

from assay.chain import NO_RESULT, Client, Key, Market, Result, TaskKey
from assay.chain.node import Node
from assay.errors import NotFoundError, Reverted
from assay.words import Task, TaskState


def result_hash(result: Result) -> str:
    """What the contract keeps of a result."""
    kind = "(bytes32,bytes32,bytes32,uint256,uint256,uint256,uint256,bytes32,address[])"
    words = [getattr(result, name) for name in Result.__slots__]
    return keccak(encode([kind], [tuple(bytes.fromhex(w) if _is_word(w) else w for w in words)])).hex()


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64


def kept(market: Market, task: str) -> str:
    return str(market._view("results", task))


def test_key_work_and_result_come_from_events_and_are_what_the_contract_keeps(cast: Cast) -> None:
    """Every call brings them, so a single wrong field would be refused: they are compared with the contract's own hashes."""
    task, terms = cast.post()
    stranger = cast.market(cast.whistleblower)
    record = stranger.record(task)
    assert record.key == TaskKey(cast.submitter.address, record.key.salt, terms)
    assert (record.work, record.work.digest) == (WORK, terms.work)
    assert stranger.task_id(cast.submitter.address, record.key.salt, terms) == task
    assert (record.result, record.preview, record.commitment) == (NO_RESULT, NO_RESULT, None)
    assert record.audit_seed == ""

    solver, solution = cast.market(cast.solver), Solution(terms)
    solver.accept(task)
    assert stranger.record(task).result == NO_RESULT
    solver.commit(task, solution.commitment)
    committed = stranger.record(task).result
    assert result_hash(committed) == kept(stranger, task)
    assert (committed.commitment, committed.drawn, committed.verifiers) == (solution.commitment, False, ())
    stranger.draw(task)
    drawn = stranger.record(task).result
    assert result_hash(drawn) == kept(stranger, task) != result_hash(committed)
    assert drawn.drawn
    assert len(drawn.verifiers) == 2
    assert (
        stranger.record(task).audit_seed
        == keccak(encode(["bytes32", "string"], [bytes.fromhex(drawn.seed), "intervals"])).hex()
    )


def test_a_verifier_knows_for_what_it_will_be_drawn_before_anybody_has_drawn(cast: Cast) -> None:
    task, solution = cast.committed()
    market = cast.market(cast.verifiers[0])
    assert market.record(task).result.verifiers == ()
    cast.chain.ask(cast.chain.url, "evm_mine")  # nobody knows the hash of the commitment's own block before this
    record = market.record(task)
    assert not record.result.drawn
    assert record.preview.drawn
    assert record.task.verifiers == record.preview.verifiers
    assert set(record.preview.verifiers) == {verifier.address for verifier in cast.verifiers}
    audits = [record.drawn_intervals(position) for position in range(2)]
    for position, address in enumerate(record.task.verifiers):
        cast.market(cast.by_address(address)).attest(task, solution.seal(task, address, audits[position]))
    after = market.record(task)
    assert after.result == record.preview, "the first attestation has drawn just that"
    assert [after.drawn_intervals(position) for position in range(2)] == audits
    assert after.task.state is TaskState.AUDITED


def test_a_draw_that_nobody_made_in_time_is_anchored_anew(cast: Cast) -> None:
    task, solution = cast.committed(attest_for=10_000)
    market = cast.market(cast.submitter)
    first = market.record(task).result
    for _ in range(257):
        cast.chain.ask(cast.chain.url, "evm_mine")
    record = market.record(task)
    assert not record.preview.drawn, "the block is forgotten: nobody can be drawn with it"
    with pytest.raises(Reverted, match="market: too late"):
        cast.market(cast.verifiers[0]).attest(task, "ab" * 32)
    (moved,) = market.emitted(market.draw(task), "Reanchored")
    result = market.record(task).result
    assert (result.anchor, result.seats) == (moved["anchor"], moved["seats"])
    assert result.anchor > first.anchor + 256
    assert (result.root, result.committed_at, result.drawn) == (first.root, first.committed_at, False)
    assert result_hash(result) == kept(market, task)
    market.draw(task)
    assert market.record(task).task.verifiers
    assert solution.commitment == market.record(task).commitment


def test_what_does_not_exist_is_not_found_and_not_remembered(cast: Cast) -> None:
    market = cast.market(cast.submitter)
    for ask in (market.task, market.record, market.cancel, market.accept):
        with pytest.raises(NotFoundError):
            ask("5a" * 32)
    assert market.state("5a" * 32) is TaskState.NONE
    assert market.result("5a" * 32) == NO_RESULT
    assert market.events("5a" * 32) == []


def test_ended_tasks_keep_their_story(cast: Cast) -> None:
    """The contract clears what it kept of a result; a receipt is made of events and needs nothing of it."""
    task, solution = cast.attested()
    market = cast.market(cast.submitter)
    cast.chain.skip(102)
    market.expire(task)  # the solver has not opened its traces
    record = market.record(task)
    assert record.task.state is TaskState.REFUNDED
    assert int(kept(market, task), 16) == 0
    assert record.commitment == solution.commitment
    assert len(record.task.verifiers) == 2
    assert record.drawn_intervals(0) != record.drawn_intervals(1)


def test_events_of_one_task_do_not_come_with_anothers(cast: Cast) -> None:
    one, _ = cast.post()
    other, _ = cast.committed()
    market = cast.market(cast.submitter)
    assert [event.name for event in market.events(one)] == ["Posted"]
    assert [event.name for event in market.events(other)] == ["Posted", "Accepted", "Committed"]
    assert [event.name for event in market.events(other, since=cast.submitter.head().number)] == ["Committed"]
    assert market.posted() == [one, other]


class Forked:
    """A node whose file is put back to an earlier copy: really a chain that went back."""

    def __init__(self, path: Path, new_key: Callable[[], Key]) -> None:
        self.path, self.copy, self.new_key, self.clients = path, path.with_suffix(".copy"), new_key, list[Client]()
        self.node = Node(path, dev=True)
        self.url = self.node.__enter__()
        self.port = int(self.url.rpartition(":")[2])

    def connect(self, url: str, key: Key | None = None) -> Client:
        self.clients.append(Client(url, key or self.new_key()))
        return self.clients[-1]

    def end(self) -> None:
        for client in self.clients:
            client.close()
        self.node.__exit__(None, None, None)

    def with_stopped(self, act: Callable[[], Any]) -> None:
        self.node.__exit__(None, None, None)
        act()
        self.node = Node(self.path, port=self.port, dev=True)
        assert self.node.__enter__() == self.url

    def keep(self) -> None:
        self.with_stopped(lambda: shutil.copy(self.path, self.copy))

    def go_back(self) -> None:
        self.with_stopped(lambda: shutil.copy(self.copy, self.path))


def test_a_market_object_follows_a_chain_that_went_back(
    tmp_path: Path, new_key: Callable[[], Key], ask: Callable[..., Any]
) -> None:
    forked = Forked(tmp_path / "chain.db", new_key)
    try:
        cast = Cast(Chain(forked.url, forked.connect, ask, lambda address: None))
        market = cast.market(cast.submitter)
        before, _ = cast.post()
        forked.keep()
        lost, _ = cast.committed()
        cast.market(cast.solver).accept(before)
        assert market.record(lost).commitment is not None
        assert market.task(before).state is TaskState.ASSIGNED
        forked.go_back()
        assert market.task(before).state is TaskState.OPEN, (
            "what never changes may be remembered, the rest is asked for"
        )
        with pytest.raises(NotFoundError):
            market.record(lost)
        with pytest.raises(NotFoundError):
            market.cancel(lost)
        assert market.posted() == [before]
        again = cast.market(forked.connect(forked.url, cast.submitter._signer()))  # a client counts its transactions
        again.cancel(before)
        assert market.state(before) is TaskState.REFUNDED
    finally:
        forked.end()


def test_a_key_is_asked_for_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    task, _ = cast.post()
    market, asked = cast.market(cast.solver), []
    logs = market.client.logs
    monkeypatch.setattr(market.client, "logs", lambda *a: asked.append(a[3][0]) or logs(*a))
    for _ in range(3):
        assert isinstance(market.task(task), Task)
    posted = market.abi.topic("Posted")
    assert asked.count(posted) == 1
    assert market.record(task).task.state is TaskState.OPEN
