"""What runs have reached, kept as small records, and a page made of all of them."""
