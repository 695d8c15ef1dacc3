"""Log: a table into which the database itself writes each status that a payment is given.

A trigger cannot be circumvented, and it sees what a transaction writes and then writes over.
"""

from sqlalchemy import Connection

_KEYS = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "BIGSERIAL PRIMARY KEY",
    "mysql": "BIGINT AUTO_INCREMENT PRIMARY KEY",
}

_TABLE = """
CREATE TABLE status_log (seq {key}, event VARCHAR(20), payment_id BIGINT, order_id VARCHAR(255),
    was VARCHAR(64), became VARCHAR(64), price VARCHAR(40))
"""

#: What is noted, after which kind of statement, and when.
_EVENTS = (
    (
        "'row', NEW.id, NEW.order_id, NULL, NEW.status, NEW.price",
        "INSERT",
        "NEW.status IS NOT NULL",
    ),
    (
        "'status', NEW.id, NEW.order_id, OLD.status, NEW.status, NEW.price",
        "UPDATE",
        "NEW.status <> OLD.status",
    ),
)

_NOTE = (
    "INSERT INTO status_log (event, payment_id, order_id, was, became, price) VALUES ({values});"
)

_TRIGGERS = {
    "sqlite": [
        "CREATE TRIGGER log_{kind} AFTER {kind} ON spayon_payment WHEN {when} BEGIN {note} END"
    ],
    "postgresql": [
        """
        CREATE FUNCTION log_{kind}() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {note} RETURN NEW; END $$
        """,
        """
        CREATE TRIGGER log_{kind} AFTER {kind} ON spayon_payment FOR EACH ROW WHEN ({when})
            EXECUTE FUNCTION log_{kind}()
        """,
    ],
    "mysql": [
        """
        CREATE TRIGGER log_{kind} AFTER {kind} ON spayon_payment FOR EACH ROW
            IF {when} THEN {note} END IF
        """
    ],
}


def create_log(connection: Connection) -> None:
    """Create the table `status_log`, and the triggers that fill it."""
    name = connection.dialect.name
    connection.exec_driver_sql("DROP TABLE IF EXISTS status_log")
    connection.exec_driver_sql(_TABLE.format(key=_KEYS[name]))

    for values, kind, when in _EVENTS:
        for trigger in _TRIGGERS[name]:
            note = _NOTE.format(values=values)
            connection.exec_driver_sql(trigger.format(kind=kind, when=when, note=note))
