"""The attacks by dishonest members, one line or two each. Their names are those of docs/threat_model.md."""

from __future__ import annotations

from assay.roles.cheats import CHEATS

from .play import Actor, Play

__all__ = ["PLAYS"]

WEIGHTS = "weights"

ANSWERS = 4
"""How often a solver answers until it is caught lying about the toy: silence is tried before each of them."""


def solver(cheat: str, manner: str = "answer") -> Actor:
    """A solver that cheats, and how it behaves in a dispute."""
    return Actor("solver", cheat, {"manner": manner})


def verifier(cheat: str = "", manner: str = "answer", accomplice: str = "") -> Actor:
    """A verifier that cheats."""
    return Actor("verifier", cheat, {"manner": manner}, accomplice)


def _alone(cheat: str) -> Play:
    """A solver that does the work otherwise, and lies about it in the dispute."""
    return Play(cheat, f"a solver {CHEATS[cheat].sentence}", [[solver(cheat)]])


WORK = (
    Play(
        "weights",
        "solvers tamper with the weights at the first, a middle and the last step",
        [[solver("weights-first")], [solver(WEIGHTS)], [solver("weights-last")]],
    ),
    _alone("steps"),
    Play(
        "order",
        "a solver trains on other batches; another one commits to them",
        [[solver("order")], [solver("batches")]],
    ),
    _alone("rate"),
    _alone("other_data"),
    _alone("labels"),
    _alone("other_seed"),
    _alone("precision"),
    _alone("idle"),
    _alone("stale"),
    _alone("forged_trace"),
    _alone("interpolation"),
    _alone("fitted_data"),
    _alone("infinitesimal"),
    _alone("top_q"),
    Play(
        "forged_leaf",
        "solvers commit to another initial state, or to another program",
        [[solver("other_start")], [solver("other_program")]],
    ),
    Play(
        "withheld",
        "solvers keep the result or a checkpoint to themselves, and say nothing",
        [[solver("withheld", "silent:0")], [solver("withheld-middle", "silent:0")]],
    ),
    Play("withheld_shown", "a solver keeps the result to itself, and shows what is demanded", [[solver("withheld")]]),
)

VERIFIERS = (
    Play("echo", "a verifier attests without replaying", [[verifier("echo")]], 3),
    Play("copied_seal", "a verifier attests what another one has sealed", [[verifier("copy")]], 3),
    Play("mute", "a verifier does not attest", [[verifier("mute")]], 3),
)

DISPUTES = (
    Play(
        "silence",
        "solvers commit nothing, reveal nothing, or stop answering after 0, 1, 2, ... moves",
        [[solver("absent")], *([solver(WEIGHTS, f"silent:{n}")] for n in range(ANSWERS))],
    ),
    Play("unrevealed", "a solver does not open its traces", [[solver("unrevealed")]]),
    Play("last_second", "a solver tampers, and makes every move in the last second", [[solver(WEIGHTS, "late")]]),
    Play("conceded_cheat", "a solver tampers, and calls it a fault", [[solver(WEIGHTS, "concede")]]),
    Play(
        "wasted_challenger",
        "a solver gets every interval wrong, and lets challengers wait for each move",
        [[solver("steps", "late")]],
    ),
    Play(
        "false_challenge",
        "verifiers challenge a right result: one leaves, the other walks to the end",
        [[verifier("slander", "silent:0"), verifier("slander")]],
        4,
    ),
)

COALITIONS = (
    Play(
        "solver_and_verifier",
        "a solver tampers, and a verifier attests what it is told",
        [[solver(WEIGHTS), verifier("collude", accomplice="solver")]],
        3,
    ),
    Play(
        "false_certificate",
        "submitter, solver and a verifier are one, and certify what was never trained",
        [[solver("interpolation"), verifier("collude", accomplice="solver")]],
        3,
        own_submitter=True,
    ),
    Play(
        "provoked_slash",
        "submitter, solver and the verifier that challenges first are one",
        [[solver("steps"), verifier()]],
        3,
        own_submitter=True,
    ),
    Play(
        "free_result",
        "a submitter has its verifier call a right result wrong",
        [[verifier("slander")]],
        3,
        own_submitter=True,
    ),
)

PLAYS = (*WORK, *VERIFIERS, *DISPUTES, *COALITIONS)
