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
add.partitions.to.txn.retry.backoff.max.ms	int	100	0..	static	later	-
add.partitions.to.txn.retry.backoff.ms	int	20	1..	static	later	-
advertised.listeners	list	~	members: nonempty	static	later	-
alter.config.policy.class.name	class	~		static	later	-
alter.log.dirs.replication.quota.window.num	int	11	1..	static	later	-
alter.log.dirs.replication.quota.window.size.seconds	int	1	1..	static	later	-
authorizer.class.name	string			static	later	-
auto.create.topics.enable	boolean	true		static	later	-
auto.leader.rebalance.enable	boolean	true		static	later	-
background.threads	int	10	1..	cluster	later	-
broker.heartbeat.interval.ms	int	2000		static	later	-
broker.id	int	-1		static	later	-
broker.rack	string	~		static	later	-
broker.session.timeout.ms	int	9000		static	later	-
client.quota.callback.class	class	~		static	later	-
compression.gzip.level	int	-1	gzip-level	cluster	later	-
compression.lz4.level	int	9	1..17	cluster	later	-
compression.type	string	producer	one:uncompressed,zstd,lz4,snappy,gzip,producer	cluster	later	-
compression.zstd.level	int	3	-131072..22	cluster	later	-
config.providers	list		members:	cluster	later	-
connection.failed.authentication.delay.ms	int	500<100	0..	static	later	-
connections.max.idle.ms	long	600000		static	later	-
connections.max.reauth.ms	long	0		static	later	-
controlled.shutdown.enable	boolean	true		static	later	-
controller.listener.names	list	!	members: nonempty	static	later	-
controller.performance.always.log.threshold.ms	long	2000	0..	static	later	-
controller.performance.sample.period.ms	long	60000	100..	static	later	-
controller.quorum.append.linger.ms	int	25	0..	static	later	-
controller.quorum.auto.join.enable	boolean	false		static	later	-
controller.quorum.bootstrap.servers	list			static	later	-
controller.quorum.election.backoff.max.ms	int	1000	0..	static	later	-
controller.quorum.election.timeout.ms	int	1000	0..	static	later	-
controller.quorum.fetch.max.bytes	int	1048576	1..	static	later	-
controller.quorum.fetch.snapshot.max.bytes	int	1048576	1..	static	later	-
controller.quorum.fetch.timeout.ms	int	2000	0..	static	later	-
controller.quorum.request.timeout.ms	int	2000	0..	static	later	-
controller.quorum.retry.backoff.ms	int	20	0..	static	later	-
controller.quorum.voters	list			static	later	-
controller.quota.window.num	int	11	1..	static	later	-
controller.quota.window.size.seconds	int	1	1..	static	later	-
controller.socket.timeout.ms	int	30000		static	later	-
cordoned.log.dirs	list		members:	broker	later	-
create.topic.policy.class.name	class	~		static	later	-
default.replication.factor	int	1		static	later	-
delegation.token.expiry.check.interval.ms	long	3600000	1..	static	later	-
delegation.token.expiry.time.ms	long	86400000	1..	static	later	-
delegation.token.max.lifetime.ms	long	604800000	1..	static	later	-
delegation.token.secret.key	password	~		static	later	-
delete.records.purgatory.purge.interval.requests	int	1		static	later	-
delete.topic.enable	boolean	true		static	later	-
early.start.listeners	list	~	members:	static	later	-
errors.deadletterqueue.auto.create.topics.enable	boolean	false		cluster	later	-
errors.deadletterqueue.topic.name.prefix	string	dlq.		cluster	later	-
fetch.max.bytes	int	57671680	1024..	static	later	-
fetch.purgatory.purge.interval.requests	int	1000		static	later	-
follower.fetch.last.tiered.offset.enable	boolean	false		cluster	later	-
follower.replication.throttled.rate	long	9223372036854775807	0..	cluster	later	-
group.consumer.assignment.interval.ms	int	1000	0..	cluster	later	-
group.consumer.assignor.offload.enable	boolean	true		cluster	later	-
group.consumer.assignors	list	uniform,range	members: nonempty	static	later	-
group.consumer.heartbeat.interval.ms	int	5000	1..	static	later	-
group.consumer.max.assignment.interval.ms	int	15000	0..	static	later	-
group.consumer.max.heartbeat.interval.ms	int	15000	1..	static	later	-
group.consumer.max.session.timeout.ms	int	60000	1..	static	later	-
group.consumer.max.size	int	2147483647	1..	static	later	-
group.consumer.migration.policy	string	bidirectional	any-case:DISABLED,DOWNGRADE,UPGRADE,BIDIRECTIONAL	static	later	-
group.consumer.min.assignment.interval.ms	int	0	0..	static	later	-
group.consumer.min.heartbeat.interval.ms	int	5000	1..	static	later	-
group.consumer.min.session.timeout.ms	int	45000	1..	static	later	-
group.consumer.regex.refresh.interval.ms	int	600000	10000..	static	later	-
group.consumer.session.timeout.ms	int	45000	1..	static	later	-
group.coordinator.append.linger.ms	int	-1	-1..	static	later	-
group.coordinator.background.threads	int	2	1..	static	later	-
group.coordinator.cached.buffer.max.bytes	int	1048588	524288..	cluster	later	-
group.coordinator.rebalance.protocols	list	classic,consumer,streams	members:consumer,classic,share,streams nonempty	static	later	-
group.coordinator.threads	int	4	1..	static	later	-
group.initial.rebalance.delay.ms	int	3000		static	later	-
group.max.session.timeout.ms	int	1800000		static	later	-
group.max.size	int	2147483647	1..	static	later	-
group.min.session.timeout.ms	int	6000		static	later	-
group.share.assignment.interval.ms	int	1000	0..	cluster	later	-
group.share.assignor.offload.enable	boolean	true		cluster	later	-
group.share.assignors	list	simple	members: nonempty	static	later	-
group.share.delivery.count.limit	int	5	2..10	static	later	-
group.share.dlq.manager.class.name	string	org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager		static	later	-
group.share.heartbeat.interval.ms	int	5000	1..	static	later	-
group.share.initialize.retry.interval.ms	int	30000	1..	static	later	-
group.share.max.assignment.interval.ms	int	15000	0..	static	later	-
group.share.max.delivery.count.limit	int	10	5..25	static	later	-
group.share.max.heartbeat.interval.ms	int	15000	1..	static	later	-
group.share.max.partition.max.record.locks	int	4000	2000..10000	static	later	-
group.share.max.record.lock.duration.ms	int	60000	30000..3600000	static	later	-
group.share.max.session.timeout.ms	int	60000	1..	static	later	-
group.share.max.share.sessions	int	2000	1..	static	later	-
group.share.max.size	int	200	1..1000	static	later	-
group.share.min.assignment.interval.ms	int	0	0..	static	later	-
group.share.min.delivery.count.limit	int	2	2..5	static	later	-
group.share.min.heartbeat.interval.ms	int	5000	1..	static	later	-
group.share.min.partition.max.record.locks	int	100	100..2000	static	later	-
group.share.min.record.lock.duration.ms	int	15000	1000..30000	static	later	-
group.share.min.session.timeout.ms	int	45000	1..	static	later	-
group.share.partition.max.record.locks	int	2000	100..10000	static	later	-
group.share.persister.class.name	string	org.apache.kafka.server.share.persister.DefaultStatePersister		static	later	-
group.share.record.lock.duration.ms	int	30000	1000..3600000	static	later	-
group.share.session.timeout.ms	int	45000	1..	static	later	-
group.streams.acceptable.recovery.lag	long	10000	0..	static	later	-
group.streams.assignment.interval.ms	int	1000	0..	cluster	later	-
group.streams.assignor.offload.enable	boolean	true		cluster	later	-
group.streams.assignors	list	sticky	members: nonempty	static	later	-
group.streams.heartbeat.interval.ms	int	5000	1..	static	later	-
group.streams.initial.rebalance.delay.ms	int	3000	0..	static	later	-
group.streams.max.assignment.interval.ms	int	15000	0..	static	later	-
group.streams.max.heartbeat.interval.ms	int	15000	1..	static	later	-
group.streams.max.session.timeout.ms	int	60000	1..	static	later	-
group.streams.max.size	int	2147483647	1..	static	later	-
group.streams.max.standby.replicas	int	2	0..	static	later	-
group.streams.max.warmup.replicas	int	20	0..	static	later	-
group.streams.min.assignment.interval.ms	int	0	0..	static	later	-
group.streams.min.heartbeat.interval.ms	int	5000	1..	static	later	-
group.streams.min.session.timeout.ms	int	45000	1..	static	later	-
group.streams.min.task.offset.interval.ms	int	15000	1..	static	later	-
group.streams.num.standby.replicas	int	0	0..	static	later	-
group.streams.num.warmup.replicas	int	2	0..	static	later	-
group.streams.rack.aware.assignment.tags	list		members:	static	later	-
group.streams.session.timeout.ms	int	45000	1..	static	later	-
group.streams.task.offset.interval.ms	int	60000	1..	static	later	-
group.streams.topology.description.plugin.class	class	~		static	later	-
holdwater.authentication.timeout.ms	int	10000	1..	static	later	-
holdwater.durable.acks	boolean	false		cluster	later	-
holdwater.elect.last.known.leader	boolean	true		static	later	-
holdwater.max.record.expansion	int	10	1..	static	later	-
holdwater.max.request.elements	int	20000	1..	static	later	-
holdwater.max.unauthenticated.request.elements	int	1000	1..	static	later	-
holdwater.quick.failover.ms	int	300	0..	static	later	-
holdwater.quick.start.ms	int	100	0..	static	later	-
holdwater.record.validation	string	header	one:header,records	static	later	-
initial.broker.registration.timeout.ms	int	60000		static	later	-
inter.broker.listener.name	string	~		static	later	-
internal.metadata.delete.delay.millis	long	60000		static	later	-
internal.metadata.log.segment.bytes	int	~		static	later	-
internal.metadata.max.batch.size.in.bytes	int	8388608		static	later	-
kafka.metrics.polling.interval.secs	int	10	1..	static	later	-
kafka.metrics.reporters	list		members:	static	later	-
leader.imbalance.check.interval.seconds	long	300	1..	static	later	-
leader.replication.throttled.rate	long	9223372036854775807	0..	cluster	later	-
listener.security.protocol.map	string	SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT		broker	later	-
listeners	list	PLAINTEXT://:9092	members: nonempty	broker	later	-
log.cleaner.backoff.ms	long	15000	0..	cluster	later	-
log.cleaner.dedupe.buffer.size	long	134217728		cluster	later	-
log.cleaner.delete.retention.ms	long	86400000	0..	cluster	later	-
log.cleaner.enable	boolean	true		static	later	-
log.cleaner.io.buffer.load.factor	double	0.9		cluster	later	-
log.cleaner.io.buffer.size	int	524288	0..	cluster	later	-
log.cleaner.io.max.bytes.per.second	double	1.7976931348623157E308		cluster	later	-
log.cleaner.max.compaction.lag.ms	long	9223372036854775807	1..	cluster	later	-
log.cleaner.min.cleanable.ratio	double	0.5	0..1	cluster	later	-
log.cleaner.min.compaction.lag.ms	long	0	0..	cluster	later	-
log.cleaner.threads	int	1	0..	cluster	later	-
log.cleanup.policy	list	delete	members:compact,delete	cluster	later	-
log.dir	list	/tmp/kafka-logs	members: nonempty	static	later	-
log.dir.failure.timeout.ms	long	30000	1..	static	later	-
log.dirs	list	~	members: nonempty	static	later	-
log.flush.interval.messages	long	9223372036854775807	1..	cluster	later	-
log.flush.interval.ms	long	~		cluster	later	-
log.flush.offset.checkpoint.interval.ms	int	60000	0..	static	later	-
log.flush.scheduler.interval.ms	long	9223372036854775807		static	later	-
log.flush.start.offset.checkpoint.interval.ms	int	60000	0..	static	later	-
log.index.interval.bytes	int	4096	0..	cluster	later	-
log.index.size.max.bytes	int	10485760	4..	cluster	later	-
log.initial.task.delay.ms	long	30000	0..	static	later	-
log.local.retention.bytes	long	-2	-2..	cluster	later	-
log.local.retention.ms	long	-2	-2..	cluster	later	-
log.message.timestamp.after.max.ms	long	3600000	0..	cluster	later	-
log.message.timestamp.before.max.ms	long	9223372036854775807	0..	cluster	later	-
log.message.timestamp.type	string	CreateTime	one:CreateTime,LogAppendTime	cluster	later	-
log.preallocate	boolean	false		cluster	later	-
log.remote.copy.lag.bytes	long	-1	-1..	cluster	later	-
log.remote.copy.lag.ms	long	0	-1..	cluster	later	-
log.retention.bytes	long	-1		cluster	later	-
log.retention.check.interval.ms	long	300000	1..	static	later	-
log.retention.hours	int	168		static	later	-
log.retention.minutes	int	~		static	later	-
log.retention.ms	long	~		cluster	later	-
log.roll.hours	int	168	1..	static	later	-
log.roll.jitter.hours	int	0	0..	static	later	-
log.roll.jitter.ms	long	~		cluster	later	-
log.roll.ms	long	~		cluster	later	-
log.segment.bytes	int	1073741824	1048576..	cluster	later	-
log.segment.delete.delay.ms	long	60000	0..	cluster	later	-
max.connection.creation.rate	int	2000<2147483647	0..	cluster	later	-
max.connections	int	12000<2147483647	0..	cluster	later	-
max.connections.per.ip	int	6000<2147483647	0..	cluster	later	-
max.connections.per.ip.overrides	string			cluster	later	-
max.decompressed.message.bytes	int	67108864<2147483639	1..2147483639	cluster	later	-
max.incremental.fetch.session.cache.slots	int	1000	0..	static	later	-
max.request.partition.size.limit	int	2000	1..	static	later	-
message.max.bytes	int	1048588	0..	cluster	later	-
metadata.log.dir	string	~		static	later	-
metadata.log.max.record.bytes.between.snapshots	long	20971520	1..	static	later	-
metadata.log.max.snapshot.interval.ms	long	3600000	0..	static	later	-
metadata.log.segment.bytes	int	1073741824	8388608..	static	later	-
metadata.log.segment.ms	long	604800000		static	later	-
metadata.max.idle.interval.ms	int	500	0..	static	later	-
metadata.max.retention.bytes	long	104857600		static	later	-
metadata.max.retention.ms	long	604800000		static	later	-
metric.reporters	list	org.apache.kafka.common.metrics.JmxReporter	members:	cluster	later	-
metrics.num.samples	int	2	1..	static	later	-
metrics.recording.level	string	INFO		static	later	-
metrics.sample.window.ms	long	30000	1..	static	later	-
min.insync.replicas	int	1	1..	cluster	later	-
node.id	int	!	0..	static	later	-
num.io.threads	int	8	1..	cluster	later	-
num.network.threads	int	3	1..	cluster	later	-
num.partitions	int	1	1..	static	later	-
num.recovery.threads.per.data.dir	int	2	1..	cluster	later	-
num.replica.alter.log.dirs.threads	int	~		static	later	-
num.replica.fetchers	int	1	1..	cluster	later	-
offset.metadata.max.bytes	int	4096		static	later	-
offsets.commit.timeout.ms	int	5000	1..	static	later	-
offsets.load.buffer.size	int	5242880	1..	static	later	-
offsets.retention.check.interval.ms	long	600000	1..	static	later	-
offsets.retention.minutes	int	10080	1..	static	later	-
offsets.topic.compression.codec	int	0		static	later	-
offsets.topic.num.partitions	int	50	1..	static	later	-
offsets.topic.replication.factor	short	3	1..	static	later	-
offsets.topic.segment.bytes	int	104857600	1..	static	later	-
principal.builder.class	class	org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder		broker	later	-
process.roles	list	!	members:broker,controller nonempty	static	later	-
producer.id.expiration.check.interval.ms	int	600000	1..	static	later	-
producer.id.expiration.ms	int	86400000	1..	cluster	later	-
producer.purgatory.purge.interval.requests	int	1000		static	later	-
queued.max.request.bytes	long	268435456<-1		static	later	-
queued.max.requests	int	500	1..	static	later	-
quota.window.num	int	11	1..	static	later	-
quota.window.size.seconds	int	1	1..	static	later	-
remote.fetch.max.wait.ms	int	500	1..	cluster	later	-
remote.list.offsets.request.timeout.ms	long	30000	1..	cluster	later	-
remote.log.index.file.cache.total.size.bytes	long	1073741824	1..	cluster	later	-
remote.log.index.file.cache.ttl.ms	long	900000	-1..	static	later	-
remote.log.manager.copier.thread.pool.size	int	10	1..	cluster	later	-
remote.log.manager.copy.max.bytes.per.second	long	9223372036854775807	1..	cluster	later	-
remote.log.manager.copy.quota.window.num	int	11	1..	static	later	-
remote.log.manager.copy.quota.window.size.seconds	int	1	1..	static	later	-
remote.log.manager.expiration.thread.pool.size	int	10	1..	cluster	later	-
remote.log.manager.fetch.max.bytes.per.second	long	9223372036854775807	1..	cluster	later	-
remote.log.manager.fetch.quota.window.num	int	11	1..	static	later	-
remote.log.manager.fetch.quota.window.size.seconds	int	1	1..	static	later	-
remote.log.manager.follower.thread.pool.size	int	2	1..	cluster	later	-
remote.log.manager.task.interval.ms	long	30000	1..	static	later	-
remote.log.manager.task.retry.backoff.max.ms	long	30000	1..	static	later	-
remote.log.manager.task.retry.backoff.ms	long	500	1..	static	later	-
remote.log.manager.task.retry.jitter	double	0.2	0..0.5	static	later	-
remote.log.manager.thread.pool.size	int	2	1..	static	later	-
remote.log.metadata.custom.metadata.max.bytes	int	128	0..	static	later	-
remote.log.metadata.manager.class.name	string	org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager	nonempty	static	later	-
remote.log.metadata.manager.class.path	string	~		static	later	-
remote.log.metadata.manager.impl.prefix	string	rlmm.config.	nonempty	static	later	-
remote.log.metadata.manager.listener.name	string	~	nonempty	static	later	-
remote.log.reader.max.pending.tasks	int	100	1..	static	later	-
remote.log.reader.threads	int	10	1..	cluster	later	-
remote.log.storage.manager.class.name	string	~	nonempty	static	later	-
remote.log.storage.manager.class.path	string	~		static	later	-
remote.log.storage.manager.impl.prefix	string	rsm.config.	nonempty	static	later	-
remote.log.storage.system.enable	boolean	false		static	later	-
replica.alter.log.dirs.io.max.bytes.per.second	long	9223372036854775807	0..	cluster	later	-
replica.fetch.backoff.ms	int	1000	0..	static	later	-
replica.fetch.max.bytes	int	1048576	0..	static	later	-
replica.fetch.min.bytes	int	1		static	later	-
replica.fetch.response.max.bytes	int	10485760	0..	static	later	-
replica.fetch.wait.max.ms	int	500		static	later	-
replica.high.watermark.checkpoint.interval.ms	long	5000		static	later	-
replica.lag.time.max.ms	long	30000		static	later	-
replica.selector.class	string	~		static	later	-
replica.socket.receive.buffer.bytes	int	65536		static	later	-
replica.socket.timeout.ms	int	30000		static	later	-
replication.quota.window.num	int	11	1..	static	later	-
replication.quota.window.size.seconds	int	1	1..	static	later	-
request.timeout.ms	int	30000		static	later	-
sasl.client.callback.handler.class	class	~		static	later	-
sasl.enabled.mechanisms	list	GSSAPI	members:	broker	later	-
sasl.jaas.config	password	~		broker	later	-
sasl.kerberos.kinit.cmd	string	/usr/bin/kinit		broker	later	-
sasl.kerberos.min.time.before.relogin	long	60000		broker	later	-
sasl.kerberos.principal.to.local.rules	list	DEFAULT	members:	broker	later	-
sasl.kerberos.service.name	string	~		broker	later	-
sasl.kerberos.ticket.renew.jitter	double	0.05		broker	later	-
sasl.kerberos.ticket.renew.window.factor	double	0.8		broker	later	-
sasl.login.callback.handler.class	class	~		static	later	-
sasl.login.class	class	~		static	later	-
sasl.login.connect.timeout.ms	int	~		static	later	-
sasl.login.read.timeout.ms	int	~		static	later	-
sasl.login.refresh.buffer.seconds	short	300		broker	later	-
sasl.login.refresh.min.period.seconds	short	60		broker	later	-
sasl.login.refresh.window.factor	double	0.8		broker	later	-
sasl.login.refresh.window.jitter	double	0.05		broker	later	-
sasl.login.retry.backoff.max.ms	long	10000		static	later	-
sasl.login.retry.backoff.ms	long	100		static	later	-
sasl.mechanism.controller.protocol	string	GSSAPI		static	later	-
sasl.mechanism.inter.broker.protocol	string	GSSAPI		broker	later	-
sasl.oauthbearer.allow.unverified.audience	boolean	false		static	later	-
sasl.oauthbearer.allow.unverified.issuer	boolean	false		static	later	-
sasl.oauthbearer.assertion.algorithm	string	RS256	any-case:ES256,RS256	static	later	-
sasl.oauthbearer.assertion.claim.aud	string	~		static	later	-
sasl.oauthbearer.assertion.claim.exp.seconds	int	300	0..86400	static	later	-
sasl.oauthbearer.assertion.claim.iss	string	~		static	later	-
sasl.oauthbearer.assertion.claim.jti.include	boolean	false		static	later	-
sasl.oauthbearer.assertion.claim.nbf.seconds	int	60	0..3600	static	later	-
sasl.oauthbearer.assertion.claim.sub	string	~		static	later	-
sasl.oauthbearer.assertion.file	string	~		static	later	-
sasl.oauthbearer.assertion.private.key.file	string	~		static	later	-
sasl.oauthbearer.assertion.private.key.passphrase	password	~		static	later	-
sasl.oauthbearer.assertion.template.file	string	~		static	later	-
sasl.oauthbearer.client.credentials.client.id	string	~		static	later	-
sasl.oauthbearer.client.credentials.client.secret	password	~		static	later	-
sasl.oauthbearer.clock.skew.seconds	int	30		static	later	-
sasl.oauthbearer.expected.audience	list		members:	static	later	-
sasl.oauthbearer.expected.issuer	string	~		static	later	-
sasl.oauthbearer.jwks.endpoint.refresh.ms	long	3600000		static	later	-
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms	long	10000		static	later	-
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms	long	100		static	later	-
sasl.oauthbearer.jwks.endpoint.url	string	~		static	later	-
sasl.oauthbearer.jwt.retriever.class	class	org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever		static	later	-
sasl.oauthbearer.jwt.validator.class	class	org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator		static	later	-
sasl.oauthbearer.scope	string	~		static	later	-
sasl.oauthbearer.scope.claim.name	string	scope		static	later	-
sasl.oauthbearer.sub.claim.name	string	sub		static	later	-
sasl.oauthbearer.token.endpoint.url	string	~		static	later	-
sasl.server.callback.handler.class	class	~		static	later	-
sasl.server.max.receive.size	int	65536<524288		static	later	-
security.inter.broker.protocol	string	PLAINTEXT	one:PLAINTEXT,SSL,SASL_PLAINTEXT,SASL_SSL	static	later	-
security.providers	string	~		static	later	-
server.max.startup.time.ms	long	9223372036854775807	0..	static	later	-
share.coordinator.append.linger.ms	int	-1	-1..	static	later	-
share.coordinator.cached.buffer.max.bytes	int	1048588	524288..	cluster	later	-
share.coordinator.cold.partition.snapshot.interval.ms	int	300000	1..	static	later	-
share.coordinator.load.buffer.size	int	5242880	1..	static	later	-
share.coordinator.snapshot.update.records.per.snapshot	int	500	0..500	static	later	-
share.coordinator.state.topic.compression.codec	int	0		static	later	-
share.coordinator.state.topic.min.isr	short	2	1..	static	later	-
share.coordinator.state.topic.num.partitions	int	50	1..	static	later	-
share.coordinator.state.topic.prune.interval.ms	int	300000	1..	static	later	-
share.coordinator.state.topic.replication.factor	short	3	1..	static	later	-
share.coordinator.state.topic.segment.bytes	int	104857600	1..	static	later	-
share.coordinator.threads	int	1	1..	static	later	-
share.coordinator.write.timeout.ms	int	5000	1..	static	later	-
share.fetch.purgatory.purge.interval.requests	int	1000		static	later	-
socket.connection.setup.timeout.max.ms	long	30000		static	later	-
socket.connection.setup.timeout.ms	long	10000		static	later	-
socket.listen.backlog.size	int	50	1..	static	later	-
socket.receive.buffer.bytes	int	102400		static	later	-
socket.request.max.bytes	int	104857600	1..	static	later	-
socket.send.buffer.bytes	int	102400		static	later	-
ssl.allow.dn.changes	boolean	false		static	later	-
ssl.allow.san.changes	boolean	false		static	later	-
ssl.cipher.suites	list		members:	broker	later	-
ssl.client.auth	string	none	one:required,requested,none	broker	later	-
ssl.enabled.protocols	list	TLSv1.2,TLSv1.3	members:	broker	later	-
ssl.endpoint.identification.algorithm	string	https		broker	later	-
ssl.engine.factory.class	class	~		broker	later	-
ssl.key.password	password	~		broker	later	-
ssl.keymanager.algorithm	string	SunX509		broker	later	-
ssl.keystore.certificate.chain	password	~		broker	later	-
ssl.keystore.key	password	~		broker	later	-
ssl.keystore.location	string	~		broker	later	-
ssl.keystore.password	password	~		broker	later	-
ssl.keystore.type	string	JKS		broker	later	-
ssl.principal.mapping.rules	string	DEFAULT		static	later	-
ssl.protocol	string	TLSv1.3		broker	later	-
ssl.provider	string	~		broker	later	-
ssl.secure.random.implementation	string	~		broker	later	-
ssl.trustmanager.algorithm	string	PKIX		broker	later	-
ssl.truststore.certificates	password	~		broker	later	-
ssl.truststore.location	string	~		broker	later	-
ssl.truststore.password	password	~		broker	later	-
ssl.truststore.type	string	JKS		broker	later	-
telemetry.max.bytes	int	1048576	1..	static	later	-
transaction.abort.timed.out.transaction.cleanup.interval.ms	int	10000	1..	static	later	-
transaction.max.timeout.ms	int	900000	1..	static	later	-
transaction.partition.verification.enable	boolean	true		cluster	later	-
transaction.remove.expired.transaction.cleanup.interval.ms	int	3600000	1..	static	later	-
transaction.state.log.load.buffer.size	int	5242880	1..	static	later	-
transaction.state.log.min.isr	int	2	1..	static	later	-
transaction.state.log.num.partitions	int	50	1..	static	later	-
transaction.state.log.replication.factor	short	3	1..	static	later	-
transaction.state.log.segment.bytes	int	104857600	1..	static	later	-
transaction.two.phase.commit.enable	boolean	false		static	later	-
transactional.id.expiration.ms	int	604800000	1..	static	later	-
unclean.leader.election.enable	boolean	false		cluster	later	-
unclean.leader.election.interval.ms	long	300000	1..	static	later	-
unstable.api.versions.enable	boolean	false		static	later	-
unstable.feature.versions.enable	boolean	false		static	later	-
"""
"""Keys of ``server.properties``, and the three that exist only dynamically (replication throttles)."""

TOPIC_KEYS = """\
cleanup.policy	list	delete	members:compact,delete	topic log.cleanup.policy	later	-
compression.gzip.level	int	-1	gzip-level	topic compression.gzip.level	later	-
compression.lz4.level	int	9	1..17	topic compression.lz4.level	later	-
compression.type	string	producer	one:uncompressed,zstd,lz4,snappy,gzip,producer	topic compression.type	later	-
compression.zstd.level	int	3	-131072..22	topic compression.zstd.level	later	-
delete.retention.ms	long	86400000	0..	topic log.cleaner.delete.retention.ms	later	-
errors.deadletterqueue.group.enable	boolean	false		topic	later	-
file.delete.delay.ms	long	60000	0..	topic log.segment.delete.delay.ms	later	-
flush.messages	long	9223372036854775807	1..	topic log.flush.interval.messages	later	-
flush.ms	long	9223372036854775807	0..	topic log.flush.interval.ms,log.flush.scheduler.interval.ms	later	-
follower.replication.throttled.replicas	list		throttled	topic	later	-
index.interval.bytes	int	4096	0..	topic log.index.interval.bytes	later	-
internal.segment.bytes	int	~		topic	later	-
leader.replication.throttled.replicas	list		throttled	topic	later	-
local.retention.bytes	long	-2	-2..	topic log.local.retention.bytes	later	-
local.retention.ms	long	-2	-2..	topic log.local.retention.ms	later	-
max.compaction.lag.ms	long	9223372036854775807	1..	topic log.cleaner.max.compaction.lag.ms	later	-
max.decompressed.message.bytes	int	67108864<2147483639	1..2147483639	topic max.decompressed.message.bytes	later	-
max.message.bytes	int	1048588	0..	topic message.max.bytes	later	-
message.timestamp.after.max.ms	long	3600000	0..	topic log.message.timestamp.after.max.ms	later	-
message.timestamp.before.max.ms	long	9223372036854775807	0..	topic log.message.timestamp.before.max.ms	later	-
message.timestamp.type	string	CreateTime	one:CreateTime,LogAppendTime	topic log.message.timestamp.type	later	-
min.cleanable.dirty.ratio	double	0.5	0..1	topic log.cleaner.min.cleanable.ratio	later	-
min.compaction.lag.ms	long	0	0..	topic log.cleaner.min.compaction.lag.ms	later	-
min.insync.replicas	int	1	1..	topic min.insync.replicas	later	-
preallocate	boolean	false		topic log.preallocate	later	-
remote.copy.lag.bytes	long	-1	-1..	topic log.remote.copy.lag.bytes	later	-
remote.copy.lag.ms	long	0	-1..	topic log.remote.copy.lag.ms	later	-
remote.log.copy.disable	boolean	false		topic	later	-
remote.log.delete.on.disable	boolean	false		topic	later	-
remote.storage.enable	boolean	false		topic	later	-
retention.bytes	long	-1		topic log.retention.bytes	later	-
retention.ms	long	604800000	-1..	topic log.retention.ms,log.retention.minutes*60000,log.retention.hours*3600000	later	-
segment.bytes	int	1073741824	1048576..	topic log.segment.bytes	later	-
segment.index.bytes	int	10485760	4..	topic log.index.size.max.bytes	later	-
segment.jitter.ms	long	0	0..	topic log.roll.jitter.ms,log.roll.jitter.hours*3600000	later	-
segment.ms	long	604800000	1..	topic log.roll.ms,log.roll.hours*3600000	later	-
unclean.leader.election.enable	boolean	false		topic unclean.leader.election.enable	later	-
"""
"""Keys of a topic."""

GROUP_KEYS = """\
consumer.assignment.interval.ms	int	1000	0..	group	later	-
consumer.assignor.offload.enable	boolean	true		group	later	-
consumer.heartbeat.interval.ms	int	5000	1..	group	later	-
consumer.session.timeout.ms	int	45000	1..	group	later	-
errors.deadletterqueue.copy.record.enable	boolean	false		group	later	-
errors.deadletterqueue.topic.name	string			group	later	-
share.assignment.interval.ms	int	1000	0..	group	later	-
share.assignor.offload.enable	boolean	true		group	later	-
share.auto.offset.reset	string	latest	share-reset	group	later	-
share.delivery.count.limit	int	5	2..	group	later	-
share.heartbeat.interval.ms	int	5000	1..	group	later	-
share.isolation.level	string	read_uncommitted	one:read_committed,read_uncommitted	group	later	-
share.partition.max.record.locks	int	2000	100..	group	later	-
share.record.lock.duration.ms	int	30000	1000..	group	later	-
share.renew.acknowledge.enable	boolean	true		group	later	-
share.session.timeout.ms	int	45000	1..	group	later	-
streams.acceptable.recovery.lag	long	10000	0..	group	later	-
streams.assignment.interval.ms	int	1000	0..	group	later	-
streams.assignor.name	string	~		group	later	-
streams.assignor.offload.enable	boolean	true		group	later	-
streams.heartbeat.interval.ms	int	5000	1..	group	later	-
streams.initial.rebalance.delay.ms	int	3000	0..	group	later	-
streams.num.standby.replicas	int	0	0..	group	later	-
streams.num.warmup.replicas	int	2	0..	group	later	-
streams.rack.aware.assignment.tags	list		members:	group	later	-
streams.session.timeout.ms	int	45000	1..	group	later	-
streams.task.offset.interval.ms	int	60000	1..	group	later	-
"""
"""Keys of a group (KIP-848, share and streams groups)."""

CLIENT_METRICS_KEYS = """\
interval.ms	int	300000		client-metrics	later	-
match	list		members:	client-metrics	later	-
metrics	list		members:	client-metrics	later	-
"""
"""Keys of a client metrics subscription (KIP-714)."""
