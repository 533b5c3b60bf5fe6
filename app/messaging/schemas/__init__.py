"""Wire forms of rooms, members and messages."""
