"""A person looking back: the wins in order, what happened meanwhile, patches to take along."""
