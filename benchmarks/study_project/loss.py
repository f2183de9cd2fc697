"""What the candidate loses on purpose: nothing here. The study writes this file anew."""

import time

LOSS = 0.0  # of throughput
KIND = "work"  # how: more work, copies of the batch, or a sleep

# What comes on top of whatever is done, and of 1,000 samples, how many are worked on twice: some
# more, since that is a share of what tf.data does; making batches of them comes on top once.
EXTRA = LOSS / (1 - LOSS)
PARTS = round(1000 * EXTRA / 0.78)
NAP = 0.002  # seconds: falling asleep and waking up for less takes a share of its own
LATE = 0.0005  # seconds, that waking up takes at most: who wakes up later was frozen, not asleep


class Slower:
    """Loses a share of all the CPU time that a process spends: call it with every batch.

    A copy takes as long as it takes: what was too much for one batch is less for the next ones.
    """

    def __init__(self, *kinds):
        self.kind = KIND if KIND in kinds else "work"
        self.since = time.process_time()
        self.due = 0.0  # seconds

    def __call__(self, batch):
        now = time.process_time()
        self.due += max(0.0, EXTRA * (now - self.since))  # less than nothing after a fork
        if self.kind == "sleep":
            self.sleep()
            self.since = time.process_time()
        else:
            self.since = self.work(batch, now)
        return batch

    def sleep(self):
        if self.due > NAP:
            asleep = time.perf_counter()
            time.sleep(self.due)
            self.due = max(-LATE, self.due - (time.perf_counter() - asleep))

    def work(self, batch, now):
        while self.due > 0:
            if self.kind == "copy":
                # Dropped: torch would have to move it to shared memory, which costs more.
                _ = [each.clone() for each in batch] if isinstance(batch, list) else batch.copy()
            before, now = now, time.process_time()  # without a gap: asking for it takes time, too
            self.due -= now - before
        return now
