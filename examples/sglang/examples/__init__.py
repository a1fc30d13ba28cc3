"""How programs call this endpoint. Copy the folder to where you call from: it needs nothing else of this project."""
