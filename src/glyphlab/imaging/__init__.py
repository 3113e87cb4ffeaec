"""Pictures before they are glyphs."""
