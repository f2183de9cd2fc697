"""What the candidate loses on purpose: nothing here. The study writes this file anew."""

import time

LOSS = 0.0  # of throughput
KIND = "work"  # how: more work, a sleep, or copies of the batch

# What comes on top of whatever is done, and of 1,000 samples, how many are worked on twice.
EXTRA = LOSS / (1 - LOSS)
PARTS = round(1000 * EXTRA)


class Slower:
    """Loses the share of all CPU time that a process spends: call it with every batch."""

    def __init__(self):
        self.since = time.process_time()

    def __call__(self, batch):
        now = time.process_time()
        extra = max(0.0, EXTRA * (now - self.since))  # less than nothing in a forked process
        if KIND == "sleep" and extra:
            time.sleep(extra)
        while time.process_time() < now + extra and KIND != "sleep":
            if KIND == "copy":
                is_list = isinstance(batch, list)
                batch = [each.clone() for each in batch] if is_list else batch.copy()
        self.since = time.process_time()
        return batch
