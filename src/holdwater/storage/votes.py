"""A voter's durable vote: Kafka's ``quorum-state`` file, a line of JSON with data version 1 (KIP-853)."""

import json
from typing import Any

from holdwater.kernel.identifiers import ZERO_UUID, uuid_from_text, uuid_to_text
from holdwater.kernel.ports import Disk, Vote
from holdwater.storage.checkpoints import DamagedFile
from holdwater.storage.names import QUORUM_STATE_FILE

_DATA_VERSION = 1


class QuorumStateFile:
    """``kernel.ports.VoteStore`` in the directory of the metadata log."""

    def __init__(self, disk: Disk, directory: str) -> None:
        self._disk = disk
        self._path = f"{directory}/{QUORUM_STATE_FILE}"

    def load(self) -> Vote | None:
        """The stored vote. Raises ``DamagedFile``: a voter that forgets its vote could vote twice, so it must not start."""
        try:
            content = self._disk.read_file(self._path)
        except FileNotFoundError:
            return None
        try:
            fields: Any = json.loads(content)
            version = fields["data_version"]
            if version not in {0, _DATA_VERSION}:
                raise ValueError(f"data_version {version}, expected {_DATA_VERSION}")
            directory_id = uuid_from_text(fields["votedDirectoryId"]) if version else ZERO_UUID
            return Vote(int(fields["leaderEpoch"]), int(fields["leaderId"]), int(fields["votedId"]), directory_id)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFile(
                f"{self._path} is damaged ({error!r}): this voter may have voted and cannot know; "
                "remove it from the quorum, format its metadata directory with a new directory id, and add it again"
            ) from error

    def save(self, vote: Vote) -> None:
        """Replace the stored vote; durable when it returns."""
        content = json.dumps(
            {
                "leaderId": vote.leader_id,
                "leaderEpoch": vote.epoch,
                "votedId": vote.voted_id,
                "votedDirectoryId": uuid_to_text(vote.voted_directory_id),
                "data_version": _DATA_VERSION,
            },
            separators=(",", ":"),
        )
        self._disk.replace_file(self._path, content.encode("ascii"), durable=True)
