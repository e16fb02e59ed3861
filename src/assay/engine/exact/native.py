"""The machine underneath: which instructions it has, and how a module becomes functions that can be called."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from assay.errors import ConfigError

__all__ = ["LEVELS", "Library", "Machine", "machine"]

LEVELS = ("sse2", "avx2", "avx512")
"""Instruction sets that x86-64 can be restricted to; `native` is whatever the host has."""

_CPUS = {"sse2": ("x86-64", 4), "avx2": ("x86-64-v3", 8), "avx512": ("x86-64-v4", 16)}
_NEEDS = {"sse2": set(), "avx2": {"avx2", "fma", "bmi2"}, "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}}
_LOCK = threading.RLock()


@dataclass(frozen=True)
class Machine:
    """A compilation target: LLVM's cpu and feature strings, and the number of 32-bit lanes of a register."""

    cpu: str
    features: str
    vector: int
    x86: bool

    @property
    def registers(self) -> int:
        """Number of vector registers."""
        return 32 if self.vector == 16 or not self.x86 else 16


@cache
def _host_features() -> frozenset[str]:
    with _LOCK:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)


def machine(level: str | None = None) -> Machine:
    """The host, or the host restricted to `level` (default: the variable ASSAY_CPU_FEATURES, else `native`).

    Raises ConfigError for a level that is unknown or that the host does not have.
    """
    level = level or os.environ.get("ASSAY_CPU_FEATURES") or "native"
    present, x86 = _host_features(), platform.machine().lower() in ("x86_64", "amd64")
    if level == "native":
        have = [name for name in LEVELS if x86 and _NEEDS[name] <= present]
        vector = _CPUS[have[-1]][1] if have else 4
        return Machine(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), vector, x86)
    if level not in LEVELS or not x86 or not _NEEDS[level] <= present:
        raise ConfigError(f"this machine has no instruction set {level!r}", level=level, known=[*LEVELS, "native"])
    cpu, vector = _CPUS[level]
    return Machine(cpu, "", vector, x86)


def _add_symbols() -> None:
    """Make the one library function that compiled code calls known to LLVM: give up the processor."""
    if sys.platform == "win32":
        give = ctypes.windll.kernel32.SwitchToThread
    else:
        give = ctypes.CDLL(None).sched_yield
    address = ctypes.cast(give, ctypes.c_void_p).value
    assert address is not None
    llvm.add_symbol("assay_yield", address)


class Library:
    """Compiled code. MCJIT owns module and target machine; all three live exactly as long as this object."""

    def __init__(self, source: str, target: Machine) -> None:
        """Compile LLVM assembly. It is verified before any pass sees it."""
        _host_features()
        with _LOCK:
            _add_symbols()
            self._target = llvm.Target.from_default_triple().create_target_machine(
                cpu=target.cpu, features=target.features, opt=2, jit=True
            )
            self._module = llvm.parse_assembly(source)
            self._module.verify()
            _optimise(self._module, self._target)
            self._engine = llvm.create_mcjit_compiler(self._module, self._target)
            self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where a function starts."""
        return int(self._engine.get_function_address(name))


def _optimise(module: llvm.ModuleRef, target: llvm.TargetMachine) -> None:
    """A few passes: loops are written as vectors and invariants are hoisted already (0.1 s where -O2 takes 1.2 s)."""
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=1))
    passes = llvm.create_new_module_pass_manager()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.add_new_gvn_pass()
    passes.add_instruction_combine_pass()
    passes.run(module, builder)
