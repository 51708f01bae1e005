"""A lab's story for people: Markdown, and a picture of the best score over its experiments."""
