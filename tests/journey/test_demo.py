"""The whole story, as a newcomer sees it."""

import json
import subprocess
import sys
from pathlib import Path

from safetensors.numpy import load_file

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "roots.json").read_text())


def test_demo_settles_and_leaves_a_model_that_loads_and_a_proof_that_holds(demo, tmp_path):
    result = demo()
    assert result["outcome"] == "settled"
    assert result["accuracy"] >= 0.95
    assert result["loss_last"] < result["loss_first"] / 10
    assert result["state_root"] == GOLDEN["digits"]["state"]
    assert result["caught"] is None
    assert result["paid"] + result["refunded"] == result["escrow"] == sum(result["payments"].values())
    assert load_file(result["model"])

    replay = [sys.executable, "-m", "assay", "replay", result["proof"], "--json"]
    held = subprocess.run(replay, capture_output=True, text=True, timeout=300)
    assert held.returncode == 0, held.stderr
    assert json.loads(held.stdout)["steps"] == result["steps"]

    _tamper(Path(result["proof"]))
    failed = subprocess.run(replay, capture_output=True, text=True, timeout=300)
    assert failed.returncode == 3
    assert json.loads(failed.stdout)["error"] == "mismatch"

    again = demo()
    again["seconds"] = result["seconds"]
    assert again == result, "a demo that is called again in its folder shows the same receipt"


def test_two_threads_give_the_same_state(demo):
    assert demo("--threads", "2")["state_root"] == GOLDEN["digits"]["state"]


def _tamper(proof: Path) -> None:
    """Flip one bit of one weight in a checkpoint, and make file and manifest agree about it again."""
    from hashlib import sha256

    victim = sorted((proof / "checkpoints").iterdir())[3]
    data = bytearray(victim.read_bytes())
    before = sha256(data).hexdigest()
    data[-1] ^= 1
    victim.write_bytes(data)
    manifest = proof / "manifest.json"
    manifest.write_text(manifest.read_text().replace(before, sha256(data).hexdigest()))
