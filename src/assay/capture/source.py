"""Where in the user's model an operator comes from."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch.fx.traceback as fx_traceback
from torch.overrides import TorchFunctionMode

__all__ = ["Lines", "line_of_error"]

_HERE = str(Path(__file__).parent)
_NOT_THE_USER = (str(Path(torch.__file__).parent), _HERE, "<")
_STDLIB = sysconfig.get_paths()["stdlib"]


class Lines(TorchFunctionMode):
    """While it is active, every operator that is traced carries, as `stack_trace`, the place that asked for it.

    That is the innermost "file:line" outside torch and this package, or, for a model made of torch.nn modules alone,
    the "Type.forward" of the innermost one. For use under fx's preserve_node_meta.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        fx_traceback.set_stack_trace([_place()])
        return func(*args, **(kwargs or {}))


def line_of_error(trace: TracebackType | None) -> str | None:
    """The innermost "file:line" of the user's in the traceback of an exception, or None."""
    frames = traceback.extract_tb(trace)
    inside = next((i for i, f in reversed(list(enumerate(frames))) if f.filename.startswith(_HERE)), 0)
    mine = [f"{f.filename}:{f.lineno}" for f in frames if _is_users(f.filename)]
    model = [f"{f.filename}:{f.lineno}" for f in frames[inside:] if _is_users(f.filename)]
    return (model or mine or [None])[-1]


def _place() -> str:
    frame, module = sys._getframe(2), ""
    while frame is not None and not (file := frame.f_code.co_filename).startswith(_HERE):
        if _is_users(file):
            return f"{file}:{frame.f_lineno}"
        if not module and frame.f_code.co_name == "forward":
            module = f"{type(frame.f_locals.get('self')).__name__}.forward"
        frame = frame.f_back  # type: ignore[assignment]
    return module


def _is_users(file: str) -> bool:
    in_stdlib = file.startswith(_STDLIB) and "site-packages" not in file
    return not in_stdlib and not file.startswith(_NOT_THE_USER)
