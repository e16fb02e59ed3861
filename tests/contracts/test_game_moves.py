"""Single moves: who may make which, when, with what; every refusal is the contract's and the rules' alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boa
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from game_world import BURN, CHALLENGER, SOLVER, STRANGER, SUBMITTER, Play, Table
from quarrel import Claims, Lie, claims, toy
from quarrel_players import Challenger, Solver

from assay.chain.abi import Abi
from assay.contracts import artifact
from assay.dispute.calls import call_of
from assay.dispute.game import Outcome
from assay.dispute.moves import Choose, Divide, Expand, Expire, Input, Moot, Move, Point, Rows, Show
from assay.dispute.record import Game, Kind, Level, Turn
from assay.errors import RefusedError
from assay.proof import merkle


@pytest.fixture(scope="module")
def _table() -> Table:
    return Table()


@pytest.fixture
def table(_table: Table) -> Iterator[Table]:
    with boa.env.anchor():
        yield _table


LATER = 100
"""Salts from here on: sealed only, to be opened later."""


class Walk:
    """A game in which both answer as they should, up to where a test takes over."""

    def __init__(
        self, table: Table, lie: Lie | None = None, kind: Kind = Kind.INTERVAL, k: int = 1, salt: int = 1
    ) -> None:
        self.play, self.table = Play(table, toy(), claims(lie), salt), table
        self.solver, self.challenger = Solver(claims(lie)), Challenger(claims())
        self.play.sealed(kind, k)
        if salt < LATER:
            self.play.opened(kind, k)

    @property
    def game(self) -> Game:
        assert isinstance(self.play.game, Game)
        return self.play.game

    def next(self) -> Move:
        """What should come now."""
        return (self.solver if self.game.turn is Turn.SOLVER else self.challenger).move(self.game)

    def step(self) -> Walk:
        """It comes."""
        game, move = self.game, self.next()
        self.play.make(move, game.solver if game.turn is Turn.SOLVER else game.challenger)
        if game.turn is Turn.SOLVER:
            self.challenger.watch(game, move)
        return self

    def until(self, level: Level, turn: Turn, height: int = -1) -> Walk:
        """Walk to a level."""
        while not (self.game.level is level and self.game.turn is turn and height in (-1, self.game.height)):
            self.step()
        return self

    def refuses(self, move: Move, words: str, by: str = "") -> None:
        """Both say no, and with the same words."""
        by = by or (SOLVER if self.game.turn is Turn.SOLVER else CHALLENGER)
        with pytest.raises(RefusedError) as refused:
            self.play.make(move, by)
        assert refused.value.message == words


PRODUCT = Lie("value", 4, 8, 5, 77)


def test_only_who_has_the_turn_moves_and_in_time(table: Table) -> None:
    walk = Walk(table, PRODUCT)
    answer = walk.next()
    walk.refuses(answer, "game: not yours", CHALLENGER)
    walk.refuses(answer, "game: not yours", STRANGER)
    walk.refuses(Choose((), 0), "game: turn", CHALLENGER)
    walk.refuses(Expire(), "game: not expired", STRANGER)
    table.wait(walk.game.deadline - table.now)
    walk.refuses(Expire(), "game: not expired", STRANGER)
    walk.step()  # the last second counts
    assert walk.game.solver_left == 0
    assert walk.game.deadline == table.now + 1000
    table.wait(400)
    walk.step()
    assert walk.game.challenger_left == 600
    assert walk.game.deadline == table.now + 100  # the solver's clock is over, the extension is left
    table.wait(101)
    walk.refuses(walk.next(), "game: too late")
    assert walk.play.make(Expire(), STRANGER) == Outcome(True, "silence", 2002, returned=2002)


def test_the_record_must_be_the_game_s(table: Table) -> None:
    walk = Walk(table, PRODUCT)
    for changed in (
        replace(walk.game, solver=STRANGER),
        replace(walk.game, deadline=walk.game.deadline + 1),
        replace(walk.game, high=merkle.ZERO),
    ):
        with pytest.raises(RefusedError, match="game: record"):
            table.run(changed.solver, call_of(walk.play.id, changed, walk.next(), walk.play.matter))
    with pytest.raises(RefusedError, match="game: record"):
        table.run(SOLVER, call_of(b"\x01" * 32, walk.game, walk.next(), walk.play.matter))


def test_a_finding_is_played_once(table: Table) -> None:
    walk = Walk(table, PRODUCT)
    last = walk.game
    with pytest.raises(RefusedError, match="game: already played"):
        table.run(CHALLENGER, table.opened)
    table.wait(2000)
    walk.play.make(Expire(), STRANGER)
    with pytest.raises(RefusedError, match="game: already played"):
        table.run(CHALLENGER, table.opened)
    for move in (Expire(), Moot()):
        with pytest.raises(RefusedError, match="game: record"):
            table.run(STRANGER, call_of(walk.play.id, last, move, walk.play.matter))


def test_nobody_but_evidence_concludes(table: Table) -> None:
    walk = Walk(table, PRODUCT)
    call = call_of(walk.play.id, walk.game, Expire(), walk.play.matter)
    arguments = (*call.arguments, CHALLENGER, True, "mine")
    with pytest.raises(RefusedError, match="game: not evidence"):
        table.run(CHALLENGER, call._replace(function="conclude", arguments=arguments))


def test_only_what_was_sealed_is_opened_and_nothing_else(table: Table) -> None:
    play = Play(table, toy(), claims(PRODUCT))
    play.sealed(Kind.INTERVAL, 1)
    with pytest.raises(RefusedError, match="market: finding"):
        play.opened(Kind.INTERVAL, 2)
    with pytest.raises(RefusedError, match="market: finding"):
        play.opened(Kind.TRACE, 1)
    with pytest.raises(RefusedError, match="game: interval"):
        play.opened(Kind.INTERVAL, 3, 1, 2)
    with pytest.raises(RefusedError, match="game: kind"):
        play.opened(Kind.LEAF, 1)
    with pytest.raises(RefusedError, match="evidence: proof"):
        play.opened(Kind.INTERVAL, 1, 0, 2)
    assert isinstance(play.opened(Kind.INTERVAL, 1), Game)


def test_a_division_has_a_word_for_each_cut(table: Table) -> None:
    walk = Walk(table, PRODUCT)
    move = walk.next()
    assert isinstance(move, Divide)
    walk.refuses(Divide(move.words[:-1]), "game: length")
    walk.refuses(Divide((*move.words, merkle.ZERO)), "game: length")
    walk.refuses(Expand(move.words), "game: level")
    walk.refuses(Show(b""), "game: level")
    walk.step()
    walk.refuses(Choose(move.words[::-1], 0), "game: words")
    walk.refuses(Choose(move.words, len(move.words) + 1), "game: part")
    walk.refuses(Point(b"", 0, b""), "game: level")


def test_a_tree_is_opened_as_it_is(table: Table) -> None:
    walk = Walk(table, PRODUCT).until(Level.VALUES, Turn.SOLVER, 3)
    move = walk.next()
    assert isinstance(move, Expand)
    walk.refuses(Expand(move.children[:2]), "game: length")
    walk.refuses(Expand(move.children[::-1]), "game: root")
    walk.refuses(Divide(move.children), "game: level")
    walk.step()
    walk.refuses(Choose(move.children, 4), "game: part")
    walk.refuses(Expire(), "game: not expired")


def test_padding_is_neither_revealed_nor_chosen(table: Table) -> None:
    """Of the values 24 to 31 only 24 is one: nothing may hide in the others, and nobody is led there."""
    for lie, salt in ((Lie("padding", 5), 1), (None, 2)):
        walk = Walk(table, lie, salt=salt).until(Level.VALUES, Turn.SOLVER)
        walk.step()  # the root is stated, with something where nothing should be
        walk.play.make(Choose(walk.challenger.words, 3), CHALLENGER)
        move = walk.next()
        assert isinstance(move, Expand)
        if lie:
            walk.refuses(move, "game: padding")
        else:
            walk.step()
            walk.refuses(Choose(move.children, 1), "game: padding")


def test_bytes_are_shown_whole(table: Table) -> None:
    walk = Walk(table, Lie("value", 4, 19, 1150)).until(Level.TENSOR, Turn.SOLVER, 0)
    assert walk.game.index == 1
    move = walk.next()
    assert isinstance(move, Show)
    assert len(move.chunk) == 1200 - 1024
    walk.refuses(Show(move.chunk[:-1]), "game: length")
    walk.refuses(Show(move.chunk.ljust(1024, b"\0")), "game: length")
    walk.refuses(Show(move.chunk[::-1]), "game: root")
    walk.refuses(Expand((walk.game.node,)), "game: leaf")
    walk.step()
    point = walk.next()
    assert isinstance(point, Point)
    walk.refuses(replace(point, at=44), "evidence: element")
    walk.refuses(replace(point, chunk=point.chunk[::-1]), "evidence: chunk")
    walk.refuses(replace(point, entry=toy().entries[8]), "evidence: entry")


ENDS: list[tuple[Lie, Kind, Level, str, Callable[[Any], Any], str]] = [
    (PRODUCT, Kind.INTERVAL, Level.PROOF, "prove", lambda m: replace(m, openings=m.openings[:-1]), "referee: opening"),
    (PRODUCT, Kind.INTERVAL, Level.PROOF, "prove", lambda m: replace(m, first=(bytes(32),)), "evidence: accumulator"),
    (PRODUCT, Kind.INTERVAL, Level.PROOF, "prove", lambda m: replace(m, entry=m.entry[:-1]), "evidence: entry"),
    (Lie("value", 4, 0, 5), Kind.INTERVAL, Level.VALUES, "state", lambda m: replace(m, tensor=bytes(32)), "evidence: tensor"),
    (Lie("value", 4, 0, 5), Kind.INTERVAL, Level.VALUES, "state", lambda m: replace(m, proof=()), "evidence: length"),
    (Lie("value", 4, 0, 5), Kind.INTERVAL, Level.VALUES, "state", lambda m: Input(m.entry, m.entry_proof), "evidence: kind"),
    (Lie("value", 4, 5, 1), Kind.INTERVAL, Level.VALUES, "input", lambda m: Input(*toy().entry(6)), "evidence: entry"),
    (Lie("value", 4, 3, 70), Kind.INTERVAL, Level.TENSOR, "batch", lambda m: replace(m, row=m.row[:-1]), "evidence: row"),
    (Lie("value", 4, 3, 70), Kind.INTERVAL, Level.TENSOR, "batch", lambda m: replace(m, row=m.row[::-1]), "evidence: row"),
    (Lie("value", 4, 3, 70), Kind.INTERVAL, Level.TENSOR, "batch", lambda m: replace(m, proof=()), "evidence: length"),
    (Lie("state", 4, 0, 9), Kind.INTERVAL, Level.STATE, "output", lambda m: replace(m, place=1 - m.place), "evidence: entry"),
    (Lie("state", 4, 0, 9), Kind.INTERVAL, Level.STATE, "output", lambda m: replace(m, place=2), "evidence: place"),
    (Lie("state", 4, 0, 9), Kind.INTERVAL, Level.STATE, "output", lambda m: replace(m, data=bytes(32)), "evidence: value"),
    (Lie("rows", 4, place=7), Kind.BATCHES, Level.ROWS, "rows", lambda m: Rows(m.chunk, 128), "evidence: element"),
    (Lie("rows", 4, place=7), Kind.BATCHES, Level.ROWS, "rows", lambda m: Rows(m.chunk, m.at + 1), "evidence: holds"),
    (Lie("print", 4), Kind.TRACE, Level.VALUES, "metrics", lambda m: replace(m, found=m.found[:1]), "evidence: length"),
    (Lie("print", 4), Kind.TRACE, Level.VALUES, "metrics", lambda m: replace(m, data=m.data + b"!"), "evidence: length"),
    (Lie("print", 4), Kind.TRACE, Level.VALUES, "metrics", lambda m: replace(m, data=m.data[::-1]), "evidence: value"),
]  # fmt: skip


@pytest.mark.parametrize("case", ENDS, ids=[f"{c[3]}-{c[5]}" for c in ENDS])
def test_a_contradiction_is_shown_whole(table: Table, case: tuple[Any, ...]) -> None:
    """Cut, swapped or made up it is refused; as it is it wins, in the challenger's turn and by the challenger only."""
    lie, kind, level, name, spoilt, words = case
    walk = Walk(table, lie, kind)
    while not (type(walk.next()).__name__.lower() == name and walk.game.turn is Turn.CHALLENGER):
        walk.step()
    assert walk.game.level is level
    move = walk.next()
    walk.refuses(spoilt(move), words)
    walk.refuses(move, "game: not yours", STRANGER)
    paid = walk.game.paid
    with boa.env.anchor():
        table.wait(walk.game.deadline + 1 - table.now)
        walk.refuses(move, "game: too late")
    table.wait(walk.game.deadline - table.now)
    assert walk.play.make(move, CHALLENGER) == Outcome(True, name, paid, returned=paid)


