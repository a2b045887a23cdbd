"""The shelves of tasks: the module, its queues, its indexes, unique keys."""
