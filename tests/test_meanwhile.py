"""What is computed in a thread."""

import threading

import pytest

from jaxmarl_comm.meanwhile import Meanwhile


def test_it_begins_at_once_and_its_result_is_waited_for():
    begun, go_on = threading.Event(), threading.Event()

    def compute():
        begun.set()
        assert go_on.wait(10)
        return 3

    meanwhile = Meanwhile(compute)
    assert begun.wait(10)
    go_on.set()
    assert meanwhile.result() == meanwhile.result() == 3


def test_what_goes_wrong_is_told_to_whoever_asks():
    def compute():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Meanwhile(compute).result()
