"""The data contract: pictures scanned, hashed, freed of copies and split, before any model sees them."""
