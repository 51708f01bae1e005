"""The panes of the dashboard, one widget a file."""
