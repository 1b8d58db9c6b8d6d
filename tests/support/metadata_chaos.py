"""One seed of disorder for the metadata controller: brokers come and go in every way, topics and configurations change, controllers fail.

After every step the watch checks what must always hold of partitions (M6, R9, R11), that the controller's own state is the fold of its
records, and that its indexes say what the metadata says.
"""

from tests.support.metadata_bench import Bench, config_of, directory

from holdwater.core.metadata.builder import ImageBuilder
from holdwater.core.metadata.features import SUPPORTED_FEATURES
from holdwater.core.metadata.image import EMPTY_IMAGE, TOPIC_RESOURCE
from holdwater.core.metadata.partition import RECOVERING, PartitionState
from holdwater.core.metadata.state import fresh_indexes
from holdwater.kernel.configs.topics import Layers, effective_bool, effective_int
from holdwater.kernel.rng import Rng
from holdwater.wire.messages import (
    AllocateProducerIdsRequest,
    AssignReplicasToDirsRequest,
    CreatePartitionsRequest,
    DeleteTopicsRequest,
    ElectLeadersRequest,
    IncrementalAlterConfigsRequest,
    UnregisterBrokerRequest,
)

BROKERS = (1, 2, 3, 4)


class Chaos:
    """A bench, and a random walk over it."""

    def __init__(self, seed: int) -> None:
        self.rng = Rng(seed)
        self.bench = Bench(
            config_of(
                min_insync_replicas=str(1 + self.rng.below(3)),
                unclean_leader_election_enable="true" if self.rng.chance(0.2) else "false",
                leader_imbalance_check_interval_seconds="20",
                unclean_leader_election_interval_ms="5000",
            ),
            seed=seed,
        )
        self.process = dict.fromkeys(BROKERS, 1)
        self.alive = dict.fromkeys(BROKERS, False)
        self.seen: dict[tuple[bytes, int], PartitionState] = {}
        actions = [
            self.start, self.start, self.start, self.kill, self.beat, self.beat, self.stop, self.time, self.time, self.alter_isr,
            self.alter_isr, self.create, self.delete, self.grow, self.elect, self.configure, self.disconnect, self.fail_over,
            self.lose_tail, self.lose_directory, self.move_directory, self.unregister, self.allocate,
        ]  # fmt: skip
        self.actions = [action for action in actions if self.rng.chance(0.85)]

    def run(self, steps: int) -> None:
        """Walk, checking after every step."""
        for _ in range(steps):
            if self.actions:
                self.actions[self.rng.below(len(self.actions))]()
            self.check()

    # What happens

    def start(self) -> None:
        broker_id = self._broker()
        if not self.alive[broker_id]:
            self.process[broker_id] += 1
            clean = self.rng.chance(0.4)
            directories = 1 + self.rng.below(2)
            epoch = self.bench.epochs.get(broker_id, -1) if clean else -1
            response = self.bench.register(
                broker_id, start=self.process[broker_id], previous_epoch=epoch, directories=directories, features=dict(SUPPORTED_FEATURES)
            )
            if response.error_code == 0:
                self.alive[broker_id] = True
        self.bench.heartbeat(broker_id)

    def kill(self) -> None:
        self.alive[self._broker()] = False

    def beat(self) -> None:
        behind = self.rng.chance(0.1)
        for broker_id in BROKERS:
            if self.alive[broker_id]:
                self.bench.heartbeat(broker_id, offset=0 if behind else None)

    def stop(self) -> None:
        broker_id = self._broker()
        response = self.bench.heartbeat(broker_id, shut_down=True, fence=self.rng.chance(0.2))
        if response.error_code == 0 and response.should_shut_down:
            self.alive[broker_id] = False

    def time(self) -> None:
        self.bench.tick(self.rng.uniform_ms(1, 6000))

    def disconnect(self) -> None:
        self.bench.controller.on_broker_disconnected(self._broker(), self.bench.mono_ms)

    def alter_isr(self) -> None:
        found = self._partition()
        if found is None:
            return
        name, number, state = found
        isr = [replica for replica in state.replicas if replica == state.leader or self.rng.chance(0.7)]
        if state.has_leader and isr:
            stale = self.rng.chance(0.1)
            self.bench.alter_isr(
                name,
                number,
                isr,
                partition_epoch=state.partition_epoch - 1 if stale else None,
                recovery_state=RECOVERING if self.rng.chance(0.1) else 0,
                epochs={isr[-1]: 0} if self.rng.chance(0.1) else None,
            )

    def create(self) -> None:
        name = f"t{self.rng.below(5)}"
        configs = {"unclean_leader_election_enable": "true"} if self.rng.chance(0.3) else {}
        if self.rng.chance(0.3):
            configs["min_insync_replicas"] = str(1 + self.rng.below(3))
        self.bench.create(name, 1 + self.rng.below(3), 1 + self.rng.below(3), **configs)

    def delete(self) -> None:
        wanted = DeleteTopicsRequest.DeleteTopicState(name=f"t{self.rng.below(5)}")
        if self.rng.chance(0.3):
            self.bench.submit(self.bench.controller.handle_delete_topics(DeleteTopicsRequest(topics=[wanted]), 6))

    def grow(self) -> None:
        topic = CreatePartitionsRequest.CreatePartitionsTopic(name=f"t{self.rng.below(5)}", count=1 + self.rng.below(5), assignments=None)
        self.bench.submit(self.bench.controller.handle_create_partitions(CreatePartitionsRequest(topics=[topic])))

    def elect(self) -> None:
        request = ElectLeadersRequest(election_type=self.rng.below(2), topic_partitions=None)
        self.bench.submit(self.bench.controller.handle_elect_leaders(request, 2))

    def configure(self) -> None:
        request = IncrementalAlterConfigsRequest
        key, value = [("min.insync.replicas", str(1 + self.rng.below(3))), ("unclean.leader.election.enable", "true")][self.rng.below(2)]
        config = request.AlterableConfig(name=key, config_operation=self.rng.below(2), value=value)
        kind, name = [(TOPIC_RESOURCE, f"t{self.rng.below(5)}"), (4, "")][self.rng.below(2)]
        resource = request.AlterConfigsResource(resource_type=kind, resource_name=name, configs=[config])
        self.bench.submit(self.bench.controller.handle_incremental_alter_configs(request(resources=[resource])))

    def fail_over(self) -> None:
        self.bench.new_controller(self._broker() if self.rng.chance(0.5) else -1)

    def lose_tail(self) -> None:
        """Records are appended, never committed, and gone with the controller that wrote them."""
        committed = len(self.bench.log)
        self.bench.append(self.bench.controller.activate())
        expired = self.bench.controller.tick(self.bench.mono_ms + 20_000)
        if expired is not None:
            self.bench.append(expired)
        del self.bench.log[committed:]
        self.bench.pending.fail()
        self.bench.new_controller()

    def lose_directory(self) -> None:
        broker_id = self._broker()
        self.bench.heartbeat(broker_id, offline=[directory(broker_id, self.rng.below(2))])

    def move_directory(self) -> None:
        found = self._partition()
        if found is None:
            return
        name, number, state = found
        broker_id = state.replicas[self.rng.below(len(state.replicas))]
        request = AssignReplicasToDirsRequest
        topic = request.TopicData(topic_id=self.bench.image.topic_ids[name], partitions=[request.PartitionData(partition_index=number)])
        wanted = request.DirectoryData(id=directory(broker_id, self.rng.below(2)), topics=[topic])
        epoch = self.bench.epochs.get(broker_id, -1)
        self.bench.submit(
            self.bench.controller.handle_assign_replicas_to_dirs(request(broker_id=broker_id, broker_epoch=epoch, directories=[wanted]))
        )

    def unregister(self) -> None:
        if self.rng.chance(0.2):
            broker_id = self._broker()
            self.alive[broker_id] = False
            self.bench.submit(self.bench.controller.handle_unregister_broker(UnregisterBrokerRequest(broker_id=broker_id)))

    def allocate(self) -> None:
        broker_id = self._broker()
        request = AllocateProducerIdsRequest(broker_id=broker_id, broker_epoch=self.bench.epochs.get(broker_id, -1))
        self.bench.submit(self.bench.controller.handle_allocate_producer_ids(request))

    def _broker(self) -> int:
        return BROKERS[self.rng.below(len(BROKERS))]

    def _partition(self) -> tuple[str, int, PartitionState] | None:
        everything = [(self.bench.image.topics[topic_id].name, number, state) for topic_id, number, state in self.bench.image.partitions()]
        return everything[self.rng.below(len(everything))] if everything else None

    # What must hold

    def check(self) -> None:
        """Every invariant, on the committed image and the controller's own state."""
        image = self.bench.image
        assert self.bench.controller.metadata.content() == image.content()
        state = self.bench.controller._context.state
        assert state.indexes.content() == fresh_indexes(image).content()
        for topic_id, number, partition in image.partitions():
            self._check_partition(image.topics[topic_id].name, partition)
            self._check_epochs((topic_id, number), partition)

    def _check_partition(self, topic: str, partition: PartitionState) -> None:
        image = self.bench.image
        assert partition.leader in {-1, *partition.isr}, partition
        assert set(partition.isr) <= set(partition.replicas), partition
        assert set(partition.elr) <= set(partition.replicas), partition
        assert not set(partition.isr) & set(partition.elr), partition
        assert len(partition.directories) == len(partition.replicas), partition
        assert all(image.is_active_broker(member) for member in partition.isr), (partition, image.brokers)
        layers = Layers({}, image.cluster_config(), {})
        min_isr = min(effective_int("min.insync.replicas", image.topic_config(topic), layers), len(partition.replicas))
        assert not partition.elr or len(partition.isr) < min_isr, (partition, min_isr)
        if partition.leader == -1:
            able = [
                member
                for member in (*partition.isr, *partition.elr)
                if image.is_active_broker(member) and image.brokers[member].has_online_directory(partition.directory(member))
            ]
            assert not able, f"nobody leads, though {able} could: {partition}"

    def _check_epochs(self, key: tuple[bytes, int], partition: PartitionState) -> None:
        old = self.seen.get(key)
        self.seen[key] = partition
        if old is None or old == partition:
            return
        assert partition.partition_epoch > old.partition_epoch, (old, partition)
        assert partition.leader_epoch >= old.leader_epoch, (old, partition)
        if partition.leader != old.leader:
            assert partition.leader_epoch > old.leader_epoch, (old, partition)

    def unclean_elections_are_marked(self) -> None:
        """Follow the whole log: a leader from outside ISR and ELR starts as recovering, where that was allowed."""
        builder = ImageBuilder(EMPTY_IMAGE)
        for offset, record in self.bench.log:
            before = {(topic_id, number): state for topic_id, number, state in builder.partitions()}
            builder.apply(offset, record.message)
            for topic_id, number, state in builder.partitions():
                old = before.get((topic_id, number))
                if old is None or state.leader in {-1, old.leader, *old.isr, *old.elr}:
                    continue
                own = builder.topic_config(builder.topics[topic_id].name)
                layers = Layers({}, builder.cluster_config(), self.bench.controller._context.static_texts)
                allowed = effective_bool("unclean.leader.election.enable", own, layers)
                assert state.leader_recovery_state == RECOVERING, (old, state)
                asked = allowed or self.elect in self.actions or self.configure in self.actions
                assert asked or old.last_known_elr == (state.leader,), (old, state)
