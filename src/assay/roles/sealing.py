"""A solver's sealed results: it commits to a seal, publishes after the draw, errs where its lot says so, and opens the seal."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace

import msgspec
import numpy as np
from eth_utils.crypto import keccak

from assay.chain import Change, Jackpot, TaskRecord, Truth, forced_interval
from assay.observe import read_json, write_json
from assay.program.types import Port
from assay.proof import State, commitment_root, decode_state, encode_state, opening, state_root
from assay.words import Blob, Commitment, Task, Trajectory, canonical

from .session import Session

__all__ = ["Sealing", "spoilt"]

_ZERO = "00" * 32


class Sealing:
    """What the solver of tasks with forced errors does beside its work. All of it follows from the chain, the secret in the
    task's folder and the trajectory, so it can be killed anywhere."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.jackpot = Jackpot(session.client, session.network.contracts.jackpot)

    def commit(self, task: Task, trajectory: Trajectory) -> None:
        """Commit to a seal. The secret is on disk before its hash is on the chain."""
        truth = Truth.of(_commitment(trajectory, self.session.store.put(canonical(trajectory))), self._secret(task))
        seal = truth.seal(task.id)
        self.session.market.commit(task.id, Commitment(seal, Blob(_ZERO, 0), _ZERO))
        self.session.log.info("sealed", task=task.id, seal=seal)

    def publish(self, record: TaskRecord, trajectory: Trajectory, ports: Mapping[str, Port]) -> None:
        """Publish the result after the draw: as it is, or with the error that the lot wants."""
        task, interval = record.task, self._interval(record, record.result.seed)
        shown = trajectory if interval is None else self._decoy(task, trajectory, ports, interval)
        blob = self.session.store.put(canonical(shown))
        for needed in (*(c.blob for c in shown.checkpoints), blob):
            self.session.publish(needed)
        self.jackpot.publish(record, _commitment(shown, blob))
        self.session.log.info("published", task=task.id)  # and nothing about the lot: others may read this

    def unseal(self, record: TaskRecord, trajectory: Trajectory, ports: Mapping[str, Port]) -> None:
        """Open the seal, once nobody can accuse any more; what was kept back is published first."""
        task = record.task
        if self.session.client.now() <= record.result.committed_at + record.terms.patrol_for:
            return
        interval = self._interval(record, self.jackpot.seed(task.id))
        blob = self.session.store.put(canonical(trajectory))
        change = Change()
        if interval is not None:
            change = _change(trajectory, self._decoy(task, trajectory, ports, interval), interval)
            for needed in (trajectory.checkpoints[interval + 1].blob, blob):
                self.session.publish(needed)
        self.jackpot.unseal(record, Truth.of(_commitment(trajectory, blob), self._secret(task)), change)
        self.session.log.info("unsealed", task=task.id, interval=interval)

    def _interval(self, record: TaskRecord, seed: str) -> int | None:
        return forced_interval(record.terms, seed, self._secret(record.task))

    def _secret(self, task: Task) -> str:
        path = self.session.folder_of(task.id) / "seal.json"
        kept = read_json(path)
        if kept is None:
            kept = {"secret": secrets.token_hex(32)}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, kept)
        return str(kept["secret"])

    def _decoy(self, task: Task, trajectory: Trajectory, ports: Mapping[str, Port], interval: int) -> Trajectory:
        """The trajectory with the error, the same each time."""
        listed = list(trajectory.checkpoints)
        right = listed[interval + 1]
        state = spoilt(decode_state(self.session.read(right.blob), ports), keccak(bytes.fromhex(self._secret(task))))
        blob = self.session.store.put(encode_state(state))
        listed[interval + 1] = msgspec.structs.replace(right, state_root=state_root(state).hex(), blob=blob)
        return msgspec.structs.replace(trajectory, checkpoints=tuple(listed))


def spoilt(state: State, lot: bytes) -> State:
    """`state` with the last bit of one element changed: of a float if there is one, which one by `lot` (32 bytes)."""
    tensors = sorted(name for name, array in state.items() if array.size)
    floats = [name for name in tensors if state[name].dtype.kind == "f"] or tensors
    name = floats[int.from_bytes(lot[:16], "big") % len(floats)]
    found = {n: np.array(array) for n, array in state.items()}
    array = found[name]
    at = int.from_bytes(lot[16:], "big") % array.size * array.itemsize
    array.reshape(-1).view(np.uint8)[at] ^= 1
    return found


def _commitment(trajectory: Trajectory, blob: Blob) -> Commitment:
    return Commitment(commitment_root(trajectory).hex(), blob, trajectory.checkpoints[-1].state_root)


def _change(truth: Trajectory, shown: Trajectory, interval: int) -> Change:
    """How two trajectories differ that are the same but for the state after one interval."""
    index = interval + 1
    wrong, right = opening(shown, index), opening(truth, index)
    change = Change(
        prev_root=wrong.prev_root.hex(),
        batches=wrong.batches.hex(),
        trace=wrong.trace.hex(),
        right=right.state_root.hex(),
        wrong=wrong.state_root.hex(),
        proof=tuple(word.hex() for word in wrong.proof),
    )
    if index == len(truth.checkpoints) - 1:
        return change
    # Seen from the next leaf, the one before it is right already; all of its other siblings are the same in both.
    after = opening(truth, index + 1)
    return replace(
        change,
        next_state=after.state_root.hex(),
        next_batches=after.batches.hex(),
        next_trace=after.trace.hex(),
        next_proof=tuple(word.hex() for word in after.proof),
    )
