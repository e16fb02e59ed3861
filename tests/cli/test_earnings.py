"""`assay earnings` and a whistleblower's process, on a running network."""

from __future__ import annotations

from small import small

from assay.chain import Client, Role
from assay.market import Windows, quote
from assay.observe import read_json
from assay.roles.devnet import Member
from assay.roles.network import Network
from assay.roles.session import Session
from assay.roles.settings import RoleSettings
from assay.roles.submitter import Submitter

WINDOWS = Windows(patrol_for=15, attest_for=300, reveal_for=300, clock=300, extension=60)


def test_everybody_is_told_what_it_earned(town):
    devnet = town.devnet
    devnet._attached = True
    devnet.join(Member("whistleblower-1", "whistleblower", {"share": "100"}))
    settings = RoleSettings(folder=devnet.folder / "submitter", network=devnet.network_file)
    submitter = Submitter(Session.open("submitter", settings))
    package = small(submitter.session.store)
    task = submitter.submit(package, quote(package.program, package.spec), WINDOWS, "one")
    for _ in submitter.follow(task):
        pass
    submitter.collect()
    price = submitter.session.market.task(task).price
    submitter.session.client.close()
    submitter.session.fetcher.close()

    network = Network.load(devnet.network_file)
    solver = town("earnings", "--dir", devnet.folder / "solver-1", "--json").json
    assert [line["what"] for line in solver["lines"]] == ["grant", "price", "lock"]
    assert solver["net"] == solver["earned"] == price > 0
    with Client(network.rpc) as client:
        token, stakes, market = network.contracts.connect(client)
        me = solver["account"]
        assert solver["worth"] == token.balance_of(me) + stakes.stake_of(me, Role.SOLVER) + market.owed(me)

    own = "0x" + read_json(devnet.folder / "submitter" / "key.json")["address"].removeprefix("0x")
    table = town("earnings", "--account", own)
    assert "escrow" in table.out
    assert task[:12] in table.out

    log = (devnet.folder / "whistleblower-1" / "log.jsonl").read_text()
    assert '"staked"' in log, "a new network feeds one"
    assert '"patrolling"' in log
    assert '"accused"' not in log
    devnet.dismiss("whistleblower-1")
    left = town("whistleblower", "--leave", "--dir", devnet.folder / "whistleblower-1")
    assert "Its stake of 50.000000 PLAY unlocks in" in left.err


def test_what_is_asked_has_to_be_clear(alone, tmp_path):
    assert alone("earnings").code == 2
    assert alone("earnings", "--account", "0x12", "--dir", tmp_path).code == 2
    assert alone("earnings", "--account", "0x12").code == 2
    assert alone("earnings", "--dir", tmp_path).code == 6
