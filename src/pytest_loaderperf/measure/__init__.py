"""One measurement each: how it is planned, timed, and what else the machine did meanwhile."""
