"""The Textual control room: reads the store, sends commands, never runs anything itself."""
