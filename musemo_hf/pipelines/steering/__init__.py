"""What is asked of a generator beside the emotion: conditions with their ranges, and genres."""
