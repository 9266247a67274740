"""What operators look at: the schedule, the log, the metrics page."""
