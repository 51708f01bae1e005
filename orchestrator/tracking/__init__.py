"""What a lab shows outside of its own room: a Trackio project, files of results, alerts to a webhook."""
