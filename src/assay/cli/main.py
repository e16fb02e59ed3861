"""The `assay` command: parse, call, render. Heavy imports happen inside the commands, so that `--help` is instant."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from assay import __version__
from assay.errors import AssayError, UsageError

from . import attack, conformance, devnet, doctor, earnings, results, roles, simulate, story, submit
from .output import emit, escape, say

__all__ = ["app", "main"]

app = typer.Typer(
    name="assay",
    help="An open market for machine-learning compute in which every result can be proven.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine · 1 internal · 2 usage · 3 a result does not hold · 4 input refused · "
    "5 somebody does not answer · 6 not found · 7 the chain refused.",
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"assay {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


app.command("demo")(story.demo)
app.add_typer(devnet.app, name="devnet")
app.command("submit")(submit.submit)
app.command("tasks")(results.tasks)
app.command("watch")(results.watch)
app.command("fetch")(results.fetch)
app.command("cancel")(results.cancel)
app.command("replay")(results.replay)
app.command("solver")(roles.solver)
app.command("verifier")(roles.verifier)
app.command("whistleblower")(roles.whistleblower)
app.command("earnings")(earnings.earnings)
app.command("attack")(attack.attack)
app.command("doctor")(doctor.doctor)
app.command("conformance")(conformance.conformance)
app.command("simulate")(simulate.simulate)


def main() -> None:
    """Run the command and turn every error into one sentence, a hint and its documented exit code."""
    sys.exit(run(lambda: app(standalone_mode=True)))


def run(command: Callable[[], Any]) -> int:
    """Run `command`; returns the exit code."""
    machine = "--json" in sys.argv
    try:
        command()
    except AssayError as error:
        if machine:
            emit(error.as_dict())
        say(f"[bold red]{error.code}[/]: {escape(error.message)}\n[dim]→[/] {escape(error.hint)}")
        return error.exit_code
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except OSError as error:
        refused = UsageError(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        if machine:
            emit(refused.as_dict())
        say(f"[bold red]{refused.code}[/]: {escape(refused.message)}")
        return refused.exit_code
    except Exception as error:
        if machine:
            emit(AssayError(f"{type(error).__name__}: {error}").as_dict())
        traceback.print_exc()
        return 1
    return 0
