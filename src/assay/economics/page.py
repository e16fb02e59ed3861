"""The tables of docs/economics.md, made from the derivations: the page cannot say other numbers than the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from assay.errors import UsageError
from assay.words.units import amount

from .audit import detection
from .bonds import griefing, level_costs
from .collateral import COALITIONS, advantage, least_collateral
from .jackpot import equilibrium, share_of, whistleblower_income
from .setting import MAIN, MILLION, NETWORKS
from .terms import derive

__all__ = ["render", "sections"]

PATROL = 250_000


def sections() -> dict[str, str]:
    """Name -> Markdown of every generated table."""
    return {
        "assumptions": _assumptions(),
        "terms": _terms(),
        "coalitions": _coalitions(),
        "coverage": _coverage(),
        "levels": _levels(),
        "shares": _shares(),
        "whistleblowers": _whistleblowers(),
    }


def render(page: str, made: Mapping[str, str]) -> str:
    """The page with each table between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.

    Raises UsageError if the page does not have each pair of markers exactly once.
    """
    for name, text in made.items():
        begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"
        if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
            raise UsageError(f"the page needs the markers of the section {name!r} once", section=name)
        before, rest = page.split(begin)
        page = f"{before}{begin}{text}{end}{rest.split(end)[1]}"
    return page


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def _percent(parts: int) -> str:
    return f"{parts / 10_000:g} %"


def _assumptions() -> str:
    def row(name: str, show: object) -> list[object]:
        return [name, *(show(s) for s in NETWORKS.values())]  # type: ignore[operator]

    rows = [
        row("price P", lambda s: amount(s.price)),
        row("intervals n", lambda s: s.intervals),
        row("verifiers V, intervals of each a", lambda s: f"{s.verifiers}, {s.audit_intervals}"),
        row("gain from one wrong interval that escapes, G", lambda s: amount(s.gain)),
        row("a drawn verifier is honest and independent, h", lambda s: _percent(s.honest)),
        row("cost of computing, of the price", lambda s: _percent(s.replay)),
        row("forced errors, φ", lambda s: _percent(s.forced)),
        row("a fault spoils an interval of a task", lambda s: _percent(s.fault)),
        row("a million gas costs", lambda s: amount(s.gas_price)),
    ]
    return _table(["", *NETWORKS], rows)


def _terms() -> str:
    names = {
        "fee": "fee of a verifier",
        "collateral": "collateral of the solver C",
        "verifier_collateral": "lock of a verifier B",
        "bond": "bond per level",
        "tax": "tax T",
        "pot": "pot",
        "deductible": "least cost of a concession",
        "concession": "concession allowed",
    }
    found = [derive(s) for s in NETWORKS.values()]

    def cell(value: int | bool) -> str:
        return ("yes" if value else "no") if isinstance(value, bool) else amount(value)

    return _table(["", *NETWORKS], [[text, *(cell(getattr(t, name)) for t in found)] for name, text in names.items()])


def _coalitions() -> str:
    rows = []
    for coalition in COALITIONS:
        cells: list[object] = [coalition.name, coalition.lost, "yes" if coalition.price else "no"]
        for setting in NETWORKS.values():
            collateral = least_collateral(setting)
            worst = max(advantage(setting, coalition, collateral, m) for m in range(1, setting.intervals + 1))
            cells.append(amount(-(-worst.numerator // worst.denominator)))
        rows.append(cells)
    return _table(["together", "of C lost", "loses P", *(f"{n}: at best gains" for n in NETWORKS)], rows)


def _coverage() -> str:
    rows = []
    for audit_intervals in (2, 5, 10, 15, 25, 50):
        setting = msgspec.structs.replace(MAIN, audit_intervals=audit_intervals)
        terms = derive(setting)
        rows.append(
            [
                _percent(MILLION * setting.slots // setting.intervals),
                f"{float(detection(setting, 1)):.3f}",
                f"{terms.collateral / setting.price:.1f}",
                f"{terms.fee * setting.verifiers / setting.price:.2f}",
                f"{terms.tax / setting.price:.2f}",
                "yes" if terms.concession else "no",
            ]
        )
    return _table(["V·a / n", "q(1)", "C / P", "fees / P", "tax / P", "concession"], rows)


def _levels() -> str:
    rows = []
    for name, setting in NETWORKS.items():
        terms = derive(setting)
        for cost, ratio in zip(
            level_costs(setting, terms.collateral), griefing(setting, terms.bond, terms.collateral), strict=True
        ):
            # Rounded down, so that no ratio looks better than it is.
            shown = f"{int(ratio * 100) / 100:.2f}"
            rows.append(
                [
                    name,
                    cost.level,
                    cost.moves,
                    f"{cost.gas:,}",
                    amount(cost.compute),
                    amount(cost.interest),
                    amount(cost.money),
                    amount(terms.bond),
                    shown,
                ]
            )
    return _table(
        [
            "",
            "level",
            "moves",
            "gas",
            "work again",
            "interest",
            "solver pays",
            "bond",
            "bonds lost / solver paid so far",
        ],
        rows,
    )


def _shares() -> str:
    pot = 1_000
    rows = [[k, share_of(pot, k), (k + 1) * share_of(pot, k), pot - (k + 1) * share_of(pot, k)] for k in range(6)]
    return _table(["accusers k", "each of them, and the solver", "together", "burned"], rows)


def _whistleblowers() -> str:
    rows = []
    for name, setting in NETWORKS.items():
        tax = derive(setting).tax
        stay = equilibrium(setting, tax, PATROL)
        for number in range(1, stay + 3):
            each = whistleblower_income(setting, tax, number - 1, PATROL)
            cost = setting.interval_cost
            rows.append([name, number, f"{float(each / cost):+.3f}", "stays" if number <= stay else "leaves"])
    return _table(["", "whistleblowers", "net income per unit of cost", "the last one"], rows)
