"""The compile cache: a hit writes no code, and whatever is wrong with an entry or the disk, the program is compiled."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay.engine.clear import Interpreter
from assay.engine.exact import cache as module
from assay.engine.exact import compile
from assay.engine.exact.cache import Cache, cache_key, user_cache
from assay.engine.exact.native import LEVELS, machine
from assay.errors import ConfigError
from assay.program.kernel import Axis, Const, Kernel, Order, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

F32 = DType.FLOAT32
N = 96


def program(bits: int = 0x3F8CCCCD) -> Program:
    """y = exp(c · x), and the sums of its rows: two functions, one constant tensor, one intermediate."""
    row, column = Axis((1, 0)), Axis((0, 1))
    x, c = Read("x", (N, N), (row, column)), Read("c", (N,), (column,))
    product = Kernel("fma", "k0", F32, (N, N), (N, N), (x, c, Const(F32, bits)))
    whole = Kernel("exp", "k1", F32, (N, N), (N, N), (Read("k0", (N, N), (row, column)),))
    term = Read("k1", (N, N), (Axis((1,), (0,)), Axis((0,), (1,))))
    total = Kernel("add", "k2", F32, (N,), (N,), (term,), (N,), Order.LANES)
    constants = {"c": np.linspace(-1, 1, N, dtype=np.float32)}
    outputs = ((Port("y", F32, (N, N)), "k1"), (Port("sum", F32, (N,)), "k2"))
    return Program(b"", (Port("x", F32, (N, N)),), outputs, constants, (product, whole, total), Cost(0, 0, 0))


X = {"x": np.random.default_rng(5).normal(size=(N, N)).astype(np.float32)}
EXPECTED = {name: array.tobytes() for name, array in Interpreter(program()).run(X).items()}


@pytest.fixture(autouse=True)
def _nobody_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine as this process has loaded it, whatever is written to its files while the tests run."""
    original = module._sources
    monkeypatch.setattr(module, "_sources", lambda *root: original(*root) if root else module._fingerprint())


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "deep" / "cache")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    """The programs that code was generated for."""
    seen: list[Program] = []

    def build(made: Program, target: object) -> object:
        seen.append(made)
        return original(made, target)

    original = module.build
    monkeypatch.setattr(module, "build", build)
    return seen


def right(cache: Cache | None, **options: object) -> bool:
    return {n: a.tobytes() for n, a in compile(program(), cache=cache, **options).run(X).items()} == EXPECTED


def entry(cache: Cache) -> Path:
    """The one file of the cache."""
    (path,) = cache.folder.iterdir()
    return path


# --- hits


def test_a_hit_has_the_same_bits_and_generates_nothing(cache: Cache, builds: list[Program]) -> None:
    assert right(cache)
    assert len(builds) == 1
    assert right(cache)
    assert len(builds) == 1
    assert all(right(cache, threads=threads) for threads in (2, 3, 4, 2, 1))
    assert len(builds) == 3  # work is cut up for one thread, for two, and for four


def test_what_is_kept_is_for_nobody_else(cache: Cache) -> None:
    assert right(cache)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert entry(cache).stat().st_mode & 0o777 == 0o600


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_cache import X, EXPECTED, program, module
from assay.engine.exact import compile
original, built = module.build, []
module.build = lambda *given: built.append(1) or original(*given)
found = compile(program()).run(X)
print(len(built), all(found[n].tobytes() == EXPECTED[n] for n in EXPECTED))
"""


def elsewhere(folder: Path) -> subprocess.Popen[str]:
    """Another process that compiles the program with `folder` for its cache."""
    code = SCRIPT.format(tests=str(Path(__file__).parent))
    environment = os.environ | {"ASSAY_CACHE": str(folder)}
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)


def test_processes_at_once_and_one_after_them(tmp_path: Path) -> None:
    together = [elsewhere(tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].split() for process in together]
    assert all(built in ("0", "1") and good == "True" for built, good in said)
    assert elsewhere(tmp_path).communicate(timeout=120)[0].split() == ["0", "True"]
    assert len(list((tmp_path / "exact").iterdir())) == 1


# --- keys


def test_the_key_is_of_all_that_the_code_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made, target = program(), machine()
    keys = [cache_key(made, target), cache_key(program(0), target)]
    keys.append(cache_key(replace(made, kernels=made.kernels[:2], outputs=made.outputs[:1]), target))
    keys.append(cache_key(replace(made, outputs=made.outputs[::-1]), target))
    keys.append(cache_key(replace(made, constants={"c": made.constants["c"] + 1}), target))
    keys.append(cache_key(made, replace(target, features="+nothing")))
    keys.append(cache_key(made, replace(target, cpu="other")))
    for name, value in (("compiler_version", ("1", "2", "3")), ("_fingerprint", "abc"), ("__version__", "0")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value if isinstance(value, str) and name[0:2] == "__" else lambda v=value: v)
            keys.append(cache_key(made, target))
    assert len(set(keys)) == len(keys)
    assert cache_key(program(), target) == keys[0]


def test_another_instruction_set_is_another_entry(cache: Cache, builds: list[Program]) -> None:
    levels = []
    for level in LEVELS:
        try:
            machine(level)
        except ConfigError:
            continue
        levels.append(level)
    assert all(right(cache, features=level) for level in levels * 2)
    assert len(builds) == len(levels)


def test_the_fingerprint_covers_engine_and_program(tmp_path: Path) -> None:
    root = tmp_path / "assay"
    for part in ("engine", "program", "observe"):
        shutil.copytree(module._ROOT / part, root / part)
    assert module._sources(root) == module._sources(module._ROOT)
    for name in ("engine/exact/product.py", "program/functions/exponential.py", "program/kernel.py"):
        before = module._sources(root)
        (root / name).write_text((root / name).read_text() + "\n")
        assert module._sources(root) != before
    before = module._sources(root)
    (root / "observe" / "files.py").write_text("")
    assert module._sources(root) == before


def test_code_is_not_kept_when_the_engine_was_edited_meanwhile(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_sources", lambda: "edited")
    assert right(cache)
    assert not cache.folder.exists()


# --- damage


def flip(at: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    return damage


def cut(length: int) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def be_link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def be_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def be_another(path: Path) -> None:
    """What another key was given, under this one's name."""
    Cache(path.parent).put("f" * 64, path.read_bytes()[module._HEADER :])
    path.with_name("f" * 64 + path.suffix).replace(path)


