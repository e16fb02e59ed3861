"""The event reader: in order, once each, over restarts and chains that went back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.chain import Call, Client, Deployment, Event, EventReader, Key, Rewind, Role, Stakes, Token, deploy
from assay.chain.node import Node
from assay.errors import ConfigError


class Town:
    """A deployment and somebody who keeps changing its endpoint, which makes one event each time."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.deployment = deploy(client)
        self.token, self.stakes, _ = self.deployment.connect(client)
        self.token.faucet()
        self.token.approve(self.stakes.address, 10**9)
        self.stakes.register(Role.SOLVER, 10**8, "start")

    def say(self, *words: str) -> None:
        for word in words:
            self.stakes.set_endpoint(Role.SOLVER, word)


def words(found: list[Event | Rewind]) -> list[str]:
    return [str(event.args["endpoint"]) for event in found if isinstance(event, Event)]


@pytest.fixture
def town(url: str, connect: Callable[..., Client]) -> Town:
    return Town(connect(url))


@pytest.fixture
def cursor(tmp_path: Path) -> Path:
    return tmp_path / "cursor.json"


def test_events_come_in_order_and_decoded(town: Town, cursor: Path) -> None:
    town.say("a", "b")
    reader = EventReader(town.client, town.deployment, cursor)
    found = reader.read()
    assert words(found) == ["start", "a", "b"]
    first = found[0]
    assert isinstance(first, Event)
    assert (first.name, first.contract, first.task) == ("Registered", "stakes", "")
    stake = {"account": town.client.address, "role": 1, "added": 10**8, "stake": 10**8, "endpoint": "start"}
    assert first.args == stake
    assert [(e.block, e.log_index) for e in found] == sorted((e.block, e.log_index) for e in found)


def test_nothing_is_lost_or_repeated_over_restarts(town: Town, cursor: Path) -> None:
    """A consumer that dies at any moment, between and during events, sees each of them acknowledged once."""
    handled: list[str] = []
    expected = ["start"]
    for round_ in range(6):
        fresh = [f"{round_}.{n}" for n in range(3)]
        town.say(*fresh)
        expected += fresh
        reader = EventReader(town.client, town.deployment, cursor)  # as after a restart
        for event in reader.read()[: round_ % 4]:
            handled.append(words([event])[0])
            reader.acknowledge(event)
    reader = EventReader(town.client, town.deployment, cursor)
    for event in reader.read():
        handled.append(words([event])[0])
        reader.acknowledge(event)
    assert handled == expected
    assert EventReader(town.client, town.deployment, cursor).read() == []


def test_what_is_not_acknowledged_comes_again(town: Town, cursor: Path) -> None:
    reader = EventReader(town.client, town.deployment, cursor)
    assert words(reader.read()) == words(reader.read()) == ["start"]
    reader.acknowledge()  # all that was read last
    assert reader.read() == []
    reader.acknowledge()
    town.say("next")
    assert words(EventReader(town.client, town.deployment, cursor).read()) == ["next"]


def test_events_of_one_block_are_told_apart(url: str, new_key: Any, connect: Any, town: Town, cursor: Path) -> None:
    """Several events share a block; the cursor stands between them."""
    people = [connect(url, new_key()) for _ in range(3)]
    for person in people:
        Token(person, town.token.address).faucet()
        Token(person, town.token.address).approve(town.stakes.address, 10**9)
    reader = EventReader(town.client, town.deployment, cursor)
    reader.read()
    reader.acknowledge()
    raws = []
    for person in people:
        data = town.stakes.abi.encode("register", 2, 10**8, person.address)
        raws.append(person._prepare(Call(town.stakes.address, data)) | {"nonce": 2})
    signed = ["0x" + p._signer().sign(raw)[0].hex() for p, raw in zip(people, raws, strict=True)]
    people[0]._rpc.ask_all([("eth_sendRawTransaction", (raw,)) for raw in signed])
    found = reader.read()
    assert len({event.block for event in found if isinstance(event, Event)}) == 1
    assert [event.log_index for event in found if isinstance(event, Event)] == [2, 5, 8]  # after the token's own
    reader.acknowledge(found[0])
    rest = EventReader(town.client, town.deployment, cursor).read()
    assert words(rest) == [person.address for person in people[1:]]


def test_blocks_without_events_are_passed(town: Town, cursor: Path) -> None:
    reader = EventReader(town.client, town.deployment, cursor)
    reader.read()
    reader.acknowledge()
    before = reader.position
    for _ in range(3):
        town.client.send(Call(town.client.address, b""))
    assert reader.read() == []
    assert reader.position[0] == before[0] + 3


