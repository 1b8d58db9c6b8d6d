# ruff: noqa: E501 - one key, one line
"""Kafka 4.4's configuration keys, as facts: name, type, default, valid values, scope, and what each means in a line.

One line per key, seven fields separated by tabs:

- name;
- type: boolean, short, int, long, double, string, list, password, class;
- default as text (``~`` for none, ``!`` when the key must be given); ``ours<kafka's`` where ours deviates on purpose;
- valid values: ``low..high``, ``one:a,b`` (``any-case:`` ignores case), ``members:a,b`` of a list, ``nonempty``, or the name of a rule;
- scope: ``static`` (only in the file), ``broker`` (dynamic, one broker), ``cluster`` (dynamic, one broker or all), ``topic``, ``group``,
  ``client-metrics``; a topic key is followed by the broker keys that give its default, first one set wins (``*n``: in units of n ms);
- standing: ``acts`` (we act on it), ``later`` (accepted, checked and stored, without effect so far), ``none`` (accepted; there is nothing in
  this implementation that it could steer);
- meaning.

``tests/conformance`` compares names, types, defaults and limits with Apache Kafka's own classes.
"""

BROKER_KEYS = """\
add.partitions.to.txn.retry.backoff.max.ms	int	100	0..	static	acts	Longest wait before a broker asks the transaction coordinator again to add a partition on a producer's behalf
add.partitions.to.txn.retry.backoff.ms	int	20	1..	static	acts	First wait before a broker asks the transaction coordinator again to add a partition on a producer's behalf
advertised.listeners	list	~	members: nonempty	static	acts	What clients and other brokers are told to connect to, where that is not what is bound
alter.config.policy.class.name	class	~		static	none	A Java class that may veto changes of configurations
alter.log.dirs.replication.quota.window.num	int	11	1..	static	none	Samples kept for the throttle of moves between log directories
alter.log.dirs.replication.quota.window.size.seconds	int	1	1..	static	none	Length of each of those samples
authorizer.class.name	string			static	later	The authoriser; empty means everybody may do everything
auto.create.topics.enable	boolean	true		static	acts	Whether asking for a topic that is not there creates it
auto.leader.rebalance.enable	boolean	true		static	acts	Whether the controller gives leadership back to the first replica from time to time
background.threads	int	10	1..	cluster	none	Threads for background work; this implementation runs on one event loop
broker.heartbeat.interval.ms	int	2000		static	acts	How often a broker tells the controller that it is alive
broker.id	int	-1		static	acts	Older name of node.id; both must agree
broker.rack	string	~		static	acts	Where this broker stands; replicas of a partition are spread over racks
broker.session.timeout.ms	int	9000		static	acts	How long the controller waits for a heartbeat before it fences a broker and moves its leaderships
client.quota.callback.class	class	~		static	none	A Java class that decides client quotas
compression.gzip.level	int	-1	gzip-level	cluster	later	Level used when the broker compresses with gzip itself
compression.lz4.level	int	9	1..17	cluster	later	Level used when the broker compresses with lz4 itself
compression.type	string	producer	one:uncompressed,zstd,lz4,snappy,gzip,producer	cluster	later	Compression of stored batches; producer keeps what the producer chose
compression.zstd.level	int	3	-131072..22	cluster	later	Level used when the broker compresses with zstd itself
config.providers	list		members:	cluster	none	Java classes that fetch values of other keys from elsewhere; never interpolated here
connection.failed.authentication.delay.ms	int	500<100	0..	static	later	How long a connection that failed to authenticate is kept waiting before it is closed
connections.max.idle.ms	long	600000		static	later	Idle connections are closed after this long
connections.max.reauth.ms	long	0		static	later	Longest life of an authenticated session before the client must authenticate again; 0 for no limit
controlled.shutdown.enable	boolean	true		static	acts	Whether a broker that stops hands over its leaderships first
controller.listener.names	list	!	members: nonempty	static	acts	Names of the listeners that controllers talk on
controller.performance.always.log.threshold.ms	long	2000	0..	static	none	Controller events that take longer than this are always logged
controller.performance.sample.period.ms	long	60000	100..	static	none	How often a slow controller event is logged otherwise
controller.quorum.append.linger.ms	int	25	0..	static	later	How long the quorum leader gathers records before it writes them
controller.quorum.auto.join.enable	boolean	false		static	later	Whether a controller adds itself to the voters when it starts
controller.quorum.bootstrap.servers	list			static	acts	Addresses at which the metadata quorum can be found
controller.quorum.election.backoff.max.ms	int	1000	0..	static	acts	Longest random wait before an election is tried again
controller.quorum.election.timeout.ms	int	1000	0..	static	acts	Longest wait of a candidate for votes before it starts over
controller.quorum.fetch.max.bytes	int	1048576	1..	static	later	Most bytes of metadata records in one fetch
controller.quorum.fetch.snapshot.max.bytes	int	1048576	1..	static	later	Most bytes of a metadata snapshot in one fetch
controller.quorum.fetch.timeout.ms	int	2000	0..	static	acts	How long a voter hears nothing from the quorum leader before it starts an election
controller.quorum.request.timeout.ms	int	2000	0..	static	acts	How long a request between quorum members may take
controller.quorum.retry.backoff.ms	int	20	0..	static	later	Wait before a failed request between quorum members is sent again
controller.quorum.voters	list			static	acts	The static voters of the metadata quorum, as id@host:port
controller.quota.window.num	int	11	1..	static	later	Samples kept for the quota of topic and partition changes
controller.quota.window.size.seconds	int	1	1..	static	later	Length of each of those samples
controller.socket.timeout.ms	int	30000		static	later	How long a request to the controller may take
cordoned.log.dirs	list		members:	broker	later	Log directories that get no new replicas
create.topic.policy.class.name	class	~		static	none	A Java class that may veto the creation of topics
default.replication.factor	int	1		static	acts	Replicas of a topic that does not say how many it wants
delegation.token.expiry.check.interval.ms	long	3600000	1..	static	later	How often expired delegation tokens are removed
delegation.token.expiry.time.ms	long	86400000	1..	static	later	How long a delegation token is valid before it must be renewed
delegation.token.max.lifetime.ms	long	604800000	1..	static	later	How long a delegation token can be renewed at all
delegation.token.secret.key	password	~		static	later	Key that signs delegation tokens; without it there are none
delete.records.purgatory.purge.interval.requests	int	1		static	none	Cleaning interval of waiting DeleteRecords requests
delete.topic.enable	boolean	true		static	acts	Whether topics may be deleted
early.start.listeners	list	~	members:	static	later	Listeners that open before authorisation data is loaded
errors.deadletterqueue.auto.create.topics.enable	boolean	false		cluster	later	Whether dead letter topics of share groups are made when needed
errors.deadletterqueue.topic.name.prefix	string	dlq.		cluster	later	How dead letter topics of share groups begin
fetch.max.bytes	int	57671680	1024..	static	acts	Most bytes in one fetch response
fetch.purgatory.purge.interval.requests	int	1000		static	none	Cleaning interval of waiting fetches
follower.fetch.last.tiered.offset.enable	boolean	false		cluster	none	Where a new follower of a tiered topic begins
follower.replication.throttled.rate	long	9223372036854775807	0..	cluster	later	Bytes per second of throttled replication that a follower takes in
group.consumer.assignment.interval.ms	int	1000	0..	cluster	acts	Least time between two assignments of a consumer group (KIP-848)
group.consumer.assignor.offload.enable	boolean	true		cluster	none	Whether assignments are worked out on another thread
group.consumer.assignors	list	uniform,range	members: nonempty	static	acts	Server-side assignors of consumer groups, the default first (KIP-848)
group.consumer.heartbeat.interval.ms	int	5000	1..	static	acts	How often members of a consumer group send heartbeats (KIP-848)
group.consumer.max.assignment.interval.ms	int	15000	0..	static	acts	Upper limit for a group's own assignment interval
group.consumer.max.heartbeat.interval.ms	int	15000	1..	static	acts	Upper limit for a group's own heartbeat interval
group.consumer.max.session.timeout.ms	int	60000	1..	static	acts	Upper limit for a group's own session timeout
group.consumer.max.size	int	2147483647	1..	static	acts	Most members of one consumer group (KIP-848)
group.consumer.migration.policy	string	bidirectional	any-case:DISABLED,DOWNGRADE,UPGRADE,BIDIRECTIONAL	static	acts	Whether groups may move between the classic and the new protocol, and which way
group.consumer.min.assignment.interval.ms	int	0	0..	static	acts	Lower limit for a group's own assignment interval
group.consumer.min.heartbeat.interval.ms	int	5000	1..	static	acts	Lower limit for a group's own heartbeat interval
group.consumer.min.session.timeout.ms	int	45000	1..	static	acts	Lower limit for a group's own session timeout
group.consumer.regex.refresh.interval.ms	int	600000	10000..	static	acts	How often regular expressions of subscriptions are looked up anew
group.consumer.session.timeout.ms	int	45000	1..	static	acts	How long a member of a consumer group may be silent before it is removed (KIP-848)
group.coordinator.append.linger.ms	int	-1	-1..	static	later	How long the group coordinator gathers writes; -1 adapts to the load
group.coordinator.background.threads	int	2	1..	static	none	Threads for assignments
group.coordinator.cached.buffer.max.bytes	int	1048588	524288..	cluster	none	Size of write buffers that the group coordinator keeps
group.coordinator.rebalance.protocols	list	classic,consumer,streams	members:consumer,classic,share,streams nonempty	static	later	Group protocols that the broker offers
group.coordinator.threads	int	4	1..	static	none	Threads of the group coordinator
group.initial.rebalance.delay.ms	int	3000		static	acts	How long the first rebalance of a new classic group waits for more members
group.max.session.timeout.ms	int	1800000		static	acts	Longest session timeout that a classic member may ask for
group.max.size	int	2147483647	1..	static	acts	Most members of one classic group
group.min.session.timeout.ms	int	6000		static	acts	Shortest session timeout that a classic member may ask for
group.share.assignment.interval.ms	int	1000	0..	cluster	later	Least time between two assignments of a share group
group.share.assignor.offload.enable	boolean	true		cluster	none	Whether share assignments are worked out on another thread
group.share.assignors	list	simple	members: nonempty	static	later	Assignors of share groups
group.share.delivery.count.limit	int	5	2..10	static	later	How often a record is delivered to a share group before it is given up
group.share.dlq.manager.class.name	string	org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager		static	none	A Java class that handles dead letters of share groups
group.share.heartbeat.interval.ms	int	5000	1..	static	later	How often members of a share group send heartbeats
group.share.initialize.retry.interval.ms	int	30000	1..	static	later	Wait before a share partition is initialised again
group.share.max.assignment.interval.ms	int	15000	0..	static	later	Upper limit for a share group's own assignment interval
group.share.max.delivery.count.limit	int	10	5..25	static	later	Upper limit for a share group's own delivery count
group.share.max.heartbeat.interval.ms	int	15000	1..	static	later	Upper limit for a share group's own heartbeat interval
group.share.max.partition.max.record.locks	int	4000	2000..10000	static	later	Upper limit for a share group's own number of record locks
group.share.max.record.lock.duration.ms	int	60000	30000..3600000	static	later	Upper limit for a share group's own record lock duration
group.share.max.session.timeout.ms	int	60000	1..	static	later	Upper limit for a share group's own session timeout
group.share.max.share.sessions	int	2000	1..	static	later	Most share sessions per broker
group.share.max.size	int	200	1..1000	static	later	Most members of one share group
group.share.min.assignment.interval.ms	int	0	0..	static	later	Lower limit for a share group's own assignment interval
group.share.min.delivery.count.limit	int	2	2..5	static	later	Lower limit for a share group's own delivery count
group.share.min.heartbeat.interval.ms	int	5000	1..	static	later	Lower limit for a share group's own heartbeat interval
group.share.min.partition.max.record.locks	int	100	100..2000	static	later	Lower limit for a share group's own number of record locks
group.share.min.record.lock.duration.ms	int	15000	1000..30000	static	later	Lower limit for a share group's own record lock duration
group.share.min.session.timeout.ms	int	45000	1..	static	later	Lower limit for a share group's own session timeout
group.share.partition.max.record.locks	int	2000	100..10000	static	later	Most records of a share partition that are locked at once
group.share.persister.class.name	string	org.apache.kafka.server.share.persister.DefaultStatePersister		static	none	A Java class that stores the state of share groups
group.share.record.lock.duration.ms	int	30000	1000..3600000	static	later	How long a delivered record is locked for its consumer
group.share.session.timeout.ms	int	45000	1..	static	later	How long a member of a share group may be silent
group.streams.acceptable.recovery.lag	long	10000	0..	static	later	How far behind a state store may be to count as caught up
group.streams.assignment.interval.ms	int	1000	0..	cluster	later	Least time between two assignments of a streams group
group.streams.assignor.offload.enable	boolean	true		cluster	none	Whether streams assignments are worked out on another thread
group.streams.assignors	list	sticky	members: nonempty	static	later	Assignors of streams groups
group.streams.heartbeat.interval.ms	int	5000	1..	static	later	How often members of a streams group send heartbeats
group.streams.initial.rebalance.delay.ms	int	3000	0..	static	later	How long the first assignment of a streams group waits for more members
group.streams.max.assignment.interval.ms	int	15000	0..	static	later	Upper limit for a streams group's own assignment interval
group.streams.max.heartbeat.interval.ms	int	15000	1..	static	later	Upper limit for a streams group's own heartbeat interval
group.streams.max.session.timeout.ms	int	60000	1..	static	later	Upper limit for a streams group's own session timeout
group.streams.max.size	int	2147483647	1..	static	later	Most members of one streams group
group.streams.max.standby.replicas	int	2	0..	static	later	Upper limit for a streams group's own standby replicas
group.streams.max.warmup.replicas	int	20	0..	static	later	Upper limit for a streams group's own warm-up replicas
group.streams.min.assignment.interval.ms	int	0	0..	static	later	Lower limit for a streams group's own assignment interval
group.streams.min.heartbeat.interval.ms	int	5000	1..	static	later	Lower limit for a streams group's own heartbeat interval
group.streams.min.session.timeout.ms	int	45000	1..	static	later	Lower limit for a streams group's own session timeout
group.streams.min.task.offset.interval.ms	int	15000	1..	static	later	Lower limit for a streams group's own task offset interval
group.streams.num.standby.replicas	int	0	0..	static	later	Standby replicas of each streams task
group.streams.num.warmup.replicas	int	2	0..	static	later	Streams tasks that may warm up at once
group.streams.rack.aware.assignment.tags	list		members:	static	later	Client tags over which standby tasks are spread
group.streams.session.timeout.ms	int	45000	1..	static	later	How long a member of a streams group may be silent
group.streams.task.offset.interval.ms	int	60000	1..	static	later	How often streams members report how far their tasks are
group.streams.topology.description.plugin.class	class	~		static	none	A Java class that keeps descriptions of streams topologies
holdwater.authentication.timeout.ms	int	10000	1..	static	later	A connection that has not authenticated after this long is closed
holdwater.durable.acks	boolean	false		cluster	acts	Level fsync: nothing is acknowledged or committed before it is synced to disk, on leader and followers
holdwater.elect.last.known.leader	boolean	true		static	acts	Whether the last leader of a partition with no eligible replica left may lead again, marked as an unclean election; Apache Kafka always lets it
holdwater.max.record.expansion	int	10	1..	static	acts	How many times max.message.bytes a compressed batch may unpack to
holdwater.max.request.elements	int	20000	1..	static	later	Most structures in one client request; a larger one closes the connection
holdwater.max.unauthenticated.request.elements	int	1000	1..	static	later	The same before a connection has authenticated
holdwater.quick.failover.ms	int	300	0..	static	acts	How long a broker counts as alive after its connection to the controller has dropped, unless it sends a heartbeat
holdwater.quick.start.ms	int	100	0..	static	acts	A voter that has never seen a leader waits at most this long, at random, before it stands for election
holdwater.record.validation	string	header	one:header,records	static	acts	header checks batches by their header and checksum; records opens each batch as Apache Kafka does
initial.broker.registration.timeout.ms	int	60000		static	later	How long a broker tries to register before it gives up
inter.broker.listener.name	string	~		static	acts	The listener on which brokers talk to each other
internal.metadata.delete.delay.millis	long	60000		static	none	How long removed files of the metadata log stay on disk
internal.metadata.log.segment.bytes	int	~		static	none	Segment size of the metadata log in tests
internal.metadata.max.batch.size.in.bytes	int	8388608		static	later	Largest batch of the metadata log
kafka.metrics.polling.interval.secs	int	10	1..	static	none	How often Java metrics reporters poll
kafka.metrics.reporters	list		members:	static	none	Java classes that report metrics
leader.imbalance.check.interval.seconds	long	300	1..	static	acts	How often the controller looks for partitions that are not led by their first replica
leader.replication.throttled.rate	long	9223372036854775807	0..	cluster	later	Bytes per second of throttled replication that a leader gives out
listener.security.protocol.map	string	SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT		broker	acts	Which security protocol each listener speaks
listeners	list	PLAINTEXT://:9092	members: nonempty	broker	acts	What this node binds, as NAME://HOST:PORT
log.cleaner.backoff.ms	long	15000	0..	cluster	acts	How long compaction sleeps when there is nothing to do
log.cleaner.dedupe.buffer.size	long	134217728		cluster	acts	Memory for the map of keys in compaction
log.cleaner.delete.retention.ms	long	86400000	0..	cluster	acts	How long compaction keeps a deletion (a record without value) for readers to see
log.cleaner.enable	boolean	true		static	acts	Whether compaction runs
log.cleaner.io.buffer.load.factor	double	0.9		cluster	none	How full compaction's map of keys may be
log.cleaner.io.buffer.size	int	524288	0..	cluster	none	Memory for reading and writing in compaction
log.cleaner.io.max.bytes.per.second	double	1.7976931348623157E308		cluster	acts	Most bytes per second that compaction reads and writes
log.cleaner.max.compaction.lag.ms	long	9223372036854775807	1..	cluster	acts	Longest time that a record may stay uncompacted
log.cleaner.min.cleanable.ratio	double	0.5	0..1	cluster	acts	Share of a log that must be new before it is compacted
log.cleaner.min.compaction.lag.ms	long	0	0..	cluster	acts	Shortest time that a record stays uncompacted
log.cleaner.threads	int	1	0..	cluster	none	Threads for compaction
log.cleanup.policy	list	delete	members:compact,delete	cluster	acts	What happens to old segments: delete, compact, or both
log.dir	list	/tmp/kafka-logs	members: nonempty	static	acts	The log directory, when log.dirs says nothing
log.dir.failure.timeout.ms	long	30000	1..	static	later	A broker that cannot tell the controller about a failed directory stops after this long
log.dirs	list	~	members: nonempty	static	acts	Directories that hold partitions
log.flush.interval.messages	long	9223372036854775807	1..	cluster	acts	Level interval: sync a log once so many of its records are unsynced
log.flush.interval.ms	long	~		cluster	acts	Level interval: sync a log once its oldest unsynced record has waited this long
log.flush.offset.checkpoint.interval.ms	int	60000	0..	static	acts	How often the recovery points are written down
log.flush.scheduler.interval.ms	long	9223372036854775807		static	acts	Gives log.flush.interval.ms its default; a log is synced when it is due, not looked at from time to time
log.flush.start.offset.checkpoint.interval.ms	int	60000	0..	static	acts	How often the log start offsets are written down
log.index.interval.bytes	int	4096	0..	cluster	acts	Bytes of records between two entries of an offset index
log.index.size.max.bytes	int	10485760	4..	cluster	acts	Largest index file; a full one rolls the segment
log.initial.task.delay.ms	long	30000	0..	static	acts	Wait after the start before retention and checkpoints begin
log.local.retention.bytes	long	-2	-2..	cluster	none	Bytes kept locally of a tiered topic
log.local.retention.ms	long	-2	-2..	cluster	none	Time kept locally of a tiered topic
log.message.timestamp.after.max.ms	long	3600000	0..	cluster	acts	How far in the future a record's timestamp may lie
log.message.timestamp.before.max.ms	long	9223372036854775807	0..	cluster	acts	How far in the past a record's timestamp may lie
log.message.timestamp.type	string	CreateTime	one:CreateTime,LogAppendTime	cluster	acts	Whether records keep the producer's time or get the broker's
log.preallocate	boolean	false		cluster	none	Whether new segments take their disk space at once
log.remote.copy.lag.bytes	long	-1	-1..	cluster	none	Bytes kept back from tiered storage
log.remote.copy.lag.ms	long	0	-1..	cluster	none	Time kept back from tiered storage
log.retention.bytes	long	-1		cluster	acts	Largest size of a partition before its oldest segments are deleted
log.retention.check.interval.ms	long	300000	1..	static	acts	How often retention looks for segments to delete
log.retention.hours	int	168		static	acts	Age at which segments are deleted, in hours; minutes and ms come first
log.retention.minutes	int	~		static	acts	Age at which segments are deleted, in minutes; ms comes first
log.retention.ms	long	~		cluster	acts	Age at which segments are deleted; -1 for never
log.roll.hours	int	168	1..	static	acts	Age at which a new segment begins, in hours; ms comes first
log.roll.jitter.hours	int	0	0..	static	later	Random part taken off that age, in hours; ms comes first
log.roll.jitter.ms	long	~		cluster	later	Random part taken off that age
log.roll.ms	long	~		cluster	acts	Age at which a new segment begins
log.segment.bytes	int	1073741824	1048576..	cluster	acts	Size at which a new segment begins
log.segment.delete.delay.ms	long	60000	0..	cluster	later	How long a deleted segment's files stay on disk
max.connection.creation.rate	int	2000<2147483647	0..	cluster	later	New connections per second that the broker accepts
max.connections	int	12000<2147483647	0..	cluster	acts	Connections that the broker accepts at once
max.connections.per.ip	int	6000<2147483647	0..	cluster	later	Connections that the broker accepts at once from one address
max.connections.per.ip.overrides	string			cluster	later	The same for particular addresses
max.decompressed.message.bytes	int	67108864<2147483639	1..2147483639	cluster	acts	Most bytes that one compressed batch may unpack to
max.incremental.fetch.session.cache.slots	int	1000	0..	static	acts	Incremental fetch sessions that the broker keeps
max.request.partition.size.limit	int	2000	1..	static	acts	Most partitions in one response of DescribeTopicPartitions
message.max.bytes	int	1048588	0..	cluster	acts	Largest batch that a producer may send
metadata.log.dir	string	~		static	acts	Directory of the metadata log, if not the first log directory
metadata.log.max.record.bytes.between.snapshots	long	20971520	1..	static	acts	Bytes of metadata records after which a snapshot is written
metadata.log.max.snapshot.interval.ms	long	3600000	0..	static	later	Time after which a snapshot is written
metadata.log.segment.bytes	int	1073741824	8388608..	static	acts	Segment size of the metadata log
metadata.log.segment.ms	long	604800000		static	acts	Age at which the metadata log begins a new segment
metadata.max.idle.interval.ms	int	500	0..	static	acts	How often the active controller writes an empty record when there is nothing else; 0 for never
metadata.max.retention.bytes	long	104857600		static	later	Size of metadata log and snapshots above which old ones go
metadata.max.retention.ms	long	604800000		static	later	Age of metadata log and snapshots above which old ones go
metric.reporters	list	org.apache.kafka.common.metrics.JmxReporter	members:	cluster	none	Java classes that report metrics
metrics.num.samples	int	2	1..	static	none	Samples kept for Java metrics
metrics.recording.level	string	INFO		static	none	How detailed Java metrics are
metrics.sample.window.ms	long	30000	1..	static	none	Length of a sample of Java metrics
min.insync.replicas	int	1	1..	cluster	acts	In-sync replicas that acks=all needs; with eligible leader replicas the cluster-wide value counts, not the file's
node.id	int	!	0..	static	acts	Number of this node, unique in the cluster
num.io.threads	int	8	1..	cluster	none	Threads for requests
num.network.threads	int	3	1..	cluster	none	Threads for the network
num.partitions	int	1	1..	static	acts	Partitions of a topic that does not say how many it wants
num.recovery.threads.per.data.dir	int	2	1..	cluster	none	Threads for recovery
num.replica.alter.log.dirs.threads	int	~		static	none	Threads for moves between log directories
num.replica.fetchers	int	1	1..	cluster	later	Connections over which a follower fetches from each leader
offset.metadata.max.bytes	int	4096		static	acts	Largest text that a consumer may commit with an offset
offsets.commit.timeout.ms	int	5000	1..	static	acts	How long an offset commit may wait for the replicas
offsets.load.buffer.size	int	5242880	1..	static	later	Bytes read at a time when committed offsets are loaded
offsets.retention.check.interval.ms	long	600000	1..	static	acts	How often expired committed offsets are removed
offsets.retention.minutes	int	10080	1..	static	acts	How long the offsets of an empty group are kept
offsets.topic.compression.codec	int	0		static	acts	Compression of the committed offsets topic
offsets.topic.num.partitions	int	50	1..	static	acts	Partitions of the committed offsets topic
offsets.topic.replication.factor	short	3	1..	static	acts	Replicas of the committed offsets topic
offsets.topic.segment.bytes	int	104857600	1..	static	acts	Segment size of the committed offsets topic
principal.builder.class	class	org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder		broker	none	A Java class that names the user of a connection
process.roles	list	!	members:broker,controller nonempty	static	acts	What this node is: broker, controller, or both
producer.id.expiration.check.interval.ms	int	600000	1..	static	acts	How often expired producer states are removed
producer.id.expiration.ms	int	86400000	1..	cluster	acts	How long the state of a silent producer is kept
producer.purgatory.purge.interval.requests	int	1000		static	none	Cleaning interval of waiting produce requests
queued.max.request.bytes	long	268435456<-1		static	later	Bytes of requests that wait to be handled; beyond it the broker stops reading
queued.max.requests	int	500	1..	static	later	Requests that wait to be handled
quota.window.num	int	11	1..	static	later	Samples kept for client quotas
quota.window.size.seconds	int	1	1..	static	later	Length of each of those samples
remote.fetch.max.wait.ms	int	500	1..	cluster	none	How long a fetch from tiered storage may wait
remote.list.offsets.request.timeout.ms	long	30000	1..	cluster	none	How long a look into tiered storage for offsets may take
remote.log.index.file.cache.total.size.bytes	long	1073741824	1..	cluster	none	Space for indexes of tiered segments
remote.log.index.file.cache.ttl.ms	long	900000	-1..	static	none	How long such an index is kept
remote.log.manager.copier.thread.pool.size	int	10	1..	cluster	none	Threads that copy to tiered storage
remote.log.manager.copy.max.bytes.per.second	long	9223372036854775807	1..	cluster	none	Most bytes per second copied to tiered storage
remote.log.manager.copy.quota.window.num	int	11	1..	static	none	Samples kept for that limit
remote.log.manager.copy.quota.window.size.seconds	int	1	1..	static	none	Length of each of those samples
remote.log.manager.expiration.thread.pool.size	int	10	1..	cluster	none	Threads that delete from tiered storage
remote.log.manager.fetch.max.bytes.per.second	long	9223372036854775807	1..	cluster	none	Most bytes per second fetched from tiered storage
remote.log.manager.fetch.quota.window.num	int	11	1..	static	none	Samples kept for that limit
remote.log.manager.fetch.quota.window.size.seconds	int	1	1..	static	none	Length of each of those samples
remote.log.manager.follower.thread.pool.size	int	2	1..	cluster	none	Threads for tiered storage on followers
remote.log.manager.task.interval.ms	long	30000	1..	static	none	How often tiered storage is looked after
remote.log.manager.task.retry.backoff.max.ms	long	30000	1..	static	none	Longest wait before such work is tried again
remote.log.manager.task.retry.backoff.ms	long	500	1..	static	none	First wait before such work is tried again
remote.log.manager.task.retry.jitter	double	0.2	0..0.5	static	none	Random part of that wait
remote.log.manager.thread.pool.size	int	2	1..	static	none	Threads for tiered storage
remote.log.metadata.custom.metadata.max.bytes	int	128	0..	static	none	Largest custom metadata of a tiered segment
remote.log.metadata.manager.class.name	string	org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager	nonempty	static	none	A Java class that keeps track of tiered segments
remote.log.metadata.manager.class.path	string	~		static	none	Where that class is found
remote.log.metadata.manager.impl.prefix	string	rlmm.config.	nonempty	static	none	How keys of that class begin
remote.log.metadata.manager.listener.name	string	~	nonempty	static	none	The listener that class connects to
remote.log.reader.max.pending.tasks	int	100	1..	static	none	Waiting reads of tiered storage
remote.log.reader.threads	int	10	1..	cluster	none	Threads that read from tiered storage
remote.log.storage.manager.class.name	string	~	nonempty	static	none	A Java class that stores tiered segments
remote.log.storage.manager.class.path	string	~		static	none	Where that class is found
remote.log.storage.manager.impl.prefix	string	rsm.config.	nonempty	static	none	How keys of that class begin
remote.log.storage.system.enable	boolean	false		static	none	Whether there is tiered storage; there is none here
replica.alter.log.dirs.io.max.bytes.per.second	long	9223372036854775807	0..	cluster	none	Bytes per second of moves between log directories
replica.fetch.backoff.ms	int	1000	0..	static	acts	Wait of a follower after a failed fetch
replica.fetch.max.bytes	int	1048576	0..	static	acts	Bytes that a follower asks for per partition
replica.fetch.min.bytes	int	1		static	acts	Bytes that a leader waits for before it answers a follower
replica.fetch.response.max.bytes	int	10485760	0..	static	acts	Bytes that a follower asks for in all
replica.fetch.wait.max.ms	int	500		static	acts	How long a leader waits for those bytes
replica.high.watermark.checkpoint.interval.ms	long	5000		static	acts	How often the high watermarks are written down
replica.lag.time.max.ms	long	30000		static	acts	A follower that has not caught up for this long leaves the in-sync replicas
replica.selector.class	string	~		static	later	Which replica a consumer in the same rack may read from
replica.socket.receive.buffer.bytes	int	65536		static	none	Receive buffer of a follower's connection
replica.socket.timeout.ms	int	30000		static	acts	How long a follower's request may take
replication.quota.window.num	int	11	1..	static	later	Samples kept for replication throttles
replication.quota.window.size.seconds	int	1	1..	static	later	Length of each of those samples
request.timeout.ms	int	30000		static	acts	How long a request between brokers may take
sasl.client.callback.handler.class	class	~		static	none	A Java class that answers SASL questions on outgoing connections
sasl.enabled.mechanisms	list	GSSAPI	members:	broker	later	SASL mechanisms that clients may use
sasl.jaas.config	password	~		broker	later	Credentials for SASL, in JAAS syntax
sasl.kerberos.kinit.cmd	string	/usr/bin/kinit		broker	none	Path of kinit
sasl.kerberos.min.time.before.relogin	long	60000		broker	none	Least time between two Kerberos logins
sasl.kerberos.principal.to.local.rules	list	DEFAULT	members:	broker	none	How Kerberos principals become user names
sasl.kerberos.service.name	string	~		broker	none	Kerberos name of the brokers
sasl.kerberos.ticket.renew.jitter	double	0.05		broker	none	Random part of the time before a ticket is renewed
sasl.kerberos.ticket.renew.window.factor	double	0.8		broker	none	Share of a ticket's life after which it is renewed
sasl.login.callback.handler.class	class	~		static	none	A Java class that answers questions at login
sasl.login.class	class	~		static	none	A Java class that logs in
sasl.login.connect.timeout.ms	int	~		static	none	How long a connection to a token server may take
sasl.login.read.timeout.ms	int	~		static	none	How long an answer of a token server may take
sasl.login.refresh.buffer.seconds	short	300		broker	none	Least life left of a token when it is refreshed
sasl.login.refresh.min.period.seconds	short	60		broker	none	Least time between two refreshes
sasl.login.refresh.window.factor	double	0.8		broker	none	Share of a token's life after which it is refreshed
sasl.login.refresh.window.jitter	double	0.05		broker	none	Random part of that share
sasl.login.retry.backoff.max.ms	long	10000		static	none	Longest wait before a token server is asked again
sasl.login.retry.backoff.ms	long	100		static	none	First wait before a token server is asked again
sasl.mechanism.controller.protocol	string	GSSAPI		static	later	SASL mechanism for connections to controllers
sasl.mechanism.inter.broker.protocol	string	GSSAPI		broker	later	SASL mechanism for connections between brokers
sasl.oauthbearer.allow.unverified.audience	boolean	false		static	later	Whether a token is taken though nobody says which audience to expect
sasl.oauthbearer.allow.unverified.issuer	boolean	false		static	later	Whether a token is taken though nobody says which issuer to expect
sasl.oauthbearer.assertion.algorithm	string	RS256	any-case:ES256,RS256	static	none	Algorithm that signs assertions for a token server
sasl.oauthbearer.assertion.claim.aud	string	~		static	none	Audience in those assertions
sasl.oauthbearer.assertion.claim.exp.seconds	int	300	0..86400	static	none	Life of those assertions
sasl.oauthbearer.assertion.claim.iss	string	~		static	none	Issuer in those assertions
sasl.oauthbearer.assertion.claim.jti.include	boolean	false		static	none	Whether those assertions carry an id
sasl.oauthbearer.assertion.claim.nbf.seconds	int	60	0..3600	static	none	How far back those assertions begin to hold
sasl.oauthbearer.assertion.claim.sub	string	~		static	none	Subject in those assertions
sasl.oauthbearer.assertion.file	string	~		static	none	File with a ready assertion
sasl.oauthbearer.assertion.private.key.file	string	~		static	none	File with the key that signs assertions
sasl.oauthbearer.assertion.private.key.passphrase	password	~		static	none	Passphrase of that key
sasl.oauthbearer.assertion.template.file	string	~		static	none	File with the rest of an assertion
sasl.oauthbearer.client.credentials.client.id	string	~		static	none	Client id for a token server
sasl.oauthbearer.client.credentials.client.secret	password	~		static	none	Client secret for a token server
sasl.oauthbearer.clock.skew.seconds	int	30		static	later	How far clocks may differ when a token is checked
sasl.oauthbearer.expected.audience	list		members:	static	later	Audiences that a token must name
sasl.oauthbearer.expected.issuer	string	~		static	later	Issuer that a token must name
sasl.oauthbearer.jwks.endpoint.refresh.ms	long	3600000		static	later	How often the keys of the token server are read again
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms	long	10000		static	later	Longest wait before a failed read of those keys is tried again
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms	long	100		static	later	First wait before a failed read of those keys is tried again
sasl.oauthbearer.jwks.endpoint.url	string	~		static	later	Where the keys of the token server are
sasl.oauthbearer.jwt.retriever.class	class	org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever		static	none	A Java class that gets tokens
sasl.oauthbearer.jwt.validator.class	class	org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator		static	none	A Java class that checks tokens
sasl.oauthbearer.scope	string	~		static	none	Scope asked of a token server
sasl.oauthbearer.scope.claim.name	string	scope		static	later	Claim of a token that holds its scope
sasl.oauthbearer.sub.claim.name	string	sub		static	later	Claim of a token that holds the user
sasl.oauthbearer.token.endpoint.url	string	~		static	none	Where tokens are got
sasl.server.callback.handler.class	class	~		static	none	A Java class that checks SASL credentials
sasl.server.max.receive.size	int	65536<524288		static	later	Largest request of a connection that has not authenticated
security.inter.broker.protocol	string	PLAINTEXT	one:PLAINTEXT,SSL,SASL_PLAINTEXT,SASL_SSL	static	acts	Security protocol between brokers, when inter.broker.listener.name says nothing
security.providers	string	~		static	none	Java security providers
server.max.startup.time.ms	long	9223372036854775807	0..	static	later	A broker that has not started after this long gives up
share.coordinator.append.linger.ms	int	-1	-1..	static	later	How long the share coordinator gathers writes
share.coordinator.cached.buffer.max.bytes	int	1048588	524288..	cluster	none	Size of write buffers that the share coordinator keeps
share.coordinator.cold.partition.snapshot.interval.ms	int	300000	1..	static	later	How often the state of quiet share partitions is written anew
share.coordinator.load.buffer.size	int	5242880	1..	static	later	Bytes read at a time when share state is loaded
share.coordinator.snapshot.update.records.per.snapshot	int	500	0..500	static	later	Changes of share state between two full ones
share.coordinator.state.topic.compression.codec	int	0		static	later	Compression of the share state topic
share.coordinator.state.topic.min.isr	short	2	1..	static	later	In-sync replicas that the share state topic needs
share.coordinator.state.topic.num.partitions	int	50	1..	static	later	Partitions of the share state topic
share.coordinator.state.topic.prune.interval.ms	int	300000	1..	static	later	How often superseded share state is removed
share.coordinator.state.topic.replication.factor	short	3	1..	static	later	Replicas of the share state topic
share.coordinator.state.topic.segment.bytes	int	104857600	1..	static	later	Segment size of the share state topic
share.coordinator.threads	int	1	1..	static	none	Threads of the share coordinator
share.coordinator.write.timeout.ms	int	5000	1..	static	later	How long a write of share state may wait for the replicas
share.fetch.purgatory.purge.interval.requests	int	1000		static	none	Cleaning interval of waiting share fetches
socket.connection.setup.timeout.max.ms	long	30000		static	later	Longest wait for an outgoing connection
socket.connection.setup.timeout.ms	long	10000		static	later	First wait for an outgoing connection
socket.listen.backlog.size	int	50	1..	static	later	Connections that wait to be accepted
socket.receive.buffer.bytes	int	102400		static	later	Receive buffer of each connection; -1 leaves it to the system
socket.request.max.bytes	int	104857600	1..	static	acts	Largest request
socket.send.buffer.bytes	int	102400		static	later	Send buffer of each connection; -1 leaves it to the system
ssl.allow.dn.changes	boolean	false		static	none	Whether a reloaded certificate may have another subject
ssl.allow.san.changes	boolean	false		static	none	Whether a reloaded certificate may have other names
ssl.cipher.suites	list		members:	broker	later	TLS cipher suites allowed; empty for all
ssl.client.auth	string	none	one:required,requested,none	broker	later	Whether clients must show a certificate
ssl.enabled.protocols	list	TLSv1.2,TLSv1.3	members:	broker	later	TLS versions allowed
ssl.endpoint.identification.algorithm	string	https		broker	later	How the name in a server's certificate is checked; empty for not at all
ssl.engine.factory.class	class	~		broker	none	A Java class that makes TLS engines
ssl.key.password	password	~		broker	later	Password of the private key
ssl.keymanager.algorithm	string	SunX509		broker	none	Java's name for a way to choose keys
ssl.keystore.certificate.chain	password	~		broker	later	Certificate chain, as PEM text
ssl.keystore.key	password	~		broker	later	Private key, as PEM text
ssl.keystore.location	string	~		broker	later	File with key and certificate
ssl.keystore.password	password	~		broker	later	Password of that file
ssl.keystore.type	string	JKS		broker	later	Format of that file; PEM is what this implementation reads
ssl.principal.mapping.rules	string	DEFAULT		static	later	How the subject of a certificate becomes a user name
ssl.protocol	string	TLSv1.3		broker	later	Newest TLS version offered
ssl.provider	string	~		broker	none	Java security provider for TLS
ssl.secure.random.implementation	string	~		broker	none	Java's source of randomness for TLS
ssl.trustmanager.algorithm	string	PKIX		broker	none	Java's name for a way to check certificates
ssl.truststore.certificates	password	~		broker	later	Trusted certificates, as PEM text
ssl.truststore.location	string	~		broker	later	File with trusted certificates
ssl.truststore.password	password	~		broker	later	Password of that file
ssl.truststore.type	string	JKS		broker	later	Format of that file; PEM is what this implementation reads
telemetry.max.bytes	int	1048576	1..	static	later	Largest push of client metrics
transaction.abort.timed.out.transaction.cleanup.interval.ms	int	10000	1..	static	acts	How often transactions past their timeout are looked for
transaction.max.timeout.ms	int	900000	1..	static	acts	Longest timeout that a transactional producer may ask for
transaction.partition.verification.enable	boolean	true		cluster	acts	Whether a partition makes sure that a transaction is open before it takes its first records
transaction.remove.expired.transaction.cleanup.interval.ms	int	3600000	1..	static	acts	How often expired transactional ids are looked for
transaction.state.log.load.buffer.size	int	5242880	1..	static	later	Bytes read at a time when transaction state is loaded
transaction.state.log.min.isr	int	2	1..	static	acts	In-sync replicas that the transaction state topic needs
transaction.state.log.num.partitions	int	50	1..	static	acts	Partitions of the transaction state topic
transaction.state.log.replication.factor	short	3	1..	static	acts	Replicas of the transaction state topic
transaction.state.log.segment.bytes	int	104857600	1..	static	acts	Segment size of the transaction state topic
transaction.two.phase.commit.enable	boolean	false		static	acts	Whether transactions may wait for somebody else's commit
transactional.id.expiration.ms	int	604800000	1..	static	acts	How long an unused transactional id is remembered
unclean.leader.election.enable	boolean	false		cluster	acts	Whether a replica that lacks acknowledged records may lead when nobody else can
unclean.leader.election.interval.ms	long	300000	1..	static	acts	How often the controller looks for partitions that may be elected so
unstable.api.versions.enable	boolean	false		static	none	Whether request versions still in the making are offered
unstable.feature.versions.enable	boolean	false		static	none	Whether feature levels still in the making are offered
"""
"""Keys of ``server.properties``, and the three that exist only dynamically (replication throttles)."""

