"""The records that the stages hand to each other, their canonical bytes, the life of a task, and units."""
