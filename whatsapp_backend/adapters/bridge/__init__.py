"""The child process that speaks to WhatsApp."""
