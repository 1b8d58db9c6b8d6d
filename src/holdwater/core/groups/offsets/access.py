"""Who may commit, fetch and delete the offsets of a group (C3: commits only from the current group generation or member epoch)."""

from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.modern import Group, ModernGroup
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import OffsetCommitRequest, OffsetFetchRequest, TxnOffsetCommitRequest

_COMMIT_KNOWS_GROUP_ID_NOT_FOUND_FROM = 9
_TXN_COMMIT_KNOWS_NEW_ERRORS_FROM = 6


def check_commit(group: Group | None, request: OffsetCommitRequest, version: int) -> int:
    """Of a plain commit. Without generation and group it comes from a consumer that assigns partitions itself, or from an administrator."""
    generation = request.generation_id_or_member_epoch
    if group is None:
        if generation < 0:
            return ErrorCode.NONE
        knows = version >= _COMMIT_KNOWS_GROUP_ID_NOT_FOUND_FROM
        return ErrorCode.GROUP_ID_NOT_FOUND if knows else ErrorCode.ILLEGAL_GENERATION
    if isinstance(group, ClassicGroup):
        return _check_classic(group, request.member_id, request.group_instance_id, generation, is_transactional=False)
    error = group.validate_commit(request.member_id, generation, request.group_instance_id, version, False)
    return ErrorCode.NONE if error == ErrorCode.STALE_MEMBER_EPOCH and _covers_all(group, request) else error


def check_transactional_commit(group: Group | None, request: TxnOffsetCommitRequest, version: int) -> int:
    """Of a commit in a transaction."""
    generation = request.generation_id_or_member_epoch
    knows = version >= _TXN_COMMIT_KNOWS_NEW_ERRORS_FROM
    if group is None:
        if generation < 0:
            return ErrorCode.NONE
        return ErrorCode.GROUP_ID_NOT_FOUND if knows else ErrorCode.ILLEGAL_GENERATION
    if isinstance(group, ClassicGroup):
        return _check_classic(group, request.member_id, request.group_instance_id, generation, is_transactional=True)
    error = group.validate_commit(request.member_id, generation, request.group_instance_id, version, True)
    if error != ErrorCode.STALE_MEMBER_EPOCH:
        return error
    if _covers_all(group, request):
        return ErrorCode.NONE
    return ErrorCode.STALE_MEMBER_EPOCH if knows else ErrorCode.ILLEGAL_GENERATION


def _covers_all(group: ModernGroup, request: OffsetCommitRequest | TxnOffsetCommitRequest) -> bool:
    """Whether an older member epoch will do for each partition of the request; one that it will not do for fails them all."""
    return all(
        group.commit_covers(request.member_id, request.generation_id_or_member_epoch, topic.name, partition.partition_index)
        for topic in request.topics
        for partition in topic.partitions
    )


def _check_classic(group: ClassicGroup, member_id: str, instance_id: str | None, generation: int, *, is_transactional: bool) -> ErrorCode:
    if generation < 0 and group.is_empty:
        return ErrorCode.NONE
    if generation >= 0 or member_id or instance_id is not None:
        error = group.check_member(member_id, instance_id)
        if error == ErrorCode.NONE and generation != group.generation:
            error = ErrorCode.ILLEGAL_GENERATION
        if error != ErrorCode.NONE:
            return error
    elif not is_transactional:
        return ErrorCode.UNKNOWN_MEMBER_ID
    if group.state is ClassicState.COMPLETING_REBALANCE and not is_transactional:
        return ErrorCode.REBALANCE_IN_PROGRESS  # it knows the generation and is to go on with the rebalance
    return ErrorCode.NONE


def check_fetch(group: Group | None, request: OffsetFetchRequest.OffsetFetchRequestGroup) -> int:
    """Of reading committed offsets; a group that there is not has none, which is no error."""
    if group is None or isinstance(group, ClassicGroup):
        return ErrorCode.NONE
    return group.validate_fetch(request.member_id, request.member_epoch)


def check_offset_delete(group: Group | None) -> ErrorCode:
    """Of deleting single offsets; of a group whose members are no consumers nobody knows what they still need."""
    if group is None:
        return ErrorCode.GROUP_ID_NOT_FOUND
    if isinstance(group, ClassicGroup) and not group.is_empty and not group.uses_consumer_protocol:
        return ErrorCode.NON_EMPTY_GROUP
    return ErrorCode.NONE


def check_delete(group: Group | None) -> ErrorCode:
    """Of deleting a whole group."""
    if group is None:
        return ErrorCode.GROUP_ID_NOT_FOUND
    return ErrorCode.NONE if group.is_empty else ErrorCode.NON_EMPTY_GROUP