TOPIC_KEYS = """\
cleanup.policy	list	delete	members:compact,delete	topic log.cleanup.policy	acts	What happens to old segments: delete, compact, or both
compression.gzip.level	int	-1	gzip-level	topic compression.gzip.level	later	Level used when the broker compresses with gzip itself
compression.lz4.level	int	9	1..17	topic compression.lz4.level	later	Level used when the broker compresses with lz4 itself
compression.type	string	producer	one:uncompressed,zstd,lz4,snappy,gzip,producer	topic compression.type	later	Compression of stored batches; producer keeps what the producer chose
compression.zstd.level	int	3	-131072..22	topic compression.zstd.level	later	Level used when the broker compresses with zstd itself
delete.retention.ms	long	86400000	0..	topic log.cleaner.delete.retention.ms	acts	How long compaction keeps a deletion (a record without value) for readers to see
errors.deadletterqueue.group.enable	boolean	false		topic	later	Whether the topic takes dead letters of share groups
file.delete.delay.ms	long	60000	0..	topic log.segment.delete.delay.ms	later	How long a deleted segment's files stay on disk
flush.messages	long	9223372036854775807	1..	topic log.flush.interval.messages	acts	Level interval: sync the log once so many of its records are unsynced
flush.ms	long	9223372036854775807	0..	topic log.flush.interval.ms,log.flush.scheduler.interval.ms	acts	Level interval: sync the log once its oldest unsynced record has waited this long
follower.replication.throttled.replicas	list		throttled	topic	later	Replicas whose followers are throttled, as partition:broker, or * for all
holdwater.durable.acks	boolean	false		topic holdwater.durable.acks	acts	Level fsync: nothing is acknowledged or committed before it is synced to disk, on leader and followers
index.interval.bytes	int	4096	0..	topic log.index.interval.bytes	acts	Bytes of records between two entries of the offset index
internal.segment.bytes	int	~		topic	none	Segment size in tests
leader.replication.throttled.replicas	list		throttled	topic	later	Replicas whose leaders are throttled, as partition:broker, or * for all
local.retention.bytes	long	-2	-2..	topic log.local.retention.bytes	none	Bytes kept locally of a tiered topic
local.retention.ms	long	-2	-2..	topic log.local.retention.ms	none	Time kept locally of a tiered topic
max.compaction.lag.ms	long	9223372036854775807	1..	topic log.cleaner.max.compaction.lag.ms	acts	Longest time that a record may stay uncompacted
max.decompressed.message.bytes	int	67108864<2147483639	1..2147483639	topic max.decompressed.message.bytes	acts	Most bytes that one compressed batch may unpack to
max.message.bytes	int	1048588	0..	topic message.max.bytes	acts	Largest batch that a producer may send
message.timestamp.after.max.ms	long	3600000	0..	topic log.message.timestamp.after.max.ms	acts	How far in the future a record's timestamp may lie
message.timestamp.before.max.ms	long	9223372036854775807	0..	topic log.message.timestamp.before.max.ms	acts	How far in the past a record's timestamp may lie
message.timestamp.type	string	CreateTime	one:CreateTime,LogAppendTime	topic log.message.timestamp.type	acts	Whether records keep the producer's time or get the broker's
min.cleanable.dirty.ratio	double	0.5	0..1	topic log.cleaner.min.cleanable.ratio	acts	Share of the log that must be new before it is compacted
min.compaction.lag.ms	long	0	0..	topic log.cleaner.min.compaction.lag.ms	acts	Shortest time that a record stays uncompacted
min.insync.replicas	int	1	1..	topic min.insync.replicas	acts	In-sync replicas that acks=all needs, and below which replicas that leave stay eligible as leaders
preallocate	boolean	false		topic log.preallocate	none	Whether new segments take their disk space at once
remote.copy.lag.bytes	long	-1	-1..	topic log.remote.copy.lag.bytes	none	Bytes kept back from tiered storage
remote.copy.lag.ms	long	0	-1..	topic log.remote.copy.lag.ms	none	Time kept back from tiered storage
remote.log.copy.disable	boolean	false		topic	none	Whether copying to tiered storage stands still
remote.log.delete.on.disable	boolean	false		topic	none	Whether tiered segments go when tiering is switched off
remote.storage.enable	boolean	false		topic	acts	Whether the topic is tiered; refused, as there is no tiered storage here
retention.bytes	long	-1		topic log.retention.bytes	acts	Largest size of a partition before its oldest segments are deleted; -1 for no limit
retention.ms	long	604800000	-1..	topic log.retention.ms,log.retention.minutes*60000,log.retention.hours*3600000	acts	Age at which segments are deleted; -1 for never
segment.bytes	int	1073741824	1048576..	topic log.segment.bytes	acts	Size at which a new segment begins
segment.index.bytes	int	10485760	4..	topic log.index.size.max.bytes	acts	Largest index file; a full one rolls the segment
segment.jitter.ms	long	0	0..	topic log.roll.jitter.ms,log.roll.jitter.hours*3600000	later	Random part taken off segment.ms
segment.ms	long	604800000	1..	topic log.roll.ms,log.roll.hours*3600000	acts	Age at which a new segment begins
unclean.leader.election.enable	boolean	false		topic unclean.leader.election.enable	acts	Whether a replica that lacks acknowledged records may lead when nobody else can
"""
"""Keys of a topic."""

