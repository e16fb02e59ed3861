"""Ways to take part in a task, honest or not: what the simulation plays. One record each, with its reason to exist."""

from __future__ import annotations

import msgspec

__all__ = ["BEYOND", "STRATEGIES", "Strategy"]


class Strategy(msgspec.Struct, frozen=True):
    """A deviation from the protocol by some participants of each task, who share what they earn.

    `members` are the accounts whose sum is its return. `cronies` makes every drawn seat that is not honest theirs.
    """

    name: str
    members: tuple[str, ...]
    sentence: str
    wrong: int = 0
    """Wrong intervals; -1 for all of them."""
    saved: int = 0
    """Work saved in a wrong interval, in parts per million."""
    gain: bool = False
    """Whether a wrong result that is settled is worth the setting's gain."""
    cronies: bool = False
    concedes: bool = False
    silent: bool = False
    """Does not answer once the draw is known."""
    skips: bool = False
    """Does not err when the lot says so."""
    challenges: bool = False
    """Has a challenger of its own that is always the first."""
    accusers: int = 0
    """Identities with which it claims a forced error beside, or instead of, its proper one."""
    lazy: str = ""
    """Who does not replay: seat 0, which has no trace (`guess`) or was given it by the solver (`leak`); every seat of the
    cronies, which seal junk (`junk`); every seat, told by the solver (`all`)."""
    level: int = 0
    """Opens a false dispute and leaves it after this level."""
    pump: bool = False
    """Posts tasks to itself and lets all fail in which no error is forced."""


SOLVER, SEAT, CRONIES, OWN = "solver", "seat", "cronies", "own"
SUBMITTER = "submitter"

STRATEGIES = (
    Strategy("fewer steps", (SOLVER,), "does half of the steps of every interval", -1, 500_000),
    Strategy("one interval skipped", (SOLVER,), "does not compute one interval", 1, 1_000_000),
    Strategy("tampered weight", (SOLVER,), "plants a backdoor in one checkpoint", 1, gain=True),
    Strategy("tampered, then silent", (SOLVER,), "as before, and reveals nothing if found", 1, gain=True, silent=True),
    Strategy("tampered, then conceded", (SOLVER,), "as before, and calls it a fault", 1, gain=True, concedes=True),
    Strategy(
        "solver with challenger", (SOLVER, OWN), "tampers, and challenges itself first", 1, gain=True, challenges=True
    ),
    Strategy(
        "solver with verifiers",
        (SOLVER, CRONIES),
        "tampers; those seats sign that are its own",
        1,
        gain=True,
        cronies=True,
    ),
    Strategy(
        "false certificate",
        (SUBMITTER, SOLVER, CRONIES, OWN),
        "posts to itself, tampers, signs and challenges: all one",
        1,
        gain=True,
        cronies=True,
        challenges=True,
    ),
    Strategy(
        "provoked slash, submitter", (SUBMITTER, SOLVER), "errs openly to collect the compensation", -1, 1_000_000
    ),
    Strategy(
        "provoked slash, challenger", (SOLVER, OWN), "errs openly to collect the reward", -1, 1_000_000, challenges=True
    ),
    Strategy("error not made", (SOLVER,), "does not err when the lot says so", skips=True),
    Strategy("tip-off", (SOLVER, OWN), "tells a whistleblower of its own of each forced error", accusers=1),
    Strategy("tip-off, four names", (SOLVER, OWN), "the same with four names", accusers=4),
    Strategy(
        "pool pumped",
        (SUBMITTER, SOLVER, CRONIES, OWN),
        "posts to itself, fails unless forced",
        pump=True,
        cronies=True,
    ),
    Strategy(
        "free result", (SUBMITTER, CRONIES), "has its own seats seal junk, to be refunded", cronies=True, lazy="junk"
    ),
    Strategy("verifier that guesses", (SEAT,), "signs without replaying", lazy="guess"),
    Strategy("verifier that is told", (SEAT,), "signs what the solver tells it, without replaying", lazy="leak"),
    Strategy("verifier with whistleblower", (SEAT, OWN), "claims its forced errors twice", accusers=1),
    Strategy("Sybil on the jackpot", ("w0", OWN), "a whistleblower claims with four names", accusers=3),
    *(Strategy(f"griefing, level {n}", (OWN,), "a false challenge, left at this level", level=n) for n in range(1, 5)),
)
"""Every one of them has to lose."""

BEYOND = (
    Strategy(
        "all verifiers bought",
        (SOLVER, SEAT, "seats", CRONIES),
        "tampers, and every drawn verifier signs",
        1,
        gain=True,
        cronies=True,
        lazy="all",
    ),
)
"""What the assumption on honest seats excludes: shown, so that nobody takes the assumption for a result."""