@pytest.mark.parametrize("case", {c[3]: c for c in ENDS}.values(), ids=lambda c: c[3])
def test_where_the_solver_is_right_no_contradiction_holds(table: Table, case: tuple[Any, ...]) -> None:
    """The same walk over an honest result: everything is well-formed, and nothing is wrong."""
    lie, kind, _, name, *_ = case
    walk = Walk(table, lie, kind)
    route: list[Move] = []
    while not (type(walk.next()).__name__.lower() == name and walk.game.turn is Turn.CHALLENGER):
        if walk.game.turn is Turn.CHALLENGER:
            route.append(walk.next())
        walk.step()
    walk.play = Play(table, toy(), claims(), salt=2)
    walk.play.open(kind, 1)
    walk.solver, walk.challenger = Solver(claims()), Challenger(claims())
    for step in route:
        while walk.game.turn is Turn.SOLVER:
            walk.step()
        if isinstance(step, Choose):
            step = replace(step, words=walk.challenger.words)
        elif isinstance(step, Point):
            step = replace(step, chunk=walk.challenger.shown)
        walk.play.make(step, CHALLENGER)
    while walk.game.turn is Turn.SOLVER:
        walk.step()
    if walk.game.level is Level.PROOF:
        game = walk.game
        own = claims().accumulator(game.step, game.value, game.element, game.lo, game.width)
        walk.challenger.first = own
    walk.refuses(walk.next(), "evidence: holds")