GROUP_KEYS = """\
consumer.assignment.interval.ms	int	1000	0..	group	acts	Least time between two assignments
consumer.assignor.offload.enable	boolean	true		group	none	Whether assignments are worked out on another thread
consumer.heartbeat.interval.ms	int	5000	1..	group	acts	How often members send heartbeats
consumer.session.timeout.ms	int	45000	1..	group	acts	How long a member may be silent before it is removed
errors.deadletterqueue.copy.record.enable	boolean	false		group	later	Whether a dead letter carries the record itself
errors.deadletterqueue.topic.name	string			group	later	Topic for dead letters; empty for none
share.assignment.interval.ms	int	1000	0..	group	later	Least time between two assignments
share.assignor.offload.enable	boolean	true		group	none	Whether assignments are worked out on another thread
share.auto.offset.reset	string	latest	share-reset	group	later	Where a new share group begins
share.delivery.count.limit	int	5	2..	group	later	How often a record is delivered before it is given up
share.heartbeat.interval.ms	int	5000	1..	group	later	How often members send heartbeats
share.isolation.level	string	read_uncommitted	one:read_committed,read_uncommitted	group	later	Whether records of open and aborted transactions are seen
share.partition.max.record.locks	int	2000	100..	group	later	Most records of a partition that are locked at once
share.record.lock.duration.ms	int	30000	1000..	group	later	How long a delivered record is locked for its consumer
share.renew.acknowledge.enable	boolean	true		group	later	Whether a consumer may prolong such a lock
share.session.timeout.ms	int	45000	1..	group	later	How long a member may be silent before it is removed
streams.acceptable.recovery.lag	long	10000	0..	group	later	How far behind a state store may be to count as caught up
streams.assignment.interval.ms	int	1000	0..	group	later	Least time between two assignments
streams.assignor.name	string	~		group	later	The assignor
streams.assignor.offload.enable	boolean	true		group	none	Whether assignments are worked out on another thread
streams.heartbeat.interval.ms	int	5000	1..	group	later	How often members send heartbeats
streams.initial.rebalance.delay.ms	int	3000	0..	group	later	How long the first assignment waits for more members
streams.num.standby.replicas	int	0	0..	group	later	Standby replicas of each task
streams.num.warmup.replicas	int	2	0..	group	later	Tasks that may warm up at once
streams.rack.aware.assignment.tags	list		members:	group	later	Client tags over which standby tasks are spread
streams.session.timeout.ms	int	45000	1..	group	later	How long a member may be silent before it is removed
streams.task.offset.interval.ms	int	60000	1..	group	later	How often members report how far their tasks are
"""
"""Keys of a group (KIP-848, share and streams groups)."""

CLIENT_METRICS_KEYS = """\
interval.ms	int	300000		client-metrics	later	How often clients push
match	list		members:	client-metrics	later	Which clients push, by name and pattern
metrics	list		members:	client-metrics	later	Which metrics they push, by prefix
"""
"""Keys of a client metrics subscription (KIP-714)."""
