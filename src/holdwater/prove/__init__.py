"""The tools that make a failure happen under a real client and say what was lost, duplicated, reordered or refused.

Way in: ``scenario.py`` says what a scenario is (data), ``run.py`` performs one, ``history/`` is what a run records, ``judge/`` turns a
history and the final log into findings (pure functions), ``report/`` shows them. ``target.py`` is what this package needs of a cluster.

Nothing here imports the cluster: everything is learned through the public protocol (librdkafka and ``holdwater.rpc``), so the same
scenario runs on any Kafka. The truth is the log, not the acknowledgement; a write without an answer is *unknown*.
"""