def test_a_leaf_that_contradicts_the_task_ends_it_at_once(table: Table) -> None:
    """Wrong step, program, previous root, initial state or final state: no bond is needed, and no second move."""
    ones = b"\x01" * 32
    changes: list[tuple[int, int, dict[str, Any]]] = [
        (2, 2, {"step": 5}),
        (2, 1, {"step": 7}),
        (1, 1, {"program_root": ones}),
        (2, 1, {"prev_root": ones}),
        (0, 0, {"state_root": ones}),
        (0, 0, {"trace": ones}),
        (0, 0, {"batches": ones}),
        (0, 0, {"prev_root": ones}),
        (3, 2, {"state_root": ones}),
    ]
    for salt, (k, interval, change) in enumerate(changes, 1):
        broken = Claims(toy())
        found = [replace(one, **change) if one.index == k else one for one in claims().openings]
        if "state_root" in change and k < 3:
            found[k + 1] = replace(found[k + 1], prev_root=change["state_root"])
        hashes = [one.leaf for one in found]
        broken.openings = [replace(one, proof=merkle.prove(hashes, i)) for i, one in enumerate(found)]
        play = Play(table, toy(), broken, salt=salt)
        assert play.open(Kind.INTERVAL, interval) == Outcome(True, "leaf", 0), change
        assert table.view("state", play.case.task, of="market") == 6


