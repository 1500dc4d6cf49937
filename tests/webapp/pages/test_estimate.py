"""Time left: from finished runs, from progress, from the seconds of a step."""

import pytest

from webapp.pages.experiments.estimate import RunProgress, lengths_left, seconds_left


def work(run: int, stage: str, **changes: object) -> RunProgress:
    values = {"parent": None, "steps": 100, "seconds": 0.0, "share": 0.0, "over": False, "running": False}
    return RunProgress(run=run, stage=stage, **(values | changes))  # type: ignore[arg-type]


def test_nothing_is_known_before_a_run_has_started() -> None:
    assert seconds_left([work(1, "a"), work(2, "b", parent=1)]) is None


def test_a_running_run_is_judged_by_its_progress() -> None:
    assert seconds_left([work(1, "a", running=True, seconds=30, share=0.25)]) == pytest.approx(90)


def test_a_first_run_that_makes_its_data_is_not_judged() -> None:
    making = work(2, "a", running=True, preparing=True, seconds=5, share=0.0)
    assert seconds_left([work(1, "b", over=True, seconds=50), making]) is None
    assert lengths_left([work(1, "a", over=True, seconds=50), making]) == {2: pytest.approx(45)}


def test_a_finished_run_of_the_same_stage_tells_the_length() -> None:
    runs = [work(1, "a", over=True, seconds=60), work(2, "a", running=True, seconds=20, share=0.9)]
    assert seconds_left(runs) == pytest.approx(40)


def test_other_stages_are_judged_by_seconds_a_step() -> None:
    runs = [work(1, "a", over=True, seconds=50), work(2, "b", parent=1, steps=200)]
    assert seconds_left(runs) == pytest.approx(100)


def test_runs_that_go_on_together_share_the_time_but_a_chain_does_not() -> None:
    done = work(1, "a", over=True, seconds=10)
    side_by_side = [done, *(work(n, "b", running=True, seconds=10, share=0.5) for n in (2, 3))]
    assert seconds_left(side_by_side) == pytest.approx(10)
    chain = [*side_by_side, work(4, "c", parent=2, steps=100)]
    assert seconds_left(chain) == pytest.approx(10 + 30 / 200 * 100)


def test_nothing_is_left_when_all_is_over() -> None:
    assert seconds_left([work(1, "a", over=True, seconds=10)]) is None
