"""How programs call this endpoint. Copy the folder to where you call from: it needs httpx2, and nothing else of this project."""
