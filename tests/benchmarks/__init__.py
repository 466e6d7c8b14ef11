"""What does the course's own code cost? Measurements that are too slow or too noisy for tests."""
