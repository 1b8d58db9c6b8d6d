// Transactions of the Java producer, told line by line: what the brokers allowed and what readers see. Any surprise ends it with an exception.

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
    static final int PARTITIONS = 6;
    static final Duration PATIENCE = Duration.ofSeconds(30);
    static String bootstrap;
    static String topic;
    static Admin admin;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        topic = arguments[1];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        switch (arguments[2]) {
            case "ends" -> ends();
            case "fencing" -> fencing();
            case "offsets" -> offsets(arguments[3]);
            case "timeout" -> timeout();
            case "fence-by-admin" -> fenceByAdmin();
            default -> throw new IllegalArgumentException(arguments[2]);
        }
        admin.close();
    }

    static KafkaProducer<String, String> producer(String transactionalId, int timeoutMs) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("transactional.id", transactionalId);
        config.put("transaction.timeout.ms", timeoutMs);
        config.put("linger.ms", 0);
        var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        return producer;
    }

    static void send(KafkaProducer<String, String> producer, String value) throws Exception {
        for (int partition = 0; partition < PARTITIONS; partition++) {
            producer.send(new ProducerRecord<>(topic, partition, null, value + partition));
        }
        producer.flush();
    }

    static List<TopicPartition> partitions() {
        return IntStream.range(0, PARTITIONS).mapToObj(partition -> new TopicPartition(topic, partition)).toList();
    }

    static long end(IsolationLevel level) throws Exception {
        var first = new TopicPartition(topic, 0);
        var found = admin.listOffsets(Map.of(first, OffsetSpec.latest()), new ListOffsetsOptions(level)).partitionResult(first).get();
        return found.offset();
    }

    // Everything that a reader of that isolation finds in partition 0 up to its end.
    static String read(IsolationLevel level) throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("isolation.level", level.toString());
        var first = new TopicPartition(topic, 0);
        long end = end(level);
        var values = new StringBuilder();
        try (var reader = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            reader.assign(List.of(first));
            reader.seekToBeginning(List.of(first));
            while (reader.position(first) < end) {
                for (ConsumerRecord<String, String> record : reader.poll(Duration.ofMillis(200))) {
                    values.append(' ').append(record.value());
                }
            }
        }
        return values.toString();
    }

    static void look() throws Exception {
        System.out.println("committed:" + read(IsolationLevel.READ_COMMITTED));
        System.out.println("everything:" + read(IsolationLevel.READ_UNCOMMITTED));
        System.out.println("ends: " + end(IsolationLevel.READ_COMMITTED) + " " + end(IsolationLevel.READ_UNCOMMITTED));
    }

    static void describe(String transactionalId) throws Exception {
        var found = admin.describeTransactions(List.of(transactionalId)).description(transactionalId).get();
        System.out.println(found.state() + " epoch " + found.producerEpoch() + " partitions " + found.topicPartitions().size());
    }

    static void attempt(String what, Runnable work) {
        try {
            work.run();
            System.out.println(what + ": done");
        } catch (KafkaException problem) {
            System.out.println(what + ": " + problem.getClass().getSimpleName());
        }
    }

    static void ends() throws Exception {
        try (var one = producer(topic, 60_000)) {
            for (int number = 0; number < 4; number++) {
                one.beginTransaction();
                send(one, (number % 2 == 0 ? "gone-" : "kept-") + number + "-");
                describe(topic);
                if (number % 2 == 0) {
                    one.abortTransaction();
                } else {
                    one.commitTransaction();
                }
                awaitState(topic, number % 2 == 0 ? "COMPLETE_ABORT" : "COMPLETE_COMMIT");
            }
            describe(topic);
            one.beginTransaction();
            one.commitTransaction();
            one.beginTransaction();
            send(one, "open-");
            look();
            one.abortTransaction();
        }
        awaitState(topic, "COMPLETE_ABORT");
        look();
    }

    static void awaitState(String transactionalId, String state) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!admin.describeTransactions(List.of(transactionalId)).description(transactionalId).get().state().name().equals(state)) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("never " + state);
            }
            Thread.sleep(20);
        }
    }

    static void fencing() throws Exception {
        var first = producer(topic, 60_000);
        first.beginTransaction();
        send(first, "lost-");
        var second = producer(topic, 60_000);
        look();
        sendFenced("first", first);
        second.beginTransaction();
        send(second, "kept-");
        attempt("commit of the second", second::commitTransaction);
        var third = producer(topic, 60_000);
        second.beginTransaction();
        sendFenced("second", second);
        first.close(Duration.ZERO);
        second.close(Duration.ZERO);
        third.close();
        look();
    }

    static void sendFenced(String name, KafkaProducer<String, String> fenced) throws Exception {
        try {
            fenced.send(new ProducerRecord<>(topic, 0, null, "not stored")).get();
            System.out.println("stored");
        } catch (ExecutionException problem) {
            System.out.println("send of the " + name + ": " + problem.getCause().getClass().getSimpleName());
        }
        attempt("commit of the " + name, fenced::commitTransaction);
    }

    static void offsets(String protocol) throws Exception {
        try (var plain = producer(topic + "-filler", 60_000)) {
            plain.beginTransaction();
            send(plain, "input-");
            plain.commitTransaction();
        }
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("group.id", topic);
        config.put("group.protocol", protocol);
        config.put("isolation.level", "read_committed");
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "earliest");
        var member = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
        member.subscribe(List.of(topic));
        int taken = 0;
        while (taken < PARTITIONS) {
            taken += member.poll(Duration.ofMillis(200)).count();
        }
        Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
        partitions().subList(0, 4).forEach(partition -> done.put(partition, new OffsetAndMetadata(1, "inside")));
        var copier = producer(topic, 60_000);
        for (boolean commit : new boolean[] {false, true}) {
            copier.beginTransaction();
            copier.sendOffsetsToTransaction(done, member.groupMetadata());
            send(copier, commit ? "kept-" : "gone-");
            if (commit) {
                copier.commitTransaction();
            } else {
                copier.abortTransaction();
            }
            var found = member.committed(Map.copyOf(done).keySet());
            System.out.println((commit ? "committed: " : "aborted: ") + found.values().stream().filter(value -> value != null).count());
        }
        var stale = member.groupMetadata();
        member.close();
        copier.beginTransaction();
        attempt("offsets of a member that has left", () -> copier.sendOffsetsToTransaction(done, stale));
        attempt("abort", copier::abortTransaction);
        copier.close();
        look();
    }

    static void timeout() throws Exception {
        var one = producer(topic, 1000);
        one.beginTransaction();
        send(one, "given-up-");
        awaitState(topic, "COMPLETE_ABORT");
        look();
        attempt("commit", one::commitTransaction);
        attempt("abort", one::abortTransaction);
        attempt("begin", one::beginTransaction);
        one.close(Duration.ZERO);
        try (var next = producer(topic, 60_000)) {
            next.beginTransaction();
            send(next, "kept-");
            next.commitTransaction();
        }
        awaitState(topic, "COMPLETE_COMMIT");
        look();
    }

    static void fenceByAdmin() throws Exception {
        var one = producer(topic, 60_000);
        one.beginTransaction();
        send(one, "lost-");
        admin.fenceProducers(List.of(topic)).all().get();
        awaitState(topic, "EMPTY");
        attempt("commit", one::commitTransaction);
        one.close(Duration.ZERO);
        look();
        var two = producer(topic, 60_000);
        two.beginTransaction();
        send(two, "open-");
        var state = admin.describeProducers(partitions()).partitionResult(partitions().get(0)).get().activeProducers();
        var open = state.stream().filter(each -> each.currentTransactionStartOffset().isPresent()).toList();
        System.out.println("open: " + open.size() + " from " + open.get(0).currentTransactionStartOffset().getAsLong());
        for (TopicPartition partition : partitions()) {
            admin.abortTransaction(new org.apache.kafka.clients.admin.AbortTransactionSpec(
                    partition, open.get(0).producerId(), (short) open.get(0).producerEpoch(),
                    Math.max(0, open.get(0).coordinatorEpoch().orElse(0)))).all().get();
        }
        look();
        two.close(Duration.ZERO);
    }
}
