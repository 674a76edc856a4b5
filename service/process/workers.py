"""Several processes behind one port: starts them, and ends them all together. Never serves, never restarts one."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import structlog

log = structlog.stdlib.get_logger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

KILL_AFTER_S = 1.5
"""How much longer than its drain a worker may take to end."""

POLL_S = 0.05


def run_workers(count: int, work: Callable[[int], int], drain_s: float) -> int:
    """Runs `work` in `count` forked processes until a signal comes or one of them ends, which ends the others.

    Each is told its number, from 0. Nothing may be open and no thread may run yet. Returns the exit status: 0 when all
    ended well after a signal.
    """
    # Blocked before the first fork, so that none is lost; each worker unblocks them for itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    workers = {_forked(partial(work, number), before) for number in range(count)}
    asked = _wait_for_signal()
    if not asked:
        log.error("a worker ended by itself, ending the others")
    _signal(workers, signal.SIGTERM)
    statuses = _reaped(workers, drain_s + KILL_AFTER_S)
    return 0 if asked and not any(statuses) else 1


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
        os._exit(status)  # the parent's exit handlers are not this process's


def _wait_for_signal() -> bool:
    """True when the process was asked to end, False when a worker ended."""
    while signal.sigwait(SIGNALS) == signal.SIGCHLD:
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False  # else one was stopped or goes on, which is told by the same signal
    return True


def _signal(workers: set[int], number: signal.Signals) -> None:
    for worker in workers:
        os.kill(worker, number)  # not reaped yet, so the number is still theirs


def _reaped(workers: set[int], timeout_s: float) -> list[int]:
    """The exit statuses; whoever is still there at the end of the wait is killed."""
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
