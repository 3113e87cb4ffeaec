"""What a network got wrong, whose fault each mistake is, and what it looks like."""
