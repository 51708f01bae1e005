"""Roles: how to hold a conversation with a model and offer it tools. Knows nothing of labs."""
