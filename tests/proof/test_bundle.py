from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.engine.clear import Interpreter
from assay.errors import AssayError, MismatchError, NotFoundError, RefusedError, UsageError
from assay.proof import check, commitment_root, encode_state, read_manifest, write_bundle
from assay.words.canonical import digest
from assay.words.task import Receipt

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def bundle(toy: Any, tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", toy.spec, toy.solve(), toy.source)
    return tmp_path / "bundle"


def edit(bundle: Path, change: Edit) -> None:
    """Change the manifest, and make its commitment root fit the changed trajectory where that is possible."""
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_bytes())
    root = manifest["root"]
    change(manifest)
    path.write_text(json.dumps(manifest))
    if manifest.get("root") == root:
        try:
            manifest["root"] = commitment_root(read_manifest(bundle).trajectory).hex()
        except AssayError:
            return
        path.write_text(json.dumps(manifest))


def receipt(toy: Any, **changes: Any) -> Receipt:
    fields: dict[str, Any] = {"task": "0x1", "outcome": "settled", "spec": digest(toy.spec), "submitter": "a"}
    fields |= {"solver": "b", "state_root": toy.solve().checkpoints[-1].state_root, "escrow": 5, "paid": 5}
    fields |= {"refunded": 0, "payments": {"b": 5}, "verifiers": (), "caught": (), "reason": ""}
    return Receipt(**(fields | changes))


def test_an_honest_bundle_holds(toy: Any, bundle: Path) -> None:
    seen: list[tuple[int, int]] = []
    checked = check(bundle, on_progress=lambda done, total: seen.append((done, total)))
    assert (checked.intervals, checked.steps, checked.of) == ((0, 1, 2), 11, 11)
    assert checked.final_root == toy.solve().checkpoints[-1].state_root
    assert checked.spec == digest(toy.spec)
    assert seen == [(n, 11) for n in range(1, 12)]
    assert sorted(p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()) == [
        *(f"checkpoints/{step}.safetensors" for step in (0, 11, 4, 8)),
        "dataset.safetensors",
        "manifest.json",
        "program.onnx",
    ]


def test_a_part_and_another_engine(bundle: Path, quick: Any) -> None:
    checked = check(bundle, Interpreter, intervals=[2, 0, 2])
    assert (checked.intervals, checked.steps) == ((0, 2), 7)
    for wrong in ([3], [-1]):
        with pytest.raises(UsageError):
            check(bundle, quick, intervals=wrong)


@pytest.mark.parametrize(("step", "interval"), [(0, 0), (4, 0), (8, 1), (11, 2)])
def test_a_flipped_bit_in_a_checkpoint(bundle: Path, step: int, interval: int, quick: Any) -> None:
    path = bundle / f"checkpoints/{step}.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(MismatchError) as caught:
        check(bundle, quick, intervals=[0])  # files are checked even where nothing is replayed
    assert (caught.value.evidence["step"], caught.value.evidence["interval"]) == (step, interval)


