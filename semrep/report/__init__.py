"""Shows results: on the terminal and to machines."""
