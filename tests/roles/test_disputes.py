"""What verifiers find wrong with a trajectory is decided on the chain: each finding is opened by the hands that a role has."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from small import Life, Village, a_village

from assay.market import Windows
from assay.roles.disputes import Disputes
from assay.roles.quarrel import Quarrel
from assay.verify import Sealed, finding_commitment
from assay.words import Kind, TaskState, Trajectory

OTHER = "ab" * 32
WINDOWS = Windows(patrol_for=0, attest_for=600, reveal_for=600, clock=100, extension=10)


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with a_village(tmp_path_factory.mktemp("village")) as found:
        yield found


def change(trajectory: Trajectory, k: int, **fields: Any) -> Trajectory:
    """With another checkpoint `k`."""
    checkpoints = list(trajectory.checkpoints)
    checkpoints[k] = msgspec.structs.replace(checkpoints[k], **fields)
    return msgspec.structs.replace(trajectory, checkpoints=tuple(checkpoints))


@dataclass
class Bent:
    """How a trajectory is bent, what both verifiers or one then find, and how the dispute ends."""

    bend: Callable[[Trajectory], Trajectory]
    kind: Kind
    interval: int
    reason: str
    final_root: str = ""


AT_ONCE = {
    "another program": Bent(lambda t: msgspec.structs.replace(t, program_root=OTHER), Kind.INTERVAL, 0, "leaf"),
    "a step that is none": Bent(lambda t: change(t, 2, step=2**53), Kind.INTERVAL, 1, "leaf"),
    "another initial state": Bent(lambda t: change(t, 0, state_root=OTHER), Kind.INTERVAL, 0, "leaf"),
    "an initial state with a past": Bent(lambda t: change(t, 0, trace=OTHER), Kind.INTERVAL, 0, "leaf"),
    "another final root": Bent(lambda t: t, Kind.INTERVAL, 3, "leaf", final_root=OTHER),
}
BY_SILENCE = {
    "too few checkpoints": Bent(
        lambda t: msgspec.structs.replace(t, checkpoints=t.checkpoints[:-1]), Kind.LEAF, 3, "silence"
    ),
    "other rows": Bent(lambda t: change(t, 3, batches=OTHER), Kind.BATCHES, 2, "silence"),
    "another trace": Bent(lambda t: change(t, 2, trace=OTHER), Kind.TRACE, 1, "silence"),
}
"""No answer fits to a hash of nothing."""


def found_by_one(village: Village, bent: Bent) -> tuple[Life, int, Sealed]:
    """The bent task, attested; the position of a verifier that found it, and what it sealed."""
    life = village.post(WINDOWS).accepted().committed(bent.bend(village.honest), bent.final_root).drawn()
    sealed = [life.audited_by(0), life.audited_by(1)]
    finder = next(j for j in (0, 1) if not sealed[j].matched)
    assert (sealed[finder].kind, sealed[finder].interval) == (bent.kind, bent.interval)
    life.attested(0, sealed[0]).attested(1, sealed[1])
    return life, finder, sealed[finder]


def condemned(life: Life, kind: Kind, reason: str) -> None:
    assert life.task.state is TaskState.REFUNDED
    (dispute,) = life.disputes
    assert dispute.kind is kind
    assert dispute.ended is not None
    assert (dispute.ended["upheld"], dispute.ended["reason"]) == (True, reason)
    assert dispute.current() is None
    found = life.receipt()
    assert found.slashed == {found.solver: life.record.terms.collateral}
    assert found.ruling.startswith(f"proven to the contract: {kind.sentence}")


@pytest.mark.parametrize("name", AT_ONCE)
def test_two_leaves_that_break_a_rule_end_it_at_once_without_a_bond(village: Village, name: str):
    bent = AT_ONCE[name]
    life, finder, sealed = found_by_one(village, bent)
    challenger = life.verifiers[finder]
    before = challenger.token.balance_of(challenger.address)
    life.disputed(finder, sealed, moves=1)
    condemned(life, bent.kind, bent.reason)
    assert challenger.token.balance_of(challenger.address) == before


@pytest.mark.parametrize("name", BY_SILENCE)
def test_what_has_no_answer_is_lost_by_the_clock(village: Village, name: str):
    bent = BY_SILENCE[name]
    life, finder, sealed = found_by_one(village, bent)
    life.disputed(finder, sealed, moves=3)
    assert life.task.state is TaskState.DISPUTED
    (dispute,) = life.disputes
    assert dispute.moves == 1, "the opening, and nothing that fits"
    village.skip(WINDOWS.clock + 1)
    life.disputed(finder, sealed, moves=2)
    condemned(life, bent.kind, bent.reason)


def test_rows_are_disputed_without_a_checkpoint(village: Village, monkeypatch: pytest.MonkeyPatch):
    """Else a solver with other rows would only have to withhold a checkpoint to be right."""
    life, finder, sealed = found_by_one(village, BY_SILENCE["other rows"])
    challenger = life.verifiers[finder]
    quarrel = Quarrel(challenger)

    def nothing(blob: Any) -> bytes:
        raise AssertionError("no checkpoint is needed")

    monkeypatch.setattr(challenger, "read", nothing)
    from small import runner

    ready = runner(village.package.spec, village.store)
    testimony = quarrel._testimony(ready, village.honest, sealed)
    start, stop = village.package.spec.bounds(sealed.interval)
    assert len(testimony.draws()) == stop - start
    assert testimony.row_numbers(start)


def test_leaves_that_are_demanded_and_there_are_shown(village: Village):
    """The accuser lied, or could not read what others can: it pays for the demand, and the result stands."""
    life = village.post(WINDOWS).accepted().committed(village.honest).drawn()
    me, salt = life.verifiers[0].address, secrets.token_bytes(32)
    commitment = finding_commitment(life.id, me, Kind.LEAF, 2, salt)
    made_up = Sealed(life.id, me, commitment, life.intervals(0), Kind.LEAF, 2, salt=salt.hex())
    life.attested(0, made_up).attested(1).disputed(0, made_up, moves=2)
    (dispute,) = life.disputes
    assert dispute.ended is not None
    assert (dispute.ended["upheld"], dispute.ended["reason"]) == (False, "leaf")
    assert life.task.state is TaskState.AUDITED
    assert life.receipt().slashed == {}


def test_a_dispute_is_gone_on_with_by_new_hands_at_each_move(village: Village):
    """Both sides are killed after every move: all that they need is on the chain and in their folders."""
    life = village.post(WINDOWS).accepted().committed(village.tampered).drawn()
    sealed = [life.audited_by(0), life.audited_by(1)]
    finder = next(j for j in (0, 1) if not sealed[j].matched)
    life.attested(0, sealed[0]).attested(1, sealed[1])
    for _ in range(30):
        if life.task.state.final:
            break
        life.disputed(finder, sealed[finder], moves=1)
    condemned(life, Kind.INTERVAL, "prove")


def test_disputes_of_one_task_are_not_those_of_another(village: Village):
    lives = [found_by_one(village, AT_ONCE["another initial state"]) for _ in range(2)]
    for life, finder, sealed in lives:
        life.disputed(finder, sealed, moves=1)
    one, other = (Disputes(village.submitter).of(life.id) for life, _, _ in lives)
    assert len(one) == len(other) == 1
    assert one[0].id != other[0].id
    assert Disputes(village.submitter).of("5a" * 32) == []
