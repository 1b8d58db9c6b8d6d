"""Whether a member may commit or fetch offsets (C3)."""

from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.kernel.errors import ErrorCode

_FIRST_VERSION_WITH_MEMBER_EPOCH = 9
"""Of OffsetCommit."""


def commit_error(
    state: ConsumerState, member_id: str, member_epoch: int, instance_id: str | None, version: int, is_transactional: bool
) -> ErrorCode:
    """Whether the member epoch is the current one. Without a member one commits while the group is empty, and in transactions of older producers."""
    if member_epoch < 0 and not state.members:
        return ErrorCode.NONE
    if is_transactional and member_epoch == -1 and not member_id and instance_id is None:
        return ErrorCode.NONE
    member = state.members.get(member_id)
    if member is None:
        return ErrorCode.UNKNOWN_MEMBER_ID
    if not is_transactional and not member.speaks_classic and version < _FIRST_VERSION_WITH_MEMBER_EPOCH:
        return ErrorCode.UNSUPPORTED_VERSION
    if member_epoch == member.member_epoch:
        return ErrorCode.NONE
    return ErrorCode.ILLEGAL_GENERATION if member.speaks_classic else ErrorCode.STALE_MEMBER_EPOCH


def commit_covers(state: ConsumerState, member_id: str, member_epoch: int, topic_id: bytes, partition: int) -> bool:
    """Whether the member has owned the partition from this member epoch on until now."""
    member = state.members.get(member_id)
    if member is None or member_epoch > member.member_epoch:
        return False
    since = member.assignment_epoch(topic_id, partition)
    return since is not None and member_epoch >= since


def fetch_error(state: ConsumerState, member_id: str | None, member_epoch: int) -> ErrorCode:
    """Whether the member epoch is the current one. Tools and older clients name no member, and may fetch."""
    if member_id is None and member_epoch < 0:
        return ErrorCode.NONE
    member = state.members.get(member_id or "")
    if member is None:
        return ErrorCode.UNKNOWN_MEMBER_ID
    if member_epoch == member.member_epoch:
        return ErrorCode.NONE
    return ErrorCode.ILLEGAL_GENERATION if member.speaks_classic else ErrorCode.STALE_MEMBER_EPOCH
