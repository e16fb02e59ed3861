"""JSON-RPC 2.0 over the methods: envelopes, batches, errors, and one block per turn."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from .evm import Invalid
from .methods import Methods, RpcError, Submitted
from .miner import Miner

__all__ = ["MAX_BATCH", "Rpc", "failure"]

_log = logging.getLogger(__name__)
MAX_BATCH = 200
_ABSENT = object()


def failure(id_: Any, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    """An error response."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": id_, "error": error}


class Rpc:
    """Answers request bodies. One thread calls `turn`."""

    def __init__(self, methods: Methods, miner: Miner) -> None:
        self._methods, self._miner = methods, miner

    def turn(self, bodies: Sequence[Any]) -> list[Any]:
        """Answer every body (one request or a batch). All transactions in them go into one block if they fit, and
        none is answered before that block is on disk. None stands for 'nothing to say' (notifications only)."""
        answers = [self._body(body) for body in bodies]
        refused, broken = self._mine()
        return [self._settle(answer, refused, broken) for answer in answers]

    def _mine(self) -> tuple[dict[bytes, str], str]:
        empty, self._methods.mine_empty = self._methods.mine_empty, False
        try:
            return self._miner.mine(empty=empty), ""
        except Exception as error:
            _log.exception("a block could not be stored")
            return {}, f"the block could not be stored: {error}"

    def _body(self, body: Any) -> Any:
        if not isinstance(body, list):
            return self._one(body)
        if not body:
            return failure(None, -32600, "empty batch")
        if len(body) > MAX_BATCH:
            return failure(None, -32600, f"more than {MAX_BATCH} requests in a batch")
        return [answer for request in body if (answer := self._one(request)) is not None] or None

    def _one(self, request: Any) -> dict[str, Any] | None:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return failure(None, -32600, "invalid request")
        id_ = request.get("id", _ABSENT)
        if id_ is not _ABSENT and not isinstance(id_, str | int | float | None):
            return failure(None, -32600, "invalid id")
        answer = self._call(request["method"], request.get("params", []), None if id_ is _ABSENT else id_)
        return None if id_ is _ABSENT else answer

    def _call(self, name: str, params: Any, id_: Any) -> dict[str, Any]:
        method = self._methods.table.get(name)
        if method is None:
            return failure(id_, -32601, f"the method {name[:80]} does not exist")
        if not isinstance(params, list):
            return failure(id_, -32602, "params must be an array")
        try:
            return {"jsonrpc": "2.0", "id": id_, "result": method(*params)}
        except RpcError as error:
            return failure(id_, error.code, error.message, error.data)
        except Invalid as error:
            return failure(id_, -32000, str(error))
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # the call itself
                return failure(id_, -32602, f"wrong number of parameters for {name}")
            _log.exception("%s failed", name)
            return failure(id_, -32603, "internal error")
        except Exception:
            _log.exception("%s failed", name)
            return failure(id_, -32603, "internal error")

    def _settle(self, answer: Any, refused: dict[bytes, str], broken: str) -> Any:
        if isinstance(answer, list):
            return [self._settle(one, refused, broken) for one in answer]
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, Submitted):
            return answer
        if broken:
            return failure(answer["id"], -32603, broken)
        why = refused.get(bytes.fromhex(result[2:]))
        return answer | {"result": str(result)} if why is None else failure(answer["id"], -32000, why)
