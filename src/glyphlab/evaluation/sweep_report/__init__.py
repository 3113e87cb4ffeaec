"""A sweep's page: what was tried, what came out, which settings mattered, and whether the prediction held."""
