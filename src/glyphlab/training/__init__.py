"""Recipes, augmentation, the training loop, checkpoints and run folders."""
