"""Starts several processes behind one port, and ends them together. Never serves, never restarts one."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import structlog

log = structlog.stdlib.get_logger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

KILL_AFTER_S = 1.5
"""Time for a worker to end after its drain time, before it is killed."""

GOOD_ENDS = {0, -signal.SIGTERM}
"""A worker that has no handler of its own yet has nothing to finish either."""

POLL_S = 0.05
"""Pause between checks of which workers have ended."""


def run_workers(count: int, work: Callable[[int], int], drain_s: float) -> int:
    """Runs `work` in `count` forked processes until a signal comes or one of them ends, then ends them all.

    Passes each its number, from 0. Call it before anything is opened and before any thread runs. Returns the exit
    status: 0 when a signal ended them and each had status 0, or was ended by it before it had begun to serve.
    """
    # Signals are blocked before the first fork, so that none is lost. Each worker unblocks them for itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    workers = {_forked(partial(work, number), before) for number in range(count)}
    told_to_end = _wait_for_signal()
    if not told_to_end:
        log.error("a worker ended by itself, ending the others")
    _signal(workers, signal.SIGTERM)
    statuses = _reaped(workers, drain_s + KILL_AFTER_S)
    return 0 if told_to_end and GOOD_ENDS.issuperset(statuses) else 1


def _forked(work: Callable[[], int], mask: set[int | signal.Signals]) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = work()
    except Exception:
        log.exception("worker failed")
    finally:
        os._exit(status)  # skips the exit handlers, which are the parent's


def _wait_for_signal() -> bool:
    """Returns True when a signal told this process to end, False when a worker ended."""
    while signal.sigwait(SIGNALS) == signal.SIGCHLD:
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False  # otherwise a worker was stopped or continued, for which the same signal is sent
    return True


def _signal(workers: set[int], number: signal.Signals) -> None:
    for worker in workers:
        os.kill(worker, number)  # not reaped yet, so the system hasn't reused the process id


def _reaped(workers: set[int], timeout_s: float) -> list[int]:
    """Waits for the workers to end; returns their exit statuses. Kills those that still run after `timeout_s`."""
    statuses: list[int] = []
    left = set(workers)
    deadline = time.monotonic() + timeout_s
    while left:
        for worker in sorted(left):
            ended, status = os.waitpid(worker, os.WNOHANG)
            if ended:
                left.discard(worker)
                statuses.append(os.waitstatus_to_exitcode(status))
        if left and time.monotonic() > deadline:
            log.error("workers did not end in time, killing them", workers=len(left))
            _signal(left, signal.SIGKILL)
            deadline = float("inf")
        elif left:
            time.sleep(POLL_S)
    return statuses
