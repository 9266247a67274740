"""Who wants to hear of a patch, and why."""
