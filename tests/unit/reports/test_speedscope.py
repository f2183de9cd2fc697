"""The file that speedscope reads."""

from __future__ import annotations

import json

import pytest

from examples import SLOWER, run
from pytest_loaderperf.reports.speedscope import to_speedscope


def test_both_versions_of_a_check_are_profiles_of_the_same_frames() -> None:
    found = json.loads(json.dumps(to_speedscope(run().results)))
    assert found["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    names = [each["name"] for each in found["shared"]["frames"]]
    assert len(names) == len(set(names))
    candidate, baseline = found["profiles"]
    assert candidate["name"] == f"{SLOWER}, time of the candidate"
    for profile, total in ((candidate, 7.2), (baseline, 3.1)):
        assert (profile["type"], profile["unit"]) == ("sampled", "milliseconds")
        assert len(profile["samples"]) == len(profile["weights"])
        assert sum(profile["weights"]) == profile["endValue"] == pytest.approx(total)
        assert {number for sample in profile["samples"] for number in sample} <= {
            *range(len(names))
        }
    stacks = [[names[number] for number in sample] for sample in candidate["samples"]]
    path = ["workers", "Photos.__getitem__ (photos.py)", "resize (photos.py)"]
    assert [*path, "Image.resize (PIL/Image.py)"] in stacks


def test_without_reasons_there_are_no_profiles() -> None:
    assert to_speedscope([each for each in run().results if not each.why])["profiles"] == []
