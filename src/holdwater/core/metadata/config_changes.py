"""Changes to configurations: topics, one broker, every broker, groups, client metrics (KIP-133, 226, 339, 848, 714).

Each resource changes as a whole or not at all, by its row in the table of keys and the rules between keys. A change of
min.insync.replicas clears the eligible leader replicas that were counted by the old value (KIP-966).
"""

from collections.abc import Mapping

from holdwater.core.metadata.context import ControllerContext
from holdwater.core.metadata.image import (
    BROKER_RESOURCE,
    CLIENT_METRICS_RESOURCE,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
    ConfigResource,
)
from holdwater.core.metadata.records import MAX_RECORDS_PER_REQUEST, MetadataRecord
from holdwater.core.metadata.result import Refusal, Refused, Result
from holdwater.kernel.configs.keys import (
    PER_BROKER,
    STATIC,
    InvalidValue,
    Key,
    broker_keys,
    client_metrics_keys,
    group_keys,
    parse,
    topic_keys,
)
from holdwater.kernel.configs.topics import check_topic_config
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import is_legal_topic_name
from holdwater.wire.messages import (
    AlterConfigsRequest,
    AlterConfigsResponse,
    ClearElrRecord,
    ConfigRecord,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

SET, DELETE, APPEND, SUBTRACT = range(4)
_OPERATIONS = ("SET", "DELETE", "APPEND", "SUBTRACT")
_MIN_ISR = "min.insync.replicas"
_NAMES = {TOPIC_RESOURCE: "topic", GROUP_RESOURCE: "group", CLIENT_METRICS_RESOURCE: "client metrics"}

Operation = tuple[str, int, str | None]
"""A key, what to do with it, and the text to do it with."""


class ConfigControl:
    """IncrementalAlterConfigs and AlterConfigs."""

    __slots__ = ("_context",)

    def __init__(self, context: ControllerContext) -> None:
        self._context = context

    def alter_incrementally(self, request: IncrementalAlterConfigsRequest) -> Result[IncrementalAlterConfigsResponse]:
        """IncrementalAlterConfigs: set, delete, append to and subtract from keys."""
        outcomes = _Outcomes([ConfigResource(entry.resource_type, entry.resource_name) for entry in request.resources])
        for entry in request.resources:
            resource = ConfigResource(entry.resource_type, entry.resource_name)
            operations = [(config.name, config.config_operation, config.value) for config in entry.configs]
            if outcomes.is_repeated(resource):
                outcomes.refuse_repeated(resource)
            else:
                outcomes.put(resource, *self.records_for(resource, operations))
        responses = [IncrementalAlterConfigsResponse.AlterConfigsResourceResponse(*outcome) for outcome in outcomes.rows()]
        records = [] if request.validate_only else self._with_cleared_elr(outcomes.records)
        return self._context.result(records, IncrementalAlterConfigsResponse(responses=responses), atomic=True)

    def alter(self, request: AlterConfigsRequest) -> Result[AlterConfigsResponse]:
        """AlterConfigs, the older request: what it names is set, everything else is deleted."""
        outcomes = _Outcomes([ConfigResource(entry.resource_type, entry.resource_name) for entry in request.resources])
        for entry in request.resources:
            resource = ConfigResource(entry.resource_type, entry.resource_name)
            operations: list[Operation] = [(config.name, SET, config.value) for config in entry.configs]
            named = [config.name for config in entry.configs]
            current = self._context.state.metadata.config(resource)
            operations.extend((name, DELETE, None) for name in current if name not in named)
            if outcomes.is_repeated(resource):
                outcomes.refuse_repeated(resource)
            else:
                outcomes.put(resource, *self.records_for(resource, operations))
        responses = [AlterConfigsResponse.AlterConfigsResourceResponse(*outcome) for outcome in outcomes.rows()]
        records = [] if request.validate_only else self._with_cleared_elr(outcomes.records)
        return self._context.result(records, AlterConfigsResponse(responses=responses), atomic=True)

    def records_for(
        self, resource: ConfigResource, operations: list[Operation], *, is_new: bool = False
    ) -> tuple[list[MetadataRecord], Refused]:
        """Records that change one resource, or why they may not. ``is_new``: a topic that is about to be created."""
        current = self._context.state.metadata.config(resource)
        wanted = dict(current)
        for name, operation, text in operations:
            value, refused = _apply(resource, name, operation, text, wanted.get(name))
            if refused is not None:
                return [], refused
            if value is None:
                wanted.pop(name, None)
            else:
                wanted[name] = value
        # A broker reloads on a record even when the text is the same: a key store file may have changed under its name.
        always = resource.kind == BROKER_RESOURCE
        records: list[MetadataRecord] = [
            ConfigRecord(resource_type=resource.kind, resource_name=resource.name, name=name, value=wanted.get(name))
            for name in dict.fromkeys(name for name, _, _ in operations)
            if always or wanted.get(name) != current.get(name)
        ]
        refused = self._check(resource, wanted, operations) or (None if is_new else self._check_exists(resource))
        return ([], refused) if refused is not None else (records, None)

    def _with_cleared_elr(self, records: list[MetadataRecord]) -> list[MetadataRecord]:
        return [*records, *self.cleared_elr(records)]

    def cleared_elr(self, records: list[MetadataRecord]) -> list[MetadataRecord]:
        """A ClearElrRecord for each record that changes min.insync.replicas."""
        if not self._context.state.metadata.elr_enabled:
            return []
        changes = [record for record in records if isinstance(record, ConfigRecord) and record.name == _MIN_ISR]
        return [ClearElrRecord(topic_name=change.resource_name if change.resource_type == TOPIC_RESOURCE else "") for change in changes]

    # Checks

    def _check(self, resource: ConfigResource, wanted: Mapping[str, str], operations: list[Operation]) -> Refused:
        if resource.kind == TOPIC_RESOURCE:
            return self._check_topic(resource, wanted)
        if resource.kind == BROKER_RESOURCE:
            return self._check_broker(resource, operations)
        if resource.kind == GROUP_RESOURCE:
            return _check_table(resource, wanted, group_keys())
        if resource.kind == CLIENT_METRICS_RESOURCE:
            return _check_table(resource, wanted, client_metrics_keys())
        return Refusal(ErrorCode.INVALID_REQUEST, f"Unexpected resource type {resource.kind}.")

    def _check_topic(self, resource: ConfigResource, wanted: Mapping[str, str]) -> Refused:
        if resource.name == "":
            return Refusal(ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed.")
        if not is_legal_topic_name(resource.name):
            return Refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: '{resource.name}'")
        try:
            check_topic_config(wanted, self._context.layers())
        except InvalidValue as problem:
            return Refusal(ErrorCode.INVALID_CONFIG, str(problem))
        return None

    def _check_broker(self, resource: ConfigResource, operations: list[Operation]) -> Refused:
        if resource.name and not resource.name.isdecimal():
            return Refusal(ErrorCode.INVALID_REQUEST, "Unable to parse broker name as a base 10 number.")
        for name, operation, text in operations:
            key = broker_keys().get(name)
            refused = (
                _check_scope(resource, key)
                or self._check_min_isr(resource, name, operation)
                or (_check_text(key, text) if operation == SET else None)
            )
            if refused is not None:
                return refused
        return None

    def _check_min_isr(self, resource: ConfigResource, name: str, operation: int) -> Refused:
        if name != _MIN_ISR or not self._context.state.metadata.elr_enabled:
            return None
        if resource.name:
            return Refusal(ErrorCode.INVALID_CONFIG, f"Broker-level {_MIN_ISR} cannot be altered while ELR is enabled.")
        if operation == DELETE:
            return Refusal(ErrorCode.INVALID_CONFIG, f"Cluster-level {_MIN_ISR} cannot be removed while ELR is enabled.")
        return None

    def _check_exists(self, resource: ConfigResource) -> Refused:
        metadata = self._context.state.metadata
        if resource.kind == TOPIC_RESOURCE and resource.name not in metadata.topic_ids:
            return Refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{resource.name}' does not exist.")
        if resource.kind == BROKER_RESOURCE and resource.name:
            node = int(resource.name)
            if node not in metadata.brokers and node not in metadata.controllers and node not in self._context.voters:
                return Refusal(ErrorCode.BROKER_ID_NOT_REGISTERED, f"No node with id {node} found.")
        return None


def _apply(resource: ConfigResource, name: str, operation: int, text: str | None, current: str | None) -> tuple[str | None, Refused]:
    """The new text of a key (``None``: deleted), or why not."""
    if operation == DELETE:
        return None, None
    if not 0 <= operation < len(_OPERATIONS):
        return None, Refusal(ErrorCode.INVALID_REQUEST, f"Unknown operation type {operation}.")
    if text is None:
        return None, Refusal(
            ErrorCode.INVALID_CONFIG, f"Null value not supported for {_NAMES.get(resource.kind, 'broker')} configs: {name}"
        )
    if operation == SET:
        return text, None
    key = _keys_of(resource).get(name)
    if key is None or key.type != "list":
        message = f"Can't {_OPERATIONS[operation]} to key {name} because its type is not LIST."
        return None, Refusal(ErrorCode.INVALID_CONFIG, message)
    members = [member for member in (key.default or "" if current is None else current).split(",") if member]
    for member in text.split(","):
        if operation == APPEND and member not in members:
            members.append(member)
        elif operation == SUBTRACT and member in members:
            members.remove(member)
    return ",".join(members), None


def _keys_of(resource: ConfigResource) -> Mapping[str, Key]:
    if resource.kind == TOPIC_RESOURCE:
        return topic_keys()
    if resource.kind == GROUP_RESOURCE:
        return group_keys()
    return client_metrics_keys() if resource.kind == CLIENT_METRICS_RESOURCE else broker_keys()


def _check_scope(resource: ConfigResource, key: Key | None) -> Refused:
    """A static key cannot be changed, and a key of one broker not for all of them. A key that is not ours may be a plug-in's."""
    if key is not None and key.scope == STATIC:
        return Refusal(ErrorCode.INVALID_REQUEST, f"Cannot update these configs dynamically: [{key.name}]")
    if key is not None and key.scope == PER_BROKER and resource.name == "":
        message = f"Cannot update these configs at default cluster level, broker id must be specified: [{key.name}]"
        return Refusal(ErrorCode.INVALID_REQUEST, message)
    return None


def _check_text(key: Key | None, text: str | None) -> Refused:
    try:
        if key is not None:
            parse(key, text)
    except InvalidValue as problem:
        return Refusal(ErrorCode.INVALID_CONFIG, str(problem))
    return None


def _check_table(resource: ConfigResource, wanted: Mapping[str, str], known: Mapping[str, Key]) -> Refused:
    if resource.name == "":
        return Refusal(ErrorCode.INVALID_REQUEST, f"Default {_NAMES[resource.kind]} resources are not allowed.")
    for name, text in wanted.items():
        if name not in known:
            return Refusal(ErrorCode.INVALID_CONFIG, f"Unknown {_NAMES[resource.kind]} config name: {name}")
        refused = _check_text(known[name], text)
        if refused is not None:
            return refused
    return None


class _Outcomes:
    """Outcomes of a request by resource, in its order; a resource named twice is refused once."""

    __slots__ = ("_refusals", "_resources", "records")

    def __init__(self, resources: list[ConfigResource]) -> None:
        self._resources = resources
        self._refusals: dict[ConfigResource, Refused] = {}
        self.records: list[MetadataRecord] = []

    def is_repeated(self, resource: ConfigResource) -> bool:
        return self._resources.count(resource) > 1

    def refuse_repeated(self, resource: ConfigResource) -> None:
        self._refusals[resource] = Refusal(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")

    def put(self, resource: ConfigResource, records: list[MetadataRecord], refused: Refused) -> None:
        if refused is None and len(self.records) + len(records) > MAX_RECORDS_PER_REQUEST // 2:
            refused = Refusal(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
        self._refusals[resource] = refused
        if refused is None:
            self.records.extend(records)

    def rows(self) -> list[tuple[int, str | None, int, str]]:
        """Error, message, kind and name per resource."""
        rows: list[tuple[int, str | None, int, str]] = []
        for resource, refused in self._refusals.items():
            error, message = (ErrorCode.NONE, None) if refused is None else refused
            rows.append((error, message, resource.kind, resource.name))
        return rows
