"""Small administration over the public protocol, through librdkafka: works on any Kafka."""

from holdwater.admin.errors import AdminError
from holdwater.admin.groups import Groups

__all__ = ["AdminError", "Groups"]
