"""Where in the user's model an operator comes from."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

import torch

__all__ = ["line_of_error", "line_of_stack"]

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_NOT_THE_USER = (str(Path(torch.__file__).parent), str(Path(__file__).parent), "<")
_STDLIB = sysconfig.get_paths()["stdlib"]


def line_of_stack(stack: str | None) -> str | None:
    """The innermost "file:line" in a formatted stack that lies outside torch and this package, or None."""
    return _innermost([(m["file"], m["line"]) for m in _FRAME.finditer(stack or "")])


def line_of_error(trace: TracebackType | None) -> str | None:
    """The same for the traceback of an exception."""
    return _innermost([(frame.filename, str(frame.lineno)) for frame in traceback.extract_tb(trace)])


def _innermost(frames: list[tuple[str, str]]) -> str | None:
    mine = [f"{file}:{line}" for file, line in frames if _is_users(file)]
    return mine[-1] if mine else None


def _is_users(file: str) -> bool:
    in_stdlib = file.startswith(_STDLIB) and "site-packages" not in file
    return not in_stdlib and not file.startswith(_NOT_THE_USER)
