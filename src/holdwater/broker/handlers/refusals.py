"""What an admin request is answered with when nobody could carry it out: the same error for each thing that it names."""

from collections.abc import Callable
from typing import Any

from holdwater.kernel.errors import ErrorCode
from holdwater.wire import messages as m


def refusal(request: Any, version: int, error: ErrorCode) -> Any:
    """The response to ``request`` that refuses all of it with ``error``."""
    if isinstance(request, m.ElectLeadersRequest):
        return _elect_leaders(request, version, error)
    return _REFUSALS[type(request)](request, error)


def _elect_leaders(request: m.ElectLeadersRequest, version: int, error: int) -> m.ElectLeadersResponse:
    """Version 0 has no error of its own, only one for each partition."""
    result = m.ElectLeadersResponse.ReplicaElectionResult
    partition = m.ElectLeadersResponse.PartitionResult
    return m.ElectLeadersResponse(
        error_code=error if version >= 1 else 0,
        replica_election_results=[
            result(topic=topic.topic, partition_result=[partition(partition_id=index, error_code=error) for index in topic.partitions])
            for topic in request.topic_partitions or ()
        ],
    )


def _create_topics(request: m.CreateTopicsRequest, error: int) -> m.CreateTopicsResponse:
    result = m.CreateTopicsResponse.CreatableTopicResult
    return m.CreateTopicsResponse(topics=[result(name=topic.name, error_code=error) for topic in request.topics])


def _delete_topics(request: m.DeleteTopicsRequest, error: int) -> m.DeleteTopicsResponse:
    result = m.DeleteTopicsResponse.DeletableTopicResult
    named = [result(name=name, error_code=error) for name in request.topic_names]
    return m.DeleteTopicsResponse(
        responses=named + [result(name=topic.name, topic_id=topic.topic_id, error_code=error) for topic in request.topics]
    )


def _create_partitions(request: m.CreatePartitionsRequest, error: int) -> m.CreatePartitionsResponse:
    result = m.CreatePartitionsResponse.CreatePartitionsTopicResult
    return m.CreatePartitionsResponse(results=[result(name=topic.name, error_code=error) for topic in request.topics])


def _alter_configs(request: m.AlterConfigsRequest, error: int) -> m.AlterConfigsResponse:
    result = m.AlterConfigsResponse.AlterConfigsResourceResponse
    return m.AlterConfigsResponse(
        responses=[result(resource_type=r.resource_type, resource_name=r.resource_name, error_code=error) for r in request.resources]
    )


def _incremental(request: m.IncrementalAlterConfigsRequest, error: int) -> m.IncrementalAlterConfigsResponse:
    result = m.IncrementalAlterConfigsResponse.AlterConfigsResourceResponse
    return m.IncrementalAlterConfigsResponse(
        responses=[result(resource_type=r.resource_type, resource_name=r.resource_name, error_code=error) for r in request.resources]
    )


_REFUSALS: dict[type, Callable[[Any, int], Any]] = {
    m.CreateTopicsRequest: _create_topics,
    m.DeleteTopicsRequest: _delete_topics,
    m.CreatePartitionsRequest: _create_partitions,
    m.AlterConfigsRequest: _alter_configs,
    m.IncrementalAlterConfigsRequest: _incremental,
    m.UpdateFeaturesRequest: lambda _, error: m.UpdateFeaturesResponse(error_code=error),
    m.UnregisterBrokerRequest: lambda _, error: m.UnregisterBrokerResponse(error_code=error),
    m.UnregisterControllerRequest: lambda _, error: m.UnregisterControllerResponse(error_code=error),
    m.DescribeQuorumRequest: lambda _, error: m.DescribeQuorumResponse(error_code=error),
}
