"""One verifier's audit: everything that can be wrong with a result, found and sealed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from small import Village, runner, small, solve, tampering

from assay.errors import BlobMissing, BlobRefused, MismatchError
from assay.observe import read_json, write_json
from assay.proof import commitment_root
from assay.solve import Journal
from assay.store import Store
from assay.verify import Sealed, audit, echo, finding_commitment, match_commitment, read_trajectory, trajectory_limit
from assay.words import Blob, Checkpoint, Commitment, Kind, Trajectory, canonical

TASK, ME = "5a" * 32, "0x00000000000000000000000000000000DeaDBeef"
ALL = (0, 1, 2, 3)


class Solved:
    """The small task with its honest result, and an audit of whatever is put in its place."""

    def __init__(self, store: Store, folder: Any) -> None:
        self.store, self.spec = store, small(store).spec
        self.runner = runner(self.spec, store)
        self.honest = solve(self.spec, store, folder / "journal.jsonl")
        self.digests = Journal(folder / "journal.jsonl").digests
        self.tampered = solve(self.spec, store, folder / "other.jsonl", tampering(self.runner))

    def audit(self, intervals: tuple[int, ...], data: bytes | Trajectory, **changes: Any) -> Sealed:
        raw = canonical(data) if isinstance(data, Trajectory) else data
        listed = self.honest if isinstance(data, bytes) else data
        root = changes.get("root") or commitment_root(listed).hex()
        last = listed.checkpoints[-1].state_root if listed.checkpoints else OTHER
        commitment = Commitment(root, Blob(OTHER, len(raw)), changes.get("final_root", last))
        found = audit(
            TASK,
            ME,
            self.runner,
            lambda: read_trajectory(raw, commitment, self.spec, self.runner),
            changes.get("source", self.store.get),
            intervals,
            changes.get("on_interval"),
        )
        assert (found.task, found.account, found.intervals) == (TASK, ME, intervals)
        return found


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Solved:
    folder = tmp_path_factory.mktemp("solved")
    return Solved(Store(folder / "store"), folder)


def sealed_as(found: Sealed, kind: Kind, interval: int, step: int, checkpoint: int = 0) -> None:
    assert (found.kind, found.interval, found.step, found.matched) == (kind, interval, step, False)
    assert found.checkpoint == checkpoint
    assert found.withheld == (kind in (Kind.LEAF, Kind.DATA))
    assert found.commitment == finding_commitment(TASK, ME, kind, interval, bytes.fromhex(found.salt))
    assert int(found.salt, 16) != 0, "a guessable salt would show the finding before it is opened"
    verdict = found.verdict
    assert (verdict.matched, verdict.reason, verdict.step) == (False, kind.sentence, step)


@pytest.mark.parametrize("intervals", [(0,), (3, 0), (2, 1, 3, 0)])
def test_an_honest_result_matches_in_the_order_drawn(solved: Solved, intervals):
    steps: list[tuple[int, int]] = []
    found = solved.audit(intervals, solved.honest, on_interval=lambda done, of: steps.append((done, of)))
    assert found.matched
    assert found.verdict.matched
    assert found.commitment == match_commitment(TASK, ME, [solved.digests[k] for k in intervals])
    assert steps == [(n + 1, len(intervals)) for n in range(len(intervals))]


def test_a_tampered_checkpoint_is_found_where_it_is(solved: Solved):
    # The end of interval 1 (step 6) is not what the replay gives; interval 2 is honest work from there.
    sealed_as(solved.audit((3, 1, 0), solved.tampered), Kind.INTERVAL, 1, 6)
    assert solved.audit((1,), solved.tampered).found_root == solved.honest.checkpoints[2].state_root
    assert solved.audit((3, 0, 2), solved.tampered).matched, "who was not dealt the interval can't see it"


def test_two_audits_of_the_same_lie_seal_differently(solved: Solved):
    one, other = solved.audit((1,), solved.tampered), solved.audit((1,), solved.tampered)
    assert one.commitment != other.commitment


def test_a_blob_that_nobody_gives_is_withheld_data(solved: Solved):
    wanted = solved.honest.checkpoints[2].blob

    def without(blob: Blob) -> bytes:
        if blob == wanted:
            raise BlobMissing("it is gone")
        return solved.store.get(blob)

    sealed_as(solved.audit((3, 2, 0), solved.honest, source=without), Kind.DATA, 2, 6, checkpoint=2)
    assert solved.audit((3, 1, 0), solved.honest, source=without).matched


def test_a_trajectory_that_nobody_gives_is_withheld_data(solved: Solved):
    def nobody() -> Trajectory:
        raise BlobMissing("it is gone")

    found = audit(TASK, ME, solved.runner, nobody, solved.store.get, (3, 1))
    sealed_as(found, Kind.LEAF, 1, 3)


def test_bytes_that_are_not_the_blob_are_the_sources_fault(solved: Solved):
    def spoilt(blob: Blob) -> bytes:
        data = bytearray(solved.store.get(blob))
        data[-1] ^= 1
        return bytes(data)

    with pytest.raises(BlobRefused):
        solved.audit((0,), solved.honest, source=spoilt)


def change(solved: Solved, k: int, **fields: Any) -> Trajectory:
    """The honest trajectory with another checkpoint `k`."""
    checkpoints = list(solved.honest.checkpoints)
    checkpoints[k] = msgspec.structs.replace(checkpoints[k], **fields)
    return msgspec.structs.replace(solved.honest, checkpoints=tuple(checkpoints))


OTHER = "ab" * 32
MAKE: dict[str, tuple[Callable[[Solved], bytes | Trajectory], tuple[Kind, int, int, int]]] = {
    "no JSON": (lambda s: b"nonsense", (Kind.LEAF, 1, 0, 0)),
    "empty": (lambda s: b"", (Kind.LEAF, 1, 0, 0)),
    "not text": (lambda s: b"\xff\xfe" * 40, (Kind.LEAF, 1, 0, 0)),
    "nested beyond all measure": (lambda s: b"[" * 100_000, (Kind.LEAF, 1, 0, 0)),
    "no checkpoints": (lambda s: canonical(Trajectory(OTHER, OTHER, ())), (Kind.LEAF, 1, 0, 0)),
    "not the committed one": (lambda s: canonical(s.tampered), (Kind.LEAF, 1, 0, 0)),
    "another program": (lambda s: msgspec.structs.replace(s.honest, program_root=OTHER), (Kind.INTERVAL, 0, 0, 0)),
    "another dataset": (lambda s: msgspec.structs.replace(s.honest, dataset_root=OTHER), (Kind.LEAF, 1, 0, 0)),
    "a checkpoint too few": (
        lambda s: msgspec.structs.replace(s.honest, checkpoints=s.honest.checkpoints[:-1]),
        (Kind.LEAF, 3, 12, 0),
    ),
    "three checkpoints too few": (
        lambda s: msgspec.structs.replace(s.honest, checkpoints=s.honest.checkpoints[:2]),
        (Kind.LEAF, 1, 6, 0),
    ),
    "a checkpoint too many": (
        lambda s: msgspec.structs.replace(s.honest, checkpoints=(*s.honest.checkpoints, s.honest.checkpoints[-1])),
        (Kind.LEAF, 3, 12, 0),
    ),
    "a step that is none": (lambda s: change(s, 2, step=2**53), (Kind.INTERVAL, 1, 6, 0)),
    "another initial state": (lambda s: change(s, 0, state_root=OTHER), (Kind.INTERVAL, 0, 0, 0)),
    "an initial state with a past": (lambda s: change(s, 0, trace=OTHER), (Kind.INTERVAL, 0, 0, 0)),
    "other rows": (lambda s: change(s, 3, batches=OTHER), (Kind.BATCHES, 2, 9, 0)),
    "a blob of any size": (lambda s: change(s, 1, blob=Blob(OTHER, 2**50)), (Kind.DATA, 1, 3, 1)),
    "a final blob of any size": (lambda s: change(s, 4, blob=Blob(OTHER, 2**50)), (Kind.DATA, 3, 12, 4)),
}


@pytest.mark.parametrize("name", MAKE)
def test_what_is_wrong_with_a_trajectory_is_found_without_a_replay(solved: Solved, name):
    make, finding = MAKE[name]

    def never(blob: Blob) -> bytes:
        raise AssertionError("nothing has to be fetched to see this")

    found = solved.audit((3, 1), make(solved), source=never)
    sealed_as(found, *finding)
    assert found.checkpoint in (0, found.interval, found.interval + 1), "as the game takes it"


@pytest.mark.parametrize(
    ("k", "fields", "finding"),
    [
        (2, {"trace": OTHER}, (Kind.TRACE, 1, 6, 0)),
        (2, {"blob": "first"}, (Kind.DATA, 2, 6, 2)),
        (4, {"blob": "first"}, (Kind.DATA, 3, 12, 4)),
        (1, {"state_root": OTHER}, (Kind.INTERVAL, 0, 3, 0)),
    ],
    ids=["another trace", "another blob", "another final blob", "another root"],
)
def test_what_only_a_replay_can_see(solved: Solved, k, fields, finding):
    fields = {name: solved.honest.checkpoints[0].blob if value == "first" else value for name, value in fields.items()}
    sealed_as(solved.audit(ALL, change(solved, k, **fields)), *finding)


def test_a_start_that_is_not_the_committed_state_is_found(solved: Solved):
    lying = change(solved, 1, blob=solved.honest.checkpoints[0].blob)
    found = solved.audit((1,), lying)
    sealed_as(found, Kind.DATA, 1, 3, checkpoint=1)
    assert found.found_root == solved.honest.checkpoints[0].state_root


def test_a_checkpoint_that_is_no_state_is_found(solved: Solved):
    junk = solved.store.put(b"junk")
    sealed_as(solved.audit((1,), change(solved, 1, blob=junk)), Kind.DATA, 1, 3, checkpoint=1)


def test_a_final_root_that_is_not_the_last_checkpoint_s_is_found(solved: Solved):
    last = solved.spec.steps
    sealed_as(solved.audit((0,), solved.honest, final_root=OTHER), Kind.INTERVAL, 3, last)


def test_reading_a_trajectory_tells_what_was_expected(solved: Solved):
    root, last = commitment_root(solved.honest).hex(), solved.honest.checkpoints[-1]
    commitment = Commitment(root, last.blob, last.state_root)
    with pytest.raises(MismatchError) as caught:
        read_trajectory(canonical(solved.tampered), commitment, solved.spec, solved.runner)
    assert caught.value.evidence["found"] == commitment_root(solved.tampered).hex()
    assert caught.value.exit_code == 3


def test_no_honest_trajectory_is_larger_than_the_limit(solved: Solved):
    largest = Checkpoint(2**53, OTHER, Blob(OTHER, 2**53), OTHER, OTHER)
    full = Trajectory(OTHER, OTHER, (largest,) * (solved.spec.intervals + 1))
    assert len(canonical(full)) <= trajectory_limit(solved.spec) < 4 * len(canonical(full))


@pytest.mark.parametrize("lie", [False, True])
def test_a_sealed_finding_survives_the_disk(solved: Solved, tmp_path, lie):
    found = solved.audit((1, 0), solved.tampered if lie else solved.honest)
    write_json(tmp_path / "sealed.json", msgspec.to_builtins(found))
    again = msgspec.convert(read_json(tmp_path / "sealed.json"), Sealed)
    assert again == found
    assert again.verdict == found.verdict
    assert again.matched is not lie
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(json.loads((tmp_path / "sealed.json").read_text()) | {"more": 1}, Sealed)


def test_an_echo_is_a_match_that_never_is_the_real_one(solved: Solved):
    root = commitment_root(solved.honest).hex()
    for intervals in ((0,), (1, 0), (3, 2, 1, 0)):
        guess, true = echo(TASK, ME, root, intervals), solved.audit(intervals, solved.honest)
        assert guess.matched
        assert guess.intervals == intervals
        assert guess.commitment != true.commitment


def test_the_public_trajectory_does_not_give_the_digests_away(solved: Solved):
    shown = canonical(solved.honest)
    assert all(digest.hex().encode() not in shown for digest in solved.digests)


def test_an_audit_in_the_village_is_the_contracts_draw(village: Village):
    life = village.post().accepted().committed(village.honest).drawn()
    assert sorted(life.intervals(0) + life.intervals(1)) == [0, 1, 2, 3], "together they see everything"
    assert life.audited_by(0).intervals == life.intervals(0)
