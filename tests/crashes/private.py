"""Private servers: PostgreSQL and MariaDB of our own, which may crash without asking anybody."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.needs import missing


class PrivateServer:
    """A database server in *folder*, on a port of its own, from `start` to `stop`."""

    #: The URL of an empty database, once the server has started.
    url: str

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]

    def crash(self) -> None:
        """End the server as a power cut does, and start it again."""
        self.stop()
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the server without letting it finish anything."""
        raise NotImplementedError


class PrivatePostgreSQL(PrivateServer):
    """PostgreSQL, which does not run as root."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))

        if not found or (os.getuid() == 0 and not _has_user("postgres")):
            missing("an installation of PostgreSQL")

        self._bin = found[-1]

        if os.getuid() == 0:
            shutil.chown(folder, "postgres")

        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "postgres", "-N")
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-p {self._port} -h 127.0.0.1 -k {self._folder} -c max_prepared_transactions=9"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        user = "postgres" if os.getuid() == 0 else None
        subprocess.run(
            [self._bin / program, *arguments],
            check=True,
            user=user,
            group=user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )


class PrivateMariaDB(PrivateServer):
    """MariaDB, as whoever runs the tests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        server = shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin")
        install = shutil.which("mariadb-install-db")
        admin = shutil.which("mariadb-admin")

        if not server or not install or not admin:
            missing("an installation of MariaDB")

        self._server, self._admin = server, admin
        self._user = pwd.getpwuid(os.getuid()).pw_name
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run(
            [
                *(install, "--no-defaults", f"--user={self._user}", f"--datadir={self._data}"),
                *("--auth-root-authentication-method=normal", "--skip-name-resolve"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )
        self.url = f"mysql+pymysql://root@127.0.0.1:{self._port}/test"

    def start(self) -> None:
        where = f"--socket={self._folder / 'socket'}"
        self._process = subprocess.Popen(
            [
                *(self._server, "--no-defaults", f"--user={self._user}", f"--datadir={self._data}"),
                *(where, f"--port={self._port}", "--bind-address=127.0.0.1"),
                *(f"--pid-file={self._folder / 'pid'}", "--skip-name-resolve"),
                *("--innodb-buffer-pool-size=16M", "--innodb-rollback-on-timeout"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        subprocess.run(
            [self._admin, "--no-defaults", "-u", "root", where, "--wait=60", "ping"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(30)


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)

    except KeyError:
        return False

    return True
