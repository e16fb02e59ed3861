"""What a stranger needs to know of a network: where its chain and depot are, and which contracts hold the money."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path

import httpx2
import msgspec

from assay.chain import Deployment
from assay.errors import ConfigError, NotFoundError
from assay.observe import write_json
from assay.words import Record

__all__ = ["Network", "tls"]


class Network(Record, frozen=True):
    """The content of `network.json`. `depots` are URLs of stores that keep what is published."""

    rpc: str
    contracts: Deployment
    depots: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Network:
        """Read `path`. Raises NotFoundError or ConfigError."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError:
            raise NotFoundError(
                f"There is no network description {path}.", hint="Start a local network with `assay devnet up`."
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as reason:
            raise ConfigError(f"{path} does not describe a network: {reason}", path=str(path)) from reason

    def save(self, path: Path) -> None:
        """Write `path` atomically."""
        write_json(path, msgspec.to_builtins(self), mode=0o644)


@cache
def tls() -> ssl.SSLContext:
    """The certificates that this machine trusts, read once: for each short-lived client anew they would cost 30 ms."""
    return httpx2.create_ssl_context()
