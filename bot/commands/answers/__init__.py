"""What commands are answered, as documents. Pure."""
