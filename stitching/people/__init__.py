"""Who stands where, as cameras show them; and on a ribbon, how each is drawn upright, once."""
