"""Who may reach the control room's page and act there: users, sessions, roles, the gate."""