def test_a_small_range_reads_the_same(town: Town, cursor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.chain.reader._RANGE", 2)
    for word in "abc":
        town.say(word)
        for _ in range(5):
            town.client.send(Call(town.client.address, b""))
    reader, seen = EventReader(town.client, town.deployment, cursor), []
    while found := reader.read():
        seen += words(found)
        reader.acknowledge()
    assert seen == ["start", "a", "b", "c"]


def test_confirmations_hold_events_back(town: Town, cursor: Path) -> None:
    reader = EventReader(town.client, town.deployment, cursor, confirmations=2)
    assert reader.read() == []
    town.say("a", "b")
    assert words(reader.read()) == ["start"]


def test_following_acknowledges_what_was_dealt_with(town: Town, cursor: Path) -> None:
    town.say("a", "b")
    for event in EventReader(town.client, town.deployment, cursor).follow(interval=0.01):
        if words([event]) == ["b"]:
            break  # dies while dealing with b
    assert words(EventReader(town.client, town.deployment, cursor).read()) == ["b"]


class Forked:
    """A node whose file is put back to an earlier copy: really a chain that went back."""

    def __init__(self, path: Path, key: Key) -> None:
        self.path, self.copy, self.key = path, path.with_suffix(".copy"), key
        self.start()
        self.town = Town(self.client)

    def start(self) -> None:
        self.node = Node(self.path)
        self.client = Client(self.node.__enter__(), self.key)

    def stop(self) -> None:
        self.client.close()
        self.node.__exit__(None, None, None)

    def keep(self) -> None:
        self.restart(lambda: shutil.copy(self.path, self.copy))

    def go_back(self) -> None:
        self.restart(lambda: shutil.copy(self.copy, self.path))

    def restart(self, meanwhile: Callable[[], Any]) -> None:
        self.stop()
        meanwhile()
        self.start()
        self.town.client = self.client
        self.town.stakes = Stakes(self.client, self.town.stakes.address)


@pytest.fixture
def forked(tmp_path: Path, new_key: Callable[[], Key]) -> Iterator[Forked]:
    made = Forked(tmp_path / "chain.db", new_key())
    yield made
    made.stop()


def test_a_chain_that_went_back_is_reported_and_read_again(forked: Forked, cursor: Path) -> None:
    deployment: Deployment = forked.town.deployment

    def drain() -> list[Event | Rewind]:
        reader, seen = EventReader(forked.client, deployment, cursor), []
        while found := reader.read():
            seen += found
            reader.acknowledge()
        return seen

    forked.town.say("a")
    assert words(drain()) == ["start", "a"]
    kept = forked.client.head().number
    forked.keep()
    forked.town.say("lost", "lost too")
    assert words(drain()) == ["lost", "lost too"]

    forked.go_back()  # the same height with other blocks, and then a shorter chain, and then a longer one
    forked.town.say("other", "b")
    reader = EventReader(forked.client, deployment, cursor)
    assert reader.read() == [Rewind(kept, kept + 2)] == reader.read()
    assert EventReader(forked.client, deployment, cursor).read() == [Rewind(kept, kept + 2)]  # until acknowledged
    assert words(drain()) == ["other", "b"]

    forked.go_back()
    assert drain() == [Rewind(kept, kept + 2)]
    forked.town.say("x", "y", "z")
    assert words(drain()) == ["x", "y", "z"]


def test_a_chain_that_went_back_further_than_remembered_is_read_from_the_start(
    forked: Forked, cursor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.chain.reader._RING", 2)
    forked.keep()
    reader = EventReader(forked.client, forked.town.deployment, cursor)
    for word in ("a", "b", "c"):
        forked.town.say(word)
        reader.read()
        reader.acknowledge()
    seen = reader.position[0]
    forked.go_back()
    forked.town.say("other")
    reader = EventReader(forked.client, forked.town.deployment, cursor)
    assert reader.read() == [Rewind(forked.town.deployment.block - 1, seen)]
    reader.acknowledge()
    assert words(reader.read()) == ["start", "other"]


def test_a_cursor_belongs_to_one_market(town: Town, cursor: Path) -> None:
    reader = EventReader(town.client, town.deployment, cursor)
    reader.read()
    reader.acknowledge()
    with pytest.raises(ConfigError, match="another market"):
        EventReader(town.client, Town(town.client).deployment, cursor)
    cursor.write_text("{")
    with pytest.raises(ConfigError, match="not a cursor"):
        EventReader(town.client, town.deployment, cursor)
