"""A walk over the raw protocol-buffer bytes of an ONNX file, before any parser allocates memory for them.

Two bytes of file can become a message of hundreds of bytes in memory, so the number of fields is bounded first.
Encoding: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from functools import cache
from typing import Any

from assay.errors import ProgramRefused

from .limits import Limits

__all__ = ["scan"]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 24
_INTEGER_TYPES = frozenset({3, 4, 5, 13, 14, 17, 18})  # FieldDescriptor.TYPE_*: the variable-length integers

Table = dict[int, tuple[str, bool]]


@cache
def _tables() -> dict[str, Table]:
    """For each message type: field number -> (type of the nested message or "", whether it packs integers)."""
    from onnx import ModelProto

    tables: dict[str, Table] = {}
    pending: list[Any] = [ModelProto.DESCRIPTOR]
    while pending:
        descriptor = pending.pop()
        if descriptor.full_name in tables:
            continue
        table = tables[descriptor.full_name] = {}
        for field in descriptor.fields:
            nested = field.message_type.full_name if field.message_type else ""
            packs = field.type in _INTEGER_TYPES
            if nested:
                pending.append(field.message_type)
            if nested or packs:
                table[field.number] = (nested, packs)
    return tables


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            break
    raise ProgramRefused("malformed ONNX file: a number is cut short or too long", offset=position)


def scan(data: bytes, limits: Limits) -> int:
    """Count the fields of `data` as an ONNX ModelProto.

    Raises ProgramRefused when it is not well formed, nests too deeply, or exceeds `limits.fields` or
    `limits.packed_integers`. Takes about one second per two million fields; tensor data is skipped.
    """
    tables = _tables()
    stack: list[tuple[int, Table]] = []
    table, end, position = tables["onnx.ModelProto"], len(data), 0
    fields = packed = 0
    while True:
        while position >= end:
            if not stack:
                return fields
            end, table = stack.pop()
        fields += 1
        if fields > limits.fields:
            raise ProgramRefused("the ONNX file has too many fields", limit=limits.fields)
        tag = data[position]
        position += 1
        if tag >= 0x80:
            tag, position = _varint(data, position - 1, end)
        kind = tag & 7
        if kind == _LENGTH:
            length, position = _varint(data, position, end)
            if length > end - position:
                raise ProgramRefused("malformed ONNX file: a field is longer than what holds it", offset=position)
            nested, packs = table.get(tag >> 3, ("", False))
            if nested:
                if len(stack) >= _MAX_DEPTH:
                    raise ProgramRefused("the ONNX file nests too deeply", limit=_MAX_DEPTH)
                stack.append((end, table))
                table, end = tables[nested], position + length
                continue
            if packs:
                packed += length
                if packed > limits.packed_integers:
                    raise ProgramRefused("too many integers outside raw_data", limit=limits.packed_integers)
            position += length
        elif kind == _VARINT:
            _, position = _varint(data, position, end)
        elif kind in (_FIXED32, _FIXED64):
            position += 4 if kind == _FIXED32 else 8
            if position > end:
                raise ProgramRefused("malformed ONNX file: a field is cut short", offset=position)
        else:
            raise ProgramRefused(f"malformed ONNX file: wire type {kind}", offset=position)
