// Members of a group that come, go, and take over from committed offsets.
package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is a client in a group, with what is assigned to it and what it has read.
type member struct {
	client   *kgo.Client
	lock     sync.Mutex
	assigned map[string]bool
	values   []int
	revoked  int
}

func balancer(protocol string) []kgo.Opt {
	switch protocol {
	case "range":
		return []kgo.Opt{kgo.Balancers(kgo.RangeBalancer())}
	case "cooperative-sticky":
		return []kgo.Opt{kgo.Balancers(kgo.CooperativeStickyBalancer())}
	case "consumer":
		return []kgo.Opt{kgo.Balancers(kgo.StickyBalancer()), kgo.ServerSideBalancer()}
	}
	fail(fmt.Errorf("no balancer %s", protocol))
	return nil
}

func join(bootstrap, group, topic, protocol string, more ...kgo.Opt) *member {
	made := &member{assigned: map[string]bool{}}
	change := func(partitions map[string][]int32, to bool) {
		made.lock.Lock()
		defer made.lock.Unlock()
		for topic, numbers := range partitions {
			for _, number := range numbers {
				place := fmt.Sprintf("%s-%d", topic, number)
				if to {
					made.assigned[place] = true
				} else {
					delete(made.assigned, place)
					made.revoked++
				}
			}
		}
	}
	options := append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { change(partitions, true) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { change(partitions, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) { change(partitions, false) }),
	}, append(balancer(protocol), more...)...)
	client, err := kgo.NewClient(options...)
	check(err)
	made.client = client
	return made
}

func (m *member) count() int {
	m.lock.Lock()
	defer m.lock.Unlock()
	return len(m.assigned)
}

// read polls until that many records have come.
func (m *member) read(ctx context.Context, count int) {
	for len(m.values) < count {
		fetches := m.client.PollFetches(ctx)
		for _, fault := range fetches.Errors() {
			check(fault.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) { m.values = append(m.values, number(string(record.Value))) })
	}
}

func until(ctx context.Context, what string, good func() bool) {
	for !good() {
		if ctx.Err() != nil {
			fail(fmt.Errorf("never so: %s", what))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// groups expects 60 numbers in the 6 partitions of the topic, one partition after the other; the group has the name of the topic.
func groups(ctx context.Context, bootstrap, topic, protocol string) {
	first := join(bootstrap, topic, topic, protocol)
	until(ctx, "the first has all", func() bool { return first.count() == 6 })
	first.read(ctx, 60)
	second := join(bootstrap, topic, topic, protocol)
	until(ctx, "two have three each", func() bool { return first.count() == 3 && second.count() == 3 })
	fmt.Println("shared", first.count(), second.count())
	offsets := map[string]map[int32]kgo.EpochOffset{topic: {}}
	for place := range first.assigned {
		partition := int32(number(place[strings.LastIndex(place, "-")+1:]))
		offsets[topic][partition] = kgo.EpochOffset{Epoch: -1, Offset: 8}
	}
	first.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
		check(err)
		for _, topic := range response.Topics {
			for _, partition := range topic.Partitions {
				check(kerr.ErrorForCode(partition.ErrorCode))
			}
		}
	})
	first.client.Close()
	until(ctx, "the second has all", func() bool { return second.count() == 6 })
	fmt.Println("taken over", second.count())
	second.client.Close()
	third := join(bootstrap, topic, topic, protocol, kgo.InstanceID("fixed"))
	third.read(ctx, 36)
	sort.Ints(third.values)
	fmt.Println("read by the third", len(third.values), "revoked from it", third.revoked)
	third.client.CloseAllowingRebalance()
}
