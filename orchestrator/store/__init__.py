"""`runs.db`: the single source of truth of a lab. The daemon writes it, clients read it and post commands."""
