"""Choices that a scenario refuses."""

import pytest

from holdwater.prove.errors import UsageError
from holdwater.prove.scenarios.leader_election import build
from holdwater.prove.scenarios.options import Options


@pytest.mark.parametrize("key", ["acks", "request.required.acks"])
def test_without_acknowledgements_there_is_nothing_to_judge(key: str) -> None:
    with pytest.raises(UsageError, match="acks=0"):
        build(Options(producer={key: "0", "enable.idempotence": "false"}))
    assert build(Options(producer={key: "1"})).workload.producer[key] == "1"
