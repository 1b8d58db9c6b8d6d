"""Golden stories of the quorum: a command, ``----``, what happened. The files are the specification in examples (after etcd raft's testdata).

``HOLDWATER_REWRITE=1 python -m pytest tests/scenarios/quorum`` writes the outputs anew; read the difference before committing it.

Commands::

    cluster voters=3 observers=0 seed=1 static=no KEY=VALUE...    a new cluster, all nodes started; keys are QuorumConfig's
    let L=leader A=follower B=follower2                           names for nodes, as things stand now (followers are the voters that do not lead)
    run ms=N | run until=leader|converged                         let time pass; prints what changed, with the virtual time
    messages on|off                                               print messages as they arrive, too
    append [node=N] [count=N]                                     one batch at the leader (or N)
    kill N... | start N... | power-loss N... | replace-disk N     processes and disks
    isolate N... | cut FROM TO | heal                             the network; messages are swallowed, nobody is told
    close A B                                                     the connection from A to B closes, and B's to A
    resign N                                                      a graceful stop begins
    snapshot N end=OFFSET | discard N                             store a snapshot; drop the log below the newest
    status                                                        every node's role, epoch, leader, log, vote
"""

import os
from pathlib import Path
from typing import Any

from tests.support.quorum_cluster import Cluster

from holdwater.core.quorum import NotLeader
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    BeginQuorumEpochRequest,
    BeginQuorumEpochResponse,
    EndQuorumEpochRequest,
    EndQuorumEpochResponse,
    FetchRequest,
    FetchResponse,
    FetchSnapshotRequest,
    FetchSnapshotResponse,
    VoteRequest,
    VoteResponse,
)

REWRITE = os.environ.get("HOLDWATER_REWRITE") == "1"


