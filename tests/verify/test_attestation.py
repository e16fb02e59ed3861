"""What a verifier commits to is what the contract recomputes."""

from __future__ import annotations

import secrets

import msgspec
import pytest
from eth_abi import encode
from eth_utils import keccak
from small import Village

from assay.errors import Reverted
from assay.solve import Journal
from assay.verify import echo, finding_commitment, match_commitment
from assay.words import Kind, TaskState

TASK = "5a" * 32
ADDRESS = "0x00000000000000000000000000000000DeaDBeef"


def test_a_match_by_hand():
    digests = [bytes([n]) * 32 for n in (1, 2, 3)]
    words = bytes.fromhex(TASK) + b"\0" * 12 + bytes.fromhex(ADDRESS[2:]) + keccak(b"".join(digests))
    assert match_commitment(TASK, ADDRESS, digests) == keccak(words).hex()
    assert match_commitment("0x" + TASK, ADDRESS, digests) == keccak(words).hex()


def test_a_finding_by_hand():
    salt = secrets.token_bytes(32)
    kinds = ["bytes32", "address", "uint256", "uint256", "bytes32"]
    words = encode(kinds, [bytes.fromhex(TASK), ADDRESS, 4, 3, salt])
    assert len(words) == 5 * 32
    assert finding_commitment(TASK, ADDRESS, Kind.BATCHES, 3, salt) == keccak(words).hex()


def test_every_part_changes_the_commitment():
    base = (TASK, ADDRESS, Kind.INTERVAL, 3, b"s" * 32)
    other = ("5b" * 32, "0x00000000000000000000000000000000DeaDBeee", Kind.TRACE, 4, b"t" * 32)
    found = {finding_commitment(*base)}
    for position in range(len(base)):
        found.add(finding_commitment(*base[:position], other[position], *base[position + 1 :]))
    assert len(found) == len(base) + 1
    one, two = b"1" * 32, b"2" * 32
    matches = {match_commitment(t, a, d) for t in (TASK, other[0]) for a in base[1:2] for d in ([one, two], [two, one])}
    assert len(matches) == 4


def test_the_contract_takes_a_real_attestation_for_a_match(village: Village):
    life = village.post().accepted().committed(village.honest).drawn().attested(0).attested(1)
    digests = Journal(village.folder / "honest.jsonl").digests
    for j in (0, 1):
        expected = match_commitment(life.id, life.verifiers[j].address, [digests[k] for k in life.intervals(j)])
        assert village.solver.market.sealed(life.id, life.verifiers[j].address) == expected
        life.revealed(village.honest, j)
        assert j in life.record.matched


def test_the_contract_tells_a_copied_attestation_from_an_own_one(village: Village):
    life = village.post().accepted().committed(village.honest).drawn()
    first = life.audited_by(0)
    life.attested(0, first).attested(1, first).revealed(village.honest, 0).revealed(village.honest, 1)
    assert life.record.revealed == {0, 1}
    assert life.record.matched == {0}


def test_the_contract_tells_an_echo_from_a_replay(village: Village):
    life = village.post().accepted().committed(village.honest).drawn()
    root = life.record.commitment.root
    for j in (0, 1):
        address, drawn = life.verifiers[j].address, life.intervals(j)
        guess = echo(life.id, address, root, drawn)
        assert guess.matched, "it claims that all is well"
        assert guess.commitment != life.audited_by(j).commitment
        life.attested(j, guess)
    life.revealed(village.honest, 0).revealed(village.honest, 1)
    assert life.record.revealed == {0, 1}
    assert life.record.matched == set()


def test_the_contract_opens_a_real_finding_and_no_other(village: Village):
    life = village.post().accepted().committed(village.tampered).drawn()
    sealed = [life.audited_by(0), life.audited_by(1)]
    life.attested(0, sealed[0]).attested(1, sealed[1])
    finder = next(j for j in (0, 1) if not sealed[j].matched)
    true = sealed[finder]
    for changes in ({"interval": 2}, {"kind": Kind.TRACE}, {"salt": "00" * 32}):
        with pytest.raises(Reverted, match="market: finding"):
            life.disputed(finder, msgspec.structs.replace(true, **changes), moves=1)
    with pytest.raises(Reverted, match="market: finding"):
        life.disputed(1 - finder, true, moves=1)
    life.disputed(finder, true, moves=1)
    assert life.task.state is TaskState.DISPUTED
    (dispute,) = life.disputes
    assert dispute.id.hex() == true.commitment, "what was sealed is the game's name"


def test_a_match_cannot_be_opened_as_a_finding(village: Village):
    life = village.post().accepted().committed(village.honest).drawn()
    sealed = [life.audited_by(0), life.audited_by(1)]
    life.attested(0, sealed[0]).attested(1, sealed[1])
    with pytest.raises(Reverted, match="market: finding"):
        life.disputed(0, msgspec.structs.replace(sealed[0], kind=Kind.INTERVAL), moves=1)
