"""How is a reasoning model made? The whole recipe at a size that a laptop trains in minutes."""
