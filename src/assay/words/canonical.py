"""Canonical bytes: one record, one byte string, on every machine."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

__all__ = ["Record", "canonical", "digest", "parse"]

R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plain frozen record. Fields are integers, strings, booleans and nested records: never floats in what is hashed."""


def canonical(value: Any) -> bytes:
    """`value` as JSON with sorted keys and no white space, UTF-8."""
    return msgspec.json.encode(value, order="sorted")


def digest(value: Record) -> str:
    """SHA-256 of the canonical bytes, as 64 hex digits; also the record's name in the store."""
    return hashlib.sha256(canonical(value)).hexdigest()


def parse(kind: type[R], data: bytes) -> R:
    """Strictly decode `data` as a `kind`. Raises msgspec.ValidationError or msgspec.DecodeError."""
    return msgspec.json.decode(data, type=kind, strict=True)