class Story:
    """Runs the commands of one file, in order, on one cluster."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None
        self._told = 0
        self._names: dict[str, str] = {}

    @property
    def cluster(self) -> Cluster:
        assert self._cluster is not None, "a story begins with `cluster`"
        return self._cluster

    def command(self, line: str) -> str:
        """Run one command; returns its output."""
        name, *words = line.split()
        options = dict(word.split("=", 1) for word in words if "=" in word)
        options = {key: self._names.get(value, value) for key, value in options.items()}
        plain = [self._names.get(word, word) for word in words if "=" not in word]
        result = getattr(self, "do_" + name.replace("-", "_"))(plain, options)
        lines = [] if self._cluster is None else self._cluster.trace[self._told :]
        self._told = len(self.cluster.trace)
        return "\n".join([*lines, *([result] if result else [])]) or "ok"

    def do_cluster(self, plain: list[str], options: dict[str, str]) -> None:
        static = options.pop("static", "no") == "yes"
        self._cluster = Cluster(static=static, **{key: int(value) for key, value in options.items()})

    def do_let(self, plain: list[str], options: dict[str, str]) -> str:
        leader = self.cluster.leader()
        followers = [node_id for node_id in self.cluster.voter_ids if node_id != leader]
        for name, what in options.items():
            self._names[name] = str(leader if what == "leader" else followers[int(what.removeprefix("follower") or "1") - 1])
        return ", ".join(f"{name} is {self._names[name]}" for name in options)

    def do_run(self, plain: list[str], options: dict[str, str]) -> None:
        if "ms" in options:
            self.cluster.run(int(options["ms"]))
        elif options["until"] == "leader":
            self.cluster.elect()
        else:
            assert options["until"] == "converged"
            self.cluster.run_until(self.cluster.converged)

    def do_messages(self, plain: list[str], options: dict[str, str]) -> None:
        def note(source: int, target: int, message: Any) -> None:
            self.cluster.note(f"  {source} -> {target} {describe(message)}")

        self.cluster.on_message = note if plain == ["on"] else lambda source, target, message: None

    def do_append(self, plain: list[str], options: dict[str, str]) -> str:
        try:
            last = self.cluster.append(int(options.get("count", "1")), int(options["node"]) if "node" in options else None)
        except NotLeader as error:
            return f"refused: {error}"
        return f"last offset {last}"

    def do_kill(self, plain: list[str], options: dict[str, str]) -> None:
        for node_id in plain:
            self.cluster.kill(int(node_id))

    def do_start(self, plain: list[str], options: dict[str, str]) -> None:
        for node_id in plain:
            self.cluster.start(int(node_id))

    def do_power_loss(self, plain: list[str], options: dict[str, str]) -> None:
        for node_id in plain:
            self.cluster.power_loss(int(node_id))

    def do_replace_disk(self, plain: list[str], options: dict[str, str]) -> None:
        self.cluster.replace_disk(int(plain[0]))

    def do_isolate(self, plain: list[str], options: dict[str, str]) -> None:
        self.cluster.isolate(*(int(node_id) for node_id in plain))

    def do_cut(self, plain: list[str], options: dict[str, str]) -> None:
        self.cluster.block(int(plain[0]), int(plain[1]))

    def do_heal(self, plain: list[str], options: dict[str, str]) -> None:
        self.cluster.heal()

    def do_close(self, plain: list[str], options: dict[str, str]) -> None:
        one, other = int(plain[0]), int(plain[1])
        self.cluster.close_connection(one, other)
        self.cluster.close_connection(other, one)

    def do_resign(self, plain: list[str], options: dict[str, str]) -> None:
        self.cluster.resign(int(plain[0]))

    def do_snapshot(self, plain: list[str], options: dict[str, str]) -> str:
        snapshot_id = self.cluster.snapshot(int(plain[0]), int(options["end"]))
        return f"snapshot {snapshot_id.end_offset}-{snapshot_id.epoch}"

    def do_discard(self, plain: list[str], options: dict[str, str]) -> str:
        node_id = int(plain[0])
        self.cluster.quorum(node_id).discard_before_snapshot()
        return f"log starts at {self.cluster.machines[node_id].log.log_start_offset}"

    def do_status(self, plain: list[str], options: dict[str, str]) -> str:
        return "\n".join(self._status(node_id) for node_id in self.cluster.machines)

    def _status(self, node_id: int) -> str:
        machine = self.cluster.machines[node_id]
        log, vote, quorum = machine.log, machine.votes.load(), machine.quorum
        epochs: list[str] = []
        for batch in log.batches:
            if not epochs or not epochs[-1].startswith(f"{batch.epoch}@"):
                epochs.append(f"{batch.epoch}@{batch.base_offset}")
        stored = f"log {log.log_start_offset}..{log.log_end_offset} epochs {' '.join(epochs) or '-'}"
        durable = f"saved epoch {vote.epoch} leader {vote.leader_id} voted {vote.voted_id}" if vote is not None else "saved nothing"
        if quorum is None:
            return f"{node_id} stopped, {stored}, {durable}"
        state = f"{quorum.role_name} in {quorum.epoch}, leader {quorum.leader_id}, high watermark {quorum.high_watermark}"
        return f"{node_id} {state}, {stored}, {durable}"


def describe(message: Any) -> str:
    """One line for a message."""
    match message:
        case VoteRequest():
            asked = message.topics[0].partitions[0]
            kind = "PreVote" if asked.pre_vote else "Vote"
            return f"{kind} in {asked.replica_epoch}, log ends at {asked.last_offset} in {asked.last_offset_epoch}"
        case VoteResponse():
            answer = message.topics[0].partitions[0]
            verdict = _error(answer.error_code) or ("granted" if answer.vote_granted else "rejected")
            return f"{verdict}, leader {answer.leader_id} in {answer.leader_epoch}"
        case BeginQuorumEpochRequest():
            asked = message.topics[0].partitions[0]
            return f"BeginQuorumEpoch {asked.leader_epoch} of {asked.leader_id}"
        case EndQuorumEpochRequest():
            asked = message.topics[0].partitions[0]
            successors = " ".join(str(candidate.candidate_id) for candidate in asked.preferred_candidates)
            return f"EndQuorumEpoch {asked.leader_epoch} of {asked.leader_id}, better {successors}"
        case BeginQuorumEpochResponse() | EndQuorumEpochResponse():
            answer = message.topics[0].partitions[0]
            return f"{_error(answer.error_code) or 'noted'}, leader {answer.leader_id} in {answer.leader_epoch}"
        case FetchRequest():
            asked = message.topics[0].partitions[0]
            last = f"{asked.fetch_offset} in {asked.last_fetched_epoch}"
            return f"Fetch in {asked.current_leader_epoch} from {last}, high watermark {asked.high_watermark}, wait {message.max_wait_ms}"
        case FetchResponse():
            return _describe_fetched(message)
        case FetchSnapshotRequest():
            asked = message.topics[0].partitions[0]
            return f"FetchSnapshot {asked.snapshot_id.end_offset}-{asked.snapshot_id.epoch} from byte {asked.position}"
        case FetchSnapshotResponse():
            answer = message.topics[0].partitions[0]
            got = f"{len(answer.unaligned_records)} of {answer.size} bytes from {answer.position}"
            return _error(answer.error_code) or got
        case _:
            return repr(message)


def _describe_fetched(message: Any) -> str:
    answer = message.responses[0].partitions[0]
    leader = f"leader {answer.current_leader.leader_id} in {answer.current_leader.leader_epoch}"
    if answer.error_code:
        return f"{_error(answer.error_code)}, {leader}"
    if answer.diverging_epoch is not None:
        return f"diverging: epoch {answer.diverging_epoch.epoch} ends at {answer.diverging_epoch.end_offset}"
    if answer.snapshot_id is not None:
        return f"load snapshot {answer.snapshot_id.end_offset}-{answer.snapshot_id.epoch}"
    return f"{'records' if answer.records else 'no records'}, high watermark {answer.high_watermark}"


def _error(code: int) -> str:
    return ErrorCode(code).name if code else ""


def run_story(path: Path) -> str:
    """The file as it comes out when its commands run now."""
    story = Story()
    out: list[str] = []
    lines = path.read_text().splitlines()
    position = 0
    while position < len(lines):
        line = lines[position]
        out.append(line)
        position += 1
        if not line.strip() or line.startswith("#"):
            continue
        assert lines[position] == "----", f"{path.name}:{position + 1}: a command is followed by ----"
        out += ["----", story.command(line), ""]
        position += 1
        while position < len(lines) and lines[position].strip():
            position += 1
        position += 1
    story.cluster.watch.check_logs()
    return "\n".join(out).rstrip("\n") + "\n"
