"""Every error that assay raises on purpose.

    AssayError                     1  internal
    ├── UsageError                 2  the call itself is wrong
    │   └── ConfigError            2
    ├── MismatchError              3  a result does not hold: the one code that means "proven wrong"
    ├── RefusedError               4  the input is not acceptable
    │   ├── ProgramRefused         4  hostile or malformed ONNX
    │   ├── UnsupportedOperator    4  a well-formed program that exact-1 does not cover
    │   ├── CaptureError           4  a PyTorch model that cannot be captured
    │   └── BlobRefused            4  bytes that are not what their name says
    ├── UnavailableError           5  somebody does not answer
    │   ├── BlobMissing            5
    │   └── ChainUnavailable       5
    ├── NotFoundError              6  no such task, key or file
    └── MoneyError                 7  the chain says no
        ├── InsufficientFunds      7
        └── Reverted               7

Each class has a stable `code`, an `exit_code` and a `hint` that says what to do; each instance keeps its
evidence as attributes, so that nobody parses a message.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AssayError",
    "BlobMissing",
    "BlobRefused",
    "CaptureError",
    "ChainUnavailable",
    "ConfigError",
    "InsufficientFunds",
    "MismatchError",
    "MoneyError",
    "NotFoundError",
    "ProgramRefused",
    "RefusedError",
    "Reverted",
    "UnavailableError",
    "UnsupportedOperator",
    "UsageError",
]


class AssayError(Exception):
    """Base of all errors. `evidence` holds the facts, `hint` the next step for a human."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = "This is a bug in assay; please report it with the log."

    def __init__(self, message: str, *, hint: str | None = None, **evidence: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.evidence = evidence

    def as_dict(self) -> dict[str, Any]:
        """The error as it is printed under `--json`."""
        return {"error": self.code, "message": self.message, "hint": self.hint, "evidence": self.evidence}


class UsageError(AssayError):
    """The command or call does not make sense as given."""

    code = "usage"
    exit_code = 2
    default_hint = "See --help."


class ConfigError(UsageError):
    """A setting is missing, unknown or malformed."""

    code = "config"
    default_hint = "Check the configuration file and the ASSAY_* environment variables."


class MismatchError(AssayError):
    """A claimed result is not what the replay gives."""

    code = "mismatch"
    exit_code = 3
    default_hint = "The result does not hold. Do not pay for it; challenge it while the task is open."


class RefusedError(AssayError):
    """An input was understood and turned down."""

    code = "refused"
    exit_code = 4
    default_hint = "The input is not acceptable as it is."


class ProgramRefused(RefusedError):
    """An ONNX file is malformed, too large, or reaches outside itself."""

    code = "program-refused"
    default_hint = "Export the model again; a program is one self-contained ONNX file with static shapes."


class UnsupportedOperator(RefusedError):
    """A program uses an operator, attribute or type that exact-1 does not cover."""

    code = "unsupported-operator"
    default_hint = "Replace the operator, or file an issue that names it."


class CaptureError(RefusedError):
    """A PyTorch model cannot be captured as a program."""

    code = "capture"
    default_hint = "Rewrite the named line with covered operators."


class BlobRefused(RefusedError):
    """Bytes do not hash to their name, or are larger than announced."""

    code = "blob-refused"
    default_hint = "The source is faulty or hostile; another source is asked."


class UnavailableError(AssayError):
    """A peer, chain or store does not answer."""

    code = "unavailable"
    exit_code = 5
    default_hint = "Check that the network is up (`assay devnet status`) and try again."


class BlobMissing(UnavailableError):
    """No known source has the blob."""

    code = "blob-missing"
    default_hint = "Check that one of the store's sources is reachable."


class ChainUnavailable(UnavailableError):
    """The chain's RPC endpoint does not answer."""

    code = "chain-unavailable"


class NotFoundError(AssayError):
    """No such task, key or file."""

    code = "not-found"
    exit_code = 6
    default_hint = "Check the name; `assay tasks` lists the tasks."


class MoneyError(AssayError):
    """The chain refused a transaction."""

    code = "money"
    exit_code = 7
    default_hint = "No money has moved. See the reason above."


class InsufficientFunds(MoneyError):
    """The account cannot pay the escrow, the stake or the gas."""

    code = "insufficient-funds"
    default_hint = "Fund the account, or lower the price."


class Reverted(MoneyError):
    """A contract reverted; `reason` is its own "module: reason" string."""

    code = "reverted"
