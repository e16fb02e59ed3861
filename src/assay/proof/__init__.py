"""Tensors -> roots, the sampler, checkpoints, trajectories, replay and proof bundles. Pure: no network, no torch."""

from __future__ import annotations

from .bundle import Checked, Manifest, check, read_manifest
from .bundle import write as write_bundle
from .checkpoint import blob_of, size_limit
from .checkpoint import decode as decode_state
from .checkpoint import encode as encode_state
from .code import code_leaves, code_root, entries
from .dataset import Dataset
from .merkle import ZERO
from .replay import Finding, check_checkpoint, replay, replay_interval
from .roots import dataset_root, program_root, state_root, tensor_root
from .run import Executable, OnStep, Runner, Segment
from .sampler import audit_intervals, batches_root, interval_root, permute, rows
from .tensors import Array, State
from .trace import Trace, trace_of
from .trace import public as public_metric
from .trajectory import Opening, commitment_root, opening, validate
from .trajectory import build as build_trajectory
from .trajectory import checkpoint as new_checkpoint

__all__ = [
    "ZERO",
    "Array",
    "Checked",
    "Dataset",
    "Executable",
    "Finding",
    "Manifest",
    "OnStep",
    "Opening",
    "Runner",
    "Segment",
    "State",
    "Trace",
    "audit_intervals",
    "batches_root",
    "blob_of",
    "build_trajectory",
    "check",
    "check_checkpoint",
    "code_leaves",
    "code_root",
    "commitment_root",
    "dataset_root",
    "decode_state",
    "encode_state",
    "entries",
    "interval_root",
    "new_checkpoint",
    "opening",
    "permute",
    "program_root",
    "public_metric",
    "read_manifest",
    "replay",
    "replay_interval",
    "rows",
    "size_limit",
    "state_root",
    "tensor_root",
    "trace_of",
    "validate",
    "write_bundle",
]
