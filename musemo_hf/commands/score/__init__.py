"""`musemo score`: compare generated music with real music.

The command, the folders it reads, and its answer as a table, a picture and a page.
"""
