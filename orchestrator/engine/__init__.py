"""The asyncio engine of a lab: runs on slots, judgement and promotion, agents and their jobs."""
