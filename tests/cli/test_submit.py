"""From `assay submit` to a model that loads and a proof that holds, on a running network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from town import Town

from assay.words import Receipt, canonical, parse


@pytest.fixture(scope="module")
def submitted(town: Town) -> dict:
    done = town("submit", town.task(), "--yes", "--json", "-o", town.home / "result")
    assert done.code == 0, done.err
    return done.json | {"err": done.err}


def test_a_task_is_quoted_paid_and_settled(town: Town, submitted: dict):
    assert submitted["outcome"] == "settled"
    assert submitted["paid"] == submitted["escrow"] == sum(submitted["payments"].values())
    assert submitted["refunded"] == 0
    assert submitted["submitter"] not in submitted["payments"]
    for word in (
        "small: 12 steps",
        "4 intervals",
        "escrow 0.000",
        "it is never exceeded",
        "Settled",
        submitted["task"],
    ):
        assert word in submitted["err"]


def test_the_result_is_a_model_a_receipt_and_a_proof(town: Town, submitted: dict):
    weights = load_file(submitted["model"])
    assert any(name.startswith("model.") or "weight" in name for name in weights)
    found = parse(Receipt, canonical(json.loads(Path(submitted["receipt"]).read_bytes())))
    assert (found.task, found.state_root) == (submitted["task"], submitted["state_root"])


def test_tasks_lists_it_as_settled(town: Town, submitted: dict):
    (listed,) = [task for task in town("tasks", "--json").json["tasks"] if task["id"] == submitted["task"]]
    assert listed["state"] == "settled"
    assert listed["spec"] == submitted["spec"]
    shown = town("tasks")
    assert shown.code == 0
    assert submitted["task"][:12] in shown.out


def test_watch_shows_the_receipt_again(town: Town, submitted: dict):
    done = town("watch", "0x" + submitted["task"][:10].upper(), "--json")
    assert done.code == 0
    for name in ("task", "outcome", "payments", "state_root", "escrow"):
        assert done.json[name] == submitted[name]


def test_fetch_writes_the_same_files_again(town: Town, submitted: dict):
    done = town("fetch", submitted["task"], "-o", town.home / "again", "--json")
    assert done.code == 0
    for name in ("model", "receipt"):
        assert Path(done.json[name]).read_bytes() == Path(submitted[name]).read_bytes()


def test_replay_holds(town: Town, submitted: dict):
    done = town("replay", submitted["bundle"], "--json")
    assert done.code == 0
    assert (done.json["outcome"], done.json["steps"], done.json["final_root"]) == (
        "holds",
        12,
        submitted["state_root"],
    )
    plain = town("replay", submitted["bundle"])
    assert "12 of 12 steps" in plain.out
    assert submitted["task"] in plain.out
    part = town("replay", submitted["bundle"], "--interval", 1, "--interval", 3, "--threads", 2, "--json")
    assert (part.json["steps"], part.json["of"]) == (6, 12)


def test_a_receipt_of_another_result_does_not_hold(town: Town, submitted: dict):
    forged = town.home / "forged"
    shutil.copytree(submitted["bundle"], forged)
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["receipt"]["state_root"] = "ab" * 32
    (forged / "manifest.json").write_text(json.dumps(manifest))
    done = town("replay", forged, "--json")
    assert (done.code, done.json["error"]) == (3, "mismatch")


def test_a_tampered_proof_is_a_mismatch_code_3(town: Town, submitted: dict):
    from hashlib import sha256
    from shutil import copytree

    bundle = copytree(submitted["bundle"], town.home / "tampered")
    manifest = (bundle / "manifest.json").read_text()
    recorded = json.loads(manifest)["trajectory"]["checkpoints"][2]["blob"]["sha256"]
    (victim,) = [p for p in (bundle / "checkpoints").iterdir() if sha256(p.read_bytes()).hexdigest() == recorded]
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    (bundle / "manifest.json").write_text(manifest.replace(recorded, sha256(data).hexdigest()))
    done = town("replay", bundle, "--json")
    assert done.code == 3
    assert done.json["error"] == "mismatch"
    assert done.json["evidence"]["step"] == 6


def test_the_same_task_again_is_a_new_one_with_the_same_result(town: Town, submitted: dict):
    before = town.task_count()
    done = town("submit", town.task(), "-y", "--detach", "--json")
    assert done.code == 0
    assert town.task_count() == before + 1
    assert done.json["task"] != submitted["task"]
    assert done.json["quote"]["escrow"] == submitted["escrow"]
    seen = town("watch", done.json["task"], "--json").json
    assert (seen["outcome"], seen["state_root"]) == ("settled", submitted["state_root"])


def test_without_yes_on_a_closed_stdin_nothing_is_spent(town: Town, submitted: dict):
    before, money = town.task_count(), town.balance(submitted["submitter"])
    done = town("submit", town.task(), "--json")
    assert done.code == 2
    assert "Nothing was paid" in done.json["message"]
    assert "--yes" in done.json["hint"]
    assert (town.task_count(), town.balance(submitted["submitter"])) == (before, money)


def test_what_the_account_cannot_pay_is_code_7_and_nothing_is_spent(town: Town, submitted: dict):
    before, money = town.task_count(), town.balance(submitted["submitter"])
    done = town("submit", town.task(), "--yes", "--rate", 10**15, "--json")
    assert done.code == 7
    assert done.json["error"] == "insufficient-funds"
    assert done.json["evidence"]["balance"] == money < done.json["evidence"]["escrow"]
    assert (town.task_count(), town.balance(submitted["submitter"])) == (before, money)


@pytest.mark.parametrize(
    ("changes", "code", "error"),
    [
        ({"audit": "{verifiers = 2, intervals = 5}"}, 2, "usage"),
        ({"program": '"train.safetensors"'}, 4, "program-refused"),
        ({"dataset": '"nowhere.safetensors"'}, 6, "not-found"),
    ],
    ids=str,
)
def test_a_task_that_is_none_is_refused_before_anything_is_spent(town: Town, changes, code, error):
    before = town.task_count()
    done = town("submit", town.task(**changes), "--yes", "--json")
    assert (done.code, done.json["error"]) == (code, error), done.json
    assert done.json["hint"]
    assert done.err.startswith(error)
    assert town.task_count() == before


def test_a_python_file_of_ones_own(town: Town):
    pytest.importorskip("torch")
    path = town.home / "train.py"
    path.write_text(
        "import numpy as np, torch\n"
        "from assay.capture import SGD, Job\n"
        "def mine():\n"
        "    print('hello')\n"
        "    torch.manual_seed(0)\n"
        "    x = np.arange(24, dtype=np.float32).reshape(8, 3) / 24\n"
        "    return Job(name='[/bold] line', module=torch.nn.Linear(3, 1), loss='mse', optimizer=SGD(lr=0.1),\n"
        "               dataset={'x': x, 'y': x[:, :1]}, batch_size=4, steps=8, interval=4)\n"
    )
    done = town("submit", f"{path}:mine", "--yes", "--json", "-o", town.home / "line")
    assert done.code == 0, done.err
    assert done.json["outcome"] == "settled"
    assert "[/bold] line" in done.err
    assert "hello" in done.err
    assert load_file(done.json["model"])


def test_devnet_up_again_changes_nothing(town: Town):
    running = town.devnet.status()
    done = town("devnet", "up", "--json")
    assert done.code == 0
    assert done.json["members"] == running == town("devnet", "status", "--json").json["members"]
    assert Path(done.json["network"]) == town.devnet.network_file


def test_a_folder_that_is_in_use_is_code_5(town: Town):
    done = town("solver", "--dir", town.devnet.folder / "solver-1")
    assert done.code == 5
    assert str(town.devnet.status()["solver-1"]) in done.err


def test_a_task_that_nobody_knows_is_code_6(town: Town):
    done = town("watch", "ab" * 32, "--json")
    assert (done.code, done.json["error"]) == (6, "not-found")
    strange = town("fetch", "[/red]", "-o", town.home / "nothing")
    assert strange.code == 6
    assert "No tasks start with [/red]" in strange.err


def test_an_open_task_is_cancelled_and_its_escrow_comes_back(town: Town, submitted: dict):
    # A spec of its own, or the submission before would be gone on with; at this rate nobody takes it.
    cheap = town.task(seed=9)
    before = town.balance(submitted["submitter"])
    posted = town("submit", cheap, "--yes", "--rate", 1, "--detach", "--json").json["task"]
    done = town("cancel", posted[:12], "--json")
    assert done.code == 0, done.err
    assert (done.json["outcome"], done.json["reason"]) == ("refunded", "cancelled")
    assert town.balance(submitted["submitter"]) == before
    assert town("cancel", posted[:12], "--json").code == 7
