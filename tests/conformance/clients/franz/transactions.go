// Transactions: commits, aborts of what is in the log, fencing, and a copy that is exactly once although its members change.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func transactor(bootstrap, transactionalID string) *kgo.Client {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.TransactionalID(transactionalID),
		kgo.TransactionTimeout(30*time.Second),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	check(err)
	return client
}

// send waits until the values are in the log, one in each partition from 0.
func send(ctx context.Context, client *kgo.Client, topic string, values ...string) error {
	records := []*kgo.Record{}
	for partition, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(partition), Value: []byte(value)})
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func transactions(ctx context.Context, bootstrap, topic string) {
	first := transactor(bootstrap, topic)
	for round := range 4 {
		check(first.BeginTransaction())
		check(send(ctx, first, topic, fmt.Sprintf("%d-a", round), fmt.Sprintf("%d-b", round)))
		check(first.EndTransaction(ctx, kgo.TransactionEndTry(round%2 == 1)))
	}
	check(first.BeginTransaction())
	check(send(ctx, first, topic, "lost-a"))
	second := transactor(bootstrap, topic)
	check(second.BeginTransaction())
	check(send(ctx, second, topic, "kept-a"))
	check(second.EndTransaction(ctx, kgo.TryCommit))
	if send(ctx, first, topic, "not stored") == nil {
		fail(fmt.Errorf("the first producer was not fenced"))
	}
	first.Close()
	second.Close()
	fmt.Println("done")
}

// copyExactlyOnce copies the numbers of the source to the partition of the same number of the target: two members at first, then the second
// leaves, and a third comes. The members' transactions contain the offsets. The group has the name of the target.
func copyExactlyOnce(ctx context.Context, bootstrap, source, target, protocol string, count int) {
	var copied atomic.Int64
	run := func(name string, limit int64) chan bool {
		ended := make(chan bool)
		go func() {
			copySome(ctx, bootstrap, source, target, protocol, name, &copied, limit)
			close(ended)
		}()
		return ended
	}
	first, second := run("one", int64(count)), run("two", int64(count)/3)
	<-second
	third := run("three", int64(count))
	<-first
	<-third
	fmt.Println("copied", copied.Load())
}

func copySome(ctx context.Context, bootstrap, source, target, protocol, name string, copied *atomic.Int64, limit int64) {
	options := append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.TransactionalID(target + "-" + name),
		kgo.ConsumerGroup(target),
		kgo.ConsumeTopics(source),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(300 * time.Millisecond),
	}, balancer(protocol)...)
	session, err := kgo.NewGroupTransactSession(options...)
	check(err)
	defer session.Close()
	for round := 0; copied.Load() < limit; round++ {
		soon, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		fetches := session.PollRecords(soon, 40)
		cancel()
		if ctx.Err() != nil {
			fail(fmt.Errorf("%s: only %d were copied", name, copied.Load()))
		}
		if fetches.NumRecords() == 0 {
			continue
		}
		check(session.Begin())
		fault := kgo.AbortingFirstErrPromise(session.Client())
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(ctx, &kgo.Record{Topic: target, Partition: record.Partition, Value: record.Value}, fault.Promise())
		})
		produced := fault.Err()
		if produced != nil {
			fmt.Fprintln(os.Stderr, name, "aborts:", produced)
		}
		committed, err := session.End(ctx, kgo.TransactionEndTry(produced == nil && round%5 != 3))
		check(err)
		if committed {
			copied.Add(int64(fetches.NumRecords()))
		}
	}
}
