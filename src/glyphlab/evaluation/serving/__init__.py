"""The service's worker processes: teaching, and looking at runs and into networks, where torch may be loaded."""