def be_foreign(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, -1)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": cut(0),
    "no header": cut(20),
    "header only": cut(module._HEADER),
    "last byte missing": cut(-1),
    "format": flip(3),
    "digest": flip(module._HEADER - 1),
    "code": flip(-3000),
    "first byte": flip(module._HEADER),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "group may write": lambda path: path.chmod(0o620),
    "all may write": lambda path: path.chmod(0o602),
    "foreign": be_foreign,
    "link": be_link,
    "pipe": be_pipe,
    "another": be_another,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_compiled_again(
    damage: Callable[[Path], object], cache: Cache, builds: list[Program]
) -> None:
    assert right(cache)
    path = entry(cache)
    damage(path)
    assert right(cache)
    assert len(builds) == 2
    assert right(cache)
    assert len(builds) == 2
    assert path.is_file()
    assert not path.is_symlink()


def test_what_is_whole_but_no_program_is_compiled_again(cache: Cache, builds: list[Program]) -> None:
    for value in (b"", b"\xc1", b"\x93\x01\x02\x03"):
        cache.put(cache_key(program(), machine()), value)
        assert right(cache)
    assert len(builds) == 3


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_is_not_used(mode: int, cache: Cache, builds: list[Program]) -> None:
    assert right(cache)
    cache.folder.chmod(mode)
    entry(cache).write_bytes(b"kept as it is")
    assert right(cache)
    assert len(builds) == 2
    assert entry(cache).read_bytes() == b"kept as it is"


def test_a_folder_behind_a_link_is_not_used(cache: Cache, builds: list[Program]) -> None:
    assert right(cache)
    cache.folder.rename(cache.folder.with_name("real"))
    cache.folder.symlink_to("real")
    assert right(cache)
    assert len(builds) == 2


def test_a_folder_of_another_user_is_not_used(
    cache: Cache, builds: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert right(cache)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert right(cache)
    assert len(builds) == 2


# --- off, or no room


def test_no_cache(tmp_path: Path, builds: list[Program], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    assert right(None)
    assert right(None)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("ASSAY_CACHE", "off")
    assert user_cache() is None
    assert right(user_cache())
    assert len(builds) == 3


def test_where_the_users_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    compile(program())
    assert [path.name for path in tmp_path.iterdir()] == ["exact"]
    monkeypatch.delenv("ASSAY_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    found = user_cache()
    assert found is not None
    assert found.folder.is_relative_to(tmp_path)
    assert found.folder.parts[-2:] == ("assay", "exact")


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, builds: list[Program]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert right(Cache(tmp_path / "file" / "cache"))
    assert right(Cache(tmp_path / "file"))
    assert len(builds) == 2
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_full_disk_is_no_error_and_leaves_nothing(cache: Cache, builds: list[Program]) -> None:
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        assert right(cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(cache.folder.iterdir())
    assert right(cache)
    assert len(builds) == 2


# --- size


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    size = module._HEADER + 100
    cache = Cache(tmp_path, 3 * size)
    for age, name in enumerate("cba"):
        cache.put(name, name.encode() * 100)
        os.utime(tmp_path / f"{name}.code", (1000 + age, 1000 + age))
    assert cache.get("c") == b"c" * 100  # the oldest is now the youngest
    cache.put("d", b"d" * 100)
    assert {path.stem for path in tmp_path.iterdir()} == {"a", "c", "d"}
    cache.put("e", b"e" * (2 * size))
    assert {path.stem for path in tmp_path.iterdir()} == {"e"}
    cache.put("f", b"f" * (3 * size))  # larger than the whole cache
    assert {path.stem for path in tmp_path.iterdir()} == {"e"}


def test_what_dead_processes_left_is_swept_up(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".old", tmp_path / ".fresh"
    old.write_bytes(b"x")
    fresh.write_bytes(b"x")
    os.utime(old, (time.time() - 2 * module.STALE,) * 2)
    Cache(tmp_path).put("a", b"")
    assert {path.name for path in tmp_path.iterdir()} == {".fresh", "a.code"}


def test_readers_and_writers_at_once_see_whole_values(tmp_path: Path) -> None:
    cache, stop = Cache(tmp_path, 40_000), threading.Event()
    values = {str(n): bytes([n]) * 10_000 for n in range(8)}  # room for three

    def hammer(seed: int) -> int:
        rng, hits = np.random.default_rng(seed), 0
        while not stop.is_set():
            key = str(rng.integers(8))
            if rng.integers(2):
                cache.put(key, values[key])
            else:
                found = cache.get(key)
                assert found in (None, values[key])
                hits += found is not None
        return hits

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(hammer, seed) for seed in range(4)]
        time.sleep(0.5)
        stop.set()
        assert all(job.result() for job in jobs)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= cache.limit
