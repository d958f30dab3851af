"""Everyone against everyone, or with everyone: what a team is worth beside others than those it was trained with."""
