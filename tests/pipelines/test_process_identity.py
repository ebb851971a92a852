"""Whether a process is gone: a message's sender, or a run's process, that nobody waits for any more."""

import subprocess
import time

import psutil
import pytest

from pipelines.store.process_identity import process_identity, process_is_gone

HOST = process_identity().rsplit(" ", 2)[0]


def test_this_process_is_there() -> None:
    """A running sender that passes for gone would have its message sent twice."""
    assert not process_is_gone(process_identity())
    assert not process_is_gone(process_identity().rpartition(".")[0])  # Rounded to a second, as older rows are.


def test_a_child_is_there_until_it_ends() -> None:
    """A dead sender that passes for running would keep its message back until the lease is over."""
    child = subprocess.Popen(["sleep", "60"])
    identity = f"{HOST} {child.pid} {psutil.Process(child.pid).create_time():.2f}"
    try:
        assert not process_is_gone(identity)
    finally:
        child.kill()
        child.wait()
    assert process_is_gone(identity)


def test_a_zombie_is_gone() -> None:
    """Its number and start are still those of a process, until its parent has asked for its exit code."""
    child = subprocess.Popen(["sleep", "60"])
    identity = f"{HOST} {child.pid} {psutil.Process(child.pid).create_time():.2f}"
    child.kill()
    try:
        for _ in range(1000):
            if psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE:
                break
            time.sleep(0.01)
        assert psutil.pid_exists(child.pid)
        assert process_is_gone(identity)
    finally:
        child.wait()


def test_another_process_with_the_same_number_is_another() -> None:
    """The system gives numbers again: by the number alone, a dead sender would live on."""
    host, number, start = process_identity().rsplit(" ", 2)
    assert process_is_gone(f"{host} {number} {float(start) - 60:.2f}")


@pytest.mark.parametrize("number", ["1", "4194304"])
def test_of_other_hosts_nothing_is_known(number: str) -> None:
    """Their processes have numbers that exist here, too."""
    assert not process_is_gone(f"another-{HOST} {number} 1.0")
