"""No posted task is ever forgotten, and none is looked after twice."""

from __future__ import annotations

import secrets

import pytest
from small import Village, a_village

from assay.chain import EventReader
from assay.observe import read_json
from assay.roles.watchlist import Watchlist


@pytest.fixture(scope="module")
def village(tmp_path_factory):
    with a_village(tmp_path_factory.mktemp("village")) as found:
        yield found


def opened(village: Village, folder) -> Watchlist:
    reader = EventReader(village.solver.client, village.deployment, folder / "cursor.json")
    return Watchlist(folder / "watchlist.json", reader)


def test_tasks_are_seen_once_in_order_and_survive_a_restart(village, tmp_path):
    watchlist = opened(village, tmp_path)
    first = village.post().id
    assert watchlist.refresh()[-1] == first
    second = village.post().id
    assert watchlist.refresh()[-2:] == (first, second) == opened(village, tmp_path).refresh()[-2:]
    assert watchlist.refresh() == opened(village, tmp_path).refresh()
    assert len(set(watchlist.refresh())) == len(watchlist.refresh())


def test_a_crash_between_save_and_acknowledge_brings_the_same_tasks_once(village, tmp_path):
    opened(village, tmp_path).refresh()
    cursor = tmp_path / "cursor.json"
    before = cursor.read_bytes()
    posted = village.post().id
    found = opened(village, tmp_path).refresh()
    assert posted in found
    cursor.write_bytes(before)  # the list was saved, the cursor was not
    again = opened(village, tmp_path)
    assert again.refresh() == found
    assert again.refresh() == found
    assert cursor.read_bytes() != before


def test_a_crash_before_the_save_loses_nothing(village, tmp_path):
    opened(village, tmp_path).refresh()
    files = [tmp_path / "cursor.json", tmp_path / "watchlist.json"]
    before = [path.read_bytes() for path in files]
    posted = village.post().id
    opened(village, tmp_path).refresh()
    for path, data in zip(files, before, strict=True):
        path.write_bytes(data)
    assert opened(village, tmp_path).refresh()[-1] == posted


def test_what_is_dropped_stays_dropped_over_a_restart(village, tmp_path):
    watchlist = opened(village, tmp_path)
    posted = village.post().id
    assert posted in watchlist.refresh()
    watchlist.drop(posted)
    watchlist.drop(posted)
    watchlist.drop(secrets.token_hex(32))
    assert posted not in watchlist.refresh()
    assert posted not in opened(village, tmp_path).refresh()
    assert posted not in read_json(tmp_path / "watchlist.json")


def test_other_events_fill_no_list(village, tmp_path):
    watchlist = opened(village, tmp_path)
    before = watchlist.refresh()
    life = village.post()
    watchlist.refresh()
    village.submitter.market.cancel(life.id)
    assert watchlist.refresh() == (*before, life.id), "a cancelled task is still looked at, to see that it has ended"
