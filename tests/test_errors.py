"""The tree of errors is the one that its docstring draws."""

from __future__ import annotations

import json
import re

import pytest

from assay import errors
from assay.cli import main as cli
from assay.errors import AssayError


def drawn() -> list[tuple[str, str | None, int]]:
    """(name, parent, exit code) of every line of the drawing."""
    found: list[tuple[str, str | None, int]] = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.fullmatch(r"    ([│├└─ ]*)(\w+)\s+(\d+)\b.*", line)
        if match:
            depth = len(match[1]) // 4
            del path[depth:]
            found.append((match[2], path[-1] if path else None, int(match[3])))
            path.append(match[2])
    return found


def classes() -> list[type[AssayError]]:
    return [getattr(errors, name) for name in errors.__all__]


def test_the_drawing_shows_every_class_under_its_parent_with_its_exit_code():
    real = [(c.__name__, None if c is AssayError else c.__base__.__name__, c.exit_code) for c in classes()]
    assert sorted(drawn(), key=str) == sorted(real, key=str)


def test_no_class_is_missing_from_all():
    defined = {n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, AssayError)}
    assert defined == set(errors.__all__)


def test_codes_are_unique_and_words():
    codes = [c.code for c in classes()]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(c) and re.fullmatch(r"[a-z]+(-[a-z]+)*", c.code) for c in classes())


def test_the_command_documents_every_exit_code():
    documented = {int(code) for code in re.findall(r"(\d) \w", cli.app.info.epilog)}
    assert documented == {0} | {c.exit_code for c in classes()}


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_an_error_keeps_its_evidence_and_always_has_a_hint(kind):
    error = kind("it broke", step=7)
    assert (str(error), error.evidence) == ("it broke", {"step": 7})
    assert error.hint == kind.default_hint != ""
    assert kind("it broke", hint="do this").hint == "do this"
    shown = json.loads(json.dumps(error.as_dict()))
    assert shown == {"error": kind.code, "message": "it broke", "hint": error.hint, "evidence": {"step": 7}}
