"""Each sentence of `assay earnings`, from the events that it is made of."""

from __future__ import annotations

from typing import Any

import pytest

from assay.chain import ZERO_ADDRESS, Event, Statement
from assay.settle import Earnings, earnings

ANNA, SAM, VERA, VIC, WANDA = (f"0x{digit * 40}" for digit in "12345")
MARKET = "0x" + "9" * 40
TASK = "ab" * 32
ESCROW = 1_000


def said(name: str, contract: str = "market", transaction: str = "", **args: Any) -> Event:
    own = {"id": TASK} if contract == "market" else {}
    return Event(name, contract, own | args, 1, "", 0, transaction)


POSTED = said("Posted", submitter=ANNA, terms={"price": 800}, escrow=ESCROW)
ACCEPTED = said("Accepted", solver=SAM)
COMMITTED = said("Committed", solver=SAM)
DRAWN = said("Drawn", verifiers=[VERA, VIC])
BEGUN = (POSTED, ACCEPTED, COMMITTED, DRAWN)


def attested(who: str) -> Event:
    return said("Attested", verifier=who, position=0, commitment="")


def revealed(who: str, matched: bool) -> Event:
    return said("Revealed", verifier=who, position=0, matched=matched)


def credited(who: str, amount: int) -> Event:
    return said("Credited", account=who, amount=amount)


def refunded(reason: str) -> tuple[Event, Event]:
    return credited(ANNA, ESCROW), said("Refunded", submitter=ANNA, amount=ESCROW, reason=reason)


SETTLED = (
    credited(SAM, 800),
    credited(VERA, 100),
    credited(ANNA, 100),
    said("Settled", solver=SAM, paid=800, fees=100, refunded=100),
)


def of(who: str, *events: Event, costs: Any = None, held: Any = ()) -> Earnings:
    return earnings(Statement(who, events, costs or {}, frozenset({MARKET}), frozenset(held)))


def lines(made: Earnings) -> list[tuple[str, str, int]]:
    return [(line.role, line.what, line.amount) for line in made.lines]


def why(made: Earnings, what: str) -> str:
    (line,) = [line for line in made.lines if line.what == what]
    return line.why


def test_a_settled_task_as_each_of_them_sees_it():
    life = (*BEGUN, attested(VERA), attested(VIC), revealed(VERA, True), revealed(VIC, False), *SETTLED)
    anna, sam, vera, vic = (of(who, *life) for who in (ANNA, SAM, VERA, VIC))
    assert lines(anna) == [("submitter", "escrow", -1000), ("submitter", "refund", 100)]
    assert (anna.earned, anna.lost, anna.net, anna.worth) == (0, 900, -900, -900)
    assert lines(sam) == [("solver", "price", 800), ("solver", "lock", 0)]
    assert lines(vera) == [("verifier", "fee", 100), ("verifier", "lock", 0)]
    assert lines(vic) == [("verifier", "no fee", 0), ("verifier", "lock", 0)]
    assert why(vic, "no fee") == "the result held, and your attestation did not match"
    assert anna.net + sam.net + vera.net + vic.net == 0


def test_who_was_drawn_and_did_nothing():
    made = of(VIC, *BEGUN, attested(VERA), revealed(VERA, True), *SETTLED)
    assert lines(made) == [("verifier", "no fee", 0)]
    assert why(made, "no fee") == "you did not attest in time"


DISPUTED = said("Disputed", challenger=WANDA, kind=1, interval=3)
RULED = (
    said("Ruled", challenger=WANDA, interval=3, upheld=True),
    said("Condemned", account=SAM, role=1, amount=400, reward=100, compensation=100),
    credited(WANDA, 100),
    credited(ANNA, 100),
    said("Condemned", account=VERA, role=2, amount=40, reward=10, compensation=0),
    credited(WANDA, 10),
    *refunded("ruled wrong"),
)
ACCUSED = said("Accused", accuser=WANDA, role=3, commitment="")


