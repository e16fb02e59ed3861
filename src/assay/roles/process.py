"""`python -m assay.roles.process KIND FOLDER`: one member of a network as one process."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.observe import configure_log, get_log

from .occupancy import follow_parent, occupied
from .settings import read_settings

if TYPE_CHECKING:
    from .worker import Role

MEMBER = ("kind", "folder", "port", "follow_parent")
"""What says which member it is and where; all other arguments are its options."""

__all__ = ["main", "open_role", "run_member", "run_role"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line of a member and run it until SIGTERM. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m assay.roles.process")
    parser.add_argument("kind", choices=("chain", "depot", "solver", "verifier", "whistleblower"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cheat")
    parser.add_argument("--manner")
    parser.add_argument("--accomplice", type=Path)
    parser.add_argument("--poll", type=float)
    parser.add_argument("--rate", type=int)
    parser.add_argument("--only")
    parser.add_argument("--dev", action="store_true", default=None, help="a chain whose time can be moved, for tests")
    parser.add_argument("--share", type=int)
    parser.add_argument("--follow-parent", type=int, metavar="PID")
    given = parser.parse_args(arguments)
    if given.follow_parent is not None:
        follow_parent(given.follow_parent)
    configure_log(given.folder / "log.jsonl")
    try:
        with occupied(given.folder):
            options = {name: value for name, value in vars(given).items() if name not in MEMBER}
            run_member(given.kind, given.folder, given.port, **options)
    except AssayError as error:
        get_log(role=given.kind).error("ended", code=error.code, message=error.message, evidence=error.evidence)
        sys.stderr.write(f"{error.code}: {error.message}\n")
        return error.exit_code
    return 0


def run_member(kind: str, folder: Path, port: int, **options: object) -> None:
    """Be that member until the process is asked to stop. The folder must be occupied by the caller."""
    if kind == "chain":
        from assay.chain.node import Node

        node = Node(folder / "chain.sqlite", port, dev=bool(options["dev"]))
        node.open()
        node.serve()
        return
    if kind == "depot":
        from assay.store import Store, serve

        serve(Store(folder / "store"), port=port, writable=True)
        return
    options.pop("dev", None)
    run_role(kind, folder, port=port, **options)


def run_role(kind: str, folder: Path, **options: object) -> None:
    """Be a solver, verifier or whistleblower with these settings (None: not given) until the process is asked to stop."""
    signal.signal(signal.SIGTERM, _stop)
    open_role(kind, folder, **options).run()


def open_role(kind: str, folder: Path, **options: object) -> Role:
    """The solver, verifier or whistleblower in `folder`, with these settings (None: not given)."""
    settings = read_settings(folder=folder, **options)
    if kind == "solver":
        from .solver import SolverRole

        return SolverRole.open(settings)
    if kind == "whistleblower":
        from .whistleblower import WhistleblowerRole

        return WhistleblowerRole.open(settings)
    from .verifier import VerifierRole

    return VerifierRole.open(settings)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
