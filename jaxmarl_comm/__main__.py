"""`python -m jaxmarl_comm COMMAND ...`."""

from jaxmarl_comm.commands import main

main()
