"""The benchmark: upstream, relay and client as three processes; the daemon beside two plain relays, in one run."""
