"""The group coordinator: classic groups, consumer groups (KIP-848), committed offsets. ``shard.py`` is the way in."""

from holdwater.core.groups.offsets.expiry import DeletedTopic
from holdwater.core.groups.shard import GroupShard

__all__ = ["DeletedTopic", "GroupShard"]