@pytest.mark.parametrize("name", ["program.onnx", "dataset.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "grow"])
def test_other_bytes_in_another_file(bundle: Path, name: str, damage: str, quick: Any) -> None:
    data = (bundle / name).read_bytes()
    changed = {"flip": data[:-1] + bytes([data[-1] ^ 1]), "cut": data[:-1], "grow": data + b"\0"}[damage]
    (bundle / name).write_bytes(changed)
    with pytest.raises(MismatchError) as caught:
        check(bundle, quick)
    assert caught.value.evidence["file"] == name
    assert caught.value.evidence["step"] == -1


def test_a_lie_that_is_consistent_is_found_by_replay(toy: Any, tmp_path: Path, quick: Any) -> None:
    def tamper(step: int, state: dict[str, np.ndarray]) -> None:
        if step == 8:
            state["w"][0, 0] = np.nextafter(state["w"][0, 0], np.float32(9))

    write_bundle(tmp_path / "b", toy.spec, toy.solve(tamper), toy.source)
    with pytest.raises(MismatchError) as caught:
        check(tmp_path / "b", quick)
    evidence = caught.value.evidence
    assert (evidence["step"], evidence["interval"]) == (8, 1)
    assert evidence["found"] != evidence["expected"]
    check(tmp_path / "b", quick, intervals=[0, 2])  # what else was committed does hold


def set_in(manifest: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for parent in parents:
        manifest = manifest[parent]
    manifest[last] = value


FALSE_CLAIMS: dict[str, Any] = {
    "root": "11" * 32,
    "spec.program_root": "11" * 32,
    "spec.dataset_root": "11" * 32,
    "spec.initial_root": "11" * 32,
    "spec.seed": 12,
    "spec.steps": 12,
    "spec.interval": 5,
    "trajectory.program_root": "11" * 32,
    "trajectory.checkpoints.2.state_root": "11" * 32,
    "trajectory.checkpoints.2.batches": "11" * 32,
    "trajectory.checkpoints.2.trace": "11" * 32,
    "trajectory.checkpoints.2.step": 7,
    "trajectory.checkpoints": [],
}


@pytest.mark.parametrize(("path", "value"), FALSE_CLAIMS.items(), ids=FALSE_CLAIMS.keys())
def test_false_claims_are_mismatches(bundle: Path, path: str, value: Any, quick: Any) -> None:
    edit(bundle, lambda manifest: set_in(manifest, path, value))
    with pytest.raises(MismatchError):
        check(bundle, quick)


MALFORMED: dict[str, Any] = {
    "spec.name": "x" * 121,
    "spec.rows": 0,
    "spec.rows ": 5,
    "spec.batch_size": "4",
    "spec.seed": -1,
    "spec.steps": 11.5,
    "spec.numerics": "exact-2",
    "spec.version": 2,
    "spec.program.sha256": "../../etc/passwd",
    "spec.program.size": -1,
    "root": "AB" * 32,
    "trajectory.checkpoints.1.step": -4,
    "trajectory.checkpoints.1.step ": "../x",
    "trajectory.checkpoints.1.blob": None,
    "version": 2,
    "extra": 1,
}


@pytest.mark.parametrize(("path", "value"), MALFORMED.items(), ids=MALFORMED.keys())
def test_malformed_manifests_are_refused(bundle: Path, path: str, value: Any, quick: Any) -> None:
    edit(bundle, lambda manifest: set_in(manifest, path, value))
    with pytest.raises(RefusedError):
        check(bundle, quick)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 200_000, b'{"spec":' * 50_000, b"{}"], ids=range(8)
)
def test_no_manifest_at_all(bundle: Path, text: bytes, quick: Any) -> None:
    (bundle / "manifest.json").write_bytes(text)
    with pytest.raises(RefusedError, match="malformed"):
        check(bundle, quick)


def test_parts_that_do_not_fit_each_other(bundle: Path, quick: Any) -> None:
    edit(bundle, lambda manifest: set_in(manifest, "spec.batch_size", 2**53))
    with pytest.raises(RefusedError, match="do not fit"):
        check(bundle, quick)


def test_a_task_of_many_steps_is_refused_before_they_are_counted(bundle: Path, quick: Any) -> None:
    edit(bundle, lambda manifest: set_in(manifest, "spec.steps", 2**53))
    with pytest.raises((MismatchError, RefusedError)):
        check(bundle, quick)


@pytest.mark.parametrize("name", ["manifest.json", "program.onnx", "dataset.safetensors", "checkpoints/8.safetensors"])
@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "folder"])
def test_only_regular_files_are_read(bundle: Path, tmp_path: Path, name: str, kind: str, quick: Any) -> None:
    path = bundle / name
    path.rename(tmp_path / "elsewhere")
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(RefusedError):
        check(bundle, quick)


def test_a_linked_folder_is_not_followed(bundle: Path, tmp_path: Path, quick: Any) -> None:
    (bundle / "checkpoints").rename(tmp_path / "elsewhere")
    (bundle / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="link"):
        check(bundle, quick)
    (tmp_path / "alias").symlink_to(bundle)
    with pytest.raises(NotFoundError):
        check(tmp_path / "nothing", quick)


def test_a_bundle_may_itself_be_reached_through_a_link(bundle: Path, tmp_path: Path, quick: Any) -> None:
    (tmp_path / "alias").symlink_to(bundle)
    check(tmp_path / "alias", quick, intervals=[0])


def test_receipts(toy: Any, tmp_path: Path, quick: Any) -> None:
    write_bundle(tmp_path / "good", toy.spec, toy.solve(), toy.source, receipt(toy))
    assert read_manifest(tmp_path / "good").receipt == receipt(toy)
    check(tmp_path / "good", quick, intervals=[0])
    for name, wrong in {"spec": receipt(toy, spec="11" * 32), "result": receipt(toy, state_root="11" * 32)}.items():
        write_bundle(tmp_path / name, toy.spec, toy.solve(), toy.source, wrong)
        with pytest.raises(MismatchError, match="receipt"):
            check(tmp_path / name, quick)


def test_writing_is_all_or_nothing(toy: Any, bundle: Path, tmp_path: Path, quick: Any) -> None:
    before = (bundle / "manifest.json").read_bytes()

    def failing(blob: Any) -> Path:
        if blob == toy.spec.dataset:
            raise OSError("gone")
        return toy.source(blob)

    for target in (bundle, tmp_path / "new"):
        with pytest.raises(OSError, match="gone"):
            write_bundle(target, toy.spec, toy.solve(), failing)
    assert (bundle / "manifest.json").read_bytes() == before
    assert not (tmp_path / "new").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    write_bundle(bundle, toy.spec, toy.solve(), toy.source, receipt(toy))
    assert read_manifest(bundle).receipt is not None
    assert check(bundle, quick, intervals=[]).steps == 0


def test_a_source_that_gives_other_bytes_is_noticed_on_writing(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_bytes(encode_state(toy.initial))
    with pytest.raises(MismatchError):
        write_bundle(tmp_path / "b", toy.spec, toy.solve(), lambda _: tmp_path / "wrong")
    assert not (tmp_path / "b").exists()


def test_nothing_else_is_overwritten(toy: Any, tmp_path: Path, quick: Any) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years")
    with pytest.raises(UsageError):
        write_bundle(tmp_path / "home", toy.spec, toy.solve(), toy.source)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years"
    (tmp_path / "empty").mkdir()
    write_bundle(tmp_path / "empty", toy.spec, toy.solve(), toy.source)
    check(tmp_path / "empty", quick, intervals=[0])
