"""How does a notebook show, ask and check? Figures, widgets and exercises; only notebooks call it."""
