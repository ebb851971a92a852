"""One module for each command, by the command's name. What a command needs is imported inside the command."""
