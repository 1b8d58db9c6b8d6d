"""Finalised features: the start of a cluster, and UpdateFeatures."""

import pytest
from tests.support.metadata_bench import Bench, config_of

from holdwater.core.metadata.features import bootstrap_records
from holdwater.core.metadata.records import ELR_VERSION, GROUP_VERSION, METADATA_VERSION, TRANSACTION_VERSION
from holdwater.core.metadata.registrations import VersionRange
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import ConfigRecord, FeatureLevelRecord, UpdateFeaturesRequest

UPGRADE, SAFE, UNSAFE = 1, 2, 3
LATEST = VersionRange(33, 33)


def update(bench: Bench, *wanted: tuple[str, int, int], validate_only: bool = False) -> tuple[ErrorCode, str]:
    keys = [
        UpdateFeaturesRequest.FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=kind) for name, level, kind in wanted
    ]
    request = UpdateFeaturesRequest(feature_updates=keys, validate_only=validate_only)
    response = bench.submit(bench.controller.handle_update_features(request, 2))
    return ErrorCode(response.error_code), response.error_message or ""


def test_a_new_cluster_begins_with_the_levels_of_kafka_4_4() -> None:
    records = [record for record, version in bootstrap_records(config_of(min_insync_replicas="2")) if version == 0]
    assert records == [
        FeatureLevelRecord(name=METADATA_VERSION, feature_level=33),
        FeatureLevelRecord(name=ELR_VERSION, feature_level=1),
        FeatureLevelRecord(name=GROUP_VERSION, feature_level=1),
        FeatureLevelRecord(name=TRANSACTION_VERSION, feature_level=2),
        ConfigRecord(resource_type=4, resource_name="", name="min.insync.replicas", value="2"),
    ]


@pytest.mark.parametrize(
    ("wanted", "level"),
    [
        ((TRANSACTION_VERSION, 1, SAFE), 1),
        ((TRANSACTION_VERSION, 0, UNSAFE), None),
        ((TRANSACTION_VERSION, 2, UPGRADE), 2),
    ],
)
def test_levels_change(wanted: tuple[str, int, int], level: int | None) -> None:
    bench = Bench()
    assert update(bench, wanted) == (ErrorCode.NONE, "")
    assert bench.image.features.get(wanted[0]) == level


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ((TRANSACTION_VERSION, 1, UPGRADE), "Can't downgrade the version of this feature without setting the upgrade type"),
        ((TRANSACTION_VERSION, 3, UPGRADE), "Local controller 1 only supports versions 0-2"),
        ((TRANSACTION_VERSION, -1, SAFE), "A feature version cannot be less than 0."),
        ((TRANSACTION_VERSION, 1, 7), "does not support the given upgrade type"),
        ((METADATA_VERSION, 32, SAFE), "Local controller 1 only supports versions 33-33"),
        (("kraft.version", 0, SAFE), "does not change kraft.version"),
        (("share.version", 1, UPGRADE), "only supports versions 0-0"),
        (("no.such.feature", 1, UPGRADE), "does not support this feature"),
    ],
)
def test_refused(wanted: tuple[str, int, int], words: str) -> None:
    bench = Bench()
    before = len(bench.log)
    error, message = update(bench, wanted)
    assert error is ErrorCode.INVALID_UPDATE_VERSION
    assert words in message
    assert len(bench.log) == before


def test_all_or_nothing() -> None:
    bench = Bench()
    assert update(bench, (TRANSACTION_VERSION, 1, SAFE), (GROUP_VERSION, 9, UPGRADE))[0] is ErrorCode.INVALID_UPDATE_VERSION
    assert bench.image.features[TRANSACTION_VERSION] == 2


def test_upgrading_waits_for_every_broker() -> None:
    bench = Bench()
    update(bench, (TRANSACTION_VERSION, 1, SAFE))
    old = {
        METADATA_VERSION: LATEST,
        TRANSACTION_VERSION: VersionRange(0, 1),
        ELR_VERSION: VersionRange(0, 1),
        GROUP_VERSION: VersionRange(0, 1),
    }
    assert bench.register(4, features=old).error_code == 0
    error, message = update(bench, (TRANSACTION_VERSION, 2, UPGRADE))
    assert error is ErrorCode.INVALID_UPDATE_VERSION
    assert "Broker 4 only supports versions 0-1" in message


def test_validate_only_writes_nothing() -> None:
    bench = Bench()
    before = len(bench.log)
    assert update(bench, (TRANSACTION_VERSION, 1, SAFE), validate_only=True) == (ErrorCode.NONE, "")
    assert len(bench.log) == before


def test_switching_eligible_leader_replicas_off_and_on_keeps_the_cluster_s_minimum_isr() -> None:
    bench = Bench()
    update(bench, (ELR_VERSION, 0, SAFE))
    assert not bench.image.elr_enabled
    assert update(bench, (ELR_VERSION, 1, UPGRADE)) == (ErrorCode.NONE, "")
    assert bench.image.cluster_config() == {"min.insync.replicas": "1"}


@pytest.mark.parametrize(("version", "results"), [(0, 1), (1, 1), (2, 0)])
def test_older_versions_answer_per_feature(version: int, results: int) -> None:
    key = UpdateFeaturesRequest.FeatureUpdateKey(feature=TRANSACTION_VERSION, max_version_level=1, allow_downgrade=True, upgrade_type=SAFE)
    bench = Bench()
    response = bench.submit(bench.controller.handle_update_features(UpdateFeaturesRequest(feature_updates=[key]), version))
    assert (response.error_code, len(response.results)) == (0, results)
    assert bench.image.features[TRANSACTION_VERSION] == 1
