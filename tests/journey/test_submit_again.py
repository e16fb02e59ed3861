"""A submitter that is killed anywhere and started again with the same task pays for it once."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from roles_in_process import QUICK, a_quarter
from small import small

from assay.chain import Market
from assay.market import quote
from assay.words import TaskState


class Killed(BaseException):
    """In place of SIGKILL."""


def test_a_submission_that_was_begun_is_gone_on_with(tmp_path: Path, monkeypatch):
    with a_quarter(tmp_path) as quarter:
        hands, market = quarter.submitter, quarter.submitter.session.market
        task = small(hands.session.store)
        price = quote(task.program, task.spec)
        post = Market.post

        def submit() -> str:
            return hands.submit(task, price, QUICK, hands.unfinished(task) or secrets.token_hex(8))

        def killed_before(*_: object) -> str:
            raise Killed

        def killed_after(*arguments: object) -> str:
            post(*arguments)
            raise Killed

        assert hands.unfinished(task) is None
        for kill in (killed_before, killed_before, killed_after):
            monkeypatch.setattr(Market, "post", kill)
            with pytest.raises(Killed):
                submit()
        monkeypatch.setattr(Market, "post", post)
        posted = submit()
        assert posted == submit()
        assert market.posted() == [posted]
        assert quarter.until(posted, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED
        assert hands.unfinished(task) is None, "the same task again is a new one"
