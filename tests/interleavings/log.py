"""Log: a table into which the database itself writes each status that a payment is given.

A trigger cannot be circumvented, and it sees what a transaction writes and then writes over.
"""

from sqlalchemy import Connection, text

_COLUMNS = """
    event VARCHAR(20) NOT NULL,
    payment_id BIGINT,
    order_id VARCHAR(255),
    was VARCHAR(64),
    became VARCHAR(64),
    price VARCHAR(40)
"""

_INSERTED = "'row', NEW.id, NEW.order_id, NULL, NEW.status, NEW.price"
_UPDATED = "'status', NEW.id, NEW.order_id, OLD.status, NEW.status, NEW.price"
_NAMES = "(event, payment_id, order_id, was, became, price)"

_SQLITE = (
    f"CREATE TABLE status_log (seq INTEGER PRIMARY KEY AUTOINCREMENT, {_COLUMNS})",
    (
        "CREATE TRIGGER log_rows AFTER INSERT ON spayon_payment BEGIN "
        f"INSERT INTO status_log {_NAMES} VALUES ({_INSERTED}); END"
    ),
    (
        "CREATE TRIGGER log_statuses AFTER UPDATE ON spayon_payment WHEN NEW.status <> OLD.status "
        f"BEGIN INSERT INTO status_log {_NAMES} VALUES ({_UPDATED}); END"
    ),
)

_POSTGRESQL = (
    f"CREATE TABLE status_log (seq BIGSERIAL PRIMARY KEY, {_COLUMNS})",
    (
        "CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"INSERT INTO status_log {_NAMES} VALUES ({_INSERTED}); RETURN NEW; END $$"
    ),
    (
        "CREATE FUNCTION log_status() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"INSERT INTO status_log {_NAMES} VALUES ({_UPDATED}); RETURN NEW; END $$"
    ),
    (
        "CREATE TRIGGER log_rows AFTER INSERT ON spayon_payment "
        "FOR EACH ROW EXECUTE FUNCTION log_row()"
    ),
    (
        "CREATE TRIGGER log_statuses AFTER UPDATE ON spayon_payment FOR EACH ROW "
        "WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION log_status()"
    ),
)

_MARIADB = (
    f"CREATE TABLE status_log (seq BIGINT AUTO_INCREMENT PRIMARY KEY, {_COLUMNS})",
    (
        "CREATE TRIGGER log_rows AFTER INSERT ON spayon_payment FOR EACH ROW "
        f"INSERT INTO status_log {_NAMES} VALUES ({_INSERTED})"
    ),
    (
        "CREATE TRIGGER log_statuses AFTER UPDATE ON spayon_payment FOR EACH ROW "
        f"BEGIN IF NEW.status <> OLD.status THEN INSERT INTO status_log {_NAMES} "
        f"VALUES ({_UPDATED}); END IF; END"
    ),
)

_STATEMENTS = {
    "sqlite": _SQLITE,
    "postgresql": _POSTGRESQL,
    "mysql": _MARIADB,
    "mariadb": _MARIADB,
}


def create_log(connection: Connection) -> None:
    """Create the table `status_log`, and the triggers that fill it."""
    connection.execute(text("DROP TABLE IF EXISTS status_log"))

    for statement in _STATEMENTS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
