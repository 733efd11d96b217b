"""The portal's wire: one method per call, typed answers, typed errors. The only room that knows httpx."""
