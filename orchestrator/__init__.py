"""The engine: lab, store, queue, branches, slots, runs, promotion, daemon and command line."""
