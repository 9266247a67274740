"""What people type in rooms, and what they are answered."""
