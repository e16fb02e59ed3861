"""A compiled contract as it ships in the wheel: nobody needs a compiler to use it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from assay.errors import NotFoundError

__all__ = ["CONTRACTS", "Artifact", "artifact"]

CONTRACTS = ("arithmetic", "evidence", "game", "market", "referee", "stakes", "token", "trajectory")
"""Names of all contracts. The other files beside them are modules that they import: no code of their own, no artifact."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is needed to deploy and call a contract.

    `bytecode` is the creation code, to which the ABI-encoded constructor arguments are appended; `runtime` is what
    then stands on the chain, before immutables. `source_sha256` is of the `.vy` file, as 64 hex digits.
    """

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    runtime: bytes
    source_sha256: str
    compiler: str


@cache
def artifact(name: str) -> Artifact:
    """The contract `name`, one of `CONTRACTS`. Raises NotFoundError."""
    if name not in CONTRACTS:
        raise NotFoundError(f"no contract {name!r}", hint=f"The contracts are {', '.join(CONTRACTS)}.", name=name)
    fields = msgspec.json.decode(files(__package__).joinpath("artifacts", f"{name}.json").read_bytes())
    return Artifact(
        name=name,
        abi=fields["abi"],
        bytecode=bytes.fromhex(fields["bytecode"]),
        runtime=bytes.fromhex(fields["runtime"]),
        source_sha256=fields["source_sha256"],
        compiler=fields["compiler"],
    )
