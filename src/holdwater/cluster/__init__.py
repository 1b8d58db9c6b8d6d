"""Many nodes on one machine: the plan of a cluster, the supervisor that forks its nodes, and the way to reach it from another terminal."""
