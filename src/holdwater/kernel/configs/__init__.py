"""Configuration: one table of keys, the rules that read values, and what a server.properties file means.

- ``table``: the facts, as text; nothing is parsed before somebody asks (importing costs next to nothing);
- ``keys``: rows of the table as values, and the one place where the text of a value becomes a value;
- ``properties``: the syntax of Java's ``.properties`` files;
- ``listeners``: listeners, advertised listeners and their security protocols, with the rules between them;
- ``broker``: ``BrokerConfig``, a checked and typed view of one broker's configuration;
- ``topics``: what a topic's configuration is, given its own keys and its broker's;
- ``durability``: which of the three levels of durability that configuration asks for.
"""
