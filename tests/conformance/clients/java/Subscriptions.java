// What only the Java consumer and admin client do: server-side regular expressions, members removed by an administrator, changed subscriptions.

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Subscriptions {
    static final Duration PATIENCE = Duration.ofSeconds(30);
    static String bootstrap;
    static String topic;
    static Admin admin;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        topic = arguments[1];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        switch (arguments[2]) {
            case "patterns" -> patterns();
            case "changed" -> changed(arguments[3]);
            case "removed" -> removed(arguments[3]);
            case "offsets" -> offsets(arguments[3]);
            default -> throw new IllegalArgumentException(arguments[2]);
        }
        admin.close();
    }

    static KafkaConsumer<String, String> member(String protocol, String instanceId) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("group.id", topic);
        config.put("group.protocol", protocol);
        config.put("enable.auto.commit", false);
        config.put("auto.offset.reset", "earliest");
        if (instanceId != null) {
            config.put("group.instance.id", instanceId);
        }
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static void until(KafkaConsumer<String, String> member, BooleanSupplier good) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!good.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("still " + assigned(member));
            }
            member.poll(Duration.ofMillis(50));
        }
    }

    // Without what their names have in common.
    static List<String> assigned(KafkaConsumer<String, String> member) {
        return member.assignment().stream().map(each -> each.toString().substring(topic.length())).sorted().toList();
    }

    static void patterns() throws Exception {
        var member = member("consumer", null);
        for (String tail : new String[] {"", "(-a|-b)", "-[ab]", "-b.*", "-none"}) {
            member.subscribe(new SubscriptionPattern("^" + topic.replace(".", "\\.") + tail + "$"));
            int expected = switch (tail) {
                case "" -> 6;
                case "-none" -> 0;
                case "-b.*" -> 1;
                default -> 2;
            };
            until(member, () -> member.assignment().size() == expected);
            System.out.println("'" + tail + "': " + assigned(member));
        }
        member.subscribe(new SubscriptionPattern("(["));
        try {
            until(member, () -> false);
        } catch (KafkaException problem) {
            System.out.println(problem.getClass().getSimpleName());
        }
        member.close();
    }

    static void changed(String protocol) throws Exception {
        var told = new int[2];
        var listener = new ConsumerRebalanceListener() {
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                told[0] += partitions.size();
            }

            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                told[1] += partitions.size();
            }
        };
        var member = member(protocol, null);
        member.subscribe(List.of(topic), listener);
        until(member, () -> member.assignment().size() == 6);
        member.subscribe(List.of(topic, topic + "-a"), listener);
        until(member, () -> member.assignment().size() == 7);
        member.subscribe(List.of(topic + "-b"), listener);
        until(member, () -> member.assignment().size() == 1);
        System.out.println(assigned(member));
        member.unsubscribe();
        System.out.println(assigned(member));
        member.subscribe(List.of(topic + "-a"), listener);
        until(member, () -> member.assignment().size() == 1);
        System.out.println(assigned(member));
        member.close();
        System.out.println("assigned " + told[0] + ", revoked " + told[1]);
        var described = admin.describeConsumerGroups(List.of(topic)).all().get().get(topic);
        System.out.println(described.groupState() + " " + described.members().size());
    }

    static void removed(String protocol) throws Exception {
        var member = member(protocol, "fixed");
        member.subscribe(List.of(topic));
        until(member, () -> member.assignment().size() == 6);
        member.close();
        System.out.println("closed: " + members());
        var left = new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("fixed")));
        admin.removeMembersFromConsumerGroup(topic, left).all().get();
        System.out.println("removed: " + members());
        try {
            admin.removeMembersFromConsumerGroup(topic, left).memberResult(new MemberToRemove("fixed")).get();
        } catch (java.util.concurrent.ExecutionException problem) {
            System.out.println(problem.getCause().getClass().getSimpleName());
        }
        admin.deleteConsumerGroups(List.of(topic)).all().get();
        System.out.println("deleted");
    }

    static String members() throws Exception {
        var described = admin.describeConsumerGroups(List.of(topic)).all().get().get(topic);
        var names = new TreeSet<String>();
        described.members().forEach(each -> names.add(each.groupInstanceId().orElse("?")));
        return described.groupState() + " " + names;
    }

    static void offsets(String protocol) throws Exception {
        var member = member(protocol, null);
        member.subscribe(List.of(topic));
        until(member, () -> member.assignment().size() == 6);
        var first = new TopicPartition(topic, 0);
        var second = new TopicPartition(topic, 1);
        member.commitSync(Map.of(first, new OffsetAndMetadata(3, java.util.Optional.of(0), "a word"), second, new OffsetAndMetadata(0)));
        System.out.println(member.committed(Set.of(first)).get(first).offset() + " " + member.committed(Set.of(first)).get(first).metadata());
        try {
            member.commitSync(Map.of(first, new OffsetAndMetadata(4, "x".repeat(5000))));
        } catch (KafkaException problem) {
            System.out.println(problem.getClass().getSimpleName());
        }
        try {
            member.commitSync(Map.of(new TopicPartition(topic + "-a", 77), new OffsetAndMetadata(1)), Duration.ofSeconds(2));
            System.out.println("done");
        } catch (KafkaException problem) {
            System.out.println(problem.getClass().getSimpleName());
        }
        var done = new boolean[1];
        member.commitAsync(Map.of(second, new OffsetAndMetadata(9)), (offsets, problem) -> done[0] = problem == null);
        until(member, () -> done[0]);
        var all = admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
        System.out.println(all.get(first).offset() + " " + all.get(first).leaderEpoch() + " " + all.get(second).offset() + " of " + all.size());
        try {
            admin.alterConsumerGroupOffsets(topic, Map.of(first, new OffsetAndMetadata(1))).all().get();
        } catch (java.util.concurrent.ExecutionException problem) {
            System.out.println("alter: " + problem.getCause().getClass().getSimpleName());
        }
        member.enforceRebalance();
        until(member, () -> member.assignment().size() == 6);
        member.close();
        admin.alterConsumerGroupOffsets(topic, Map.of(first, new OffsetAndMetadata(1))).all().get();
        admin.deleteConsumerGroupOffsets(topic, Set.of(second)).all().get();
        all = admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get();
        System.out.println(all.get(first).offset() + " of " + all.size());
    }
}
