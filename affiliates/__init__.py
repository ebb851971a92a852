"""The edge: who is in the group, and everything that runs inside an affiliate's own walls."""
