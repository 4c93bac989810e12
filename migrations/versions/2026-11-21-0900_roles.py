"""
The two roles that the web and the workers act as.

A login that serves the web need only be a member of `kabambe_web`; the same for workers.
Roles belong to the whole server, so they may be there already. Safe under load.
"""

from __future__ import annotations

from alembic import op

revision = "roles"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for role in ("kabambe_web", "kabambe_worker"):
        op.execute(f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN;
                END IF;
                IF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN
                    GRANT {role} TO CURRENT_USER;
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database's migration was quicker
            END $$
        """)
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")


def downgrade() -> None:
    # The roles stay: another database of this server may use them.
    for role in ("kabambe_web", "kabambe_worker"):
        op.execute(f"REVOKE USAGE ON SCHEMA public FROM {role}")
