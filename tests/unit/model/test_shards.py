"""A shard as it is written on the command line."""

from __future__ import annotations

import pytest

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.model.shards import Shard


def test_a_shard_is_read_as_it_is_written() -> None:
    shard = Shard.parse("2/5")
    assert (shard.number, shard.of, str(shard)) == (2, 5, "2/5")
    assert str(Shard.parse("1/1")) == "1/1"


@pytest.mark.parametrize(
    "text", ["", "2", "2/", "/5", "0/5", "6/5", "-1/5", "2/5/6", "a/b", "1.0/2", "²/5", "1/999999"]
)
def test_what_is_no_shard_is_said_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="such as 2/5"):
        Shard.parse(text)
