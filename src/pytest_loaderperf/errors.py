"""What can go wrong, one class per place where it is noticed."""


class LoaderPerfError(Exception):
    """Base of all errors of this package; the message says what to do."""


class SettingsError(LoaderPerfError):
    """A setting that cannot be understood: a usage error, found at collection."""


class StoreError(LoaderPerfError):
    """A file of baselines that is damaged, newer than this version, or cannot be read."""


class CheckoutError(LoaderPerfError):
    """The commit to compare with cannot be found or checked out."""


class PackagesError(LoaderPerfError):
    """The packages that a baseline is to have cannot be read, installed, or used together."""


class UseError(LoaderPerfError):
    """Nobody can tell which files of the project a check uses; the message says why."""


class ArmError(LoaderPerfError):
    """A process that measures could not start, could not collect, or died."""


class MemoryLimitError(ArmError):
    """A trial took more memory than it may: ``needed`` bytes at least, of a ``limit``.

    Without a limit, the machine had next to nothing left.
    """

    def __init__(self, version: str, needed: float, limit: float | None) -> None:
        super().__init__(f"a trial of {version} ran out of memory")
        self.version = version
        self.needed = needed
        self.limit = limit


class HangError(ArmError):
    """A process gave no answer for as long as it may; the message has its stacks."""


class LostTrialError(ArmError):
    """A trial died or hung, perhaps since it is a fork; a process of its own may do better."""


class HungTrialError(HangError, LostTrialError):
    """A trial gave no answer for as long as it may; the message has its stacks."""


class LoaderError(LoaderPerfError):
    """The loader cannot be measured: not iterable, empty, spent, samples not countable."""


class ComparisonError(LoaderPerfError, TypeError):
    """A comparison of a metric that cannot mean anything."""


class InconclusiveWarning(UserWarning):
    """A check passed without proof: the machine was too noisy for the pairs there was time for."""
