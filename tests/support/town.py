"""The real `assay` command, with a home of its own, against a running local network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from small import write_task

from assay.chain import Client, Deployment
from assay.roles.devnet import Devnet
from assay.roles.network import Network

SECONDS = 240


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)


def assay(*arguments: object, home: Path, **environment: str) -> Done:
    """Run `assay` with a closed stdin. Nothing but answers may be on stdout: with --json one line."""
    command = [sys.executable, "-m", "assay", *map(str, arguments)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "ASSAY_HOME": str(home), "COLUMNS": "200"} | environment,
    )
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    lines, answers = len(done.stdout.splitlines()), {"tasks", "earnings", "doctor", "replay", "status"} & set(command)
    if "--json" in arguments or not answers or done.returncode:
        assert lines == ("--json" in arguments and done.returncode != 130), done.stdout
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass
class Town:
    """A home with a running network: 1 solver, 2 verifiers."""

    home: Path

    @property
    def devnet(self) -> Devnet:
        return Devnet(self.home / "devnet")

    def __call__(self, *arguments: object, **environment: str) -> Done:
        return assay(*arguments, home=self.home, **environment)

    def task(self, **changes: Any) -> Path:
        return write_task(self.home / "small", **changes)

    def chain(self) -> tuple[Client, Deployment]:
        network = Network.load(self.devnet.network_file)
        return Client(network.rpc), network.contracts

    def task_count(self) -> int:
        client, contracts = self.chain()
        with client:
            return len(contracts.connect(client)[2].posted())

    def balance(self, who: str) -> int:
        client, contracts = self.chain()
        with client:
            return contracts.connect(client)[0].balance_of(who)
