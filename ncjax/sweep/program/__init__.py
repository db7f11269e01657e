"""The compiled group: its program, data on the devices or streamed to them, memory, hosts."""
