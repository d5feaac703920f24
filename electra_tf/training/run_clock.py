"""The clock of a run that ends by it, over all calls of the run."""

import time


class RunClock:
    """How much of its time a run has used: from the beginning of each call on, whatever is done in it.

    Args:
        budget: seconds of the whole run, or None where the clock does not end it.
        now: function that gives rising seconds.

    Attributes:
        earlier: seconds that earlier calls used, up to the checkpoint from which this one goes on.

    >>> RunClock(1800).share   # 0.0, half an hour later 1.0
    """

    def __init__(self, budget, *, now=time.monotonic):
        self.budget, self.earlier = budget, 0.0
        self._now, self._began = now, now()

    @property
    def seconds(self):
        """Used by all calls."""
        return self.earlier + self._now() - self._began

    @property
    def share(self):
        """Used of the budget, 0..1; 0 where there is none."""
        return min(1.0, self.seconds / self.budget) if self.budget else 0.0
