"""The portal's API client: one method per call, typed answers and errors. Only this package uses httpx."""