def test_what_is_demanded_is_shown_by_anybody(table: Table) -> None:
    play = Play(table, toy(), claims())
    game = play.open_leaf(2)
    assert isinstance(game, Game)
    move = Solver(claims()).move(game)
    with pytest.raises(RefusedError, match="evidence: proof"):
        play.make(replace(move, first=move.last), SOLVER)
    assert play.make(move, STRANGER) == Outcome(False, "leaf", 1001, 751, 0, 250, STRANGER)
    for salt, (k, index, number, chunk) in enumerate(((0, 0, 0, 1), (2, 3, 1, 0)), 2):
        play = Play(table, toy(), claims(), salt=salt)
        game = play.open_data(k, index, number, chunk)
        assert isinstance(game, Game)
        move = Solver(claims()).move(game)
        for spoilt in ({"chunk": move.chunk[:-1]}, {"proof": ()}, {"chunk_proof": (*move.chunk_proof, bytes(32))}):
            with pytest.raises(RefusedError, match="evidence:"):
                play.make(replace(move, **spoilt), SOLVER)
        assert play.make(move, SOLVER) == Outcome(False, "data", 1001, 751, 0, 250, SOLVER)
    assert table.view("owed", SOLVER) == 500
    assert table.view("owed", BURN) == 3 * 751


def test_what_is_demanded_and_not_shown_loses(table: Table) -> None:
    play = Play(table, toy(), claims(), salt=1)
    play.open_leaf(0)
    table.wait(1001)
    assert play.make(Expire(), STRANGER) == Outcome(True, "silence", 1001, returned=1001)
    play = Play(table, toy(), claims(), salt=2)
    with pytest.raises(RefusedError, match="game: checkpoint"):
        play.open_data(1, 3, 0, 0)
    play = Play(table, toy(), claims(), salt=3)
    with pytest.raises(RefusedError, match="game: chunk"):
        play.open_data(1, 1, 0, 2)
    play = Play(table, toy(), claims(), salt=4)
    with pytest.raises(RefusedError, match="evidence: kind"):
        play.open_data(1, 1, 2, 0)
    play = Play(table, toy(), claims(), salt=5)
    play.open_data(1, 2, 1, 0)
    table.wait(1001)
    assert play.make(Expire(), STRANGER) == Outcome(True, "silence", 1001, returned=1001)


