"""A dispute about one interval of the digits task, between players on the pure law of the game."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import small

from assay.dispute import game as law
from assay.dispute.case import Case, Work
from assay.dispute.challenger import Challenger, Revealed
from assay.dispute.defender import Defender
from assay.dispute.game import Outcome
from assay.dispute.record import Game, Kind, Turn
from assay.dispute.testimony import Liar, Testimony
from assay.proof import Runner, build_trajectory, commitment_root, merkle, new_checkpoint, opening, state_root
from assay.proof.code import code_leaves, code_root, code_shape
from assay.words import Blob, Trajectory

SOLVER, CHALLENGER = "0x" + "11" * 20, "0x" + "22" * 20

State = dict[str, np.ndarray]


@dataclass
class Quarrel:
    """The interval of `runner` from `start` to `stop`, at whose end the solver has `claimed`, or the truth."""

    runner: Runner
    claimed: State | None = None
    ways: int = 32
    batches: bytes | None = None
    trace: bytes | None = None
    solver: Defender | None = None
    history: list[Revealed] = field(default_factory=list)
    moves: list[Any] = field(default_factory=list)

    @cached_property
    def honest(self) -> Testimony:
        """What training gives."""
        return Testimony(self.runner, small.initial(), 0, self.runner.spec.steps)

    @cached_property
    def defender(self) -> Defender:
        """The solver, who stands by what it has claimed."""
        if self.solver:
            return self.solver
        if self.claimed is None:
            return Defender(self.honest)
        return Defender(Liar(self.runner, small.initial(), 0, self.runner.spec.steps, claimed=self.claimed))

    @cached_property
    def trajectory(self) -> Trajectory:
        """Two checkpoints."""
        segment = self.runner.interval(small.initial(), 0, self.runner.spec.steps)
        end, blob = self.claimed or segment.state, Blob("00" * 32, 1)
        batches, trace = self.batches or segment.batches, self.trace or segment.trace
        first = new_checkpoint(0, state_root(small.initial()), blob)
        return build_trajectory(
            self.runner.spec, [first, new_checkpoint(self.runner.spec.steps, state_root(end), blob, batches, trace)]
        )

    @cached_property
    def case(self) -> Case:
        """The task, as the chain would have it."""
        spec, word = self.runner.spec, bytes.fromhex
        work = Work(
            spec=bytes(32),
            code_root=code_root(self.runner.executable.program),
            initial_root=word(spec.initial_root),
            dataset_root=word(spec.dataset_root),
            rows=spec.rows,
            batch_size=spec.batch_size,
            seed=spec.seed,
            ways=self.ways,
            clock=600,
            extension=60,
            bond=1000,
        )
        return Case(
            task=b"\x01" * 32,
            result=b"\x02" * 32,
            solver=SOLVER,
            work=work,
            program_root=word(spec.program_root),
            steps=spec.steps,
            interval=spec.interval,
            root=commitment_root(self.trajectory),
            final_root=word(self.trajectory.checkpoints[-1].state_root),
        )

    def play(self, kind: Kind = Kind.INTERVAL, most: int = 60) -> Outcome:
        """Open the game and let both move until it is over. A challenger who finds nothing wrong runs out of time."""
        program = self.runner.executable.program
        shape = int.from_bytes(code_shape(program), "big"), merkle.root(code_leaves(program))
        leaves = opening(self.trajectory, 0), opening(self.trajectory, 1)
        now = 1_000_000
        game = law.open_interval(self.case, kind, 0, CHALLENGER, now, shape, *leaves)
        challenger = Challenger(self.honest)
        for _ in range(most):
            if isinstance(game, Outcome):
                return game
            now += 1
            game = self._turn(game, challenger, now)
        raise AssertionError("the game does not end")

    def _turn(self, game: Game, challenger: Challenger, now: int) -> Game | Outcome:
        solvers = game.turn is Turn.SOLVER
        move = self.defender.move(game) if solvers else challenger.move(game, self.history)
        self.moves.append(move)
        after = law.apply(game, move, now, SOLVER if solvers else CHALLENGER, self.case)
        if solvers:
            self.history.append((game, move))
        return after
