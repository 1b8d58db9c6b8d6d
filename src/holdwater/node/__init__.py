"""One broker as a process: sockets, clocks, signals, the real disk. Thin: it cuts streams into frames, reads the clocks, and takes no decisions."""
