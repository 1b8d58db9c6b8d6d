"""Kafka's verifiable clients: a producer and a consumer that say in JSON lines what they did, as ``org.apache.kafka.tools`` has them in 4.x.

Harnesses that know the lines of Kafka's own tools can run these in their place, on librdkafka.
"""
