"""What a dispute costs: `scripts/bench game` plays one over a run of 10^6 steps × 10^3 kernels × 10^6 elements, and a task
that nobody quarrels about.

The run is synthetic: most hashes stand for nothing. But every proof that a move brings is a real one, and the contracts
(market, game, evidence, referee, arithmetic) run on a real EVM (py-evm) and check each of them; the pure rules play along.
It prints the gas of every transaction, and at last one JSON object. A round is one move of the solver and one of the
challenger. Gas is that of a transaction: 21,000, call data and execution, less the refund.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS / "contracts" / "support"))
sys.path.insert(0, str(TESTS / "support"))

from game_world import CHALLENGER, SOLVER, Play, Table
from happy_path import happy_path

from assay.contracts import CONTRACTS, artifact
from assay.dispute import span
from assay.dispute.arbiter.kernel import execute, finish, start
from assay.dispute.arbiter.openings import openings, reader
from assay.dispute.case import Case, Work
from assay.dispute.evidence import code_root, entry_leaf, pack
from assay.dispute.game import Outcome
from assay.dispute.moves import Choose, Divide, Expand, Move, Point, Prove, Show
from assay.dispute.record import Game, Kind, Level, Turn
from assay.program import Axis, DType, Kernel, Order, Read
from assay.program.code import Layout, Source, decode, kernel_code
from assay.proof import Opening, merkle

SNAPSHOT = TESTS / "contracts" / "gas.json"
STEPS, INTERVAL, VALUES, SIDE = 10**6, 1000, 1024, 1000
STATES, METRICS = 100, 2
LEFT, RIGHT, PRODUCT = 100, 200, 900
"""Numbers of the disputed product and of its factors, SIDE × SIDE each."""
STEP, ELEMENT, TERM = 517_317, 700_123, 617
"""Where the solver deviates."""


def _hash(*what: object) -> bytes:
    return sha256(repr(what).encode()).digest()


class Run:
    """The synthetic task: its program has one real kernel, its steps one real value and the two that it reads."""

    steps, interval = STEPS, INTERVAL

    def __init__(self, ways: int) -> None:
        rng = np.random.default_rng(1)
        self.data = {n: rng.standard_normal(SIDE * SIDE).astype(np.float32).tobytes() for n in (LEFT, RIGHT, PRODUCT)}
        sources = tuple(Source(n, DType.FLOAT32, SIDE * SIDE) for n in range(VALUES))
        names = tuple(map(str, range(VALUES)))
        layout = Layout(names, sources, {name: n for n, name in enumerate(names)}, 24)
        row, column = Axis((1, 0), (0,)), Axis((0, 1), (0,))
        inner, view = Axis((0, 0), (1,)), (SIDE, SIDE)
        operands = (Read(str(LEFT), view, (row, inner)), Read(str(RIGHT), view, (inner, column)))
        shape = (SIDE, SIDE)
        kernel = Kernel("fma", str(PRODUCT), DType.FLOAT32, shape, shape, operands, (SIDE,), Order.CHAIN)
        code = kernel_code(kernel, layout)
        self.code = decode(code)
        self.product = bytes([5, 0]) + (SIDE * SIDE).to_bytes(8, "big") + code
        self.leaves = [_hash("entry", n) for n in range(VALUES + STATES + METRICS)]
        self.leaves[PRODUCT] = entry_leaf(self.product)
        counts = (VALUES, STATES, METRICS, STATES)
        packed = b"".join(n.to_bytes(4, "big") for n in counts) + (4000).to_bytes(8, "big")
        self.coded = int.from_bytes(packed, "big"), merkle.root(self.leaves)
        self.program_root = _hash("program")
        self.work = Work(
            _hash("spec"),
            code_root(*self.coded),
            _hash("state", 0),
            _hash("dataset"),
            rows=10**6,
            batch_size=64,
            seed=7,
            ways=ways,
            clock=86_400,
            extension=600,
            bond=1000,
        )

    def entry(self, place: int) -> tuple[bytes, tuple[bytes, ...]]:
        """An entry and its proof."""
        return self.product, merkle.prove(self.leaves, place)

    def case(self, claims: Claims) -> Case:
        """The dispute."""
        result = bytes(32)
        roots = claims.root, claims.final_root
        return Case(bytes(32), result, SOLVER, self.work, self.program_root, STEPS, INTERVAL, *roots)


class Claims:
    """What the solver says: all is right before STEP, ELEMENT and TERM."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.accumulators = self._accumulators()
        data = dict(run.data)
        last = finish(run.code, [self.accumulators[-1]])
        product = bytearray(data[PRODUCT])
        product[4 * ELEMENT : 4 * ELEMENT + 4] = last.to_bytes(4, "little")
        self.data = data | {PRODUCT: bytes(product)}
        self.chunks = {n: merkle.chunk_leaves(self.data[n]) for n in self.data}

    def _accumulators(self) -> list[int]:
        """After each term; from the one after TERM on they are wrong."""
        read = reader(self.run.code, lambda n: self.run.data[n])
        acc, found = start(self.run.code, ELEMENT, read), []
        found.append(acc[0])
        for k in range(SIDE):
            acc = execute(self.run.code, ELEMENT, k, k + 1, acc, read)
            found.append(acc[0])
        return found[: TERM + 1] + [bits ^ 1 for bits in found[TERM + 1 :]]

    @staticmethod
    def state(step: int) -> bytes:
        """The state root at a step; a fork after STEP."""
        return _hash("state", step) if step <= STEP else _hash("fork", step)

    @cached_property
    def values(self) -> list[bytes]:
        """Data roots of STEP."""
        found = [_hash("value", n) for n in range(VALUES)]
        for number, leaves in self.chunks.items():
            found[number] = merkle.root(leaves)
        return found

    @cached_property
    def openings(self) -> list[Opening]:
        """The leaves of the trajectory; only the two of the interval have proofs."""
        zero, program = merkle.ZERO, self.run.program_root
        found = [Opening(0, zero, self.state(0), 0, zero, program, zero, ())]
        for k in range(1, STEPS // INTERVAL + 1):
            states = self.state((k - 1) * INTERVAL), self.state(k * INTERVAL)
            found.append(Opening(k, *states, k * INTERVAL, _hash("rows", k), program, _hash("trace", k), ()))
        hashes = [one.leaf for one in found]
        for k in (STEP // INTERVAL, STEP // INTERVAL + 1):
            fields = {**vars(found[k]), "proof": merkle.prove(hashes, k)}
            found[k] = Opening(**fields)
        return found

    @cached_property
    def root(self) -> bytes:
        """The commitment."""
        return merkle.root([one.leaf for one in self.openings])

    @property
    def final_root(self) -> bytes:
        """Root of the last state."""
        return self.state(STEPS)


def _level(leaves: list[bytes], height: int) -> list[bytes]:
    """The nodes of a padded tree at a height."""
    level = leaves + [merkle.ZERO] * ((1 << merkle.depth(len(leaves))) - len(leaves))
    for _ in range(height):
        level = [merkle.node(a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
    return level


def answer(claims: Claims, game: Game) -> Move:
    """The solver's move."""
    if game.level is Level.STEPS:
        return Divide(tuple(claims.state(step) for step in span.of(game)))
    if game.level is Level.FOLD:
        return Divide(tuple(word for cut in span.of(game) for word in pack([claims.accumulators[cut]], 1)))
    if game.level is Level.TENSOR and game.height == 0:
        return Show(claims.data[PRODUCT][1024 * game.index : 1024 * (game.index + 1)])
    leaves = claims.values if game.level is Level.VALUES else claims.chunks[PRODUCT]
    levels = min(merkle.depth(game.ways), game.height)
    row = _level(leaves, game.height - levels)
    return Expand(tuple(row[game.index << levels : (game.index + 1) << levels]))


def doubt(claims: Claims, game: Game, shown: Move) -> Move:
    """The challenger's move: towards the one wrong operation."""
    run = claims.run
    if isinstance(shown, Divide):
        target = STEP if game.level is Level.STEPS else TERM
        if game.level is Level.PROOF:
            first = () if game.lo == 0 else pack([claims.accumulators[game.lo]], 1)
            pieces = [(0, 0)] if game.lo == 0 else []
            opened = [_opened(claims, *piece) for piece in (*pieces, (game.lo, game.hi))]
            return Prove(run.product, first, opened[0] if pieces else b"", opened[-1])
        return Choose(shown.words, sum(cut <= target for cut in span.of(game)))
    if isinstance(shown, Show):
        return Point(shown.chunk, ELEMENT % 256, run.product)
    assert isinstance(shown, Expand)
    levels = merkle.depth(len(shown.children))
    below = game.height - levels
    leaf = PRODUCT if game.level is Level.VALUES else ELEMENT // 256
    part = (leaf >> below) - (game.index << levels)
    ends = game.level is Level.VALUES and below == 0
    return Choose(shown.children, part, *(run.entry(PRODUCT) if ends else (b"", ())))


def _opened(claims: Claims, first: int, last: int) -> bytes:
    return openings(claims.run.code, ELEMENT, first, last, lambda n: claims.data[n], claims.values)


def dispute(ways: int, quiet: bool) -> dict[str, Any]:
    """Play it; gas of every transaction from the opening to the ruling."""
    table, run = Table(exact=True), Run(ways)
    claims = Claims(run)
    play = Play(table, run, claims)  # type: ignore[arg-type]
    play.open(Kind.INTERVAL, STEP // INTERVAL)
    before = len(table.gas) - 1
    moves = {Turn.SOLVER: 0, Turn.CHALLENGER: 0}
    labels, shown = ["open"], None
    while isinstance(game := play.game, Game):
        labels.append(f"{game.level.name.lower()}")
        moves[game.turn] += 1
        if game.turn is Turn.SOLVER:
            shown = answer(claims, game)
            play.make(shown, SOLVER)
        else:
            assert shown is not None
            play.make(doubt(claims, game, shown), CHALLENGER)
        table.wait(12)
    assert isinstance(game, Outcome)
    assert game.upheld
    gas = [(label, name, used) for label, (name, used) in zip(labels, table.gas[before:], strict=True)]
    if not quiet:
        for label, name, used in gas:
            print(f"{label:10}{name:10}{used:>12,}")
    total = sum(used for _, _, used in gas)
    listed = [{"level": label, "move": name, "gas": used} for label, name, used in gas]
    return {"ways": ways, "rounds": max(moves.values()), "gas": total, "ruling": game.reason, "moves": listed}


def main() -> None:
    """Parse the command line, play, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", type=int, default=32)
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=SNAPSHOT, help="keep the figures, for the tests to compare"
    )
    given = parser.parse_args()
    figures = {"dispute": dispute(given.ways, given.json)}
    if not given.json:
        print(f"{figures['dispute']['rounds']} rounds, {figures['dispute']['gas']:,} gas\n")
    figures["happy_path"] = {
        "alone": happy_path(),
        "per_task_of_ten": happy_path(10),
        "alone_one_interval": happy_path(audited=1),
        "per_task_of_ten_one_interval": happy_path(10, audited=1),
    }
    for name, gas in figures["happy_path"].items() if not given.json else ():
        print(f"a task that nobody quarrels about, {name.replace('_', ' ')}")
        print("".join(f"          {move:20}{used:>10,}\n" for move, used in gas.items()))
    if given.write:
        given.write.write_text(json.dumps(snapshot(figures), indent=1) + "\n")
    print(json.dumps(figures))


def snapshot(figures: dict[str, Any]) -> dict[str, Any]:
    """What tests/contracts/gas.json keeps: gas per move, and the bytes of each contract's runtime code."""
    moves: dict[str, int] = {}
    for place, move in enumerate(figures["dispute"]["moves"]):
        moves[f"{place:02} {move['level']} {move['move']}"] = move["gas"]
    dispute = {"rounds": figures["dispute"]["rounds"], "total": figures["dispute"]["gas"]} | moves
    sizes = {name: len(artifact(name).runtime) for name in CONTRACTS}
    return {"dispute": dispute, **figures["happy_path"], "bytes": sizes}


if __name__ == "__main__":
    main()
