import pytest

from ncjax.sweep import make_mesh, resolve_batch_devices


@pytest.mark.parametrize(
    ("num_runs", "batch_size", "max_devices", "expected"),
    [(8, 512, 0, 1), (1, 512, 0, 8), (2, 96, 0, 3), (3, 512, 0, 2), (1, 32, 0, 1), (8, 512, 2, 4), (1, 4, 1, 1)],
)
def test_devices_that_runs_leave_free_divide_batches_that_are_large_enough(num_runs, batch_size, max_devices, expected):
    assert resolve_batch_devices(0, num_runs, batch_size, max_devices, platform="gpu") == expected


def test_parts_of_a_cpu_do_not_divide_batches_unasked():
    assert resolve_batch_devices(0, num_runs=1, batch_size=512, platform="cpu") == 1
    assert resolve_batch_devices(2, num_runs=1, batch_size=512, platform="cpu") == 2


def test_a_division_that_does_not_fit_the_batch_is_an_error():
    with pytest.raises(ValueError, match=r"config\.mesh\.batch: got 3, expected a divisor of the batch size 32"):
        resolve_batch_devices(3, num_runs=1, batch_size=32)


def test_more_devices_along_both_axes_than_there_are_is_an_error():
    with pytest.raises(ValueError, match=r"config\.mesh\.batch: got 4 \(times mesh.runs=4\), expected at most 8"):
        make_mesh(num_runs=4, max_devices=4, batch_devices=4)


def test_no_device_is_left_free_where_more_are_asked_for_than_there_are():
    assert resolve_batch_devices(0, num_runs=16, batch_size=256, max_devices=16, platform="gpu") == 1


def test_more_devices_than_there_are_is_an_error():
    with pytest.raises(ValueError, match=r"config\.mesh\.runs: got 9, expected at most 8"):
        make_mesh(num_runs=20, max_devices=9)
