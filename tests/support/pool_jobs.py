"""Jobs for the test of the pool of workers."""

import os

from rq import get_current_job


def tell_pid(number: int) -> None:
    job = get_current_job()
    assert job is not None
    job.connection.rpush("told", str(os.getpid()))
