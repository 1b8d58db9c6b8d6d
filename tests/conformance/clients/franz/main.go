// franz-go, a client that shares no code with Kafka's own or librdkafka, against a cluster. Prints what it found; any fault ends it with 1.
//
// "produce" writes to one topic and reads it back: idempotent writes with acks=all in several requests at a time, then a direct consumer over
// every partition, told as one line of JSON. "groups", "transactions" and "copy" are in their own files.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const patience = 60 * time.Second

type result struct {
	Acknowledged int             `json:"acknowledged"`
	Read         int             `json:"read"`
	InOrder      bool            `json:"in_order"`
	EndOffsets   map[int32]int64 `json:"end_offsets"`
	Versions     int             `json:"versions"`
}

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: franz produce|groups|transactions|copy BOOTSTRAP ..."))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	arguments := os.Args[2:]
	switch os.Args[1] {
	case "produce":
		produceAndConsume(ctx, arguments)
	case "groups":
		groups(ctx, arguments[0], arguments[1], arguments[2])
	case "transactions":
		transactions(ctx, arguments[0], arguments[1])
	case "copy":
		copyExactlyOnce(ctx, arguments[0], arguments[1], arguments[2], arguments[3], number(arguments[4]))
	default:
		fail(fmt.Errorf("what is %s", os.Args[1]))
	}
}

// produceAndConsume takes BOOTSTRAP TOPIC PARTITIONS COUNT COMPRESSION.
func produceAndConsume(ctx context.Context, arguments []string) {
	bootstrap, topic := arguments[0], arguments[1]
	partitions, count := number(arguments[2]), number(arguments[3])
	found := result{EndOffsets: map[int32]int64{}}
	found.Acknowledged = produce(ctx, bootstrap, topic, count, arguments[4])
	found.Read, found.InOrder = consume(ctx, bootstrap, topic, partitions, found.Acknowledged)
	found.Versions = look(ctx, bootstrap, topic, partitions, found.EndOffsets)
	line, err := json.Marshal(found)
	check(err)
	fmt.Println(string(line))
}

func produce(ctx context.Context, bootstrap, topic string, count int, compression string) int {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(codecs[compression]),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchMaxBytes(4096), // many small batches, so that several are in flight
	)
	check(err)
	defer client.Close()
	var lock sync.Mutex
	acknowledged := 0
	for i := range count {
		record := &kgo.Record{Topic: topic, Key: []byte(strconv.Itoa(i % 17)), Value: []byte(strconv.Itoa(i))}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			check(err)
			lock.Lock()
			acknowledged++
			lock.Unlock()
		})
	}
	check(client.Flush(ctx))
	return acknowledged
}

// consume reads every partition from its start, and says whether the values of each key came in the order in which they were produced.
func consume(ctx context.Context, bootstrap, topic string, partitions, expected int) (int, bool) {
	from := map[int32]kgo.Offset{}
	for partition := range partitions {
		from[int32(partition)] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	check(err)
	defer client.Close()
	read, inOrder := 0, true
	last := map[string]int{}
	next := map[int32]int64{}
	for read < expected {
		fetches := client.PollFetches(ctx)
		for _, fault := range fetches.Errors() {
			check(fault.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			value := number(string(record.Value))
			before, seen := last[string(record.Key)]
			inOrder = inOrder && (!seen || value > before) && record.Offset == next[record.Partition]
			last[string(record.Key)] = value
			next[record.Partition] = record.Offset + 1
			read++
		})
	}
	return read, inOrder
}

// look asks for end offsets and versions with single requests.
func look(ctx context.Context, bootstrap, topic string, partitions int, ends map[int32]int64) int {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...))
	check(err)
	defer client.Close()
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for partition := range partitions {
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp = int32(partition), -1
		asked.Partitions = append(asked.Partitions, one)
	}
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(ctx, client)
	check(err)
	for _, answered := range response.Topics {
		for _, partition := range answered.Partitions {
			check(kerr.ErrorForCode(partition.ErrorCode))
			ends[partition.Partition] = partition.Offset
		}
	}
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client)
	check(err)
	return len(versions.ApiKeys)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "franz:", err)
	os.Exit(1)
}
