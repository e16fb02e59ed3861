"""Object code from LLVM assembly: the same bytes whoever compiles beside, and no assembly that LLVM would not take."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor

import pytest

from assay.engine.exact import native
from assay.engine.exact.native import Library, assemble, machine


def source(n: int) -> str:
    """f(x) = sum of k·x + n for k < 40 as vectors: enough to keep the passes busy."""
    lines = [f"define i64 @f{n}(i64 %x) {{", "%v0 = insertelement <8 x i64> zeroinitializer, i64 %x, i64 0"]
    for k in range(40):
        lines.append(f"%m{k} = mul <8 x i64> %v0, splat (i64 {k})")
        before = f"%a{k - 1}" if k else "zeroinitializer"
        lines.append(f"%a{k} = add <8 x i64> %m{k}, {before}")
    lines += ["%e = extractelement <8 x i64> %a39, i64 0", f"%r = add i64 %e, {n}", "ret i64 %r", "}"]
    return "\n".join(lines)


def test_threads_compile_at_once_to_the_same_bytes() -> None:
    sources, target = [source(n) for n in range(24)], machine()
    alone = [assemble(each, target) for each in sources]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(lambda each: assemble(each, target), sources)) == alone
    library = Library(alone, target)
    functions = [ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(library.address(f"f{n}")) for n in range(24)]
    assert [f(2) for f in functions] == [2 * 780 + n for n in range(24)]


def test_another_build_of_the_binding_compiles_under_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = assemble(source(1), machine())
    monkeypatch.setattr(native, "_unlocked", lambda *given: None)
    assert assemble(source(1), machine()) == expected


@pytest.mark.parametrize(
    "text",
    ["nonsense", "define i64 @f() {\n%a = add i64 %a, 1\nret i64 %a\n}"],
    ids=["not assembly", "not in order"],
)
def test_what_is_not_valid_is_an_error(text: str) -> None:
    with pytest.raises(RuntimeError):
        assemble(text, machine())
