"""Pure arithmetic: from numbers to verdicts. Read ``sequential``, then ``comparison``."""
