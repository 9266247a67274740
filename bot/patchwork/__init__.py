"""HTTP client for Patchwork servers, and the model into which their responses are parsed."""
