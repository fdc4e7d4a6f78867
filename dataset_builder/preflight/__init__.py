"""What a folder of clips holds, what of it cannot be read, and what a build of it will take."""
