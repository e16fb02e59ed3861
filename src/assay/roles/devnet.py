"""A whole network on one machine: chain, depot, solvers and verifiers, each a process with its own key and folder."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from assay.chain import Client, Role, Stakes
from assay.errors import UnavailableError
from assay.observe import read_json, write_json

from .network import Network
from .occupancy import end, occupant
from .settings import RoleSettings

__all__ = ["Devnet", "Member", "members"]

CHAIN, DEPOT = "chain", "depot"
START_TIMEOUT = 40.0
TEND_EVERY = 0.2
STARTS = 20
"""How often a member is started before it is left alone: one that always ends at once can't be helped by a restart."""


@dataclass(frozen=True)
class Member:
    """One process of the network. `kind` is chain, depot, solver, verifier or whistleblower."""

    name: str
    kind: str
    options: Mapping[str, str] = field(default_factory=dict)


def members(
    solvers: int = 2, verifiers: int = 2, cheat: str | None = None, threads: int = 1, whistleblowers: int = 0
) -> list[Member]:
    """The members of a local network, in the order in which they start. `cheat` makes the roles it is about dishonest."""
    from .cheats import CHEATS

    role = CHEATS[cheat].role if cheat else None
    found = [Member(CHAIN, CHAIN), Member(DEPOT, DEPOT)]
    for kind, number in (("solver", solvers), ("verifier", verifiers)):
        # One lazy verifier among honest ones is the interesting case; a cheating solver has to win the task to be seen.
        dishonest = range(1, number + 1) if kind == "solver" else range(1, 2)
        for index in range(1, number + 1):
            cheating = cheat is not None and role == kind and index in dishonest
            options = {"threads": str(threads)} | ({"cheat": cheat} if cheating and cheat else {})
            found.append(Member(f"{kind}-{index}", kind, options))
    for index in range(1, whistleblowers + 1):
        # On a network of one's own there are few tasks, and somebody started a whistleblower to see it at work.
        options = {"threads": str(threads), "share": "100"}
        found.append(Member(f"whistleblower-{index}", "whistleblower", options))
    return found


