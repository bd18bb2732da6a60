"""The program against hostile text, files, servers and readers; SECURITY.md says which test stands for which threat."""
