"""What people look at: curves and tables."""
