"""Episodes to look at: who goes where, and who says what to whom."""
