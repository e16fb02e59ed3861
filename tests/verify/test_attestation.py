"""What a verifier commits to is what the contract recomputes."""

from __future__ import annotations

import secrets

import pytest
from eth_abi import encode
from eth_utils import keccak
from small import Village

from assay.errors import Reverted
from assay.solve import Journal
from assay.verify import Sealed, echo, match_commitment, mismatch_commitment

TASK = "5a" * 32
ADDRESS = "0x00000000000000000000000000000000DeaDBeef"


def test_a_match_by_hand():
    digests = [bytes([n]) * 32 for n in (1, 2, 3)]
    words = bytes.fromhex(TASK) + b"\0" * 12 + bytes.fromhex(ADDRESS[2:]) + keccak(b"".join(digests))
    assert match_commitment(TASK, ADDRESS, digests) == keccak(words).hex()
    assert match_commitment("0x" + TASK, ADDRESS, digests) == keccak(words).hex()


def test_a_mismatch_by_hand():
    salt = secrets.token_bytes(32)
    values = (3, 72, bytes.fromhex("ab" * 32), 1, salt)
    words = encode(
        ["bytes32", "address", "uint256", "uint256", "bytes32", "uint256", "bytes32"],
        [bytes.fromhex(TASK), ADDRESS, *values],
    )
    assert len(words) == 7 * 32
    assert mismatch_commitment(TASK, ADDRESS, 3, 72, "ab" * 32, 1, salt) == keccak(words).hex()


def test_every_part_changes_the_commitment():
    base = (TASK, ADDRESS, 3, 72, "ab" * 32, 1, b"s" * 32)
    other = ("5b" * 32, "0x00000000000000000000000000000000DeaDBeee", 4, 71, "ac" * 32, 2, b"t" * 32)
    found = {mismatch_commitment(*base)}
    for position in range(len(base)):
        found.add(mismatch_commitment(*base[:position], other[position], *base[position + 1 :]))
    assert len(found) == len(base) + 1
    one, two = b"1" * 32, b"2" * 32
    matches = {match_commitment(t, a, d) for t in (TASK, base[4]) for a in base[1:2] for d in ([one, two], [two, one])}
    assert len(matches) == 4


def test_the_contract_takes_a_real_attestation_for_a_match(village: Village):
    life = village.post().accepted().committed(village.honest).drawn().attested(0).attested(1)
    digests = Journal(village.folder / "honest.jsonl").digests
    for j in (0, 1):
        expected = match_commitment(life.id, life.verifiers[j].address, [digests[k] for k in life.intervals(j)])
        assert village.solver.market.attestation(life.id, j) == expected
        life.revealed(village.honest, j)
        assert village.solver.market.matched(life.id, j)


def test_the_contract_tells_a_copied_attestation_from_an_own_one(village: Village):
    life = village.post().accepted().committed(village.honest).drawn()
    first = life.audited_by(0)
    life.attested(0, first).attested(1, first).revealed(village.honest, 0).revealed(village.honest, 1)
    assert village.solver.market.matched(life.id, 0)
    assert not village.solver.market.matched(life.id, 1)


def test_the_contract_tells_an_echo_from_a_replay(village: Village):
    life = village.post().accepted().committed(village.honest).drawn()
    root = village.solver.market.record(life.id).commitment.root
    for j in (0, 1):
        address, drawn = life.verifiers[j].address, life.intervals(j)
        guess = echo(life.id, address, root, drawn)
        assert guess.matched, "it claims that all is well"
        assert guess.commitment != life.audited_by(j).commitment
        life.attested(j, guess)
    life.revealed(village.honest, 0).revealed(village.honest, 1)
    assert not village.solver.market.matched(life.id, 0)
    assert not village.solver.market.matched(life.id, 1)


def test_the_contract_opens_a_real_mismatch_and_no_other(village: Village):
    life = village.post().accepted().committed(village.tampered).drawn()
    sealed = [life.audited_by(0), life.audited_by(1)]
    life.attested(0, sealed[0]).attested(1, sealed[1])
    finder = next(j for j in (0, 1) if not sealed[j].matched)
    true = sealed[finder]
    market = life.verifiers[finder].market
    claim = {
        "interval": true.interval,
        "step": true.step,
        "found_root": true.found_root,
        "reason": true.reason,
        "salt": true.salt,
    }
    for name, value in (("step", true.step - 1), ("reason", 2), ("salt", "00" * 32), ("found_root", "00" * 32)):
        with pytest.raises(Reverted, match="opening"):
            market.claim_mismatch(life.id, **claim | {name: value})
    market.claim_mismatch(life.id, **claim)
    assert life.task.state.final


def test_a_match_cannot_be_opened_as_a_mismatch(village: Village):
    life = village.post().accepted().committed(village.honest).drawn()
    sealed: list[Sealed] = [life.audited_by(0), life.audited_by(1)]
    life.attested(0, sealed[0]).attested(1, sealed[1])
    with pytest.raises(Reverted, match="opening"):
        life.claimed(0, sealed[0])
