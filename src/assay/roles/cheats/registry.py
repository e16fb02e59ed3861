"""The cheats by name: who cheats and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.errors import UsageError
from assay.solve import Worker
from assay.words import Blob, TaskSpec, Trajectory

from . import shortcuts, spoofing, tampering
from .scene import Make, Scene

__all__ = ["CHEATS", "Cheat", "cheat_of", "cheating_worker"]

Forge = Callable[[Trajectory, TaskSpec], Trajectory]
Hide = Callable[[Trajectory], frozenset[Blob]]


def _hide_nothing(trajectory: Trajectory) -> frozenset[Blob]:
    return frozenset()


def _honest(scene: Scene) -> Worker:
    return scene.runner


def _unchanged(trajectory: Trajectory, spec: TaskSpec) -> Trajectory:
    return trajectory


@dataclass(frozen=True)
class Cheat:
    """Who cheats and how, in a sentence; and in what a dishonest solver differs from an honest one.

    `work` makes the one who computes intervals, `forge` changes the trajectory before it is committed, `hides` names checkpoints
    that are committed but not published, `silent` is the state of a task in which it does nothing any more;
    who `griefs` challenges what is right.
    """

    name: str
    role: str
    sentence: str
    work: Make = _honest
    forge: Forge = _unchanged
    hides: Hide = _hide_nothing
    silent: str = ""
    griefs: bool = False


def _final(trajectory: Trajectory) -> frozenset[Blob]:
    return frozenset({trajectory.checkpoints[-1].blob})


def _middle(trajectory: Trajectory) -> frozenset[Blob]:
    return frozenset({trajectory.checkpoints[len(trajectory.checkpoints) // 2].blob})


def _solvers(*cheats: tuple[str, str, Make]) -> tuple[Cheat, ...]:
    return tuple(Cheat(name, "solver", sentence, work=work) for name, sentence, work in cheats)


_WORKERS = _solvers(
    ("weights", "tampers with the weights of one checkpoint", tampering.tamper_at(0.5)),
    ("weights-first", "tampers with the weights of the first checkpoint", tampering.tamper_at(0)),
    ("weights-last", "tampers with the weights of the result", tampering.tamper_at(1)),
    ("steps", "does half of the steps", shortcuts.FewerSteps),
    ("order", "trains on other batches", shortcuts.OtherOrder),
    ("rate", "trains with another learning rate", shortcuts.half_rate),
    ("other_data", "trains on half of the data", shortcuts.half_data),
    ("labels", "trains on moved labels", shortcuts.moved_labels),
    ("other_seed", "draws other random numbers", shortcuts.OtherSeed),
    ("precision", "computes products in bfloat16", shortcuts.low_precision),
    ("idle", "makes steps that change nothing", shortcuts.Still),
    ("stale", "hands in old checkpoints", shortcuts.Stale),
    ("batches", "trains on other batches and commits to them", shortcuts.admitted_order),
    ("forged_trace", "has the right result and a forged trace", tampering.ForgedTrace),
    ("interpolation", "interpolates between the initial state and a cheaper model", spoofing.Interpolated),
    ("fitted_data", "interpolates, with data made to fit", spoofing.FittedData),
    ("infinitesimal", "jumps to a cheaper model and then hardly moves", spoofing.Infinitesimal),
    ("top_q", "trains only where the updates are largest", spoofing.TopQ),
)

_OTHERS = (
    Cheat("other_start", "solver", "begins with another initial state", forge=tampering.with_own_start),
    Cheat("other_program", "solver", "names another program", forge=tampering.with_other_program),
    Cheat("withheld", "solver", "keeps the result to itself", hides=_final),
    Cheat("withheld-middle", "solver", "keeps a checkpoint to itself", hides=_middle),
    Cheat("absent", "solver", "takes a task and does nothing", silent="ASSIGNED"),
    Cheat("unrevealed", "solver", "does not open its traces", silent="AUDITED"),
    Cheat("echo", "verifier", "attests without replaying"),
    Cheat("collude", "verifier", "attests what the solver tells it"),
    Cheat("copy", "verifier", "attests what another verifier has sealed"),
    Cheat("slander", "verifier", "claims a mismatch where there is none", griefs=True),
    Cheat("mute", "verifier", "does not attest", silent="COMMITTED"),
)

CHEATS = {cheat.name: cheat for cheat in (*_WORKERS, *_OTHERS)}


def cheat_of(name: str | None, role: str) -> Cheat | None:
    """The cheat of that name, None for None. Raises UsageError if there is none for `role`."""
    if name is None:
        return None
    found = CHEATS.get(name)
    if found is None or found.role != role:
        known = sorted(cheat.name for cheat in CHEATS.values() if cheat.role == role)
        raise UsageError(f"There is no cheat {name!r} for a {role}.", hint=f"Known: {', '.join(known)}.")
    return found


def cheating_worker(cheat: str, scene: Scene) -> Worker:
    """The scene's runner, made dishonest. Raises UsageError."""
    found = cheat_of(cheat, "solver")
    assert found is not None
    return found.work(scene)
