"""JSON-RPC over HTTP: one request at a time, or patiently while the other side restarts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2
import stamina

from ..errors import ChainUnavailable, ConfigError

__all__ = ["Endpoint", "Failure", "Unreachable"]

_LOCAL = ("127.0.0.1", "localhost", "::1")
_BUSY = (429, 502, 503, 504)


class Failure(Exception):
    """The other side answered with an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Unreachable(Exception):
    """No answer: the request may or may not have been carried out."""


class Endpoint:
    """The RPC at `url`. `timeout` is for one request, `retry` for waiting until it answers again, both in seconds.

    Safe under threads. Environment variables that name a proxy are ignored for addresses of this machine.
    """

    def __init__(self, url: str, *, timeout: float, retry: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"not an RPC URL: {url!r}", url=url)
        self.url, self.retry = url, retry
        self._http = httpx2.Client(timeout=timeout, trust_env=parts.hostname not in _LOCAL)
        self._ids = itertools.count(1)

    def once(self, method: str, *params: Any) -> Any:
        """One request, one answer. Raises Failure or Unreachable."""
        return _result(self._post(self._envelope(method, params)))

    def ask(self, method: str, *params: Any) -> Any:
        """As `once`, but repeated until it is answered. Only for requests that may be repeated.
        Raises Failure, or ChainUnavailable after `retry` seconds."""
        return _result(self._patiently(self._envelope(method, params)))

    def ask_all(self, requests: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """Several requests in one go, patiently. A result that is an error stands in the list as a Failure."""
        envelopes = [self._envelope(method, params) for method, params in requests]
        answers = self._patiently(envelopes)
        if not isinstance(answers, list):  # some RPCs know no batches
            answers = [self._patiently(envelope) for envelope in envelopes]
        by_id = {answer.get("id"): answer for answer in answers}
        return [_outcome(by_id.get(envelope["id"])) for envelope in envelopes]

    def close(self) -> None:
        """Drop the connections."""
        self._http.close()

    def _envelope(self, method: str, params: tuple[Any, ...]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _patiently(self, body: Any) -> Any:
        try:
            for attempt in stamina.retry_context(
                on=Unreachable, attempts=None, timeout=self.retry, wait_initial=0.05, wait_max=1.0, wait_jitter=0.1
            ):
                with attempt:
                    return self._post(body)
        except Unreachable as error:
            raise ChainUnavailable(f"{self.url} does not answer: {error}", url=self.url) from error
        raise AssertionError("stamina leaves by returning or raising")

    def _post(self, body: Any) -> Any:
        try:
            response = self._http.post(self.url, json=body)
        except httpx2.TransportError as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        if response.status_code in _BUSY:
            raise Unreachable(f"HTTP {response.status_code}")
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError) as error:
            why = f"{self.url} answered HTTP {response.status_code} without JSON: is it an Ethereum RPC?"
            raise ChainUnavailable(why, url=self.url, status=response.status_code) from error


def _outcome(answer: Any) -> Any:
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        return Failure(-32603, "the answer is not JSON-RPC")
    error = answer.get("error")
    if error is None:
        return answer["result"]
    if not isinstance(error, dict):
        return Failure(-32603, str(error))
    return Failure(int(error.get("code", -32603)), str(error.get("message", "")), error.get("data"))


def _result(answer: Any) -> Any:
    found = _outcome(answer)
    if isinstance(found, Failure):
        raise found
    return found
