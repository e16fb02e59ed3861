"""What one task can do to a role: nothing that keeps it from the others."""

from __future__ import annotations

import secrets

from roles_in_process import QUICK, a_quarter
from small import small

from assay.market import quote
from assay.words import TaskState


def test_a_task_that_the_chain_does_not_know_any_more_is_waited_for_and_others_go_on(tmp_path):
    """A chain that went back behind a posting: most likely the same posting comes again, with all that was promised."""
    gone = secrets.token_hex(32)
    with a_quarter(tmp_path) as quarter:
        for role in quarter.roles:
            role.watchlist._tasks[gone] = None
        hands = quarter.submitter
        task = small(hands.session.store)
        posted = hands.submit(task, quote(task.program, task.spec), QUICK, secrets.token_hex(8))
        assert quarter.until(posted, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED
        quarter.turn(times=2)
        assert [role.watchlist.tasks for role in quarter.roles] == [(gone,)] * 3
