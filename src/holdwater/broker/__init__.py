"""The assembled broker, still pure: requests come in as bytes, replies and requests to peers go out through the ``Transport`` port.

``broker.broker.Broker`` is the way in. ``node`` runs it on sockets and real clocks, ``sim`` on simulated ones.
"""
