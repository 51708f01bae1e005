"""What looks at a lab at work: anomalies, the notebook, Trackio."""
