"""Content-addressed blobs: a local folder, its server, a fetcher that trusts no source, background checkpoints.

The names are loaded when they are first used, so that `assay --help` does not wait for an HTTP stack.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .blobs import Store, copy_out
    from .checkpoints import CheckpointWriter
    from .fetch import Fetcher
    from .server import Server, serve

__all__ = ["CheckpointWriter", "Fetcher", "Server", "Store", "copy_out", "serve"]

_HOMES = {
    "CheckpointWriter": "checkpoints",
    "Fetcher": "fetch",
    "Server": "server",
    "Store": "blobs",
    "copy_out": "blobs",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
