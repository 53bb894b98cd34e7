"""How values and messages travel as JSON. Shared by all adapters and by HTTP."""
