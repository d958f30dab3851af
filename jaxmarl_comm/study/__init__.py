"""Many runs by one command: protocols, each trained with every value of a swept setting, and what became of them."""
