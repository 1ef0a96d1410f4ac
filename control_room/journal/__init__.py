"""The journal: every word of a gateway and every act of an operator, in SQLite or PostgreSQL."""
