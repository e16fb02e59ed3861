"""One record, one byte string, on every machine and in every version."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest

from assay.words import Audit, Blob, Receipt, Root, Task, TaskSpec, TaskState, Verdict, canonical, digest, parse


def root(text: str) -> Root:
    return hashlib.sha256(text.encode()).hexdigest()


SPEC = TaskSpec(
    name="größe 1",
    program=Blob(root("program"), 24202),
    program_root=root("program root"),
    initial=Blob(root("initial"), 75968),
    initial_root=root("initial root"),
    dataset=Blob(root("dataset"), 2**53),
    dataset_root=root("dataset root"),
    rows=1437,
    batch_size=64,
    seed=2**63 - 1,
    steps=241,
    interval=24,
    audit=Audit(2, 5),
)
GOLDEN = "43fde1cac16e88d7eb0de4461d7f8227992dfbc04a91d31735dcc25ac3116cc5"
"""The name of SPEC in every store. It may never change: tasks that are on a chain are found by it."""


def test_the_golden_digest():
    assert digest(SPEC) == GOLDEN == hashlib.sha256(canonical(SPEC)).hexdigest()


def test_canonical_bytes_are_sorted_json_without_white_space():
    plain = json.dumps(msgspec.to_builtins(SPEC), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(SPEC) == plain.encode()


def test_the_order_of_keys_does_not_matter():
    shuffled = json.dumps(dict(reversed(msgspec.to_builtins(SPEC).items())), indent=3).encode()
    assert shuffled != canonical(SPEC)
    assert canonical(parse(TaskSpec, shuffled)) == canonical(SPEC)


def test_dictionaries_are_sorted_too():
    common = ("t", "settled", root("s"), "0xA", "0xB", root("f"), 3, 3, 0)
    rest = ((), (), "the result held")
    one, other = (Receipt(*common, payments, *rest) for payments in ({"b": 1, "a": 2}, {"a": 2, "b": 1}))
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    "value",
    [
        SPEC,
        Verdict("t", "0xA", (3, 1), False, 24, 1, root("found"), "the state differs"),
        Task("t", root("s"), TaskState.AUDITED, "0xA", "0xB", 5, 2, 10, Audit(2, 5), 99, ("0xC",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parse_is_the_inverse(value):
    assert parse(type(value), canonical(value)) == value


def test_records_are_frozen():
    with pytest.raises(AttributeError):
        SPEC.steps = 3


def altered(**changes) -> bytes:
    return json.dumps(msgspec.to_builtins(SPEC) | changes).encode()


@pytest.mark.parametrize(
    "data",
    [
        altered(bonus=1),
        altered(audit={"verifiers": 2, "intervals": 5, "secretly": True}),
        altered(steps="241"),
        altered(steps=241.5),
        altered(steps=True),
        altered(steps=0),
        altered(steps=2**53 + 1),
        altered(interval=0),
        altered(batch_size=-1),
        altered(seed=-1),
        altered(seed=2**63),
        altered(name="n" * 121),
        altered(program_root="A" * 64),
        altered(program_root="a" * 63),
        altered(program_root="a" * 64 + "\n"),
        altered(program={"sha256": "a" * 64, "size": -1}),
        altered(audit={"verifiers": 0, "intervals": 5}),
        altered(numerics=None),
        b"[]",
        b"",
        b"{",
        b'{"name": "\xff"}',
        canonical(SPEC) + b"x",
    ],
    ids=lambda data: data[-24:].decode(errors="replace"),
)
def test_anything_else_is_refused(data):
    with pytest.raises((msgspec.MsgspecError, UnicodeError)):
        parse(TaskSpec, data)


def test_every_field_must_be_there():
    fields = msgspec.to_builtins(SPEC)
    for name in set(fields) - {"numerics", "sampler", "version"}:
        data = json.dumps({key: value for key, value in fields.items() if key != name}).encode()
        with pytest.raises(msgspec.ValidationError, match=name):
            parse(TaskSpec, data)
