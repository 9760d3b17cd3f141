"""Documents in Firestore."""
