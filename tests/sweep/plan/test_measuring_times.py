import pytest

from ncjax.sweep import checkpoint_steps


@pytest.mark.parametrize("checkpoints", [2, 3, 9, 30])
@pytest.mark.parametrize("steps_per_epoch", [1, 80])
def test_checkpoints_begin_before_training_and_end_with_it(checkpoints, steps_per_epoch):
    steps = checkpoint_steps(30.0, steps_per_epoch, checkpoints, first_epoch=0.5)
    assert steps[0] == 0
    assert steps[-1] == 30 * steps_per_epoch
    assert list(steps) == sorted(set(steps))
    assert len(steps) <= checkpoints


def test_groups_of_different_batch_size_are_measured_at_equal_epochs():
    small, large = (checkpoint_steps(8.0, per_epoch, 5, first_epoch=1.0) for per_epoch in (40, 10))
    assert [step / 40 for step in small] == [step / 10 for step in large]