def test_a_ruling_as_each_of_them_sees_it():
    life = (*BEGUN, attested(VERA), ACCUSED, revealed(VERA, True), DISPUTED, *RULED)
    assert lines(of(WANDA, *life)) == [
        ("whistleblower", "reward", 100),
        ("whistleblower", "reward", 10),
        ("whistleblower", "lock", 0),
    ]
    assert [line.what for line in of(ANNA, *life).lines] == ["escrow", "compensation", "refund"]
    assert of(ANNA, *life).net == 100
    sam, vera = of(SAM, *life), of(VERA, *life)
    assert lines(sam) == [("solver", "slash", -400), ("solver", "no price", 0)]
    assert why(sam, "slash") == "your interval 3 was ruled to be wrong"
    assert lines(vera) == [("verifier", "slash", -40), ("verifier", "no fee", 0)]
    assert why(vera, "slash") == "you had sworn to interval 3, which was ruled to be wrong"


def test_somebody_else_was_first():
    other = said("Accused", accuser=VIC, role=3, commitment="")
    made = of(VIC, POSTED, ACCEPTED, COMMITTED, ACCUSED, other, DISPUTED, *RULED, held=[TASK])
    assert why(made, "no reward") == "somebody else showed first that the result is wrong"
    assert why(made, "lock").endswith("and is locked still")


@pytest.mark.parametrize(
    ("reason", "events", "who", "what", "sentence"),
    [
        ("fault", (said("Fault", solver=SAM, interval=1),), SAM, "no price", "your stake is whole"),
        ("fault", (said("Fault", solver=SAM, interval=1),), WANDA, "no reward", "nobody lost a stake"),
        ("not solved", (), SAM, "no price", "did not commit"),
        ("no match", (), SAM, "no price", "no verifier attested to your result"),
        ("not revealed", (attested(VIC),), VIC, "no fee", "not revealed"),
    ],
)
def test_why_a_refund_pays_nobody(reason, events, who, what, sentence):
    made = of(who, *BEGUN, ACCUSED, *events, *refunded(reason))
    assert sentence in why(made, what)


def test_an_accusation_that_was_never_opened():
    burned = said("Condemned", account=WANDA, role=3, amount=25, reward=0, compensation=0)
    made = of(WANDA, *BEGUN, ACCUSED, attested(VERA), revealed(VERA, True), *SETTLED, burned)
    assert why(made, "no reward") == "you did not open what you had sealed"
    assert why(made, "slash") == "you never opened what you had sealed"
    assert made.net == -25


def game(name: str, **args: Any) -> Event:
    return said(name, "game", "0xaa", id="cd" * 32, task=TASK, **args)


OPENED = game("Opened", challenger=WANDA, solver=SAM, kind=1, interval=3)
MOVED = game("Moved", game={"paid": 200})


@pytest.mark.parametrize(
    ("upheld", "reason", "wanda", "sam", "vic"),
    [
        (True, "prove", 0, 0, 0),
        (False, "moot", 0, 0, 0),
        (False, "silence", -200, 50, 0),
        (False, "data", -200, 0, 50),
    ],
)
def test_bonds_come_back_or_are_lost_and_who_answered_has_a_quarter(upheld, reason, wanda, sam, vic):
    ended = game("Ended", challenger=WANDA, upheld=upheld, reason=reason, paid=200, burned=0)
    life, costs = (*BEGUN, ACCUSED, OPENED, MOVED, ended), {"0xaa": (VIC, 7)}
    found = {who: of(who, *life, costs=costs) for who in (WANDA, SAM, VIC)}
    assert [made.net for made in found.values()] == [wanda, sam, vic]
    assert (found[VIC].gas, found[SAM].gas) == (7, 0)
    assert found[WANDA].totals == ({"bond lost": -200} if wanda else {"bond returned": 0})


def test_bonds_of_a_game_that_goes_on():
    made = of(WANDA, *BEGUN, ACCUSED, OPENED, MOVED)
    assert (made.worth, why(made, "bond")) == (-200, "put down in a dispute that goes on")


def test_money_from_outside_is_not_earned():
    def moved(sender: str, receiver: str, value: int) -> Event:
        return said("Transfer", "token", sender=sender, receiver=receiver, value=value)

    stake = moved(WANDA, MARKET, 30)
    made = of(WANDA, moved(ZERO_ADDRESS, WANDA, 100), moved(ANNA, WANDA, 7), moved(WANDA, ANNA, 5), stake)
    assert made.totals == {"grant": 100, "received": 7, "sent": -5}
    assert (made.worth, made.earned, made.lost) == (102, 0, 0)
