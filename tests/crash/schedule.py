"""Threads that run one at a time, and change places only where they are told to, in an order that a seed decides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random

import attrs


class Deadlock(AssertionError):
    """Everybody waits for somebody else."""


@attrs.define(eq=False)
class _Task:
    job: Callable[[], object]
    gate: threading.Semaphore = attrs.field(factory=lambda: threading.Semaphore(0))
    ready: Callable[[], bool] | None = None


class Baton:
    """Runs jobs in threads of their own, of which only the one with the baton moves.

    :param random: decides who is next.
    :param odds: how likely the baton changes hands at each offer.
    :param check: called by whoever has waited; may raise.
    """

    def __init__(self, random: Random, odds: float, check: Callable[[], object] = lambda: None) -> None:
        self._random = random
        self._odds = odds
        self._check = check
        self._tasks: list[_Task] = []
        self._current: _Task | None = None
        self._over = threading.Semaphore(0)
        self._error: BaseException | None = None

    def run(self, *jobs: Callable[[], object]) -> None:
        """Run all jobs to their end, and those that they spawn. :raise BaseException: the first that one raised."""
        for job in jobs:
            self.spawn(job)
        self._hand_over()
        self._over.acquire()
        self._current = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def spawn(self, job: Callable[[], object]) -> None:
        """Add a job; it moves when the baton comes to it."""
        task = _Task(job)
        self._tasks.append(task)
        threading.Thread(target=self._live, args=(task,), daemon=True).start()

    def offer(self, call: str = "") -> None:
        """Perhaps let others move."""
        if len(self._tasks) > 1 and self._current is not None and self._random.random() < self._odds:
            self._pass_on()

    def wait(self, ready: Callable[[], bool]) -> None:
        """Let others move until ``ready``. :raise Deadlock: when that can not be."""
        task = self._current
        assert task is not None, "nobody else runs who could make this ready"
        task.ready = ready
        self._pass_on()
        task.ready = None
        self._check()
        if not ready():
            raise Deadlock

    def event(self) -> BatonEvent:
        """An event that can be waited for."""
        return BatonEvent(self)

    def _live(self, task: _Task) -> None:
        task.gate.acquire()
        try:
            task.job()
        except BaseException as error:
            self._error = self._error or error
        self._tasks.remove(task)
        self._hand_over()

    def _pass_on(self) -> None:
        task = self._current
        assert task is not None
        self._hand_over()
        task.gate.acquire()

    def _hand_over(self) -> None:
        if not self._tasks:
            self._over.release()
            return
        able = [task for task in self._tasks if task.ready is None or task.ready()]
        self._current = self._random.choice(able or self._tasks)
        self._current.gate.release()


class BatonEvent:
    """In place of :class:`threading.Event`."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._is_set = False

    def set(self) -> None:
        """Let go of those who wait."""
        self._is_set = True

    def wait(self) -> None:
        """Wait until it is set."""
        if not self._is_set:
            self._baton.wait(lambda: self._is_set)
