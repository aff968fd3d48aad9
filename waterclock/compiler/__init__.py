"""How a model becomes a program: lower, place, schedule, emit."""