class Devnet:
    """The network in `folder`. All that it knows is on disk, so that any process can take it up where it was left."""

    def __init__(self, folder: Path, *, attached: bool = False) -> None:
        self.folder = folder.resolve()
        self._attached = attached
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._starts: Counter[str] = Counter()
        self._wanted: set[str] = set()
        self._tender: threading.Thread | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    @property
    def network_file(self) -> Path:
        """Where the description of the network stands once it is up."""
        return self.folder / "network.json"

    @property
    def members(self) -> list[Member]:
        """The members as the plan on disk has them."""
        return [Member(**row) for row in read_json(self.folder / "plan.json", [])]

    def plan(self, wanted: list[Member]) -> None:
        """Write down members and ports, once; a network that exists keeps its plan."""
        if self.members:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        write_json(
            self.folder / "ports.json", dict(zip((m.name for m in wanted), _free_ports(len(wanted)), strict=True))
        )
        write_json(
            self.folder / "plan.json", [{"name": m.name, "kind": m.kind, "options": dict(m.options)} for m in wanted]
        )

    def port(self, name: str) -> int:
        """The port on 127.0.0.1 that member `name` listens on."""
        return int(read_json(self.folder / "ports.json")[name])

    def url(self, name: str) -> str:
        """Where member `name` answers."""
        return f"http://127.0.0.1:{self.port(name)}"

    def up(self) -> Network:
        """Start whatever does not run, and return when chain and depot answer and the contracts are deployed.

        From here on a member that ends is started again, until `down` or the end of this process.
        """
        from .founding import found_network

        with _starting(self.folder):
            self._tend({CHAIN, DEPOT})
            network = found_network(self)
        self._tend({member.name for member in self.members})
        return network

    def _tend(self, names: set[str]) -> None:
        """Keep these members running, from a thread of its own: whoever follows a task may be waiting for one of them."""
        with self._lock:
            self._wanted |= names
            self._start_missing()
        if self._tender is None:
            self._tender = threading.Thread(target=self._keep, name="tender", daemon=True)
            self._tender.start()

    def _keep(self) -> None:
        while not self._ended.wait(TEND_EVERY):
            with self._lock:
                self._start_missing()

    def _start_missing(self) -> None:
        for member in self.members:
            child = self._children.get(member.name)
            gone = child is None or child.poll() is not None
            wanted = member.name in self._wanted and not self._ended.is_set()
            if wanted and gone and occupant(self.folder / member.name) is None and self._starts[member.name] < STARTS:
                self._starts[member.name] += 1
                self._start(member)

    def join(self, *members: Member) -> None:
        """Add members to a network that is up, and start them."""
        ports = dict(zip((member.name for member in members), _free_ports(len(members)), strict=True))
        with self._lock:
            plan = read_json(self.folder / "plan.json", [])
            plan += [{"name": m.name, "kind": m.kind, "options": dict(m.options)} for m in members]
            write_json(self.folder / "ports.json", read_json(self.folder / "ports.json", {}) | ports)
            write_json(self.folder / "plan.json", plan)
        self._tend(set(ports))

    def dismiss(self, *names: str) -> None:
        """End members that joined; their folders and stakes stay."""
        with self._lock:
            self._wanted -= set(names)
            plan = [row for row in read_json(self.folder / "plan.json", []) if row["name"] not in names]
            write_json(self.folder / "plan.json", plan)
        for name in names:
            end(self.folder / name)
            child = self._children.pop(name, None)
            if child is not None:
                child.wait()

    def halt(self, name: str, meanwhile: Callable[[], None]) -> None:
        """End a member, call `meanwhile`, and let it be started again."""
        with self._lock:
            end(self.folder / name)
            child = self._children.pop(name, None)
            if child is not None:
                child.wait()
            meanwhile()

    def settle_in(self, *names: str) -> None:
        """Wait until every solver and verifier, or those of these names, has staked and serves its page.

        A whistleblower only has to serve: it stakes when that pays.
        """
        network = Network.load(self.network_file)
        with Client(network.rpc) as client:
            stakes = Stakes(client, network.contracts.stakes)
            for member in self.members:
                if member.kind not in (CHAIN, DEPOT) and (not names or member.name in names):
                    self.wait_for(member.name, partial(self._ready, member, stakes))

    def _ready(self, member: Member, stakes: Stakes) -> bool:
        return self._serves(member.name) and (member.kind == "whistleblower" or self._staked(member, stakes))

    def _staked(self, member: Member, stakes: Stakes) -> bool:
        key = read_json(self.folder / member.name / "key.json")
        return key is not None and stakes.is_active("0x" + key["address"], Role[member.kind.upper()])

    def _serves(self, name: str) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port(name))) == 0

    def member(self, name: str) -> Member:
        """The member called `name`."""
        return next(m for m in self.members if m.name == name)

    def status(self) -> dict[str, int | None]:
        """The process id of every member, None for those that do not run."""
        return {member.name: occupant(self.folder / member.name) for member in self.members}

    def down(self) -> list[str]:
        """End every member, the chain last; returns the names of those that ran."""
        self._ended.set()
        with self._lock:
            ended = [m.name for m in reversed(self.members) if end(self.folder / m.name)]
            # A child that was only just started does not hold its folder yet.
            for child in self._children.values():
                child.terminate()
        for child in self._children.values():
            try:
                child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        return ended

    def _start(self, member: Member) -> None:
        home = self.folder / member.name
        home.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "assay.roles.process",
            member.kind,
            str(home),
            "--port",
            str(self.port(member.name)),
        ]
        # An option without a value is a flag.
        command += [word for key, value in member.options.items() for word in (f"--{key}", value) if word]
        if self._attached:
            command += ["--follow-parent", str(os.getpid())]
        with (home / "output.log").open("ab") as output:
            self._children[member.name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=_environment(),
            )

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        """Call `ready()` until it returns true; raises UnavailableError with the member's last words if it never does."""
        until = time.monotonic() + START_TIMEOUT
        while not ready():
            if time.monotonic() > until or self._starts[name] >= STARTS:
                log = self.folder / name / "output.log"
                words = log.read_text(errors="replace")[-800:] if log.exists() else ""
                raise UnavailableError(f"{name} did not start: {words.strip() or 'no output'}", log=str(log))
            time.sleep(0.05)


def _environment() -> dict[str, str]:
    """The user's, without settings of the user's own role: a passphrase is not for these throw-away keys."""
    own = {f"ASSAY_{name}".upper() for name in RoleSettings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    # Members share two cores with each other: idle worker threads that spin would slow the solver down.
    return inherited | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def _starting(folder: Path) -> Iterator[None]:
    """Two `devnet up` at once take turns."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "starting").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
