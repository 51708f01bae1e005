"""The team at work: who takes which job, with what brief, what tools and what models."""
