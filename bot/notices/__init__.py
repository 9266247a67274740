"""What is said in rooms: composed as one tree, written as plain text and HTML."""
