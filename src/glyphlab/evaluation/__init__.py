"""How good a network is: predictions, metrics and pictures."""
