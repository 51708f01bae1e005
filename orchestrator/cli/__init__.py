"""The command line: `autolab VERB`."""