def test_a_task_that_is_gone_is_nobody_s_loss(table: Table) -> None:
    walk = Walk(table, PRODUCT)
    walk.refuses(Moot(), "game: not moot", STRANGER)
    table.send(SOLVER, "market", "concede", walk.play.key, walk.play.result, 1)
    with boa.env.anchor():
        assert walk.play.make(Moot(), STRANGER) == Outcome(False, "moot", 1001, returned=1001)
        assert table.view("owed", CHALLENGER) == 1001
    walk.play.game = walk.play.first
    walk.step()
    table.wait(5000)  # the challenger sleeps, but there is nothing left to lose
    assert walk.play.make(Expire(), SOLVER) == Outcome(False, "moot", 1001, returned=1001)


def test_bonds_are_paid_back_burned_and_shared(table: Table) -> None:
    before = table.balance(CHALLENGER)
    walk = Walk(table, None)
    walk.step()
    table.wait(5000)
    walk.play.make(Expire(), STRANGER)
    assert (table.view("owed", SOLVER), table.view("owed", BURN)) == (250, 751)
    paid = table.balance(SOLVER)
    for who in (SOLVER, BURN):
        table.send(STRANGER, "game", "withdraw", who)
    with pytest.raises(RefusedError, match="game: nothing owed"):
        table.send(STRANGER, "game", "withdraw", SOLVER)
    assert table.balance(SOLVER) == paid + 250
    assert table.balance(BURN) == 751
    assert before - table.balance(CHALLENGER) == 1001
    assert table.balance(table.address["game"]) == 0


def test_many_games_at_once_do_not_touch_each_other(table: Table) -> None:
    lies = (PRODUCT, None, Lie("value", 4, 0, 5))
    walks = [Walk(table, lie, salt=LATER + i) for i, lie in enumerate(lies)]
    for walk in walks:
        walk.play.opened(Kind.INTERVAL, 1)
    running = list(walks)
    for _ in range(60):
        for walk in list(running):
            if walk.play.claims.lie is None and walk.game.turn is Turn.CHALLENGER:
                running.remove(walk)  # has nothing to say
                continue
            walk.step()
            if isinstance(walk.play.game, Outcome):
                running.remove(walk)
    assert [isinstance(w.play.game, Outcome) for w in walks] == [True, False, True]
    table.wait(5000)
    walks[1].play.make(Expire(), STRANGER)
    owed = sum(table.view("owed", who) for who in (CHALLENGER, SOLVER, BURN))
    assert table.balance(table.address["game"]) == owed


def test_a_token_that_keeps_a_part_is_no_bond() -> None:
    with boa.env.anchor():
        token = boa.load(str(Path(__file__).parent / "support" / "taxed_token.vy"))
        for who in (SUBMITTER, SOLVER, CHALLENGER, "0x" + "d" * 40):
            token.set_tax_free(who, True)
        table = Table(token)
        play = Play(table, toy(), claims())
        play.sealed(Kind.LEAF, 1)
        token.set_tax_free(CHALLENGER, False)
        with pytest.raises(RefusedError, match="game: fee on transfer"):
            table.send(CHALLENGER, "game", "open_leaf", play.key, play.result, play.matter.work, 1, play.salt)


def test_a_token_that_calls_back_gets_nothing_twice() -> None:
    with boa.env.anchor():
        token = boa.load(str(Path(__file__).parent / "support" / "calling_token.vy"))
        table = Table(token)
        walk = Walk(table, PRODUCT)
        table.wait(5000)
        walk.play.make(Expire(), STRANGER)
        data = Abi(artifact("game").abi).encode("withdraw", CHALLENGER)
        token.plant(table.address["game"], data)
        before = table.balance(CHALLENGER)
        table.send(STRANGER, "game", "withdraw", CHALLENGER)
        assert token.attempts() == 1
        assert not token.went_through()
        assert table.balance(CHALLENGER) == before + 1001
        token.set_silent(True)
        table.wait(1)
        play = Play(table, toy(), claims(), salt=9)
        token.set_silent(False)
        play.sealed(Kind.LEAF, 1)
        token.set_silent(True)
        with pytest.raises(RefusedError, match="game: transfer"):
            table.send(CHALLENGER, "game", "open_leaf", play.key, play.result, play.matter.work, 1, play.salt)
